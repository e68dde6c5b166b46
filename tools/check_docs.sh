#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_docs.sh -- the documents speak of what is there.
#
#   names      the paths and bitactor_ and ba_ functions that README.md, CONTRIBUTING.md
#              and docs/*.md have in backticks exist, and so do all that stand in a
#              drawing of docs/architecture.md, which has at least three; a box of a
#              mermaid drawing names at least one thing that exists
#   code       README.md shows examples/01_hello_signal.c and a module, whole and to
#              the letter, each below a line that names the file
#   atomics    each of the core's has its place in docs/memory-model.md
#   functions  each function of the public headers occurs in an example or a test
#   man pages  mandoc finds nothing to warn about; each command has one with all its
#              options and no others; bitactor.3, bitactor_dispatch.3 and
#              bitactor_telemetry.3 have the functions of their headers and an
#              example that is part of a file of examples/
set -eu
cd "$(dirname "$0")/.."
bad=0

# --- names --------------------------------------------------------------------
# A word is taken for a path if it begins with a folder of ours and a slash, or
# ends like a source, script or page of ours.  `*` stands for a part of a name;
# a path may leave out its first folders.  Not ours, or the reader's to make:
theirs='blake3.h|jansson.h|my_module.c|counter.c|app.c'

# Files that awk reads, because an argument has no room for a large tree.
lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT
find . \( -name build -o -name .git \) -prune -o -print | sed 's|^\./||' >"$lists/tree"
find bitactor runtime cli bench modules tests examples -name '*.[ch]' -exec cat {} + 2>/dev/null |
	grep -oE '[A-Za-z_][A-Za-z0-9_]*\(' | tr -d '(' | sort -u >"$lists/calls" || :
# Words that begin like ours, a variable of the environment among them.
find bitactor runtime cli bench modules tests examples Makefile tools -type f \
	! -name check_docs.sh ! -name check_selftest.sh -exec cat {} + 2>/dev/null |
	grep -aoE '(bitactor|ba|BITACTOR|BA)_[A-Za-z0-9_]+' | sort -u >"$lists/words" || :
documents=$(ls README.md CONTRIBUTING.md CHANGELOG.md docs/*.md 2>/dev/null || :)
[ -n "$documents" ] || { echo "docs: no document found"; bad=1; }
# shellcheck disable=SC2086  # a list of words
awk -v theirs="^($theirs)$" -v lists="$lists" '
BEGIN {
	while ((getline name < (lists "/calls")) > 0) called[name] = 1
	while ((getline name < (lists "/words")) > 0) ours[name] = 1
	while ((getline name < (lists "/tree")) > 0) path[++count] = name
	for (i = 1; i <= count; i++) {
		there[path[i]] = 1
		part = path[i]
		while (sub(/^[^\/]*\//, "", part)) there[part] = 1   # without its first folders
		if (index(path[i], "/") == 0) top[path[i]] = 1
	}
}
function exists(word,   pattern, i) {
	sub(/\/$/, "", word)
	if (word in there) return 1
	if (index(word, "*") == 0) return 0
	pattern = word; gsub(/\./, "\\.", pattern); gsub(/\*/, "[^/]*", pattern)
	for (i = 1; i <= count; i++) if (path[i] ~ ("(^|/)" pattern "$")) return 1
	return 0
}
function is_path(word,   first) {
	if (word !~ /^[A-Za-z0-9_.*\/-]+$/ || word ~ /^(\/|\.\.|build\/)/ || word ~ theirs) return 0
	first = word; sub(/\/.*/, "", first)
	if (index(word, "/") && first in top) return 1
	return word ~ /[A-Za-z0-9_*]\.(c|h|cpp|sh|md|mk|bats|py)$/ || \
	       word ~ /^bitactor[a-z_-]*\.[1-9]$/
}
function complain(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad = 1 }
function check(word) {
	sub(/^\.\//, "", word); sub(/[.]$/, "", word)
	if (!is_path(word)) return
	drawn++
	if (!exists(word)) complain("there is no " word)
}
# Every name() in a text, and every word that begins like ours.
function check_names(text, ours_only,   n, word, i) {
	n = split(text, word, /[^A-Za-z0-9_().*\/-]+/)
	for (i = 1; i <= n; i++) {
		sub(/[.]$/, "", word[i])
		if (word[i] ~ /^[A-Za-z_][A-Za-z0-9_]*\(\)$/) {
			sub(/\(\)$/, "", word[i]); drawn++
			if (!(word[i] in called) && !(ours_only && word[i] !~ /^(bitactor|ba)_/))
				complain("there is no " word[i] "()")
		} else if (word[i] ~ /^(bitactor|ba|BITACTOR|BA)_[A-Za-z0-9_]+$/ &&
		           !(word[i] in ours) && !exists(word[i])) {
			complain("there is no " word[i])
		}
	}
}
FNR == 1 { fenced = 0; drawn = 3 }
/^[ ]*(```|~~~)/ {
	if (fenced && FILENAME == "docs/architecture.md" && drawn < 3)
		complain("this drawing names " drawn " files and functions, 3 are the least")
	fenced = !fenced; mermaid = fenced && /mermaid/; drawn = mermaid ? 3 : 0
	next
}
fenced {
	if (FILENAME != "docs/architecture.md") next
	while (mermaid && match($0, /\[[^\]]*\]/)) {
		box = substr($0, RSTART + 1, RLENGTH - 2)
		$0 = substr($0, 1, RSTART - 1) " " box " " substr($0, RSTART + RLENGTH)
		n = split(box, word, /<br *\/?>|[^A-Za-z0-9_.*\/-]+/); named = 0
		for (i = 1; i <= n; i++) if (word[i] != "" && exists(word[i])) named = 1
		if (!named) complain("nothing that exists in the box " box)
	}
	check_names($0, 0)
	n = split($0, word, /[^A-Za-z0-9_.*\/-]+/)
	for (i = 1; i <= n; i++) check(word[i])
	next
}
{
	n = split($0, span, "`")
	for (i = 2; i <= n; i += 2) {
		check_names(span[i], 1)
		m = split(span[i], word, /[ ,;:()]+/)
		for (j = 1; j <= m; j++) check(word[j])
	}
}
END { exit bad }' $documents </dev/null || bad=1

# --- code ---------------------------------------------------------------------
if [ -e README.md ]; then
	awk '
	!inside && match($0, /`examples\/[a-z0-9_\/]*\.c`/) {
		file = substr($0, RSTART + 1, RLENGTH - 2)
	}
	/^```c$/ { inside = 1; block = ""; began = FNR; next }
	/^```/ && inside {
		inside = 0; whole = ""
		while (file != "" && (getline text < file) > 0) whole = whole text "\n"
		if (file == "" || block != whole) {
			printf "README.md:%d: this C is in no example: %s\n", began,
			       file == "" ? "no line before it names one" : "it is not " file
			bad = 1
		}
		if (file != "") { close(file); shown[file] = 1; file = "" }
	}
	inside { block = block $0 "\n" }
	END {
		n = split("examples/01_hello_signal.c examples/module/thermostat.c", wanted, " ")
		for (i = 1; i <= n; i++)
			if (!(wanted[i] in shown)) {
				print "README.md: does not show " wanted[i]
				bad = 1
			}
		exit bad
	}' README.md || bad=1
fi

# --- atomics ------------------------------------------------------------------
# Members and variables; a parameter or a pointer that is set at once is none.
if [ -e docs/memory-model.md ]; then
	atomics=$(cat bitactor/src/*.c bitactor/src/internal/*.h | awk '
		/^[ \t]+(_Alignas\([A-Z_]+\) +)?(_Atomic[ (]|ba_count_t )[^=]*;/ {
			sub(/;.*/, "")
			sub(/^[ \t]+(_Alignas\([A-Z_]+\) +)?/, "")
			sub(/^(_Atomic\([^)]*\)|_Atomic +[a-z0-9_]+|ba_count_t)/, "")
			gsub(/\[[^]]*\]|[ \t*]/, "")
			n = split($0, name, ",")
			for (i = 1; i <= n; i++) print name[i]
		}' | sort -u)
	[ -n "$atomics" ] || { echo "docs: no atomic found in bitactor/src"; bad=1; }
	for name in $atomics; do
		grep -qF -- "\`$name\`" docs/memory-model.md || {
			echo "docs/memory-model.md: says nothing about the atomic $name"
			bad=1
		}
	done
fi

# --- functions ----------------------------------------------------------------
# Declarations begin in column 0 and end with a semicolon; comments, macros and
# inline bodies do not count.
functions_of() {
	cat "$@" | awk '
	/^[ \t]*(\/\*|\*|#)/ || /^[ \t]/ || /^typedef|^static|^enum|^struct/ { next }
	match($0, /bitactor_[a-z0-9_]+\(/) { print substr($0, RSTART, RLENGTH - 1) }' | sort -u
}
functions=$(functions_of bitactor/include/bitactor/*.h runtime/include/bitactor/*.h)
[ -n "$functions" ] || { echo "docs: no function found in the public headers"; bad=1; }
used=$(find tests examples -type f \( -name '*.c' -o -name '*.cpp' -o -name '*.h' \) \
	-exec cat {} + 2>/dev/null | grep -oE 'bitactor_[a-z0-9_]+' | sort -u || :)
unused=$(printf '%s\n' "$functions" | while read -r name; do
	printf '%s\n' "$used" | grep -qxF -- "$name" || echo "$name"
done)
for name in $unused; do
	echo "no example or test calls $name()"
	bad=1
done

# --- man pages ----------------------------------------------------------------
# compare PAGE WHAT: what is there, $lists/has, and what the page speaks of.
compare() {
	for word in $(comm -23 "$lists/has" "$lists/says"); do
		echo "$1: leaves out the $2 $word"
		bad=1
	done
	for word in $(comm -13 "$lists/has" "$lists/says"); do
		echo "$1: there is no $2 $word"
		bad=1
	done
}
for file in cli/cmd_*.c; do
	[ -e "$file" ] || continue
	name=${file#cli/cmd_}
	page=man/bitactor-${name%.c}.1
	[ -e "$page" ] || { echo "$file: the command has no $page"; bad=1; continue; }
	# { "name", "ARGUMENT" or NULL, "help" begins each row of a command's options
	{ echo help; grep -oE '\{ "[a-z-]+", (NULL|"[^"]*"), "' "$file" || :; } |
		sed -E 's/^\{ "([a-z-]+)".*/\1/; s/^/--/' | sort -u >"$lists/has"
	sed -nE 's/^\.It Fl (-[a-z-]+).*/-\1/p; s/^\.Fl (-help) \.$/-\1/p' "$page" |
		sort -u >"$lists/says"
	compare "$page" option
done
cat examples/*.c 2>/dev/null >"$lists/examples" || :
for header in bitactor/include/bitactor/*.h; do
	page=man/$(basename "$header" .h).3
	[ -e "$page" ] || { echo "$header: has no $page"; bad=1; continue; }
	# the inline functions too: they are what handlers call
	{ functions_of "$header"; sed -nE 's/^(bitactor_[a-z0-9_]+)\(.*/\1/p' "$header"; } |
		sort -u >"$lists/has"
	sed -nE 's/^\.F[no] (bitactor_[a-z0-9_]+).*/\1/p' "$page" | sort -u >"$lists/says"
	compare "$page" function
	awk -v examples="$lists/examples" '
	BEGIN { while ((getline line < examples) > 0) shown = shown line "\n" }
	/^\.Sh/ { in_examples = /EXAMPLES/ }
	in_examples && /^\.Bd -literal$/ { inside = 1; block = ""; seen++; next }
	inside && /^\.Ed/ {
		inside = 0
		if (index(shown, block) > 0) next
		printf "%s:%d: this example is in no file of examples/\n", FILENAME, FNR
		bad = 1
	}
	inside { gsub(/\\e/, "\\"); sub(/^\\&/, ""); block = block $0 "\n" }
	END {
		if (seen == 0) { print FILENAME ": has no example"; bad = 1 }
		exit bad
	}' "$page" || bad=1
done
for page in man/*.[1-9]; do
	[ -e "$page" ] || continue
	if ! command -v mandoc >/dev/null; then
		echo "docs: no mandoc here, man pages not read"
		break
	fi
	mandoc -Tlint -Wwarning "$page" || bad=1
done
[ "$bad" = 0 ] || exit 1
echo "docs: names exist, code and options are as shown, man pages are in order"
