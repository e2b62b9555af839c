# shellcheck shell=bash disable=SC2034
# What the scripts share: where the checkout is, how to speak, which PostgreSQL to use, how to end a tree of processes.
# Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly ROOT
readonly POSTGRES_AT_LEAST=15
readonly REDIS_AT_LEAST=7

# rustup puts cargo here, and not every shell has read its profile.
if ! command -v cargo >/dev/null && [[ -x ${CARGO_HOME:-${HOME:-/root}/.cargo}/bin/cargo ]]; then
    PATH=${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:$PATH
fi

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

# postgres_dirs: every directory that holds PostgreSQL's server programs, as "major directory", newest first.
postgres_dirs() {
    local dir version on_path
    on_path=$(command -v postgres || true)
    for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin ${on_path:+"$(dirname "$(readlink -f "$on_path")")"}; do
        [[ -x $dir/postgres && -x $dir/initdb && -x $dir/pg_ctl ]] || continue
        # "postgres (PostgreSQL) 15.18 (Debian …)": the digits before the dot.
        version=$("$dir/postgres" --version)
        version=${version#*PostgreSQL) }
        printf '%s %s\n' "${version%%[^0-9]*}" "$dir"
    done | sort -rnu
}

# postgres_bin [MAJOR]: the newest directory of programs that is new enough, or the one of exactly MAJOR; fails when there is none.
postgres_bin() {
    local major dir
    while read -r major dir; do
        if [[ -n ${1:-} ]]; then
            [[ $major == "$1" ]] || continue
        else
            ((major >= POSTGRES_AT_LEAST)) || continue
        fi
        printf '%s\n' "$dir"
        return 0
    done < <(postgres_dirs)
    return 1
}

# redis_is_new_enough: "Redis server v=7.0.15 …" on PATH.
redis_is_new_enough() {
    local version
    version=$(redis-server --version 2>/dev/null) || return 1
    version=${version#*v=}
    ((${version%%[^0-9]*} >= REDIS_AT_LEAST))
}

# descendants PID: PID's children, their children and so on, the deepest last.
descendants() {
    local child children
    children=$(cat "/proc/$1"/task/*/children 2>/dev/null) || true
    for child in $children; do
        printf '%s\n' "$child"
        descendants "$child"
    done
}

# signal_tree SIGNAL PID: to PID and everything below it.
signal_tree() {
    local below
    below=$(descendants "$2")
    # shellcheck disable=SC2086 # one word per process is meant
    kill -s "$1" "$2" $below 2>/dev/null || true
}

# wait_until SECONDS COMMAND…: polls the condition itself; fails when the bound has passed.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

# --- a command that must not outlive the script, and servers that must not either -------------------------------------

child=       # the process of the command that runs, if one does
interrupted= # the last signal that came

# start_guard FUNCTION: runs `FUNCTION` with `child` set when this script is killed so hard that no trap runs. The guard reads from
# a pipe whose other end only this script holds, and reads the end of it when the script is gone. It is told each child's
# process, and by dismiss_guard that all is well.
start_guard() {
    exec {guard}> >(
        trap '' INT TERM HUP
        child=
        while read -r word; do
            [[ $word != 'done' ]] || exit 0
            child=$word
        done
        "$@"
    )
}

dismiss_guard() { echo 'done' >&"$guard"; }

# run_child COMMAND…: runs it and returns its exit code. In the background, so that a signal to this script is acted on at once
# and not after the command; the shell would give such a command an ignored SIGINT and no input, and both are given back.
run_child() {
    local code=0
    env --default-signal=INT,QUIT "$@" <&0 {guard}>&- &
    child=$!
    echo "$child" >&"$guard"
    wait "$child" || code=$?
    # A trapped signal ends `wait` before the command has ended.
    while kill -0 "$child" 2>/dev/null; do
        code=0
        wait "$child" || code=$?
    done
    child=
    return "$code"
}

# forward SIGNAL: for traps.
forward() {
    interrupted=$1
    [[ -z $child ]] || signal_tree "$1" "$child"
}

process_is_gone() { ! kill -0 "$1" 2>/dev/null; }
