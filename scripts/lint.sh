#!/usr/bin/env bash
# `make lint`: formatting, clippy, the shell scripts, the deployment files. Runs all of them and fails when one did.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
cd "$ROOT"
failed=()

check() {
    say "lint: $1"
    "${@:2}" || failed+=("$1")
}

shell_scripts() {
    local file code=0 files=(scripts/*.sh .ci/run)
    for file in "${files[@]}"; do
        bash -n "$file" || code=1
    done
    # Better when it is there; nobody has to install it.
    if command -v shellcheck >/dev/null; then shellcheck -x "${files[@]}" || code=1; fi
    return "$code"
}

check "shell scripts" shell_scripts
check "deployment files" "$here/check-deploy.sh"
check "formatting" cargo fmt --all --check
check "clippy" cargo clippy --workspace --all-targets --locked -- -D warnings
((${#failed[@]} == 0)) || die "lint failed: $(printf '%s, ' "${failed[@]}" | sed 's/, $//')"
