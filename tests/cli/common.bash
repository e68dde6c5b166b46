# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # the tests use what is not used here
# common.bash -- what the tests of the program share.
#
#   bitactor ARGUMENT...       the program under test: BITACTOR, or the release build
#   try CODE ARGUMENT...       run it: it must exit with CODE; then $output is its
#                              stdout and $stderr its stderr
#   says TEXT...               each is somewhere in $output or $stderr
#   is_silent                  nothing was written to stdout
#   json EXPRESSION...         each is true of $output, read by python as `it`
#   record INPUT TRACE MODULE  a run that must end well
#   sound TRACE MODULE         verify and replay must both exit 0
#   same_count TRACE           babeltrace2 prints as many events as show --all lines
#
# Each test runs in an empty folder of its own.  BA_SCALE multiplies what is random;
# under a sanitizer, where a process takes long to begin, it is a tenth.
bats_require_minimum_version 1.5.0

tree=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
program=${BITACTOR:-$tree/build/release/bin/bitactor}
modules=${BITACTOR_MODULES:-$tree/build/release/modules}
test_modules=${BITACTOR_TEST_MODULES:-$tree/build/release/tests/modules}
tools=$tree/tests/tools
data=$tree/tests/data
monitor=$modules/can_monitor.so
changed=$modules/can_monitor_changed.so
mixed=$test_modules/mixed.so
fibers=$test_modules/fibers.so
capture=$data/can-candumpSample3.txt

# Compared with what the program writes, byte by byte.
export LC_ALL=C.UTF-8 PYTHONIOENCODING=utf-8:surrogateescape

setup() {
	[ -x "$program" ] || { echo "no program $program: make tests"; return 1; }
	[ -e "$mixed" ] || { echo "no module $mixed: make tests"; return 1; }
	mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return 1
}

bitactor() { "$program" "$@"; }

is_sanitized() { grep -qa '__[at]san_init' "$program"; }

# scaled N: N times BA_SCALE, at least one.
scaled() {
	local count=$(($1 * ${BA_SCALE:-1}))
	if is_sanitized; then count=$((count / 10)); fi
	echo "$((count > 0 ? count : 1))"
}

try() {
	local code=$1
	shift
	run --separate-stderr bitactor "$@"
	# shellcheck disable=SC2154  # run sets it
	if [ "$status" -ne "$code" ]; then
		printf 'bitactor %s: exit %s, not %s\n%s\n%s\n' "$*" "$status" "$code" "$output" \
			"$stderr"
		return 1
	fi
}

says() {
	local text
	for text in "$@"; do
		if [[ $output$'\n'$stderr != *"$text"* ]]; then
			printf 'not said: %s\nbut:\n%s\n%s\n' "$text" "$output" "$stderr"
			return 1
		fi
	done
}

is_silent() {
	[ -z "$output" ] || { printf 'on stdout: %s\n' "$output"; return 1; }
}

json() {
	printf '%s' "$output" | python3 -c '
import json, sys
it = json.load(sys.stdin)
for expression in sys.argv[1:]:
    if not eval("(" + expression + ")"):
        sys.exit("not so: %s\nof: %s" % (expression, json.dumps(it)))
' "$@"
}

# json_lines EXPRESSION...: the same, `it` being the list of the lines' objects.
json_lines() {
	printf '%s' "$output" | python3 -c '
import json, sys
it = [json.loads(line) for line in sys.stdin]
for expression in sys.argv[1:]:
    if not eval("(" + expression + ")"):
        sys.exit("not so: %s\nof %d objects, the last: %s" % (
            expression, len(it), json.dumps(it[-1:])))
' "$@"
}

record() {
	try 0 run --module "$3" --input "$1" --trace "$2"
}

sound() {
	try 0 verify "$1"
	says 'good: every byte is accounted for'
	try 0 replay "$1" --module "$2"
	says 'equal: '
}

same_count() {
	if ! command -v babeltrace2 >/dev/null; then
		echo "# no babeltrace2 here: not compared" >&3
		return 0
	fi
	local events lines
	babeltrace2 "$1" >events 2>complaints
	# what it says besides the events, it would say about a trace that is not quite CTF
	[ ! -s complaints ] || { cat complaints; return 1; }
	events=$(wc -l <events)
	bitactor show --all "$1" >lines
	lines=$(wc -l <lines)
	if [ "$events" -eq 0 ] || [ "$events" -ne "$lines" ]; then
		echo "babeltrace2: $events events, show --all: $lines"
		return 1
	fi
}
