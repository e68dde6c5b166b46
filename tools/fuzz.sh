#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh SECONDS FOLDER FUZZER... -- run each for so long, one after the other.
#
# fuzz_NAME starts from tests/fuzz/corpus/NAME and keeps what it finds new in
# FOLDER/NAME, outside the checkout.  A finding is kept in FOLDER, and the line
# that repeats it is printed.  Closes with 'N passed, N failed', one a fuzzer.
set -eu
cd "$(dirname "$0")/.."
seconds=$1 folder=$2
shift 2
passed=0 failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for fuzzer in "$@"; do
	name=$(basename "$fuzzer"); name=${name#fuzz_}
	found=$folder/$name
	seeds=tests/fuzz/corpus/$name
	mkdir -p "$found"
	[ -d "$seeds" ] || seeds=''
	options="-max_total_time=$seconds -timeout=20 -rss_limit_mb=2048 -print_final_stats=1"
	# shellcheck disable=SC2086  # options are words, seeds may be none
	if "$fuzzer" $options -artifact_prefix="$found-" "$found" $seeds >"$log" 2>&1; then
		passed=$((passed + 1))
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		echo "ok   $fuzzer  (${runs:-?} runs, $(find "$found" -type f | wc -l) inputs kept)"
	else
		failed=$((failed + 1))
		echo "FAIL $fuzzer"
		tail -n 60 "$log" | sed 's/^/     | /'
		sed -n "s|.*Test unit written to \\(.*\\)|repeat: $fuzzer \\1|p" "$log"
	fi
done
if [ $((passed + failed)) -eq 0 ]; then
	echo "FAIL no fuzzer was run"
	failed=1
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
