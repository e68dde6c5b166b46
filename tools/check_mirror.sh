#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_mirror.sh -- every source file has its test where a reader looks for it.
#
#   bitactor/src/NAME.c            tests/unit/core/test_NAME.c
#   bitactor/src/internal/NAME.h   tests/unit/internal/test_NAME.c
#   runtime/src/AREA/NAME.c        tests/unit/AREA/test_NAME.c
#
# What is tested elsewhere is listed here with where, and that file must exist.
set -eu
cd "$(dirname "$0")/.."

# source   the test that covers it   # why it has no file of its own
elsewhere() {
	sed -e '/^#/d' -e 's/[[:space:]]*#.*//' <<'END'
bitactor/src/internal/barrier.h    tests/stress/test_store_buffer.c  # what it does needs two cores
bitactor/src/internal/engine.h     tests/unit/core/test_bitactor.c  # the struct, no code
bitactor/src/internal/invariant.h  tests/unit/core/test_bitactor.c  # macros all tests use
bitactor/src/internal/seeing.h     tests/unit/core/test_bitactor.c  # a part of bitactor.c
bitactor/src/internal/reading.h    tests/unit/core/test_bitactor_telemetry.c  # of that file
bitactor/src/internal/turn_calls.h tests/unit/core/test_bitactor_dispatch.c  # of that file
END
}

bad=0
complain() { echo "$1"; bad=1; }

listed=$(elsewhere)
for file in bitactor/src/*.c bitactor/src/internal/*.h runtime/src/*/*.c; do
	[ -e "$file" ] || continue
	name=$(basename "$file"); name=${name%.[ch]}
	case $file in
	bitactor/src/internal/*) test=tests/unit/internal/test_$name.c ;;
	bitactor/src/*)          test=tests/unit/core/test_$name.c ;;
	*)                       area=${file#runtime/src/}
	                         test=tests/unit/${area%%/*}/test_$name.c ;;
	esac
	other=$(printf '%s\n' "$listed" | awk -v file="$file" '$1 == file { print $2 }')
	if [ -e "$test" ]; then
		[ -z "$other" ] || complain "$file: has a test now; take it off the list in $0"
	elif [ -z "$other" ]; then
		complain "$file: no test $test"
	elif [ ! -e "$other" ]; then
		complain "$file: said to be tested by $other, which is not there"
	fi
done
for file in $(printf '%s\n' "$listed" | awk '{ print $1 }'); do
	[ -e "$file" ] || complain "$file: is on the list in $0, but gone"
done
[ "$bad" = 0 ] || exit 1
echo "mirror: every source file has its test"
