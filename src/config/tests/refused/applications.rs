//! Refusals of applications, word for word.

use super::*;

/// Refused as keys of an application that is good otherwise; they begin at line 4.
fn in_application(text: &str) -> String {
    let text = format!("[[applications]]\nip = \"10.0.0.1\"\nport = 80\n{text}\n");
    refusal(&text).replace("applications.toml:", "")
}

/// Refused as a whole file.
fn as_file(text: &str) -> String {
    refusal(text).replace("applications.toml:", "").trim_start().to_string()
}

#[test]
fn unknown_keys_of_an_application_are_refused() {
    let cases = r#"
prot = 80
    4:1: applications.prot: unknown key; did you mean "port"?
host = "x"
    4:1: applications.host: unknown key; did you mean "ip"?
health_path = "/up"
    4:1: applications.health_path: unknown key; did you mean [health] path, for all of them?
maxconn = 5
    4:1: applications.maxconn: unknown key; did you mean "max_connections"?
colour = "x"
    4:1: applications.colour: unknown key; the keys here are name, ip, port, tls, tls_verify,
        tls_ca, tls_name, tls_certificate, tls_key, alive, weight, max_connections, backup, public,
        proxy_protocol, health_port
policy = "hash"
    4:1: applications.policy: unknown key; did you mean policy in [balance]?
tls.cert = "x"
    4:1: applications.tls: found a table; expected true or false
"#;
    each(cases, in_application);
}

#[test]
fn what_is_said_of_tls_must_mean_something() {
    let cases = r#"
tls_ca = "./ca.pem"
    4:10: applications.tls_ca: means nothing without tls = true; set it, or remove this key
tls_name = "api.example.org"
tls = false
    4:12: applications.tls_name: means nothing without tls = true; set it, or remove this key
tsl = false
tls_verify = false
    5:14: applications.tls_verify: means nothing without tls = true; set it, or remove this key
tls_certificate = "./client.pem"
tls_key = "./client.key"
    4:19: applications.tls_certificate: means nothing without tls = true; set it, or remove this key
    5:11: applications.tls_key: means nothing without tls = true; set it, or remove this key
tls = true
tls_key = "./client.key"
    5:11: applications.tls_key: means nothing without tls_certificate; set it, or remove this key
tls = true
tls_verify = false
tls_ca = "./ca.pem"
    6:10: applications.tls_ca: means nothing without tls_verify = true; set it, or remove this key
"#;
    each(cases, in_application);
}

#[test]
fn a_slip_about_tls_is_told_once() {
    let cases = r#"
tls = "yes"
tls_ca = "./ca.pem"
    4:7: applications.tls: found "yes"; expected true or false
tls = true
tls_ca = ""
    5:10: applications.tls_ca: "" is no path; write that of a PEM file
tls = true
tls_certificate = true
tls_key = "./client.key"
    5:19: applications.tls_certificate: found true; expected a string such as "./client.pem"
tls = true
tls_name = "https://a.example.org"
    5:12: applications.tls_name: "https://a.example.org" is a URL; write the address alone, and the
        port under port
"#;
    each(cases, in_application);
}

#[test]
fn evenly_is_no_application_of_its_own() {
    let own = "[[applications]]\nip = \"localhost\"\nport = 8080\n";
    let message = "server.listen: 0.0.0.0:8080 is the application localhost:8080 too; \
        choose another port";
    assert_eq!(as_file(own), message);
    for (listen, ip) in [("127.0.0.1", "0.0.0.0"), ("[::1]", "::"), ("0.0.0.0", "127.0.0.2")] {
        let text = format!(
            "server.listen = \"{listen}:80\"\n[[applications]]\nname = \"a\"\nip = \"{ip}\"\n\
             port = 80\n"
        );
        let message = format!("{listen}:80 is the application a too; choose another port");
        assert_eq!(as_file(&text), format!("1:17: server.listen: {message}"));
    }
}

#[test]
fn impossible_applications_are_refused() {
    let cases = r#"
weight = 0
    4:10: applications.weight: 0 is out of range; use 1 to 1000
name = ""
    4:8: applications.name: "" has 0 bytes; a name has 1 to 259 letters of ASCII, digits, signs, and
        spaces inside
name = "two words "
    4:8: applications.name: "two words " has a space at an end; a name has 1 to 259 letters of
        ASCII, digits, signs, and spaces inside
name = "büro"
    4:8: applications.name: "büro" has "ü" in it; a name has 1 to 259 letters of ASCII, digits,
        signs, and spaces inside
alive = "yes"
    4:9: applications.alive: found "yes"; expected true or false
max_connections = -1
    4:19: applications.max_connections: -1 is out of range; use 0 to 1000000
tls = false
tsl = false
    5:1: applications.tsl: the same as tls; remove one of the two
[[applications]]
ip = "10.0.0.1:80"
    5:6: applications.ip: "10.0.0.1:80" holds a port; write "10.0.0.1" and port = "80"
[[applications]]
    4:1: applications.ip: missing; write for example ip = "127.0.0.1"
    4:1: applications.port: missing; write for example port = 8001
[[applications]]
ip = "10.0.0.1"
port = "80"
    4:1: applications.ip: 10.0.0.1:80 is listed at line 1 already; remove one of the two
name = "a"
[[applications]]
name = "a"
ip = "10.0.0.2"
port = 80
    5:1: applications.name: "a" is the name of the one at line 1; choose another
"#;
    each(cases, in_application);
}

#[test]
fn of_very_many_mistakes_the_first_hundred_are_told() {
    let twins = "[[applications]]\nip = \"10.0.0.1\"\nport = 80\n".repeat(151);
    let said = Config::parse(&twins, "f").unwrap_err().to_string();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines.len(), lines[100]), (101, "f: and 50 more"));
    assert!(lines[99].starts_with("f:301:1: "), "{}", lines[99]);
}

#[test]
fn what_an_address_of_another_would_be_called_is_no_name() {
    let cases = r#"
name = "a@10.0.0.2"
[[applications]]
name = "a"
ip = "app.internal"
port = 80
    5:1: applications.name: "a" and "a@10.0.0.2", at line 1, are alike: an address of a name is
        called name@address; choose another
"#;
    each(cases, in_application);
    let fine = "[[applications]]\nname = \"me\"\nip = \"10.0.0.1\"\nport = 80\n\
                [[applications]]\nname = \"me@home\"\nip = \"app.internal\"\nport = 80\n";
    assert!(Config::parse(fine, "test").is_ok());
}

#[test]
fn public_addresses_that_are_no_origin_are_refused() {
    let cases = r#"
public = 443
    4:10: applications.public: found 443; expected a string such as "https://a.example.org"
public = "a.example.org:8080"
    4:10: applications.public: "a.example.org:8080" has no scheme; write "http://a.example.org:8080"
public = "ftp://a.example.org"
    4:10: applications.public: "ftp://a.example.org" is no http URL; write for example
        "https://a.example.org"
public = "https://a.example.org/"
    4:10: applications.public: "https://a.example.org/" goes on after the host; write
        "https://a.example.org" alone
public = "https://a.example.org/shop?a#b"
    4:10: applications.public: "https://a.example.org/shop?a#b" goes on after the host; write
        "https://a.example.org" alone
public = "https://user@a.example.org"
    4:10: applications.public: "https://user@a.example.org" names no host and port; write for
        example "https://a.example.org"
public = "https://a.example.org:0"
    4:10: applications.public: "https://a.example.org:0" names no host and port; write for
        example "https://a.example.org"
public = "https://a.example.org, b"
    4:10: applications.public: "https://a.example.org, b" names no host and port; write for
        example "https://a.example.org"
"#;
    each(cases, in_application);
}

#[test]
fn impossible_hosts_and_ports_are_refused() {
    let port = |port: &str| as_file(&format!("[[applications]]\nip = \"::1\"\nport = {port}"));
    let cases = r#"
0
    3:8: applications.port: 0 is out of range; use 1 to 65535
65536
    3:8: applications.port: 65536 is out of range; use 1 to 65535
-1
    3:8: applications.port: -1 is out of range; use 1 to 65535
"http"
    3:8: applications.port: found "http"; expected a whole number
""
    3:8: applications.port: found ""; expected a whole number
1.5
    3:8: applications.port: found 1.5; expected a whole number
"#;
    each(cases, port);
    let host = |ip: &str| as_file(&format!("[[applications]]\nip = {ip}\nport = 80"));
    let cases = r#"
"http://a.b"
    2:6: applications.ip: "http://a.b" is a URL; write the address alone, and the port under port
"a.b:80"
    2:6: applications.ip: "a.b:80" holds a port; write "a.b" and port = "80"
"[::1]:80"
    2:6: applications.ip: "[::1]:80" holds a port; write "[::1]" and port = "80"
"127.0.0.256"
    2:6: applications.ip: "127.0.0.256" is neither an address nor a host name, such as "127.0.0.1"
"10.1"
    2:6: applications.ip: "10.1" is neither an address nor a host name, such as "127.0.0.1"
""
    2:6: applications.ip: "" is neither an address nor a host name, such as "127.0.0.1"
"a b"
    2:6: applications.ip: "a b" is neither an address nor a host name, such as "127.0.0.1"
"-a"
    2:6: applications.ip: "-a" is neither an address nor a host name, such as "127.0.0.1"
"a..b"
    2:6: applications.ip: "a..b" is neither an address nor a host name, such as "127.0.0.1"
127
    2:6: applications.ip: found 127; expected a string such as "127.0.0.1"
"#;
    each(cases, host);
}

#[test]
fn a_file_without_applications_is_refused() {
    let cases = r#"
[log]
    applications: there are none; write [[applications]] and below it ip and port of each
applications = []
    1:1: applications: there are none; write [[applications]] and below it ip and port of each
applications = [1]
    1:17: applications: found 1; expected a table with ip and port
[applications]
ip = "10.0.0.1"
port = 80
    1:2: applications: found a table; write [[applications]], in double brackets, above each
        application
"#;
    each(cases, as_file);
}
