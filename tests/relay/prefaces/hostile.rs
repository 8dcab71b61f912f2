//! Prefaces that are none, that come from nobody whom to believe, or that never end: closed, told,
//! and believed by nobody.

#[cfg(feature = "tls")]
use super::REQUIRED;
use super::{GET, UNKNOWN, beginning, is_closed, required, v1, v2};
#[cfg(feature = "tls")]
use crate::harness::Certs;
use crate::harness::{Backend, Proxy, eventually, timed};
use std::time::Duration;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

#[test]
fn whatever_is_no_preface_is_closed_and_no_backend_hears_of_it() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "");
    let own = "127.0.0.1:1";
    let both = [&v1("192.0.2.7:1", own)[..5], &v2("192.0.2.7:1", own)].concat();
    let other = [SIGNATURE, &v1("192.0.2.7:1", own)].concat();
    let huge = [SIGNATURE, &[0x21, 0x11, 0x10, 0x01], &[0; 5000]].concat();
    let cases: &[&[u8]] = &[
        b"",
        b"\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 65536 1\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1 01\r\n",
        b"PROXY TCP4 192.0.2.07 192.0.2.1 1 1\r\n",
        b"PROXY TCP4 192.0.2.7\0 192.0.2.1 1 1\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1 1\n",
        b"PROXY TCP4 ::1 ::1 1 1\r\n",
        b"PROXY TCP6 192.0.2.7 192.0.2.1 1 1\r\n",
        b"PROXY TCP6 fe80::1%lo fe80::2 1 1\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1 1 1\r\n",
        b"PROXY UNKNOWN\n\r\n",
        b"proxy unknown\r\n",
        b"\x16\x03\x01\x02\x00",
        &[b'P'; 200],
        &[&b"PROXY UNKNOWN "[..], &[b'x'; 100]].concat(),
        &[SIGNATURE, &[0x31, 0x11, 0, 12], &[1; 12]].concat(),
        &[SIGNATURE, &[0x22, 0x11, 0, 12], &[1; 12]].concat(),
        &[SIGNATURE, &[0x21, 0x11, 0, 11], &[1; 11]].concat(),
        &[SIGNATURE, &[0x21, 0x51, 0, 12], &[1; 12]].concat(),
        &huge,
        &both,
        &other,
    ];
    for case in cases {
        is_closed(&mut beginning(&proxy, [case, GET].concat()));
    }
    assert_eq!(backend.requests().len(), 0);
    let line = proxy.process.said.wait("closed a connection from 127.0.0.1: no PROXY protocol: ");
    assert!(line.contains("WARN"), "{line}");
}

#[test]
fn a_preface_that_nobody_asked_for_is_a_bad_request() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "server.trusted_proxies = [\"127.0.0.1\"]");
    for preface in [v1("192.0.2.7:1", "192.0.2.1:2"), v2("192.0.2.7:1", "192.0.2.1:2")] {
        assert_eq!(beginning(&proxy, [&preface, GET].concat()).answer().status(), 400);
    }
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn a_second_preface_is_no_part_of_the_first() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "");
    for second in [v1("6.6.6.6:1", "192.0.2.1:2"), v2("6.6.6.6:1", "192.0.2.1:2")] {
        let first = v2("192.0.2.7:1", "192.0.2.1:2");
        let mut client = beginning(&proxy, [&first, &second, GET].concat());
        assert_eq!(client.answer().status(), 400);
        let mut client = beginning(&proxy, [&first, GET].concat());
        assert_eq!(client.answer().status(), 200);
        client.send(&second);
        assert_eq!(client.ask(GET).status(), 400);
    }
    let clients = backend.requests();
    assert!(clients.iter().all(|seen| seen.field("x-forwarded-for") == Some("192.0.2.7")));
}

#[test]
fn a_stranger_is_closed_at_once_whatever_it_says_or_does_not() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "timeouts.handshake = \"1m\"");
    for said in [v2("127.0.0.1:1", "127.0.0.1:2"), GET.to_vec(), Vec::new()] {
        let mut stranger = proxy.connect_as(2);
        let _ = stranger.offer(&said);
        let (_, took) = timed(|| is_closed(&mut stranger));
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    assert_eq!(backend.requests().len(), 0);
    let line = proxy.process.said.wait("closed a connection from 127.0.0.2: ");
    assert!(line.contains("trusted_proxies"), "{line}");
}

#[test]
fn who_says_nothing_is_not_told_of() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "timeouts.handshake = \"500ms\"");
    for _ in 0..5 {
        proxy.connect_raw().finish(); // a balancer's check of the port
        proxy.connect_raw().reset();
    }
    is_closed(&mut proxy.connect_raw());
    let mut whole = beginning(&proxy, UNKNOWN);
    whole.finish();
    whole.expect_end();
    assert_eq!(proxy.get("/").status(), 200);
    assert_eq!(proxy.said("closed a connection"), 0);
}

#[test]
fn one_that_is_cut_or_never_ends_is_closed_in_time() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "timeouts.handshake = \"300ms\"");
    let mut cut = beginning(&proxy, b"PROXY TCP4 192.0");
    cut.finish();
    is_closed(&mut cut);
    proxy.process.said.wait("no PROXY protocol: it ends after 16 bytes");
    // Bytes buy no time.
    let mut slow = beginning(&proxy, [SIGNATURE, &[0x21, 0x11, 0x10, 0]].concat());
    let pause = Duration::from_millis(20);
    let (_, took) = timed(|| while slow.is_silent_for(pause) && slow.offer("x") {});
    assert!(took < Duration::from_secs(10), "{took:?}");
    // Told at most once a second.
    eventually("it is told", || {
        is_closed(&mut beginning(&proxy, b"PROXY "));
        proxy.said("no PROXY protocol: its end did not come within 300.0 ms") > 0
    });
}

#[test]
fn a_preface_and_then_silence_is_as_silence_alone() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "timeouts.request_head = \"200ms\"");
    beginning(&proxy, v2("192.0.2.7:1", "192.0.2.1:2")).expect_end();
}

#[cfg(feature = "tls")]
#[test]
fn a_preface_and_then_no_tls_is_as_a_handshake_that_stops() {
    let backend = Backend::plain();
    let certs = Certs::make();
    let secure = format!("{REQUIRED}\ntimeouts.handshake = \"200ms\"");
    let proxy = Proxy::secure(&certs, &[&backend], &secure);
    proxy.begin_with(UNKNOWN);
    is_closed(&mut beginning(&proxy, v2("192.0.2.7:1", "192.0.2.1:2")));
    proxy.process.said.wait("client 192.0.2.7: TLS: handshake not done after");
}
