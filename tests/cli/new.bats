#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# new.bats -- bitactor new: a folder that builds, runs, verifies and replays at once.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
load common

@test "new NAME, then make: builds without a warning, runs, verifies, replays" {
	try 0 new gauge
	says 'gauge/' 'make -C gauge'
	run make -C gauge CFLAGS='-std=c11 -O2 -Wall -Wextra -Wpedantic -Wconversion -Werror'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *'10 readings'*'20 readings'* ]]
	[[ $output == *'good: every byte is accounted for'*'equal: 27 signals'* ]]
	# once more: the second time as the first
	make -C gauge >again 2>&1
	try 0 verify gauge/gauge.bitrace
	same_count gauge/gauge.bitrace
	make -C gauge clean
	[ "$(ls gauge)" = $'Makefile\ngauge.c\nreadings.ndjson' ]
}

@test "new: every character that a name may have" {
	try 0 new a.B-c_9
	make -C a.B-c_9 >out 2>&1 || { cat out; return 1; }
	grep -q 'equal: ' out
}

@test "new: the program may lie in a folder whose name has a blank or an @" {
	# a tree with the program at the depth where it finds its headers
	far="$PWD/a b@c"
	mkdir -p "$far/build/release/bin"
	cp "$program" "$far/build/release/bin/bitactor"
	ln -s "$tree/bitactor" "$tree/runtime" "$far"
	"$far/build/release/bin/bitactor" new gauge
	grep -qF "$far" gauge/Makefile
	make -C gauge >out 2>&1 || { cat out; return 1; }
	grep -q 'equal: ' out
}

@test "new: as installed, it finds the headers beside it" {
	mkdir -p usr/bin usr/include
	cp "$program" usr/bin
	mkdir usr/include/bitactor
	cp "$tree"/bitactor/include/bitactor/*.h "$tree"/runtime/include/bitactor/*.h \
		usr/include/bitactor
	usr/bin/bitactor new gauge
	grep -q "^INCLUDE.*usr/include" gauge/Makefile
	make -C gauge >out 2>&1 || { cat out; return 1; }
	grep -q 'equal: ' out
}

@test "new: without headers in sight it says what to set" {
	mkdir bin
	cp "$program" bin
	run --separate-stderr bin/bitactor new gauge
	[ "$status" -eq 0 ]
	says 'headers were not found' 'set INCLUDE in gauge/Makefile'
	make -C gauge INCLUDE="-I$tree/bitactor/include -I$tree/runtime/include" >out 2>&1 ||
		{ cat out; return 1; }
	grep -q 'equal: ' out
}

@test "new: a name that is none is exit 2, and nothing is made" {
	for name in '' 'two words' a/b .hidden ../up 'x;y' ä \
		"$(printf 'a%.0s' {1..64})"; do
		try 2 new "$name"
		says 'is no name for a module'
	done
	[ -z "$(ls -A)" ]
	try 0 new "$(printf 'a%.0s' {1..63})"
}

@test "new: a folder that is there already is left alone, exit 3" {
	try 0 new gauge
	echo mine >gauge/gauge.c
	try 3 new gauge
	says 'gauge: File exists'
	[ "$(cat gauge/gauge.c)" = mine ]
	echo >file
	try 3 new file
}
