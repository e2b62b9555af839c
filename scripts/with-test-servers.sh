#!/usr/bin/env bash
# Runs a command beside a fresh PostgreSQL and a fresh Redis, and removes both whatever ends it:
#
#   scripts/with-test-servers.sh cargo test -p scheduler_core
#
# The command finds them in TEST_DATABASE_URL and TEST_REDIS_URL. Its exit code is ours.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"

(($#)) || die "usage: with-test-servers.sh COMMAND [ARGUMENT…]"
"$here/ensure-packages.sh"

# place: where the servers' data goes. Each test has a database of its own, some hundred small files that are made and thrown
# away; in memory that takes a seventh of the time. A small memory disk (as containers have) would fill up.
readonly MEMORY=/dev/shm MEMORY_KILOBYTES=4000000
place() {
    local free
    if [[ -z ${TMPDIR:-} && -w $MEMORY && $(stat -f -c %T "$MEMORY") == tmpfs ]]; then
        free=$(df -k --output=avail "$MEMORY" | tail -n 1)
        if ((free >= MEMORY_KILOBYTES)); then
            printf '%s\n' "$MEMORY"
            return
        fi
    fi
    printf '%s\n' "${TMPDIR:-/tmp}"
}

dir=$(mktemp -d "$(place)/task-scheduler-test.XXXXXX")
chmod 711 "$dir" # under root the servers run as another user, who has to pass through

clean_up() {
    trap '' INT TERM HUP
    "$here/servers.sh" remove "$dir"
    rm -rf "$dir"
}

abandoned() {
    [[ -z $child ]] || signal_tree TERM "$child"
    clean_up
}

at_exit() {
    local code=$?
    clean_up
    dismiss_guard
    exit "$code"
}

start_guard abandoned
trap at_exit EXIT
trap 'forward INT' INT
trap 'forward TERM' TERM
trap 'forward HUP' HUP

"$here/servers.sh" start "$dir" --fast --max-connections 400 {guard}>&-
[[ -z $interrupted ]] || exit 130
# shellcheck source=/dev/null
. "$dir/servers.env"
export TEST_DATABASE_URL=$DATABASE_URL TEST_REDIS_URL=$REDIS_URL
run_child "$@"
