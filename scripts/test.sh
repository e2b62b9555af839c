#!/usr/bin/env bash
# All tests against a real PostgreSQL and a real Redis, both started for this run and removed after it.
# Arguments go to `cargo test`; without -p it is the whole workspace.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
cd "$ROOT"

options=(--locked)
# One red test must not hide the next one from whoever reads the log afterwards.
[[ -z ${CI:-} ]] || options+=(--no-fail-fast)
case " $* " in
    *' -p'* | *' --package'* | *' --workspace'*) ;;
    *) options+=(--workspace) ;;
esac
exec "$here/with-test-servers.sh" cargo test "${options[@]}" "$@"
