#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_docs.sh -- the documents speak of what is there.
#
#   names      the paths and bitactor_ and ba_ functions that README.md, CONTRIBUTING.md
#              and docs/*.md have in backticks exist, and so do all that stand in a
#              drawing of docs/architecture.md; a box of a mermaid drawing names at
#              least one thing that exists
#   code       the README's blocks of C are, to the letter, parts of an example
#   functions  each function of the public headers occurs in an example or a test
#   man pages  mandoc finds nothing to warn about; each command has one
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
documents=$(ls README.md CONTRIBUTING.md docs/*.md 2>/dev/null || :)
[ -n "$documents" ] || { echo "docs: no document found"; bad=1; }
# shellcheck disable=SC2086  # a list of words
awk -v theirs="^($theirs)$" -v lists="$lists" '
BEGIN {
	while ((getline name < (lists "/calls")) > 0) called[name] = 1
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
	       word ~ /^bitactor[a-z-]*\.[1-9]$/
}
function check(word) {
	sub(/^\.\//, "", word); sub(/[.]$/, "", word)
	if (is_path(word) && !exists(word)) {
		printf "%s:%d: there is no %s\n", FILENAME, FNR, word
		bad = 1
	}
}
function check_call(text, ours,   n, word, i) {   # every name() in a text
	n = split(text, word, /[^A-Za-z0-9_()]+/)
	for (i = 1; i <= n; i++) {
		if (word[i] !~ /^[A-Za-z_][A-Za-z0-9_]*\(\)$/) continue
		sub(/\(\)$/, "", word[i])
		if ((word[i] in called) || (ours && word[i] !~ /^(bitactor|ba)_/)) continue
		printf "%s:%d: there is no %s()\n", FILENAME, FNR, word[i]
		bad = 1
	}
}
FNR == 1 { fenced = 0 }
/^[ ]*(```|~~~)/ { fenced = !fenced; mermaid = fenced && /mermaid/; next }
fenced {
	if (FILENAME != "docs/architecture.md") next
	while (mermaid && match($0, /\[[^\]]*\]/)) {
		box = substr($0, RSTART + 1, RLENGTH - 2)
		$0 = substr($0, 1, RSTART - 1) " " box " " substr($0, RSTART + RLENGTH)
		n = split(box, word, /<br *\/?>|[^A-Za-z0-9_.*\/-]+/); named = 0
		for (i = 1; i <= n; i++) if (word[i] != "" && exists(word[i])) named = 1
		if (!named) {
			printf "%s:%d: nothing that exists in the box %s\n", FILENAME, FNR, box
			bad = 1
		}
	}
	check_call($0, 0)
	n = split($0, word, /[^A-Za-z0-9_.*\/-]+/)
	for (i = 1; i <= n; i++) check(word[i])
	next
}
{
	n = split($0, span, "`")
	for (i = 2; i <= n; i += 2) {
		check_call(span[i], 1)
		m = split(span[i], word, /[ ,;:()]+/)
		for (j = 1; j <= m; j++) check(word[j])
	}
}
END { exit bad }' $documents </dev/null || bad=1

# --- code ---------------------------------------------------------------------
if [ -e README.md ]; then
	find examples -name '*.c' -exec cat {} + 2>/dev/null >"$lists/examples" || :
	awk -v examples="$lists/examples" '
	BEGIN { while ((getline line < examples) > 0) shown = shown line "\n" }
	/^```c$/ { inside = 1; block = ""; began = FNR; next }
	/^```/ && inside {
		inside = 0
		if (index(shown, block) == 0) {
			printf "README.md:%d: this C is in no example\n", began
			bad = 1
		}
	}
	inside { block = block $0 "\n" }
	END { exit bad }' README.md || bad=1
fi

# --- functions ----------------------------------------------------------------
# Declarations begin in column 0 and end with a semicolon; comments, macros and
# inline bodies do not count.
functions=$(cat bitactor/include/bitactor/*.h runtime/include/bitactor/*.h | awk '
	/^[ \t]*(\/\*|\*|#)/ || /^[ \t]/ || /^typedef|^static|^enum|^struct/ { next }
	match($0, /bitactor_[a-z0-9_]+\(/) { print substr($0, RSTART, RLENGTH - 1) }' | sort -u)
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
for file in cli/cmd_*.c; do
	[ -e "$file" ] || continue
	name=${file#cli/cmd_}
	page=man/bitactor-${name%.c}.1
	[ -e "$page" ] || { echo "$file: the command has no $page"; bad=1; }
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
echo "docs: paths exist, functions are shown in use, man pages are in order"
