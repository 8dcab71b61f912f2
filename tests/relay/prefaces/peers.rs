//! With the programs that most others have on the other side: HAProxy in front and behind, nginx
//! behind.

use super::required;
use super::sending::{V1, V2};
#[cfg(feature = "tls")]
use super::{GET, REQUIRED, UNKNOWN};
#[cfg(feature = "tls")]
use crate::harness::Trusting;
use crate::harness::{
    Backend, Certs, Keyed, Place, Proxy, Scratch, Server, Wire, eventually, has, trusting,
};
use std::net::{Ipv4Addr, SocketAddr};

/// In the clear, then through TLS.
const WAYS: usize = if cfg!(feature = "tls") { 2 } else { 1 };

/// A connection to that port from 127.0.0.9.
fn from_nine(port: u16) -> Wire {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Wire::connect_from(Ipv4Addr::new(127, 0, 0, 9), to)
}

fn in_front_of(scratch: &Scratch, proxy: &Proxy, mode: &str, how: &str) -> Server {
    let to = proxy.address;
    let lines = format!(
        "frontend f\n mode {mode}\n bind 127.0.0.1:PORT\n default_backend b\n\
         backend b\n mode {mode}\n server s {to} {how} check inter 50ms"
    );
    Server::haproxy(scratch, &lines)
}

#[test]
fn haproxy_in_front_says_who_the_client_is_and_its_checks_are_silent() {
    if !has("haproxy") {
        return;
    }
    for how in ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"] {
        let (backend, scratch) = (Backend::plain(), Scratch::new());
        let proxy = required(&[&backend], "");
        let front = in_front_of(&scratch, &proxy, "http", how);
        let mut client = from_nine(front.port());
        assert_eq!((client.get("/1").status(), client.get("/2").status()), (200, 200));
        for seen in backend.wait_requests(2) {
            assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.9"), "{how}");
        }
        drop((client, front));
        assert_eq!(proxy.said("closed a connection"), 0, "{how}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn haproxy_in_front_passes_tls_through_behind_it() {
    if !has("haproxy") {
        return;
    }
    let (certs, backend, scratch) = (Certs::make(), Backend::plain(), Scratch::new());
    let proxy = Proxy::secure(&certs, &[&backend], REQUIRED);
    proxy.begin_with(UNKNOWN);
    let front = in_front_of(&scratch, &proxy, "tcp", "send-proxy-v2");
    let mut client = from_nine(front.port());
    client.secure(Trusting::of(&certs).to("localhost"));
    assert_eq!(client.ask(GET).status(), 200);
    let seen = backend.wait_requests(1).remove(0);
    assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.9"));
    assert_eq!(seen.field("x-forwarded-proto"), Some("https"));
}

#[test]
fn haproxy_behind_takes_the_word_and_answers_checks() {
    if !has("haproxy") {
        return;
    }
    let certs = Certs::make();
    let (certificate, key) = certs.leaf("localhost");
    let scratch = Scratch::new();
    let both = [certificate, key].map(|file| std::fs::read(file).unwrap()).concat();
    let pem = scratch.write("both.pem", both);
    let shown = format!("ssl crt {}", pem.display());
    let secure = trusting(&certs);
    let ways = [("", ""), (shown.as_str(), secure.as_str())];
    for (how, keys) in ways.into_iter().take(WAYS) {
        for version in [V1, V2] {
            let answer = "http-request return status 200 content-type text/plain lf-string \
                          \"%[src] %[src_port]\"";
            let lines = format!("frontend f\n bind 127.0.0.1:PORT accept-proxy {how}\n {answer}");
            let (backend, keys) = (Server::haproxy(&scratch, &lines), format!("{keys}{version}"));
            tells_the_client(&backend, &keys);
        }
    }
}

#[test]
fn nginx_behind_takes_the_word_and_answers_checks() {
    if !has("nginx") {
        return;
    }
    let certs = Certs::make();
    let (certificate, key) = certs.leaf("localhost");
    let shown = format!(
        "ssl_certificate {}; ssl_certificate_key {};",
        certificate.display(),
        key.display()
    );
    let answer = "location / { return 200 \"$proxy_protocol_addr $proxy_protocol_port\"; }";
    let secure = trusting(&certs);
    let ways =
        [("proxy_protocol", "", ""), ("ssl proxy_protocol", shown.as_str(), secure.as_str())];
    for (how, shown, keys) in ways.into_iter().take(WAYS) {
        for version in [V1, V2] {
            let scratch = Scratch::new();
            let backend = Server::nginx(&scratch, how, &format!("{shown} {answer}"));
            tells_the_client(&backend, &format!("{keys}{version}"));
        }
    }
}

/// Each answer names its client's address and port as the server was told.
fn tells_the_client(backend: &Server, keys: &str) {
    let settings = "health.interval = \"50ms\"\nhealth.path = \"/\"\nhealth.fall = 1\n\
                    timeouts.upstream_keep_alive = \"1s\"";
    let proxy = Proxy::with(&[&Keyed(backend, keys)], settings);
    let mut clients = [from_nine(proxy.address.port()), proxy.connect_raw()];
    for _ in 0..3 {
        for client in &mut clients {
            let own = client.stream().local_addr().unwrap();
            let words = client.get("/").text();
            assert_eq!(words.trim(), format!("{} {}", own.ip(), own.port()), "{keys}");
        }
    }
    drop(clients);
    eventually("it stays up", || proxy.get("/").status() == 200);
    assert_eq!(proxy.said(" down"), 0, "{keys}");
}
