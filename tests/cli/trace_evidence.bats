#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# trace_evidence.bats -- a trace proves what happened, also to those without our code.
#
# Sizes at BA_SCALE=1; the acceptance's 1,000 flips and 1,000 cuts are BA_SCALE=5.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
load common

spoil() {
	python3 "$tools/spoil_trace.py" "$program" "$@" >said 2>&1 || { cat said; return 1; }
	cat said
}

# A trace of each sort, with the module that made it.
record_all() {
	record "candump:$capture" monitor.bitrace "$monitor"
	for i in {1..400}; do
		printf '{"kind":"%s","payload":%s,"data":"%016x"}\n' \
			count "$i" "$i" echo "$i" "$i" twice "$i" "$i" nobody "$i" "$i" \
			900 "$i" "$i" large $((i * 10)) "$i"
	done | sed 's/"900"/900/' >in
	record ndjson:in mixed.bitrace "$mixed"
	for i in {1..100}; do
		printf '{"kind":"%s","payload":%s}\n' ask "$i" rest 3 answer "$i" faint 0
	done >in
	record ndjson:in fibers.bitrace "$fibers"
}

# chained TRACE HEAD: with dd and b3sum, each root stands in the next header.
chained() {
	local last k root in_header
	last=$(($(stat -c %s "$1/trace") / 65536 - 1))
	for ((k = 0; k <= last; k++)); do
		root=$(dd if="$1/trace" bs=64K count=1 skip=$k status=none | b3sum)
		root=${root%% *}
		if [ "$k" -eq "$last" ]; then
			[ "$root" = "$2" ] || { echo "$1: head $2, b3sum $root"; return 1; }
		else
			in_header=$(dd if="$1/trace" bs=1 skip=$(((k + 1) * 65536 + 72)) count=32 \
				status=none | od -An -tx1 | tr -d ' \n')
			[ "$root" = "$in_header" ] || { echo "$1: segment $k"; return 1; }
		fi
	done
	[ "$k" -gt 0 ]
}

@test "dd and b3sum: the root of each segment is in the next header, of the last the head" {
	command -v b3sum >/dev/null || skip "no b3sum here"
	for file in "$data"/can-*.txt; do
		name=$(basename "$file" .txt)
		record "candump:$file" "$name.bitrace" "$monitor"
		chained "$name.bitrace" "$(sed -n 's/^head *//p' <<<"$output")"
	done
	record_all
	for name in mixed fibers; do
		try 0 verify "$name.bitrace"
		chained "$name.bitrace" "$(sed -n 's/^head *//p' <<<"$output")"
	done
	[ "$(stat -c %s mixed.bitrace/trace)" -gt 1000000 ]
}

@test "babeltrace2 prints as many events as show --all, and has no complaint" {
	record_all
	for name in monitor mixed fibers; do same_count "$name.bitrace"; done
	for file in "$data"/can*.txt; do
		rm -rf x.bitrace
		record "candump:$file" x.bitrace "$monitor"
		same_count x.bitrace
	done
}

@test "babeltrace2 reads the same numbers: kinds, payloads, identifiers, turns" {
	command -v babeltrace2 >/dev/null || skip "no babeltrace2 here"
	record "candump:$capture" x.bitrace "$monitor"
	babeltrace2 x.bitrace >events
	bitactor show --all --json x.bitrace >records
	python3 - events records <<-'END'
		import json, re, sys
		events, records = open(sys.argv[1]), open(sys.argv[2])
		count = 0
		for event, record in zip(events, records, strict=True):
		    record = json.loads(record)
		    assert " %s: " % record["kind"] in event, (event, record)
		    payload = re.search(r"\bpayload = (\d+|0x[0-9A-Fa-f]+)", event)
		    if payload:
		        assert int(payload[1], 0) == record["payload"], (event, record)
		        count += 1
		assert count > 3700, count
		END
}

@test "an independent reader, from docs/trace-format.md alone, finds every trace good" {
	record_all
	for name in monitor mixed fibers; do
		python3 "$tools/bat1_check.py" "$name.bitrace" >said || { cat said; return 1; }
		grep -q '^closed: ' said
	done
}

@test "random single bits: each is found and its place named" {
	record "candump:$capture" x.bitrace "$monitor"
	spoil "$monitor" x.bitrace flip "$(scaled 150)"
	record_all
	spoil "$mixed" mixed.bitrace flip "$(scaled 25)"
	spoil "$fibers" fibers.bitrace flip "$(scaled 25)"
}

@test "random cuts: each is found and its place named" {
	record "candump:$capture" x.bitrace "$monitor"
	spoil "$monitor" x.bitrace cut "$(scaled 150)"
	record_all
	spoil "$mixed" mixed.bitrace cut "$(scaled 25)"
	spoil "$fibers" fibers.bitrace cut "$(scaled 25)"
}

@test "every bit of a header, and every bit of the first record" {
	head -n 30 "$capture" >in
	record candump:in x.bitrace "$monitor"
	python3 - "$program" x.bitrace $((128 + 32)) "$(scaled 1)" <<-'END'
		import subprocess, sys
		program, trace, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
		step = 1 if int(sys.argv[4]) >= 5 else 7  # a seventh of them, else all
		with open(trace + "/trace", "r+b") as file:
		    for bit in range(0, count * 8, step):
		        file.seek(bit // 8)
		        old = file.read(1)
		        file.seek(bit // 8)
		        file.write(bytes([old[0] ^ 1 << bit % 8]))
		        file.flush()
		        done = subprocess.run([program, "verify", trace], capture_output=True,
		                              text=True)
		        place = "segment 0, offset %d," % (0 if bit < 128 * 8 else 128)
		        assert done.returncode == 1 and place in done.stderr, (bit, done)
		        file.seek(bit // 8)
		        file.write(old)
		END
	try 0 verify x.bitrace
}
