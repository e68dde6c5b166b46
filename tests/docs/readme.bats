#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# readme.bats -- what the README and the man pages show is what happens.
#
#   README.md      its ```console blocks, in one folder, one after the other
#   man/*.1        what stands under EXAMPLES in a .Bd -literal block
#
# A line that begins with "$ " is a command, with the lines that a \ or | at its end
# draws in.  It is run, and must exit with 0; what stands below it must be printed,
# in this order.  "..." stands for any text in a line, and alone for any lines.
# `make demo` is run as the script that it runs; `make test` is what runs this.

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	: "${BITACTOR_BUILD:=$root/build/release}"
	[ -x "$BITACTOR_BUILD/bin/bitactor" ] || { echo "build it first: make"; return 1; }
	# A folder that looks like the tree of the project, but may be written to.
	cd "$BATS_TEST_TMPDIR" || return 1
	for name in bitactor runtime examples tests tools README.md; do
		ln -s "$root/$name" "$name"
	done
	mkdir -p build/release
	ln -s "$BITACTOR_BUILD/bin" build/release/bin
	ln -s "$BITACTOR_BUILD/modules" build/release/modules
}

# glob TEXT: TEXT as a pattern in which only "..." is special.
glob() {
	local text=${1//\\/\\\\}
	text=${text//\*/\\*}; text=${text//\?/\\?}; text=${text//\[/\\[}
	printf '%s' "${text//.../*}"
}

# must_print FILE LINE...: are the lines in FILE, in this order?
must_print() {
	local file=$1 pattern line
	shift
	exec 5<"$file"
	for wanted in "$@"; do
		[ "$wanted" != ... ] || continue
		pattern=$(glob "$wanted")
		while :; do
			if ! IFS= read -r line <&5; then
				echo "not printed, or not in this order: $wanted"
				echo 'but:'
				cat "$file"
				return 1
			fi
			# shellcheck disable=SC2053 # it is a pattern
			[[ $line != $pattern ]] || break
		done
	done
	exec 5<&-
}

# show COMMAND LINE...: run it as a reader would.
show() {
	local command=$1 status=0
	shift
	case $command in
	'make test'*) return 0 ;;
	'make demo') command='tools/demo.sh' ;;
	esac
	echo "\$ $command"
	bash -c "$command" >printed 2>&1 </dev/null || status=$?
	if [ "$status" -ne 0 ]; then
		cat printed
		echo "exit $status"
		return 1
	fi
	# a sanitizer brings its own malloc: allocations are not counted there
	if ! grep -q '^allocations while running' printed; then
		local kept=()
		for wanted in "$@"; do
			[[ $wanted == allocations* ]] || kept+=("$wanted")
		done
		set -- "${kept[@]}"
	fi
	must_print printed "$@"
}

# play: commands and what they print, from standard input.
play() {
	local line command='' more='' lines=() count=0
	while IFS= read -r line <&4 || [ -n "$line" ]; do
		if [ -n "$more" ]; then
			command+=$'\n'$line
		elif [[ $line == '$ '* ]]; then
			[ -z "$command" ] || show "$command" "${lines[@]}" || return 1
			command=${line#'$ '} lines=() count=$((count + 1))
		else
			lines+=("$line")
			continue
		fi
		[[ $line == *[\\\|] ]] && more=yes || more=''
	done 4<&0
	[ -z "$command" ] || show "$command" "${lines[@]}" || return 1
	[ "$count" -gt 0 ] || { echo "no command in it"; return 1; }
}

# examples PAGE: the literal text under EXAMPLES that has commands in it.
examples() {
	awk '/^\.Sh/ { here = /EXAMPLES/ }
	     /^\.Ed/ { inside = 0 }
	     here && inside { gsub(/\\e/, "\\"); sub(/^\\&/, ""); print }
	     /^\.Bd -literal/ { inside = 1 }' "$root/man/$1.1"
}

# What the man pages suppose: the program in PATH, a module and a capture at hand.
man_page() {
	PATH=$BITACTOR_BUILD/bin:$PATH
	ln -s "$BITACTOR_BUILD"/modules/can_monitor.so .
	ln -s "$BITACTOR_BUILD"/modules/can_monitor_changed.so .
	ln -s "$root/tests/data/can-candumpSample3.txt" bus.log
	case $1 in
	bitactor | bitactor-run) ;;
	*) bitactor run --module can_monitor.so --input candump:bus.log --trace bus.bitrace \
		--quiet ;;
	esac
	examples "$1" | play
}

@test "README.md: every command does what is shown" {
	awk '/^```/ { inside = /^```console$/; next } inside' "$root/README.md" >blocks
	play <blocks
}

@test "README.md: the C of the example compiles without a warning, as C11 and as C++17" {
	awk '/^```c$/ && !seen { inside = seen = 1; next } /^```/ { inside = 0 } inside' \
		"$root/README.md" >hello.c
	[ -s hello.c ]
	local compilers=0
	for compiler in 'gcc -x c -std=c11' 'g++ -x c++ -std=c++17' \
	                'clang -x c -std=c11' 'clang++ -x c++ -std=c++17'; do
		command -v "${compiler%% *}" >/dev/null || continue
		$compiler -Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only \
			-Ibitactor/include hello.c
		compilers=$((compilers + 1))
	done
	[ "$compilers" -gt 0 ]
}

@test "bitactor(1)"        { man_page bitactor; }
@test "bitactor-run(1)"    { man_page bitactor-run; }
@test "bitactor-verify(1)" {
	command -v b3sum >/dev/null || skip "no b3sum"
	man_page bitactor-verify
	# the page's last two commands: a root, and the header that holds it
	root_of_0=$(dd if=bus.bitrace/trace bs=65536 count=1 status=none | b3sum | cut -d ' ' -f 1)
	in_header=$(dd if=bus.bitrace/trace bs=1 skip=65608 count=32 status=none | od -An -tx1 |
		tr -d ' \n')
	[ "$root_of_0" = "$in_header" ]
}
@test "bitactor-replay(1)" { man_page bitactor-replay; }
@test "bitactor-show(1)"   { man_page bitactor-show; }
@test "bitactor-new(1)"    { man_page bitactor-new; }
@test "bitactor-info(1)"   { man_page bitactor-info; }
@test "bitactor-bench(1)"  { man_page bitactor-bench; }
