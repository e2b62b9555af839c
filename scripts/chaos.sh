#!/usr/bin/env bash
# Faults, planted bugs and soak, with real daemons on servers of their own:
#
#   chaos.sh matrix         every fault of the matrix, the model, the disconnects    MINUTES=30 SEED= FAULT=name,… SECONDS= FORGED= CLIENTS=
#   chaos.sh bugs           each planted bug must be caught                          BUG=name SECONDS=15 SEED=
#   chaos.sh soak           mixed load; what must not grow                           MINUTES=30
#   chaos.sh disconnects    clients that hang up in the middle of a request          CLIENTS=10000
#
# The daemons are test builds: they have the planted bugs and misread clocks that no other build has, in target/chaos.
set -euo pipefail
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
cd "$root"
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

readonly PROGRAMS=(task_scheduler_api task_recurrence_manager queue_populator task_executor task_failure_watcher)
readonly FEATURES=scheduler_core/planted-bugs,scheduler_core/fault-injection

build() {
    scripts/ensure-packages.sh
    cargo build --workspace --bins --locked --features "$FEATURES" >&2
    mkdir -p target/chaos
    local program
    for program in "${PROGRAMS[@]}" chaos; do
        cp -f "target/debug/$program" target/chaos/
    done
}

# Runs a program and hands on to it whatever is to end this script; it removes what it has started.
run() {
    "$@" &
    child=$!
    trap 'kill -TERM "$child" 2>/dev/null || true' TERM INT
    # A signal ends the first wait, and not the program at once.
    wait "$child" || code=$?
    while kill -0 "$child" 2>/dev/null; do wait "$child" || code=$?; done
}

# A small disk of its own for the servers, so that it can be filled: a mount that nobody else sees and that ends with us.
on_a_small_disk() {
    local disk
    disk=$(mktemp -d "${TMPDIR:-/tmp}/task-scheduler-disk.XXXXXX")
    # shellcheck disable=SC2016 # expanded by the inner shell
    run unshare -m bash -c 'mount -t tmpfs -o size=1500m,mode=711 tmpfs "$1" && export CHAOS_RUN_SMALL_DISK=$1 && shift && exec "$@"' \
        _ "$disk" "$@"
    rmdir "$disk" || true
}

[[ ${SKIP_BUILD:-} ]] || build
code=0
if unshare -m true 2>/dev/null; then
    on_a_small_disk "target/chaos/chaos" "$@"
else
    say "no private mounts here: the fault disk-full cannot be injected"
    run target/chaos/chaos "$@"
fi
exit "$code"
