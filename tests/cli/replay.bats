#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# replay.bats -- bitactor replay: the same again, or the first record that is not.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
load common

# with KIND PAYLOAD: a trace x.bitrace with such a signal between two others.
with() {
	rm -rf x.bitrace
	cat >in <<-END
		{"kind":"count","payload":1}
		{"kind":"$1","id":77,"payload":$2}
		{"kind":"count","payload":1}
		END
	record ndjson:in x.bitrace "$mixed"
}

@test "each capture, and everything that a handler may do, comes again" {
	for file in "$data"/can*.txt; do
		name=$(basename "$file" .txt)
		record "candump:$file" "$name.bitrace" "$monitor"
		signals=$(sed -n 's/^ *\([0-9]*\) accepted = .*/\1/p' <<<"$output")
		try 0 replay "$name.bitrace" --module "$monitor"
		says "equal: $signals signals in "
		[ -z "$stderr" ]
	done
	for i in {1..400}; do
		for kind in count echo twice refuse dice nobody large; do
			echo "{\"kind\":\"$kind\",\"payload\":$i,\"id\":$i}"
		done
		echo "{\"kind\":\"burst\",\"payload\":$((i % 9))}"
	done >in
	record ndjson:in x.bitrace "$mixed"
	says '3200 signals'
	sound x.bitrace "$mixed"
	same_count x.bitrace
	try 0 replay x.bitrace --module "$mixed" --json
	json 'it["equal"] is True and it["closed"] is True and it["stopped"] is False' \
		'it["status"] == "OK" and "difference" not in it and "error" not in it'
}

@test "a changed can_monitor: exit 1, the signal, both effects, and what it led to" {
	record "candump:$capture" x.bitrace "$monitor"
	try 1 replay x.bitrace --module "$changed"
	[[ $output =~ ^DIVERGED\ at\ seq\ ([0-9]+),\ turn\ 1:\ the\ same\ signal ]]
	seq=${BASH_REMATCH[1]}
	says '  expected ' '  actual ' 'what it led to' 'nmea.heading' \
		"before it $seq records came again, equal"
	expected=$(grep -m 1 '^  expected' <<<"$output")
	actual=$(grep -m 1 '^  actual' <<<"$output")
	[[ $expected == *can.frame*id=0x09f112cc*effect=* ]]
	[ "${expected##*effect=}" != "${actual##*effect=}" ]
	# but for the label and the effect they say the same
	same() { sed -E 's/^  (expected|actual) *//; s/effect=.*//' <<<"$1"; }
	[ "$(same "$expected")" = "$(same "$actual")" ]
	# the expected one is the record of the trace
	try 0 show x.bitrace --from "$seq" --to "$seq"
	[[ $expected == *"${output#"${output%%[! ]*}"}" ]]
	try 1 replay x.bitrace --module "$changed" --json
	json "it['equal'] is False and it['seq'] == $seq and it['compared'] == $seq" \
		'it["expected"][0]["effect"] != it["actual"][0]["effect"]' \
		'it["difference"] == "the same signal had another effect"'
}

@test "each sort of change is found at its signal" {
	for case in 'count 1001' 'echo 1001' 'twice 1001' 'twice 1002' 'refuse 1001'; do
		# shellcheck disable=SC2086  # words
		with $case
		sound x.bitrace "$mixed"
		try 1 replay x.bitrace --module "$test_modules/mixed_changed.so"
		says 'DIVERGED at seq 12, turn 1: the same signal had another effect' \
			"${case% *} " '#77' 'before it 12 records came again, equal'
	done
	with echo 1001
	try 1 replay x.bitrace --module "$test_modules/mixed_changed.so"
	[[ $output == *'expected '*'OUTPUT  '*'to echo: -'*'actual '*'to echo: +'* ]]
	with twice 1002
	try 1 replay x.bitrace --module "$test_modules/mixed_changed.so"
	[ "$(grep -c 'actual .* count  *by 12 ' <<<"$output")" -eq 2 ]
	with twice 1001
	try 1 replay x.bitrace --module "$test_modules/mixed_changed.so"
	[ "$(grep -c 'expected .* echo  *by 12 ' <<<"$output")" -eq 1 ]
	[ "$(grep -c 'actual .* echo  *by 12 ' <<<"$output")" -eq 0 ]
	# and where the change is not reached, it is equal
	with count 1000
	try 0 replay x.bitrace --module "$test_modules/mixed_changed.so"
}

@test "a wrong module: name, version, schema and parameters, each in its own words, exit 2" {
	with count 1
	try 2 replay x.bitrace --module "$monitor"
	says 'the trace is of module mixed' 'is can_monitor'
	is_silent
	try 2 replay x.bitrace --module "$test_modules/mixed_version.so"
	says 'the trace is of mixed version 1.0' 'is version 1.1'
	is_silent
	try 2 replay x.bitrace --module "$test_modules/mixed_schema.so"
	says "has the trace's name and version but other kinds, fields or ports"
	is_silent
	try 0 replay x.bitrace --module "$test_modules/mixed_bounds.so" # 1 it takes
	echo '{"module":{"weight":7}}' >config
	try 0 run --module "$mixed" --input ndjson:in --trace y.bitrace --config config
	sound y.bitrace "$mixed"
	try 2 replay y.bitrace --module "$test_modules/mixed_bounds.so"
	says "does not take the trace's parameters" weight
	is_silent
}

@test "a file that is no module is told from one that is not there" {
	with count 1
	try 3 replay x.bitrace --module nothing.so
	says nothing.so
	try 2 replay x.bitrace --module "$test_modules/no_symbol.so"
	says 'no symbol bitactor_module_v1'
	echo text >text.so
	run --separate-stderr bitactor replay x.bitrace --module ./text.so
	[ "$status" -eq 2 ] || [ "$status" -eq 3 ]
	says text.so
}

@test "a module that crashes in the replay: exit 1, naming the record" {
	with count 1001
	try 1 replay x.bitrace --module "$test_modules/mixed_dies.so"
	says 'the module died of signal 6 in the dispatch of seq 12, count'
	is_silent
	echo '{"module":{"die":0}}' >config
	try 0 run --module "$test_modules/init_dies.so" --input ndjson:/dev/null \
		--trace y.bitrace --config config
	sound y.bitrace "$test_modules/init_dies.so"
}

@test "fibers come again: started, awaiting, resumed, failed, still waiting at the end" {
	for i in {1..40}; do
		printf '{"kind":"%s","payload":%s}\n' ask "$i" ask "$i" answer "$i" rest 5 faint 0 \
			answer "$i" answer "$i"
	done >in
	echo '{"kind":"ask","payload":99}' >>in
	record ndjson:in x.bitrace "$fibers"
	says '281 signals'
	sound x.bitrace "$fibers"
	same_count x.bitrace
	try 0 show x.bitrace
	says 'to talk: answered ' 'to talk: unasked ' 'to talk: rested ' 'to talk: asked 99'
}

@test "more fibers than there are stacks: refused then and now" {
	for i in {1..70}; do echo "{\"kind\":\"ask\",\"payload\":$i}"; done >in
	try 0 run --module "$fibers" --input ndjson:in --trace x.bitrace --json
	json 'it["signals"]["failed"] == 6'
	sound x.bitrace "$fibers"
}

@test "a trace that was not closed is replayed to its end, and says so" {
	record "candump:$capture" x.bitrace "$monitor"
	truncate -s $((2 * 65536)) x.bitrace/trace
	try 0 replay x.bitrace --module "$monitor"
	says 'the trace is not closed: that is all that was written'
	try 0 replay x.bitrace --module "$monitor" --json
	json 'it["equal"] is True and it["closed"] is False'
}

@test "a broken trace is exit 1 with the place, not a divergence" {
	record "candump:$capture" x.bitrace "$monitor"
	python3 - x.bitrace/trace <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as file:
		    file.seek(70000)
		    byte = file.read(1)[0]
		    file.seek(70000)
		    file.write(bytes([byte ^ 16]))
		END
	try 1 replay x.bitrace --module "$monitor"
	says 'segment 1, offset '
	[[ $output != *DIVERGED* ]]
}

@test "a replay that is interrupted dies of it, and does not say that all was equal" {
	# more than one turn
	yes '{"kind":"count","payload":1}' | head -n 600 | sed '300s/1}/1001}/' >in
	record ndjson:in x.bitrace "$mixed"
	try 130 replay x.bitrace --module "$test_modules/mixed_interrupts.so"
	says 'stopped, equal so far: '
	try 130 replay x.bitrace --module "$test_modules/mixed_interrupts.so" --json
	json 'it["equal"] is False and it["stopped"] is True and 300 <= it["signals"] < 600'
}
