#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# world.bats -- files, pipes, disks and memory that are not as one would like.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
# shellcheck disable=SC2030,SC2031  # run sets output and stderr anew
# shellcheck disable=SC2016  # what is in single quotes is another shell's
load common

teardown() { umount disk 2>/dev/null || :; }

@test "an input that is not there, a folder, one that cannot be read: exit 3, no trace" {
	mkdir folder
	echo >file
	for case in nothing:'No such file' folder:'Is a directory' file/x:'Not a directory'; do
		IFS=: read -r path text <<<"$case"
		for form in candump ndjson; do
			try 3 run --module "$monitor" --input "$form:$path" --trace x.bitrace
			says "$path" "$text"
			is_silent
			[ ! -e x.bitrace ]
		done
	done
}

@test "an input that fails while it is read: exit 3, and the trace is closed and good" {
	[ -r /proc/self/mem ] || skip "no /proc/self/mem here"
	try 3 run --module "$monitor" --input candump:/proc/self/mem --trace x.bitrace
	says '/proc/self/mem' 'Input/output error'
	[ "$(grep -o 'Input/output error' <<<"$stderr" | wc -l)" -eq 1 ]
	sound x.bitrace "$monitor"
}

@test "a trace that is there is never written over: exit 3, and it stays as it is" {
	record "candump:$capture" x.bitrace "$monitor"
	b3sum x.bitrace/trace >before 2>/dev/null || sha256sum x.bitrace/trace >before
	try 3 run --module "$monitor" --input "candump:$capture" --trace x.bitrace
	says 'a trace is never written over' x.bitrace
	is_silent
	b3sum x.bitrace/trace >after 2>/dev/null || sha256sum x.bitrace/trace >after
	cmp before after
	echo mine >file
	mkdir folder
	for path in file folder; do
		try 3 run --module "$monitor" --input "candump:$capture" --trace "$path"
	done
	[ "$(cat file)" = mine ]
	[ -z "$(ls -A folder)" ]
}

@test "a trace that cannot be begun: exit 3" {
	echo >file
	for path in nowhere/x.bitrace file/x.bitrace ''; do
		try 3 run --module "$monitor" --input "candump:$capture" --trace "$path"
		says 'cannot be made'
		is_silent
	done
}

@test "a module that is not there, or is no shared object" {
	try 3 run --module nothing.so --input ndjson:/dev/null
	says nothing.so
	echo text >text.so
	for path in ./text.so "$tree"; do
		run --separate-stderr bitactor run --module "$path" --input ndjson:/dev/null \
			--trace x.bitrace
		[ "$status" -eq 2 ] || [ "$status" -eq 3 ]
		[ -n "$stderr" ]
		[ ! -e x.bitrace ]
	done
	# one without a slash is looked for here, not where libraries are
	cp "$mixed" here.so
	try 0 run --module here.so --input ndjson:/dev/null --quiet
	try 3 run --module libc.so.6 --input ndjson:/dev/null
}

@test "standard output that is full: exit 3, whatever was asked" {
	[ -e /dev/full ] || skip "no /dev/full here"
	record "candump:$capture" x.bitrace "$monitor"
	while read -r line; do
		# shellcheck disable=SC2086  # words
		run --separate-stderr bash -c '"$@" >/dev/full' - "$program" $line
		echo "$line: exit $status"
		[ "$status" -eq 3 ]
		says 'standard output' 'No space left'
	done <<-END
		--help
		--version
		info
		info --json
		run --help
		verify x.bitrace
		verify x.bitrace --json
		show x.bitrace
		show x.bitrace --json --all
		replay x.bitrace --module $monitor
		replay x.bitrace --module $monitor --json
		run --module $monitor --input candump:$capture --trace y.bitrace
		run --module $monitor --input candump:$capture --json
		run --module $monitor --input candump:$capture --print alarm --quiet
		new full
		bench --list
		END
	# what cannot be said was done all the same
	sound y.bitrace "$monitor"
	[ -e full/full.c ]
}

@test "standard output that nobody reads: the run goes on to its end, exit 3" {
	yes '{"kind":"echo"}' | head -n 20000 >in
	{
		bitactor run --module "$mixed" --input ndjson:in --trace x.bitrace --print echo \
			2>err || echo $? >code
	} | head -n 1 >line
	[ "$(cat line)" = - ]
	[ "$(cat code)" -eq 3 ]
	grep -q 'Broken pipe' err
	sound x.bitrace "$mixed"
	try 0 verify x.bitrace --json
	json 'it["signals"] == 20000'
}

long_log() {
	python3 - >long.log <<-'END'
		for i in range(30000):
		    print("(%d.%06d) can0 %03X#%016X" % (1000 + i // 1000, i % 1000, i % 800, i))
		END
}

# cut_off WHY: the run ended with exit 3 for it; what was written is good to its end.
cut_off() {
	says 'x.bitrace/trace: segment ' 'cannot be written' "$1"
	[[ $output != *head* ]]
	try 1 verify "$2x.bitrace"
	says 'not closed, valid to seq '
	seq=$(sed -n 's/.*valid to seq \([0-9]*\).*/\1/p' <<<"$stderr")
	[ "$seq" -gt 1000 ]
	try 0 show "$2x.bitrace"
	[ "$(tail -n 1 <<<"$output" | awk '{ print $1 }')" -eq "$seq" ]
	try 0 replay "$2x.bitrace" --module "$monitor"
	says 'equal: ' 'the trace is not closed'
}

@test "a limit on the size of files: exit 3, in words, and what was written is good" {
	long_log
	# in KiB; 77 ends inside a segment, 64 and 128 at the end of one
	for limit in 77 64 128 500; do
		rm -rf x.bitrace
		run --separate-stderr bash -c 'ulimit -f "$1"; shift; exec "$@"' - "$limit" \
			"$program" run --module "$monitor" --input candump:long.log \
			--trace x.bitrace
		echo "$limit: exit $status"
		[ "$status" -eq 3 ]
		if [ "$limit" -gt 128 ]; then
			cut_off "File too large" ""
			says 'equal: '
		else
			[ -n "$stderr" ]
			try 1 verify x.bitrace
			try 0 show x.bitrace
		fi
	done
	# not even room for metadata: nothing is left behind
	run --separate-stderr bash -c 'ulimit -f 4; exec "$@"' - "$program" run \
		--module "$monitor" --input candump:long.log --trace y.bitrace
	[ "$status" -eq 3 ]
	says 'y.bitrace/metadata: cannot be written' 'File too large'
	[ ! -e y.bitrace ]
}

@test "a disk that is full: exit 3, in words, and what was written is good" {
	mkdir disk
	if ! mount -t tmpfs -o size=400k tmpfs disk 2>/dev/null; then
		skip "only root may mount a small disk"
	fi
	long_log
	run --separate-stderr bitactor run --module "$monitor" --input candump:long.log \
		--trace disk/x.bitrace
	ended=$status
	cp -R disk/x.bitrace .
	umount disk
	[ "$ended" -eq 3 ]
	cut_off 'No space left on device' ''
	says 'equal: '
}

@test "no memory for the limits that were asked for: exit 3" {
	is_sanitized && skip "a sanitizer needs all addresses"
	echo '{"segments": 65536}' >config.json # 4 GiB
	run --separate-stderr bash -c 'ulimit -v 500000; exec "$@"' - "$program" run \
		--module "$mixed" --input ndjson:/dev/null --config config.json --trace x.bitrace
	[ "$status" -eq 3 ]
	says 'out of memory'
	[ ! -e x.bitrace ]
}

@test "standard input, output or error that are closed" {
	record "candump:$capture" x.bitrace "$monitor"
	run bash -c '"$@" <&-' - "$program" run --module "$monitor" --input candump:- \
		--trace closed.bitrace
	[ "$status" -eq 3 ] || [ "$status" -eq 0 ]
	run bash -c '"$@" 2>&-' - "$program" run --module "$monitor" --input "candump:$capture" \
		--trace y.bitrace
	[ "$status" -eq 0 ]
	try 0 verify y.bitrace
	run bash -c '"$@" >&-' - "$program" run --module "$monitor" --input "candump:$capture" \
		--trace z.bitrace --quiet
	try 0 verify z.bitrace
	run bash -c '"$@" >&- 2>&- <&-' - "$program" run --module "$monitor" \
		--input "candump:$capture" --trace w.bitrace
	try 0 verify w.bitrace
}

@test "the working folder, the locale and the time zone change nothing" {
	mkdir -p deep/er
	cp "$capture" deep/er/log
	record candump:deep/er/log x.bitrace "$monitor"
	(
		cd deep/er
		LC_ALL=de_DE.UTF-8 TZ=Asia/Kathmandu MALLOC_PERTURB_=165 "$program" run \
			--module "$monitor" --input candump:log --trace ../../y.bitrace --quiet
	)
	sound y.bitrace "$monitor"
	bitactor show x.bitrace >one
	bitactor show y.bitrace >other
	cmp one other
}

@test "traces in odd places: a blank, an umlaut, a long path, a slash at the end" {
	long=$(printf 'd%.0s' {1..200})
	mkdir -p "$long/$long"
	for path in 'two words.bitrace' 'höhe.bitrace' "$long/$long/x.bitrace" slash.bitrace/ \
		'$HOME;x.bitrace' '%s%n.bitrace'; do
		record "candump:$data/can-candump-fast.txt" "$path" "$monitor"
		sound "$path" "$monitor"
	done
}
