#!/usr/bin/env bash
# Checks deploy/ as far as it can be checked without deploying: systemd's own verifier and its judgement of the hardening, and that
# daemons, units, container files and the compose file tell the same story.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
cd "$ROOT"

readonly DAEMONS=(task_scheduler_api task_recurrence_manager queue_populator task_executor task_failure_watcher)
# systemd's scale runs from 0 (shut tight) to 100.
readonly EXPOSURE_AT_MOST=20
problems=0

problem() {
    say "deploy: $*"
    problems=$((problems + 1))
}

unit_of() { printf 'deploy/systemd/%s.service\n' "${1//_/-}"; }

# What the units share, so that a change to one is a change to all.
common_part() { grep -v -e '^Description=' -e '^ExecStart=' "$1"; }

check_unit() {
    local daemon=$1 unit
    unit=$(unit_of "$daemon")
    [[ -f $unit ]] || {
        problem "$daemon has no unit $unit"
        return
    }
    grep -qx "ExecStart=/usr/local/bin/$daemon" "$unit" || problem "$unit does not start /usr/local/bin/$daemon"
    diff <(common_part "$(unit_of "${DAEMONS[0]}")") <(common_part "$unit") >&2 ||
        problem "$unit differs from $(unit_of "${DAEMONS[0]}") in more than its program"
}

check_container() {
    local daemon=$1 file=deploy/containers/$1.Containerfile
    [[ -f $file ]] || {
        problem "$daemon has no $file"
        return
    }
    grep -q -- "cargo build --release --locked -p $daemon " "$file" || problem "$file does not build $daemon"
    grep -qx "ENTRYPOINT \[\"$daemon\"\]" "$file" || problem "$file does not run $daemon"
    grep -qE '^USER [1-9]' "$file" || problem "$file runs as root"
    grep -q "dockerfile: $file" deploy/compose.yaml || problem "deploy/compose.yaml does not build $file"
}

# names_in DIRECTORY: a pattern for lines that speak of a unit in it, whether by path or by name.
names_in() { (cd "$1" && printf '%s|' * | sed 's/\./[.]/g; s/|$//'); }

# The verifier wants programs that exist: it sees copies that start /bin/true instead, and is otherwise as strict as ever.
check_with_systemd() {
    command -v systemd-analyze >/dev/null || {
        say "deploy: systemd-analyze is not here; units checked for consistency only"
        return 0
    }
    local copies output unit
    copies=$(mktemp -d)
    # shellcheck disable=SC2064 # this directory, not a later one
    trap "rm -rf '$copies'" EXIT
    cp deploy/systemd/*.service deploy/systemd/*.target "$copies"
    sed -i 's|^ExecStart=/usr/local/bin/[^ ]*|ExecStart=/bin/true|' "$copies"/*.service
    # Warnings (an unknown or misspelt line) leave the exit code 0; they count here. Other units of this machine do not.
    output=$(SYSTEMD_UNIT_PATH="$copies:" systemd-analyze verify --man=no "$copies"/* 2>&1) || problem "systemd-analyze verify failed"
    if grep -E "$(names_in "$copies")" <<<"$output" >&2; then problem "systemd-analyze verify has found the above"; fi
    if systemd-analyze security --help 2>/dev/null | grep -q -- --threshold; then
        for unit in "$copies"/*.service; do
            systemd-analyze security --offline=true --threshold="$EXPOSURE_AT_MOST" --no-pager "$unit" >/dev/null 2>&1 ||
                problem "$(basename "$unit") is more exposed than $EXPOSURE_AT_MOST (systemd-analyze security --offline=true)"
        done
    fi
}

check_compose() {
    python3 -c "import yaml" 2>/dev/null || {
        say "deploy: no YAML parser is here; compose.yaml checked for consistency only"
        return 0
    }
    python3 - "${DAEMONS[@]}" <<'PYTHON' || problem "deploy/compose.yaml is wrong"
import sys, yaml

services = yaml.safe_load(open("deploy/compose.yaml"))["services"]
wrong = []
for daemon in sys.argv[1:]:
    name = daemon.replace("_", "-")
    service = services.get(name, {})
    if "healthcheck" not in service:
        wrong.append(f"{name} is missing or has no healthcheck")
    after = service.get("depends_on", {})
    if after.get("migrate", {}).get("condition") != "service_completed_successfully":
        wrong.append(f"{name} does not wait for the migration")
    if "SCHEDULER_DATABASE_URL" not in service.get("environment", {}):
        wrong.append(f"{name} does not know the database")
for name, service in services.items():
    wrong += [f"{name} waits for {other}, which is not there" for other in service.get("depends_on", {}) if other not in services]
print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
sys.exit(bool(wrong))
PYTHON
}

for daemon in "${DAEMONS[@]}"; do
    check_unit "$daemon"
    check_container "$daemon"
done
check_with_systemd
check_compose
((problems == 0)) || die "problems found in deploy/: $problems"
