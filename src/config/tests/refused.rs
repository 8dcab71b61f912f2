//! Each refusal, word for word: a message is part of the product.

use super::*;

#[cfg(feature = "alerts")]
mod alerts;
mod applications;
mod listeners;
mod outside;
mod pools;
mod slips;
mod values;

/// Cases are lines of TOML, followed by the indented lines that refuse them; what is indented twice
/// continues its line.
pub(super) fn each(cases: &str, refused: impl Fn(&str) -> String) {
    let mut lines = cases.lines().filter(|line| !line.is_empty()).peekable();
    while lines.peek().is_some() {
        let mut take = |indent: &str| {
            let own = |line: &&str| line.starts_with(' ') != indent.is_empty();
            let taken = std::iter::from_fn(|| lines.next_if(own)?.strip_prefix(indent));
            taken.collect::<Vec<_>>().join("\n").replace("\n    ", " ")
        };
        let (text, message) = (take(""), take("    "));
        assert_eq!(refused(&text), message, "{text}");
    }
}

/// Refused in front of a good application.
fn in_tables(text: &str) -> String {
    refusal(&format!("{text}\n{MINIMAL}")).replace("applications.toml:", "")
}

#[test]
fn the_message_names_file_line_column_key_and_remedy() {
    let text = format!("{MINIMAL}[balance]\npolicy = \"round-robbin\"\n");
    let message = "applications.toml:8:10: balance.policy: \
        unknown policy \"round-robbin\"; did you mean \"round-robin\"?";
    assert_eq!(refusal(&text), message);
}

#[test]
fn several_problems_are_all_listed_in_order_of_place() {
    let cases = r#"
[server]
workers = -1
lisen = 5
[log]
access = "xml"
    2:11: server.workers: -1 is out of range; use 0 to 1024
    3:1: server.lisen: unknown key; did you mean "listen"?
    5:10: log.access: unknown format "xml"; use "off", "common", "combined", "json"
"#;
    each(cases, in_tables);
}

/// The folder of the tests has the file that they are said to be of.
#[test]
fn what_is_written_to_is_nothing_else() {
    let cases = r#"
log.access = "common"
log.to = "./applications.toml"
    2:10: log.to: "./applications.toml" is the configuration too; choose another
log.access = "common"
log.to = "./src/../none.pem"
tls.certificates = ["./a.pem", "none.pem"]
    2:10: log.to: "./src/../none.pem" is tls.certificates too; choose another
log.access = "common"
log.to = "./a.key"
tls = {certificates = ["./a.pem"], keys = ["./a.key"]}
    2:10: log.to: "./a.key" is tls.keys too; choose another
"#;
    each(cases, in_tables);
    let tls = MINIMAL.replace("tsl = false", "tls = true\ntls_ca = \"./a.pem\"");
    let log = |more: &str| format!("log.to = \"./src/../a.pem\"\n{more}");
    let said = refusal(&format!("{}{tls}", log("log.access = \"json\"")));
    let told = "applications.toml:1:10: log.to: \"./src/../a.pem\" is applications.tls_ca too; ";
    assert!(said.starts_with(told), "{said}");
    assert!(Config::parse(&format!("{}{tls}", log("")), "test").is_ok(), "nothing is written");
    let apart = log("log.access = \"json\"\ntls.certificates = [\"./b.pem\"]");
    assert!(Config::parse(&format!("{apart}{MINIMAL}"), "test").is_ok());
}

#[cfg(feature = "admin")]
#[test]
fn what_is_written_to_is_no_socket_either() {
    let cases = r#"
admin.socket = "./a.sock"
log.access = "common"
log.to = "./src/../a.sock"
    3:10: log.to: "./src/../a.sock" is admin.socket too; choose another
admin.socket = "./applications.toml"
    1:16: admin.socket: "./applications.toml" is the configuration too; choose another
"#;
    each(cases, in_tables);
}

#[test]
fn places_for_secrets_are_refused_where_none_is_filled() {
    let cases = r#"
sticky.cookie = "A"
sticky.secret = "${env:A_SECRET_OF_OURS}"
[health]
headers = ["Accept: a/b", "Authorization: Bearer ${file:./token}"]
    2:17: sticky.secret: ${file:PATH} and ${env:NAME} are filled in url, headers, password and
        template of [[alerts]], and url of [heartbeat], alone; write it out, or set
        EVENLY_STICKY_SECRET
    4:11: health.headers: ${file:PATH} and ${env:NAME} are filled in url, headers, password and
        template of [[alerts]], and url of [heartbeat], alone; write it out, or set
        EVENLY_HEALTH_HEADERS
"#;
    each(cases, in_tables);
}

#[test]
fn broken_toml_is_one_line_with_its_place() {
    let cases = r#"
[server
    1:1: not valid TOML: the heading is not closed; write [server]
listen = 0.0.0.0:80
    1:10: not valid TOML: texts stand in quotes; write listen = "0.0.0.0:80"
log.to = "x
    1:10: not valid TOML: the text has no quote at its end; write log.to = "x"
log.to = “x” # here
    1:10: not valid TOML: texts stand in quotes; write log.to = "x"
health.interval = 5s
    1:19: not valid TOML: texts stand in quotes; write health.interval = "5s"
server.served_by = Yes
    1:20: not valid TOML: that is not how it is written; write server.served_by = true
server.workers = 08
    1:18: not valid TOML: that is not how it is written; write server.workers = 8
server.trusted_proxies = [10.0.0.0/8, "::1"]
    1:26: not valid TOML: texts stand in quotes; write server.trusted_proxies = ["10.0.0.0/8",
        "::1"]
server.listen =
    1:16: not valid TOML: server.listen has no value; write one, or remove the line
[server]
listen "0.0.0.0:80"
    2:1: not valid TOML: there is no = between key and value; write listen = "0.0.0.0:80"
[server]
listen: 0.0.0.0:80 # here
    2:1: not valid TOML: there is no = between key and value; write listen = "0.0.0.0:80"
[server]
// a comment
    2:1: not valid TOML: comments begin with #
[[applications]
    1:1: not valid TOML: the heading is not closed; write [[applications]]
sticky.secret = what nobody is to see
    1:17: not valid TOML: texts stand in quotes; write sticky.secret = "..."
timeouts.connect = "3s" x
    1:25: not valid TOML: unexpected key or value, expected newline, `#`
"#;
    each(cases, in_tables);
}

#[test]
fn what_is_there_twice_is_told_with_the_first() {
    let cases = r#"
[log]
access = "json"
[log]
    3:2: not valid TOML: [log] stands at line 1 already; write its keys there
log.access = "json"
[log]
    2:2: not valid TOML: [log] stands at line 1 already; write its keys there
[server]
listen = "127.0.0.1:1"
[admin]
listen = "off"
# a comment
listen = "off"
    6:1: not valid TOML: listen is set at line 4 already; remove one of the two
[[applications]]
ip = "10.0.0.1"
port = 80
[[applications]]
ip = "10.0.0.2"
port = 80
ip = "10.0.0.3"
    7:1: not valid TOML: ip is set at line 5 already; remove one of the two
"#;
    each(cases, in_tables);
}

#[test]
fn files_of_others_are_called_by_their_names() {
    let cases = r#"
global
    daemon
an HAProxy configuration
# a comment

frontend web
    bind :80
an HAProxy configuration
worker_processes auto;
an nginx configuration
upstream app {
    server 10.0.0.1:80;
}
an nginx configuration
<VirtualHost *:80>
an Apache configuration
ProxyPass / http://10.0.0.1/
an Apache configuration
:80 {
    reverse_proxy 10.0.0.1
}
a Caddyfile
server:
  listen: 0.0.0.0:80
YAML
---
listen: 0.0.0.0:80
YAML
{"server": {"listen": "0.0.0.0:80"}}
JSON
; settings
[server]
an INI file
-----BEGIN CERTIFICATE-----
a PEM file
"#;
    let mut text = String::new();
    for line in cases.lines().skip(1) {
        if !["an ", "a ", "YAML", "JSON"].iter().any(|start| line.starts_with(start)) {
            text.push_str(&format!("{line}\n"));
            continue;
        }
        let said = refusal(&text);
        let looks = format!("this looks like {line}; Evenly's is TOML: [[applications]] and below");
        assert!(said.contains(&looks), "{text}: {said}");
        text.clear();
    }
}

#[test]
fn what_others_call_our_things_is_told_by_our_names() {
    let cases = r#"
[[servers]]
    1:3: servers: unknown table; did you mean [[applications]]?
[[upstream]]
    1:3: upstream: unknown table; did you mean [[applications]]?
[frontend]
    1:2: frontend: unknown table; did you mean [[listeners]], or [server] listen for one alone?
[[listener]]
    1:3: listener: unknown table; did you mean [[listeners]], or [server] listen for one alone?
server.port = 80
    1:8: server.port: unknown key; did you mean "listen", such as "0.0.0.0:8080"?
balance.algorithm = "roundrobin"
    1:9: balance.algorithm: unknown key; did you mean "policy"?
health.uri = "/up"
    1:8: health.uri: unknown key; did you mean "path"?
balance.weight = 1
    1:9: balance.weight: unknown key; did you mean weight in [[applications]]?
balance.tls = true
    1:9: balance.tls: unknown key; did you mean the table [tls]?
"#;
    each(cases, in_tables);
    // Alone: what there is goes by another name, so that there are none is no news.
    assert_eq!(
        refusal("[[backends]]\nip = \"10.0.0.1\"\nport = 80\n"),
        "applications.toml:1:3: backends: unknown table; did you mean [[applications]]?"
    );
    let policies = r#"
leastconn
    "least-connections"
least_conn
    "least-connections"
roundrobin
    "round-robin"
wrr
    "weighted-round-robin"
random
    "two-choices"
random two
    "two-choices"
p2c
    "two-choices"
ip_hash
    "hash", which goes by the client's address unless hash_by says otherwise
source
    "hash", which goes by the client's address unless hash_by says otherwise
hdr(X-User)
    "hash" with hash_by = "header NAME" or "cookie NAME"
uri
    "hash" at best: by hash_by it goes by an address, a header or a cookie, not by the path
url_param
    "hash" at best: by hash_by it goes by an address, a header or a cookie, not by the path
sticky
    any policy together with [sticky] cookie = "BACKEND"
first
    "first-alive"
least_time
    "scored-round-robin"
"#;
    let policy = |name: &str| {
        let said = in_tables(&format!("balance.policy = \"{name}\""));
        let (_, ours) = said.split_once(&format!("\"{name}\"; here that is ")).expect(&said);
        ours.to_string()
    };
    each(policies, policy);
}

#[test]
fn unknown_words_are_refused_at_any_depth() {
    let cases = r#"
[sever]
    1:2: sever: unknown table; did you mean "server"?
colour = 1
    1:1: colour: unknown table; the tables here are applications, listeners, pools, routes, server,
        balance, scored, sticky, redirect, lookup, health, passive, retry, queue, timeouts, limits,
        tls, log, admin
listen = "x"
    1:1: listen: unknown table; listen is a key of [[listeners]], [server] and [admin]
port = 80
    1:1: port: unknown table; port is a key of [[applications]] and [health]
server.drain = "5s"
    1:8: server.drain: unknown key; drain is a key of [health] and [timeouts]
server.listn = 1
    1:8: server.listn: unknown key; did you mean "listen"?
server.tls.cert = "x"
    1:8: server.tls: unknown key; did you mean the table [tls]?
tls.certs = ["x"]
    1:5: tls.certs: unknown key; did you mean "certificates"?
tls.colour = 1
    1:5: tls.colour: unknown key; the keys here are certificates, keys, min_version, unknown_names,
        watch
balance.colour = 1
    1:9: balance.colour: unknown key; the keys here are policy, hash_by, slow_start,
        fail_open
"#;
    // Which tables there are depends on the build.
    let refused = |text: &str| in_tables(text).replace(", heartbeat, alerts", "");
    each(cases, refused);
}

#[test]
fn what_is_still_to_come_says_so() {
    let cases = r#"
server.mode = "tcp"
    1:15: server.mode: unknown mode "tcp"; here that is [[listeners]] with mode = "tcp"
"#;
    each(cases, in_tables);
}
