#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# random.bats -- run, verify and replay together, on what nobody thought of.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
load common

@test "random signals under random limits: recorded, good, and the same again" {
	python3 "$tools/random_runs.py" "$program" "$mixed" "$fibers" "$(scaled 60)" >said 2>&1 ||
		{ cat said; return 1; }
	cat said
}

@test "random buses full of faults: can_monitor and the independent script agree, it replays" {
	local seed rounds
	rounds=$(scaled 4)
	for ((; rounds > 0; rounds--)); do
		seed=$((RANDOM << 15 | RANDOM))
		echo "seed=$seed"
		rm -rf x.bitrace
		python3 "$tools/can_monitor_check.py" --storm "$seed" 3000 >storm
		record candump:storm x.bitrace "$monitor"
		sed -n '/^found by/,$s/^  //p' <<<"$output" >report
		python3 "$tools/can_monitor_check.py" --compare report storm
		sound x.bitrace "$monitor"
		same_count x.bitrace
	done
}
