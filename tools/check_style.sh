#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_style.sh -- the part of docs/style.md that a machine can see.
#
#   every source    its licence in the first line (after #!), no trailing blanks,
#                   a newline at the end, no notes about what is still to do
#   C and scripts   100 columns, a tab counting up to the next multiple of 8
#   C               functions of at most 60 lines between their braces, and no
#                   assert(): NDEBUG would take it away
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C   # bytes; the continuation bytes of UTF-8 are counted out below

# Lines of any length, with the reason:
#   runtime/src/report/report_assets.h   embeds other people's minified text
long='^(runtime/src/report/report_assets\.h)$'

files=$(find . \( -name build -o -name .git -o -name third_party \) -prune -o -type f \( \
	-name '*.[ch]' -o -name '*.cpp' -o -name '*.sh' -o -name '*.bats' -o -name '*.py' \
	-o -name '*.mk' -o -name Makefile -o -path './.ci/run' \) -print | sed 's|^\./||' | sort)
[ -n "$files" ] || { echo "style: nothing to look at" >&2; exit 1; }

bad=0
for file in $files; do
	if [ -n "$(tail -c 1 "$file")" ]; then
		echo "$file: no newline at the end"
		bad=1
	fi
done
# The forbidden words are put together here, so that this file may pass too.
awk -v long="$long" -v words="TO""DO|FIX""ME|X""XX" '
function complain(line, what) { printf "%s:%d: %s\n", file, line, what; bad = 1 }
function columns(text,   n, i, c, width) {
	if (index(text, "\t") == 0) return length(text)
	n = split(text, part, "\t"); width = 0
	for (i = 1; i < n; i++) { width += length(part[i]); width += 8 - width % 8 }
	return width + length(part[n])
}
{
	file = $0; line = 0; began = 0
	is_c = file ~ /\.(c|h|cpp)$/
	while ((getline text < file) > 0) {
		line++
		if (line == 1 && text ~ /^#!/) licence_line = 2
		else if (line == 1) licence_line = 1
		if (line == licence_line && text !~ /SPDX-License-Identifier: Apache-2\.0/)
			complain(line, "no SPDX-License-Identifier: Apache-2.0 here")
		if (text ~ /[ \t\r]$/) complain(line, "trailing blank")
		if (match(text, "(^|[^A-Za-z0-9_])(" words ")([^A-Za-z0-9_]|$)"))
			complain(line, "an issue, not a note")
		plain = text; gsub(/[\200-\277]/, "", plain)
		if (file !~ long && columns(plain) > 100)
			complain(line, columns(plain) " columns")
		if (!is_c) continue
		code = text
		gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
		gsub(/\/\*([^*]|\*[^\/])*\*\//, "", code)
		sub(/\/\*.*$|\/\/.*$|^[ \t]*\*([ \t\/].*)?$/, "", code)
		if (code ~ /(^|[^A-Za-z0-9_])assert[ \t]*\(/)
			complain(line, "assert() goes away under NDEBUG")
		# A function body opens with a brace in column 0, or after a
		# parenthesis on a line that starts in column 0.
		if (text ~ /^(\{|[A-Za-z_].*\)[ \t]*\{)[ \t]*$/) began = line
		if (text ~ /^\}/ && began) {
			lines = line - began - 1
			if (lines > 60) complain(began, "a function of " lines " lines")
			began = 0
		}
	}
	if (line == 0) complain(1, "empty file")
	close(file)
}
END { exit bad }' <<END || bad=1
$files
END
[ "$bad" = 0 ] || exit 1
echo "style: licence, 100 columns, 60 lines a function, no notes, no blanks at the end"
