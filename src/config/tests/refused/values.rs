//! Values that will not do: of the wrong type, out of range, or against another key's.

use super::*;

#[test]
fn wrong_types_are_refused() {
    let cases = r#"
server = 3
    1:1: server: found no table; write [server] and below it its keys
[[server]]
    1:3: server: found no table; write [server] and below it its keys
server.listen = 8080
    1:17: server.listen: found 8080; expected a string such as "0.0.0.0:8080"
server.workers = "4"
    1:18: server.workers: found "4"; expected a whole number
server.workers = 1.5
    1:18: server.workers: found 1.5; expected a whole number
server.served_by = "yes"
    1:20: server.served_by: found "yes"; expected true or false
server.trusted_proxies = "10.0.0.0/8"
    1:26: server.trusted_proxies: found "10.0.0.0/8"; expected a list such as ["10.0.0.0/8"]
server.trusted_proxies = [true]
    1:26: server.trusted_proxies: found true; expected a string such as "10.0.0.0/8"
log.access = {}
    1:14: log.access: found a table; use "off", "common", "combined", "json"
timeouts.connect = true
    1:20: timeouts.connect: found true; expected a number and a unit
timeouts.connect = 2026-01-01
    1:20: timeouts.connect: found a date or time; expected a number and a unit
health.interval = false
    1:19: health.interval: found false; expected a number and a unit, or "off"
"#;
    each(cases, in_tables);
}

#[test]
fn addresses_that_nobody_could_listen_on_are_refused() {
    let cases = r#"
server.user = "nobody-of-this-name"
    1:15: server.user: "nobody-of-this-name" is no user in /etc/passwd; write one that is there, or
        a number
server.user = "123456789"
    1:15: server.user: 123456789 is not in /etc/passwd, which would say its group; set group too
server.user = "root"
server.group = ""
    2:16: server.group: "" is no group in /etc/group; write one that is there, or a number
server.listen = "8080"
    1:17: server.listen: "8080" is not an address and a port; write for example "0.0.0.0:8080"
server.listen = ":8080"
    1:17: server.listen: ":8080" is not an address and a port; write for example "0.0.0.0:8080"
server.listen = "localhost:9000"
    1:17: server.listen: "localhost:9000" is not an address and a port; write for example
        "127.0.0.1:9000"
server.listen = "::1:8099"
    1:17: server.listen: "::1:8099" needs brackets around the IPv6 address; write "[::1]:8099"
server.listen = "2001:db8::5:443"
    1:17: server.listen: "2001:db8::5:443" needs brackets around the IPv6 address; write
        "[2001:db8::5]:443"
server.listen = ":::80"
    1:17: server.listen: ":::80" needs brackets around the IPv6 address; write "[::]:80"
server.listen = "http://127.0.0.1:80/"
    1:17: server.listen: "http://127.0.0.1:80/" is not an address and a port; write for example
        "127.0.0.1:80"
server.listen = "::1"
    1:17: server.listen: "::1" is not an address and a port; write for example "[::1]:8080"
server.listen = "[::]"
    1:17: server.listen: "[::]" is not an address and a port; write for example "[::]:8080"
server.listen = "0.0.0.0:99999"
    1:17: server.listen: "0.0.0.0:99999" is not an address and a port; write for example
        "0.0.0.0:8080"
server.listen = "0.0.0.0"
    1:17: server.listen: "0.0.0.0" is not an address and a port; write for example "0.0.0.0:8080"
"#;
    each(cases, in_tables);
}

#[test]
fn impossible_paths_and_counts_are_refused() {
    let cases = r#"
server.workers = 1025
    1:18: server.workers: 1025 is out of range; use 0 to 1024
server.max_connections = 0
    1:26: server.max_connections: 0 is out of range; use 1 to 1000000
server.max_connections = 99999999999999999999
    1:26: server.max_connections: 99999999999999999999 is out of range; use 1 to 1000000
server.trusted_proxies = ["10.0.0.1/8"]
    1:26: server.trusted_proxies: "10.0.0.1/8" has bits beyond its prefix; write "10.0.0.0/8"
server.untrusted_fields = ["X-User Id"]
    1:27: server.untrusted_fields: "X-User Id" is not a field's name; write for example "X-Real-IP"
        or "X-User-*"
server.untrusted_fields = ["*"]
    1:27: server.untrusted_fields: "*" is not a field's name; write for example "X-Real-IP"
        or "X-User-*"
server.untrusted_fields = ["X-*-Id"]
    1:27: server.untrusted_fields: "X-*-Id" is not a field's name; write for example "X-Real-IP"
        or "X-User-*"
health.rise = 0
    1:15: health.rise: 0 is out of range; use 1 to 1000
health.fall = 0
    1:15: health.fall: 0 is out of range; use 1 to 1000
health.path = "health"
    1:15: health.path: "health" is not a path: it has no slash in front; write "/health"
health.path = "/my health"
    1:15: health.path: "/my health" has a space in it; write "/my%20health"
health.path = "https://a.test/health#now"
    1:15: health.path: "https://a.test/health#now" is a URL; write "/health"
health.path = "/é"
    1:15: health.path: "/é" has signs that no path can have; write "/%C3%A9"
health.expect = []
    1:17: health.expect: the list is empty; write for example ["200-299"]
health.expect = ["299-200"]
    1:17: health.expect: "299-200" is not a status or a range of them in 100 to 599; write for
        example "200-299"
health.expect = ["2xx"]
    1:17: health.expect: "2xx" is not a status or a range of them in 100 to 599; write for example
        "200-299"
health.expect = [99]
    1:17: health.expect: "99" is not a status or a range of them in 100 to 599; write for example
        "200-299"
retry.budget_percent = 101
    1:24: retry.budget_percent: 101 is out of range; use 0 to 100
limits.headers = 257
    1:18: limits.headers: 257 is out of range; use 1 to 256
log.to = "stdot"
    1:10: log.to: unknown target "stdot"; did you mean "stdout"?
log.to = "access"
    1:10: log.to: unknown target "access"; use "stdout", "stderr" or a path such as "./access.log"
log.access = "combine"
    1:14: log.access: unknown format "combine"; did you mean "combined"?
"#;
    each(cases, in_tables);
}

#[test]
fn what_cannot_tell_clients_apart_is_refused() {
    let cases = r#"
balance.hash_by = 5
    1:19: balance.hash_by: found 5; expected a string such as "client"
balance.hash_by = "ip"
    1:19: balance.hash_by: "ip" is nothing to hash by; use "client", "header X-User" or
        "cookie SESSION"
balance.hash_by = "header"
    1:19: balance.hash_by: "header" is nothing to hash by; use "client", "header X-User" or
        "cookie SESSION"
balance.hash_by = "header X-User:"
    1:19: balance.hash_by: "header X-User:" is nothing to hash by; use "client", "header X-User" or
        "cookie SESSION"
balance.hash_by = "cookie  SESSION"
    1:19: balance.hash_by: "cookie  SESSION" is nothing to hash by; use "client", "header X-User" or
        "cookie SESSION"
sticky.cookie = "a b"
    1:17: sticky.cookie: "a b" will not do as a cookie's name; write for example "BACKEND", or "off"
sticky.cookie = ""
    1:17: sticky.cookie: "" will not do as a cookie's name; write for example "BACKEND", or "off"
sticky.cookie = "__Host-BACKEND"
    1:17: sticky.cookie: "__Host-BACKEND" is a name for cookies that need TLS; name [tls]
        certificates, or write for example "BACKEND"
sticky.cookie = "__secure-BACKEND"
    1:17: sticky.cookie: "__secure-BACKEND" is a name for cookies that need TLS; name [tls]
        certificates, or write for example "BACKEND"
sticky.cookie = true
    1:17: sticky.cookie: found true; expected a string such as "BACKEND", or "off"
sticky.secret = "fifteen letters"
    1:17: sticky.secret: 15 characters can be guessed; use at least 16, or "" to draw one
sticky.secret = 12345678901234567
    1:17: sticky.secret: found no string; expected one of at least 16 characters
sticky.max_age = 0
    1:18: sticky.max_age: "0" is out of range; use "1s" to "9600h", or "off"
sticky.max_age = "999ms"
    1:18: sticky.max_age: "999ms" is out of range; use "1s" to "9600h", or "off"
"#;
    each(cases, in_tables);
}

#[test]
fn impossible_redirects_and_lookups_are_refused() {
    let cases = r#"
redirect.status = 302
    1:19: redirect.status: 302 is out of range; use 307 to 308
redirect.status = "307"
    1:19: redirect.status: found "307"; expected a whole number
redirect.methods = []
    1:20: redirect.methods: the list is empty; write for example ["GET"]
redirect.methods = "GET"
    1:20: redirect.methods: found "GET"; expected a list such as ["GET"]
redirect.methods = ["get"]
    1:20: redirect.methods: "get" is not how methods are written; write "GET"
redirect.methods = ["GET", "P OST"]
    1:20: redirect.methods: "P OST" is not a method; write for example "GET"
redirect.methods = ["CONNECT"]
    1:20: redirect.methods: "CONNECT" is never redirected; remove it
redirect.methods = ["Track"]
    1:20: redirect.methods: "Track" is never redirected; remove it
lookup.path = true
    1:15: lookup.path: found true; expected a string such as "/.well-known/evenly/next", or "off"
lookup.path = "next"
    1:15: lookup.path: "next" is not a path: it has no slash in front; write "/next", or "off"
lookup.path = "/next?for=me"
    1:15: lookup.path: "/next?for=me" is more than a path; remove the ? or \, or "off"
"#;
    each(cases, in_tables);
}

#[test]
fn certificates_that_cannot_be_meant_are_refused() {
    let cases = r#"
tls.certificates = "./site.pem"
    1:20: tls.certificates: found "./site.pem"; expected a list such as ["./site.pem"]
tls.certificates = [""]
    1:20: tls.certificates: "" is no path; write that of a PEM file
tls.keys = ["./site.key"]
    1:12: tls.keys: means nothing without certificates; set it, or remove this key
tls.min_version = "1.3"
    1:19: tls.min_version: means nothing without certificates; set it, or remove this key
tls.unknown_names = "refuse"
    1:21: tls.unknown_names: means nothing without certificates; set it, or remove this key
tls.unknown_names = "last"
    1:21: tls.unknown_names: unknown answer "last"; use "first", "refuse"
tls.min_version = "1.1"
    1:19: tls.min_version: unknown version "1.1"; did you mean "1.2"?
tls.min_version = 1.2
    1:19: tls.min_version: found 1.2; use "1.2", "1.3"
tls.certificates = ["./a.pem", "./b.pem"]
tls.keys = ["./a.key"]
    2:12: tls: 2 in certificates and 1 in keys; name one key for each, in the same order, or none
        if each certificate's file holds its key
tls.keys = ["./a.key", "./b.key"]
tls.certificates = ["./a.pem"]
    2:20: tls: 1 in certificates and 2 in keys; name one key for each, in the same order, or none
        if each certificate's file holds its key
"#;
    each(cases, in_tables);
}

#[test]
fn checks_that_cannot_be_made_are_refused() {
    let cases = r#"
health.method = "POST"
    1:17: health.method: unknown method "POST"; use "GET", "HEAD", "OPTIONS"
health.path = "/a<b"
    1:15: health.path: "/a<b" has a < in it, as no path has; write it as %3C
health.host = "https://a.test/"
    1:15: health.host: "https://a.test/" is no host; write for example "api.example.org" or
        "[::1]:8080"
health.host = "a.test:0"
    1:15: health.host: "a.test:0" is no host; write for example "api.example.org" or "[::1]:8080"
health.port = 0
    1:15: health.port: 0 is out of range; use 1 to 65535
health.contains = ""
    1:19: health.contains: 0 bytes to look for; write 1 to 1024, or remove the key
health.headers = "Authorization: Bearer 1234"
    1:18: health.headers: found no list; write for example ["Accept: text/plain"]
health.headers = ["1234"]
    1:18: health.headers: there is no colon in it; write for example "Accept: text/plain"
health.headers = ["X Y: 1234"]
    1:18: health.headers: what is in front of the colon is no name of a field; write for
        example "Accept"
health.headers = ["host: a.test"]
    1:18: health.headers: Host has a key of its own; write it as host
health.headers = ["Content-Length: 5"]
    1:18: health.headers: "Content-Length" is about the connection, which Evenly decides; remove it
health.headers = ["transfer_encoding: chunked"]
    1:18: health.headers: "transfer_encoding" is about the connection, which Evenly decides; remove
        it
health.headers = ["Connection: keep-alive"]
    1:18: health.headers: "Connection" is about the connection, which Evenly decides; remove it
health.headers = ["X-A: 1\r\nX-B: 2"]
    1:18: health.headers: "X-A" has a control character or one outside ASCII; remove it
health.headers = ["X-A: 1\u0000"]
    1:18: health.headers: "X-A" has a control character or one outside ASCII; remove it
health = {contains = "ok", method = "HEAD"}
    1:37: health.contains: an answer to HEAD has no body that could contain it; write
        method = "GET"
health.drain = ["410", "204-205"]
    1:16: health.drain: 204 passes by expect; remove it from one of the two
health = {expect = ["400-410"], drain = ["410"]}
    1:41: health.drain: 410 passes by expect; remove it from one of the two
"#;
    each(cases, in_tables);
}

/// The words of `[health]` say something else elsewhere.
#[test]
fn a_port_or_a_host_in_the_wrong_table_is_not_sent_to_the_checks() {
    for text in ["server.port = 80", "server.host = \"a\"", "redirect.method = \"GET\""] {
        assert!(!in_tables(text).contains("[health]"), "{}", in_tables(text));
    }
}

#[test]
fn impossible_durations_and_sizes_are_refused() {
    let cases = r#"
health.interval = "0s"
    1:19: health.interval: "0s" is out of range; use "10ms" to "24h", or "off"
health.interval = 0
    1:19: health.interval: "0" is out of range; use "10ms" to "24h", or "off"
health.interval = "of"
    1:19: health.interval: "of" is not a whole number and a unit; write for example "5s", or "off"
timeouts.connect = 0
    1:20: timeouts.connect: "0" is out of range; use "1ms" to "24h"
timeouts.connect = 3
    1:20: timeouts.connect: 3 has no unit; write for example "3s"
timeouts.connect = "3"
    1:20: timeouts.connect: 3 has no unit; write for example "3s"
timeouts.connect = "-3s"
    1:20: timeouts.connect: "-3s" is negative; write for example "5s"
timeouts.connect = "25h"
    1:20: timeouts.connect: "25h" is out of range; use "1ms" to "24h"
timeouts.drain = "0s"
    1:18: timeouts.drain: "0s" is out of range; use "1ms" to "24h", or 0 for none
limits.head_bytes = "129KiB"
    1:21: limits.head_bytes: "129KiB" is out of range; use "1KiB" to "128KiB"
limits.head_bytes = 0
    1:21: limits.head_bytes: "0" is out of range; use "1KiB" to "128KiB"
limits.body_bytes = 1048576
    1:21: limits.body_bytes: 1048576 has no unit; write for example "1048576B"
limits.body_bytes = "64k"
    1:21: limits.body_bytes: "64k" has an unknown unit; did you mean "64KiB"?
limits.body_bytes = "99999999999999999999B"
    1:21: limits.body_bytes: "99999999999999999999B" is too large to count
scored.threshold = 0
    1:20: scored.threshold: 0 is out of range; use 1 to 1000000
scored.slow = 2.5
    1:15: scored.slow: found 2.5; expected a whole number
limits.body_bytes = "2000TiB"
    1:21: limits.body_bytes: "2000TiB" is out of range; use "1B" to "1024TiB", or 0 for none
"#;
    each(cases, in_tables);
}

#[cfg(feature = "admin")]
#[test]
fn an_endpoint_that_everybody_may_use_is_refused() {
    let cases = r#"
admin.socket = "of"
    1:16: admin.socket: "of" is no path; use "auto", "off" or one such as "./evenly.sock"
admin.socket = false
    1:16: admin.socket: found false; expected a string such as "auto"
admin.listen = "0.0.0.0:9900"
    1:16: admin.listen: 0.0.0.0:9900 can be reached from elsewhere: set a token of at least 16
        characters, or write "127.0.0.1:9900"
admin.listen = "[2001:db8::1]:9900"
    1:16: admin.listen: [2001:db8::1]:9900 can be reached from elsewhere: set a token of at least
        16 characters, or write "127.0.0.1:9900"
admin.listen = "9900"
    1:16: admin.listen: "9900" is not an address and a port; write for example "127.0.0.1:9900",
        or "off"
admin.listen = "*:9901"
    1:16: admin.listen: "*:9901" is not an address and a port; write for example "127.0.0.1:9901",
        or "off"
admin.listen = "localhost"
    1:16: admin.listen: "localhost" is not an address and a port; write for example
        "127.0.0.1:9900", or "off"
admin.listen = "127.0.0.1:8080"
    1:16: admin.listen: clients are served at 0.0.0.0:8080; choose another port
admin.token = "fifteen letters"
    1:15: admin.token: no field can hold it; use letters, digits and signs of ASCII
admin.token = "fifteen-letters"
    1:15: admin.token: 15 characters can be guessed; use at least 16, or "" for none
admin.hosts = ["http://lb1/"]
    1:15: admin.hosts: "http://lb1/" is no host; write for example "api.example.org" or
        "[::1]:8080"
"#;
    each(cases, in_tables);
}

#[test]
fn a_preface_that_anybody_may_write_is_refused() {
    let cases = r#"
server.proxy_protocol = "required"
    1:25: server.proxy_protocol: "required" takes connections from trusted_proxies alone, and there
        are none; name the balancers in front, for example trusted_proxies = ["10.0.0.1"]
server.proxy_protocol = "v2"
    1:25: server.proxy_protocol: unknown setting "v2"; use "off", "required"
server.proxy_protocol = true
    1:25: server.proxy_protocol: found true; use "off", "required"
"#;
    each(cases, in_tables);
}

#[test]
fn contradictions_are_refused_where_they_arise() {
    let cases = r#"
passive.eject = "2m"
    1:17: passive: eject "2m" is longer than eject_max "1m"; raise eject_max
passive.eject_max = "5s"
    1:21: passive: eject "10s" is longer than eject_max "5s"; raise eject_max
passive.eject = "20s"
passive.eject_max = "10s"
    2:21: passive: eject "20s" is longer than eject_max "10s"; raise eject_max
scored.slow_from = 900
    1:20: scored: slow_from 900 is above slow_max 800; raise slow_max
server.ready = "/up"
lookup.path = "/up"
    2:15: server.ready: "/up" is lookup.path too; choose another
server.listen = "0.0.0.0:8001"
    1:17: server.listen: 0.0.0.0:8001 is the application 127.0.0.1:8001 too; choose another port
"#;
    each(cases, in_tables);
}
