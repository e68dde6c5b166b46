#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# setup.sh GROUP... -- see that the packages of these groups are here.
#
# The list is tools/packages.txt.  Nothing missing: silent, at once, exit 0.
# Else it says what it installs and why, and does so as root or through sudo;
# with neither it prints the line to run, and exits 3.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || { echo "usage: setup.sh GROUP...   (see tools/packages.txt)" >&2; exit 2; }

# What unpack: fetched is checked against this; other versions and machines have
# only apt's own signed index to vouch for them.
blake3_sum=48affb9072bf90eb2bd92f31c95d73d89117413112f367c2ab5c0425cbff2b76
known_sums="$blake3_sum  librust-blake3-dev_1.3.1-1_amd64.deb"
deps=build/deps

# name<TAB>why, once for each line of the list that is in one of the groups
wanted=$(awk -v groups="$*" '
	BEGIN { n = split(groups, g, " "); for (i = 1; i <= n; i++) asked[g[i]] = 1 }
	/^[^#]/ && NF >= 2 {
		why = $0; sub(/^[^#]*#[ \t]*/, "", why)
		n = split($2, g, ","); hit = 0
		for (i = 1; i <= n; i++) { known[g[i]] = 1; if (g[i] in asked) hit = 1 }
		if (hit) printf "%s\t%s\n", $1, why
	}
	END { for (a in asked) if (!(a in known)) { print "no group " a > "/dev/stderr"; exit 2 } }
' tools/packages.txt)

if ! command -v dpkg-query >/dev/null; then
	echo "setup: not a Debian system, so nothing was checked.  Needed, by its Debian names:" >&2
	printf '%s\n' "$wanted" | sed 's/^/    /' >&2
	exit 0
fi
list_installed() {
	# shellcheck disable=SC2016  # the ${...} are dpkg-query's
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p'
}
installed=$(list_installed)

is_here() {   # one alternative: `package` or `unpack:package`
	if printf '%s\n' "$installed" | grep -qxF -- "${1#unpack:}"; then return 0; fi
	case $1 in unpack:*) [ -d "$deps/${1#unpack:}" ] ;; *) return 1 ;; esac
}
any_here() {   # a|b|c
	for one in $(printf '%s' "$1" | tr '|' ' '); do
		if is_here "$one"; then return 0; fi
	done
	return 1
}
lacking() {   # the lines of $wanted of which no alternative is here
	printf '%s\n' "$wanted" | while IFS='	' read -r names why; do
		any_here "$names" || printf '%s\t%s\n' "$names" "$why"
	done
}

missing=$(lacking)
[ -n "$missing" ] || exit 0

echo "setup: missing, and why it is needed:"
printf '%s\n' "$missing" |
awk -F '\t' '{ gsub(/unpack:/, "", $1); gsub(/\|/, " or ", $1); printf "    %-38s %s\n", $1, $2 }'

as_root=''
if [ "$(id -u)" -ne 0 ]; then
	as_root=none
	! command -v sudo >/dev/null || as_root=sudo
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {   # its output is of interest only when it fails
	"$@" >"$log" 2>&1 </dev/null || { rc=$?; cat "$log" >&2; return "$rc"; }
}
apt() {
	quietly ${as_root:+"$as_root"} env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}
knows() { apt-cache show --no-all-versions "$1" >/dev/null 2>&1; }

if [ "$as_root" != none ]; then
	# The lock of the lists has no timeout of its own; and without a network
	# the lists that are here may still do.
	apt update || { sleep 10; apt update; } || echo "setup: no new lists; going on" >&2
fi

plain='' unpack=''
for names in $(printf '%s\n' "$missing" | cut -f 1); do
	chosen=''
	for one in $(printf '%s' "$names" | tr '|' ' '); do
		if knows "${one#unpack:}"; then chosen=$one; break; fi
	done
	: "${chosen:=${names##*|}}"
	case $chosen in
	unpack:*) unpack="$unpack ${chosen#unpack:}" ;;
	*)        plain="$plain $chosen" ;;
	esac
done

if [ -n "$plain" ]; then
	if [ "$as_root" = none ]; then
		echo "setup: neither root nor sudo.  As root, run:" >&2
		echo "    apt-get update && apt-get install -y --no-install-recommends$plain" >&2
		exit 3
	fi
	# shellcheck disable=SC2086  # a list of words
	apt install --no-install-recommends $plain
fi

# Needs no root, only lists that know the package.
unpack_package() {
	box=$(mktemp -d)
	# As root apt would drop to a user who may not write here, and say so.
	if ! (cd "$box" && quietly apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$1")
	then
		rm -rf "$box"
		echo "setup: apt does not know $1.  As root, run:  apt-get update" >&2
		return 3
	fi
	file=$(basename "$box"/*.deb)
	sum=$(printf '%s\n' "$known_sums" | grep -F -- "  $file" || :)
	if [ -n "$sum" ] && ! (cd "$box" && printf '%s\n' "$sum" | sha256sum --status -c -); then
		rm -rf "$box"
		echo "setup: $file is not the file that was once checked; not used" >&2
		return 1
	fi
	mkdir -p "$deps"
	rm -rf "$deps/$1.part"
	dpkg-deb -x "$box/$file" "$deps/$1.part"
	rm -rf "${deps:?}/$1" "$box"
	mv "$deps/$1.part" "$deps/$1"
}
for name in $unpack; do
	unpack_package "$name"
done

installed=$(list_installed)
missing=$(lacking)
if [ -n "$missing" ]; then
	echo "setup: still missing: $(printf '%s\n' "$missing" | cut -f 1 | tr '\n' ' ')" >&2
	exit 1
fi
