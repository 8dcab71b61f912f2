//! Which cipher a client gets, by what it offers and in which order; and the tickets with which it
//! comes back.

use super::VERSIONS;
use crate::harness::{Backend, Certs, Proxy, probe};

const CLOSE: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

/// What openssl's client says of its connection, made with these arguments.
fn said(proxy: &Proxy, certs: &Certs, arguments: &[&str]) -> String {
    let text = probe(proxy.address, certs, arguments, CLOSE);
    assert!(text.contains("200 OK"), "{arguments:?}: {text}");
    text
}

/// The ciphers by their names in TLS 1.3, in this order: the arguments that offer them in each
/// version.
fn offers(order: &[&str]) -> [Vec<String>; 2] {
    let named = |name: &str| match name {
        "AES_128" => ["ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256"],
        "AES_256" => ["ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_AES_256_GCM_SHA384"],
        _ => ["ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_CHACHA20_POLY1305_SHA256"],
    };
    let list = |index: usize| order.iter().map(|name| named(name)[index]).collect::<Vec<_>>();
    [["-tls1_2", "-cipher", &list(0).join(":")], ["-tls1_3", "-ciphersuites", &list(1).join(":")]]
        .map(|arguments| arguments.map(str::to_owned).to_vec())
}

#[test]
fn a_client_that_prefers_chacha_gets_it_and_any_other_the_cheapest_handshake() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    for (order, expected) in [
        (&["AES_256", "CHACHA", "AES_128"][..], "AES_128"), // as openssl has them
        (&["AES_128", "AES_256", "CHACHA"], "AES_128"),     // browsers, and Go
        (&["CHACHA", "AES_128", "AES_256"], "CHACHA"),      // those on a processor without AES
        (&["CHACHA", "AES_256"], "CHACHA"),
        (&["AES_256", "CHACHA"], "AES_256"),
        (&["CHACHA"], "CHACHA"),
        (&["AES_256"], "AES_256"),
    ] {
        for (offer, expected) in offers(order).iter().zip(offers(&[expected])) {
            let offer: Vec<_> = offer.iter().map(String::as_str).collect();
            let text = said(&proxy, &certs, &offer);
            assert!(text.contains(&format!("Cipher is {}\n", expected[2])), "{offer:?}: {text}");
        }
    }
    for (version, expected) in VERSIONS.into_iter().zip(offers(&["AES_128"])) {
        let text = said(&proxy, &certs, &[version]);
        assert!(text.contains(&format!("Cipher is {}\n", expected[2])), "{version}: {text}");
    }
}

#[test]
fn one_ticket_is_given_and_each_connection_that_it_opens_gives_the_next() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    let files = ["first", "second"].map(|name| certs.dir().join(name));
    let [first, second] = files.each_ref().map(|file| file.to_str().unwrap());
    for order in [&["AES_256", "CHACHA", "AES_128"][..], &["CHACHA", "AES_128", "AES_256"]] {
        let [_, offer] = offers(order);
        let offer: Vec<_> = offer.iter().map(String::as_str).collect();
        let mut cipher = None;
        for (kind, session) in [
            ("New", &["-sess_out", first][..]),
            ("Reused", &["-sess_in", first, "-sess_out", second]),
            ("Reused", &["-sess_in", second]),
        ] {
            let text = said(&proxy, &certs, &[&offer[..], session].concat());
            let tickets = text.matches("Post-Handshake New Session Ticket arrived").count();
            assert_eq!(tickets, 1, "{text}");
            let begun = format!("{kind}, TLSv1.3, ");
            let line = text.lines().find_map(|line| line.strip_prefix(&begun));
            let line = line.unwrap_or_else(|| panic!("not {kind}: {text}"));
            assert_eq!(line, cipher.get_or_insert_with(|| line.to_owned()));
        }
    }
}
