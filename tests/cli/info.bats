#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# info.bats -- bitactor info: which ways this build and machine take.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
load common

@test "info names clock, hash, checksum, fibers and sizes" {
	try 0 info
	for what in version clock BLAKE3 CRC32C 'cache line' fibers signal record engine; do
		grep -q "^$what  *[^ ]" <<<"$output" || { echo "no $what"; return 1; }
	done
	says 'signal         48 bytes' 'a segment 65536'
	[ -z "$stderr" ]
}

@test "info --json is one object that says the same" {
	try 0 info
	text=$output
	try 0 info --json
	json 'it["signal_bytes"] == 48 and it["record_bytes"] == 32' \
		'it["segment_bytes"] == 65536 and it["slot_bytes"] >= 64' \
		'it["engine_bytes"] > 0 and it["clock"]["name"]' \
		'it["clock"]["hz"] == 0 or it["clock"]["counts_per_tick_q32"] > 0'
	for key in version blake3_path crc_path fiber_switch fiber_guard engine_bytes; do
		value=$(python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' \
			"$key" <<<"$output")
		[[ $text == *"$value"* ]] || { echo "$key: $value is not in the text"; return 1; }
	done
}
