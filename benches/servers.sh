# shellcheck shell=bash disable=SC2034,SC2154
# servers.sh: what the scripts here share: servers on free ports, and an end that leaves nothing.
# To be sourced by a script that has set -euo pipefail and $evenly.

scratch=$(mktemp -d)
# nginx's workers are another user.
chmod 755 "$scratch"
started=()

finish() {
    local status=$?
    if [ ${#started[@]} -gt 0 ]; then
        kill -KILL "${started[@]}" 2>/dev/null || true
    fi
    if [ "$status" -ne 0 ]; then
        tail -n 20 "$scratch"/evenly*.log >&2 || true
    fi
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

need() {
    local tool
    PATH=$PATH:/usr/sbin
    for tool in "$@"; do
        if ! command -v "${tool%%:*}" >/dev/null; then
            echo "$0: no ${tool%%:*} here; apt-get install ${tool#*:}" >&2
            exit 1
        fi
    done
    if [ ! -x "$evenly" ]; then
        echo "$0: no $evenly here; make build" >&2
        exit 1
    fi
}

# A port that nobody listens on now.
free_port() {
    python3 -c 'import socket
print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

# until_true SECONDS WHAT COMMAND...: waits for the command to succeed.
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            echo "$0: $what is not there" >&2
            exit 1
        fi
        sleep 0.05
    done
}

# run NAME COMMAND...: starts a server in the background; its process is $!.
run() {
    local name=$1
    shift
    "$@" >>"$scratch/$name.log" 2>&1 &
    started+=($!)
    # Or bash would announce its death.
    disown
}

# start_nginx NAME LOCATIONS: on a free port, which is left in $port; one process, so that it can be
# killed as one.
start_nginx() {
    port=$(free_port)
    cat >"$scratch/$1.conf" <<END
daemon off; master_process off; pid $scratch/$1.pid; error_log stderr warn;
events { worker_connections 8192; }
http {
    access_log off; types { } default_type application/octet-stream;
    client_max_body_size 0;
    client_body_temp_path $scratch/$1-body; proxy_temp_path $scratch/$1-proxy;
    fastcgi_temp_path $scratch/$1-fastcgi; uwsgi_temp_path $scratch/$1-uwsgi;
    scgi_temp_path $scratch/$1-scgi;
    server { listen 127.0.0.1:$port backlog=4096; $2 }
}
END
    run "$1" nginx -c "$scratch/$1.conf"
    until_true 10 "$1" curl --silent --output /dev/null "http://127.0.0.1:$port/"
}

# start_evenly NAME SETTINGS PORT...: in front of these ports; its address is left in $front.
start_evenly() {
    local name=$1 settings=$2 each
    shift 2
    for each in "$@"; do
        printf '[[applications]]\nip = "127.0.0.1"\nport = %s\n' "$each"
    done >"$scratch/$name.toml"
    printf '%s\n' "$settings" >>"$scratch/$name.toml"
    run "$name" "$evenly" serve -c "$scratch/$name.toml" --listen 127.0.0.1:0
    until_true 10 "$name" grep -q 'listening on' "$scratch/$name.log"
    front=http://$(sed -n 's/.*listening on \([0-9.]*:[0-9]*\).*/\1/p' "$scratch/$name.log")
}
