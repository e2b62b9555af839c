#!/usr/bin/env bash
# Makes sure that a C compiler, PostgreSQL >= 15, Redis >= 7, root certificates and cargo are here. Prints nothing when they are.
#
# Debian 12+ and Ubuntu 24.04+: installs what is missing with apt-get, as root or through a sudo that asks no password; no
# package gets to start a server of its own. Otherwise it says what to do, and fails.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly POLICY=/usr/sbin/policy-rc.d
readonly POLICY_SAVED=$POLICY.saved-by-task-scheduler
readonly NO_CLUSTER=/etc/postgresql-common/createcluster.d/task-scheduler.conf
# For the distribution's name; a test points it elsewhere.
readonly OS_RELEASE=${OS_RELEASE:-/etc/os-release}

# find_missing: fills `missing` with package names and `wanted` with the same for people.
find_missing() {
    missing=() wanted=()
    if ! command -v cc >/dev/null || [[ ! -e /usr/include/stdio.h && -e /etc/debian_version ]]; then
        missing+=(gcc libc6-dev)
        wanted+=("a C compiler (cc)")
    fi
    if ! postgres_bin >/dev/null; then
        missing+=(postgresql)
        wanted+=("PostgreSQL $POSTGRES_AT_LEAST or newer, the server (initdb, pg_ctl, postgres)")
    fi
    if ! redis_is_new_enough || ! command -v redis-cli >/dev/null; then
        missing+=(redis-server)
        wanted+=("Redis $REDIS_AT_LEAST or newer (redis-server, redis-cli)")
    fi
    # Debian's smallest systems trust nobody, and then no webhook over HTTPS can be called.
    if [[ -e /etc/debian_version && ! -e /etc/ssl/certs/ca-certificates.crt ]]; then
        missing+=(ca-certificates)
        wanted+=("the certificates of the public authorities (ca-certificates)")
    fi
}

# check_distribution: goes on only where the packages are known to be new enough.
check_distribution() {
    local ID='' VERSION_ID='' PRETTY_NAME='' least=''
    # shellcheck source=/dev/null
    [[ ! -r $OS_RELEASE ]] || . "$OS_RELEASE"
    case $ID in
        debian) least=12 ;;
        ubuntu) least=24.04 ;;
        *)
            say "Missing: $(join '; ' "${wanted[@]}")."
            die "packages are installed for you on Debian 12+ and Ubuntu 24.04+ only, and this is ${PRETTY_NAME:-an unknown system}. Put what is missing on PATH and start again."
            ;;
    esac
    # Debian testing has no VERSION_ID and is newer than any.
    [[ -z $VERSION_ID || $(printf '%s\n' "$least" "$VERSION_ID" | sort -V | head -n 1) == "$least" ]] ||
        die "this needs Debian 12 or newer, or Ubuntu 24.04 or newer; ${PRETTY_NAME:-$ID $VERSION_ID} has no Redis $REDIS_AT_LEAST and PostgreSQL $POSTGRES_AT_LEAST."
}

join() {
    local separator=$1 first=$2
    shift 2
    printf '%s' "$first" "${@/#/$separator}"
}

# become_root_or_explain: returns when we are root; otherwise runs this script again through sudo, or says what to type.
become_root_or_explain() {
    ((EUID != 0)) || return 0
    if sudo -n true 2>/dev/null; then
        exec sudo -n -- "$ROOT/scripts/ensure-packages.sh"
    fi
    say "Missing: $(join '; ' "${wanted[@]}")."
    say "Installing them takes root. Run this, then start again:"
    say ""
    say "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
    say ""
    say "Debian then also starts their own servers; this does the same without that:"
    say ""
    say "    sudo $ROOT/scripts/ensure-packages.sh"
    exit 1
}

# forbid_servers / allow_servers: policy-rc.d with exit code 101 is how Debian is told not to start what it installs. One that is
# there and says so already is left alone; another one is moved aside and comes back.
forbid_servers() {
    trap allow_servers EXIT
    trap 'exit 130' INT TERM HUP
    if [[ ! -e $POLICY ]] || [[ $(policy_answer) != 101 ]]; then
        [[ ! -e $POLICY ]] || mv -T "$POLICY" "$POLICY_SAVED"
        printf '#!/bin/sh\n# by scripts/ensure-packages.sh, for a moment\nexit 101\n' >"$POLICY"
        chmod 755 "$POLICY"
    fi
    mkdir -p "$(dirname "$NO_CLUSTER")"
    printf 'create_main_cluster = false\n' >"$NO_CLUSTER"
}

policy_answer() {
    local code=0
    "$POLICY" redis-server start >/dev/null 2>&1 || code=$?
    printf '%s\n' "$code"
}

allow_servers() {
    rm -f "$NO_CLUSTER"
    if grep -qs 'by scripts/ensure-packages.sh' "$POLICY"; then rm -f "$POLICY"; fi
    if [[ -e $POLICY_SAVED && ! -e $POLICY ]]; then mv -T "$POLICY_SAVED" "$POLICY"; fi
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        install --no-install-recommends "${missing[@]}" </dev/null >&2
}

install_missing() {
    say "Installing from the system's packages: ${missing[*]}"
    allow_servers # what an earlier run that was killed has left
    forbid_servers
    # Package lists that are absent or old are the usual reason of a failure; fetched when needed only.
    apt_install || {
        say "Fetching newer package lists."
        apt-get -q -o DPkg::Lock::Timeout=300 update </dev/null >&2
        apt_install
    }
    # Installed and not started, it would still start at the next boot.
    if [[ " ${missing[*]} " == *" redis-server "* ]] && command -v systemctl >/dev/null; then
        systemctl disable redis-server.service >/dev/null 2>&1 || true
    fi
    find_missing
    ((${#missing[@]} == 0)) || die "still missing after the installation: $(join '; ' "${wanted[@]}")."
}

find_missing
if ((${#missing[@]})); then
    check_distribution
    become_root_or_explain
    install_missing
fi
# Under sudo the caller's PATH is gone, and the caller's cargo with it.
command -v cargo >/dev/null || [[ -n ${SUDO_USER:-} ]] ||
    die "cargo is not on PATH: install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml") or newer from https://rustup.rs, open a new shell and start again."
