#!/bin/sh
# Every public header compiles alone, as strict C11 and as C++, under every compiler there is; and the shared libraries export what is
# public and nothing else.  header_check.sh BUILD_FOLDER
set -eu
build=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
count=0

try() {
    # $1 compiler, $2 language, $3 standard
    command -v "$1" >/dev/null || return 0
    for header in client-lib/include/saga/*.h; do
        printf '#include <saga/%s>\n#include <saga/%s>\nextern int something;\n' "$(basename "$header")" "$(basename "$header")" >"$out/alone.$2"
        # shellcheck disable=SC2086 # a list of flags
        "$1" -std="$3" -Wall -Wextra -Wpedantic -Werror -Iclient-lib/include ${PQ_CFLAGS:-} -fsyntax-only "$out/alone.$2"
        count=$((count + 1))
    done
}

for compiler in gcc clang; do try "$compiler" c c11; done
for compiler in g++ clang++; do try "$compiler" cc c++17; done
[ "$count" -gt 0 ] || { echo "header-check: no compiler was found" >&2; exit 1; }

for library in libsaga libsaga-sqlite libsaga-pq; do
    # Sanitized builds export their own variables beside.
    others=$(nm -D --defined-only "$build/$library.so.0" | awk '{ print $3 }' | grep -v '^saga_' | grep -v '^__\(asan\|odr_asan\|ubsan\|tsan\)' || true)
    [ -z "$others" ] || { echo "header-check: $library.so exports what is not public:" "$others" >&2; exit 1; }
    nm -g --defined-only "$build/$library.a" | awk 'NF == 3 { print $3 }' >"$out/static"
    others=$(grep -v '^saga_' "$out/static" | grep -v '^__\(asan\|odr_asan\|ubsan\|tsan\)' || true)
    [ -z "$others" ] || { echo "header-check: $library.a defines what is not public:" "$others" >&2; exit 1; }
done

# What the headers declare is there to be linked.
grep -ho 'saga_[a-z0-9_]*(' client-lib/include/saga/*.h | tr -d '(' | sort -u >"$out/declared"
for library in libsaga libsaga-sqlite libsaga-pq; do
    nm -D --defined-only "$build/$library.so.0" | awk '{ print $3 }'
done | sort -u >"$out/exported"
missing=$(grep -h 'SAGA_API' -A1 client-lib/include/saga/*.h | grep -o 'saga_[a-z0-9_]*(' | tr -d '(' | sort -u | comm -23 - "$out/exported")
[ -z "$missing" ] || { echo "header-check: declared, but not exported:" "$missing" >&2; exit 1; }
hidden=$(comm -23 "$out/exported" "$out/declared")
[ -z "$hidden" ] || { echo "header-check: exported, but in no header:" "$hidden" >&2; exit 1; }

if ldd "$build/libsaga.so.0" | grep -q 'libsqlite3\|libpq'; then
    echo "header-check: libsaga.so drags a database in" >&2
    exit 1
fi
echo "header-check: $count compilations, $(wc -l <"$out/exported") functions"
