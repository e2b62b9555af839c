#!/usr/bin/env bash
# All tests against a real PostgreSQL and a real Redis, both started for this run and removed after it.
# Arguments go to `cargo test`; without -p it is the whole workspace.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
cd "$ROOT"

options=(--locked)
# One red test must not hide the next one from whoever reads the log afterwards.
[[ -z ${CI:-} ]] || options+=(--no-fail-fast)
# What is meant for cargo ends at `--`; the rest is for the tests themselves.
for_cargo=" $* "
for_cargo=${for_cargo%% -- *}
case $for_cargo in
    *' -p'* | *' --package'*) ;;
    *) options+=(--workspace) ;;
esac
profile=()
[[ $for_cargo != *' --release '* && $for_cargo != *' -r '* ]] || profile=(--release)

"$here/ensure-packages.sh"
# The system tests run the programs themselves, and cargo builds those for the tests of their own package only.
if [[ " ${options[*]} " == *' --workspace '* || $for_cargo == *system_tests* ]]; then
    cargo build --workspace --bins --locked "${profile[@]}"
fi
exec "$here/with-test-servers.sh" cargo test "${options[@]}" "$@"
