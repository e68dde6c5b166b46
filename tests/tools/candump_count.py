#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""candump_count.py -- what a candump log holds, read a second time, another way.

    candump_count.py FILE          counts and a digest, as JSON
    candump_count.py --list FILE   the signals, one a line: context payload timestamp

It shares nothing with runtime/src/import/ but the text of import.h: whole lines
against regular expressions instead of a scanner.  Where the two differ, one of
them is wrong.  The digest is the SHA-256 of what --list prints.  All four kinds
are taken as known, so signals = frames + fd_frames + remote_frames + error_frames.
"""
import calendar
import hashlib
import json
import re
import sys

EXTENDED, REMOTE, ERROR = 0x80000000, 0x40000000, 0x20000000
LINE_MAX = 4096
FD_LENGTHS = {*range(9), 12, 16, 20, 24, 32, 48, 64}

B = rb"[ \t]"
HH = rb"[0-9A-Fa-f]{2}"
TIME = (rb"\((?:(?P<seconds>\d+)|(?P<date>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d))"
        rb"\.(?P<fraction>\d{1,9})\)")
NAME = rb"(?P<name>[!-~]{1,31})"
ID = rb"(?P<id>[0-9A-Fa-f]{8}|[0-9A-Fa-f]{3})"

LOG = re.compile(
    B + rb"*" + TIME + B + rb"+" + NAME + B + rb"+" + ID + rb"#(?:"
    rb"(?P<remote>[Rr](?P<dlc>[0-8])?)(?P<raw_remote>_[9A-Fa-f])?"
    rb"|\#(?P<flags>[0-9A-Fa-f])(?P<fd>(?:\.?" + HH + rb")*)"
    rb"|(?P<data>(?:" + HH + rb"(?:\.?" + HH + rb")*)?)(?P<raw_data>_[9A-Fa-f])?"
    rb")(?:" + B + rb"+[RT])?" + B + rb"*")

DISPLAY = re.compile(
    B + rb"*(?:" + TIME + B + rb"+|(?![(<]))" + NAME + B + rb"+"
    rb"(?:[TR]X" + B + rb"+(?P<brs>[B-])" + B + rb"+(?P<esi>[E-])" + B + rb"+)?" + ID + B + rb"+"
    rb"(?:\[(?P<length>\d\d?)\]|\{(?P<raw>[0-9A-Fa-f])\})"
    rb"(?:(?P<remote>" + B + rb"+remote\ request)"
    rb"|(?P<bytes>(?:" + B + rb"+" + HH + rb")*)"
    rb"(?:" + B + rb"+(?:(?P<error>ERRORFRAME)|'(?P<ascii>.*)'))?)" + B + rb"*", re.DOTALL)

CANUTILS = re.compile(
    B + rb"*<0x" + ID + rb">" + B + rb"+\[(?P<length>\d)\]"
    rb"(?:(?P<remote>" + B + rb"+remote\ request)|(?P<bytes>(?:" + B + rb"+" + HH + rb")*))"
    + B + rb"*")


class Bad(Exception):
    """This line is not taken."""


def need(condition):
    if not condition:
        raise Bad


def identify(digits):
    """Number with SocketCAN's flags, from 3 or 8 digits."""
    value = int(digits, 16)
    if len(digits) == 3:
        need(value <= 0x7FF)
        return value
    need(value <= 0x3FFFFFFF)
    return value if value & ERROR else value | EXTENDED


def when(match):
    if match["fraction"] is None:
        return None
    if match["date"] is not None:
        year, month, day, hour, minute, second = map(int, re.findall(rb"\d+", match["date"]))
        need(1970 <= year and 1 <= month <= 12)
        need(1 <= day <= calendar.monthrange(year, month)[1])
        need(hour < 24 and minute < 60 and second < 60)
        seconds = calendar.timegm((year, month, day, hour, minute, second))
    else:
        seconds = int(match["seconds"])
    ns = seconds * 10**9 + int(match["fraction"].ljust(9, b"0"))
    need(ns < 2**64)
    return ns


def read_log(match):
    ident, flags, length = identify(match["id"]), 0, 0
    if match["remote"]:
        need(not ident & ERROR)
        length = int(match["dlc"] or 0)
        need(not match["raw_remote"] or length == 8)
        return "remote_frames", ident | REMOTE, length, 0, b""
    if match["flags"]:
        need(not ident & ERROR)
        data = bytes.fromhex(match["fd"].replace(b".", b"").decode())
        need(len(data) in FD_LENGTHS)
        return "fd_frames", ident, len(data), int(match["flags"], 16), data
    data = bytes.fromhex(match["data"].replace(b".", b"").decode())
    need(len(data) <= 8 and (not match["raw_data"] or len(data) == 8))
    return ("error_frames" if ident & ERROR else "frames"), ident, len(data), flags, data


def read_display(match, canutils=False):
    ident, flags = identify(match["id"]), 0
    need(not (canutils and ident & ERROR))
    sort = "error_frames" if ident & ERROR else "frames"
    groups = match.groupdict()
    if groups.get("raw"):
        length = min(8, int(match["raw"], 16))
    else:
        length = int(match["length"])
        if len(match["length"]) == 2:
            need(sort == "frames" and length in FD_LENGTHS)
            sort = "fd_frames"
            flags = (groups["brs"] == b"B") | (groups["esi"] == b"E") << 1
        else:
            need(length <= 8)
    if match["remote"]:
        need(sort == "frames")
        return "remote_frames", ident | REMOTE, length, 0, b""
    data = bytes.fromhex(match["bytes"].decode().replace("\t", " "))
    need(len(data) == length)
    need(not groups.get("error") or sort == "error_frames")
    if groups.get("ascii") is not None:
        need(groups["ascii"] == bytes(c if 0x20 <= c < 0x7F else ord(".") for c in data))
    return sort, ident, length, flags, data


class Log:
    def __init__(self):
        self.count = dict.fromkeys(
            "lines signals skipped bad no_handler timed clock_backward "
            "frames fd_frames remote_frames error_frames interfaces".split(), 0)
        self.names, self.header = [], b"can0"
        self.newest, self.after_error = None, False
        self.signals = []

    def frame(self, line):
        if match := LOG.fullmatch(line):
            sort, ident, length, flags, data = read_log(match)
        elif match := DISPLAY.fullmatch(line):
            sort, ident, length, flags, data = read_display(match)
        elif match := CANUTILS.fullmatch(line):
            sort, ident, length, flags, data = read_display(match, canutils=True)
        else:
            raise Bad
        groups = match.groupdict()
        time = when(match) if "fraction" in groups else None
        name = groups.get("name", self.header)
        if name not in self.names:
            need(len(self.names) < 64)
            self.names.append(name)
        if time is not None:
            self.count["timed"] += 1
            self.count["clock_backward"] += self.newest is not None and time < self.newest
            self.newest = time
        context = ident | length << 32 | self.names.index(name) << 40 | flags << 56
        payload = int.from_bytes(data[:8], "little")
        self.signals.append(b"%d %d %d\n" % (context, payload, time or 0))
        self.count[sort] += 1
        self.count["signals"] += 1
        self.after_error = sort == "error_frames"

    def line(self, line):
        explains, self.after_error = self.after_error, False
        need(len(line) <= LINE_MAX)
        line = line.rstrip(b"\r")
        bare = line.lstrip(b" \t")
        if line.startswith(b"\t") and explains:
            self.after_error = True
        elif bare.startswith(b"#"):
            need(b"\0" not in bare)
        elif match := re.match(rb"interface = ([!-+\--~]*)", bare):
            need(1 <= len(match[1]) <= 31)
            self.header = match[1]
        elif bare:
            self.frame(line)
            return
        self.count["skipped"] += 1

    def read(self, content):
        lines = content.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        for number, line in enumerate(lines):
            self.count["lines"] += 1
            if number == 0 and len(line) <= LINE_MAX and line.startswith(b"\xef\xbb\xbf"):
                line = line[3:]
            try:
                self.line(line)
            except Bad:
                self.count["bad"] += 1
        self.count["interfaces"] = len(self.names)


def main(arguments):
    listing = arguments[:1] == ["--list"]
    if len(arguments) != 1 + listing:
        sys.exit(__doc__)
    log = Log()
    with open(arguments[-1], "rb") as file:
        log.read(file.read())
    text = b"".join(log.signals)
    if listing:
        sys.stdout.buffer.write(text)
    else:
        print(json.dumps({**log.count, "sha256": hashlib.sha256(text).hexdigest()}))


main(sys.argv[1:])
