/* SPDX-License-Identifier: Apache-2.0 */
/* mixed_interrupts.c -- mixed, with a handler that asks the program to stop. */
#define MIXED_RAISES SIGINT
#include "mixed.h"
