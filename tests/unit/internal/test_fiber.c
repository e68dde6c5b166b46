/* SPDX-License-Identifier: Apache-2.0 */
/* test_fiber.c -- what a switch must keep, and what it says it does not.
 *
 * BA_SCALE=n multiplies the number of rounds; sanitizer builds divide by 10.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <alloca.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../../bitactor/src/internal/fiber.h"
#include "../../bdd.h"

enum { STACK_BYTES = 256 * 1024, FIBERS = 100, REGISTERS = 24 };

static long rounds_of_registers = 1000000, rounds_of_many = 1000;

static _Alignas(4096) unsigned char stacks[3][STACK_BYTES];
static ba_fiber_t home, fibers[3];

_Noreturn void
ba_invariant_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static void
prepare(int i, ba_fiber_entry_t *entry, void *argument)
{
	ba_fiber_prepare(&fibers[i], stacks[i], STACK_BYTES, entry, argument);
}

/* ---- registers ----------------------------------------------------------- */

/* Fill every register that a function must keep with words[], call `switches`,
 * and answer in which bits any of them came back different. */
#if defined(BA_FIBER_X86_64)
static __attribute__((noinline)) uint64_t
call_with_registers(const uint64_t words[REGISTERS], void (*switches)(void))
{
	uint64_t wrong;
	__asm__ volatile("movq %%rsp, %%rax\n\t"
	                 "subq $256, %%rsp\n\t" /* past the red zone */
	                 "andq $-16, %%rsp\n\t"
	                 "movq %%rax, (%%rsp)\n\t"
	                 "movq %%rbp, 8(%%rsp)\n\t"
	                 "movq %%rdi, 16(%%rsp)\n\t"
	                 "movq (%%rdi), %%rbx\n\t"
	                 "movq 8(%%rdi), %%rbp\n\t"
	                 "movq 16(%%rdi), %%r12\n\t"
	                 "movq 24(%%rdi), %%r13\n\t"
	                 "movq 32(%%rdi), %%r14\n\t"
	                 "movq 40(%%rdi), %%r15\n\t"
	                 "call *%%rsi\n\t"
	                 "movq 16(%%rsp), %%rdi\n\t"
	                 "xorq (%%rdi), %%rbx\n\t"
	                 "xorq 8(%%rdi), %%rbp\n\t"
	                 "xorq 16(%%rdi), %%r12\n\t"
	                 "xorq 24(%%rdi), %%r13\n\t"
	                 "xorq 32(%%rdi), %%r14\n\t"
	                 "xorq 40(%%rdi), %%r15\n\t"
	                 "movq %%rbx, %%rax\n\t"
	                 "orq %%rbp, %%rax\n\t"
	                 "orq %%r12, %%rax\n\t"
	                 "orq %%r13, %%rax\n\t"
	                 "orq %%r14, %%rax\n\t"
	                 "orq %%r15, %%rax\n\t"
	                 "movq 8(%%rsp), %%rbp\n\t"
	                 "movq (%%rsp), %%rsp"
	                 : "=a"(wrong), "+D"(words), "+S"(switches)
	                 :
	                 : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
	                   "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
	                   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
	                   "xmm15" BA_FIBER_AVX512_REGISTERS, "cc", "memory");
	return wrong;
}
#elif defined(BA_FIBER_AARCH64)
#define X_PAIRS(what)                                                          \
	what("x19", "x20", "0") what("x21", "x22", "16") what("x23", "x24", "32") \
	what("x25", "x26", "48") what("x27", "x28", "64")
#define D_PAIRS(what)                                                          \
	what("d8", "d9", "96") what("d10", "d11", "112")                       \
	what("d12", "d13", "128") what("d14", "d15", "144")
#define LOAD(a, b, at) "ldp " a ", " b ", [x0, #" at "]\n\t"
#define DIFFER(move, a, b, at)                                                 \
	"ldp x2, x3, [x0, #" at "]\n\t"                                        \
	move " x4, " a "\n\teor x4, x4, x2\n\torr x5, x5, x4\n\t"               \
	move " x4, " b "\n\teor x4, x4, x3\n\torr x5, x5, x4\n\t"
#define X_DIFFER(a, b, at) DIFFER("mov", a, b, at)
#define D_DIFFER(a, b, at) DIFFER("fmov", a, b, at)
static __attribute__((noinline)) uint64_t
call_with_registers(const uint64_t words[REGISTERS], void (*switches)(void))
{
	register uint64_t x0 __asm__("x0") = (uint64_t)(uintptr_t)words;
	register uint64_t x1 __asm__("x1") = (uint64_t)(uintptr_t)switches;
	__asm__ volatile("sub sp, sp, #32\n\t"
	                 "stp x29, x0, [sp]\n\t" X_PAIRS(LOAD) D_PAIRS(LOAD)
	                 "ldr x29, [x0, #80]\n\t"
	                 "blr x1\n\t"
	                 "ldr x0, [sp, #8]\n\t"
	                 "ldr x5, [x0, #80]\n\t"
	                 "eor x5, x5, x29\n\t" X_PAIRS(X_DIFFER) D_PAIRS(D_DIFFER)
	                 "mov x0, x5\n\t"
	                 "ldr x29, [sp]\n\t"
	                 "add sp, sp, #32"
	                 : "+r"(x0), "+r"(x1)
	                 :
	                 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
	                   "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22",
	                   "x23", "x24", "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3",
	                   "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14",
	                   "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
	                   "v25", "v26", "v27", "v28", "v29", "v30",
	                   "v31" BA_FIBER_SVE_REGISTERS, "cc", "memory");
	return x0;
}
#else
static uint64_t
call_with_registers(const uint64_t words[REGISTERS], void (*switches)(void))
{
	(void)words;
	switches();
	return 0;
}
#endif

static uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64, S. Vigna */
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

/* home -> 0 -> 1 -> home, each with its own words in its registers. */
static void to_first(void)  { ba_fiber_switch(&home, &fibers[0]); }
static void to_second(void) { ba_fiber_switch(&fibers[0], &fibers[1]); }
static void to_home(void)   { ba_fiber_switch(&fibers[1], &home); }

static uint64_t wrong_bits[3];
static long     rounds_done[3];

static void
keep_registers(int who, void (*switches)(void), long rounds)
{
	uint64_t words[REGISTERS], random = (uint64_t)who;
	for (int i = 0; i < REGISTERS; i++)
		words[i] = random_next(&random);
	for (long round = 0; round < rounds; round++) {
		words[round % REGISTERS] = random_next(&random);
		wrong_bits[who] |= call_with_registers(words, switches);
		rounds_done[who]++;
	}
}

static ba_fiber_t *
first_entry(void *argument)
{
	keep_registers(1, to_second, *(long *)argument);
	return &fibers[1];
}

static ba_fiber_t *
second_entry(void *argument)
{
	keep_registers(2, to_home, *(long *)argument);
	return &home;
}

static void
test_registers(void)
{
	SCENARIO("every register that a call keeps, a switch keeps") {
		GIVEN("the thread and two fibers in a ring, random words in every register");
		WHEN("they go round for 10^6 switches, and once more to end");
		THEN("each finds its own words every time");
		long rounds = rounds_of_registers / 3;
		prepare(0, first_entry, &rounds);
		prepare(1, second_entry, &rounds);
		keep_registers(0, to_first, rounds + 1);
		for (int i = 0; i < 3; i++) {
			CHECK_EQ(wrong_bits[i], 0);
			CHECK_EQ(rounds_done[i], rounds + (i == 0));
		}
		ba_fiber_release(&fibers[0]);
		ba_fiber_release(&fibers[1]);
	}
}

/* ---- floating point ------------------------------------------------------ */

#define NEAREST  0
#define UPWARD   1
#define DOWNWARD 2
#define INHERIT  3 /* set nothing */

/* Rounding modes by hand: fesetround would want -lm, and sets both. */
static void
set_rounding(unsigned mode, unsigned x87_mode)
{
#if defined(BA_FIBER_X86_64)
	static const unsigned bits[] = { [NEAREST] = 0, [UPWARD] = 2, [DOWNWARD] = 1 };
	uint32_t mxcsr;
	uint16_t x87;
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87));
	if (mode != INHERIT)
		mxcsr = (mxcsr & ~UINT32_C(0x6000)) | bits[mode] << 13;
	if (x87_mode != INHERIT)
		x87 = (uint16_t)((x87 & ~0x0C00u) | bits[x87_mode] << 10);
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87));
#elif defined(BA_FIBER_AARCH64)
	uint64_t fpcr;
	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	if (mode != INHERIT)
		fpcr = (fpcr & ~(UINT64_C(3) << 22)) | (uint64_t)mode << 22;
	__asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
	(void)x87_mode; /* long double is software's here, in the same mode */
#else
	(void)mode;
	(void)x87_mode;
#endif
}

static double
third(double one)
{
	double volatile a = one, b = 3.0, result = a / b;
	return result;
}

static long double
long_third(long double one)
{
	long double volatile a = one, b = 3.0L, result = a / b;
	return result;
}

/* Valgrind rounds SSE, and computes long double in double: see who obeys. */
static bool
obeys_rounding(bool in_long_double)
{
	double results[2];
	long double long_results[2];
	for (unsigned i = 0; i < 2; i++) {
		set_rounding(i == 0 ? UPWARD : DOWNWARD, i == 0 ? UPWARD : DOWNWARD);
		results[i]      = third(1.0);
		long_results[i] = long_third(1.0L);
		set_rounding(NEAREST, NEAREST);
	}
	return in_long_double ? long_results[0] > long_results[1] : results[0] > results[1];
}

typedef struct rounding_job {
	ba_fiber_t *self;
	unsigned    mode, x87_mode;
	double      got[2]; /* before and after a switch */
	long double long_got[2];
	char        text[32];
} rounding_job_t;

static ba_fiber_t *
rounding_entry(void *argument)
{
	rounding_job_t *job = argument;
	set_rounding(job->mode, job->x87_mode);
	for (int i = 0; i < 2; i++) {
		job->got[i]      = third(1.0);
		job->long_got[i] = long_third(1.0L);
		ba_fiber_switch(job->self, &home);
	}
	snprintf(job->text, sizeof job->text, "%.3f %.1Lf", 2.5 + third(0.375), (long double)0.5L);
	return &home;
}

static void
run_rounding(rounding_job_t jobs[3], unsigned mode, unsigned x87_mode)
{
	static const unsigned modes[3] = { UPWARD, DOWNWARD, INHERIT };
	double nearest = third(1.0);
	long double long_nearest = long_third(1.0L);
	for (int i = 0; i < 3; i++) {
		jobs[i] = (rounding_job_t){ .self = &fibers[i] };
		jobs[i].mode     = mode == INHERIT ? INHERIT : modes[i];
		jobs[i].x87_mode = x87_mode == INHERIT ? INHERIT : modes[i];
		prepare(i, rounding_entry, &jobs[i]);
	}
	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < 3; i++) {
			ba_fiber_switch(&home, &fibers[i]);
			CHECK(third(1.0) == nearest);
			CHECK(long_third(1.0L) == long_nearest);
		}
	}
	for (int i = 0; i < 3; i++) {
		CHECK(jobs[i].got[0] == jobs[i].got[1]);
		CHECK(jobs[i].long_got[0] == jobs[i].long_got[1]);
		ba_fiber_release(&fibers[i]);
	}
	CHECK(jobs[2].got[0] == nearest);
	CHECK(jobs[2].long_got[0] == long_nearest);
	CHECK(strcmp(jobs[2].text, "2.625 0.5") == 0);
}

static void
test_rounding(void)
{
	bool both = obeys_rounding(false), long_too = obeys_rounding(true);
	rounding_job_t jobs[3];
	printf("rounding is obeyed: double %s, long double %s\n", both ? "yes" : "no",
	       long_too ? "yes" : "no");

	SCENARIO("a rounding mode belongs to the fiber that set it") {
		GIVEN("a fiber that rounds up, one that rounds down, one that sets nothing");
		WHEN("each computes 1/3, lets the others go, and computes it again; with both "
		     "units set, with SSE's alone, with x87's alone");
		THEN("each gets its own result twice, and the thread rounds to nearest");
		run_rounding(jobs, NEAREST, NEAREST);
		CHECK(!both || jobs[0].got[0] > jobs[1].got[0]);
		CHECK(!long_too || jobs[0].long_got[0] > jobs[1].long_got[0]);
		run_rounding(jobs, NEAREST, INHERIT);
		CHECK(!both || jobs[0].got[0] > jobs[1].got[0]);
		run_rounding(jobs, INHERIT, NEAREST);
#ifdef BA_FIBER_X86_64
		CHECK(!long_too || jobs[0].long_got[0] > jobs[1].long_got[0]);
#endif
	}
	SCENARIO("a fiber starts with the default modes, wherever it is made") {
		GIVEN("a thread that rounds up");
		WHEN("it makes and starts a fiber that sets nothing");
		THEN("the fiber rounds to nearest, and the thread upwards still");
		double nearest = third(1.0);
		long double long_nearest = long_third(1.0L);
		rounding_job_t job = { &fibers[0], INHERIT, INHERIT, { 0 }, { 0 }, "" };
		set_rounding(UPWARD, UPWARD);
		double up = third(1.0);
		prepare(0, rounding_entry, &job);
		for (int turn = 0; turn < 3; turn++) {
			ba_fiber_switch(&home, &fibers[0]);
			CHECK(third(1.0) == up);
		}
		set_rounding(NEAREST, NEAREST);
		ba_fiber_release(&fibers[0]);
		CHECK(!both || up > nearest);
		CHECK(job.got[0] == nearest);
		CHECK(job.long_got[0] == long_nearest);
	}
}

/* ---- what is the thread's, and what the compiler must not assume --------- */

static _Thread_local int thread_local_number;
static long              plain_static; /* nobody takes its address: see fiber.h */

static __attribute__((noinline)) void
yield_first(void)
{
	ba_fiber_switch(&fibers[0], &home);
}

static ba_fiber_t *
sharing_entry(void *argument)
{
	int *seen = argument;
	for (;;) {
		errno = 11;
		thread_local_number++;
		plain_static++;
		yield_first();
		*seen = errno;
		if (plain_static >= 1000)
			return &home;
	}
}

static void
test_sharing(void)
{
	SCENARIO("errno and thread-locals are the thread's, statics everybody's") {
		GIVEN("a fiber that sets errno to 11 and counts in a thread-local and a static");
		WHEN("the thread sets errno to 22 and counts too, between its switches");
		THEN("each sees what the other wrote last, no count is lost");
		int seen = 0;
		thread_local_number = 0;
		plain_static        = 0;
		prepare(0, sharing_entry, &seen);
		for (int i = 1; i <= 500; i++) {
			ba_fiber_switch(&home, &fibers[0]);
			CHECK_EQ(errno, 11);
			CHECK_EQ(thread_local_number, 2 * i - 1);
			CHECK_EQ(plain_static, 2 * i - 1);
			errno = 22;
			thread_local_number++;
			plain_static++;
		}
		ba_fiber_switch(&home, &fibers[0]);
		CHECK_EQ(seen, 22);
		CHECK_EQ(plain_static, 1000);
		ba_fiber_release(&fibers[0]);
		errno = 0;
	}
}

/* ---- the stack ----------------------------------------------------------- */

typedef struct stack_job {
	uintptr_t frame;     /* of the entry */
	uintptr_t local;     /* address of something that wants 16 */
	int       frames;    /* backtrace() */
	int       deep_sum;
	char      text[64];
} stack_job_t;

/* Volatile: where there are no fibers gcc sees that deep() never returns. */
static void (*volatile at_the_bottom)(void) = yield_first;

/* 64 frames of 512 bytes and more, yielding at the bottom. */
static __attribute__((noinline)) int
deep(int depth)
{
	unsigned char volatile bytes[512];
	for (int i = 0; i < 512; i++)
		bytes[i] = (unsigned char)(depth + i);
	int below = 0;
	if (depth > 0)
		below = deep(depth - 1);
	else
		at_the_bottom();
	int sum = 0;
	for (int i = 0; i < 512; i++)
		sum += bytes[i] == (unsigned char)(depth + i);
	return below + sum;
}

/* clang keeps the address of such a frame in rbx or x19: see fiber.h. */
static __attribute__((noinline)) int
wide_frame(size_t n, unsigned char fill)
{
	_Alignas(64) unsigned char volatile aligned[64];
	unsigned char volatile *unknown = alloca(n);
	for (size_t i = 0; i < n; i++)
		unknown[i] = fill;
	for (size_t i = 0; i < 64; i++)
		aligned[i] = fill;
	ba_fiber_switch(&fibers[0], &home);
	int right = 0;
	for (size_t i = 0; i < n; i++)
		right += unknown[i] == fill;
	for (size_t i = 0; i < 64; i++)
		right += aligned[i] == fill;
	return right;
}

static ba_fiber_t *
wide_entry(void *argument)
{
	*(int *)argument = wide_frame(100, 0x55);
	return &home;
}

static ba_fiber_t *
stack_entry(void *argument)
{
	stack_job_t *job = argument;
	_Alignas(16) volatile double pair[2] = { 1.5, 2.25 };
	void *callers[256];

	job->frame = (uintptr_t)__builtin_frame_address(0);
	job->local = (uintptr_t)pair;
	__asm__("" : "+r"(job->local)); /* the compiler knows it is aligned; we ask */
	snprintf(job->text, sizeof job->text, "%f %g %s", pair[0], pair[1], "text");
	job->frames   = backtrace(callers, 256);
	job->deep_sum = deep(64);
	return &home;
}

static void
test_stack(void)
{
	stack_job_t job = { .frames = 0 };
	void *callers[4];
	(void)backtrace(callers, 4); /* the first call loads libgcc: not on a fiber */

	SCENARIO("a fiber's stack is as the ABI wants it") {
		GIVEN("a fiber on a stack of 256 KiB");
		WHEN("it formats doubles, asks for its callers, and goes 64 frames deep");
		THEN("frames are aligned to 16, the text is right, callers end at the entry, and "
		     "what lay in the frames is there after a switch");
		prepare(0, stack_entry, &job);
		ba_fiber_switch(&home, &fibers[0]);
		memset(stacks[1], 0xAA, STACK_BYTES); /* the neighbour's is not ours */
		ba_fiber_switch(&home, &fibers[0]);
		CHECK_EQ(job.frame % 16, 0);
		CHECK_EQ(job.local % 16, 0);
		CHECK(job.frame > (uintptr_t)stacks[0]);
		CHECK(job.frame < (uintptr_t)stacks[0] + STACK_BYTES);
		CHECK(strcmp(job.text, "1.500000 2.25 text") == 0);
		printf("      (%d frames)\n", job.frames);
		int own = 0; /* frames of the sanitizer's backtrace() */
#if defined(BA_FIBER_ASAN) || defined(BA_FIBER_TSAN)
		own = 1;
#endif
#ifdef __GCC_HAVE_DWARF2_CFI_ASM /* else there is nothing to unwind by */
		CHECK(job.frames >= 2 + own);
#endif
		CHECK(job.frames <= 2 + own); /* the entry and ba_fiber_main */
		CHECK_EQ(job.deep_sum, 65 * 512);
		ba_fiber_release(&fibers[0]);
	}
	SCENARIO("a frame of any shape may switch") {
		GIVEN("a frame of unknown size with an alignment of 64, that switches itself");
		THEN("it is whole afterwards");
		int right = 0;
		prepare(0, wide_entry, &right);
		ba_fiber_switch(&home, &fibers[0]);
		ba_fiber_switch(&home, &fibers[0]);
		CHECK_EQ(right, 164);
		ba_fiber_release(&fibers[0]);
	}
	SCENARIO("a stack of any alignment will do") {
		GIVEN("stacks that begin and end at odd addresses");
		THEN("frames are aligned to 16");
		for (size_t shift = 1; shift < 16; shift += 2) {
			ba_fiber_prepare(&fibers[0], stacks[0] + shift, STACK_BYTES - 2 * shift + 1,
			                 stack_entry, &job);
			ba_fiber_switch(&home, &fibers[0]);
			ba_fiber_switch(&home, &fibers[0]);
			CHECK_EQ(job.frame % 16, 0);
			ba_fiber_release(&fibers[0]);
		}
	}
}

/* ---- many, over and over ------------------------------------------------- */

typedef struct crowd {
	ba_fiber_t    home;
	ba_fiber_t    fibers[FIBERS];
	uint64_t      sums[FIBERS];
	unsigned      turn; /* who runs */
	long          rounds, out_of_turn;
	unsigned char *stacks;
} crowd_t;

static __attribute__((noinline)) void
crowd_yield(crowd_t *crowd, unsigned me)
{
	ba_fiber_switch(&crowd->fibers[me], &crowd->home);
	if (crowd->turn != me)
		crowd->out_of_turn++;
}

static ba_fiber_t *
crowd_entry(void *argument)
{
	crowd_t *crowd = argument;
	unsigned me = crowd->turn;
	uint64_t local[8] = { me }; /* on the stack, through a pointer */
	uint64_t volatile *sum = local;
	for (long i = 0; i < crowd->rounds; i++) {
		*sum += (uint64_t)i * (me + 1);
		crowd_yield(crowd, me);
	}
	crowd->sums[me] = *sum;
	return &crowd->home;
}

static void *
run_crowd(void *argument)
{
	crowd_t *crowd = argument;
	enum { BYTES = 32 * 1024 };
	crowd->stacks = aligned_alloc(64, (size_t)FIBERS * BYTES);
	ba_fiber_adopt_thread(&crowd->home);
	for (int i = 0; i < FIBERS; i++)
		ba_fiber_prepare(&crowd->fibers[i], crowd->stacks + (size_t)i * BYTES, BYTES,
		                 crowd_entry, crowd);
	for (long i = 0; i <= crowd->rounds; i++)
		for (crowd->turn = 0; crowd->turn < FIBERS; crowd->turn++)
			ba_fiber_switch(&crowd->home, &crowd->fibers[crowd->turn]);
	for (int i = 0; i < FIBERS; i++)
		ba_fiber_release(&crowd->fibers[i]);
	ba_fiber_release(&crowd->home);
	free(crowd->stacks);
	return NULL;
}

static void
test_crowd(void)
{
	static crowd_t crowds[2];
	SCENARIO("100 fibers yield 1000 times each, on two threads at once") {
		GIVEN("two threads with 100 fibers each");
		WHEN("every fiber adds to a sum on its stack, yielding after each addition");
		THEN("every sum is right, nobody runs out of turn, and the tools are silent");
		pthread_t threads[2];
		for (int i = 0; i < 2; i++) {
			crowds[i].rounds = rounds_of_many;
			CHECK_EQ(pthread_create(&threads[i], NULL, run_crowd, &crowds[i]), 0);
		}
		uint64_t rounds = (uint64_t)rounds_of_many;
		for (int i = 0; i < 2; i++) {
			pthread_join(threads[i], NULL);
			CHECK_EQ(crowds[i].out_of_turn, 0);
			for (uint64_t k = 0; k < FIBERS; k++)
				CHECK_EQ(crowds[i].sums[k],
				         k + rounds * (rounds - 1) / 2 * (k + 1));
		}
	}
}

static ba_fiber_t *
count_and_end(void *argument)
{
	char volatile frame[1024];
	memset((char *)(uintptr_t)frame, 1, sizeof frame);
	++*(int *)argument;
	if (*(int *)argument % 2 != 0)
		ba_fiber_switch(&fibers[0], &home); /* and is thrown away here */
	return &home;
}

static void
test_reuse(void)
{
	SCENARIO("a stack is used again, after an end and after being thrown away") {
		GIVEN("one stack");
		WHEN("fibers run on it in turn, 2000, and 10000 under TSan, which can have 8128 "
		     "at a time; every second one never comes to its end");
		THEN("each runs, and the tools are silent");
#ifdef BA_FIBER_TSAN
		int count = 0, runs = 10000;
#else
		int count = 0, runs = 2000;
#endif
		for (int i = 0; i < runs; i++) {
			prepare(0, count_and_end, &count);
			ba_fiber_switch(&home, &fibers[0]);
			ba_fiber_release(&fibers[0]);
		}
		CHECK_EQ(count, runs);
		memset(stacks[0], 0, STACK_BYTES); /* ours again, all of it */
	}
	SCENARIO("a fiber that never began can be released") {
		GIVEN("a prepared fiber");
		THEN("nothing runs and nothing is left behind");
		int count = 0;
		prepare(0, count_and_end, &count);
		ba_fiber_release(&fibers[0]);
		CHECK_EQ(count, 0);
	}
}

int
main(void)
{
	const char *scale_text = getenv("BA_SCALE");
	double scale = scale_text != NULL ? strtod(scale_text, NULL) : 1;
#if defined(BA_FIBER_ASAN) || defined(BA_FIBER_TSAN)
	scale /= 10;
#endif
	if (scale > 0) {
		rounds_of_registers = 1 + (long)((double)rounds_of_registers * scale);
		rounds_of_many      = 1 + (long)((double)rounds_of_many * scale);
	}
	printf("switch %s, %zu bytes a fiber, %ld and %ld rounds\n", ba_fiber_name(),
	       sizeof(ba_fiber_t), rounds_of_registers, rounds_of_many);
	if (!ba_fiber_supported()) {
		printf("no fibers here: machine without a switch, or a shadow stack is on\n");
		return 77;
	}
	ba_fiber_adopt_thread(&home);
	test_registers();
	test_rounding();
	test_sharing();
	test_stack();
	test_crowd();
	test_reuse();
	ba_fiber_release(&home);
	return bdd_close();
}
