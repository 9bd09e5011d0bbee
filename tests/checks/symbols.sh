#!/bin/sh
# The engine is pure: its archive needs nothing from outside but a short list. usage: symbols.sh ENGINE.a OTHER_PURE_ARCHIVES_AND_OBJECTS...
set -eu
engine=$1
shift
allowed='memcpy|memset|memcmp|memmove|memchr|strlen|strcmp|saga_panic|__stack_chk_fail|__memcpy_chk|__memset_chk|_GLOBAL_OFFSET_TABLE_'
defined=$(mktemp)
trap 'rm -f "$defined"' EXIT
nm --defined-only "$engine" "$@" | awk 'NF == 3 && $2 ~ /[TRDBW]/ { print $3 }' | sort -u >"$defined"
[ -s "$defined" ] || { echo "symbols: $engine defines nothing"; exit 1; }
problems=$(nm --undefined-only "$engine" | awk 'NF == 2 { print $2 }' | sort -u | grep -vxE "$allowed" | grep -vxFf "$defined" || true)
# What the engine leans on must be as pure.
for archive in "$@"; do
    more=$(nm --undefined-only "$archive" | awk 'NF == 2 { print $2 }' | sort -u | grep -vxE "$allowed" | grep -vxFf "$defined" || true)
    problems="$problems$more"
done
if [ -n "$problems" ]; then
    echo "symbols: the engine reaches for what it may not:"
    echo "$problems"
    exit 1
fi
echo "symbols: the engine and what it stands on need nothing but $(echo "$allowed" | tr '|' ' ')"
