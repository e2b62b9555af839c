#!/usr/bin/env bash
# A simulated year of templates of all kinds, with managers that crash, edits, pauses and downtime: the ledger must have exactly
# one record, and the right one, for each nominal time of an independent enumeration. Prints what happened; takes some minutes.
#
#   SEED=7 TEMPLATES=1000 DAYS=365 simulate-year.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
cd "$ROOT"

export SEED=${SEED:-$RANDOM} TEMPLATES=${TEMPLATES:-1000} DAYS=${DAYS:-365}
say "seed $SEED, $TEMPLATES templates, $DAYS days"
exec "$here/with-test-servers.sh" cargo test --locked -p task_recurrence_manager --test recurrence -- --nocapture \
    every_nominal_time_has_the_right_record
