// SPDX-License-Identifier: Apache-2.0
// The README's example once more, to the letter, as C++17.
#include "01_hello_signal.c"
