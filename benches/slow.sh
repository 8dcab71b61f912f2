#!/usr/bin/env bash
# slow.sh [EVENLY [SECONDS]]: slow clients beside good ones.
#
# slowhttptest holds 1000 connections to an Evenly with two workers, for SECONDS (30) in each of its
# modes: heads that do not end (-H), bodies that do not end (-B), answers that are not read (-X).
# All the while two good clients ask 20 times a second, one on a connection that it keeps, one on a
# new one each time. Any error of theirs, or any answer after more than a second, is a failure.
# Needs Debian's slowhttptest, nginx-light, curl and python3.
set -euo pipefail

evenly=$(realpath "${1:-target/release/evenly}")
seconds=${2:-30}
# shellcheck source=benches/servers.sh
source "$(dirname "$0")/servers.sh"

connections=1000
rate=20
failed=0

main() {
    need slowhttptest:slowhttptest nginx:nginx-light curl:curl python3:python3
    ulimit -n "$(ulimit -H -n)"
    mkdir "$scratch/www" "$scratch/www/put"
    # More than a window that stays small lets through. Not 1 MiB: a thousand of those fill the
    # kernel's memory for TCP, and then HAProxy's good clients wait a second, too.
    head -c 262144 /dev/urandom >"$scratch/www/large"
    chmod -R a+rwX "$scratch/www"
    start_nginx nginx "root $scratch/www; location = /good { return 200 ok; }
        location = /health { return 200; } location /put/ { dav_methods PUT; }"
    start_evenly evenly $'[server]\nworkers = 2\n[log]\naccess = "off"' "$port"
    cd "$scratch"
    endure 'slow heads' -H -u "$front/good"
    endure 'slow bodies' -B -t PUT -s 1000000 -u "$front/put/slow"
    endure 'slow reads' -X -w 512 -y 1024 -n 5 -z 32 -u "$front/large"
    if grep ' ERROR ' evenly.log; then
        failed=1
    fi
    [ "$failed" -eq 0 ] || exit 1
}

# endure WHAT OPTIONS...: one mode, and what the good clients make of it.
endure() {
    local what=$1 attack count=$((seconds * rate))
    shift
    slowhttptest "$@" -c $connections -r 500 -l "$seconds" -i 5 -x 24 -p 2 >slow.out 2>&1 &
    attack=$!
    started+=("$attack")
    good keep-alive &
    local keeps=$!
    good close &
    local closes=$!
    wait $keeps $closes || true
    wait $attack || true
    local held
    # Its lines are coloured: drop the escapes.
    held=$(sed 's/\x1b\[[0-9;]*m//g' slow.out |
        awk '$1 == "connected:" && $2 > most { most = $2 } END { print most + 0 }')
    judge "$what, $held of $connections held at once" $((2 * count))
}

# Asks $count times, $rate a second; one line for each: status, seconds.
good() {
    curl --silent --output /dev/null --max-time 5 --rate "$rate/s" --header "Connection: $1" \
        --write-out '%{http_code} %{time_total}\n' "$front/good?[1-$count]" >"good-$1.out" || true
}

# judge WHAT ASKED: prints a line, and remembers a failure.
judge() {
    awk -v what="$1" -v asked="$2" '
        $1 == 200 { good++ }
        $2 > slowest { slowest = $2 }
        END {
            printf "%s: good clients: %d asked, %d errors, slowest %.0f ms\n",
                what, asked, asked - good, slowest * 1000
            exit good != asked || slowest > 1
        }' good-keep-alive.out good-close.out || failed=1
}

main
