#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_selftest.sh -- each check is seen to fail.
#
# Plants one violation after the other in a copy of the tree and expects the
# check that is for it to refuse, naming the planted thing; then takes it out
# again.  A check that passes everything looks just like a tree without faults.
#
# shellcheck disable=SC2016  # what is planted is not for this shell to expand
set -eu
cd "$(dirname "$0")/.."
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
mkdir "$box/clean"
tar -cf - --exclude=./build --exclude=./.git . | tar -C "$box/clean" -xf -
planted=0 unseen=0

# expect CHECK WORD: in $box/tree, CHECK must fail and say WORD.
expect() {
	planted=$((planted + 1))
	if (cd "$box/tree" && eval "$1") >"$box/log" 2>&1; then
		echo "selftest: not refused by $1: $2"
		unseen=$((unseen + 1))
	elif ! grep -qF -- "$2" "$box/log"; then
		echo "selftest: $1 fails, but does not name $2:"
		sed 's/^/     | /' "$box/log"
		unseen=$((unseen + 1))
	fi
}
fresh() { rm -rf "$box/tree"; cp -a "$box/clean" "$box/tree"; }
# plant FILE TEXT: TEXT becomes the end of FILE, in a fresh copy.
plant() {
	fresh
	mkdir -p "$box/tree/$(dirname "$1")"
	printf '%b' "$2" >>"$box/tree/$1"
}
licence='/* SPDX-License-Identifier: Apache-2.0 */\n'

# --- layers -------------------------------------------------------------------
core=bitactor/src/bitactor.c
plant "$core" '#include <bitactor/trace.h>\n'
expect tools/check_layers.sh 'core (1) may not look up to trace (4)'
plant runtime/src/trace/planted.c "$licence"'#include "../../../bitactor/src/internal/queue.h"\n'
expect tools/check_layers.sh 'trace opens a private header of core'
plant runtime/src/planted/planted.c "$licence"
expect tools/check_layers.sh 'no layer for planted/'

# --- symbols ------------------------------------------------------------------
plant planted.c 'void *malloc(unsigned long);\nvoid *planted(void) { return malloc(1); }\n'
expect 'gcc -O2 -c planted.c && tools/check_symbols.sh planted.o' 'core calls: malloc'
plant planted.c 'int puts(const char *);\nint planted(void) { return puts("x"); }\n'
expect 'gcc -O2 -c planted.c && tools/check_symbols.sh planted.o' 'core calls: puts'
fresh
expect 'tools/check_symbols.sh no_such.o' 'no_such.o'

# --- the bare command ---------------------------------------------------------
# Three sources of one line are enough to see what the command lets through.
bare='tools/check_bare.sh build/bare gcc -std=c11 -Wall -Wextra -Werror -- planted.c --'
chaos=tests/test_bitactor_chaos_bdd.c
plant planted.c 'int planted;\n'
printf 'int main(void) { return 1; }\n' >"$box/tree/$chaos"
expect "$bare" 'the chaos test fails'
printf 'int main(void) { int unused; return 0; }\n' >"$box/tree/$chaos"
expect "$bare" 'unused'
printf '#include <bitactor/host.h>\nint main(void) { return 0; }\n' >"$box/tree/$chaos"
expect "$bare" 'bitactor/host.h'
printf '#ifdef USE_REAL_IMPLEMENTATIONS\nint main(void) { return 0; }\n#endif\n' >"$box/tree/$chaos"
if ! (cd "$box/tree" && eval "$bare") >"$box/log" 2>&1; then
	echo "selftest: the bare command refuses what is right:"
	cat "$box/log"
	unseen=$((unseen + 1))
fi

# --- style --------------------------------------------------------------------
plant cli/planted.c 'int planted;\n'
expect tools/check_style.sh 'cli/planted.c:1: no SPDX'
plant tools/planted.sh '#!/bin/sh\ntrue\n'
expect tools/check_style.sh 'tools/planted.sh:2: no SPDX'
plant cli/planted.c "$licence"'int planted; \n'
expect tools/check_style.sh 'cli/planted.c:2: trailing blank'
plant cli/planted.c "$licence"'int planted;'
expect tools/check_style.sh 'cli/planted.c: no newline at the end'
plant cli/planted.c "$licence"'/* TO''DO: later */\n'
expect tools/check_style.sh 'cli/planted.c:2: an issue, not a note'
plant cli/planted.c "$licence\t\t\t\t\t\t\t\t\t\t\t\t/* 1234 */\n"
expect tools/check_style.sh 'cli/planted.c:2: 106 columns'
plant cli/planted.c "$licence"'int planted(int a)\n{\n\tassert(a > 0);\n}\n'
expect tools/check_style.sh 'cli/planted.c:4: assert()'
lines=$(printf '%61s' '' | sed 's/ /\\t;\\n/g')
plant cli/planted.c "${licence}void planted(void)\n{\n$lines}\n"
expect tools/check_style.sh 'cli/planted.c:3: a function of 61 lines'

# --- mirror -------------------------------------------------------------------
plant runtime/src/trace/planted.c "$licence"
expect tools/check_mirror.sh 'no test tests/unit/trace/test_planted.c'
plant bitactor/src/internal/planted.h "$licence"
expect tools/check_mirror.sh 'no test tests/unit/internal/test_planted.c'
fresh
rm "$box/tree/bitactor/src/internal/engine.h"
expect tools/check_mirror.sh 'bitactor/src/internal/engine.h: is on the list'

# --- docs ---------------------------------------------------------------------
plant README.md '\nSee `bitactor/src/planted.c`.\n'
expect tools/check_docs.sh 'there is no bitactor/src/planted.c'
plant docs/planted.md '\nSee `planted_reader.h` and `planted/*_gone.c`.\n'
expect tools/check_docs.sh 'there is no planted/*_gone.c'
expect tools/check_docs.sh 'there is no planted_reader.h'
plant docs/architecture.md '\n```\n  bitactor.c ---> planted_node.c\n```\n'
expect tools/check_docs.sh 'there is no planted_node.c'
plant docs/architecture.md '\n```\n  bitactor.c   planted_call()\n```\n'
expect tools/check_docs.sh 'there is no planted_call()'
plant README.md '\nCall `bitactor_planted()`.\n'
expect tools/check_docs.sh 'there is no bitactor_planted()'
plant docs/architecture.md '\n```mermaid\n  a["planted box"] --> b[session]\n```\n'
expect tools/check_docs.sh 'nothing that exists in the box "planted box"'
plant README.md '\n```c\nint planted;\n```\n'
expect tools/check_docs.sh 'this C is in no example'
fresh
sed -i 's/sum == 100/sum == 101/' "$box/tree/README.md" "$box/tree/man/bitactor.3"
expect tools/check_docs.sh 'it is not examples/01_hello_signal.c'
expect tools/check_docs.sh 'man/bitactor.3:'
sed -i 's|`examples/module/thermostat.c`:|A module:|' "$box/tree/README.md"
expect tools/check_docs.sh 'does not show examples/module/thermostat.c'
plant docs/architecture.md '\n```\n  a box ---> another box\n```\n'
expect tools/check_docs.sh 'this drawing names 0'
plant docs/style.md '\nNever `BITACTOR_PLANTED`.\n'
expect tools/check_docs.sh 'there is no BITACTOR_PLANTED'
plant bitactor/src/internal/queue.h '\t_Atomic uint64_t planted_count;\n'
expect tools/check_docs.sh 'says nothing about the atomic planted_count'
fresh
sed -i '/It Fl -deep/d' "$box/tree/man/bitactor-verify.1"
expect tools/check_docs.sh 'leaves out the option --deep'
plant man/bitactor-verify.1 '.It Fl -planted\n'
expect tools/check_docs.sh 'there is no option --planted'
fresh
sed -i '/Fn bitactor_crc32c/d' "$box/tree/man/bitactor_telemetry.3"
expect tools/check_docs.sh 'leaves out the function bitactor_crc32c'
plant bitactor/include/bitactor/bitactor.h 'BITACTOR_API void bitactor_planted_call(int n);\n'
expect tools/check_docs.sh 'bitactor_planted_call'
plant cli/cmd_planted.c "$licence"
expect tools/check_docs.sh 'man/bitactor-planted.1'
if command -v mandoc >/dev/null; then
	plant man/planted.1 '.Dd October 1, 2025\n.Dt PLANTED 1\n.Os\n.Sh NAME\n.Xx\n'
	expect tools/check_docs.sh 'man/planted.1'
fi

# --- headers ------------------------------------------------------------------
plant runtime/include/bitactor/planted.h "${licence}void planted(uint32_t n);\n"
expect tools/check_headers.sh 'runtime/include/bitactor/planted.h: does not compile alone: gcc'
if command -v g++ >/dev/null; then
	plant runtime/include/bitactor/planted.h "$licence"'void planted(int class);\n'
	expect tools/check_headers.sh 'planted.h: does not compile alone: g++'
fi
plant runtime/include/bitactor/planted.h "$licence"'enum planted { PLANTED };\n'
expect tools/check_headers.sh 'planted.h: does not compile alone'

# --- install ------------------------------------------------------------------
# With what is built, so that only the planted part is built again.
if [ -d build/release ]; then
	fresh
	mkdir "$box/tree/build"
	cp -a build/release "$box/tree/build/"
	sed -i 's/local:/local: bitactor_is_registered;/' "$box/tree/mk/bitactor.map"
	expect 'tools/check_install.sh make' '< bitactor_is_registered'
	fresh
	mkdir "$box/tree/build"
	cp -a build/release "$box/tree/build/"
	sed -i 's/^uninstall:/no_longer:/' "$box/tree/Makefile"
	printf 'uninstall:\n' >>"$box/tree/Makefile"
	expect 'tools/check_install.sh make' 'uninstall leaves'
fi

# --- scripts ------------------------------------------------------------------
if command -v shellcheck >/dev/null; then
	plant tools/planted.sh '#!/bin/sh\n# SPDX\nrm -rf $1\n'
	expect tools/check_shell.sh 'tools/planted.sh'
fi

# --- protocols and orders -----------------------------------------------------
if command -v spin >/dev/null; then
	plant tests/model/pool.pml '\n#ifdef PLANTED_NOTHING\n#endif\n'
	expect 'tools/check_models.sh tests/model/pool.pml' 'PLANTED_NOTHING'
	fresh
	sed -i 's/PLANTED_NO_TAG/VARIANT_NO_TAG/' "$box/tree/tests/model/pool.pml"
	expect 'tools/check_models.sh tests/model/pool.pml' 'VARIANT_NO_TAG'
fi
if command -v aarch64-linux-gnu-gcc >/dev/null; then
	fresh
	sed -i '/^ba_queue_publish_plain/,/^}/s/memory_order_release/memory_order_relaxed/' \
		"$box/tree/bitactor/src/internal/queue.h"
	expect 'tools/check_orders.sh' 'ba_queue_publish_plain: 0 of 1 release-store'
fi

# --- the runner of the tests --------------------------------------------------
runner() {   # a script's body: as a test it must not pass
	plant planted.sh "#!/bin/sh\n$1\n"
	chmod +x "$box/tree/planted.sh"
	expect 'BA_TEST_LIMIT=1 tools/run_tests.sh ./planted.sh' "$2"
}
runner 'echo "3 passed, 2 failed"; exit 1' '3 passed, 2 failed'
runner 'echo "3 passed, 2 failed"'         '3 passed, 2 failed'
runner 'echo "0 passed, 0 failed"'         '0 passed, 1 failed'
runner 'echo "3 passed, 0 failed"; exit 9' '3 passed, 1 failed'
runner 'echo fine'                         '0 passed, 1 failed'
runner 'sleep 9'                           'hangs'
fresh
expect 'tools/run_tests.sh' '0 passed, 1 failed'

[ "$unseen" -eq 0 ] || { echo "selftest: $unseen of $planted planted faults went unseen"; exit 1; }
echo "selftest: each of $planted planted faults was refused"
