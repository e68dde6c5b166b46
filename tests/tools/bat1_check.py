#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bat1_check.py NAME.bitrace -- read a trace by docs/trace-format.md alone.

Nothing of BitActor is used: the CRC32C is in here, BLAKE3 is the program b3sum.
Prints how many records of each kind there are, then one line:

    closed: 120 records, 97 compared, 2 segments          exit 0
    not closed: ... [, the last one open]                 exit 1
    segment 3, offset 1152: what is wrong                 exit 1
"""
import re
import struct
import subprocess
import sys
import uuid as uuids

SEGMENT, CHUNK, SLOT, HEADER = 65536, 1024, 32, 128
FIELDS, HAS_DATA, ZERO_TICK, FAILED, MEASURED, WRITTEN, OUTSIDE = 1, 2, 8, 16, 32, 64, 128
FAR = 0xFFFFFFFF
NAMES = {
    0xFF00: "TURN", 0xFF01: "TIMER", 0xFF02: "RANDOM", 0xFF03: "SPAWN", 0xFF04: "STOP",
    0xFF05: "REGISTER", 0xFF06: "SCHEMA", 0xFF07: "REJECT", 0xFF08: "ZERO", 0xFF09: "DROP",
    0xFF0A: "RETRY", 0xFF0B: "DEAD", 0xFF0C: "QUARANTINE", 0xFF0D: "ABANDON", 0xFF0E: "FAULT",
    0xFF0F: "OUTPUT", 0xFF10: "CHECKPOINT", 0xFF11: "GAP", 0xFF12: "RECOVERED", 0xFF13: "LINK",
    0xFF14: "KEY", 0xFF15: "CLOSE", 0xFF16: "DATA", 0xFF17: "PROGRAM", 0xFF18: "RESUME",
    0xFF19: "ADMIT", 0xFF1A: "RESTART",
    0xFF80: "TIMING", 0xFF81: "OVERRUN", 0xFF82: "WALL", 0xFF83: "STATS", 0xFFFF: "PAD",
}
TEXTS = ("SCHEMA", "PROGRAM", "STATS", "OUTPUT", "ADMIT")  # payload is the number of data bytes
ALWAYS_MEASURED = ("TIMING", "OVERRUN", "WALL", "STATS")
OWN_SLOTS = {"REJECT": 1, "OVERRUN": 1, "RETRY": 1, "TIMER": 1}
ASKED_FOR = ("TIMER", "SPAWN", "STOP", "REGISTER")  # from outside, or by a dispatch
FOLLOW = ("OUTPUT", "DEAD", "QUARANTINE", "ABANDON", "FAULT", "RESTART")
CAUSED = ("SIGNAL", "REJECT", "RETRY", "RESUME", "ZERO") + ASKED_FOR + FOLLOW
MAY = {"SIGNAL": FIELDS | HAS_DATA | ZERO_TICK | FAILED | OUTSIDE, "RESUME": FAILED,
       "REJECT": FIELDS | HAS_DATA | OUTSIDE, "SCHEMA": HAS_DATA, "PROGRAM": HAS_DATA,
       "RETRY": FIELDS | HAS_DATA | FAILED | OUTSIDE, "TIMER": FIELDS | OUTSIDE,
       "SPAWN": OUTSIDE, "STOP": OUTSIDE, "REGISTER": OUTSIDE, "ZERO": OUTSIDE,
       "ADMIT": HAS_DATA, "OUTPUT": HAS_DATA, "STATS": HAS_DATA | MEASURED, "DATA": MEASURED,
       "TIMING": MEASURED, "OVERRUN": MEASURED, "WALL": MEASURED}


class Broken(Exception):
    pass


def crc_table():
    table = []
    for state in range(256):
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
        table.append(state)
    return table


TABLE = crc_table()


def crc32c(data):
    state = 0xFFFFFFFF
    for byte in data:
        state = state >> 8 ^ TABLE[(state ^ byte) & 255]
    return state ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


def blake3(data):
    done = subprocess.run(["b3sum", "--no-names"], input=data, capture_output=True, check=True)
    return bytes.fromhex(done.stdout.decode().split()[0])


class Header:
    def __init__(self, data):
        (magic, self.uuid, stream, content, packet, self.begin, self.end, self.segment,
         self.first_seq, _, self.prev_root, crc, self.version, _, _, incompat, self.schema,
         flags, reserved) = struct.unpack("<I16sIIIQQQQQ32sIBBBBQII", data[:HEADER])
        if magic != 0xC1FC1FC1:
            raise Broken("wrong magic")
        if crc != crc32c(data[:104] + bytes(4) + data[108:HEADER]):
            raise Broken("header CRC")
        if self.version != 1 or incompat != 0:
            raise Broken("a version or feature not known here")
        self.open = flags == 1
        self.content = content // 8
        if stream or reserved or flags > 1 or packet != SEGMENT * 8:
            raise Broken("a field of the header has not its fixed value")
        if self.open and (content or self.end or any(self.prev_root)):
            raise Broken("an open header says what only a sealed one can")
        if not self.open and (content % 256 or not HEADER <= self.content <= SEGMENT):
            raise Broken("content size")


class Record:
    """The record at `offset`; `matches` says whether its check does."""

    def __init__(self, data, offset, limit, header):
        (self.turn_lo, self.kind, ext, self.flags, self.actor, self.cause, self.payload,
         self.effect, self.check) = struct.unpack_from("<IHBBIIQII", data, offset)
        self.bytes = SLOT * (1 + ext)
        if not self.flags & WRITTEN or self.flags & 4:
            raise Broken("flags")
        if offset % CHUNK + self.bytes > CHUNK or offset + self.bytes > limit:
            raise Broken("it crosses a chunk, or the end")
        whole = data[offset:offset + self.bytes]
        covered = (header.uuid + struct.pack("<QI", header.segment, offset // SLOT) +
                   whole[:28] + bytes(4) + whole[32:])
        self.matches = crc32c(covered) == self.check
        self.open = not self.matches and self.effect == 0 and self.check == 0
        if not self.matches and not self.open:
            raise Broken("check")
        self.name = "SIGNAL" if self.kind < 0xFF00 else NAMES.get(self.kind)
        if self.name is None:
            raise Broken("kind")
        self.take_slots(whole)

    def take_slots(self, whole):
        at, self.data_bytes, self.cause_seq = SLOT, 0, None
        if self.flags & FIELDS:
            self.data_bytes, = struct.unpack_from("<I", whole, at + 20)
            if any(whole[at + 26:at + 32]):
                raise Broken("FIELDS does not end in zeros")
            at += SLOT
        if self.cause == FAR:
            self.cause_seq, = struct.unpack_from("<Q", whole, at)
            at += SLOT
        self.own = whole[at:]
        own_slots = len(self.own) // SLOT
        if self.name == "PAD":
            if any(whole[8:28]) or any(whole[32:]):
                raise Broken("PAD is not zero")
        elif self.name == "DATA":
            if own_slots != (self.payload + SLOT - 1) // SLOT or self.payload == 0:
                raise Broken("length of DATA")
            if any(self.own[self.payload:]) or self.cause != 0:
                raise Broken("DATA does not end in zeros, or has a cause")
        elif own_slots != OWN_SLOTS.get(self.name, 0):
            raise Broken("own slots")

    def compared(self):
        return self.name not in ("PAD", "DATA") and not self.flags & MEASURED


class Walk:
    """What must hold from one record to the next."""

    def __init__(self):
        self.seq = self.turn = self.records = self.compared = 0
        self.counts = {}
        self.left, self.number, self.measured = 0, 0, False
        self.closed = self.open = self.turned = False
        self.texts, self.text = {}, None
        self.registered, self.fibers = set(), False

    def take(self, record, header, kinds):
        forward = (record.turn_lo - self.turn) & 0xFFFFFFFF
        if self.closed or (self.open and record.name not in ("PAD", "DATA")):
            raise Broken("a record follows CLOSE or an open one")
        if forward >= 1 << 31 or (not header.open and self.turn + forward > header.end):
            raise Broken("turn")
        self.turn += forward
        flags = record.flags & ~WRITTEN
        if flags & ~MAY.get(record.name, 0):
            raise Broken("flags")
        if record.name in ALWAYS_MEASURED and not flags & MEASURED:
            raise Broken("not MEASURED")
        if record.name == "DATA":
            self.take_data(record)
        elif record.name != "PAD":
            self.take_head(record, header, kinds)
        if record.open and record.name not in ("SIGNAL", "REJECT", "RETRY", "RESUME"):
            raise Broken("it is open")
        self.open = self.open or record.open
        if not record.open:
            self.records += 1
            self.counts[record.kind] = self.counts.get(record.kind, 0) + 1
            self.compared += record.compared()
        self.seq += record.compared()

    def take_data(self, record):
        if self.left < record.payload or record.actor != self.number:
            raise Broken("DATA that does not belong here")
        if bool(record.flags & MEASURED) != self.measured:
            raise Broken("DATA is not measured as its head")
        self.left -= record.payload
        self.number += 1
        if self.text is not None:
            self.texts[self.text] += record.own[:record.payload]

    def take_head(self, record, header, kinds):
        name = record.name
        if self.left:
            raise Broken("DATA is missing before it")
        length = record.payload if name in TEXTS else record.data_bytes
        if bool(record.flags & HAS_DATA) != (length > 0):
            raise Broken("HAS_DATA")
        self.left, self.number, self.text = length, 0, None
        self.measured = bool(record.flags & MEASURED)
        self.take_cause(record)
        if name == "SIGNAL":
            if header.schema and record.kind not in kinds:
                raise Broken("a kind that metadata does not name")
            if not header.schema and not self.fibers and record.kind not in self.registered:
                raise Broken("a kind that nobody registered")
        elif name == "REGISTER":
            self.registered.add(record.actor)
            gone = record.payload == 2 ** 64 - 1
            self.fibers = self.fibers or not gone and bool(record.payload >> 32 & 1)
        elif name in ("SCHEMA", "PROGRAM"):
            if self.turned or name in self.texts:
                raise Broken("it comes too late, or twice")
            self.text, self.texts[name] = name, b""
        elif name == "TURN":
            self.turned = True
        elif name == "CLOSE":
            if record.payload != self.seq:
                raise Broken("CLOSE counts otherwise")
            self.closed = True

    def take_cause(self, record):
        distance = record.name in CAUSED
        if record.flags & OUTSIDE or not distance:
            if record.cause == FAR:
                raise Broken("cause")
        elif record.cause == FAR:
            if not FAR <= self.seq - record.cause_seq <= self.seq:
                raise Broken("CAUSE slot")
        elif not 1 <= record.cause <= self.seq:
            raise Broken("cause")


def read_metadata(path):
    with open(path + "/metadata", encoding="ascii") as file:
        text = file.read()
    name = re.search(r'uuid = "([0-9a-f-]+)"', text).group(1)
    events = re.findall(r'^event \{ id = (\d+); name = "([^"]+)"; stream_id = 0; fields', text,
                        re.M)
    return uuids.UUID(name).bytes, {int(number): event for number, event in events}


class Trace:
    def __init__(self, path):
        self.uuid, self.kinds = read_metadata(path)
        with open(path + "/trace", "rb") as file:
            self.data = file.read()
        self.walk, self.first = Walk(), None
        self.segments, self.place = 0, (0, 0)

    def check_header(self, number, header):
        walk = self.walk
        if walk.closed:
            raise Broken("a segment follows CLOSE")
        if header.segment != number or header.uuid != self.uuid:
            raise Broken("another segment, or another trace's")
        if header.first_seq != walk.seq or header.begin < walk.turn:
            raise Broken("first_seq or turn of the header")
        if self.first is None:
            self.first = header
        if header.schema != self.first.schema:
            raise Broken("another schema")
        walk.turn = header.begin
        self.segments += 1

    def read_segment(self, number):
        """False: an unclosed trace ends in this segment."""
        data = self.data[number * SEGMENT:(number + 1) * SEGMENT]
        self.place = (number, 0)
        if number > 0 and not self.walk.closed and not any(self.data[number * SEGMENT:]):
            return False
        header = Header(data + bytes(HEADER))
        self.check_header(number, header)
        limit = min(len(data), SEGMENT if header.open else header.content)
        offset = HEADER
        while offset + SLOT <= limit:
            self.place = (number, offset)
            if not any(data[offset:offset + SLOT]):
                break
            record = Record(data, offset, limit, header)
            if record.open and not header.open:
                raise Broken("an open record in a sealed segment")
            self.walk.take(record, header, self.kinds)
            offset += record.bytes
        self.place = (number, offset)
        if header.open:
            self.zeros(number, offset, len(self.data) - number * SEGMENT)
            return False
        if offset != header.content:
            raise Broken("its records end before its content")
        self.zeros(number, offset, SEGMENT)
        self.check_root(number, data)
        return True

    def zeros(self, number, offset, end):
        rest = self.data[number * SEGMENT + offset:number * SEGMENT + end]
        if any(rest):
            self.place = (number, offset + len(rest) - len(rest.lstrip(b"\0")))
            raise Broken("a byte behind the last record is not zero")

    def check_root(self, number, data):
        self.head = blake3(data)
        try:
            following = Header(self.data[(number + 1) * SEGMENT:][:HEADER])
        except (Broken, struct.error):
            return  # its own turn comes
        if not following.open and following.prev_root != self.head:
            self.place = (number, 0)
            raise Broken("its root is not what the next header holds")

    def read(self):
        if not self.data:
            raise Broken("the file is empty")
        number = 0
        while number * SEGMENT < len(self.data) and self.read_segment(number):
            number += 1
        self.place = (len(self.data) // SEGMENT, len(self.data) % SEGMENT)
        if len(self.data) % SEGMENT:
            raise Broken("the file ends inside a segment")
        schema = self.walk.texts.get("SCHEMA")
        if schema is not None and not self.walk.left:
            if struct.unpack("<Q", blake3(schema)[:8])[0] != self.first.schema:
                raise Broken("the headers name another schema")


def main(path):
    trace = Trace(path)
    try:
        trace.read()
    except Broken as broken:
        print("segment %d, offset %d: %s" % (*trace.place, broken))
        return 1
    walk = trace.walk
    for kind in sorted(walk.counts):
        print("%8d  %5d  %s" % (walk.counts[kind], kind, trace.kinds.get(kind, "")))
    if walk.closed:
        print("head:", trace.head.hex())
    print("%s: %d records, %d compared, %d segments%s" % (
        "closed" if walk.closed else "not closed", walk.records, walk.compared, trace.segments,
        ", the last one open" if walk.open else ""))
    return 0 if walk.closed else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
