#!/usr/bin/env bash
# run.sh [SECONDS]: fuzz each target for that long, seeded with the raw-byte cases of tests/wire.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}

for need in "nightly toolchain:rustup install nightly:cargo +nightly version" \
    "cargo-fuzz:cargo install cargo-fuzz:cargo fuzz --version"; do
    IFS=: read -r what install check <<<"$need"
    if ! $check >/dev/null 2>&1; then
        echo "fuzz: no $what here; $install" >&2
        exit 1
    fi
done

fuzz/seeds.py
for target in request_head response_head chunked_body preface client_hello; do
    log=fuzz/target/$target.log
    mkdir -p fuzz/target
    if ! cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -max_len=20000 \
        -print_final_stats=1 >"$log" 2>&1; then
        grep -A 8 -E "panicked|ERROR: " "$log" >&2 || tail -n 40 "$log" >&2
        exit 1
    fi
    echo "$target: $(awk '/number_of_executed_units/ { print $2 }' "$log") inputs, nothing found"
done
