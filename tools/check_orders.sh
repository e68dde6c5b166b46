#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_orders.sh -- in ARM64 code the orders of docs/memory-model.md can be read.
#
# On x86-64 every load is an acquire and every store a release, whatever the
# source says.  On ARM64 an order is another instruction: so what hands data from
# thread to thread is compiled for it, each function by itself, and looked at;
# with gcc for three machines that swap in different ways, and with clang.
#
# It shows what a processor is told.  None reorders anything here.
set -eu
cd "$(dirname "$0")/.."
cross=aarch64-linux-gnu-
command -v "${cross}gcc" >/dev/null || { echo "orders: no ${cross}gcc here"; exit 0; }
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT

# Static functions, as ones that an object has by name.
cat >"$box/seen.c" <<'END'
#include "bitactor/src/bitactor.c"
#define SEEN(name) __attribute__((noinline, flatten)) void seen_##name
SEEN(ba_queue_publish)(ba_queue_t *q, uint64_t at, const bitactor_signal_t *s, uint32_t n)
{ ba_queue_publish(q, at, s, n, n); }
SEEN(ba_queue_publish_plain)(ba_queue_t *q, uint64_t at, const bitactor_signal_t *s)
{ ba_queue_publish_plain(q, at, s); }
SEEN(ba_queue_publish_many)(ba_queue_t *q, uint64_t at, const bitactor_signal_t *s, size_t n)
{ ba_queue_publish_many(q, at, s, n); }
SEEN(ba_queue_peek)(ba_queue_t *q, uint64_t at, ba_slot_t **slot) { *slot = ba_queue_peek(q, at); }
SEEN(chunk_admit)(bitactor_engine_t *e, ba_chunk_t *c, uint64_t n) { chunk_admit(e, c, n, n); }
SEEN(ba_queue_claim)(ba_queue_t *q, uint64_t *at, int *s) { *s = ba_queue_claim(q, 1, at); }
SEEN(ba_queue_free)(ba_queue_t *q, uint64_t head) { ba_queue_free(q, head); }
SEEN(ba_queue_length)(ba_queue_t *q, uint64_t *n) { *n = ba_queue_length(q); }
SEEN(ba_pool_take)(ba_pool_t *p, uint32_t *block) { *block = ba_pool_take(p); }
SEEN(ba_pool_give)(ba_pool_t *p, uint32_t block) { ba_pool_give(p, block); }
END

# function and what it must have, each as often: a row for each that is ordered
demands() {
	cat <<'END'
seen_ba_queue_publish        release-store last
seen_ba_queue_publish_plain  release-store last
seen_ba_queue_publish_many   release-store last
seen_ba_queue_peek           acquire-load
seen_chunk_admit             acquire-load
seen_ba_queue_claim          acquire-load acquire-load acquire-swap
seen_ba_queue_free           release-store last
seen_ba_queue_length         acquire-load
seen_ba_pool_take            acquire-load acquire-swap
seen_ba_pool_give            release-swap
bitactor_engine_init         release-store
ba_engine_is_live            acquire-load
bitactor_destroy             release-store
END
}

# Reads the demands, then the disassembly.  `last`: nothing is stored behind it.
# An outlined swap is a call whose name says the order.
look() {
	awk -v how="$1" '
	BEGIN {
		is["acquire-load"]  = "^(ldar|ldapr)$"
		is["release-store"] = "^stlr$"
		swap = "__aarch64_cas8_"
		is["acquire-swap"]  = "^(casa|casal|ldaxr|" swap "acq|" swap "acq_rel)$"
		is["release-swap"]  = "^(casl|casal|stlxr|" swap "rel|" swap "acq_rel)$"
	}
	NR == FNR { wanted[$1] = $0; next }
	/^[0-9a-f]+ <.*>:$/ { name = substr($2, 2, length($2) - 3); seen[name] = 1; next }
	!(name in wanted) || $1 !~ /:$/ { next }
	{
		code = $2
		if (code == "bl" && match($0, /<__aarch64_[a-z0-9_]*/))
			code = substr($0, RSTART + 1, RLENGTH - 1)
		for (order in is)
			if (code ~ is[order]) count[name, order]++
		if (code ~ is["release-store"]) behind[name] = 0
		else if (code ~ /^st/)          behind[name] = 1
	}
	END {
		for (name in wanted) {
			n = split(wanted[name], word)
			if (!(name in seen)) { complain("is not in the object"); continue }
			for (order in is) need[order] = 0
			for (i = 2; i <= n; i++) need[word[i]]++
			for (order in is)
				if (count[name, order] < need[order])
					complain((count[name, order] + 0) " of " need[order] \
					         " " order)
			if (word[n] == "last" && behind[name])
				complain("stores behind its release")
		}
		exit bad
	}
	function complain(what,   shown) {
		shown = name; sub(/^seen_/, "", shown)
		print how ": " shown ": " what; bad = 1
	}
	' "$box/demands" -
}

demands >"$box/demands"
bad=0 ways=0
while read -r compiler options; do
	command -v "$compiler" >/dev/null || continue
	ways=$((ways + 1))
	# shellcheck disable=SC2086  # words, as on a command line
	$compiler $options -std=c11 -O2 -I. -c -o "$box/seen.o" "$box/seen.c"
	"${cross}objdump" -d --no-show-raw-insn "$box/seen.o" >"$box/code"
	look "$compiler${options:+ $options}" <"$box/code" || bad=1
done <<END
${cross}gcc
${cross}gcc -mno-outline-atomics
${cross}gcc -march=armv8.1-a
clang --target=${cross%-}
END
[ "$bad" = 0 ] || exit 1
echo "orders: ARM64 code says acquire and release where the memory model does, $ways ways"
