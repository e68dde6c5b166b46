/* SPDX-License-Identifier: Apache-2.0 */
/* mixed.c -- see mixed.h. */
#include "mixed.h"
