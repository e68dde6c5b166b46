#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_headers.sh -- each public header compiles alone, as C11 and as C++17.
#
# So that a user may include any one of them first, from either language: no
# header leans on what another happened to include, and none needs <stdatomic.h>.
set -eu
cd "$(dirname "$0")/.."
bad=0 count=0
for header in bitactor/include/bitactor/*.h runtime/include/bitactor/*.h; do
	[ -e "$header" ] || continue
	count=$((count + 1))
	# Twice: a header without its guard is found too.
	line="#include <bitactor/$(basename "$header")>"
	for compiler in "gcc -x c -std=c11" "g++ -x c++ -std=c++17" \
	                "clang -x c -std=c11" "clang++ -x c++ -std=c++17"; do
		name=${compiler%% *}
		command -v "$name" >/dev/null || continue
		case "${seen:=} " in *" $name "*) ;; *) seen="$seen $name" ;; esac
		# shellcheck disable=SC2086  # a command and its options
		printf '%s\n%s\n' "$line" "$line" |
		$compiler -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
			-Ibitactor/include -Iruntime/include - ||
		{ echo "$header: does not compile alone: $compiler"; bad=1; }
	done
done
[ "$count" -gt 0 ] || { echo "headers: none found" >&2; exit 1; }
[ "$bad" = 0 ] || exit 1
echo "headers: each of $count compiles alone:${seen:- (no compiler here)}"
