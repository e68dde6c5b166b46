#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# kill.bats -- whatever ends a run, its trace says where it was.
#
# Sizes at BA_SCALE=1; the acceptance's 200 kills are BA_SCALE=5.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
load common

end_runs() {
	python3 "$tools/end_runs.py" "$1" "$program" "$2" "$3" >said 2>&1 || { cat said; return 1; }
	cat said
}

@test "kill -9 at random moments: not closed, valid to seq N, and the replay is equal" {
	end_runs kill "$monitor" "$(scaled 40)"
}

@test "SIGINT and SIGTERM at random moments: dies of it, the trace is closed and good" {
	end_runs stop "$monitor" "$(scaled 10)"
}

@test "while it waits for input nothing is held back: kill -9 loses nothing" {
	end_runs idle "$monitor" "$(scaled 10)"
}

@test "ended after any record, or in any dispatch: handlers of every sort" {
	for i in 1 2 3; do
		cat <<-END
			{"kind":"count","payload":$i}
			{"kind":"echo","data":"68656c6c6f","actor":2,"timestamp":1}
			{"kind":"twice","payload":7}
			{"kind":"refuse","payload":3}
			{"kind":"dice"}
			{"kind":"nobody","payload":9,"data":"0102"}
			{"kind":7000}
			{"kind":"large","payload":3000}
			{"kind":"burst","payload":3}
			END
	done >in
	record ndjson:in x.bitrace "$mixed"
	end_runs cuts "$mixed" x.bitrace
}

@test "ended after any record, or in any dispatch: fibers" {
	for i in 1 2 3; do
		printf '{"kind":"%s","payload":%s}\n' ask $i ask $i answer $i rest 2 faint 0 \
			answer $i
	done >in
	record ndjson:in x.bitrace "$fibers"
	end_runs cuts "$fibers" x.bitrace
}

@test "ended after any record of a last segment that is not the first" {
	# 960 frames of 64 bytes: some of them in the second segment
	python3 - >in <<-'END'
		for i in range(960):
		    print("(1.%06d) can0 123#%016X" % (i, i))
		END
	echo '{"budget_ticks": 4294967295}' >config.json # no OVERRUN takes room
	try 0 run --module "$monitor" --input candump:in --trace x.bitrace --config config.json
	[ "$(stat -c %s x.bitrace/trace)" -eq 131072 ]
	end_runs cuts "$monitor" x.bitrace
}

@test "killed before or inside each write, and each write failing: ENOSPC, EIO, short, EINTR" {
	end_runs writes "$monitor" "$test_modules/faulty_disk.so"
}

@test "a module that calls abort() on signal 1000: show names it as in dispatch" {
	for i in {1..1500}; do echo "{\"kind\":\"step\",\"id\":$i}"; done >in
	try 134 run --module "$test_modules/abort_at_1000.so" --input ndjson:in --trace x.bitrace
	says 'died of signal 6 in the dispatch of seq 1006' 'bitactor show x.bitrace'
	try 0 show x.bitrace
	last=$(tail -n 1 <<<"$output")
	[[ $last == *' step '*'#1000 '*'<- IN DISPATCH when the process ended' ]]
	[ "$(grep -c 'IN DISPATCH' <<<"$output")" -eq 1 ]
	[ "$(grep -c ' step ' <<<"$output")" -eq 1000 ]
	says 'not closed, valid to seq 1005'
	try 0 show x.bitrace --json
	json_lines 'it[-1]["id"] == 1000 and it[-1]["in_dispatch"] is True' \
		'"effect" not in it[-1] and it[-2]["id"] == 999 and it[-2]["seq"] == 1005'
	try 1 verify x.bitrace
	says 'not closed, valid to seq 1005; the record behind it was in dispatch'
	try 1 verify x.bitrace --json
	json 'it["open_record"] is True and it["last_seq"] == 1005 and it["closed"] is False'
	# it kills the replay as it killed the run
	try 1 replay x.bitrace --module "$test_modules/abort_at_1000.so"
	says 'the module died of signal 6 in the dispatch of seq 1006, step'
}

# What a sanitizer catches itself would not reach the shell as that signal.
@test "each way to die in a handler, on the program's stack or a fiber's" {
	export ASAN_OPTIONS=handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0
	ASAN_OPTIONS+=:handle_abort=0:use_sigaltstack=0
	export TSAN_OPTIONS=$ASAN_OPTIONS
	for case in abort:6 segv:11 overflow:11 trap:4 fpe:8 bus:7 fiber_segv:11 fiber_abort:6 \
		fiber_overflow:11; do
		kind=${case%:*} number=${case#*:}
		rm -rf x.bitrace
		printf '{"kind":"%s","id":%d}\n' live 1 live 2 "$kind" 77 live 3 >in
		try $((128 + number)) run --module "$test_modules/deaths.so" --input ndjson:in \
			--trace x.bitrace
		says "bitactor run: died of signal $number in the dispatch of seq 15"
		try 0 show x.bitrace
		[[ $(tail -n 1 <<<"$output") == *" $kind "*'#77 '*'IN DISPATCH'* ]]
		try 1 verify x.bitrace
		says 'valid to seq 14; the record behind it was in dispatch'
		try 1 replay x.bitrace --module "$test_modules/deaths.so"
		says "the module died of signal $number in the dispatch of seq 15, $kind"
	done
}

@test "a fiber that ends the process when it goes on: the RESUME is in dispatch" {
	printf '{"kind":"rest","payload":1}\n{"kind":"leave"}\n' >in
	try 134 run --module "$fibers" --input ndjson:in --trace x.bitrace
	try 0 show x.bitrace
	[[ $(tail -n 1 <<<"$output") == *' RESUME '*'IN DISPATCH'* ]]
	try 1 replay x.bitrace --module "$fibers"
	says 'the module died of signal 6 in the dispatch of seq '
}

@test "a module whose init ends the process: it is said, and the trace can be shown" {
	echo '{"module":{"die":1}}' >config.json
	try 134 run --module "$test_modules/init_dies.so" --input ndjson:/dev/null \
		--trace x.bitrace --config config.json
	says 'died of signal 6'
	try 1 verify x.bitrace
	says 'not closed, valid to seq 1'
	try 0 show x.bitrace
	try 1 replay x.bitrace --module "$test_modules/init_dies.so"
	says 'the module died of signal 6'
}

@test "a death without a trace is said, too" {
	for i in {1..1000}; do echo '{"kind":"step"}'; done >in
	try 134 run --module "$test_modules/abort_at_1000.so" --input ndjson:in
	says 'died of signal 6 in the dispatch of seq '
	[[ $stderr != *'bitactor show'* ]]
}

@test "Ctrl-C on a terminal: the progress line goes, the trace is closed and good" {
	mkfifo fifo
	python3 - "$program" "$monitor" <<-'END'
		import os, pty, re, select, sys, time
		pid, terminal = pty.fork()
		if pid == 0:
		    os.execv(sys.argv[1], [sys.argv[1], "run", "--module", sys.argv[2], "--input",
		                           "candump:fifo", "--trace", "x.bitrace"])
		fifo, said, end = open("fifo", "wb", buffering=0), b"", time.monotonic() + 60
		interrupted = False
		while True:
		    if time.monotonic() > end:
		        os.kill(pid, 9)
		        sys.exit("in vain waited; so far: %r" % said)
		    if not interrupted:
		        fifo.write(b"(1.000000) can0 123#00\n")
		    if select.select([terminal], [], [], 0.01)[0]:
		        try:
		            some = os.read(terminal, 4096)
		        except OSError:  # nobody is left on the other side
		            some = b""
		        if not some:
		            break
		        said += some
		    if not interrupted and re.search(rb"\r\033\[K\d+ lines", said):
		        os.write(terminal, b"\x03")
		        interrupted = True
		code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
		if code != -2 or b"stopped by signal 2; the trace is closed" not in said:
		    sys.exit("exit %d, said: %r" % (code, said))
		END
	sound x.bitrace "$monitor"
}

@test "a handler that never returns: the second signal ends it, and show names it" {
	if grep -qa __tsan_init "$program"; then
		skip "TSan holds signals back until the next call, and a loop has none"
	fi
	echo '{"kind":"spend","payload":"0xFFFFFFFFFFFFFFFF","id":7}' >in
	python3 - "$program" "$mixed" <<-'END'
		import signal, subprocess, sys, time
		process = subprocess.Popen([sys.argv[1], "run", "--module", sys.argv[2], "--input",
		                            "ndjson:in", "--trace", "x.bitrace"],
		                           stderr=subprocess.PIPE)
		def spent():  # hundredths of a second; all that takes time is the handler
		    with open("/proc/%d/stat" % process.pid) as file:
		        return int(file.read().rpartition(")")[2].split()[11])
		end = time.monotonic() + 60
		while spent() < 100 and time.monotonic() < end:
		    time.sleep(0.05)
		process.send_signal(signal.SIGINT)
		while process.poll() is None and time.monotonic() < end:
		    time.sleep(0.05)
		    process.send_signal(signal.SIGTERM)
		process.kill()  # if it would not end: the check below says so
		said = process.communicate()[1].decode()
		if process.returncode not in (-2, -15) or " in the dispatch of seq " not in said:
		    sys.exit("exit %s: %s" % (process.returncode, said))
		END
	try 0 show x.bitrace
	[[ $(tail -n 1 <<<"$output") == *' spend '*'#7 '*'IN DISPATCH'* ]]
	try 1 verify x.bitrace
	says 'was in dispatch'
}

@test "stopped without a trace: it does not speak of one" {
	yes '{"kind":"count","payload":1}' | head -n 600 | sed '10s/1}/1001}/' >in
	try 130 run --module "$test_modules/mixed_interrupts.so" --input ndjson:in
	says 'stopped by signal 2'
	[[ $stderr != *trace* ]]
	try 130 run --module "$test_modules/mixed_interrupts.so" --input ndjson:in --json \
		--trace x.bitrace
	says 'stopped by signal 2; the trace is closed'
	json 'it["stopped"] is True and it["signals"]["dispatched"] < 600'
	sound x.bitrace "$mixed"
}

@test "stopped with work left: it is worked off, and the trace comes again" {
	{
		for i in {1..200}; do echo '{"kind":"count","payload":1}'; done
		echo '{"kind":"burst","payload":1000}'
		echo '{"kind":"count","payload":1001}' # interrupts
	} >in
	try 130 run --module "$test_modules/mixed_interrupts.so" --input ndjson:in --json \
		--trace x.bitrace
	json 'it["signals"]["dispatched"] == 1202 and it["signals"]["queued"] == 0' \
		'it["signals"]["dropped"] == 0 and it["signals"]["turns"] == 2'
	bitactor show --all x.bitrace >shown
	[ "$(grep -c ' STOP ' shown)" -eq 1 ]
	sound x.bitrace "$mixed"
}

@test "stopped with fibers that wait: they are called off, and the trace comes again" {
	mkfifo fifo
	exec 9<>fifo # its end does not come
	printf '{"kind":"ask","payload":%d}\n' 1 2 3 >&9
	run --separate-stderr timeout --preserve-status --foreground -s INT 2 "$program" run \
		--module "$fibers" --input ndjson:fifo --trace x.bitrace --json
	exec 9>&-
	json 'it["stopped"] is True and it["signals"]["accepted"] == 3'
	bitactor show --all x.bitrace >shown
	grep -q ' STOP ' shown
	[ "$(sed -n '/ STOP /,$p' shown | grep -c ' RESUME ')" -eq 3 ]
	sound x.bitrace "$fibers"
}

@test "stopped while handlers emit without end: the rest is dropped, and it comes again" {
	echo '{"kind":"again"}' >in
	run --separate-stderr timeout --preserve-status --foreground -s TERM 2 "$program" run \
		--module "$test_modules/endless.so" --input ndjson:in --trace x.bitrace --json
	json 'it["stopped"] is True and it["signals"]["dropped"] == 1' \
		'it["signals"]["queued"] == 0'
	bitactor show --all x.bitrace >shown
	[ "$(grep -c ' DROP ' shown)" -eq 1 ]
	sound x.bitrace "$test_modules/endless.so"
}
