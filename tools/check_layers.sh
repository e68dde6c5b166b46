#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_layers.sh -- angle brackets go down, quotes stay home.
#
#   #include <bitactor/x.h>   public API: must sit strictly lower than the
#                             includer, or be its own
#   #include "x.h"            private: must be in the includer's own area; only
#                             tests/ and bench/ may also open the core's internals,
#                             and cli/ the one door of bench/, which is no library
#
# The ranks are the picture in docs/architecture.md, read by a machine.
set -eu
cd "$(dirname "$0")/.."
find . \( -name build -o -name .git -o -name third_party \) -prune -o -name '*.[ch]' -print |
sed 's|^\./||' | sort | awk '
BEGIN {
	rank["core"] = 1; rank["host"] = 2; rank["error"] = 2
	rank["session"] = 3; rank["schema"] = 3; rank["metrics"] = 3
	rank["trace"] = 4
	n = split("transport import replay step evidence sim export report module", plug, " ")
	for (i = 1; i <= n; i++) rank[plug[i]] = 5
	rank["bench"] = 6; rank["modules"] = 6; rank["examples"] = 6
	rank["cli"] = 7; rank["tests"] = 8
}
function area_of(path,   part) {
	split(path, part, "/")
	if (part[1] == "bitactor") return "core"
	if (part[1] != "runtime")  return part[1]
	if (part[2] == "src")      return part[3]
	sub(/[_.].*$/, "", part[4]); return part[4]   # runtime/include/bitactor/trace.h
}
function tidy(path,   n, part, kept, i, out) {   # a/b/../c -> a/c
	n = split(path, part, "/"); kept = 0
	for (i = 1; i <= n; i++) {
		if (part[i] == "..") kept--
		else if (part[i] != "." && part[i] != "") stack[++kept] = part[i]
	}
	for (i = 1; i <= kept; i++) out = out (i > 1 ? "/" : "") stack[i]
	return out
}
function complain(what) { printf "%s:%d: %s\n", file, line, what; bad = 1 }
{
	file = $0; from = area_of(file); line = 0
	if (!(from in rank)) { complain("no layer for " from "/"); next }
	folder = file; sub(/[^\/]*$/, "", folder)
	while ((getline text < file) > 0) {
		line++
		if (match(text, /^[ \t]*#[ \t]*include[ \t]*<bitactor\/[^>]*>/)) {
			name = substr(text, RSTART, RLENGTH)
			gsub(/.*bitactor\/|\.h>.*/, "", name)
			to = name ~ /^bitactor(_|$)/ ? "core" : name; sub(/_.*/, "", to)
			if (to != from && !(rank[to] < rank[from]))
				complain(from " (" rank[from] ") may not look up to " \
				         to " (" rank[to] ")")
		} else if (match(text, /^[ \t]*#[ \t]*include[ \t]*"[^"]*"/)) {
			name = substr(text, RSTART, RLENGTH); gsub(/^[^"]*"|"$/, "", name)
			path = tidy(folder name); to = area_of(path)
			inside = path ~ /^bitactor\/src\/internal\//
			door = from == "cli" && path == "bench/bench.h"
			if (to != from && from != "tests" && !(from == "bench" && inside) && !door)
				complain(from " opens a private header of " to ": " name)
		}
	}
	close(file)
}
END { if (bad) exit 1; print "layers: angle brackets go down, quotes stay home" }'
