#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""spoil_trace.py PROGRAM MODULE TRACE WHAT COUNT [--seed N] -- spoil a closed trace, ask verify.

    flip      one random bit of `trace` or `metadata`
    cut       `trace` made shorter, to a random length

Each time verify must exit with 1 and name the place: of a flip the segment and the very
record (or header, or byte behind the records), of a cut the segment in which the file
ends or, at the end of a segment, the last seq that is left.  Now and then show and
replay get it too; they must not crash.  TRACE is spoilt in place and made good again.
Prints seed= first, and closes with "N spoilt, N found", or exits 1.
"""
import json
import os
import random
import struct
import subprocess
import sys

SEGMENT, HEADER = 65536, 128
BOUND_S = 60


class Missed(Exception):
    pass


def need(condition, *what):
    if not condition:
        raise Missed(" ".join(map(str, what)))


def call(*arguments):
    done = subprocess.run(arguments, capture_output=True, timeout=BOUND_S)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


class Spoiler:
    def __init__(self, program, module, trace, dice):
        self.program, self.module, self.trace, self.dice = program, module, trace, dice
        self.size = {name: os.path.getsize(trace + "/" + name) for name in ("trace", "metadata")}
        with open(trace + "/trace", "rb") as file:
            self.whole = file.read()
        self.kinds = dict.fromkeys(("header", "record", "behind", "metadata", "boundary",
                                    "inside"), 0)

    def verify(self):
        code, said, error = call(self.program, "verify", self.trace, "--json")
        need(code == 1, "verify: exit", code, error)
        return json.loads(said), error

    def others(self):
        """They need not find it, but they must end by themselves."""
        if self.dice.random() < .1:
            code, _, error = call(self.program, "show", "--all", self.trace)
            need(code in (0, 1, 2), "show: exit", code, error)
            code, _, error = call(self.program, "replay", self.trace, "--module", self.module)
            need(code in (0, 1, 2), "replay: exit", code, error)

    # ---- a bit ----

    def flip(self):
        name = self.dice.choices(("trace", "metadata"), (7, 1))[0]
        at = self.dice.randrange(self.size[name])
        if name == "trace" and self.dice.random() < .1:
            at = at // SEGMENT * SEGMENT + self.dice.randrange(HEADER)
        bit = 1 << self.dice.randrange(8)
        with open(self.trace + "/" + name, "r+b") as file:
            file.seek(at)
            old = file.read(1)
            file.seek(at)
            file.write(bytes([old[0] ^ bit]))
            file.flush()
            try:
                self.check_flip(name, at)
            except Missed as missed:
                raise Missed("%s, byte %d, bit 0x%02x: %s" % (name, at, bit, missed)) from None
            finally:
                file.seek(at)
                file.write(old)

    def check_flip(self, name, at):
        found, error = self.verify()
        need(found["status"] == "CORRUPT", found)
        need(found["bad_file"] == name, "it names", found["bad_file"])
        if name == "metadata":
            self.kinds[name] += 1
            need(found["bad_offset"] == at, "it names byte", found["bad_offset"])
            need("metadata" in error and str(at) in error, "it says", error)
        else:
            segment, inside = divmod(at, SEGMENT)
            place = found["bad_offset"]
            need(found["bad_segment"] == segment, "it names segment", found["bad_segment"])
            need("segment %d, offset %d, seq %d" % (segment, place, found["bad_seq"]) in error,
                 "it says", error)
            if inside < HEADER:
                self.kinds["header"] += 1
                need(place == 0, "it names offset", place)
            else:
                content = self.content(segment)
                self.kinds["record" if inside < content else "behind"] += 1
                need(place == (inside if inside >= content else self.record(segment, inside)),
                     "it names offset", place)
        self.others()

    def content(self, segment):
        return struct.unpack_from("<I", self.whole, segment * SEGMENT + 24)[0] // 8

    def record(self, segment, inside):
        """Where the record begins that has this byte."""
        offset, behind = HEADER, HEADER
        while behind <= inside:
            offset = behind
            behind += 32 * (1 + self.whole[segment * SEGMENT + offset + 6])
        return offset

    # ---- a cut ----

    def cut(self):
        size = self.size["trace"]
        length = self.dice.randrange(size)
        where = self.dice.random()
        if where < .1:
            length -= length % SEGMENT
        elif where < .3:
            length -= length % 32
        path = self.trace + "/trace"
        os.truncate(path, length)
        try:
            self.check_cut(length)
        except Missed as missed:
            raise Missed("cut to %d bytes: %s" % (length, missed)) from None
        finally:
            with open(path, "wb") as file:
                file.write(self.whole)

    def check_cut(self, length):
        found, error = self.verify()
        segment, inside = divmod(length, SEGMENT)
        need(found["closed"] is False, found)
        if inside == 0 and segment > 0:
            self.kinds["boundary"] += 1
            first_seq, = struct.unpack_from("<Q", self.whole, length + 56)
            need("not closed, valid to seq %d\n" % (first_seq - 1) in error, "it says", error)
        else:
            self.kinds["inside"] += 1
            need(found["status"] == "CORRUPT" and found["bad_file"] == "trace", found)
            need(found["bad_segment"] == segment and found["bad_offset"] <= inside,
                 "it names", found["bad_segment"], found["bad_offset"])
            need("segment %d, offset %d" % (segment, found["bad_offset"]) in error,
                 "it says", error)
        self.others()


def main(arguments):
    seed = random.SystemRandom().randrange(2**32)
    if "--seed" in arguments:
        at = arguments.index("--seed")
        seed = int(arguments[at + 1])
        del arguments[at:at + 2]
    if len(arguments) != 5 or arguments[3] not in ("flip", "cut"):
        sys.exit(__doc__)
    print("seed=%d" % seed)
    program, module, trace, what, count = arguments
    spoiler = Spoiler(program, module, trace.rstrip("/"), random.Random(seed))
    try:
        for _ in range(int(count)):
            getattr(spoiler, what)()
        code, _, error = call(program, "verify", trace)
        need(code == 0, "made good again, and still:", error)
    except (Missed, subprocess.TimeoutExpired, ValueError) as missed:
        print("missed:", missed)
        return 1
    print(", ".join("%s %d" % item for item in spoiler.kinds.items() if item[1]))
    print("%s spoilt, %s found" % (count, count))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
