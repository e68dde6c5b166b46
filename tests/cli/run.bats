#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# run.bats -- bitactor run: what is read, what is said, what is kept.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
load common

# Of one line or more of NDJSON: signals for the module mixed.
mixed_input() {
	cat <<-'END'
	{"kind":"count","payload":5,"id":1}
	{"kind":"echo","data":"68656c6c6f","id":2}
	{"kind":"twice","payload":7,"id":3}
	{"kind":"refuse","payload":3,"id":4}
	{"kind":"dice","id":5}
	{"kind":"nobody","payload":9,"id":6,"data":"0102"}
	{"kind":5000,"payload":"0xFFFFFFFFFFFFFFFF","id":7}
	{"kind":0,"payload":1,"actor":3,"priority":2,"flags":4,"context":11,"timestamp":99}
	END
}

@test "each capture: the counts are those of an independent script" {
	for file in "$data"/can*.txt; do
		name=$(basename "$file" .txt)
		try 0 run --module "$monitor" --input "candump:$file" --trace "$name.bitrace" --json
		printf '%s' "$output" >summary
		python3 "$tools/candump_count.py" "$file" >counted
		python3 - summary counted <<-'END' || { echo "in $name"; return 1; }
			import json, sys
			said, counted = (json.load(open(name)) for name in sys.argv[1:])
			for key, number in counted.items():
			    ours = said["input"].get(key)
			    if key == "interfaces":
			        ours = len(ours)
			    if key != "sha256" and ours != number:
			        sys.exit("%s: %s, counted %s" % (key, ours, number))
			END
		sound "$name.bitrace" "$monitor"
		# and the trace holds what was counted: the same signals, in their order
		bitactor show --json "$name.bitrace" >records
		python3 - records counted <<-'END'
			import hashlib, json, sys
			digest = hashlib.sha256()
			for line in open(sys.argv[1]):
			    it = json.loads(line)
			    if it.get("cause") == "from queue":
			        said = it["context"], it["payload"], it["timestamp"]
			        digest.update(b"%d %d %d\n" % said)
			if digest.hexdigest() != json.load(open(sys.argv[2]))["sha256"]:
			    sys.exit("the trace holds other signals")
			END
	done
}

@test "the numbers of the summary add up, and are those of the trace" {
	mixed_input >in
	try 0 run --module "$mixed" --input ndjson:in --trace x.bitrace --json
	json 'it["input"] | {"interfaces": 0} == dict(lines=8, signals=8, skipped=0, bad=0,
		no_handler=0, timed=1, clock_backward=0, frames=0, fd_frames=0, remote_frames=0,
		error_frames=0, interfaces=0)' \
		'it["signals"]["offered"] == it["signals"]["accepted"] + it["signals"]["refused"]' \
		'it["signals"]["accepted"] == sum(it["signals"][key] for key in
			("dispatched", "rejected", "dropped", "queued"))' \
		'it["signals"]["emitted"] == 2 and it["signals"]["rejected"] == 2' \
		'it["signals"]["offered"] == 10 and it["signals"]["failed"] == 1' \
		'it["signals"]["outputs"] == 3 and it["report"] == ["counts 3 sum 20"]' \
		'it["stopped"] is False and it["trace"] == "x.bitrace" and len(it["head"]) == 64' \
		'it.get("allocations", 0) == 0'
	printf '%s' "$output" >said
	try 0 verify x.bitrace --json
	python3 - said <(printf '%s' "$output") <<-'END'
		import json, sys
		said, verified = (json.load(open(name)) for name in sys.argv[1:])
		signals = said["signals"]
		assert verified["signals"] == signals["dispatched"], verified
		assert verified["rejected"] == signals["rejected"], verified
		assert verified["outputs"] == signals["outputs"], verified
		assert verified["failed"] == signals["failed"], verified
		assert verified["overruns"] <= signals["overruns"], verified
		assert verified["head"] == said["head"], verified
		END
}

@test "the summary in words has the numbers of the one in JSON" {
	record "candump:$capture" text.bitrace "$monitor"
	words=$output
	try 0 run --module "$monitor" --input "candump:$capture" --json
	json 'it["trace"] is None and "head" not in it'
	printf '%s' "$output" >summary
	printf '%s\n' "$words" | python3 - summary 3<&0 <<-'END'
		import json, os, sys
		it, words = json.load(open(sys.argv[1])), os.fdopen(3).read()
		read, signals = it["input"], it["signals"]
		for text in (
		        "%d lines: %d signals, %d skipped, %d bad" % (
		            read["lines"], read["signals"], read["skipped"], read["bad"]),
		        "%d offered = %d accepted + %d refused" % (
		            signals["offered"], signals["accepted"], signals["refused"]),
		        "%d accepted = %d dispatched + %d rejected + %d dropped + %d queued" % (
		            signals["accepted"], signals["dispatched"], signals["rejected"],
		            signals["dropped"], signals["queued"]),
		        "%d emitted, %d outputs" % (signals["emitted"], signals["outputs"]),
		        *it["report"]):
		    assert text in words, text
		END
	[[ $words == *"trace      text.bitrace"*"head       "* ]]
}

@test "standard input is read as the file is" {
	record "candump:$capture" file.bitrace "$monitor"
	bitactor run --module "$monitor" --input candump:- --trace pipe.bitrace --quiet \
		< <(cat "$capture")
	mixed_input | grep -v dice >in # its cell knows the time
	record ndjson:in m.bitrace "$mixed"
	bitactor run --module "$mixed" --input ndjson:- --trace n.bitrace --quiet <in
	for pair in file:pipe:$monitor m:n:$mixed; do
		IFS=: read -r one other module <<<"$pair"
		sound "$other.bitrace" "$module"
		# the same signals and outputs; but turns may end elsewhere
		for name in "$one" "$other"; do
			bitactor show --json "$name.bitrace" |
				sed -E 's/"(seq|turn|effect)": [0-9]+//g; s/"by [0-9]+"//g' |
				sort >"$name"
		done
		cmp "$one" "$other"
	done
}

@test "what can_monitor reports is what an independent script finds" {
	for file in "$data"/can-*.txt; do
		try 0 run --module "$monitor" --input "candump:$file" --json
		printf '%s' "$output" | python3 -c '
import json, sys
print("\n".join(json.load(sys.stdin)["report"]))' >report
		[ -s report ]
		python3 "$tools/can_monitor_check.py" --compare report "$file" ||
			{ echo "in $file"; return 1; }
	done
}

@test "an unknown kind of NDJSON: its line and the nearest name; exit 0; counted as bad" {
	{
		mixed_input
		echo '{"kind":"cuont","payload":1}'
		echo '{"kind":"zzzzzzzzzzzz"}'
		echo '{"kind":"count","paylod":1}'
	} >in
	record ndjson:in x.bitrace "$mixed"
	says 'line 9: unknown kind "cuont"; the nearest is "count"' \
		'line 10: unknown kind "zzzzzzzzzzzz"' \
		'line 11: unknown key "paylod"; the nearest is "payload"' \
		'11 lines: 8 signals, 0 skipped, 3 bad'
	[[ $stderr != *'"zzzzzzzzzzzz"; the nearest'* ]]
	sound x.bitrace "$mixed"
}

@test "bad lines leave exit 0; ten are named, the others counted" {
	{
		for i in {1..25}; do echo "bad $i"; done
		head -n 30 "$capture"
	} >in
	record candump:in x.bitrace "$monitor"
	[ "$(grep -c '^bitactor run: line [0-9]*: ' <<<"$stderr")" -eq 10 ]
	[ "$(grep -c 'further bad lines are only counted' <<<"$stderr")" -eq 1 ]
	says 'line 10: ' ' 25 bad,'
	try 0 run --module "$monitor" --input candump:in --json
	json 'it["input"]["bad"] == 25'
	sound x.bitrace "$monitor"
}

@test "--strict: the first bad line ends the run with exit 1; what came before is kept" {
	{
		mixed_input
		echo '{"kind":"cuont"}'
		mixed_input
	} >in
	try 1 run --module "$mixed" --input ndjson:in --trace x.bitrace --strict
	says 'in:9: unknown kind "cuont"; the nearest is "count"' '9 lines: 8 signals'
	sound x.bitrace "$mixed"
	try 0 show x.bitrace --json
	json_lines 'sum(line.get("cause") == "from queue" for line in it) == 8'
	try 1 run --module "$mixed" --input ndjson:in --trace y.bitrace --strict --json
	json 'it["input"]["bad"] == 1 and it["input"]["lines"] == 9 and len(it["head"]) == 64'
	# and nothing bad is no failure
	mixed_input >good
	try 0 run --module "$mixed" --input ndjson:good --strict
}

@test "--strict on a capture with a spoilt line" {
	sed '100s/#/-/' "$capture" >in
	try 1 run --module "$monitor" --input candump:in --trace x.bitrace --strict
	says 'in:100: ' '100 lines: '
	sound x.bitrace "$monitor"
}

@test "attached data arrives, is recorded, comes again" {
	python3 - >in <<-'END'
		for size in (1, 7, 8, 31, 32, 33, 63, 64):
		    print('{"kind":"echo","data":"%s"}' % (b"abcdefgh" * 8)[:size].hex())
		print('{"kind":"echo","data":""}')
		END
	try 0 run --module "$mixed" --input ndjson:in --trace x.bitrace --print echo --quiet
	[ "$output" = "$(python3 -c '
for size in (1, 7, 8, 31, 32, 33, 63, 64):
    print(("abcdefgh" * 8)[:size])
print("-")')" ]
	sound x.bitrace "$mixed"
	same_count x.bitrace
	try 0 show x.bitrace --json
	json_lines '[len(line.get("data", "")) // 2 for line in it if line["kind"] == "echo"] ==
		[1, 7, 8, 31, 32, 33, 63, 64, 0]' \
		'[len(line["text"]) for line in it if line["kind"] == "OUTPUT"] ==
		[1, 7, 8, 31, 32, 33, 63, 64, 1]'
}

@test "data of 20,000 bytes, over several chunks and segments" {
	python3 - >in <<-'END'
		for i in range(12):
		    data = bytes((i + at * at) % 251 for at in range(20000 - i))
		    print('{"kind":"echo","data":"%s"}' % data.hex())
		END
	echo '{"data_max": 32768, "output_max": 32768}' >config.json
	try 0 run --module "$mixed" --input ndjson:in --trace x.bitrace --config config.json
	says '12 accepted = 12 dispatched + 0 rejected'
	sound x.bitrace "$mixed"
	same_count x.bitrace
	bitactor show x.bitrace --json >records
	python3 - in records <<-'END'
		import json, sys
		sent, shown = ([json.loads(line) for line in open(name)] for name in sys.argv[1:])
		assert [it["data"] for it in sent] == [it["data"] for it in shown if "data" in it]
		assert sum(it["kind"] == "OUTPUT" for it in shown) == 12
		END
}

@test "more data than data_max is refused at the door, and counted" {
	python3 - >in <<-'END'
		print('{"kind":"echo","data":"%s"}' % (b"x" * 65).hex())
		print('{"kind":"echo","data":"%s"}' % (b"y" * 64).hex())
		END
	try 0 run --module "$mixed" --input ndjson:in --trace x.bitrace --json
	json 'it["signals"]["refused"] == 1 and it["signals"]["dispatched"] == 1' \
		'it["signals"]["offered"] == 2'
	sound x.bitrace "$mixed"
}

@test "kinds that nobody handles give REJECT records, also far outside the table" {
	{
		echo '{"kind":"nobody","payload":7,"id":1}'
		echo '{"kind":65279,"payload":8,"id":2}'
		echo '{"kind":"nobody","data":"616263"}'
		echo '{"kind":65280}' # the engine's own begin there
	} >in
	record ndjson:in x.bitrace "$mixed"
	says '4 lines: 3 signals, 0 skipped, 1 bad' '3 rejected' 'line 4: "kind" is out of range'
	sound x.bitrace "$mixed"
	same_count x.bitrace
	try 0 show x.bitrace --json
	json_lines '[(line["kind"], line["offered"]) for line in it] ==
		[("REJECT", "nobody"), ("REJECT", "kind 65279"), ("REJECT", "nobody")]' \
		'[line["payload"] for line in it] == [7, 8, 0] and it[2]["data"] == "616263"'
	try 0 show x.bitrace
	says 'nobody is registered for nobody: #1 payload=7' \
		'nobody is registered for kind 65279: #2 payload=8'
}

@test "--print PORT: what the module outputs there, a line each, and nothing else" {
	mixed_input >in
	try 0 run --module "$mixed" --input ndjson:in --print echo --quiet
	[ "$output" = $'hello\neight by' ]
	try 0 run --module "$mixed" --input ndjson:in --print large --quiet
	is_silent
	try 2 run --module "$mixed" --input ndjson:in --trace x.bitrace --print eho
	says 'module mixed has no port "eho"' 'the nearest is echo'
	[ ! -e x.bitrace ]
}

@test "--quiet says nothing, and still fails" {
	{ mixed_input; echo nonsense; } >in
	try 0 run --module "$mixed" --input ndjson:in --quiet
	is_silent
	[ -z "$stderr" ]
	try 1 run --module "$mixed" --input ndjson:in --quiet --strict
	is_silent
	says 'in:9: '
}

@test "without --trace nothing is kept, and no head is printed" {
	mixed_input >in
	try 0 run --module "$mixed" --input ndjson:in
	[[ $output != *head* ]]
	[ "$(ls)" = in ]
}

@test "the progress line is for a terminal, and only there" {
	command -v script >/dev/null || skip "no script(1) here"
	# a shell function cannot cross `script`; quotes would need quotes
	cat >go <<-END
		#!/bin/sh
		exec "$program" run --module "$monitor" --input "candump:$capture" --trace "\$1" \$2
		END
	chmod +x go
	# the first turn shows it, the next ones ten times a second
	script -qec './go term.bitrace' /dev/null </dev/null >terminal
	grep -qE $'\r\033\\[K[0-9]+ lines, [0-9]+ %' terminal || { head -c 300 terminal; return 1; }
	grep -q $'\r\033\\[Kread ' terminal # and it is gone before the summary
	grep -q '2368 signals' terminal
	script -qec './go quiet.bitrace --quiet' /dev/null </dev/null >terminal
	[ ! -s terminal ]
	script -qec './go json.bitrace --json' /dev/null </dev/null >terminal
	[[ $(cat terminal) == '{'* ]]
	./go file.bitrace >out 2>err </dev/null
	[ ! -s err ]
	sound term.bitrace "$monitor"
}

@test "fibers get stacks by themselves; what they did comes again" {
	cat >in <<-'END'
		{"kind":"ask","payload":10}
		{"kind":"ask","payload":20}
		{"kind":"answer","payload":1}
		{"kind":"rest","payload":3}
		{"kind":"answer","payload":2}
		{"kind":"answer","payload":3}
		{"kind":"faint"}
		{"kind":"ask","payload":30}
		END
	try 0 run --module "$fibers" --input ndjson:in --trace x.bitrace --print talk --quiet
	printf '%s\n' 'asked 10' 'asked 20' 'unasked 3' 'asked 30' 'answered 11' 'answered 22' \
		'rested 0' | diff - <(printf '%s\n' "$output")
	sound x.bitrace "$fibers"
	same_count x.bitrace
}

@test "an input with nothing in it is a good run" {
	for form in candump ndjson; do
		record "$form:/dev/null" "$form.bitrace" "$mixed"
		says '0 lines: 0 signals'
		sound "$form.bitrace" "$mixed"
		same_count "$form.bitrace"
	done
}

@test "modules that cannot be used: what is wrong, and no trace is begun" {
	for case in no_symbol:2:'no symbol bitactor_module_v1' wrong_abi:2:'has abi 2' \
		small_struct:2:'struct_bytes is' wrong_name:2:'"two words"'; do
		IFS=: read -r name code text <<<"$case"
		try "$code" run --module "$test_modules/$name.so" --input ndjson:/dev/null \
			--trace x.bitrace
		says "$text"
		is_silent
		[ ! -e x.bitrace ]
	done
	try 2 run --module "$test_modules/init_fails.so" --input ndjson:/dev/null \
		--trace x.bitrace
	[ ! -e x.bitrace ]
	says 'module init_fails: its init answered STUCK'
}

@test "a form of input that there is none of is exit 2, and the known ones are named" {
	for wrong in csv:x candump nojson: ''; do
		try 2 run --module "$mixed" --input "$wrong" --trace x.bitrace
		says 'is not a form of input' candump:FILE ndjson:FILE
		[ ! -e x.bitrace ]
	done
}
