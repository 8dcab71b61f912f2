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

for target in request_head response_head chunked_body; do
    mkdir -p "fuzz/corpus/$target"
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -max_len=20000 -verbosity=0 \
        -print_final_stats=1
done
