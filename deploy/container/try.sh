#!/usr/bin/env bash
# The image in podman, started, asked and stopped. Root; the packages podman, buildah and crun.
#
#   deploy/container/try.sh target/image/rootfs.tar
#
# Where a registry can be reached, the whole Dockerfile is better: `docker build -t evenly .`. This
# takes its last stage as it stands, and for the first one what `make image-rootfs` has left.
set -euo pipefail
tar=$(realpath "$1")
cd "$(dirname "$0")/../.."

main() {
    local missing=() program
    for program in podman buildah crun unshare; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    if [ ${#missing[@]} -gt 0 ] || [ "$(id -u)" -ne 0 ]; then
        echo "try: SKIPPED: root is needed, and ${missing[*]:-nothing else}"
        return
    fi
    # Mounts of its own, for good: whatever is left of them ends with this script.
    if [ "${1:-}" != inside ]; then
        exec unshare --mount --net --propagation private "$0" "$tar" inside
    fi
    scratch=$(mktemp -d)
    trap 'end' EXIT
    prepare
    build
    serve
    for settings in "" "--read-only --tmpfs /run/evenly" "--user 12345:12345"; do
        hold "$settings"
    done
    refuse_without_a_file
    echo "try: all holds"
}

prepare() {
    ip link set lo up
    # crun takes no part in a mixture of both versions of cgroups.
    umount /sys/fs/cgroup/unified 2>/dev/null || true
    local limit
    limit=$(ulimit -Hn)
    printf '[containers]\ndefault_ulimits = ["nofile=%s:%s", "nproc=4096:4096"]\n' \
        "$limit" "$limit" >"$scratch/containers.conf"
    export CONTAINERS_CONF=$scratch/containers.conf
    storage=(--root "$scratch/root" --runroot "$scratch/run" --storage-driver vfs)
}

run_podman() {
    # It would have systemd run the health checks; here they are run by hand.
    podman "${storage[@]}" --cgroup-manager cgroupfs --runtime crun --log-level fatal "$@"
}

build() {
    mkdir -p "$scratch/context/target/image/rootfs"
    tar -xpf "$tar" -C "$scratch/context/target/image/rootfs"
    sed -n '/^FROM scratch/,$p' Dockerfile | sed 's|--from=build /evenly/||' >"$scratch/context/Dockerfile"
    buildah "${storage[@]}" bud --isolation chroot --format docker --quiet -t evenly "$scratch/context"
}

# An application, by Evenly's own demo.
serve() {
    "$scratch/context/target/image/rootfs/evenly" backend --listen 127.0.0.1:9001 \
        >/dev/null 2>"$scratch/backend.log" &
    backend=$!
    printf '[[applications]]\nip = "127.0.0.1"\nport = 9001\n' >"$scratch/applications.toml"
}

# hold FLAGS: a container with these serves, is well, and ends well.
hold() {
    local flags try
    read -ra flags <<<"$1"
    run_podman run --detach --name evenly --cgroups=disabled --network host "${flags[@]}" \
        --volume "$scratch/applications.toml:/etc/evenly/applications.toml:ro" evenly >/dev/null
    for try in $(seq 100); do
        if run_podman healthcheck run evenly; then break; fi
        test "$try" -lt 100
        sleep 0.1
    done
    curl --silent --fail --output /dev/null http://127.0.0.1:8080/
    run_podman exec evenly /evenly status | head -1
    run_podman stop --time 20 evenly >/dev/null
    test "$(run_podman inspect --format '{{.State.ExitCode}}' evenly)" = 0
    run_podman rm evenly >/dev/null
    echo "try: podman run $1: serves, is well, ends with 0"
}

refuse_without_a_file() {
    local said status=0
    said=$(run_podman run --rm --cgroups=disabled --network host evenly 2>&1) || status=$?
    echo "try: without a file: $said"
    test "$status" = 2
}

end() {
    run_podman rm --force --all >/dev/null 2>&1 || true
    if [ -n "${backend:-}" ]; then kill "$backend"; fi 2>/dev/null || true
    umount -R "$scratch"/root/* 2>/dev/null || true
    rm -rf "$scratch"
}

main "${2:-}"
