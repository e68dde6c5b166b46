/* SPDX-License-Identifier: Apache-2.0 */
/* allocations.c -- count, then let glibc do it.
 *
 * Source: glibc manual, "Replacing malloc"; the __libc_ names are glibc's own
 * functions under the names that remain when a program defines malloc.
 */
#include "allocations.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NOT_COUNTED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define NOT_COUNTED
#endif

#ifdef NOT_COUNTED
bool
allocations_are_counted(void)
{
	return false;
}

uint64_t
allocations_so_far(void)
{
	return 0;
}
#else
static _Atomic uint64_t calls;

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void  __libc_free(void *block);

static void
count_one(void)
{
	/* relaxed: a count */
	atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
}

bool
allocations_are_counted(void)
{
	return true;
}

uint64_t
allocations_so_far(void)
{
	/* relaxed: a count */
	return atomic_load_explicit(&calls, memory_order_relaxed);
}

void *
malloc(size_t bytes)
{
	count_one();
	return __libc_malloc(bytes);
}

void *
calloc(size_t count, size_t bytes)
{
	count_one();
	return __libc_calloc(count, bytes);
}

void *
realloc(void *block, size_t bytes)
{
	count_one();
	return __libc_realloc(block, bytes);
}

void *
aligned_alloc(size_t alignment, size_t bytes)
{
	count_one();
	return __libc_memalign(alignment, bytes);
}

void
free(void *block)
{
	__libc_free(block);
}
#endif
