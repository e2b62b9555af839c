#!/usr/bin/env bash
# `make dev`: everything that runs a task scheduler on this machine, private to this checkout, under .dev/. Ctrl-C stops all of it;
# the data stays for the next time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
cd "$ROOT"
readonly DEV=$ROOT/.dev
signals=0

# The lock is held by this script and by the scheduler it starts, until the last of them is gone.
take_lock() {
    mkdir -p "$DEV"
    exec {lock}>>"$DEV/lock"
    flock -w 2 "$lock" ||
        die "'make dev' runs already in this checkout; stop it with Ctrl-C in its terminal (if it was killed just now, its servers stop in a moment), or start anew with 'make dev-reset'."
    # `make dev-reset` may have deleted the file between the opening and the locking.
    [[ $DEV/lock -ef /dev/fd/$lock ]] || die "'make dev-reset' was at work; start again."
}

# A second signal reaches the scheduler as well, which then no longer waits for running jobs; a third one ends the waiting.
on_signal() {
    interrupted=$1
    signals=$((signals + 1))
    [[ -n $child ]] || return 0
    if ((signals < 3)); then
        kill -s "$1" "$child" 2>/dev/null || true
    else
        signal_tree KILL "$child"
    fi
}

stop_servers() {
    trap '' INT TERM HUP
    "$here/servers.sh" stop "$DEV"
}

# This script was killed: the scheduler hands back what it runs, then the servers go. Longer than its drain takes.
abandoned() {
    if [[ -n $child ]]; then
        kill -s TERM "$child" 2>/dev/null || true
        wait_until 45 process_is_gone "$child" || signal_tree KILL "$child"
    fi
    stop_servers
}

at_exit() {
    local code=$?
    [[ -z $interrupted ]] || say "Stopping PostgreSQL and Redis."
    stop_servers
    [[ -z $interrupted ]] || say "All stopped; the data stays in .dev/ for the next 'make dev'."
    dismiss_guard
    exit "$code"
}

build() {
    [[ -x $program ]] || say "Building. The first time takes some minutes, later it takes seconds."
    run_child cargo build --locked -p scheduler_cli {lock}>&-
}

# In a session of its own, so that Ctrl-C reaches it once, through on_signal, and not a second time from the terminal.
run_scheduler() {
    SCHEDULER_DATABASE_URL=$DATABASE_URL SCHEDULER_REDIS_URL=$REDIS_URL run_child setsid "$program" dev --dev-dir "$DEV"
}

take_lock
start_guard abandoned
trap at_exit EXIT
trap 'on_signal INT' INT
trap 'on_signal TERM' TERM
trap 'on_signal TERM' HUP

program=${CARGO_TARGET_DIR:-$ROOT/target}/debug/scheduler
"$here/ensure-packages.sh"
build
[[ -z $interrupted ]] || exit 130
"$here/servers.sh" start "$DEV" --durable {lock}>&- {guard}>&-
# shellcheck source=/dev/null
. "$DEV/servers.env"
[[ -z $interrupted ]] || exit 130
code=0
run_scheduler || code=$?
# Stopped on request and stopped in order: a success.
[[ -z $interrupted || $code -gt 128 ]] || code=0
((code == 0)) || say "The scheduler ended with exit code $code."
exit "$code"
