#!/usr/bin/env bash
# certs.sh [DIRECTORY]: certificates to try TLS with, valid for 30 days.
#
# Makes an authority of its own and what it signs, in DIRECTORY (target/certs), and says how to use
# them. Each run replaces all of them. Needs the openssl command.
set -euo pipefail

directory=${1:-target/certs}
days=30

main() {
    if ! command -v openssl >/dev/null; then
        echo "$0: no openssl here; apt-get install openssl" >&2
        exit 1
    fi
    mkdir -p "$directory"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    # Nothing of the machine's own settings.
    printf '[req]\ndistinguished_name = name\n[name]\n' >"$scratch/openssl.cnf"
    export OPENSSL_CONF=$scratch/openssl.cnf
    authority
    sign site 'DNS:localhost,IP:127.0.0.1,IP:::1' serverAuth
    sign api 'DNS:api.localhost' serverAuth
    sign client 'DNS:client.localhost' clientAuth
    explain
}

# The name has the time in it: who knows an older one does not take it for this.
authority() {
    new_key ca -x509 -days $days -subj "/CN=Evenly trial authority $(date +%FT%T)" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
        -out "$scratch/ca.pem"
    mv "$scratch/ca.pem" "$scratch/ca.key" "$directory"
}

# sign FILE NAMES USAGE: a key, and a certificate for these names.
sign() {
    new_key "$1" -subj "/CN=$1" -out "$scratch/$1.csr"
    printf '%s\n' 'basicConstraints = critical, CA:FALSE' "subjectAltName = $2" \
        "extendedKeyUsage = $3" >"$scratch/extensions"
    quietly openssl x509 -req -in "$scratch/$1.csr" -CA "$directory/ca.pem" \
        -CAkey "$directory/ca.key" -set_serial "0x$(openssl rand -hex 16)" -days $days -sha256 \
        -extfile "$scratch/extensions" -out "$scratch/$1.pem"
    mv "$scratch/$1.pem" "$scratch/$1.key" "$directory"
}

new_key() {
    local file=$1
    shift
    quietly openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$scratch/$file.key" "$@"
}

# Openssl tells of its progress on stderr: show that only if it failed.
quietly() {
    if ! "$@" 2>"$scratch/said"; then
        cat "$scratch/said" >&2
        exit 1
    fi
}

explain() {
    cat <<END
Made in $directory, for $days days:
  ca.pem                  the authority, for those who are to trust it
  site.pem, site.key      for localhost, 127.0.0.1 and ::1
  api.pem, api.key        for api.localhost
  client.pem, client.key  to show to applications that ask for a certificate

To serve https, add this to applications.toml:
  [tls]
  certificates = ["$directory/site.pem", "$directory/api.pem"]
  keys = ["$directory/site.key", "$directory/api.key"]
and then:
  evenly serve
  curl --cacert $directory/ca.pem https://localhost:8080/

An application that shows one of them is believed with these keys of its own:
  tls = true
  tls_ca = "$directory/ca.pem"
END
}

main
