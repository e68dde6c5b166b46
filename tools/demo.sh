#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# demo.sh BUILD -- the main job, on a real CAN capture that the project carries:
# run, verify, replay; then the two things that a recorder is for: one flipped bit
# is found, and a changed program is told from the one that was recorded.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/release}
bitactor=$build/bin/bitactor
module=$build/modules/can_monitor.so
changed=$build/modules/can_monitor_changed.so
capture=tests/data/can-candumpSample3.txt
out=$build/demo
trace=$out/bus.bitrace

say()  { printf '\n== %s\n' "$*"; }
# Show a command as the user would type it, run it, and insist on its exit code.
step() {
	expected=$1; shift
	printf '$ %s\n' "$*"
	rc=0; "$@" || rc=$?
	[ "$rc" -eq "$expected" ] || { echo "demo: exit $rc, not $expected" >&2; exit 1; }
}
# Copy a trace and flip one bit of byte $2 of its records.
flip_bit() {
	rm -rf "$1"; cp -R "$trace" "$1"
	byte=$(od -An -tu1 -j "$2" -N 1 "$1/trace" | tr -d ' ')
	flipped=$((byte & 1 ? byte - 1 : byte + 1))
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\$(printf '%03o' "$flipped")" |
		dd of="$1/trace" bs=1 seek="$2" conv=notrunc status=none
}

rm -rf "$out"; mkdir -p "$out"

say "1. A real NMEA 2000 capture through a module, every dispatch recorded"
step 0 "$bitactor" run --module "$module" --input "candump:$capture" --trace "$trace" --print alarm

say "2. Is every byte of the trace what was written?"
step 0 "$bitactor" verify "$trace"

say "3. The same inputs through the same module: is every effect as recorded?"
step 0 "$bitactor" replay "$trace" --module "$module"

say "4. Somebody flips one bit in a copy (byte 100000 of the trace)"
flip_bit "$out/tampered.bitrace" 100000
step 1 "$bitactor" verify "$out/tampered.bitrace"

say "5. A build of the module with one line changed: where does it first differ?"
step 1 "$bitactor" replay "$trace" --module "$changed"

say "That was it: nothing was lost, edited or changed without being found."
cat <<END
Try next:
  $bitactor show $trace --to 40               what happened, with names and units
  $bitactor new counter && make -C counter    a module of your own, at once
  $bitactor run --module $module --input candump:- < $capture
  $bitactor bench dispatch                    what it costs on this machine
  README.md                                   the rest, in two pages
END
