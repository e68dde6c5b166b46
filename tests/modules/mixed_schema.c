/* SPDX-License-Identifier: Apache-2.0 */
/* mixed_schema.c -- mixed, with a field more; the version was forgotten. */
#define MIXED_SCHEMA
#include "mixed.h"
