#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# show.bats -- bitactor show: which records, as lines and as JSON.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
load common

lines_of() { grep -c '' <<<"$1"; }

setup_file() {
	export SHOWN="$BATS_FILE_TMPDIR/x.bitrace"
	"$program" run --quiet --module "$monitor" --input "candump:$capture" --trace "$SHOWN"
}

@test "by default: signals, rejections and outputs, with names and units" {
	try 0 show "$SHOWN"
	[ -z "$stderr" ]
	[ "$(lines_of "$output")" -eq $((3753 + 4)) ]
	says 'can.frame          from queue #1 ' 'yaw=2.3158 rad' 'OUTPUT             to alarm: '
	[[ $output != *' TURN '* && $output != *' REGISTER '* && $output != *' PAD '* ]]
}

@test "--all: every record there is, as many as an independent reader finds, kind by kind" {
	try 0 show --all "$SHOWN" --json
	printf '%s\n' "$output" >all
	python3 "$tools/bat1_check.py" "$SHOWN" >second
	python3 - all second <<-'END'
		import collections, json, sys
		shown = collections.Counter(json.loads(line)["kind"] for line in open(sys.argv[1]))
		counted = {}
		for line in open(sys.argv[2]):
		    words = line.split()
		    if len(words) == 3 and words[0].isdigit():
		        counted[words[2]] = int(words[0])
		assert shown == counted, (shown, counted)
		END
	same_count "$SHOWN"
}

@test "--json: each line is an object; fields, data and texts are those of the lines" {
	try 0 show "$SHOWN" --json
	json_lines 'len(it) == 3757' \
		'all(set(line) >= {"seq", "turn", "kind", "actor", "payload"} for line in it)' \
		'[line["seq"] for line in it] == sorted(line["seq"] for line in it)' \
		'sum(line["kind"] == "can.frame" for line in it) == 2368' \
		'all(line["cause"] == "from queue" for line in it if line["kind"] == "can.frame")' \
		'all(line["cause"][:3] == "by " and int(line["cause"][3:]) < line["seq"]
			for line in it if line["kind"].startswith("nmea."))' \
		'all("text" in line and line["port"] == "alarm" for line in it
			if line["kind"] == "OUTPUT")' \
		'[line for line in it if line["kind"] == "nmea.attitude"][-1]["fields"]["yaw"] ==
			"2.3158"'
}

@test "--from and --to: these seqs and no others" {
	try 0 show "$SHOWN" --json
	printf '%s\n' "$output" >whole
	try 0 show "$SHOWN" --json --from 100 --to 120
	printf '%s\n' "$output" >part
	python3 - whole part <<-'END'
		import json, sys
		whole, part = ([json.loads(line) for line in open(name)] for name in sys.argv[1:])
		assert part == [line for line in whole if 100 <= line["seq"] <= 120] != []
		END
	try 0 show "$SHOWN" --from 3788 --all
	[ "$(lines_of "$output")" -eq 1 ]
	says ' CLOSE '
	try 0 show "$SHOWN" --to 0 --all --json
	json_lines '[line["kind"] for line in it] == ["PROGRAM", "DATA"]'
	for none in '--from 3789' '--from 120 --to 100' '--from 9999999999999999999'; do
		# shellcheck disable=SC2086  # words
		try 0 show "$SHOWN" $none
		is_silent
	done
	# --all --from shows what has no seq behind the record that it belongs to
	try 0 show "$SHOWN" --all --json --from 1 --to 1
	json_lines 'it[0]["kind"] == "SCHEMA" and {line["kind"] for line in it[1:]} == {"DATA"}'
}

@test "what a module or an input put into a trace stays on its line" {
	python3 - >in <<-'END'
		import json
		for text in (b"\x00\x01\n\r\t\x7f\\", b"\"quoted\"", "höhe".encode(), b"\xff\xfe",
		             b"\x1b[2J"):
		    print(json.dumps({"kind": "echo", "data": text.hex()}))
		END
	record ndjson:in x.bitrace "$mixed"
	try 0 show x.bitrace --json
	json_lines '[line["text"] for line in it if line["kind"] == "OUTPUT"] ==
		["\0\1\n\r\t\x7f\\", "\"quoted\"", "h\xf6he", "\ufffd\ufffd", "\x1b[2J"]'
	bitactor show x.bitrace >lines
	[ "$(grep -c '' lines)" -eq 10 ]
	grep -qF 'to echo: \x00\x01\x0a\x0d\x09\x7f\x5c' lines
	grep -qF 'to echo: \x1b[2J' lines
	same_count x.bitrace
}

@test "rejections, failures and fibers that go on are shown" {
	cat >in <<-'END'
		{"kind":"rest","payload":2}
		{"kind":"faint"}
		{"kind":"ask","payload":1}
		{"kind":"answer","payload":1}
		{"kind":900}
		END
	record ndjson:in x.bitrace "$fibers"
	try 0 show x.bitrace --json
	json_lines '[line["kind"] for line in it if line["kind"] != "OUTPUT"] ==
		["rest", "faint", "ask", "answer", "REJECT"] + 4 * ["RESUME"]' \
		'[line["kind"] for line in it if line.get("failed")] == ["RESUME"]' \
		'[line["text"] for line in it if line["kind"] == "OUTPUT"] ==
		["asked 1", "answered 2", "rested 0"]'
	try 0 show x.bitrace
	says 'RESUME             by ' ' FAILED' 'nobody is registered for kind 900:'
}

@test "a broken byte ends it: exit 1, the place, and all that came before" {
	cp -R "$SHOWN" x.bitrace
	python3 - x.bitrace/trace <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as file:
		    file.seek(100000)
		    byte = file.read(1)[0]
		    file.seek(100000)
		    file.write(bytes([byte ^ 1]))
		END
	try 1 show x.bitrace
	says 'x.bitrace/trace: segment 1, offset '
	seq=$(sed -E 's/.*, seq ([0-9]+).*/\1/' <<<"$stderr")
	[ "$(tail -n 1 <<<"$output" | awk '{ print $1 }')" -eq $((seq - 1)) ]
	printf '%s\n' "$output" >before
	bitactor show "$SHOWN" | head -n "$(grep -c '' before)" | cmp - before
}

@test "show ends quietly when nobody reads on" {
	{ bitactor show --all "$SHOWN" || echo "$?" >code; } 2>complaints | head -n 1 >line
	[ -s line ]
	[ ! -s complaints ]
	[ "$(cat code)" -eq 141 ] # of SIGPIPE, as cat(1)
}
