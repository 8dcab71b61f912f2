//! What others met with the PROXY protocol elsewhere, played again here.

use super::{GET, UNKNOWN, beginning, is_closed, required, v1, v2};
use crate::harness::Backend;
use std::time::Duration;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// kubernetes/kubernetes#57250: the health check of AWS' NLB is LOCAL, names a family, has no
/// addresses and 84 bytes of extensions. Here are its first bytes as they were captured.
#[test]
fn the_check_of_a_network_load_balancer_is_answered() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "");
    let head = [0x20, 0x11, 0x00, 0x54, 0x03, 0x00, 0x04, 0xbc, 0xe5, 0x95, 0x1f, 0x04, 0x00, 0x4a];
    let check = [SIGNATURE, &head, &[0; 74]].concat();
    assert_eq!(check.len(), 100);
    assert_eq!(beginning(&proxy, [&check, GET].concat()).answer().status(), 200);
    assert_eq!(backend.requests()[0].field("x-forwarded-for"), Some("127.0.0.1"));
}

/// pires/go-proxyproto#12: what stands behind LOCAL got through to the HTTP behind it.
#[test]
fn the_dummy_addresses_of_a_local_connection_are_skipped_and_not_believed() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "");
    let dummy = [SIGNATURE, &[0x20, 0x11, 0, 12, 6, 6, 6, 6, 6, 6, 6, 6, 0, 1, 0, 2]].concat();
    assert_eq!(beginning(&proxy, [&dummy, GET].concat()).answer().status(), 200);
    assert_eq!(backend.requests()[0].field("x-forwarded-for"), Some("127.0.0.1"));
}

/// pires/go-proxyproto#60: neither UNSPEC nor UNKNOWN was taken, and HAProxy's checks failed.
#[test]
fn a_connection_of_no_family_is_served() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "");
    for preface in [
        [SIGNATURE, &[0x20, 0, 0, 0]].concat(),
        [SIGNATURE, &[0x21, 0, 0, 0]].concat(),
        [SIGNATURE, &[0x21, 0x31, 0, 216], &[0; 216]].concat(),
        UNKNOWN.to_vec(),
        b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(),
    ] {
        assert_eq!(beginning(&proxy, [&preface, GET].concat()).answer().status(), 200);
    }
}

/// SChernykh/p2pool#399, envoyproxy/envoy#3668: a length beyond the addresses was refused, which is
/// what extensions make of it.
#[test]
fn extensions_make_a_preface_longer_and_do_no_harm() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "");
    for extra in [1usize, 16, 500, 4096 - 12] {
        let length = (12 + extra as u16).to_be_bytes();
        let preface = [
            SIGNATURE,
            &[0x21, 0x11],
            &length,
            &[192, 0, 2, 7, 192, 0, 2, 1, 0, 1, 0, 2],
            &vec![b'\n'; extra],
        ];
        let mut client = beginning(&proxy, preface.concat());
        assert_eq!(client.ask(GET).status(), 200, "{extra}");
    }
    let seen = backend.requests();
    assert!(seen.iter().all(|seen| seen.field("x-forwarded-for") == Some("192.0.2.7")));
}

/// kubernetes/ingress-nginx#6996 and #9643: a check that connects and closes filled the log.
#[test]
fn a_check_that_only_connects_leaves_no_line() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "");
    for _ in 0..20 {
        proxy.connect_raw().finish();
    }
    assert_eq!(proxy.get("/").status(), 200);
    assert_eq!(proxy.said("closed a connection"), 0);
}

/// pires/go-proxyproto#65 and #71, cloudfoundry/gorouter#143: whoever says nothing, or half a line,
/// held up all others, or stayed for ever.
#[test]
fn those_who_say_half_of_it_hold_up_nobody() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "server.workers = 1\ntimeouts.handshake = \"2s\"");
    let mut slow: Vec<_> = (0..200).map(|_| beginning(&proxy, b"PROXY TCP4 ")).collect();
    slow.extend((0..200).map(|_| proxy.connect_raw()));
    let mut client = beginning(&proxy, v1("192.0.2.7:1", "192.0.2.1:2"));
    assert_eq!((client.ask(GET).status(), client.ask(GET).status()), (200, 200));
    slow.iter_mut().for_each(is_closed);
}

/// pires/go-proxyproto#75: the time for the preface ended connections that had long said it.
#[test]
fn the_time_for_it_does_not_bind_what_comes_after() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "timeouts.handshake = \"200ms\"");
    let mut client = beginning(&proxy, v2("192.0.2.7:1", "192.0.2.1:2"));
    assert_eq!(client.ask(GET).status(), 200);
    assert!(client.is_silent_for(Duration::from_millis(600)));
    assert_eq!(client.ask(GET).status(), 200);
}

/// traefik/traefik#4892: the log named the balancer in front.
#[test]
fn the_log_names_the_client_and_not_the_balancer() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "");
    let mut client = beginning(&proxy, v1("203.0.113.50:33668", "10.41.0.1:443"));
    assert_eq!(client.get("/named").status(), 200);
    assert_eq!(proxy.record("/named")["client"], "203.0.113.50");
    let mut refused = beginning(&proxy, v1("203.0.113.51:33668", "10.41.0.1:443"));
    refused.send("GET /refused HTTP/9.9\r\n\r\n");
    assert!(refused.answer().status() >= 400);
    proxy.process.printed.wait("\"client\":\"203.0.113.51\"");
}

/// kubernetes/ingress-nginx#11365, #10821: somebody comes past the balancer, with HTTP or TLS as it
/// is. It is not served, and the log says what came.
#[test]
fn what_comes_past_the_balancer_is_told_for_what_it_is() {
    let backend = Backend::plain();
    let http = required(&[&backend], "");
    is_closed(&mut beginning(&http, b"GET /.well-known/acme-challenge/x HTTP/1.1\r\n\r\n"));
    http.process.said.wait("what looks like a request begins without it");
    let tls = required(&[&backend], "");
    is_closed(&mut beginning(&tls, b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"));
    tls.process.said.wait("TLS begins without it");
    assert_eq!(backend.requests().len(), 0);
}

/// esl/MongooseIM#4795: a port scanner cost three errors a connection.
#[test]
fn a_scanner_costs_a_line_a_second_and_nothing_breaks() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "");
    for number in 0..200u8 {
        is_closed(&mut beginning(&proxy, [number | 0x80, 1, 2, 3]));
    }
    assert!((1..50).contains(&proxy.said("closed a connection")));
}

/// caddyserver/caddy#6107: a preface names the peer, whatever fields say.
#[test]
fn a_field_of_the_client_does_not_outdo_the_preface() {
    let backend = Backend::plain();
    let proxy = required(&[&backend], "");
    let claims = "X-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n";
    let seen = super::seen_by(&backend, &proxy, &v2("192.0.2.7:1", "192.0.2.1:2"), claims);
    assert_eq!(seen.field("x-forwarded-for"), Some("192.0.2.7"));
    assert!(!format!("{:?}", seen.fields).contains("6.6.6"));
}
