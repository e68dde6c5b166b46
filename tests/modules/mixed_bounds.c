/* SPDX-License-Identifier: Apache-2.0 */
/* mixed_bounds.c -- mixed, with a parameter that takes less. */
#define MIXED_BOUNDS 5
#include "mixed.h"
