#!/bin/sh
# What make would do after a change, asked of make itself (-n): nothing when nothing has changed, one file and one link for another version,
# everything for another flag of the compiler, links alone for another flag of the linker. Run by make make-check, after make.
set -eu
fail() { echo "make-check: $*" >&2; exit 1; }
asked() { "${MAKE:-make}" V=1 -n KIND="$KIND" CC="$CC" B="$B" "$@" binaries; }
compiled() { grep -c -- ' -c -o ' || true; }
linked() { grep -c -- '--start-group\| -shared ' || true; }

"${MAKE:-make}" -q KIND="$KIND" CC="$CC" B="$B" binaries || fail "something is left to do right after make"

asked VERSION=9.9.9 >"$B/asked"
[ "$(compiled <"$B/asked")" = 1 ] && grep -q 'sidecar/runtime/release.c$' "$B/asked" || fail "another version does not make release.c alone anew"
[ "$(linked <"$B/asked")" = 1 ] || fail "another version links more or less than sagad"

sources=$(ls compensations/*.c sidecar/*/*.c client-lib/src/*.c | wc -l)
[ "$(asked CFLAGS=-DOTHER | compiled)" -ge "$sources" ] || fail "another flag of the compiler does not make everything anew"

asked LDFLAGS=-Wl,-O1 >"$B/asked"
[ "$(compiled <"$B/asked")" = 0 ] && [ "$(linked <"$B/asked")" -ge 5 ] || fail "another flag of the linker does not link alone"
rm "$B/asked"
echo "make-check: nothing to do after make; a version, a flag of the compiler and one of the linker make anew what they touch"
