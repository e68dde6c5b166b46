#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# config.bats -- the configuration of a run: what it sets, what is wrong with it, where.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
load common

# configured CODE JSON MODULE: run `in` with it, afresh, into x.bitrace.
configured() {
	rm -rf x.bitrace
	printf '%s\n' "$2" >config.json
	try "$1" run --module "$3" --input ndjson:in --trace x.bitrace --config config.json --json
}

some_input() {
	for i in {1..60}; do
		printf '{"kind":"%s","payload":%s,"data":"%016x"}\n' \
			count "$i" "$i" echo "$i" "$i" twice "$i" "$i" burst 3 "$i"
	done >in
}

# recorded KEY VALUE: that line stands in the trace's PROGRAM, which is text.
recorded() {
	grep -aqx "$1"$'\t'"$2" x.bitrace/trace || { echo "not recorded: $1 $2"; return 1; }
}

# wrong LINE TEXT... -- JSON on standard input: exit 2, the file and line, and no trace.
wrong() {
	local line=$1
	shift
	cat >config.json
	try 2 run --module "$mixed" --input ndjson:/dev/null --trace x.bitrace \
		--config config.json
	says "config.json:$line: " "$@"
	is_silent
	[ ! -e x.bitrace ]
}

@test "an empty configuration changes nothing" {
	some_input
	configured 0 '{}' "$mixed"
	sound x.bitrace "$mixed"
}

@test "each limit is taken, stands in the trace, and the replay repeats it" {
	some_input
	for limit in queue_slots:2 queue_slots:4096 emit_slots:16 emit_slots:4096 data_max:8 \
		data_max:32768 data_blocks:1 data_blocks:4096 emit_data_blocks:1 \
		emit_data_blocks:4096 output_max:8 output_max:65536 segments:2 segments:9 \
		fibers:0 fibers:3 fiber_stack_bytes:16384 budget_ticks:1 budget_ticks:1000000 \
		seed:0 seed:9223372036854775807; do
		configured 0 "{\"${limit%:*}\": ${limit#*:}}" "$mixed"
		printf '%s\n' "$output" >>summaries
		sound x.bitrace "$mixed"
		recorded "${limit%:*}" "${limit#*:}"
	done
	output=$(cat summaries)
	json_lines 'len(it) == 21' \
		'all(run["input"]["bad"] == 0 and run["input"]["signals"] == 240 for run in it)' \
		'all(run["signals"]["accepted"] == sum(run["signals"][key] for key in
			("dispatched", "rejected", "dropped", "queued")) for run in it)'
}

@test "all limits at once" {
	some_input
	configured 0 '{ "queue_slots": 8, "emit_slots": 8, "data_max": 16, "data_blocks": 2,
		"emit_data_blocks": 2, "output_max": 64, "segments": 3, "fibers": 2,
		"fiber_stack_bytes": 32768, "budget_ticks": 5, "seed": 7, "tick_raw": true,
		"module": { "weight": 3 } }' "$mixed"
	sound x.bitrace "$mixed"
	same_count x.bitrace
}

@test "an internal queue that is too small: the handler is told, the replay has it again" {
	for i in {1..50}; do echo '{"kind":"burst","payload":9}'; done >in
	configured 0 '{"emit_slots": 8}' "$mixed"
	json 'it["signals"]["failed"] == 50 and it["signals"]["emitted"] == 0'
	sound x.bitrace "$mixed"
	configured 0 '{"emit_slots": 1024}' "$mixed"
	json 'it["signals"]["failed"] == 0 and it["signals"]["emitted"] == 450'
}

@test "too little room for outputs: the dispatch fails, the replay has it again" {
	# each takes 8 bytes more, rounded up to 8: 504 is the largest for 512
	for i in 1 8 500 504 505 1000 4000; do echo "{\"kind\":\"large\",\"payload\":$i}"; done >in
	configured 0 '{"output_max": 512}' "$mixed"
	json 'it["signals"]["failed"] == 3 and it["signals"]["outputs"] == 4'
	sound x.bitrace "$mixed"
}

@test "the smallest queue loses nothing and reorders nothing" {
	for i in {1..500}; do echo "{\"kind\":\"count\",\"id\":$i,\"payload\":$i}"; done >in
	configured 0 '{"queue_slots": 2}' "$mixed"
	json 'it["signals"]["dispatched"] == 500 and it["report"] == ["counts 500 sum 125250"]'
	sound x.bitrace "$mixed"
	try 0 show x.bitrace --json
	json_lines '[line["id"] for line in it] == list(range(1, 501))'
}

@test "no block for data that signals may have: exit 2, before anything is read" {
	wrong 2 '"data_blocks": is 0, but data_max is 64' 'data_max to 0' <<<$'{\n"data_blocks": 0}'
	wrong 3 '"data_blocks": is 0, but data_max is 8' <<<$'{"data_max":\n8,\n"data_blocks": 0}'
	wrong 1 '"data_blocks": is 0' <<<'{"data_blocks": 0, "module": {"weight": 2}}'
	# signals without data need none
	echo '{"kind":"count","payload":1}' >in
	configured 0 '{"data_blocks": 0, "data_max": 0}' "$mixed"
	sound x.bitrace "$mixed"
	configured 0 '{"data_max": 0}' "$mixed"
	sound x.bitrace "$mixed"
	echo '{"kind":"echo","data":"00"}' >in
	configured 0 '{"data_blocks": 0, "data_max": 0}' "$mixed"
	json 'it["signals"]["refused"] == 1 and it["signals"]["accepted"] == 0'
}

@test "the seed decides what is random, and nothing else does" {
	for i in {1..20}; do echo '{"kind":"dice"}'; done >in
	for seed in 1 1 2; do
		echo "{\"seed\": $seed}" >config.json
		try 0 run --module "$mixed" --input ndjson:in --print dice --quiet \
			--config config.json
		[ "$(sort -u <<<"$output" | grep -c later)" -eq 20 ] # and no two are the same
		printf '%s\n' "$output" >>"seed$seed"
	done
	[ "$(head -n 20 seed1)" = "$(tail -n 20 seed1)" ]
	[ "$(head -n 20 seed1)" != "$(cat seed2)" ]
}

@test "budgets: one raw tick is too little for most, three minutes are enough for all" {
	some_input
	configured 0 '{"budget_ticks": 1, "tick_raw": true}' "$mixed"
	json 'it["signals"]["overruns"] > it["signals"]["dispatched"] // 2'
	sound x.bitrace "$mixed"
	same_count x.bitrace
	configured 0 '{"budget_ticks": 4294967295}' "$mixed"
	json 'it["signals"]["overruns"] == 0'
	sound x.bitrace "$mixed"
}

@test "parameters reach the module, stand in the trace, and the replay gives them again" {
	echo '{"kind":"count","payload":5}' >in
	configured 0 '{"module": {"weight": 7}}' "$mixed"
	json 'it["report"] == ["counts 1 sum 35"]'
	recorded param $'weight\t7'
	sound x.bitrace "$mixed"
}

@test "parameters of can_monitor: as the independent script with the same ones" {
	echo '{"module":{"late_percent":110,"stuck_frames":10,"missing_periods":2}}' >config.json
	try 0 run --module "$monitor" --input "candump:$capture" --config config.json
	sed -n '/^found by/,$s/^  //p' <<<"$output" >report
	python3 "$tools/can_monitor_check.py" --set late_percent=110 --set stuck_frames=10 \
		--set missing_periods=2 --compare report "$capture"
	# and they are other findings than without
	run python3 "$tools/can_monitor_check.py" --compare report "$capture"
	[ "$status" -eq 1 ]
}

@test "an unknown key: its line, and the nearest" {
	wrong 4 '"queue_slot": no such setting' 'nearest is "queue_slots"' <<-'END'
		{
		  "seed": 1,

		  "queue_slot": 4
		}
		END
	wrong 1 '"zzzz": no such setting' <<<'{"zzzz": 1}'
	[[ $stderr != *nearest* ]]
	wrong 3 'no parameter "wieght"' '"weight"' <<-'END'
		{ "seed": 1,
		  "module": {
		     "wieght": 5 } }
		END
	# the line is that of the key, not of a string or an inner key that looks like it
	wrong 4 '"sed": no such setting' <<-'END'
		{ "module": { "weight": 1 },
		  "seed": 1,
		  "budget_ticks": 3,
		  "sed": 1, "fibers": 3 }
		END
}

@test "a value out of range or of another type: its line" {
	wrong 2 '"queue_slots": out of range' <<<$'{\n"queue_slots": 3}'
	wrong 1 '"queue_slots": out of range' <<<'{"queue_slots": 4294967298}'
	wrong 1 '"data_max": out of range' <<<'{"data_max": 9}'
	wrong 1 '"segments": out of range' <<<'{"segments": 1}'
	wrong 1 '"fiber_stack_bytes": out of range' <<<'{"fibers": 1, "fiber_stack_bytes": 4096}'
	wrong 1 '"seed": takes a whole number, not negative' <<<'{"seed": -1}'
	wrong 1 '"seed": takes a whole number' <<<'{"seed": 1.0}'
	wrong 1 '"seed": takes a whole number' <<<'{"seed": "1"}'
	wrong 1 '"tick_raw": takes true or false' <<<'{"tick_raw": 1}'
	wrong 1 '"module": takes an object' <<<'{"module": 3}'
	wrong 3 '"weight"' '1001' <<<$'{\n"module": {\n"weight": 1001}}'
	wrong 1 '"weight": takes a whole number' <<<'{"module": {"weight": null}}'
}

@test "what is no JSON: the line, and what was expected" {
	wrong 3 '' <<<$'{\n"seed": 1\n"fibers": 2}'
	wrong 2 '' <<<$'{"seed": 1,\n"seed": 2}'
	wrong 1 'a configuration is an object' <<<'[1]'
	wrong 2 '' <<<$'{}\n{}'
	printf '{}\0{"nonsense": 1}' | wrong 1 ''
	wrong 1 '' </dev/null
	head -c 1100000 /dev/zero | tr '\0' ' ' >config.json
	try 2 run --module "$mixed" --input ndjson:/dev/null --config config.json
	says 'more than 1 MiB'
}

@test "a configuration that cannot be read is exit 3" {
	mkdir folder
	for file in nothing.json folder capture.json/x; do
		: >capture.json
		try 3 run --module "$mixed" --input ndjson:/dev/null --trace x.bitrace \
			--config "$file"
		says "$file: cannot be "
		[ ! -e x.bitrace ]
	done
}

@test "a module of fibers without stacks is exit 2, in words" {
	echo '{"kind":"ask","payload":1}' >in
	configured 2 '{"fibers": 0}' "$fibers"
	says ask
	is_silent
	[ ! -e x.bitrace ]
	configured 0 '{"fibers": 1}' "$fibers"
	sound x.bitrace "$fibers"
}
