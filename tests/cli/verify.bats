#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# verify.bats -- bitactor verify: what is good, what is not, what cannot be looked at.
# That it finds every bit and every cut is trace_evidence.bats.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
load common

# patch FILE OFFSET HEX: put bytes there.
patch() {
	python3 - "$@" <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as file:
		    file.seek(int(sys.argv[2]))
		    file.write(bytes.fromhex(sys.argv[3]))
		END
}

# crc_header FILE SEGMENT: make its header's check anew.
crc_header() {
	PYTHONPATH=$tools python3 - "$@" <<-'END'
		import struct, sys
		from bat1_check import crc32c
		with open(sys.argv[1], "r+b") as file:
		    at = int(sys.argv[2]) * 65536
		    file.seek(at)
		    header = bytearray(file.read(128))
		    header[104:108] = bytes(4)
		    file.seek(at + 104)
		    file.write(struct.pack("<I", crc32c(header)))
		END
}

@test "a good trace: what it holds, and the head that run printed" {
	record "candump:$capture" x.bitrace "$monitor"
	head=$(sed -n 's/^head *//p' <<<"$output")
	[ "${#head}" -eq 64 ]
	try 0 verify x.bitrace
	says 'good: every byte is accounted for' "head       $head" 'holds      3753 signals'
	[ -z "$stderr" ]
	try 0 verify x.bitrace/ --deep
	says 'good: every byte is accounted for'
	try 0 verify x.bitrace --json
	json 'it["status"] == "OK" and it["closed"] is True and it["open_record"] is False' \
		'it["bytes"] == 65536 * it["segments"] and it["last_seq"] == it["compared"] - 1' \
		"it['head'] == '$head' and 'error' not in it"
	# and an independent reader counts the same
	python3 "$tools/bat1_check.py" x.bitrace >second
	json "'closed: %d records, %d compared, %d segments' % (
		it['records'], it['compared'], it['segments']) == '$(tail -n 1 second)'" \
		"'head: ' + it['head'] == '$(grep '^head' second)'"
}

@test "--head: the one that was kept, another one, and what is none" {
	record "candump:$capture" x.bitrace "$monitor"
	head=$(sed -n 's/^head *//p' <<<"$output")
	try 0 verify x.bitrace --head "$head"
	try 0 verify x.bitrace --head "${head^^}"
	other=$(tr 0-9a-f 1-9a-f0 <<<"$head")
	try 1 verify x.bitrace --head "$other"
	says "head differs: it is $head, not $other"
	try 1 verify x.bitrace --head "$other" --json
	json 'it["status"] == "CORRUPT" and "head differs" in it["error"]'
	for none in '' "${head}0" "${head:1}" "${head:1}g" "-${head:1}"; do
		try 2 verify x.bitrace --head "$none"
		says '--head takes 64 hex digits'
	done
}

@test "the same records under another head are told apart: a cut trace closed anew is not it" {
	head -n 40 "$capture" >some
	record candump:some a.bitrace "$monitor"
	head=$(sed -n 's/^head *//p' <<<"$output")
	record candump:some b.bitrace "$monitor"
	try 1 verify b.bitrace --head "$head"
}

@test "what cannot be opened is exit 3" {
	for path in nothing.bitrace nothing/x.bitrace ''; do
		try 3 verify "$path"
		says 'No such file or directory'
		is_silent
	done
	mkdir empty.bitrace
	try 3 verify empty.bitrace
	says 'empty.bitrace/trace'
	ln -s loop loop
	mkdir inner.bitrace
	ln -s trace inner.bitrace/trace
	echo text >file
	for case in loop:'Too many levels' loop/x.bitrace:'Too many levels' \
		inner.bitrace:'Too many levels' file/x.bitrace:'Not a directory' \
		file/:'Not a directory' file/x/y.bitrace:'Not a directory'; do
		IFS=: read -r path text <<<"$case"
		for line in "verify $path" "verify --deep $path" "show $path" \
			"replay $path --module $mixed"; do
			# shellcheck disable=SC2086  # words
			try 3 $line
			says 'cannot be opened' "$text"
			is_silent
		done
	done
}

@test "what one may not open is exit 3" {
	stranger=
	if [ "$(id -u)" -eq 0 ]; then
		command -v setpriv >/dev/null || skip "root may open everything"
		stranger='setpriv --reuid=65534 --clear-groups --inh-caps=-all'
	fi
	record "candump:$capture" x.bitrace "$monitor"
	cp "$program" ./program
	chmod 755 . .. program
	$stranger ./program --version || skip "nobody may run a program here"
	for part in x.bitrace x.bitrace/trace x.bitrace/metadata; do
		mode=$(stat -c %a "$part")
		chmod 000 "$part"
		# shellcheck disable=SC2086  # words
		run --separate-stderr $stranger ./program verify x.bitrace
		chmod "$mode" "$part"
		echo "$part: exit $status: $stderr"
		[ "$status" -eq 3 ]
		says 'cannot be opened: Permission denied'
	done
}

@test "what can be opened and is no trace is exit 1" {
	echo text >file.bitrace
	try 1 verify file.bitrace
	says 'a trace is a directory'
	mkdir a.bitrace b.bitrace c.bitrace d.bitrace e.bitrace
	: >a.bitrace/trace
	try 1 verify a.bitrace
	says 'the file is empty'
	head -c 65536 /dev/zero >b.bitrace/trace
	try 1 verify b.bitrace
	says 'segment 0, offset 0'
	seq 100000 >c.bitrace/trace
	try 1 verify c.bitrace
	mkdir d.bitrace/trace
	try 1 verify d.bitrace
	says 'is no plain file'
	mkfifo e.bitrace/trace # and it does not wait for somebody to write
	try 1 verify e.bitrace
	says 'is no plain file'
	for name in a b c d e; do
		try 1 show "$name.bitrace"
		try 1 replay "$name.bitrace" --module "$mixed"
	done
}

@test "metadata that is gone, or of another trace" {
	record "candump:$capture" x.bitrace "$monitor"
	record ndjson:/dev/null y.bitrace "$mixed"
	mv x.bitrace/metadata kept
	run --separate-stderr bitactor verify x.bitrace
	[ "$status" -eq 1 ] || [ "$status" -eq 3 ]
	says metadata
	cp y.bitrace/metadata x.bitrace
	try 1 verify x.bitrace
	says 'x.bitrace/metadata'
	cp kept x.bitrace/metadata
	try 0 verify x.bitrace
	echo >>x.bitrace/metadata
	try 1 verify x.bitrace
}

@test "a version or a feature that this program does not know is exit 2 everywhere" {
	record "candump:$capture" x.bitrace "$monitor"
	cp x.bitrace/trace kept
	for place in 108:02 111:01; do # version, incompat
		cp kept x.bitrace/trace
		patch x.bitrace/trace "${place%:*}" "${place#*:}"
		try 1 verify x.bitrace # by itself it is a broken byte
		crc_header x.bitrace/trace 0
		try 2 verify x.bitrace
		is_silent
		try 2 show x.bitrace
		is_silent
		try 2 replay x.bitrace --module "$monitor"
		is_silent
	done
}

@test "segments that changed places, came twice or are another trace's" {
	record "candump:$capture" x.bitrace "$monitor"
	record "candump:$capture" y.bitrace "$monitor"
	cp x.bitrace/trace kept
	segments=$(($(stat -c %s kept) / 65536))
	[ "$segments" -ge 3 ]
	dd if=kept of=x.bitrace/trace bs=64K skip=1 seek=2 count=1 conv=notrunc status=none
	try 1 verify x.bitrace
	says 'segment 2, offset 0'
	cp kept x.bitrace/trace
	dd if=y.bitrace/trace of=x.bitrace/trace bs=64K skip=1 seek=1 count=1 conv=notrunc \
		status=none
	try 1 verify x.bitrace
	says 'segment 1, offset 0'
	cp kept x.bitrace/trace
	dd if=kept bs=64K skip=$((segments - 1)) count=1 status=none >>x.bitrace/trace
	try 1 verify x.bitrace
	says "segment $segments, offset 0"
	cp kept x.bitrace/trace
	printf x >>x.bitrace/trace
	try 1 verify x.bitrace
}

@test "a forged record with a good check is found by its segment's root" {
	record "candump:$capture" x.bitrace "$monitor"
	PYTHONPATH=$tools python3 - x.bitrace/trace <<-'END'
		import struct, sys
		from bat1_check import HEADER, Header, Record, crc32c
		with open(sys.argv[1], "r+b") as file:
		    data = bytearray(file.read())
		    header, offset = Header(bytes(data[:HEADER])), HEADER
		    while True:
		        record = Record(bytes(data[:65536]), offset, header.content, header)
		        if record.name == "SIGNAL":
		            break
		        offset += record.bytes
		    data[offset + 16] ^= 1  # its payload
		    whole = data[offset:offset + record.bytes]
		    covered = (header.uuid + struct.pack("<QI", 0, offset // 32) + whole[:28] +
		               bytes(4) + whole[32:])
		    data[offset + 28:offset + 32] = struct.pack("<I", crc32c(covered))
		    file.seek(0)
		    file.write(data)
		END
	for deep in '' --deep; do
		try 1 verify x.bitrace $deep
		says 'segment 0, offset 0' 'root'
	done
}

@test "a trace that is being written is exit 3, and good afterwards" {
	mkfifo fifo
	bitactor run --module "$monitor" --input candump:fifo --trace x.bitrace --quiet 3>&- &
	exec 4>fifo
	head -n 20 "$capture" >&4
	for _ in {1..600}; do
		[ ! -s x.bitrace/trace ] || break
		sleep 0.1
	done
	for what in 'verify x.bitrace' 'show x.bitrace' "replay x.bitrace --module $monitor"; do
		# shellcheck disable=SC2086  # words
		try 3 $what
		says 'is being written'
		is_silent
	done
	try 3 run --module "$monitor" --input "candump:$capture" --trace x.bitrace
	says 'is being written already; choose another name'
	exec 4>&-
	wait $!
	sound x.bitrace "$monitor"
}
