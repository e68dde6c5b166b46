#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""can_monitor_check.py -- what the module can_monitor should find, computed a second time.

    can_monitor_check.py [--set NAME=N ...] LOG               what is in LOG, as JSON
    can_monitor_check.py [--set NAME=N ...] --compare REPORT LOG
                                   the module's report (a file, or - for standard input)
                                   against that: exit 0 and a count, or 1 and the differences
    can_monitor_check.py --storm SEED [FRAMES]
                                   a made-up log of buses full of faults; the same for the
                                   same seed

It shares nothing with the module but the text of modules/can_monitor/README.md and the
published definitions of the messages (canboat, docs/canboat.json 8.0.0-beta3).  It keeps
every gap in a list where the module keeps counters, and it decodes with fractions of a
unit where the module has tables of integers.  Where the two differ, one is wrong.
"""
import json
import random
import re
import sys
from collections import defaultdict

EXTENDED, REMOTE, ERROR = 0x80000000, 0x40000000, 0x20000000

RULES = {
    "learn_ms": 5000, "learn_frames": 1000, "learn_gaps": 8, "late_percent": 150,
    "missing_periods": 5, "stuck_frames": 100, "calm_frames": 4, "quiet_frames": 100,
}

# ---- the messages: name, first bit, bits, unit of the wire, signed -------------------
# A unit of None marks a code; its last column says whether it tells series apart.

MESSAGES = {
    126992: ("time", [("clock", 8, 4, None, True), ("date", 16, 16, 1, False),
                      ("time", 32, 32, 1e-4, False)]),
    127245: ("rudder", [("instance", 0, 8, None, True), ("direction_order", 8, 3, None, False),
                        ("angle_order", 16, 16, 1e-4, True), ("position", 32, 16, 1e-4, True)]),
    127250: ("heading", [("heading", 8, 16, 1e-4, False), ("deviation", 24, 16, 1e-4, True),
                         ("variation", 40, 16, 1e-4, True), ("reference", 56, 2, None, True)]),
    127251: ("rate_of_turn", [("rate", 8, 32, 3.125e-8, True)]),
    127257: ("attitude", [("yaw", 8, 16, 1e-4, True), ("pitch", 24, 16, 1e-4, True),
                          ("roll", 40, 16, 1e-4, True)]),
    127258: ("variation", [("method", 8, 4, None, True), ("age_of_service", 16, 16, 1, False),
                           ("variation", 32, 16, 1e-4, True)]),
    128259: ("speed", [("water", 8, 16, 0.01, False), ("ground", 24, 16, 0.01, False),
                       ("sensor", 40, 8, None, True), ("direction", 48, 4, None, False)]),
    128267: ("depth", [("depth", 8, 32, 0.01, False), ("offset", 40, 16, 0.001, True),
                       ("range", 56, 8, 10, False)]),
    129025: ("position", [("latitude", 0, 32, 1e-7, True), ("longitude", 32, 32, 1e-7, True)]),
    129026: ("cog_sog", [("reference", 8, 2, None, True), ("cog", 16, 16, 1e-4, False),
                         ("sog", 32, 16, 0.01, False)]),
    129033: ("time", [("date", 0, 16, 1, False), ("time", 16, 32, 1e-4, False),
                      ("local_offset", 48, 16, 1, True)]),
    129539: ("dop", [("desired_mode", 8, 3, None, False), ("actual_mode", 11, 3, None, False),
                     ("hdop", 16, 16, 0.01, True), ("vdop", 32, 16, 0.01, True),
                     ("tdop", 48, 16, 0.01, True)]),
    130306: ("wind", [("speed", 8, 16, 0.01, False), ("angle", 24, 16, 1e-4, False),
                      ("reference", 40, 3, None, True)]),
    130310: ("environment", [("temperature", 8, 16, 0.01, False), ("outside", 24, 16, 0.01, False),
                             ("pressure", 40, 16, 1, False)]),
    130311: ("environment", [("temperature_source", 8, 6, None, True),
                             ("humidity_source", 14, 2, None, True),
                             ("temperature", 16, 16, 0.01, False),
                             ("humidity", 32, 16, 0.004, True), ("pressure", 48, 16, 1, False)]),
    130312: ("temperature", [("instance", 8, 8, None, True),
                             ("temperature_source", 16, 8, None, True),
                             ("actual", 24, 16, 0.01, False), ("set", 40, 16, 0.01, False)]),
    130316: ("temperature", [("instance", 8, 8, None, True),
                             ("temperature_source", 16, 8, None, True),
                             ("actual", 24, 24, 0.001, False), ("set", 48, 16, 0.1, False)]),
}

# What the signals of a kind have: values, and codes that tell series apart.
KINDS = defaultdict(lambda: {"values": set(), "codes": set()})
for _kind, _fields in MESSAGES.values():
    for _name, _from, _bits, _unit, _last in _fields:
        if _unit is not None:
            KINDS[_kind]["values"].add(_name)
        elif _last:
            KINDS[_kind]["codes"].add(_name)

FAST = {
    126983, 126984, 126985, 126986, 126987, 126988, 126996, 126998, 127233, 127237, 127489,
    127490, 127491, 127494, 127495, 127496, 127497, 127498, 127503, 127504, 127506, 127507,
    127509, 127510, 127511, 127512, 127513, 127514, 128275, 128520, 128538, 129029, 129038,
    129039, 129040, 129041, 129044, 129045, 129284, 129285, 129301, 129302, 129538, 129540,
    129541, 129542, 129545, 129547, 129549, 129551, 129556, *range(129792, 129817), 130052,
    130053, 130054, 130060, 130061, *range(130064, 130075), 130320, 130321, 130322, 130323,
    130324, 130329, 130330, *range(130561, 130576), 130577, 130578, 130580, 130581, 130583,
    130584, 130586,
}


def group_of(word):
    destination_or_group = word >> 8 & 0x3FFFF
    if word >> 16 & 0xFF < 240:
        return destination_or_group & ~0xFF
    return destination_or_group


def is_fast(pgn):
    """0x1ED00..0x1EFFF and 0x1FF00..0x1FFFF all are, in between it is the message's own."""
    return 0x1ED00 <= pgn <= 0x1EFFF or 0x1FF00 <= pgn <= 0x1FFFF or pgn in FAST


# ---- reading -------------------------------------------------------------------------

LOG_FORM = re.compile(r"\((\d+)\.(\d{1,9})\)\s+(\S+)\s+([0-9A-Fa-f]{8}|[0-9A-Fa-f]{3})#(.*)")
DISPLAY = re.compile(r"(?:\((\d+)\.(\d{1,9})\)\s+)?(\S+)\s+([0-9A-Fa-f]{8}|[0-9A-Fa-f]{3})\s+"
                     r"\[(\d+)\]\s*(remote request|(?:[0-9A-Fa-f]{2}\s*)*)(?:ERRORFRAME|'.*')?")
CANUTILS = re.compile(r"<0x([0-9a-f]{8}|[0-9a-f]{3})>\s+\[(\d)\]\s*((?:[0-9a-f]{2}\s*)*)")


class Frame:
    def __init__(self, when_ns, interface, digits, data, form="data", length=None):
        self.when_ns, self.interface, self.data, self.form = when_ns, interface, data, form
        self.length = len(data) if length is None else length
        self.word = int(digits, 16)
        if len(digits) == 8 and self.word & ERROR:
            self.form = "error"
        elif len(digits) == 8:
            self.word |= EXTENDED
        if self.form == "remote":
            self.word |= REMOTE

    @property
    def first_eight(self):
        return self.data[:8].ljust(8, b"\0")


def to_ns(seconds, fraction):
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0"))


def read_frames(path):
    numbers = {}
    with open(path, encoding="latin-1", newline=None) as file:
        for line in map(str.strip, file):
            if match := LOG_FORM.fullmatch(line):
                seconds, fraction, name, digits, rest = match.groups()
                form, length = "data", None
                if rest[:1] in "rR" and rest:
                    form, data, length = "remote", b"", int(rest[1:] or 0)
                elif rest[:1] == "#":
                    form, data = "fd", bytes.fromhex(rest[2:].replace(".", ""))
                else:
                    data = bytes.fromhex(rest.replace(".", ""))
                when = to_ns(seconds, fraction)
            elif match := CANUTILS.fullmatch(line):
                digits, length, octets = match.groups()
                name, when, form, data, length = "", 0, "data", bytes.fromhex(octets), int(length)
            elif match := DISPLAY.fullmatch(line):
                seconds, fraction, name, digits, length, octets = match.groups()
                remote = octets.startswith("remote")
                form, length = "remote" if remote else "data", int(length)
                data = b"" if remote else bytes.fromhex(octets)
                when = to_ns(seconds, fraction) if seconds else 0
            else:
                continue
            yield Frame(when, numbers.setdefault(name, len(numbers)), digits, data, form, length)


# ---- decoding ------------------------------------------------------------------------

def bits_of(data, first, count):
    """Bit by bit, the lowest first; None when the frame ends before."""
    if first + count > 8 * len(data):
        return None
    picked = [data[at // 8] >> at % 8 & 1 for at in range(first, first + count)]
    return sum(bit * 2**place for place, bit in enumerate(picked))


def value_of(data, first, count, unit, signed):
    raw = bits_of(data, first, count)
    if raw is None:
        return None
    top = 2 ** (count - 1 if signed else count)
    if top - 3 <= raw < top:
        return None
    if raw >= top:
        raw -= 2 * top
    return raw * unit


class Value:
    def __init__(self):
        self.seen, self.absent = [], 0

    def add(self, value):
        if value is None:
            self.absent += 1
        else:
            self.seen.append(value)

    def summary(self):
        numbers = {"known": len(self.seen), "absent": self.absent}
        if self.seen:
            numbers.update(latest=self.seen[-1], first=self.seen[0], min=min(self.seen),
                           max=max(self.seen), sum=sum(self.seen))
        return numbers


def decode(frame, decoded, values, listed):
    kind, fields = MESSAGES[group_of(frame.word)]
    decoded["nmea." + kind] += 1
    codes = dict.fromkeys(KINDS[kind]["codes"], 0)
    numbers = dict.fromkeys(KINDS[kind]["values"])
    for name, first, count, unit, last in fields:
        if unit is not None:
            numbers[name] = value_of(frame.data, first, count, unit, last)
        elif last:
            codes[name] = bits_of(frame.data, first, count) or 0
    series = (kind, frame.word & 0xFF, frame.interface, tuple(sorted(codes.items())))
    if series not in listed and len(listed) == 256:
        return
    listed.add(series)
    for name, number in numbers.items():
        values[name, series].add(number)


# ---- learning and judging ------------------------------------------------------------

class Identifier:
    def __init__(self, frame):
        self.frame, self.word, self.interface = frame, frame.word, frame.interface
        self.frames = self.late_gaps = self.calm = self.changes = 0
        self.last = self.epoch = self.row = None
        self.gaps, self.learned_gaps, self.rhythm = [], [], "learning"
        self.late_over = self.missing_over = None
        self.typical = None
        self.longest_row = 0
        self.raised = set()
        nmea = frame.form == "data" and self.word & EXTENDED
        self.pgn = group_of(self.word) if nmea else None
        self.fast = nmea and self.pgn not in MESSAGES and is_fast(self.pgn)

    @property
    def meaning(self):
        if self.pgn in MESSAGES:
            return "decoded"
        return "fast_packet" if self.fast else "other"

    def content(self, frame):
        """What can be stuck, or None."""
        if self.fast or self.frame.form == "remote" or self.frame.length > 8:
            return None
        if self.pgn in MESSAGES:
            padded = frame.first_eight
            return tuple(bits_of(padded, first, count)
                         for _, first, count, _, _ in MESSAGES[self.pgn][1])
        return frame.first_eight

    def settle(self):
        newest = self.learned_gaps[-16:]
        median = sorted(newest)[len(newest) // 2]
        near = [gap for gap in newest if median // 2 <= gap <= 3 * median // 2]
        longest, total = max(self.learned_gaps), sum(self.learned_gaps)
        self.typical, self.rhythm = median, "sporadic"
        if median > 0 and 4 * len(near) >= 3 * len(newest) \
                and total <= 2 * median * len(self.learned_gaps):
            self.rhythm = "steady"
            self.late_over = median * 10 * RULES["late_percent"]
            self.missing_over = median * 1000 * RULES["missing_periods"]
        elif longest * len(self.learned_gaps) <= 4 * total:
            self.rhythm = "uneven"
            self.missing_over = longest * 1000 * RULES["missing_periods"]
        else:
            self.learned_gaps = []


class Monitor:
    def __init__(self):
        self.identifiers, self.interfaces = {}, {}
        self.order = []
        self.now = self.stepped = self.epoch = self.backward = self.timed = self.frames = 0
        self.turn = 0
        self.alarms = {what: {"raised": 0, "cleared": 0, "first": "-"}
                       for what in ("missing", "late", "stuck", "new", "error", "full")}
        self.unlisted = 0
        self.decoded, self.values, self.listed = defaultdict(int), defaultdict(Value), set()

    def alarm(self, what, over=False):
        count = self.alarms[what]
        if over:
            count["cleared"] += 1
            return
        if count["raised"] == 0 and self.when:
            count["first"] = f"{self.when // 10**9}.{self.when % 10**9 // 1000:06}"
        count["raised"] += 1

    def hear(self, frame):
        self.when = frame.when_ns
        self.frames += 1
        self.tick(frame)
        interface = self.interfaces.setdefault(frame.interface, defaultdict(int))
        self.hear_interface(interface, frame)
        if frame.form == "error":
            self.error(interface, frame)
        else:
            identifier = self.recognise(interface, frame)
            if identifier is not None:
                identifier.frames += 1
                self.gap(identifier, frame)
                self.data(identifier, frame)
                if identifier.pgn in MESSAGES:
                    decode(frame, self.decoded, self.values, self.listed)
            self.calm(interface)
        if frame.when_ns:
            self.look_round()

    def tick(self, frame):
        if not frame.when_ns:
            return
        if frame.when_ns < self.now:
            self.backward += 1
            if self.now - frame.when_ns >= 10**9:
                self.epoch += 1
                self.stepped = frame.when_ns
        self.now = frame.when_ns
        self.timed += 1

    def hear_interface(self, interface, frame):
        interface["frames"] += 1
        interface[frame.form] += 1
        if not frame.when_ns:
            return
        if interface["timed"]:
            interface["elapsed"] += max(0, frame.when_ns - interface["last"])
        interface["timed"] += 1
        interface["last"] = frame.when_ns

    def recognise(self, interface, frame):
        key = frame.interface, frame.word
        if key in self.identifiers:
            return self.identifiers[key]
        if len(self.identifiers) == 2048:
            self.unlisted += 1
            if self.unlisted == 1:
                self.alarm("full")
            return None
        identifier = self.identifiers[key] = Identifier(frame)
        self.order.append(identifier)
        interface["identifiers"] += 1
        if interface["timed"]:
            is_new = interface["elapsed"] >= RULES["learn_ms"] * 10**6
        else:
            is_new = interface["frames"] > RULES["learn_frames"]
        if is_new:
            self.alarm("new")
        return identifier

    def gap(self, identifier, frame):
        if not frame.when_ns or identifier.fast and frame.first_eight[0] & 31:
            return
        before, epoch = identifier.last, identifier.epoch
        identifier.last, identifier.epoch = frame.when_ns, self.epoch
        if before is None or epoch != self.epoch or before > frame.when_ns:
            return
        length = frame.when_ns - before
        identifier.gaps.append(length // 1000)
        if identifier.rhythm in ("learning", "sporadic"):
            identifier.learned_gaps.append(length // 1000)
            if len(identifier.learned_gaps) >= RULES["learn_gaps"] \
                    and sum(identifier.learned_gaps) >= RULES["learn_ms"] * 1000:
                identifier.settle()
            return
        self.judge(identifier, length)

    def judge(self, identifier, length):
        missing = identifier.missing_over is not None and length > identifier.missing_over
        late = identifier.late_over is not None and length > identifier.late_over
        if missing or late:
            identifier.late_gaps += 1
            identifier.calm = 0
            if missing and "missing" not in identifier.raised:
                identifier.raised.add("missing")
                self.alarm("missing")
            elif not missing and not identifier.raised & {"missing", "late"}:
                identifier.raised.add("late")
                self.alarm("late")
            return
        identifier.calm += 1
        if identifier.calm >= RULES["calm_frames"]:
            for what in identifier.raised & {"missing", "late"}:
                identifier.raised.remove(what)
                self.alarm(what, over=True)

    def data(self, identifier, frame):
        content = identifier.content(frame)
        limit = max(RULES["stuck_frames"], 4 * identifier.longest_row)
        if identifier.row is None:
            identifier.row = [content, 1]
        elif identifier.row[0] == content:
            identifier.row[1] += 1
            if identifier.changes >= 8 and identifier.row[1] > limit \
                    and "stuck" not in identifier.raised:
                identifier.raised.add("stuck")
                self.alarm("stuck")
        else:
            identifier.longest_row = max(identifier.longest_row, min(identifier.row[1], limit))
            identifier.changes += 1
            identifier.row = [content, 1]
            if "stuck" in identifier.raised:
                identifier.raised.remove("stuck")
                self.alarm("stuck", over=True)

    def error(self, interface, frame):
        classes = {bit for bit in range(29) if frame.word >> bit & 1} or {"none named"}
        raised = interface.setdefault("classes", set())
        interface["quiet"] = 0
        if classes - raised:
            self.alarm("error")
            raised |= classes

    def calm(self, interface):
        if not interface.get("classes"):
            return
        interface["quiet"] += 1
        if interface["quiet"] >= RULES["quiet_frames"]:
            interface["classes"] = set()
            self.alarm("error", over=True)

    def look_round(self):
        for _ in range(2 if self.order else 0):
            identifier = self.order[self.turn]
            self.turn = (self.turn + 1) % len(self.order)
            if identifier.missing_over is None or "missing" in identifier.raised:
                continue
            since = identifier.last if identifier.epoch == self.epoch else self.stepped
            if self.now - since > identifier.missing_over:
                identifier.raised.add("missing")
                identifier.calm = 0
                self.alarm("missing")


# ---- saying --------------------------------------------------------------------------

def id_text(word):
    return f"0x{word & 0x1FFFFFFF:08X}" if word & EXTENDED else f"0x{word & 0x7FF:03X}"


def middle(gaps):
    return sorted(gaps)[len(gaps) // 2] if gaps else 0


def identifier_summary(one):
    summary = {"interface": one.interface, "id": id_text(one.word), "frames": one.frames,
               "late_gaps": one.late_gaps, "rhythm": one.rhythm, "meaning": one.meaning,
               "remote": bool(one.word & REMOTE)}
    if one.gaps:
        typical = middle(one.learned_gaps[-16:]) if one.typical is None else one.typical
        summary.update(min_ms=min(one.gaps) / 1000, max_ms=max(one.gaps) / 1000,
                       typical_ms=typical / 1000, median_ms=middle(one.gaps) / 1000)
    return summary


def findings(path):
    monitor = Monitor()
    for frame in read_frames(path):
        monitor.hear(frame)
    meaning = {"decoded": 0, "fast_packet": 0, "other": 0}
    for one in monitor.order:
        meaning[one.meaning] += one.frames
    values = []
    for (name, (kind, source, interface, codes)), value in monitor.values.items():
        values.append({"kind": "nmea." + kind, "name": name, "source": source,
                       "interface": interface, "codes": dict(codes), **value.summary()})
    absent = defaultdict(int)
    for value in values:
        absent[value["kind"] + " " + value["name"]] += value["absent"]
    return {
        "frames": monitor.frames, "timed": monitor.timed, "backward": monitor.backward,
        "steps_back": monitor.epoch, "distinct": len(monitor.order),
        "unlisted": monitor.unlisted,
        "interfaces": [{"number": number, "frames": one["frames"], "fd": one["fd"],
                        "remote": one["remote"], "error": one["error"],
                        "identifiers": one["identifiers"],
                        "elapsed_ms": one["elapsed"] // 1000 / 1000}
                       for number, one in sorted(monitor.interfaces.items())],
        "identifiers": [identifier_summary(one) for one in monitor.order],
        "meaning": meaning, "decoded": dict(monitor.decoded), "values": values,
        "absent": dict(absent), "alarms": monitor.alarms,
    }


# ---- comparing -----------------------------------------------------------------------

def number_or_none(word):
    return None if word == "-" else float(word)


def pairs(words):
    return dict(zip(words[::2], words[1::2]))


def read_report(lines):
    """The report's stable lines, keyed by what they are about."""
    said = {}
    for words in (line.split() for line in lines):
        if not words:
            continue
        if words[0] == "frames":
            said["frames"] = [int(words[1]), int(words[3])]
        elif words[0] == "interface" and words[2] == "frames":
            said["interface", int(words[1])] = [float(word) for word in words[3::2]]
        elif words[0] == "identifiers":
            said["rhythms"] = {"all": int(words[1]),
                               **{k: int(v) for k, v in pairs(words[2:]).items()}}
        elif words[0] == "meaning":
            said["meaning"] = {k: int(v) for k, v in pairs(words[1:]).items()}
        elif words[0] == "identifier":
            is_remote = "remote" in (word.strip(",") for word in words)
            said["identifier", int(words[1]), words[2], is_remote] = \
                [int(words[3]), int(words[4]), *map(number_or_none, words[5:8]), words[8]]
        elif words[0] == "alarms":
            said["alarms", words[1]] = [int(words[2]), int(words[4]), words[6]]
        elif words[0] == "decoded":
            said["decoded", words[1]] = int(words[2])
        elif words[0] == "value":
            rest = pairs(words[5:])
            numbers = [number_or_none(words[3]),
                       *(number_or_none(rest.pop(k)) for k in ("first", "min", "max", "sum"))]
            counts = [int(rest.pop("known")), int(rest.pop("absent"))]
            series = tuple(sorted((k, int(v)) for k, v in rest.items()))
            said["value", words[1], words[2], series] = counts + numbers
        elif words[0] == "note" and words[1:4] == ["no", "times", "in"]:
            said["no times"] = True
    return said


def expect(found):
    """The same, from what was found here."""
    want = {"frames": [found["frames"], found["timed"]], "meaning": found["meaning"]}
    if found["frames"] and not found["timed"]:
        want["no times"] = True
    rhythms = {"all": found["distinct"], "learning": 0, "steady": 0, "uneven": 0, "sporadic": 0}
    for one in found["identifiers"]:
        rhythms[one["rhythm"]] += 1
    want["rhythms"] = rhythms
    for one in found["interfaces"]:
        want["interface", one["number"]] = [float(one[k]) for k in (
            "frames", "fd", "remote", "error", "identifiers", "elapsed_ms")]
    busiest = sorted(found["identifiers"], key=lambda one: -one["frames"])[:40]
    for one in busiest:
        want["identifier", one["interface"], one["id"], one["remote"]] = [
            one["frames"], one["late_gaps"], one.get("min_ms"), one.get("typical_ms"),
            one.get("max_ms"), one["rhythm"]]
    for what, count in found["alarms"].items():
        want["alarms", what] = [count["raised"], count["cleared"], count["first"]]
    for kind, count in found["decoded"].items():
        want["decoded", kind] = count
    for one in found["values"]:
        series = tuple(sorted([("source", one["source"]), ("interface", one["interface"]),
                               *one["codes"].items()]))
        want["value", one["kind"], one["name"], series] = [
            one["known"], one["absent"],
            *(one.get(k) for k in ("latest", "first", "min", "max", "sum"))]
    return want


def same(ours, theirs):
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, (int, float)):
        return abs(ours - theirs) <= 1e-9 * max(1.0, abs(ours))
    return ours == theirs


def compare(found, lines):
    want, said = expect(found), read_report(lines)
    differences = 0
    for key in sorted(want.keys() | said.keys(), key=str):
        if not same(want.get(key), said.get(key)):
            differences += 1
            print(f"{key}: computed {want.get(key)}, reported {said.get(key)}")
    print(f"{len(want)} compared, {differences} differ")
    return differences == 0


# ---- making up -----------------------------------------------------------------------

class Sender:
    """One identifier: frames at its period, with every fault that a sender can have."""

    def __init__(self, dice):
        self.dice = dice
        group = dice.choice([*MESSAGES, 126208, 126720, 129029, 65359])
        word = dice.randrange(8) << 26 | group << 8 | dice.randrange(256)
        if group >> 8 & 0xFF < 240:
            word |= dice.randrange(256) << 8
        self.id = f"{word:08X}" if dice.random() < .8 else f"{dice.randrange(0x800):03X}"
        self.name = dice.choice(["can0", "can1", "vcan7"])
        self.form = dice.choices(["", "R", "##1"], [20, 1, 1])[0]
        self.period_us = 1000 * dice.choice([10, 20, 100, 250, 1000])
        self.jitter = dice.random() * dice.choice([0.02, 0.3, 1.2])
        self.data = bytearray(dice.randrange(256) for _ in range(dice.choice([8, 8, 8, 3, 6])))
        self.due_us, self.mood, self.sequence = dice.randrange(10**6), "lively", 0

    def advance(self):
        dice = self.dice
        self.due_us += max(50, int(self.period_us * (1 + dice.uniform(-1, 1) * self.jitter)))
        if dice.random() < .003:
            self.due_us += self.period_us * dice.choice([1, 2, 8, 40])
        if dice.random() < .004:
            self.mood = dice.choice(["lively", "lively", "frozen", "counting", "slow"])
        if self.mood == "lively" or self.mood == "slow" and dice.random() < .05:
            for at, old in enumerate(self.data):
                self.data[at] = dice.choice([dice.randrange(256), old, 0xFF, 0x7F, 0xFD])
        self.sequence = (self.sequence + 1) % 256
        if self.mood in ("lively", "counting"):
            self.data[0] = self.sequence if dice.random() < .9 else 0

    def line(self, time):
        if not time:
            octets = "remote request" if self.form == "R" else self.data.hex(" ")
            return f"  {self.name}  {self.id}   [{len(self.data)}]  {octets}"
        rest = {"": self.data.hex(), "R": f"R{len(self.data)}",
                "##1": "#1" + self.data.hex().ljust(16 + 8 * self.dice.randrange(2), "0")}
        return f"{time}{self.name} {self.id}#{rest[self.form].upper()}"


def storm(seed, frames):
    print(f"# seed={seed}")
    dice = random.Random(seed)
    senders = [Sender(dice) for _ in range(dice.choice([3, 20, 60]))]
    clock_us = dice.choice([10 * 10**6, 1500000000 * 10**6])
    has_times, strangers = dice.random() < .85, seed % 7 == 0
    for number in range(frames):
        sender = min(senders, key=lambda one: one.due_us)
        now_us = max(1, clock_us + sender.due_us)
        time = f"({now_us // 10**6}.{now_us % 10**6:06}) " if has_times else ""
        sender.advance()
        print(sender.line(time))
        if dice.random() < .0005:
            clock_us += dice.choice([-50000, -500000, -2 * 10**6, -3600 * 10**6, 10**6, 10**8])
        if time and dice.random() < .002:
            classes = dice.choice([0, 4, 8, 0x40, 0x88, 0x200])
            print(f"{time}{sender.name} {ERROR | classes:08X}#0000000000000000")
        if time and strangers and dice.random() < .6:
            print(f"{time}can0 {0x0C000000 + number:08X}#0102")


def main(arguments):
    if arguments[:1] == ["--storm"] and len(arguments) in (2, 3):
        storm(int(arguments[1]), int(arguments[2]) if len(arguments) == 3 else 6000)
        return 0
    report = None
    while arguments[:1] and arguments[0].startswith("--"):
        option = arguments.pop(0)
        if option == "--set" and arguments:
            name, _, number = arguments.pop(0).partition("=")
            if name not in RULES:
                sys.exit(f"no such rule: {name}; there are {', '.join(RULES)}")
            RULES[name] = int(number)
        elif option == "--compare" and arguments:
            report = arguments.pop(0)
        else:
            sys.exit(__doc__)
    if len(arguments) != 1:
        sys.exit(__doc__)
    found = findings(arguments[0])
    if report is None:
        json.dump(found, sys.stdout, indent=1)
        print()
        return 0
    if report == "-":
        return 0 if compare(found, sys.stdin) else 1
    with open(report, encoding="utf-8") as file:
        return 0 if compare(found, file) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
