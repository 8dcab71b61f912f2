//! `[[listeners]]`, word for word.

use super::*;

#[test]
fn a_listener_has_an_address_and_a_name_of_its_own() {
    let cases = r#"
[listeners]
    1:2: listeners: found a table; write [[listeners]], in double brackets, above each listener
listeners = [5]
    1:14: listeners: found 5; expected a table with listen
[[listeners]]
    1:1: listeners.listen: missing; write for example listen = "0.0.0.0:443"
[[listeners]]
listen = "0.0.0.0"
    2:10: listeners.listen: "0.0.0.0" is not an address and a port; write for example "0.0.0.0:8080"
[[listeners]]
listen = "0.0.0.0:80"
[[listeners]]
name = "b"
listen = "0.0.0.0:80"
    3:1: listeners.listen: 0.0.0.0:80 is where the listener "0.0.0.0:80" is; choose another
[[listeners]]
listen = "[::]:80"
[[listeners]]
listen = "127.0.0.1:80"
    3:1: listeners.listen: 127.0.0.1:80 and [::]:80 of the listener "[::]:80" cannot both be;
        keep one
[[listeners]]
listen = "[::1]:80"
[[listeners]]
listen = "127.0.0.1:80"
[[listeners]]
name = "a"
listen = "0.0.0.0:82"
[[listeners]]
name = "a"
listen = "0.0.0.0:81"
    8:1: listeners.name: "a" is the name of another; give each its own
[[listeners]]
listen = "0.0.0.0:80"
acme_webroot = ""
    3:16: listeners.acme_webroot: "" is no path; write that of a folder, or "off"
[[listeners]]
listen = "0.0.0.0:80"
mode = "proxy"
    3:8: listeners.mode: unknown mode of a listener "proxy"; use "http",
        "redirect-to-https", "tcp"
[[listeners]]
listen = "0.0.0.0:443"
mode = "https"
    3:8: listeners.mode: unknown mode of a listener "https"; here that is "http", with certificates
        in [tls]
[[listeners]]
listen = "0.0.0.0:80"
port = 80
    3:1: listeners.port: unknown key; did you mean "listen", such as "0.0.0.0:8080"?
"#;
    each(cases, in_tables);
}

#[test]
fn listeners_are_held_against_each_other_and_the_rest() {
    let cases = r#"
server.listen = "0.0.0.0:8080"
[[listeners]]
listen = "0.0.0.0:80"
    1:17: server.listen: says nothing beside [[listeners]], which name all addresses; make it one of
        them, or remove it
[[listeners]]
listen = "0.0.0.0:80"
mode = "redirect-to-https"
    1:3: listeners: none serves the applications; write one with mode = "http" or
        "tcp"
[[listeners]]
listen = "0.0.0.0:80"
tls = true
    3:7: listeners.tls: "0.0.0.0:80" has no certificate to show; name certificates in [tls]
[[listeners]]
listen = "0.0.0.0:80"
[[listeners]]
listen = "0.0.0.0:81"
mode = "redirect-to-https"
tls = true
    6:7: listeners.tls: means nothing without mode = "http" or mode = "tcp"; set one,
        or remove this key
[[listeners]]
listen = "0.0.0.0:80"
mode = "tcp"
acme_webroot = "/var/www/acme"
    4:16: listeners.acme_webroot: means nothing with mode = "tcp"; change that, or remove this key
[[listeners]]
listen = "0.0.0.0:80"
sni = "required"
    3:7: listeners.sni: means nothing without mode = "tcp"; set it, or remove this key
tls.certificates = ["a.pem"]
[[listeners]]
listen = "0.0.0.0:80"
mode = "tcp"
tls = true
sni = "required"
    6:7: listeners.sni: "0.0.0.0:80" cannot end the TLS that it is to pass on; remove tls = true, or
        sni
server.mode = "redirect"
[[listeners]]
listen = "0.0.0.0:80"
mode = "tcp"
    4:8: listeners.mode: "tcp" has no requests that could be redirected, as server.mode has it;
        remove that, or "0.0.0.0:80"
[[listeners]]
listen = "0.0.0.0:8443"
[[listeners]]
name = "plain"
listen = "0.0.0.0:80"
mode = "redirect-to-https"
https_port = 80
    7:14: listeners.https_port: 80 is where "plain" is, which sends clients on and speaks no TLS;
        name the port at which https is spoken
[[listeners]]
listen = "127.0.0.1:8001"
    2:10: listeners.listen: 127.0.0.1:8001 is the application 127.0.0.1:8001 too; choose another
        port
"#;
    each(cases, in_tables);
}

#[test]
fn each_is_told_at_its_own_line() {
    let cases = r#"
[[listeners]]
listen = "0.0.0.0:80"
tls = false
[[listeners]]
name = "b"
listen = "0.0.0.0:81"
tls = true
    7:7: listeners.tls: "b" has no certificate to show; name certificates in [tls]
[[listeners]]
listen = "0.0.0.0:80"
[[listeners]]
listen = "127.0.0.1:8001"
    4:10: listeners.listen: 127.0.0.1:8001 is the application 127.0.0.1:8001 too; choose another
        port
[[listeners]]
listen = "0.0.0.0:80"
proxy_protocol = "off"
[[listeners]]
listen = "0.0.0.0:81"
proxy_protocol = "required"
    6:18: listeners.proxy_protocol: "required" takes connections from trusted_proxies alone, and
        there are none; name the balancers in front, for example trusted_proxies = ["10.0.0.1"]
server.mode = "redirect"
[[listeners]]
listen = "0.0.0.0:80"
mode = "http"
[[listeners]]
listen = "0.0.0.0:81"
mode = "tcp"
    7:8: listeners.mode: "tcp" has no requests that could be redirected, as server.mode has it;
        remove that, or "0.0.0.0:81"
"#;
    each(cases, in_tables);
}

#[cfg(feature = "admin")]
#[test]
fn operators_ask_where_no_client_is_served() {
    let text = "admin.listen = \"127.0.0.1:81\"\n[[listeners]]\nlisten = \"0.0.0.0:80\"\n\
                [[listeners]]\nlisten = \"0.0.0.0:81\"\n";
    let what = "1:16: admin.listen: clients are served at 0.0.0.0:81; choose another port";
    assert_eq!(in_tables(text), what);
    let beside = format!("admin.listen = \"[::1]:8080\"\n{MINIMAL}");
    assert!(Config::parse(&beside, "test").is_ok(), "0.0.0.0:8080 is no address of version 6");
}

#[test]
fn more_than_can_be_handed_over_at_once_are_refused() {
    let one = |port: usize| format!("[[listeners]]\nlisten = \"127.0.0.1:{port}\"\n");
    let all: String = (100..=100 + crate::config::listeners::LISTENERS_MAX).map(one).collect();
    assert_eq!(in_tables(&all), "1:3: listeners: 17 are too many; up to 16 will do");
}
