/* SPDX-License-Identifier: Apache-2.0 */
/* mixed_changed.c -- mixed, with a bug in each of its handlers. */
#define MIXED_CHANGED
#include "mixed.h"
