//! The PROXY protocol: whom a balancer in front stands for, and what backends are told.

mod hostile;
mod peers;
mod reports;
mod sending;

use crate::harness::{Backend, BlackHole, Broken, Message, Place, Proxy, Wire};
#[cfg(feature = "tls")]
use crate::harness::{Certs, Trusting};
use ppp::v2;
use std::net::SocketAddr;
use std::time::Duration;

const REQUIRED: &str = "server.proxy_protocol = \"required\"\n\
                        server.trusted_proxies = [\"127.0.0.1\"]\nlog.access = \"json\"";
const UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";
const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// A proxy that wants a preface of each connection; the harness's own have one that says nothing.
fn required(backends: &[&dyn Place], settings: &str) -> Proxy {
    let proxy = Proxy::with(backends, &format!("{REQUIRED}\n{settings}"));
    proxy.begin_with(UNKNOWN);
    proxy
}

fn v1(from: &str, to: &str) -> Vec<u8> {
    let [from, to]: [SocketAddr; 2] = [from, to].map(|end| end.parse().unwrap());
    ppp::v1::Addresses::from((from, to)).to_string().into_bytes()
}

fn v2(from: &str, to: &str) -> Vec<u8> {
    let [from, to]: [SocketAddr; 2] = [from, to].map(|end| end.parse().unwrap());
    let said = v2::Version::Two | v2::Command::Proxy;
    let builder = v2::Builder::with_addresses(said, v2::Protocol::Stream, (from, to));
    builder.write_tlv(v2::Type::Authority, b"a.test").unwrap().build().unwrap()
}

/// A connection that begins with these bytes.
fn beginning(proxy: &Proxy, bytes: impl AsRef<[u8]>) -> Wire {
    let mut wire = proxy.connect_raw();
    wire.send_raw(bytes.as_ref());
    wire
}

/// As the only request that the backend got of this proxy.
fn seen_by(backend: &Backend, proxy: &Proxy, preface: &[u8], fields: &str) -> Message {
    let before = backend.requests().len();
    let head = format!("GET /a HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n");
    assert_eq!(beginning(proxy, preface).ask(head).status(), 200);
    backend.wait_requests(before + 1).remove(before)
}

/// It is closed, and not a byte was said to it.
fn is_closed(wire: &mut Wire) {
    let (said, how) = wire.ending();
    assert!(said.is_empty() && matches!(how, Broken::End | Broken::Reset), "{how:?} {said:?}");
}

#[test]
fn the_client_is_whom_the_preface_names() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "");
    for (preface, client) in [
        (v1("192.0.2.7:4711", "198.51.100.1:443"), "192.0.2.7"),
        (v2("192.0.2.8:4711", "198.51.100.1:443"), "192.0.2.8"),
        (v1("[2001:db8::7]:4711", "[2001:db8::1]:443"), "2001:db8::7"),
        (v2("[2001:db8::8]:4711", "[2001:db8::1]:443"), "2001:db8::8"),
        (v2("[::ffff:192.0.2.9]:4711", "[::ffff:198.51.100.1]:443"), "192.0.2.9"),
        (UNKNOWN.to_vec(), "127.0.0.1"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec(), "127.0.0.1"),
    ] {
        let seen = seen_by(&backend, &proxy, &preface, "");
        assert_eq!(seen.field("x-forwarded-for"), Some(client));
        let line = proxy.process.printed.wait(&format!("\"client\":\"{client}\""));
        assert!(line.contains("\"target\":\"/a\""), "{line}");
    }
}

#[test]
fn whether_that_client_speaks_for_others_is_asked_anew() {
    let backend = Backend::plain();
    let settings = "server.trusted_proxies = [\"127.0.0.1\", \"192.0.2.0/24\"]";
    let required = REQUIRED.replace("server.trusted_proxies = [\"127.0.0.1\"]", settings);
    let proxy = Proxy::with(&[&backend], &required);
    proxy.begin_with(UNKNOWN);
    let claim = "X-Forwarded-For: 203.0.113.9\r\n";
    for (from, told) in
        [("192.0.2.7:1", "203.0.113.9, 192.0.2.7"), ("198.51.100.7:1", "198.51.100.7")]
    {
        let seen = seen_by(&backend, &proxy, &v2(from, "198.51.100.1:443"), claim);
        assert_eq!(seen.field("x-forwarded-for"), Some(told));
    }
    let seen = seen_by(&backend, &proxy, UNKNOWN, claim);
    assert_eq!(seen.field("x-forwarded-for"), Some("203.0.113.9, 127.0.0.1"));
}

#[test]
fn clients_are_told_apart_by_it() {
    let backends = [Backend::plain(), Backend::plain(), Backend::plain()];
    let places: Vec<&dyn Place> = backends.iter().map(|backend| backend as &dyn Place).collect();
    let proxy = required(&places, "balance.policy = \"hash\"");
    let mut used = [0; 3];
    for number in 1..20 {
        for _ in 0..2 {
            let preface = v1(&format!("192.0.2.{number}:1"), "198.51.100.1:443");
            assert_eq!(beginning(&proxy, preface).ask(GET).status(), 200);
        }
        let now: Vec<_> = backends.iter().map(|backend| backend.requests().len()).collect();
        let gained: Vec<_> = now.iter().zip(used).map(|(now, before)| now - before).collect();
        assert!(gained.contains(&2), "{gained:?}");
        used.copy_from_slice(&now);
    }
    assert!(used.iter().all(|count| *count > 0), "{used:?}");
}

#[test]
fn it_is_the_same_however_its_bytes_come() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "server.workers = 1");
    for preface in [v1("192.0.2.7:1", "192.0.2.1:2"), v2("192.0.2.7:1", "192.0.2.1:2")] {
        let all = [&preface, GET, GET].concat();
        for cut in 1..preface.len() + 3 {
            let mut client = beginning(&proxy, &all[..cut]);
            assert!(client.is_silent_for(Duration::from_millis(50)));
            client.send_raw(&all[cut..]);
            assert_eq!((client.answer().status(), client.answer().status()), (200, 200));
        }
        let mut client = proxy.connect_raw();
        all.iter().for_each(|byte| client.send_raw(&[*byte]));
        assert_eq!((client.answer().status(), client.answer().status()), (200, 200));
    }
    let told = backend
        .requests()
        .into_iter()
        .map(|seen| seen.field("x-forwarded-for") == Some("192.0.2.7"));
    assert!(told.into_iter().all(|is_so| is_so));
}

#[cfg(feature = "tls")]
#[test]
fn tls_follows_it_even_in_the_same_packet() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], REQUIRED);
    proxy.begin_with(v2("192.0.2.7:4711", "198.51.100.1:443"));
    assert_eq!(proxy.get("/").status(), 200);
    let mut tls = Trusting::of(&certs).to("localhost");
    let hello = tls.hello();
    let mut client = beginning(&proxy, [v1("192.0.2.8:1", "192.0.2.1:2"), hello].concat());
    client.secure(tls);
    assert_eq!(client.ask(GET).status(), 200);
    let seen = backend.requests();
    let clients = seen.iter().map(|seen| seen.field("x-forwarded-for").unwrap());
    assert_eq!(clients.collect::<Vec<_>>(), ["192.0.2.7", "192.0.2.8"]);
    assert_eq!(seen[0].field("x-forwarded-proto"), Some("https"));
    let mut clear = beginning(&proxy, [UNKNOWN, GET].concat());
    assert_eq!(clear.answer().status(), 400);
}

#[test]
fn a_reload_turns_it_on_for_new_connections_and_off_again() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut before = proxy.connect();
    assert_eq!(before.get("/1").status(), 200);
    let said = proxy.reload(&[&backend], REQUIRED.trim_end_matches("log.access = \"json\""));
    assert!(said.contains("server.proxy_protocol: \"off\" -> \"required\""), "{said}");
    assert_eq!(before.get("/2").status(), 200);
    is_closed(&mut beginning(&proxy, GET));
    let mut after = beginning(&proxy, UNKNOWN);
    assert_eq!(after.get("/3").status(), 200);
    proxy.reload(&[&backend], "");
    assert_eq!((after.get("/4").status(), proxy.get("/5").status()), (200, 200));
}

#[test]
fn an_answer_that_we_give_ourselves_comes_after_it_too() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "server.ready = \"/ready\"\nserver.mode = \"redirect\"");
    proxy.farewell(307);
    assert_eq!(proxy.get("/ready").status(), 200);
    assert_eq!(proxy.get("/").status(), 307);
    let mut bad = beginning(&proxy, [UNKNOWN, b"GET /b HTTP/9\r\n\r\n"].concat());
    assert!(bad.answer().status() >= 400);
}

#[test]
fn a_check_that_leaves_a_listener_that_passes_on_is_no_client() {
    let hole = BlackHole::new();
    let proxy = required(&[&hole], "[[listeners]]\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"");
    proxy.no_farewell();
    let client = v1("192.0.2.7:1", "192.0.2.1:2");
    for preface in [UNKNOWN, &client] {
        let mut wire = beginning(&proxy, preface);
        // A reset takes what has not been read away.
        assert!(wire.is_silent_for(Duration::from_millis(300)));
        wire.reset();
    }
    let printed = &proxy.process.printed;
    printed.wait("\"client\":\"192.0.2.7\"");
    assert_eq!(printed.count("\"cause\""), 1, "{:#?}", printed.all());
}
