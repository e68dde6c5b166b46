/* SPDX-License-Identifier: Apache-2.0 */
/* host_machine.h -- the registers of an interrupted thread, and its floating-point unit.
 *
 * Sources: System V AMD64 ABI 1.0, 3.2.3 and 3.4.1; AAPCS64 2023Q3; the contexts are
 * those of <ucontext.h>.
 */
#ifndef BA_HOST_MACHINE_H
#define BA_HOST_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* A function that runs where the sanitizers believe somebody else's frame to be. */
#define BA_HOST_PLAIN __attribute__((no_sanitize_address, no_sanitize_thread))
#define BA_HOST_PLAIN_INLINE static inline __attribute__((always_inline)) BA_HOST_PLAIN

#if defined(__linux__) && defined(__x86_64__) && defined(__LP64__)
#define BA_HOST_MACHINE

typedef struct ba_control {
	uint32_t mxcsr;
	uint16_t x87;
} ba_control_t;

BA_HOST_PLAIN_INLINE void
ba_control_store(ba_control_t *control)
{
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(control->mxcsr), "=m"(control->x87));
}

/* The x87 stack may be half full and its exceptions pending: begin it anew. */
BA_HOST_PLAIN_INLINE void
ba_control_load(const ba_control_t *control)
{
	__asm__ volatile("cld\n\tfninit\n\tfldcw %0\n\tldmxcsr %1"
	                 :
	                 : "m"(control->x87), "m"(control->mxcsr));
}

static inline uintptr_t
ba_context_pc(const ucontext_t *context)
{
	return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

static inline uintptr_t
ba_context_sp(const ucontext_t *context)
{
	return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}

/* Go on at `pc` as if called, with the stack below `sp`. */
static inline void
ba_context_divert(ucontext_t *context, uintptr_t pc, uintptr_t sp)
{
	enum { TRAP = 0x100, DIRECTION = 0x400, ALIGNMENT = 0x40000 };
	context->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
	context->uc_mcontext.gregs[REG_RSP] = (greg_t)((sp & ~(uintptr_t)15) - 8);
	context->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)(TRAP | DIRECTION | ALIGNMENT);
}

#elif defined(__linux__) && defined(__aarch64__) && defined(__LP64__)
#define BA_HOST_MACHINE

typedef struct ba_control {
	uint64_t fpcr, fpsr;
} ba_control_t;

BA_HOST_PLAIN_INLINE void
ba_control_store(ba_control_t *control)
{
	__asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(control->fpcr), "=r"(control->fpsr));
}

BA_HOST_PLAIN_INLINE void
ba_control_load(const ba_control_t *control)
{
	__asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1"
	                 :
	                 : "r"(control->fpcr), "r"(control->fpsr));
}

static inline uintptr_t
ba_context_pc(const ucontext_t *context)
{
	return (uintptr_t)context->uc_mcontext.pc;
}

static inline uintptr_t
ba_context_sp(const ucontext_t *context)
{
	return (uintptr_t)context->uc_mcontext.sp;
}

/* BTYPE would say that a branch is under way whose target must be a landing pad. */
static inline void
ba_context_divert(ucontext_t *context, uintptr_t pc, uintptr_t sp)
{
	const uint64_t btype = UINT64_C(3) << 10;
	context->uc_mcontext.pc = pc;
	context->uc_mcontext.sp = sp & ~(uintptr_t)15;
	context->uc_mcontext.pstate &= ~btype;
}

#endif

#endif
