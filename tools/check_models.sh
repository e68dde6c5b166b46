#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_models.sh [MODEL...] -- the protocols of the core, in every interleaving.
#
# A file of tests/model/*.pml is one header's protocol in Promela.  spin makes of
# it a program that visits every state there is; demanded of each file is, with
# the names that stand in it:
#
#   as it is              no error, every state visited, no line never reached
#   -DVARIANT_NAME        no error, every state visited
#   -DPLANTED_NAME        an error: the model can see that bug
#
# What a model cannot see: docs/testing.md, models.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
command -v spin >/dev/null || { echo "models: no spin here"; exit 0; }
[ $# -gt 0 ] || set -- tests/model/*.pml
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
bad=0 states=0 planted=0
complain() { echo "$1"; bad=1; }

# search MODEL [NAME]: what pan says is in $box/said.  Its exit code says nothing.
# NOREDUCE: with no state left out there is no rule to be trusted for leaving it out.
search() {
	rm -f "$box"/pan*
	(
		cd "$box"
		spin -a ${2:+"-D$2"} "$root/$1"
		"${CC:-cc}" -O1 -w -DSAFETY -DNOREDUCE -DMEMLIM=1024 -o pan pan.c
		timeout 600 ./pan -m100000 -w22
	) >"$box/said" 2>&1 || :
}
said() { grep -qE -- "$1" "$box/said"; }

holds() {   # MODEL [NAME]
	search "$@"
	if ! said 'errors: 0'; then
		cat "$box/said"
		complain "$1${2:+ -D$2}: does not hold"
	elif said 'not completed|depth too small|reached -DMEMLIM|out of memory'; then
		complain "$1${2:+ -D$2}: not every state was visited"
	fi
	states=$((states + $(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$box/said") + 0))
}

for model; do
	holds "$model"
	# "-end-": of a process that never ends, as it should.
	never=$(sed -n '/^unreached in/,/^pan:/s/^\t\(.*:[0-9]*, state .*\)/\1/p' "$box/said" |
		grep -v '"-end-"' || :)
	[ -z "$never" ] || complain "never reached: $never"

	names=$(grep -oE '(VARIANT|PLANTED)_[A-Z0-9_]+' "$model" | sort -u)
	for name in $names; do
		case $name in
		VARIANT_*) holds "$model" "$name"; continue ;;
		esac
		planted=$((planted + 1))
		search "$model" "$name"
		said '^pan:.*(assertion violated|invalid end state)' ||
			complain "$model -D$name: the planted bug is not found"
	done
done
[ "$bad" = 0 ] || exit 1
echo "models: $# protocols hold in all of $states states, each of $planted planted bugs is found"
