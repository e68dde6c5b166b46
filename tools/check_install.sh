#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_install.sh MAKE -- what `make install` leaves is complete, usable, and
# can be taken back.
#
#   exports   the shared core gives every BITACTOR_API function and nothing else
#   use       a program finds all through pkg-config: shared and static, C and C++
#   DESTDIR   is a place to pack from: nothing inside mentions it
#   uninstall leaves no file
set -eu
cd "$(dirname "$0")/.."
make=${1:-make}
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
fail() { echo "install: $*" >&2; exit 1; }
# Not of the make that called us: its -n, -k or job slots are its own.
quiet_make() {
	MAKEFLAGS='' "$make" --no-print-directory SETUP=no "$@" >"$box/log" 2>&1 ||
		{ cat "$box/log" >&2; fail "make $* fails"; }
}

prefix=$box/usr
quiet_make install PREFIX="$prefix"

exported() {
	nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort
}
promised=$(grep -hv '^#' bitactor/include/bitactor/*.h | tr '\n' ' ' |
	grep -oE 'BITACTOR_API [^;(]*\(' | sed -E 's/.*[ *]([a-z0-9_]+)\($/\1/' | sort -u)
[ -n "$promised" ] || fail "no BITACTOR_API function found in the headers"
given=$(exported "$prefix/lib/libbitactor.so")
if [ "$promised" != "$given" ]; then
	printf '%s\n' "$promised" >"$box/promised"
	printf '%s\n' "$given" >"$box/given"
	diff "$box/promised" "$box/given" >&2 || :
	fail "libbitactor.so exports (>) other functions than the headers promise (<)"
fi
stray=$(exported "$prefix/lib/libbitactor-runtime.so" | grep -v '^bitactor_' || :)
[ -z "$stray" ] || fail "libbitactor-runtime.so exports $stray"
for library in libbitactor libbitactor-runtime; do
	readelf -d "$prefix/lib/$library.so" | grep -q "SONAME.*\[$library\.so\.[0-9]*\]" ||
		fail "$library.so has no SONAME"
done

cat >"$box/use.c" <<'END'
#include <bitactor/bitactor.h>
#include <bitactor/host.h>
int main(void) { return !bitactor_is_ready(bitactor_init()) || !bitactor_host_posix(); }
END
cp "$box/use.c" "$box/use.cpp"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
config=${PKG_CONFIG:-pkg-config}
build_and_run() {   # what, then a compiler and its words
	what=$1; shift
	"$@" >"$box/log" 2>&1 || { cat "$box/log" >&2; fail "$what: $*"; }
	LD_LIBRARY_PATH=$prefix/lib "$box/use" || fail "$what: the program fails"
}
# shellcheck disable=SC2046  # flags are words
{
	build_and_run shared "${CC:-gcc}" -std=c11 -o "$box/use" "$box/use.c" \
		$($config --cflags --libs bitactor-runtime bitactor)
	for library in "$prefix"/lib/*.so*; do mv "$library" "$library.away"; done
	build_and_run static "${CC:-gcc}" -std=c11 -o "$box/use" "$box/use.c" \
		$($config --static --cflags --libs bitactor-runtime bitactor)
	if command -v g++ >/dev/null; then
		build_and_run C++ g++ -std=c++17 -o "$box/use" "$box/use.cpp" \
			$($config --static --cflags --libs bitactor-runtime bitactor)
	fi
	for library in "$prefix"/lib/*.away; do mv "$library" "${library%.away}"; done
}
if [ -e "$prefix/bin/bitactor" ]; then
	"$prefix/bin/bitactor" --version >/dev/null || fail "bitactor --version fails"
fi

quiet_make uninstall PREFIX="$prefix"
left=$(find "$prefix" ! -type d)
[ -z "$left" ] || fail "uninstall leaves $left"

quiet_make install PREFIX=/opt/bitactor DESTDIR="$box/dest"
[ -e "$box/dest/opt/bitactor/lib/libbitactor.a" ] || fail "DESTDIR is not honoured"
leak=$(grep -rlF -- "$box" "$box/dest" || :)
[ -z "$leak" ] || fail "DESTDIR is written into $leak"
quiet_make uninstall PREFIX=/opt/bitactor DESTDIR="$box/dest"
left=$(find "$box/dest" ! -type d)
[ -z "$left" ] || fail "uninstall with DESTDIR leaves $left"
echo "install: complete, usable shared and static, and can be taken back"
