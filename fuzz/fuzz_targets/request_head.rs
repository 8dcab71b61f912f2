//! Any bytes as a request head: refused with a fitting status, or relayed with the same meaning.
#![no_main]

use evenly::http::request::{self, Forwarding, Request};
use evenly::http::{Claims, HEADERS_MAX, HeadLimits, Parsed, Version, claims, slots};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const CLIENT: &str = "192.0.2.7";
const BACKEND: &str = "backend.test:80";
static CLAIMS: LazyLock<Claims> = LazyLock::new(|| Claims::new(claims::USUAL));

fuzz_target!(|input: (u16, bool, bool, bool, &[u8])| {
    let (cut, trusted, forwarded, upgrade_h2c, bytes) = input;
    let limits = HeadLimits::default();
    let mut room = slots();
    match request::parse(bytes, &limits, &mut room) {
        Ok(Parsed::Complete { head, length }) => {
            check_extent(&bytes[..length], usize::from(cut));
            check_relayed(&head, trusted, forwarded, upgrade_h2c);
        }
        Ok(Parsed::Partial) => {
            let begun = bytes.len() - request::blank(bytes);
            assert!(begun < limits.head_bytes && bytes.len() - begun <= 16, "awaited for ever");
        }
        Err(refusal) => {
            assert!(matches!(refusal.status, 400 | 405 | 414 | 417 | 431 | 501 | 505));
            assert!(!refusal.reason.is_empty());
        }
    }
});

/// The head ends with its first empty line and with no byte less.
fn check_extent(head: &[u8], cut: usize) {
    assert!(head.ends_with(b"\r\n\r\n"));
    for (index, byte) in head.iter().enumerate() {
        assert!(*byte != b'\n' || head[index - 1] == b'\r', "a bare LF was let through");
    }
    let part = &head[..cut % head.len()];
    let parsed = request::parse(part, &HeadLimits::default(), &mut slots()).map(drop_head);
    assert_eq!(parsed, Ok(None), "a part of a good head is not awaited");
}

fn drop_head(parsed: Parsed<Request>) -> Option<usize> {
    match parsed {
        Parsed::Complete { length, .. } => Some(length),
        Parsed::Partial => None,
    }
}

/// What the backend reads is what was read here, and one head only.
fn check_relayed(head: &Request, trusted: bool, forwarded: bool, upgrade_h2c: bool) {
    if head.max_forwards == Some(0) {
        return;
    }
    let how = Forwarding {
        client: CLIENT.parse().unwrap(),
        proto: "https",
        trusted,
        claims: &CLAIMS,
        forwarded,
        via: forwarded,
        upgrade_h2c,
        request_id: "fuzz",
    };
    let mut sent = Vec::new();
    head.write_forward(&mut sent, &how);
    if head.host.is_empty() {
        let line = sent.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
        let place = request::name_host(&mut sent, line..line, "first.test");
        request::name_host(&mut sent, place, BACKEND);
    }
    assert!(!sent.contains(&b'\0'));
    let limits =
        HeadLimits { head_bytes: sent.len(), headers: HEADERS_MAX, ..HeadLimits::default() };
    let mut room = slots();
    let parsed = request::parse(&sent, &limits, &mut room);
    let Ok(Parsed::Complete { head: again, length }) = parsed else {
        panic!("sent on, but not understood: {}", sent.escape_ascii());
    };
    assert_eq!(length, sent.len());
    assert_eq!(again.version, Version::Http11);
    assert_eq!(again.method, head.method);
    let slash = if head.target.starts_with('?') { "/" } else { "" };
    assert_eq!(again.target, format!("{slash}{}", head.target));
    assert_eq!(again.host, if head.host.is_empty() { BACKEND } else { head.host });
    assert_eq!(again.framing, head.framing);
    assert_eq!(again.expects_continue, head.expects_continue);
    assert_eq!(again.upgrade, head.upgrade);
    assert_eq!(again.max_forwards, head.max_forwards.map(|hops| hops - 1));
    assert!(again.keep_alive, "the client's Connection reached the backend");
    assert_eq!(again.field("Forwarded").is_some(), forwarded || kept(head, trusted, "Forwarded"));
    check_origin(&again, trusted);
}

fn kept(head: &Request, trusted: bool, name: &str) -> bool {
    trusted && head.field(name).is_some()
}

/// Only a trusted client may say where the request came from.
fn check_origin(sent: &Request, trusted: bool) {
    let said = sent.field("X-Forwarded-For").expect("always added");
    assert!(said.ends_with(CLIENT.as_bytes()));
    if !trusted {
        assert_eq!(said, CLIENT.as_bytes());
        assert_eq!(sent.field("X-Forwarded-Proto"), Some(&b"https"[..]));
        for name in ["X-Real-IP", "X_Real_IP", "X-Forwarded-Port", "Remote-User"] {
            assert_eq!(sent.field(name), None, "{name}");
        }
    }
}
