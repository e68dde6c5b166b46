#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""end_runs.py WHAT PROGRAM MODULE COUNT [--seed N] -- end `bitactor run`, see what is left.

    kill      kill -9 at COUNT random moments, from a file and from a pipe: verify must say
              "not closed, valid to seq N" with the N that is found here, replay and show
              must exit with 0
    stop      SIGINT or SIGTERM at COUNT random moments: the process dies of it, and the
              trace is closed and good
    idle      COUNT times: when all that was sent is worked off and the program waits for
              more, kill -9 loses nothing, and SIGINT and SIGTERM end it too
    cuts      MODULE's trace TRACE (instead of COUNT) as it was after
              each of its records, and inside the dispatch of each of its signals
    writes    with faulty_disk.so (instead of COUNT): killed before and inside each
              write of a run; and each of them failing, which must exit with 3, in words,
              and leave what can be read

N is found by bat1_check's reading of docs/trace-format.md, not by the program.
Works in the current folder.  Prints seed= first and closes with "N ended, all as
promised", or says what was not and exits 1.
"""
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time

from bat1_check import HEADER, SEGMENT, SLOT, Broken, Header, Record, crc32c

BOUND_S = 60  # for whatever must happen in the end
TRACE = "ended.bitrace"


class Wrong(Exception):
    pass


def need(condition, *what):
    if not condition:
        raise Wrong(" ".join(map(str, what)))


# ---- what the program says -----------------------------------------------------------

class Program:
    def __init__(self, path, module):
        self.path, self.module, self.last = path, module, None

    def __call__(self, code, *arguments):
        done = subprocess.run([self.path, *arguments], capture_output=True, timeout=BOUND_S)
        codes = code if isinstance(code, tuple) else (code,)
        need(done.returncode in codes, "exit", done.returncode, "not", code, "of", *arguments,
             "\n", done.stderr.decode(errors="replace"))
        return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def start(self, form, source, stdin=None):
        self.end()
        shutil.rmtree(TRACE, ignore_errors=True)
        process = subprocess.Popen(
            [self.path, "run", "--module", self.module, "--input", form + ":" + source,
             "--trace", TRACE],
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # none outlives its test, and waiting for one ends
        watch = threading.Timer(BOUND_S, process.kill)
        watch.daemon = True
        watch.start()
        self.last = process, watch
        return process

    def end(self):
        if self.last is not None:
            process, watch = self.last
            watch.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
            self.last = None


# ---- what is in a trace --------------------------------------------------------------

def read_trace(path=TRACE):
    try:
        with open(path + "/trace", "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def last_segment(data):
    """Number and header of the last segment that was begun; None if none was."""
    found = None
    for number in range(len(data) // SEGMENT):
        try:
            header = Header(data[number * SEGMENT:][:HEADER])
        except Broken:
            break
        found = number, header
    return found


def tail(data):
    """Compared records there are, signals among the last segment's, and whether one is open."""
    found = last_segment(data)
    if found is None:
        return 0, 0, False
    number, header = found
    segment = data[number * SEGMENT:(number + 1) * SEGMENT]
    seq, signals, offset = header.first_seq, 0, HEADER
    limit = SEGMENT if header.open else header.content
    while offset + SLOT <= limit and any(segment[offset:offset + SLOT]):
        record = Record(segment, offset, limit, header)
        if record.open:
            return seq, signals, True
        seq += record.compared()
        signals += record.name == "SIGNAL"
        offset += record.bytes
    return seq, signals, False


def is_closed(data):
    found = last_segment(data)
    if found is None or found[1].open:
        return False
    number, header = found
    segment, offset, name = data[number * SEGMENT:], HEADER, None
    while offset < header.content:
        record = Record(segment, offset, header.content, header)
        name, offset = record.name, offset + record.bytes
    return name == "CLOSE"


def look_at_unclosed(program, module):
    """The promises for a trace that nobody closed."""
    seq, _, is_open = tail(read_trace())
    if seq == 0:
        program((1, 3), "verify", TRACE)
        program((0, 1, 3), "show", TRACE)
        return 0
    _, said = program(1, "verify", TRACE)
    match = re.search(r"not closed, valid to seq (\d+)", said)
    need(match, "verify said:", said)
    need(int(match[1]) == seq - 1, "verify: valid to seq", match[1], "but it is", seq - 1)
    need(("was in dispatch" in said) == is_open, "in dispatch?", is_open, "verify said:", said)
    played = json.loads(program(0, "replay", TRACE, "--module", module, "--json")[0])
    # a TURN with nothing behind it has nothing to compare
    need(seq - 1 <= played["compared"] <= seq, "replay compared", played["compared"], "of", seq)
    need(played["equal"] and not played["closed"], "replay said:", played)
    shown, said = program(0, "show", TRACE, "--from", str(max(0, seq - 2)))
    need("not closed, valid to seq %d\n" % (seq - 1) in said, "show said:", said)
    need(("IN DISPATCH" in shown) == is_open, "show:", shown)
    return seq


# ---- input ---------------------------------------------------------------------------

def frame(number):
    return "(%d.%06d) can0 %03X#%016X\n" % (1000 + number // 1000, number % 1000, number % 800,
                                            number)


def long_log():
    if not os.path.exists("long.log"):
        with open("long.log", "w", encoding="ascii") as file:
            file.writelines(map(frame, range(150000)))
    return "long.log"


class Feeder(threading.Thread):
    """Writes frames into a pipe, now many, now few, until it breaks."""

    def __init__(self, pipe, dice):
        super().__init__(daemon=True)
        self.pipe, self.dice = pipe, random.Random(dice.random())

    def run(self):
        number = 0
        try:
            while number < 200000:
                count = self.dice.choice([1, 3, 50, 700, 3000])
                self.pipe.write("".join(map(frame, range(number, number + count))).encode())
                self.pipe.flush()
                number += count
                time.sleep(self.dice.choice([0, 0, 0.0005, 0.002]))
            self.pipe.close()
        except (BrokenPipeError, ValueError, OSError):
            pass


def wait_for(condition, process, what):
    end = time.monotonic() + BOUND_S
    while not condition():
        need(time.monotonic() < end, "in vain waited for:", what)
        if process.poll() is not None:
            return False
        time.sleep(0)
    return True


def is_begun():
    try:
        return os.stat(TRACE + "/trace").st_size > 0
    except FileNotFoundError:
        return False


def run_until(program, dice, signal_number):
    """A run that gets the signal at some moment; None if it was through before."""
    feeder = None
    if dice.random() < .5:
        process = program.start("candump", long_log())
    else:
        process = program.start("candump", "-", stdin=subprocess.PIPE)
        feeder = Feeder(process.stdin, dice)
        feeder.start()
    if wait_for(is_begun, process, "the first byte of a trace"):
        time.sleep(dice.random() * dice.choice([0.001, 0.01, 0.05]))
        process.send_signal(signal_number)
    said = process.stdout.read().decode(), process.stderr.read().decode()
    code = process.wait(timeout=BOUND_S)
    if feeder is not None:
        feeder.join(BOUND_S)
        if not process.stdin.closed:
            try:
                process.stdin.close()
            except OSError:
                pass
    process.stdout.close()
    process.stderr.close()
    need(code in (0, -signal_number), "exit", code, said)
    return said if code else None


# ---- the ways to end -----------------------------------------------------------------

def kill(program, count, dice):
    killed = tries = records = 0
    while killed < count:
        tries += 1
        need(tries <= 20 * count, "only", killed, "of", tries, "runs were still running")
        if run_until(program, dice, signal.SIGKILL) is None:
            continue
        if is_closed(read_trace()):  # killed with nothing left to do but to say so
            program(0, "verify", TRACE)
            continue
        left = look_at_unclosed(program, program.module)
        records += left
        killed += left > 0
    print("%d records were written by runs that were killed" % records)
    return killed


def stop(program, count, dice):
    stopped = tries = 0
    while stopped < count:
        tries += 1
        need(tries <= 20 * count, "only", stopped, "of", tries, "runs were still running")
        number = dice.choice([signal.SIGINT, signal.SIGTERM])
        said = run_until(program, dice, number)
        if said is None:
            continue
        # it may have come when all was read, and only the summary was left to print
        late = "stopped by signal" not in said[1]
        stopped += not late
        need(late or "by signal %d; the trace is closed\n" % number in said[1], said)
        head = re.search(r"^head +([0-9a-f]{64})$", said[0], re.M)
        need(head, "no head in:", said)
        program(0, "verify", TRACE, "--head", head[1])
        program(0, "replay", TRACE, "--module", program.module)
    return stopped


def idle(program, count, dice):
    for _ in range(count):
        number = dice.choice([signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
        sent = dice.choice([1, 7, 300, 1000])
        fifo = dice.random() < .5
        if fifo:
            if not os.path.exists("fifo"):
                os.mkfifo("fifo")
            process = program.start("candump", "fifo")
            pipe = open("fifo", "wb")
        else:
            process = program.start("candump", "-", stdin=subprocess.PIPE)
            pipe = process.stdin
        pipe.write("".join(map(frame, range(sent))).encode())
        pipe.flush()
        # frames of 11 bits mean nothing to can_monitor: a signal is one frame
        def all_there():
            data = read_trace()
            return data and signals_in(data) == sent
        need(wait_for(all_there, process, "%d signals on disk" % sent), "it ended by itself")
        process.send_signal(number)
        code = process.wait(timeout=BOUND_S)
        need(code == -number, "exit", code, "not", -number)
        pipe.close()
        process.stdout.close()
        process.stderr.close()
        if number == signal.SIGKILL:
            look_at_unclosed(program, program.module)
            verified = json.loads(program(1, "verify", TRACE, "--json")[0])
        else:
            verified = json.loads(program(0, "verify", TRACE, "--json")[0])
            program(0, "replay", TRACE, "--module", program.module)
        need(verified["signals"] == sent, verified["signals"], "signals of", sent)
    return count


def signals_in(data):
    """All signals from outside, without checking anything but headers and length."""
    found = last_segment(data)
    if found is None:
        return 0
    count = 0
    for number in range(found[0] + 1):
        segment = data[number * SEGMENT:(number + 1) * SEGMENT]
        offset = HEADER
        while offset + SLOT <= SEGMENT and any(segment[offset:offset + SLOT]):
            kind, ext = struct.unpack_from("<HB", segment, offset + 4)
            count += kind < 0xFF00
            offset += SLOT * (1 + ext)
    return count


def reopen(segment):
    """A sealed segment as it was before it was sealed."""
    header = bytearray(segment[:HEADER])
    header[24:28] = bytes(4)           # content
    header[40:48] = bytes(8)           # last turn
    header[72:104] = bytes(32)         # root of the segment before
    header[104:108] = bytes(4)
    header[120] |= 1                   # OPEN
    header[104:108] = struct.pack("<I", crc32c(bytes(header)))
    return bytes(header) + segment[HEADER:]


def end_of_data(segment, header, offset):
    """Behind the DATA that begins at `offset`, if any does."""
    while offset + SLOT <= SEGMENT and any(segment[offset:offset + SLOT]):
        record = Record(segment, offset, SEGMENT, header)
        if record.name != "DATA":
            break
        offset += record.bytes
    return offset


def cuts(program, path):
    """Each record boundary of the last segment, and each signal of it as an open one."""
    data = read_trace(path)
    number, header = last_segment(data)
    need(not header.open, path, "is not closed")
    before, segment = data[:number * SEGMENT], reopen(data[number * SEGMENT:])
    opened = Header(segment)
    offset, ended, open_signals = HEADER, 0, 0
    shutil.rmtree(TRACE, ignore_errors=True)
    shutil.copytree(path, TRACE)
    while offset < header.content:
        # its check was made with the number of the segment, which stays
        record = Record(segment, offset, header.content, opened)
        if record.name == "CLOSE":
            break
        behind = offset + record.bytes
        variants = [segment[:behind]]
        if record.name in ("SIGNAL", "RESUME", "REJECT"):
            in_dispatch = bytearray(segment[:end_of_data(segment, opened, behind)])
            in_dispatch[offset + 24:offset + 32] = bytes(8)
            variants.append(bytes(in_dispatch))
            open_signals += 1
        for variant in variants:
            with open(TRACE + "/trace", "wb") as file:
                file.write(before + variant + bytes(SEGMENT - len(variant)))
            if number > 0 or "PROGRAM" in written(variant, opened):
                look_at_unclosed(program, program.module)
                ended += 1
        offset = behind
    need(open_signals > 0, "no signal in the last segment")
    return ended


def spoilt(program, shim, fault, number):
    """A run of a few segments whose write `number` goes wrong; its exit code and stderr."""
    shutil.rmtree(TRACE, ignore_errors=True)
    environment = {**os.environ, "LD_PRELOAD": shim, "FAULT": fault, "FAULT_AT": str(number)}
    options = environment.get("ASAN_OPTIONS", "")
    environment["ASAN_OPTIONS"] = (options + ":verify_asan_link_order=0").lstrip(":")
    done = subprocess.run(
        [program.path, "run", "--module", program.module, "--input", "candump:short.log",
         "--trace", TRACE], env=environment, capture_output=True, timeout=BOUND_S)
    return done.returncode, done.stderr.decode(errors="replace")


def writes(program, shim):
    with open("short.log", "w", encoding="ascii") as file:
        file.writelines(map(frame, range(2600)))
    ended = 0
    for fault in ("kill", "torn", "full", "broken"):
        for number in range(1, 1000):
            code, said = spoilt(program, shim, fault, number)
            if code == 0:
                break
            ended += 1
            try:
                look_at_spoilt(program, fault, code, said)
            except Wrong as wrong:
                raise Wrong("%s at write %d: %s" % (fault, number, wrong)) from None
        need(8 < number < 999, fault, "at write", number, "and nothing came of it")
    for fault in ("short", "intr"):
        code, said = spoilt(program, shim, fault, 0)
        need(code == 0, fault, "exit", code, said)
        program(0, "verify", TRACE)
        program(0, "replay", TRACE, "--module", program.module)
        ended += 1
    return ended


def look_at_spoilt(program, fault, code, said):
    if fault in ("kill", "torn"):
        need(code == -signal.SIGKILL, "exit", code, said)
    else:
        reason = {"full": "No space left on device", "broken": "Input/output error"}[fault]
        need(code == 3 and reason in said and TRACE in said, "exit", code, said)
        if not os.path.exists(TRACE):
            return  # it could not be begun, and nothing is left of it
    if not is_closed(read_trace()):
        look_at_unclosed(program, program.module)
        return
    # all was written, and only then it could not be made sure
    program(0, "verify", TRACE)
    program(0, "replay", TRACE, "--module", program.module)


def written(segment, header):
    """Names of the texts that are whole."""
    names, left, name, offset = set(), 0, None, HEADER
    while offset + SLOT <= len(segment) and any(segment[offset:offset + SLOT]):
        record = Record(segment, offset, len(segment), header)
        if record.name in ("PROGRAM", "SCHEMA"):
            name, left = record.name, record.payload
        elif record.name == "DATA":
            left -= record.payload
        if name is not None and left == 0:
            names.add(name)
        offset += record.bytes
    return names


def main(arguments):
    seed = random.SystemRandom().randrange(2**32)
    if "--seed" in arguments:
        at = arguments.index("--seed")
        seed = int(arguments[at + 1])
        del arguments[at:at + 2]
    ways = {"kill": kill, "stop": stop, "idle": idle, "cuts": cuts, "writes": writes}
    if len(arguments) != 4 or arguments[0] not in ways:
        sys.exit(__doc__)
    print("seed=%d" % seed)
    program, dice = Program(arguments[1], arguments[2]), random.Random(seed)
    try:
        if arguments[3].isdigit():
            ended = ways[arguments[0]](program, int(arguments[3]), dice)
        else:
            ended = ways[arguments[0]](program, arguments[3])
    except Wrong as wrong:
        print("not as promised:", wrong)
        return 1
    except subprocess.TimeoutExpired as late:
        print("it hangs:", late)
        return 1
    finally:
        program.end()
    print("%d ended, all as promised" % ended)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
