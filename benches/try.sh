#!/usr/bin/env bash
# try.sh [EVENLY [TREE]]: real input, and servers that nobody here wrote.
#
# Evenly stands in front of nginx and Python's http.server, which serve the same tree (default:
# /usr/share/doc). The whole tree is fetched through it and every byte compared; files are uploaded,
# and asked for in ranges; one server is killed in the middle. Any difference is a failure.
# Needs Debian's nginx-light, curl, wget and python3.
set -euo pipefail

evenly=$(realpath "${1:-target/release/evenly}")
tree=$(realpath "${2:-/usr/share/doc}")
# shellcheck source=benches/servers.sh
source "$(dirname "$0")/servers.sh"

# As many as Python's server lets wait for it: its backlog is 5.
parallel=6

main() {
    need nginx:nginx-light curl:curl wget:wget python3:python3
    list_files
    start_nginx nginx "root $tree;"
    nginx=$! nginx_port=$port
    local python_port
    python_port=$(free_port)
    run python python3 -m http.server --bind 127.0.0.1 --directory "$tree" "$python_port"
    until_true 10 python curl --silent --output /dev/null "http://127.0.0.1:$python_port/"
    # All that are under way when the server dies may be sent again: by default, 3 at once.
    start_evenly evenly $'[retry]\nbudget_min = '$parallel "$nginx_port" "$python_port"

    fetch_one_by_one
    fetch_while_a_server_dies
    mkdir "$scratch/uploads"
    chmod 777 "$scratch/uploads"
    start_nginx store "root $scratch/uploads; dav_methods PUT DELETE; create_full_put_path on;"
    start_evenly evenly-store '' "$port"
    upload
    ask_for_ranges
    if grep ' ERROR ' "$scratch"/evenly*.log; then
        fail "Evenly logged an error"
    fi
    echo "try: all as it should be"
}

fail() {
    echo "try: $*" >&2
    exit 1
}

# The files of the tree, their checksums, and their names as URLs have them.
list_files() {
    cd "$tree"
    find -L . -type f -readable -printf '%P\n' | sort >"$scratch/files"
    tr '\n' '\0' <"$scratch/files" | xargs -0 sha256sum -- >"$scratch/sums"
    cd "$scratch"
    quote <files >urls
    files=$(wc -l <files)
    size=$(find -L "$tree" -type f -readable -printf '%s\n' | awk '{ all += $1 } END { print all }')
    echo "tree: $tree, $files files, $size bytes"
}

# differing FOLDER: the files of the tree that are missing there, or not the same.
differing() {
    cd "$1"
    { sha256sum --check --quiet "$scratch/sums" 2>/dev/null || true; } | sed -n 's/: FAILED.*//p'
    cd "$scratch"
}

# Names as URLs have them, line by line.
quote() {
    python3 -c 'import sys, urllib.parse
for line in sys.stdin:
    print(urllib.parse.quote(line.rstrip("\n")))'
}

fetch_one_by_one() {
    sed "s|^|$front/|" urls >list
    wget --no-verbose --output-file=wget.log --tries=1 --input-file=list --force-directories \
        --no-host-directories --restrict-file-names=nocontrol --directory-prefix=by-wget ||
        fail "wget: exit $?; $(grep -A 1 ERROR wget.log)"
    local bad
    bad=$(differing by-wget)
    [ -z "$bad" ] || fail "differs when fetched with wget: $bad"
    echo "wget, one by one: $files files, no difference"
}

# A server that dies takes the answers with it that it has begun: no balancer can take back bytes
# that the client has. Those must break visibly, and be few; all others must come whole.
fetch_while_a_server_dies() {
    paste urls files | while IFS=$'\t' read -r url file; do
        printf 'url = "%s/%s"\noutput = "by-curl/%s"\n' "$front" "$url" "${file//\"/\\\"}"
    done >list
    curl --no-progress-meter --fail --parallel --parallel-max $parallel --create-dirs \
        --config list 2>curl.errors &
    local curl=$!
    until_true 60 "a third of the files" more_than_a_third
    kill -KILL "$nginx"
    local killed_at
    killed_at=$(find by-curl -type f | wc -l)
    [ "$killed_at" -lt "$files" ] || fail "nginx was killed too late"
    wait $curl || true
    differing by-curl >lost
    local count told
    count=$(wc -l <lost)
    # 18: a part of the body is missing. Any other error, such as a 502, need not have been.
    told=$(grep -c '^curl: (18)' curl.errors || true)
    if [ "$count" -gt $parallel ] || [ "$told" -lt "$count" ]; then
        fail "$count files lost, curl was told of $told: $(cat lost curl.errors)"
    fi
    while read -r file; do
        curl --silent --fail --create-dirs --output "by-curl/$file" "$front/$(quote <<<"$file")"
    done <lost
    [ -z "$(differing by-curl)" ] || fail "differs when fetched again: $(differing by-curl)"
    echo "curl, $parallel at a time, nginx killed after $killed_at: $files files, no difference;" \
        "$count cut short, visibly, and fetched again"
}

more_than_a_third() {
    [ "$(find by-curl -type f | wc -l)" -gt $((files / 3)) ]
}

upload() {
    head -c 50000000 /dev/urandom >big
    # With a length, and in chunks, as curl sends what it reads from a pipe.
    curl --silent --fail --upload-file big "$front/plain/big"
    # shellcheck disable=SC2002
    cat big | curl --silent --fail --upload-file - "$front/chunked/big"
    cmp big uploads/plain/big
    cmp big uploads/chunked/big
    curl --silent --fail --output back "$front/chunked/big"
    cmp big back
    status -X DELETE "$front/chunked/big" | grep -qx 204 || fail "DELETE: not 204"
    [ ! -e uploads/chunked/big ] || fail "DELETE did not delete"
    echo "upload: 50000000 bytes with a length and in chunks, fetched back, deleted"
}

ask_for_ranges() {
    local range
    for range in 0-0 100-1099 49999000- -500 20000000-39999999; do
        status --range "$range" "$front/plain/big" | grep -qx 206 || fail "range $range: not 206"
        cut_range "$range" | cmp - body || fail "range $range differs"
    done
    curl --silent --head --fail "$front/plain/big" | grep -qix $'content-length: 50000000\r'
    curl --silent --fail --remote-time --output dated "$front/plain/big"
    status --time-cond dated "$front/plain/big" | grep -qx 304 || fail "unchanged: not 304"
    echo "ranges: 5 as they should be; HEAD and a conditional GET, too"
}

# status OPTIONS...: asks, and prints the status; the body is left in the file `body`.
status() {
    curl --silent --output body --write-out '%{http_code}\n' "$@"
}

# cut_range RANGE: those bytes of the big file.
cut_range() {
    local first=${1%-*} last=${1#*-}
    if [ -z "$first" ]; then
        first=$((50000000 - last)) last=
    fi
    dd if=big bs=1M iflag=skip_bytes,count_bytes status=none \
        skip="$first" count=$((${last:-49999999} - first + 1))
}

main
