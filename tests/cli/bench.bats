#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bench.bats -- bitactor bench: that its cases run and prove their work.  What they
# measure is not judged here.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
load common

@test "bench --list names the cases and measures nothing" {
	try 0 bench --list
	for case in dispatch queue telemetry fiber clock; do
		grep -q "^$case " <<<"$output"
	done
}

@test "bench --quick --json: every row has a proof of its work" {
	cases='clock fiber'
	if is_sanitized; then cases=clock; fi # the other one takes half a minute
	# shellcheck disable=SC2086  # words
	try 0 bench --quick --json $cases
	json 'it["complete"] is True and len(it["rows"]) > 5' \
		'all(row["proof"] == row["expected"] for row in it["rows"])' \
		"{row['case'] for row in it['rows']} == set('$cases'.split())" \
		'it["machine"]["compiler"] and it["machine"]["flags"]'
}

@test "bench: a case that there is none of is exit 2, and the cases are named" {
	try 2 bench nosuch
	says "no case 'nosuch'" dispatch
	is_silent
}
