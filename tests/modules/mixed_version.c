/* SPDX-License-Identifier: Apache-2.0 */
/* mixed_version.c -- mixed, of another version. */
#define MIXED_VERSION "1.1"
#include "mixed.h"
