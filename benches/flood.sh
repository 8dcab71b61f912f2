#!/usr/bin/env bash
# flood.sh [EVENLY [ROUNDS]]: what a flood at the admin endpoint costs the clients of the relay.
#
# wrk asks an Evenly with two workers as much as it can, for five seconds, with and without a flood,
# ROUNDS (6) times by turns: 200 connections that ask for the status without a pause, and a program
# that begins a thousand connections a second more. Prints the median of both, what part of the
# process's time was not the relay's, and fails if the relay lost more than 2 % of its requests.
# The flood's own programs share the processors: they wait most of the time, as they are paced.
# Needs Debian's wrk, nginx-light, curl and python3.
set -euo pipefail

evenly=$(realpath "${1:-target/release/evenly}")
rounds=${2:-6}
seconds=5
# shellcheck source=benches/servers.sh
source "$(dirname "$0")/servers.sh"

main() {
    need wrk:wrk nginx:nginx-light curl:curl python3:python3
    ulimit -n "$(ulimit -H -n)"
    start_nginx nginx "location / { return 200 ok; }"
    start_evenly evenly $'[server]\nworkers = 2\n[admin]\nsocket = "off"\nlisten = "127.0.0.1:0"' \
        "$port"
    pid=${started[-1]}
    admin=$(sed -n 's|.*admin endpoint at http://\([0-9.:]*\).*|\1|p' "$scratch/evenly.log")
    asked >/dev/null # both begin warm
    local round quiet=() flooded=() share=()
    for ((round = 0; round < rounds; round++)); do
        quiet+=("$(asked)")
        flood
        local before after
        before=$(apart)
        flooded+=("$(asked)")
        after=$(apart)
        share+=("$(((after - before) / seconds))")
        calm
        printf 'round %d: %s requests/s alone, %s in a flood; apart from the relay %s ms/s\n' \
            $((round + 1)) "${quiet[-1]}" "${flooded[-1]}" "${share[-1]}"
    done
    judge "$(median "${quiet[@]}")" "$(median "${flooded[@]}")" "$(median "${share[@]}")"
}

# Requests a second.
asked() {
    wrk -t1 -c32 -d"${seconds}s" "$front/" | awk '/Requests\/sec/ { printf "%d\n", $2 }'
}

flood() {
    wrk -t1 -c200 -d60s "http://$admin/status" >/dev/null 2>&1 &
    flooding=($!)
    python3 - "$admin" <<'END' >/dev/null 2>&1 &
import socket, sys, time
host, port = sys.argv[1].split(":")
held = []
while True:
    for _ in range(100):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex((host, int(port)))
        held.append(one)
    held = held[-5000:]
    time.sleep(0.1)
END
    flooding+=($!)
    started+=("${flooding[@]}")
    sleep 2 # the burst is over
}

calm() {
    kill -KILL "${flooding[@]}" 2>/dev/null || true
    wait "${flooding[@]}" 2>/dev/null || true
    sleep 2
}

# Milliseconds of the process that no thread of the relay has spent, so far.
apart() {
    python3 - "$pid" <<'END'
import glob, sys
def spent(path):
    name, fields = open(path).read().split("(", 1)[1].rsplit(") ", 1)
    fields = fields.split()
    return name, 10 * (int(fields[11]) + int(fields[12]))
pid = sys.argv[1]
total = spent(f"/proc/{pid}/stat")[1]
for path in glob.glob(f"/proc/{pid}/task/*/stat"):
    name, time = spent(path)
    if name.startswith(("worker", "door", "timer", "log", "check", "evenly")):
        total -= time
print(total)
END
}

median() {
    printf '%s\n' "$@" | sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'
}

# judge ALONE FLOODED APART
judge() {
    awk -v alone="$1" -v flooded="$2" -v apart="$3" 'BEGIN {
        lost = 100 * (1 - flooded / alone)
        printf "median: %d requests/s alone, %d in a flood: %.1f %% lost; ", alone, flooded, lost
        printf "apart from the relay %.1f %% of a processor\n", apart / 10
        exit lost > 2
    }'
}

main
