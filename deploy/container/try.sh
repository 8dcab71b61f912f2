#!/usr/bin/env bash
# The image in podman, started, asked and stopped. Root; the packages podman, buildah and crun. With
# netavark and aardvark-dns, and podman-compose from PyPI, compose.yaml too; with catatonit besides,
# kubernetes.yaml.
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
    kubernetes
    compose
    echo "try: all holds"
}

prepare() {
    ip link set lo up
    # Where podman's resolver keeps its number: that of another one is not to be found.
    mkdir -p /run/containers
    mount -t tmpfs tmpfs /run/containers
    # crun takes no part in a mixture of both versions of cgroups.
    umount /sys/fs/cgroup/unified 2>/dev/null || true
    limit=$(ulimit -Hn)
    cat >"$scratch/containers.conf" <<-END
	[containers]
	default_ulimits = ["nofile=$limit:$limit", "nproc=4096:4096"]
	[network]
	network_backend = "netavark"
	network_config_dir = "$scratch/networks"
	END
    export CONTAINERS_CONF=$scratch/containers.conf
    storage=(--root "$scratch/root" --runroot "$scratch/run" --storage-driver vfs)
    # By this name for podman-compose, too. It would have systemd run the health checks; here they
    # are run by hand.
    mkdir "$scratch/bin"
    cat >"$scratch/bin/podman" <<-END
	#!/bin/sh
	exec $(command -v podman) ${storage[*]} --cgroup-manager cgroupfs --runtime crun \
	    --log-level fatal "\$@"
	END
    chmod +x "$scratch/bin/podman"
    PATH=$scratch/bin:$PATH
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
    podman run --detach --name evenly --cgroups=disabled --network host "${flags[@]}" \
        --volume "$scratch/applications.toml:/etc/evenly/applications.toml:ro" evenly >/dev/null
    for try in $(seq 100); do
        if podman healthcheck run evenly; then break; fi
        test "$try" -lt 100
        sleep 0.1
    done
    curl --silent --fail --output /dev/null http://127.0.0.1:8080/
    podman exec evenly /evenly status | head -1
    podman stop --time 20 evenly >/dev/null
    test "$(podman inspect --format '{{.State.ExitCode}}' evenly)" = 0
    podman rm evenly >/dev/null
    echo "try: podman run $1: serves, is well, ends with 0"
}

refuse_without_a_file() {
    local said status=0
    said=$(podman run --rm --cgroups=disabled --network host evenly 2>&1) || status=$?
    echo "try: without a file: $said"
    test "$status" = 2
}

# kubernetes.yaml by podman's reading: of its two pods one, since the ports of each are the host's
# there, and a name on the network is what leads to the pods of a headless Service.
kubernetes() {
    if ! command -v catatonit >/dev/null || [ ! -x /usr/lib/podman/aardvark-dns ]; then
        echo "try: kubernetes.yaml SKIPPED: it needs netavark, aardvark-dns and catatonit"
        return
    fi
    sed 's/replicas: 2/replicas: 1/' deploy/container/kubernetes.yaml >"$scratch/kubernetes.yaml"
    podman network create cluster >/dev/null
    podman run --detach --name api --network cluster --network-alias api-each --cgroups=disabled \
        --entrypoint /evenly evenly backend --listen 0.0.0.0:8080 &>"$scratch/api.log"
    podman kube play --network cluster "$scratch/kubernetes.yaml" &>"$scratch/play.log"
    local balancer=(podman exec evenly-pod-0-evenly)
    stands "1 of 1 up" "${balancer[@]}"
    "${balancer[@]}" /evenly healthcheck --live
    curl --silent --fail --output /dev/null http://127.0.0.1:8080/ready
    curl --silent --fail --output /dev/null http://127.0.0.1:8080/
    podman kube down "$scratch/kubernetes.yaml" &>"$scratch/down.log"
    echo "try: kubernetes.yaml: a pod serves, is well, and finds the application by its name"
}

# compose.yaml as it stands, but for a limit that may be higher than this machine's: the name of the
# service leads to each of its containers, as they come and go.
compose() {
    if ! command -v podman-compose >/dev/null || [ ! -x /usr/lib/podman/aardvark-dns ]; then
        echo "try: compose.yaml SKIPPED: it needs netavark, aardvark-dns and podman-compose"
        return
    fi
    cp -r deploy/container "$scratch/compose"
    pushd "$scratch/compose" >/dev/null
    sed -i "s/ulimits: .*/ulimits: {nofile: $limit, nproc: 4096}/" compose.yaml
    podman-compose up --no-build --detach &>up.log
    local balancer=(podman-compose exec evenly)
    stands "1 of 1 up" "${balancer[@]}"
    curl --silent --fail --output /dev/null http://127.0.0.1:8080/
    podman-compose up --no-build --detach --scale api=3 &>scale.log
    stands "3 of 3 up" "${balancer[@]}"
    podman stop --time 1 compose_api_2 &>stop.log
    stands "2 of 2 up" "${balancer[@]}"
    popd >/dev/null
    echo "try: compose.yaml: its name leads to one, to three and to two containers"
}

# stands WORDS COMMAND: the balancer in which COMMAND runs things comes to say so.
stands() {
    local words=$1 try said
    shift
    for try in $(seq 60); do
        said=$("$@" /evenly status 2>/dev/null | head -1) || true
        if [[ $said == "$words"* ]]; then return; fi
        sleep 0.5
    done
    echo "try: \"$said\" instead of \"$words\" by: $*"
    return 1
}

end() {
    podman pod rm --force --all >/dev/null 2>&1 || true
    podman rm --force --all >/dev/null 2>&1 || true
    if [ -n "${backend:-}" ]; then kill "$backend"; fi 2>/dev/null || true
    umount -R "$scratch"/root/* 2>/dev/null || true
    rm -rf "$scratch"
}

main "${2:-}"
