#!/usr/bin/env bash
# A private PostgreSQL and a private Redis that live in one directory and touch no other server.
#
#   servers.sh start  DIR [--durable|--fast] [--max-connections N]
#   servers.sh stop   DIR      ends both; the data stays
#   servers.sh remove DIR      ends both and deletes their data
#   servers.sh status DIR      says what runs; exit code 0 when both do
#
# `start` may be repeated: what runs is kept, what died is started anew. It writes DIR/servers.env with DATABASE_URL and REDIS_URL.
# --durable (development) acknowledges only what is on disk; --fast (tests) gives durability up.
#
# DIR/servers holds the data. initdb refuses root, so under root both servers run as an unprivileged user; where that
# user may not enter DIR (a checkout below /root), DIR/servers is a link to a directory outside, keyed by DIR.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly START_SECONDS=60 STOP_SECONDS=60 PORT_ATTEMPTS=10

main() {
    (($# >= 2)) || die "usage: servers.sh start|stop|remove|status DIR [--durable|--fast] [--max-connections N]"
    local action=$1
    DIR=$(realpath -m "$2")
    HOME_DIR=
    shift 2
    MODE=durable
    MAX_CONNECTIONS=200
    while (($#)); do
        case $1 in
            --durable) MODE=durable ;;
            --fast) MODE=fast ;;
            --max-connections)
                MAX_CONNECTIONS=${2:?--max-connections takes a number}
                shift
                ;;
            *) die "servers.sh does not know '$1'" ;;
        esac
        shift
    done
    choose_user
    # Half a start or half a stop helps nobody; both are bounded.
    trap '' INT TERM HUP
    case $action in
        start) start ;;
        stop) stop ;;
        remove) remove ;;
        status) status ;;
        *) die "servers.sh does not know '$action'" ;;
    esac
}

# --- whose processes, and where ---------------------------------------------------------------------------------------

# AS is the prefix that runs a command as the servers' user; empty when that is who we are.
choose_user() {
    SERVER_USER=$(id -un) AS=()
    ((EUID == 0)) || return 0
    local candidate
    for candidate in postgres nobody daemon; do
        id -u "$candidate" >/dev/null 2>&1 || continue
        SERVER_USER=$candidate
        AS=(setpriv "--reuid=$(id -u "$candidate")" "--regid=$(id -g "$candidate")" --clear-groups --)
        return 0
    done
    die "PostgreSQL refuses to run as root and there is no user postgres, nobody or daemon; run this as an ordinary user."
}

as_server() { (cd / && exec "${AS[@]}" "$@"); }

# outside_homes: where the data may be when it cannot be in DIR, best first. Data that has to outlive a while belongs below
# /var/lib; /var/tmp is swept by age on newer systems.
outside_homes() {
    local key base
    key=$(printf '%s' "$DIR" | sha256sum | cut -c1-16)
    for base in /var/lib /var/tmp; do
        [[ ! -w $base ]] || printf '%s/task-scheduler-dev-%s\n' "$base" "$key"
    done
}

# find_home: sets HOME_DIR to where the data is; fails when there is none. DIR may have been deleted by hand: what it pointed to is
# found again by its name.
find_home() {
    local candidate
    HOME_DIR=$(readlink -e "$DIR/servers") && return 0
    ((EUID == 0)) || return 1
    while read -r candidate; do
        [[ -d $candidate && ! -L $candidate && $(stat -c %U "$candidate") == "$SERVER_USER" ]] || continue
        HOME_DIR=$candidate
        return 0
    done < <(outside_homes)
    return 1
}

make_home() {
    mkdir -p "$DIR"
    if ! find_home; then
        rm -f "$DIR/servers" # a link to what is gone
        HOME_DIR=$DIR/servers
        as_server test -x "$DIR" || HOME_DIR=$(outside_homes | head -n 1)
        # Fails when a stranger has put something there first.
        mkdir -m 700 "$HOME_DIR"
        ((EUID != 0)) || chown "$SERVER_USER:" "$HOME_DIR"
    fi
    [[ $HOME_DIR == "$DIR/servers" ]] || ln -sfn "$HOME_DIR" "$DIR/servers"
}

# pids_in PROGRAM DIRECTORY: processes of that name whose working directory it is. Both servers step into theirs, so this tells
# ours from a stranger that was given the number in an old pid file.
pids_in() {
    local pid
    for pid in $(find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' -printf '%h\t%l\n' 2>/dev/null |
        awk -F '\t' -v dir="$2" '$2 == dir { sub("/proc/", "", $1); print $1 }'); do
        [[ $(cat "/proc/$pid/comm" 2>/dev/null) != "$1" ]] || printf '%s\n' "$pid"
    done
}

# --- ports ------------------------------------------------------------------------------------------------------------

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the range the kernel hands out to outgoing connections, so that none of those takes it while we are down.
random_free_port() {
    local port attempt
    for ((attempt = 0; attempt < 100; attempt++)); do
        port=$((20000 + RANDOM % 10000))
        if port_is_free "$port"; then
            printf '%s\n' "$port"
            return 0
        fi
    done
    die "found no free port between 20000 and 29999 on 127.0.0.1."
}

# port_for NAME: the remembered port when it is free, else a new one, remembered.
port_for() {
    local file=$HOME_DIR/$1.port port
    port=$(cat "$file" 2>/dev/null || true)
    if [[ ! $port =~ ^[0-9]+$ ]] || ! port_is_free "$port"; then
        port=$(random_free_port)
        printf '%s\n' "$port" >"$file"
    fi
    printf '%s\n' "$port"
}

# start_on_a_port NAME COMMAND: runs COMMAND PORT until it succeeds; another process may take the port between the look and the bind.
start_on_a_port() {
    local attempt port
    for ((attempt = 1; attempt <= PORT_ATTEMPTS; attempt++)); do
        port=$(port_for "$1")
        "$2" "$port" && return 0
        log_says_port_taken "$HOME_DIR/$1.log" || break
        rm -f "$HOME_DIR/$1.port"
    done
    tail -n 20 "$HOME_DIR/$1.log" >&2 || true
    die "$1 did not start; its log is $HOME_DIR/$1.log"
}

log_says_port_taken() { tail -n 20 "$1" 2>/dev/null | grep -qi 'address already in use'; }

# --- PostgreSQL -------------------------------------------------------------------------------------------------------

postgres_is_up() { [[ -n $(pids_in postgres "$HOME_DIR/postgres") ]]; }
postgres_is_down() { ! postgres_is_up; }

# The programs that fit the data, or the newest ones when there is no data yet.
choose_postgres() {
    local major
    if [[ -f $HOME_DIR/postgres/PG_VERSION ]]; then
        major=$(<"$HOME_DIR/postgres/PG_VERSION")
        BIN=$(postgres_bin "$major") ||
            die "the data in $DIR was written by PostgreSQL $major, which is not installed any more; install it or run 'make dev-reset'."
    else
        BIN=$(postgres_bin) || die "PostgreSQL $POSTGRES_AT_LEAST or newer is not installed; run scripts/ensure-packages.sh."
    fi
}

init_postgres() {
    [[ ! -d $HOME_DIR/postgres ]] || return 0
    local sync=()
    [[ $MODE == durable ]] || sync=(--no-sync)
    # A password, because trust would make every local user a superuser of this server and, through COPY … PROGRAM, of its owner.
    # Method `password` on loopback: its cost is the server's alone, SCRAM's is paid by slow debug builds as well.
    (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$HOME_DIR/password")
    ((EUID != 0)) || chown "$SERVER_USER:" "$HOME_DIR/password"
    # Into a name of its own first: an interrupted initdb leaves nothing that looks finished.
    rm -rf "$HOME_DIR/postgres.new"
    as_server "$BIN/initdb" -D "$HOME_DIR/postgres.new" -U postgres -E UTF8 --no-locale --auth=password \
        --pwfile="$HOME_DIR/password" "${sync[@]}" >"$HOME_DIR/initdb.log" 2>&1 || {
        cat "$HOME_DIR/initdb.log" >&2
        die "initdb failed."
    }
    printf "include 'scheduler.conf'\n" >>"$HOME_DIR/postgres.new/postgresql.conf"
    mv "$HOME_DIR/postgres.new" "$HOME_DIR/postgres"
}

write_postgres_conf() {
    local durable=on
    [[ $MODE == durable ]] || durable=off
    # A UNIX socket's path may have about 107 bytes, and this setting is a list with commas and quotes; a checkout that does not
    # fit goes without, since TCP serves everybody.
    local socket_dir=$HOME_DIR
    [[ ${#socket_dir} -le 80 && $socket_dir != *[,\'\"]* ]] || socket_dir=
    cat >"$HOME_DIR/postgres/scheduler.conf" <<CONF
# Written at each start by scripts/servers.sh.
listen_addresses = '127.0.0.1'
port = $1
unix_socket_directories = '$socket_dir'
unix_socket_permissions = 0700
max_connections = $MAX_CONNECTIONS
shared_buffers = 256MB
max_wal_size = 2GB
wal_compression = on
fsync = $durable
synchronous_commit = $durable
full_page_writes = $durable
log_line_prefix = '%m [%p] %q%u@%d '
CONF
}

try_postgres() {
    write_postgres_conf "$1"
    : >"$HOME_DIR/postgres.log"
    ((EUID != 0)) || chown "$SERVER_USER:" "$HOME_DIR/postgres.log" "$HOME_DIR/postgres/scheduler.conf"
    # pg_ctl waits until the server itself says "ready", and gives it a session of its own: a Ctrl-C here does not reach it.
    as_server "$BIN/pg_ctl" -D "$HOME_DIR/postgres" -l "$HOME_DIR/postgres.log" -w -t "$START_SECONDS" start \
        >/dev/null 2>&1 </dev/null
}

postgres_answers() { as_server "$BIN/pg_ctl" -D "$HOME_DIR/postgres" status >/dev/null 2>&1; }

start_postgres() {
    choose_postgres
    init_postgres
    if postgres_is_up && postgres_answers; then return 0; fi
    # Children of a postmaster that was killed end by themselves, soon; until then the data is still theirs.
    wait_until "$STOP_SECONDS" postgres_is_down ||
        die "processes of an earlier PostgreSQL still use $HOME_DIR/postgres: $(pids_in postgres "$HOME_DIR/postgres" | tr '\n' ' ')"
    # Nobody uses the data, so these are a dead one's; the number in them may belong to a stranger by now, which would stop the start.
    rm -f "$HOME_DIR/postgres/postmaster.pid" "$HOME_DIR"/.s.PGSQL.*
    start_on_a_port postgres try_postgres
}

stop_postgres() {
    postgres_is_up || return 0
    choose_postgres
    local how=fast
    [[ $MODE == durable ]] || how=immediate
    as_server "$BIN/pg_ctl" -D "$HOME_DIR/postgres" -m "$how" -w -t "$STOP_SECONDS" stop >/dev/null 2>&1 ||
        as_server "$BIN/pg_ctl" -D "$HOME_DIR/postgres" -m immediate -w -t 10 stop >/dev/null 2>&1 || true
    wait_until 10 postgres_is_down ||
        die "PostgreSQL did not stop: $(pids_in postgres "$HOME_DIR/postgres" | tr '\n' ' ')"
}

# --- Redis ------------------------------------------------------------------------------------------------------------

redis_is_up() { [[ -n $(pids_in redis-server "$HOME_DIR/redis") ]]; }
redis_is_down() { ! redis_is_up; }

# Answers on the port, and is the process that we look for and not a stranger on the same port.
redis_answers() {
    local pid
    pid=$(redis-cli -h 127.0.0.1 -p "$1" info server 2>/dev/null | tr -d '\r' | sed -n 's/^process_id://p')
    [[ -n $pid ]] && pids_in redis-server "$HOME_DIR/redis" | grep -qx "$pid"
}

# Redis keeps nothing that PostgreSQL does not have: no snapshots, no log. No password either: since version 7 it lets no client
# write files or load modules, so another local user can disturb it but gain nothing.
try_redis() {
    : >"$HOME_DIR/redis.log"
    ((EUID != 0)) || chown "$SERVER_USER:" "$HOME_DIR/redis.log"
    as_server redis-server --port "$1" --bind 127.0.0.1 --save "" --appendonly no --dir "$HOME_DIR/redis" --daemonize yes \
        --pidfile "$HOME_DIR/redis/redis.pid" --logfile "$HOME_DIR/redis.log" --hz 100 >/dev/null 2>&1 </dev/null || return 1
    wait_until "$START_SECONDS" redis_answers_or_gave_up "$1"
    redis_answers "$1"
}

# --daemonize returns before the bind: a Redis that failed to bind has said so in its log and is gone.
redis_answers_or_gave_up() { redis_answers "$1" || log_says_port_taken "$HOME_DIR/redis.log"; }

start_redis() {
    command -v redis-server >/dev/null || die "Redis $REDIS_AT_LEAST or newer is not installed; run scripts/ensure-packages.sh."
    mkdir -p "$HOME_DIR/redis"
    ((EUID != 0)) || chown "$SERVER_USER:" "$HOME_DIR/redis"
    if redis_is_up; then
        redis_answers "$(cat "$HOME_DIR/redis.port" 2>/dev/null || echo 0)" && return 0
        stop_redis
    fi
    start_on_a_port redis try_redis
}

stop_redis() {
    local pids
    pids=$(pids_in redis-server "$HOME_DIR/redis")
    [[ -n $pids ]] || return 0
    # shellcheck disable=SC2086 # one word per process is meant
    kill -TERM $pids 2>/dev/null || true
    wait_until 10 redis_is_down && return 0
    # shellcheck disable=SC2046
    kill -KILL $(pids_in redis-server "$HOME_DIR/redis") 2>/dev/null || true
    wait_until 10 redis_is_down || die "Redis did not stop: $pids"
}

# --- actions ----------------------------------------------------------------------------------------------------------

start() {
    make_home
    start_postgres
    start_redis
    (
        umask 077
        printf 'DATABASE_URL=postgres://postgres:%s@127.0.0.1:%s/postgres\nREDIS_URL=redis://127.0.0.1:%s\n' \
            "$(<"$HOME_DIR/password")" "$(<"$HOME_DIR/postgres.port")" "$(<"$HOME_DIR/redis.port")" >"$DIR/servers.env"
    )
}

stop() {
    find_home || return 0
    stop_redis
    stop_postgres
}

remove() {
    MODE=fast # what is deleted next need not be written out first
    stop
    [[ -z $HOME_DIR ]] || rm -rf "$HOME_DIR"
    rm -rf "$DIR/servers" "$DIR/servers.env"
}

status() {
    local all=0
    if find_home && postgres_is_up; then say "PostgreSQL runs on port $(<"$HOME_DIR/postgres.port")"; else
        say "PostgreSQL does not run"
        all=1
    fi
    if find_home && redis_is_up; then say "Redis runs on port $(<"$HOME_DIR/redis.port")"; else
        say "Redis does not run"
        all=1
    fi
    return "$all"
}

main "$@"
