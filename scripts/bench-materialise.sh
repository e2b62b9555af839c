#!/usr/bin/env bash
# Measures a release build of the recurrence manager's work on a PostgreSQL of its own with durable settings: occurrences a second,
# beside the floor (bare rows), and what a tick costs with up to a million templates stored.
#
#   bench-materialise.sh [OPTION…]     options of `scheduler bench materialise`
set -euo pipefail
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
cd "$root"
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

scripts/ensure-packages.sh
cargo build --release --locked -p scheduler_cli >&2
scheduler=$root/target/release/scheduler
dir=$(mktemp -d)

cleanup() {
    "$root/scripts/servers.sh" remove "$dir" >&2 || true
    rm -rf "$dir"
}
trap cleanup EXIT

scripts/servers.sh start "$dir" --durable >&2
# shellcheck disable=SC1091
. "$dir/servers.env"
export SCHEDULER_DATABASE_URL=$DATABASE_URL SCHEDULER_REDIS_URL=$REDIS_URL SCHEDULER_LOG_FILTER=warn
cd "$dir"
"$scheduler" migrate >&2
"$scheduler" bench materialise "$@"
