#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""random_runs.py PROGRAM MIXED FIBERS COUNT [--seed N] -- random signals, random limits.

Each run must exit with 0 and its numbers add up; verify and replay must exit with 0;
bat1_check, and babeltrace2 where it is, must find the trace good and count the same.
Prints seed= first and closes with "N runs, all good", or says which was not, keeps its
`in.ndjson`, `config.json` and `random.bitrace`, and exits 1.
"""
import json
import os
import random
import shutil
import subprocess
import sys

TRACE = "random.bitrace"
BOUND_S = 120
KINDS = {
    "mixed": ["count", "echo", "twice", "refuse", "dice", "nobody", "spend", "large", "burst"],
    "fibers": ["ask", "ask", "answer", "answer", "rest", "faint"],
}
U32, U64 = 2**32 - 1, 2**64 - 1


class Wrong(Exception):
    pass


def call(code, *arguments, stdin=None):
    done = subprocess.run(arguments, input=stdin, capture_output=True, timeout=BOUND_S)
    if done.returncode != code:
        raise Wrong("exit %d, not %d: %s\n%s" % (
            done.returncode, code, " ".join(arguments), done.stderr.decode(errors="replace")))
    return done.stdout.decode(errors="replace")


def some_number(dice, most):
    return dice.choice([0, 1, dice.randrange(10), dice.randrange(most + 1), most])


def signal(dice, kinds, data_max):
    it = {"kind": dice.choice(kinds)}
    if dice.random() < .02:
        # nobody's: the modules have kinds that end the process, and not by mistake
        it["kind"] = dice.randrange(64, 0xFF00)
    if dice.random() < .7:
        it["payload"] = dice.choice([0, 1, 2, 3, 7, 100, 5000])
    for key, most in (("id", U32), ("actor", U32), ("context", U64), ("timestamp", U64),
                      ("priority", 255), ("flags", 255)):
        if dice.random() < .15:
            it[key] = str(some_number(dice, most))
    if dice.random() < .3:
        size = dice.choice([1, 8, 31, 32, 33, dice.randrange(data_max + 9)])
        it["data"] = dice.randbytes(size).hex()
    return it


def limits(dice):
    config = {"seed": dice.randrange(2**63)}
    choices = {
        "queue_slots": [2, 4, 64, 1024], "emit_slots": [2, 8, 64, 1024],
        "data_max": [8, 64, 1000, 32768], "data_blocks": [1, 2, 64, 300],
        "emit_data_blocks": [1, 2, 64], "output_max": [8, 64, 4096, 8192],
        "segments": [2, 3, 8], "fibers": [1, 2, 64], "fiber_stack_bytes": [16384, 65536],
        "budget_ticks": [1, 8, 1000000],
    }
    for key, values in choices.items():
        if dice.random() < .3:
            config[key] = dice.choice(values)
    if dice.random() < .2:
        config["tick_raw"] = True
    return config


def one_run(program, module, kinds, dice):
    config = limits(dice)
    data_max = config.get("data_max", 64)
    data_max -= data_max % 8
    signals = [signal(dice, kinds, data_max) for _ in range(dice.choice([0, 1, 5, 60, 300, 900]))]
    fitting = sum(len(it.get("data", "")) // 2 <= config.get("data_max", 64) for it in signals)
    lines = list(map(json.dumps, signals))
    for _ in range(dice.choice([0, 0, 1, 9])):
        lines.insert(dice.randrange(len(lines) + 1),
                     dice.choice(["", "nonsense", '{"kind":"x"}', "{}"]))
    text = "".join(line + "\n" for line in lines).encode()
    shutil.rmtree(TRACE, ignore_errors=True)
    with open("config.json", "w", encoding="ascii") as file:
        json.dump(config, file)
    with open("in.ndjson", "wb") as file:
        file.write(text)
    piped = dice.random() < .3
    said = json.loads(call(
        0, program, "run", "--module", module, "--input", "ndjson:" + ("-" if piped else
                                                                      "in.ndjson"),
        "--trace", TRACE, "--config", "config.json", "--json", stdin=text if piped else None))
    check_numbers(said, len(lines), len(signals), fitting)
    verified = json.loads(call(0, program, "verify", "--json", TRACE))
    for key in ("rejected", "outputs"):
        if verified[key] != said["signals"][key]:
            raise Wrong("%s: the trace has %d, the run said %d" % (
                key, verified[key], said["signals"][key]))
    if verified["head"] != said["head"]:
        raise Wrong("head: %s, the run said %s" % (verified["head"], said["head"]))
    played = json.loads(call(0, program, "replay", TRACE, "--module", module, "--json"))
    if not played["equal"]:
        raise Wrong("replay said %s" % played)
    return verified


def check_numbers(said, lines, good, fitting):
    read, signals = said["input"], said["signals"]
    if read["signals"] != good or signals["accepted"] != fitting + signals["emitted"]:
        raise Wrong("%d signals, %d that fit, but: %s %s" % (good, fitting, read, signals))
    if read["lines"] != lines or lines != sum(
            read[key] for key in ("signals", "skipped", "bad", "no_handler")):
        raise Wrong("%d lines, but read were %s" % (lines, read))
    if signals["offered"] != signals["accepted"] + signals["refused"]:
        raise Wrong("offered: %s" % signals)
    if signals["accepted"] != sum(
            signals[key] for key in ("dispatched", "rejected", "dropped", "queued")):
        raise Wrong("accepted: %s" % signals)
    if signals["queued"] or signals["dropped"]:
        raise Wrong("left over: %s" % signals)


def second_opinions(program, verified):
    here = os.path.dirname(os.path.abspath(__file__))
    closing = call(0, sys.executable, here + "/bat1_check.py", TRACE).splitlines()[-1]
    expected = "closed: %d records, %d compared, %d segments" % (
        verified["records"], verified["compared"], verified["segments"])
    if closing != expected:
        raise Wrong("bat1_check: %s, verify: %s" % (closing, expected))
    if shutil.which("babeltrace2"):
        events = call(0, "babeltrace2", TRACE).count("\n")
        lines = call(0, program, "show", "--all", TRACE).count("\n")
        if not events == lines == verified["records"]:
            raise Wrong("babeltrace2: %d events, show: %d lines, verify: %d records" % (
                events, lines, verified["records"]))


def main(arguments):
    seed = random.SystemRandom().randrange(2**32)
    if "--seed" in arguments:
        at = arguments.index("--seed")
        seed = int(arguments[at + 1])
        del arguments[at:at + 2]
    if len(arguments) != 4:
        sys.exit(__doc__)
    program, mixed, fibers, count = arguments
    dice = random.Random(seed)
    print("seed=%d" % seed)
    for number in range(int(count)):
        name, module = dice.choice([("mixed", mixed), ("fibers", fibers)])
        try:
            verified = one_run(program, module, KINDS[name], dice)
            if dice.random() < .2:
                second_opinions(program, verified)
        except (Wrong, subprocess.TimeoutExpired, ValueError) as wrong:
            print("run %d, of %s: %s" % (number, name, wrong))
            return 1
    print("%s runs, all good" % count)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
