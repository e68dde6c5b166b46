#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_bare.sh PROGRAM CC CFLAGS... -- CORE_SOURCE... -- BLAKE3_LIBS...
#
# The command of the user's document builds the chaos test, and the test passes:
#
#   $(CC) $(CFLAGS) -o $@ $< bitactor/src/bitactor.c bitactor/src/bitactor_dispatch.c
#       bitactor/src/bitactor_telemetry.c -DUSE_REAL_IMPLEMENTATIONS
#       -Ibitactor/src -Ibitactor/include -lpthread
#
# plus what says where BLAKE3 is.  With CC and with the other compiler, if it is
# installed: no feature macro, no further -I, no warning.
set -eu
cd "$(dirname "$0")/.."
program=$1 first=$2
shift 2
flags='' sources=''
while [ "$1" != -- ]; do flags="$flags $1"; shift; done
shift
while [ "$1" != -- ]; do sources="$sources $1"; shift; done
shift
mkdir -p "$(dirname "$program")"
for compiler in "$first" gcc clang; do
	case " ${done_with:-} " in *" $compiler "*) continue ;; esac
	command -v "${compiler%% *}" >/dev/null || { echo "bare: no $compiler here"; continue; }
	done_with="${done_with:-} $compiler"
	# shellcheck disable=SC2086  # words, as on a command line
	$compiler $flags -o "$program" tests/test_bitactor_chaos_bdd.c $sources \
		-DUSE_REAL_IMPLEMENTATIONS -Ibitactor/src -Ibitactor/include -lpthread "$@"
	if ! "$program" >"$program.log" 2>&1; then
		cat "$program.log" >&2
		echo "bare: built by $compiler, the chaos test fails" >&2
		exit 1
	fi
	rm -f "$program" "$program.log"
done
echo "bare: the documented command builds and passes:${done_with:-}"
