#!/usr/bin/env bash
# Measures a release build on servers of its own with durable settings: the median of five rounds of each measurement, with the
# floor (the bare statements on the same database) in each round.
#
#   bench.sh [ROUNDS [table|json]]
set -euo pipefail
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
cd "$root"
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

rounds=${1:-5}
format=${2:-table}
scripts/ensure-packages.sh
cargo build --release --locked -p scheduler_cli >&2
scheduler=$root/target/release/scheduler
dir=$(mktemp -d)
pid=

cleanup() {
    if [[ -n $pid ]] && kill -0 "$pid" 2>/dev/null; then
        kill -TERM "$pid"
        wait "$pid" || true
    fi
    "$root/scripts/servers.sh" remove "$dir" >&2 || true
    rm -rf "$dir"
}
trap cleanup EXIT

scripts/servers.sh start "$dir" --durable >&2
# shellcheck disable=SC1091
. "$dir/servers.env"
export SCHEDULER_DATABASE_URL=$DATABASE_URL SCHEDULER_REDIS_URL=$REDIS_URL
export SCHEDULER_LOG_FILTER=warn
"$scheduler" --set api.listen=127.0.0.1:18080 dev --dev-dir "$dir/dev" >"$dir/log" 2>&1 &
pid=$!
for _ in $(seq 300); do
    grep -q 'The scheduler runs' "$dir/log" && break
    kill -0 "$pid" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
    sleep 0.1
done
cd "$dir"
# The command line finds .dev/env in this folder.
ln -s dev .dev
"$scheduler" -o "$format" bench all --rounds "$rounds"
