/* SPDX-License-Identifier: Apache-2.0 */
/* mixed_dies.c -- mixed, with a handler that ends the process. */
#define MIXED_RAISES SIGABRT
#include "mixed.h"
