#!/usr/bin/env bash
# The recipe of docs/listeners.md, word for word, with certbot and a test server of ACME, which asks
# at port 80 as others do: from no certificate at all to https, and on to a renewal. Root; the
# packages certbot, curl, iproute2, openssl and pebble.
#
#   deploy/acme/try.sh target/release/evenly
#
# Its network, its certificates and its group are its own.
set -euo pipefail
evenly=$(realpath "$1")
cd "$(dirname "$0")/../.."
live=/etc/letsencrypt/live/example.org

main() {
    local missing=() program
    for program in certbot curl ip openssl pebble pebble-challtestsrv setpriv unshare; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    if [ ${#missing[@]} -gt 0 ] || [ "$(id -u)" -ne 0 ]; then
        echo "try: SKIPPED: root is needed, and ${missing[*]:-nothing else}"
        return
    fi
    # Mounts and a network of its own, for good: whatever is left of them ends with this script.
    if [ "${1:-}" != inside ]; then
        exec unshare --mount --net --propagation private "$0" "$evenly" inside
    fi
    scratch=$(mktemp -d)
    children=()
    trap 'end' EXIT
    prepare
    start_authority
    serve_in_the_clear
    certify
    serve_by_https
    renew
    echo "try: all holds"
}

# Empty folders where the recipe writes, and the application and the group that it names.
prepare() {
    local folder
    chmod 755 "$scratch"
    install -m 755 "$evenly" "$scratch/evenly"
    { grep -v '^ssl-cert:' /etc/group && echo 'ssl-cert:x:64000:'; } >"$scratch/group"
    mount --bind "$scratch/group" /etc/group
    for folder in /etc/letsencrypt /run /var; do
        mount -t tmpfs -o mode=755 tmpfs "$folder"
    done
    ip link set lo up
    ip address add 10.0.0.1/32 dev lo
    "$scratch/evenly" backend --listen 10.0.0.1:8001 >"$scratch/application.log" 2>&1 &
    children+=($!)
}

# A server of ACME to whom example.org is here, and who is to remember no proof. cli.ini says to
# certbot what it would ask a person for.
start_authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout "$scratch/authority.key" \
        -out "$scratch/authority.pem" 2>"$scratch/openssl.log"
    cat >"$scratch/authority.json" <<END
{"pebble": {
    "listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000",
    "certificate": "$scratch/authority.pem", "privateKey": "$scratch/authority.key",
    "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "", "externalAccountBindingRequired": false
}}
END
    pebble-challtestsrv -dns01 127.0.0.1:8053 -management 127.0.0.1:8055 -defaultIPv4 127.0.0.1 \
        -defaultIPv6 "" -http01 "" -https01 "" -tlsalpn01 "" >"$scratch/names.log" 2>&1 &
    children+=($!)
    PEBBLE_VA_NOSLEEP=1 PEBBLE_AUTHZREUSE=0 PEBBLE_WFE_NONCEREJECT=0 \
        pebble -config "$scratch/authority.json" -dnsserver 127.0.0.1:8053 >"$scratch/authority.log" 2>&1 &
    children+=($!)
    export REQUESTS_CA_BUNDLE=$scratch/authority.pem
    printf '%s\n' "server = https://localhost:14000/dir" "agree-tos = true" \
        "register-unsafely-without-email = true" "non-interactive = true" >/etc/letsencrypt/cli.ini
    until_it_holds curl --silent --fail --cacert "$scratch/authority.pem" \
        --output "$scratch/root.pem" https://localhost:15000/roots/0
}

# As the unit beside this folder has it: a user who is not root, but may have port 80, and a group.
serve_in_the_clear() {
    block toml 2 >"$scratch/applications.toml"
    install -d -o nobody /run/evenly
    setpriv --reuid nobody --regid nogroup --groups ssl-cert \
        --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service \
        "$scratch/evenly" serve --config "$scratch/applications.toml" --set tls.watch=1s \
        2>"$scratch/evenly.log" &
    children+=($!)
    until_it_holds curl --silent --fail --output /dev/null http://127.0.0.1/
    echo "try: served in the clear at port 80"
}

certify() {
    block sh 1 | bash -eu >"$scratch/certbot.log" 2>&1
    test -s "$live/fullchain.pem"
    test "$(proofs)" -ge 1
    echo "try: certified, by a proof at port 80"
}

serve_by_https() {
    block toml 1 >"$scratch/applications.toml"
    # Not before the group may read the key, and nothing has changed by it.
    if "$scratch/evenly" reload --config "$scratch/applications.toml" 2>"$scratch/refused.log"; then
        echo "try: a key that only root may read was read"
        return 1
    fi
    ask_for_what_is_there --output /dev/null http://example.org/
    block sh 2 | bash -eu
    "$scratch/evenly" reload --config "$scratch/applications.toml" >"$scratch/reload.log"
    local went
    went=$(ask_for_what_is_there --location --output /dev/null \
        --write-out '%{num_redirects} %{url_effective}' 'http://example.org/?a=%2F')
    test "$went" = '1 https://example.org/?a=%2F'
    test "$(serial_shown)" = "$(serial_in_file)"
    echo "try: reloaded; sent on to https, with that certificate"
}

renew() {
    local before proofs_before try
    before=$(serial_shown)
    proofs_before=$(proofs)
    # Pebble takes an earlier proof for a new one, once in a hundred times, though told not to.
    for try in 1 2 3; do
        certbot renew --force-renewal --no-random-sleep-on-renew >"$scratch/certbot.log" 2>&1
        test "$(serial_in_file)" != "$before"
        if [ "$(proofs)" -gt "$proofs_before" ]; then break; fi
        test "$try" -lt 3
    done
    until_it_holds shows_what_is_in_the_file
    ask_for_what_is_there --output /dev/null https://example.org/
    echo "try: renewed, by a proof beside the way to https; served by it, and nobody was told"
}

# block LANGUAGE NUMBER: one of the page's.
block() {
    awk -v opening="\`\`\`$1" -v number="$2" '
        { line = $0; sub(/^ +/, "", line) }
        line == "```" { is_in = 0 }
        is_in { print line }
        line == opening { is_in = ++seen == number }' docs/listeners.md
}

ask_for_what_is_there() {
    curl --silent --show-error --fail --cacert "$scratch/root.pem" \
        --resolve example.org:80:127.0.0.1 --resolve example.org:443:127.0.0.1 "$@"
}

# How many names it has taken to be ours by a proof.
proofs() {
    grep --count 'set VALID by completed challenge' "$scratch/authority.log" || true
}

serial_shown() {
    openssl s_client -connect 127.0.0.1:443 -servername example.org </dev/null 2>/dev/null |
        openssl x509 -noout -serial
}

serial_in_file() {
    openssl x509 -noout -serial -in "$live/cert.pem"
}

shows_what_is_in_the_file() {
    test "$(serial_shown)" = "$(serial_in_file)"
}

until_it_holds() {
    local try
    for try in $(seq 100); do
        if "$@"; then return; fi
        sleep 0.1
    done
    echo "try: after $try tries: $*"
    return 1
}

end() {
    local status=$?
    if [ "$status" -ne 0 ]; then tail -n 20 "$scratch"/*.log; fi
    kill "${children[@]}" 2>/dev/null || true
    wait
    umount /etc/group 2>/dev/null || true
    rm -rf "$scratch"
}

main "${2:-}"
