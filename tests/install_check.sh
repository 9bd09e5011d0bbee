#!/bin/sh
# Installs into a folder of its own, builds the first program with what is there (shared and static) and runs it against the installed
# sidecar, then uninstalls.  Run by make install-check.
set -eu
make=${MAKE:-make} cc=${CC:-cc} build=${B:-build/release}
here=$(mktemp -d)
sidecar=
finish() {
    [ -z "$sidecar" ] || kill "$sidecar" 2>/dev/null || true
    [ -z "$sidecar" ] || wait "$sidecar" 2>/dev/null || true
    rm -rf "$here"
}
trap finish EXIT
fail() { echo "install-check: $*" >&2; exit 1; }

$make -s B="$build" DESTDIR="$here" PREFIX=/opt/saga install >/dev/null
root=$here/opt/saga
export PKG_CONFIG_PATH="$root/lib/pkgconfig"
config() { pkg-config --define-variable=prefix="$root" "$@"; }
for file in bin/sagad bin/sagactl include/saga/saga.h lib/libsaga.a lib/libsaga.so.0 lib/libsaga-sqlite.so lib/libsaga-pq.so \
    share/man/man8/sagad.8 share/man/man5/sagad.yaml.5 share/sagad/saga_barrier.sqlite.sql \
    share/sagad/proto/saga/v1/coordinator.proto share/bash-completion/completions/sagactl share/zsh/site-functions/_sagactl \
    share/fish/vendor_completions.d/sagactl.fish; do
    [ -e "$root/$file" ] || fail "$file was not installed"
done
if grep -rq '@[A-Z]*@' "$root/lib/pkgconfig"; then fail "a .pc file has a place that was not filled in"; fi

# shellcheck disable=SC2046 # lists of flags
{
    $cc -std=c11 -Wall -Wextra -Werror -o "$here/shared" client-lib/examples/first_saga.c $(config --cflags --libs libsaga)
    $cc -std=c11 -Wall -Wextra -Werror -o "$here/static" client-lib/examples/first_saga.c \
        $(config --static --cflags --libs libsaga | sed 's/-lsaga\b/-l:libsaga.a/')
    $cc -std=c11 -Wall -Wextra -Werror -o "$here/transfer" client-lib/examples/transfer.c $(config --cflags --libs libsaga)
    printf '#include <saga/sqlite.h>\nint main(void) { return saga_sqlite_schema() == NULL; }\n' >"$here/sqlite.c"
    $cc -o "$here/sqlite" "$here/sqlite.c" $(config --cflags --libs libsaga-sqlite libsaga)
    printf '#include <saga/pq.h>\nint main(void) { return saga_pq_schema() == NULL; }\n' >"$here/pq.c"
    $cc -o "$here/pq" "$here/pq.c" $(config --cflags --libs libsaga-pq libsaga)
}
export LD_LIBRARY_PATH="$root/lib"
ldd "$here/shared" | grep -q "$root/lib/libsaga.so.0" || fail "the program is not linked with the soname libsaga.so.0"
ldd "$here/static" | grep -q libsaga && fail "the static program needs libsaga.so"
for program in shared static; do
    ldd "$here/$program" | grep 'not found' && fail "$program: a library is missing"
    ldd "$here/$program" | grep 'libsqlite3\|libpq' && fail "libsaga drags a database in"
done
"$here/sqlite" && "$here/pq" || fail "the schema is missing"

# The first program against the sidecar that was installed. There is no participant here, so what it is to get is the sidecar's clear refusal.
cd "$here"
echo 'listen: ["unix:./sagad-data/sagad.sock"]' >sagad.yaml # no port: another sidecar may have it
"$root/bin/sagad" -f sagad.yaml >sagad.log 2>&1 &
sidecar=$!
i=0
until [ -S sagad-data/sagad.sock ]; do
    i=$((i + 1))
    [ "$i" -lt 200 ] || fail "sagad did not start: $(cat sagad.log)"
    kill -0 "$sidecar" 2>/dev/null || fail "sagad ended: $(cat sagad.log)"
    sleep 0.05
done
cat >trip.yaml <<'END'
name: trip
version: 1.0.0
deadline: 10s
steps:
  - name: book
    target: nowhere
    action: /trips.v1.Trips/Book
    compensation: {method: /trips.v1.Trips/Unbook, request: input}
END
for program in ./shared ./static; do
    if "$program" trip.yaml input >out.txt 2>&1; then fail "$program: a definition with an unknown target was accepted"; fi
    grep -q '^register: INVALID_ARGUMENT: .*nowhere\|^register: INVALID_ARGUMENT: .*target' out.txt || fail "$program said: $(cat out.txt)"
done
cd - >/dev/null

$make -s B="$build" DESTDIR="$here" PREFIX=/opt/saga uninstall >/dev/null
left=$(find "$root" -type f -o -type l)
[ -z "$left" ] || fail "uninstall left $left"
echo "install-check: installed, linked shared and static, ran, uninstalled"
