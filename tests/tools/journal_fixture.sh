#!/bin/sh
# Writes a journal with the given program, as SQL, to FOLDER/vN.sql, where N is its schema. What is there already stays: an earlier program
# may have written it. usage: tests/tools/journal_fixture.sh PROGRAM FOLDER
set -eu
db=$(mktemp -d)/journal.db
trap 'rm -r "${db%/*}"' EXIT
"$1" "$db"
version=$(sqlite3 "$db" 'PRAGMA user_version')
to=$2/v$version.sql
if [ -e "$to" ]; then
    echo "journal_fixture.sh: $to is there already" >&2
    exit 1
fi
{
    echo "-- A journal of schema $version, as sqlite3's .dump gives it. Kept as it is: it shows that later programs still open it."
    sqlite3 "$db" .dump
    echo "PRAGMA application_id = $(sqlite3 "$db" 'PRAGMA application_id');"
    echo "PRAGMA user_version = $version;"
} > "$to"
echo "$to"
