/* SPDX-License-Identifier: Apache-2.0 */
/* fiber.h -- leave one stack in the middle, go on in the middle of another.
 *
 *      thread's stack          ba_fiber_t              fiber's stack
 *      +-----------+      +-----------------+      +-----------------+ low
 *      |           |      | sp              |--+   |   free          |
 *      | switch()  | ---> | frame pointer   |  +-->|   live frames   |
 *      |           |      | pc              |      |   ba_fiber_main |
 *      +-----------+      | control bits    |      |   0, 0, 0       | no caller
 *                         +-----------------+      +-----------------+ low + bytes
 *
 * The switch is inline assembly that stores stack pointer, frame pointer, the
 * address behind itself and rbx (x19), and loads those of the other side.  rbx,
 * because clang addresses by it a frame that has both alloca and alignment, and
 * then overlooks that the assembly changes it.  Every other register is named as
 * clobbered: the compiler saves those that are alive at that place and no more,
 * its unwind tables stay true, and nothing is pushed (the red zone is left
 * alone).  It leaves by `jmp`: a `ret` would miss the return predictor every
 * time.  Being inline it leaves that predictor balanced, too: put the resuming
 * switch straight into the scheduler's loop, not into a function that returns
 * after it (16 counts, else 29).
 *
 * The control bits of the floating-point unit (rounding, masks, FTZ) belong to
 * the fiber, as the System V AMD64 ABI (3.2.3) and AAPCS64 (6.1.2) want of a
 * call; they are stored always and loaded only when they differ.  A fiber
 * starts with the defaults, wherever it is prepared.
 *
 * NOT per fiber: the exception flags (any inexact result sets one, and then
 * every switch would reload: 98 counts and more).  After a switch they are
 * what the others left; x87's are cleared when its control word changes.
 * Nor errno and thread-locals: they are the thread's.  After a switch errno
 * is what the others left; a pointer to a thread-local stays good, because a
 * fiber must stay on the thread that first switched to it.
 *
 * Not promised: C++ exceptions or longjmp across a switch, a stack that is
 * big enough, shadow stacks (see ba_fiber_supported).
 *
 *      ba_fiber_adopt_thread(&home);
 *      ba_fiber_prepare(&fiber, low, bytes, entry, argument);
 *      ba_fiber_switch(&home, &fiber);       runs entry(argument)
 *           ba_fiber_switch(&fiber, &home);      in entry: home goes on
 *      ba_fiber_switch(&home, &fiber);       entry goes on
 *           return &home;                        in entry: over, home goes on
 *      ba_fiber_release(&fiber);             the stack is free again
 *
 * Sanitizers and valgrind (with -DBA_VALGRIND) are told about every stack.
 *
 * Source: System V AMD64 ABI 1.0; AAPCS64 2023Q3; the figures are measured,
 * docs/benchmarks.md, fibers.
 */
#ifndef BA_FIBER_H
#define BA_FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "invariant.h"

#if defined(BA_FIBER_NONE) /* a test's way to build what other machines get */
#elif defined(__x86_64__) && defined(__LP64__)
#define BA_FIBER_X86_64
#elif defined(__aarch64__) && defined(__LP64__)
#define BA_FIBER_AARCH64
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BA_FIBER_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define BA_FIBER_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(BA_FIBER_ASAN)
#define BA_FIBER_ASAN
#endif
#if defined(__SANITIZE_THREAD__) && !defined(BA_FIBER_TSAN)
#define BA_FIBER_TSAN
#endif

#ifdef BA_FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef BA_FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if defined(BA_VALGRIND) && defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define BA_FIBER_VALGRIND
#endif
#endif

typedef struct ba_fiber ba_fiber_t;

/* Runs on the fiber's stack.  Returning ends the fiber; control then goes to
 * the fiber (or adopted thread) that is returned, never NULL. */
typedef ba_fiber_t *ba_fiber_entry_t(void *argument);

struct ba_fiber {
	/* Where it goes on; written when it is left, meaningless while it runs. */
	void *sp;
	void *frame; /* rbp, x29 */
	void *pc;
	union {
		void *base;     /* rbx, x19 */
		void *argument; /* until it first runs */
	};
	uint32_t control;     /* MXCSR; FPCR */
	uint16_t x87_control; /* x86-64 only */
	uint16_t reserved;

	/* Set by ba_fiber_prepare; all zero for an adopted thread. */
	ba_fiber_entry_t *entry;
	void             *stack_low;
	size_t            stack_bytes;

#ifdef BA_FIBER_ASAN
	void       *asan_fake_stack;
	const void *asan_low; /* of an adopted thread learnt on the way */
	size_t      asan_bytes;
#endif
#ifdef BA_FIBER_TSAN
	void *tsan_fiber;
#endif
#ifdef BA_FIBER_VALGRIND
	unsigned valgrind_stack;
#endif
};

#define BA_FIBER_INLINE static inline __attribute__((always_inline))

/* ---- one machine each: control bits, the jump, the first frame ---------- */

#if defined(BA_FIBER_X86_64)

#define BA_FIBER_MXCSR_CONTROL UINT32_C(0xFFC0) /* DAZ, masks, rounding, FTZ */

/* The defaults of the ABI, 3.4.1: all masked, to nearest, x87 at 64 bits. */
enum { BA_FIBER_CONTROL = 0x1F80, BA_FIBER_X87_CONTROL = 0x037F };

static inline const char *
ba_fiber_name(void)
{
	return "x86-64";
}

/* False under a shadow stack: the returns after a switch would not match it.
 * rdsspq %rax, as bytes for assemblers that want -mshstk; where there is no
 * shadow stack, or it is off, it is a no-op and leaves the 0. */
static inline bool
ba_fiber_supported(void)
{
	uint64_t shadow_sp = 0;
	__asm__ volatile(".byte 0xF3, 0x48, 0x0F, 0x1E, 0xC8" : "+a"(shadow_sp));
	return shadow_sp == 0;
}

/* Out of line, and rare.  The exception flags stay as they are, but for those
 * of x87: one that is set and now unmasked would trap in the wrong fiber. */
static __attribute__((noinline, cold, unused)) void
ba_fiber_load_control(const ba_fiber_t *from, const ba_fiber_t *to)
{
	uint32_t mxcsr = (to->control & BA_FIBER_MXCSR_CONTROL) |
	                 (from->control & ~BA_FIBER_MXCSR_CONTROL);
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	if (from->x87_control != to->x87_control)
		__asm__ volatile("fnclex\n\tfldcw %0" : : "m"(to->x87_control));
}

/* Store those of `from`; do those of `to` differ? */
BA_FIBER_INLINE bool
ba_fiber_control_differs(ba_fiber_t *from, const ba_fiber_t *to)
{
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(from->control), "=m"(from->x87_control));
	return ((from->control ^ to->control) & BA_FIBER_MXCSR_CONTROL) != 0 ||
	       from->x87_control != to->x87_control;
}

#ifdef __AVX512F__
#define BA_FIBER_AVX512_REGISTERS                                              \
	, "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",       \
	"xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29",         \
	"xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define BA_FIBER_AVX512_REGISTERS
#endif
#ifdef __APX_F__
#error "add r16-r31 to the registers that ba_fiber_jump clobbers"
#endif

/* Returns when somebody jumps back to *from; *from and *to are then that one
 * and ourselves.  rdi and rsi are also the arguments of ba_fiber_main. */
BA_FIBER_INLINE void
ba_fiber_jump(ba_fiber_t **from, ba_fiber_t **to)
{
	ba_fiber_t *here = *from, *there = *to;
	__asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
	                 "movq %%rsp, %c[sp](%%rdi)\n\t"
	                 "movq %%rbp, %c[frame](%%rdi)\n\t"
	                 "movq %%rbx, %c[base](%%rdi)\n\t"
	                 "movq %%rax, %c[pc](%%rdi)\n\t"
	                 "movq %c[sp](%%rsi), %%rsp\n\t"
	                 "movq %c[frame](%%rsi), %%rbp\n\t"
	                 "movq %c[base](%%rsi), %%rbx\n\t"
	                 "jmpq *%c[pc](%%rsi)\n"
	                 "1:\tendbr64" /* for indirect branch tracking; else a no-op */
	                 : "+D"(here), "+S"(there)
	                 : [sp] "i"(offsetof(ba_fiber_t, sp)),
	                   [frame] "i"(offsetof(ba_fiber_t, frame)),
	                   [pc] "i"(offsetof(ba_fiber_t, pc)),
	                   [base] "i"(offsetof(ba_fiber_t, base))
	                 : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13",
	                   "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
	                   "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
	                   "xmm15" BA_FIBER_AVX512_REGISTERS, "st", "st(1)", "st(2)", "st(3)",
	                   "st(4)", "st(5)", "st(6)", "st(7)", "cc", "memory");
	*from = here;
	*to   = there;
}

/* As if called: (sp + 8) % 16 == 0 (ABI, 3.2.2), and the caller is nobody. */
static inline void *
ba_fiber_first_sp(uintptr_t top)
{
	uint64_t *words = (uint64_t *)top;
	*--words = 0;
	*--words = 0;
	*--words = 0; /* the return address */
	return words;
}

#define BA_FIBER_RETURN_REGISTER "rip"

#elif defined(BA_FIBER_AARCH64)

enum { BA_FIBER_CONTROL = 0, BA_FIBER_X87_CONTROL = 0 };

static inline const char *
ba_fiber_name(void)
{
	return "aarch64";
}

/* False under a guarded control stack.  hint #40 is CHKFEAT x16: it clears bit
 * 0 if one is on, and is a no-op on machines that do not know of it. */
static inline bool
ba_fiber_supported(void)
{
	register uint64_t feature __asm__("x16") = 1;
	__asm__ volatile("hint #40" : "+r"(feature));
	return feature == 1;
}

static __attribute__((noinline, cold, unused)) void
ba_fiber_load_control(const ba_fiber_t *from, const ba_fiber_t *to)
{
	(void)from;
	__asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)to->control));
}

BA_FIBER_INLINE bool
ba_fiber_control_differs(ba_fiber_t *from, const ba_fiber_t *to)
{
	uint64_t fpcr;
	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	from->control = (uint32_t)fpcr;
	return from->control != to->control;
}

#ifdef __ARM_FEATURE_SVE
#define BA_FIBER_SVE_REGISTERS                                                 \
	, "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10",   \
	"p11", "p12", "p13", "p14", "p15"
#define BA_V(n) "z" #n
#else
#define BA_FIBER_SVE_REGISTERS
#define BA_V(n) "v" #n
#endif

/* As above, with x0 and x1.  `br x16` may land on "bti c", that is on
 * ba_fiber_main; hint #38 is "bti jc".  x30 = 0: nobody called. */
BA_FIBER_INLINE void
ba_fiber_jump(ba_fiber_t **from, ba_fiber_t **to)
{
	register ba_fiber_t *here __asm__("x0")  = *from;
	register ba_fiber_t *there __asm__("x1") = *to;
	__asm__ volatile("adr x16, 1f\n\t"
	                 "mov x17, sp\n\t"
	                 "stp x17, x29, [x0, %[sp]]\n\t"
	                 "stp x16, x19, [x0, %[pc]]\n\t"
	                 "ldp x17, x29, [x1, %[sp]]\n\t"
	                 "ldp x16, x19, [x1, %[pc]]\n\t"
	                 "mov x30, xzr\n\t"
	                 "mov sp, x17\n\t"
	                 "br x16\n"
	                 "1:\thint #38"
	                 : "+r"(here), "+r"(there)
	                 : [sp] "i"(offsetof(ba_fiber_t, sp)), [pc] "i"(offsetof(ba_fiber_t, pc))
	                 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
	                   "x13", "x14", "x15", "x16", "x17", "x18", "x20", "x21", "x22",
	                   "x23", "x24", "x25", "x26", "x27", "x28", "x30", BA_V(0), BA_V(1),
	                   BA_V(2), BA_V(3), BA_V(4), BA_V(5), BA_V(6), BA_V(7), BA_V(8), BA_V(9),
	                   BA_V(10), BA_V(11), BA_V(12), BA_V(13), BA_V(14), BA_V(15), BA_V(16),
	                   BA_V(17), BA_V(18), BA_V(19), BA_V(20), BA_V(21), BA_V(22), BA_V(23),
	                   BA_V(24), BA_V(25), BA_V(26), BA_V(27), BA_V(28), BA_V(29), BA_V(30),
	                   BA_V(31) BA_FIBER_SVE_REGISTERS, "cc", "memory");
	*from = here;
	*to   = there;
}

_Static_assert(offsetof(ba_fiber_t, frame) == offsetof(ba_fiber_t, sp) + 8, "stored as a pair");
_Static_assert(offsetof(ba_fiber_t, base) == offsetof(ba_fiber_t, pc) + 8, "stored as a pair");

/* sp % 16 == 0 (AAPCS64, 6.4.5.1). */
static inline void *
ba_fiber_first_sp(uintptr_t top)
{
	return (void *)top;
}

#define BA_FIBER_RETURN_REGISTER "x30"

#else

enum { BA_FIBER_CONTROL = 0, BA_FIBER_X87_CONTROL = 0 };

static inline const char *
ba_fiber_name(void)
{
	return "none";
}

static inline bool
ba_fiber_supported(void)
{
	return false;
}

static inline void
ba_fiber_load_control(const ba_fiber_t *from, const ba_fiber_t *to)
{
	(void)from;
	(void)to;
}

BA_FIBER_INLINE bool
ba_fiber_control_differs(ba_fiber_t *from, const ba_fiber_t *to)
{
	(void)from;
	(void)to;
	return false;
}

BA_FIBER_INLINE void
ba_fiber_jump(ba_fiber_t **from, ba_fiber_t **to)
{
	(void)from;
	(void)to;
	ba_invariant_failed(__FILE__, __LINE__, "no fibers here: ask ba_fiber_supported()");
}

static inline void *
ba_fiber_first_sp(uintptr_t top)
{
	return (void *)top;
}

#endif

/* Control bits out and in.
 *
 * The rare call goes through a pointer the compiler cannot see through, and
 * that is needed: gcc believes that assembly, memory clobber or not, does not
 * reach a static variable whose address nobody took.  It would then keep such a
 * variable in a register across a call that switches, while other fibers write
 * it (seen with gcc 12 -O2, within a file; with -flto, within a program).  A
 * call of an unknown function on any path makes it assume every variable read
 * and written, and this path exists anyway. */
BA_FIBER_INLINE void
ba_fiber_exchange_control(ba_fiber_t *from, const ba_fiber_t *to)
{
	if (__builtin_expect(ba_fiber_control_differs(from, to), 0)) {
		void (*load)(const ba_fiber_t *, const ba_fiber_t *) = ba_fiber_load_control;
		__asm__("" : "+r"(load));
		load(from, to);
	}
}

/* ---- what the tools are told -------------------------------------------- */

/* Before the jump.  `last`: `from` never comes back, forget its fake stack. */
BA_FIBER_INLINE void
ba_fiber_announce(ba_fiber_t *from, ba_fiber_t *to, bool last)
{
	(void)from;
	(void)to;
	(void)last;
#ifdef BA_FIBER_ASAN
	__sanitizer_start_switch_fiber(last ? NULL : &from->asan_fake_stack, to->asan_low,
	                               to->asan_bytes);
#endif
#ifdef BA_FIBER_TSAN
	__tsan_switch_to_fiber(to->tsan_fiber, 0); /* 0: the two sides are ordered */
#endif
}

/* After it, on the other side: `self` runs, `from` was left. */
BA_FIBER_INLINE void
ba_fiber_arrived(ba_fiber_t *from, ba_fiber_t *self)
{
	(void)from;
	(void)self;
#ifdef BA_FIBER_ASAN
	__sanitizer_finish_switch_fiber(self->asan_fake_stack, &from->asan_low, &from->asan_bytes);
#endif
}

/* ---- the four calls ----------------------------------------------------- */

/* Leave `from`, which must be what runs now, and go on in `to`.  Returns when
 * somebody switches to `from` again.
 *
 *   to        prepared or left by a switch; not ended, not `from`
 *   threads   both sides belong to the calling thread
 *   cost      15 counts at 2.6 GHz on a Zen 5 EPYC, of which stmxcsr alone is 11
 *             (docs/benchmarks.md, fibers); no system call
 */
BA_FIBER_INLINE void
ba_fiber_switch(ba_fiber_t *from, ba_fiber_t *to)
{
	BA_VERIFY(from != to);
	BA_VERIFY(to->sp != NULL);
	ba_fiber_exchange_control(from, to);
	ba_fiber_announce(from, to, false);
	ba_fiber_jump(&from, &to);
	ba_fiber_arrived(from, to);
}

/* The first frame of every fiber; ba_fiber_jump comes here with its two
 * registers as arguments.  Unwinding stops: the caller is undefined. */
static __attribute__((noinline, unused)) _Noreturn void
ba_fiber_main(ba_fiber_t *from, ba_fiber_t *self)
{
#if defined(BA_FIBER_RETURN_REGISTER) && defined(__GCC_HAVE_DWARF2_CFI_ASM)
	__asm__ volatile(".cfi_undefined " BA_FIBER_RETURN_REGISTER);
#endif
	ba_fiber_arrived(from, self);

	ba_fiber_t *next = self->entry(self->argument);
	BA_ASSERT(next != NULL);
	BA_ASSERT(next != self);

	ba_fiber_exchange_control(self, next);
	ba_fiber_announce(self, next, true);
	ba_fiber_jump(&self, &next);
	ba_invariant_failed(__FILE__, __LINE__, "switched to a fiber that had ended");
}

/* Make *self stand for the calling thread, on its own stack, until it is
 * released or adopted anew.  It owns nothing but what TSan knows of it. */
static inline void
ba_fiber_adopt_thread(ba_fiber_t *self)
{
	*self = (ba_fiber_t){ .control = BA_FIBER_CONTROL, .x87_control = BA_FIBER_X87_CONTROL };
#ifdef BA_FIBER_TSAN
	self->tsan_fiber = __tsan_get_current_fiber();
#endif
}

/* Make a fiber that will run entry(argument) when first switched to.
 *
 *   fiber     new, or released; must not move until it is released
 *   stack     at least 4096 bytes, the caller's, nobody else's until release;
 *             at the moment of a switch 128 bytes below sp may be alive too
 */
static inline void
ba_fiber_prepare(ba_fiber_t *fiber, void *stack_low, size_t stack_bytes, ba_fiber_entry_t *entry,
                 void *argument)
{
	BA_ASSERT(stack_low != NULL);
	BA_ASSERT(stack_bytes >= 4096);
	BA_ASSERT(entry != NULL);

#ifdef BA_FIBER_ASAN
	__asan_unpoison_memory_region(stack_low, stack_bytes);
#endif
	uintptr_t top = ((uintptr_t)stack_low + stack_bytes) & ~(uintptr_t)15;
	*fiber = (ba_fiber_t){
		.sp          = ba_fiber_first_sp(top),
		.pc          = (void *)(uintptr_t)ba_fiber_main,
		.control     = BA_FIBER_CONTROL,
		.x87_control = BA_FIBER_X87_CONTROL,
		.entry       = entry,
		.argument    = argument,
		.stack_low   = stack_low,
		.stack_bytes = stack_bytes,
	};
#ifdef BA_FIBER_ASAN
	fiber->asan_low   = stack_low;
	fiber->asan_bytes = stack_bytes;
#endif
#ifdef BA_FIBER_TSAN
	fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
#ifdef BA_FIBER_VALGRIND
	fiber->valgrind_stack = VALGRIND_STACK_REGISTER(stack_low, (char *)stack_low + stack_bytes);
#endif
}

/* Give the stack back.  The fiber has ended, never began, or is thrown away in
 * the middle (then nothing on its stack is undone).  Not from the fiber itself. */
static inline void
ba_fiber_release(ba_fiber_t *fiber)
{
#ifdef BA_FIBER_ASAN
	if (fiber->stack_low != NULL) /* frames that never returned left red zones */
		__asan_unpoison_memory_region(fiber->stack_low, fiber->stack_bytes);
#endif
#ifdef BA_FIBER_TSAN
	if (fiber->stack_low != NULL && fiber->tsan_fiber != NULL)
		__tsan_destroy_fiber(fiber->tsan_fiber);
#endif
#ifdef BA_FIBER_VALGRIND
	if (fiber->stack_low != NULL) { /* what was below sp is memory again */
		VALGRIND_STACK_DEREGISTER(fiber->valgrind_stack);
		VALGRIND_MAKE_MEM_UNDEFINED(fiber->stack_low, fiber->stack_bytes);
	}
#endif
	*fiber = (ba_fiber_t){ .sp = NULL };
}

#if !defined(BA_FIBER_ASAN) && !defined(BA_FIBER_TSAN) && !defined(BA_FIBER_VALGRIND)
_Static_assert(sizeof(ba_fiber_t) == 64, "a switch touches one cache line a side");
#endif

#endif
