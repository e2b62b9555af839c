#!/usr/bin/env bash
# `make dev-reset`: ends what runs from this checkout's .dev/ and deletes it, data included.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
readonly DEV=$ROOT/.dev

# holders: the processes of this checkout's `make dev`, told by the lock file that they have open; never this script.
holders() {
    # Processes come and go while find looks; that is no failure.
    { find /proc -maxdepth 3 -path '/proc/[0-9]*/fd/*' -printf '%p\t%l\n' 2>/dev/null || true; } |
        awk -F '\t' -v file="$DEV/lock" -v self="$$" '$2 == file { split($1, part, "/"); if (part[3] != self) print part[3] }' |
        sort -u
}

signal_holders() {
    local pids
    pids=$(holders)
    # shellcheck disable=SC2086 # one word per process is meant
    [[ -z $pids ]] || kill -s "$1" $pids 2>/dev/null || true
}

take_lock() {
    mkdir -p "$DEV"
    exec {lock}>>"$DEV/lock"
    flock -n "$lock" && return 0
    say "Stopping the 'make dev' that runs."
    signal_holders TERM
    flock -w 60 "$lock" && return 0
    signal_holders KILL
    flock -w 10 "$lock" || die "'make dev' of this checkout runs as another user; stop it there."
}

take_lock
"$here/servers.sh" remove "$DEV" {lock}>&-
rm -rf "$DEV"
say "Removed .dev/; the next 'make dev' starts with an empty database."
