//! What a scanner looks for: old versions, weak ciphers, renegotiation, malformed bytes.

use crate::harness::{
    Backend, Broken, Certs, Leaf, OpenSsl, Proxy, Trusting, Wire, eventually, probe,
};
use std::io::Write;
use std::process::Command;

const CLOSE: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

/// The `type` of a record, RFC 8446 section 5.1.
const ALERT: u8 = 21;

#[test]
fn versions_before_tls_1_2_are_refused() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    for version in ["-tls1", "-tls1_1"] {
        let arguments = [version, "-cipher", "ALL:@SECLEVEL=0", "-sigalgs", "ECDSA+SHA256"];
        let text = probe(proxy.address, &certs, &arguments, CLOSE);
        assert!(text.contains("alert protocol version") && !text.contains("HTTP/1.1"), "{text}");
        assert!(text.contains("Cipher is (NONE)"), "{version}: {text}");
    }
    proxy.process.said.wait("client 127.0.0.1: TLS: it is older than TLS 1.2");
    // One of 1.2 without what it needs is not told that its version is too old.
    let ours = probe(proxy.address, &certs, &["-tls1_2", "-cipher", "AES128-SHA"], CLOSE);
    assert!(ours.contains("alert handshake failure"), "{ours}");
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn min_version_1_3_refuses_tls_1_2() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "tls.min_version = \"1.3\"");
    let text = probe(proxy.address, &certs, &["-tls1_2"], CLOSE);
    assert!(text.contains("alert protocol version") && !text.contains("200 OK"), "{text}");
    let text = probe(proxy.address, &certs, &["-tls1_3"], CLOSE);
    assert!(text.contains("New, TLSv1.3") && text.contains("200 OK"), "{text}");
}

/// Every cipher of a version that openssl knows, weak ones included.
fn known_ciphers(list: &[&str]) -> Vec<String> {
    let output = Command::new("openssl").arg("ciphers").args(list).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().split(':').map(str::to_owned).collect()
}

#[test]
fn only_ciphers_with_forward_secrecy_and_authenticated_encryption_are_accepted() {
    let certs = Certs::make();
    let issue = |file, key| certs.leaf_of(file, &Leaf { key, ..Leaf::default() });
    let backend = Backend::plain();
    let leaves = [issue("ec", "P-256"), issue("rsa", "rsa:2048")];
    let proxy = Proxy::showing(&certs, &[&leaves[0], &leaves[1]], &[&backend], "");
    let accepted = |version: &str, key: &str, ciphers: Vec<String>| {
        let works = |cipher: &String| {
            let only = format!("{cipher}:@SECLEVEL=0");
            let only = if key == "-cipher" { &only } else { cipher };
            let text = probe(proxy.address, &certs, &[version, key, only], CLOSE);
            assert!(!text.contains("Error with command"), "{text}");
            text.contains(&format!("Cipher is {cipher}")) && text.contains("200 OK")
        };
        let mut accepted: Vec<_> = ciphers.into_iter().filter(works).collect();
        accepted.sort();
        accepted
    };
    let old = known_ciphers(&["-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]);
    let old: Vec<_> = old.into_iter().filter(|name| !name.starts_with("TLS_")).collect();
    assert!(old.len() > 60 && old.iter().any(|name| name.contains("NULL")), "{old:?}");
    let expected = [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ];
    assert_eq!(accepted("-tls1_2", "-cipher", old), expected);
    let all = [
        "AES_128_GCM_SHA256",
        "AES_256_GCM_SHA384",
        "CHACHA20_POLY1305_SHA256",
        "AES_128_CCM_SHA256",
        "AES_128_CCM_8_SHA256",
    ]
    .map(|name| format!("TLS_{name}"));
    assert_eq!(accepted("-tls1_3", "-ciphersuites", all.to_vec()), all[..3]);
}

#[test]
fn nothing_is_compressed_and_renegotiation_is_secure_where_it_exists() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    for version in ["-tls1_2", "-tls1_3"] {
        let text = probe(proxy.address, &certs, &[version, "-comp"], CLOSE);
        assert!(text.contains("Compression: NONE") && text.contains("200 OK"), "{text}");
        let secure = text.contains("Secure Renegotiation IS supported");
        assert_eq!(secure, version == "-tls1_2", "TLS 1.3 has no renegotiation: {text}");
        assert!(text.contains("Extended master secret: yes") || version == "-tls1_3", "{text}");
    }
}

#[test]
fn a_client_may_not_renegotiate() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    let (process, _input) = OpenSsl::interactive(proxy.address, &certs, &["-tls1_2"], "R\n");
    process.said.wait("no renegotiation");
    assert_eq!(proxy.get("/").status(), 200);
}

#[test]
fn http_1_1_is_what_is_spoken_inside_and_who_insists_on_another_is_refused() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    for version in ["-tls1_2", "-tls1_3"] {
        let ask = |arguments: &[&str]| {
            probe(proxy.address, &certs, &[&[version], arguments].concat(), CLOSE)
        };
        let text = ask(&["-alpn", "h2,http/1.1"]);
        assert!(text.contains("ALPN protocol: http/1.1") && text.contains("200 OK"), "{text}");
        let text = ask(&[]);
        assert!(text.contains("No ALPN negotiated") && text.contains("200 OK"), "{text}");
        for (offered, chosen) in [("http/1.0", "http/1.0"), ("http/1.0,http/1.1", "http/1.1")] {
            let text = ask(&["-alpn", offered]);
            let chosen = format!("ALPN protocol: {chosen}");
            assert!(text.contains(&chosen) && text.contains("200 OK"), "{offered}: {text}");
        }
        for other in ["h2", "h3,spdy/3"] {
            let text = ask(&["-alpn", other]);
            assert!(text.contains("alert no application protocol"), "{version} {other}: {text}");
        }
    }
}

#[test]
fn a_client_that_comes_back_is_spared_the_full_handshake() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "server.workers = 2");
    for version in ["-tls1_2", "-tls1_3"] {
        let session = certs.dir().join("session");
        let session = session.to_str().unwrap();
        let text = probe(proxy.address, &certs, &[version, "-sess_out", session], CLOSE);
        assert!(text.contains("New, TLSv1") && text.contains("200 OK"), "{text}");
        // Often enough to meet both workers.
        for _ in 0..10 {
            let text = probe(proxy.address, &certs, &[version, "-sess_in", session], CLOSE);
            assert!(text.contains("Reused, TLSv1") && text.contains("200 OK"), "{text}");
        }
    }
}

#[test]
fn a_client_that_does_not_believe_us_is_told_of_in_the_log() {
    let (certs, others) = (Certs::make(), Certs::make());
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    let arguments = ["-verify_return_error", "-servername", "localhost"];
    let text = probe(proxy.address, &others, &arguments, CLOSE);
    assert!(text.contains("verify error") && !text.contains("200 OK"), "{text}");
    let line = proxy.process.said.wait("client 127.0.0.1: TLS");
    assert!(line.contains("UnknownCA"), "{line}");
}

#[test]
fn a_hello_may_come_byte_by_byte_and_in_many_records() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "server.workers = 1");
    let mut tls = Trusting::of(&certs).to("localhost");
    let mut client = proxy.connect_raw();
    for byte in tls.hello() {
        client.send([byte]);
    }
    client.secure(tls);
    assert_eq!(client.get("/bytes").status(), 200);

    let mut tls = Trusting::of(&certs).to("localhost");
    let mut client = proxy.connect_raw();
    let hello = tls.hello();
    for piece in hello[5..].chunks(20) {
        client.send([&hello[..3], &[0, piece.len() as u8], piece].concat());
    }
    client.secure(tls);
    assert_eq!(client.get("/records").status(), 200);
}

/// Sends these bytes instead of a handshake, and expects an alert and a close in order.
fn expect_alert(mut client: Wire, what: &str, bytes: &[u8]) {
    client.send(bytes);
    let (answer, end) = client.ending();
    assert_eq!((answer.first(), end), (Some(&ALERT), Broken::End), "{what}: {answer:?}");
}

#[test]
fn bytes_that_are_no_handshake_are_refused_with_an_alert() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    let cases: [(&str, &[u8]); 8] = [
        ("noughts", &[0; 64]),
        ("ones", &[0xff; 64]),
        ("words", b"hello, who is there?\r\n\r\n"),
        ("a record of 64 KiB", &[22, 3, 1, 0xff, 0xff, 1, 0, 0xff, 0xfb]),
        ("a heartbeat that asks for 16 KiB", &[24, 3, 2, 0, 3, 1, 0x40, 0]),
        ("application data first", &[23, 3, 3, 0, 5, 1, 2, 3, 4, 5]),
        ("an empty handshake record", &[22, 3, 1, 0, 0, 22, 3, 1, 0, 0]),
        ("a hello of SSL 2", &[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 7, 0, 0xc0, 5, 0]),
    ];
    for (what, bytes) in cases {
        expect_alert(proxy.connect_raw(), what, bytes);
    }
    let mut ssl_3 = Trusting::of(&certs).to("localhost").hello();
    (ssl_3[2], ssl_3[10]) = (0, 0);
    let at = ssl_3.windows(4).position(|bytes| bytes == [0, 43, 0, 5]).unwrap();
    ssl_3[at + 1] = 0xfe; // not the extension that offers later versions
    expect_alert(proxy.connect_raw(), "a hello of SSL 3", &ssl_3);
    assert_eq!(backend.visits(), 0);
}

#[test]
fn a_handshake_without_end_is_not_hoarded() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "timeouts.linger_total = \"300ms\"");
    let mut client = proxy.connect_raw();
    client.send([22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff]);
    // It is refused, read away for a while, and cut off.
    let record = [&[22, 3, 1, 0x40, 0][..], &[b'x'; 0x4000]].concat();
    eventually("the sender is cut off", || !client.offer(&record));
    assert!(proxy.process.memory_kib("VmHWM") < 32 * 1024, "the handshake was hoarded");
}

#[test]
fn keys_may_be_renewed_and_groups_agreed_on() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    let (process, mut input) = OpenSsl::interactive(proxy.address, &certs, &["-tls1_3"], "K\n");
    process.said.wait("KEYUPDATE");
    input.write_all(CLOSE.as_bytes()).unwrap();
    process.printed.wait("200 OK");
    // The first guess at a key share is one that we do not have (RFC 8446 section 4.1.4).
    let arguments = ["-tls1_3", "-groups", "P-521:P-256"];
    let text = probe(proxy.address, &certs, &arguments, CLOSE);
    assert!(text.contains("New, TLSv1.3") && text.contains("200 OK"), "{text}");
}

#[test]
fn bytes_that_are_no_record_end_a_connection_with_an_alert() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    for bytes in [&[24, 3, 3, 0, 3, 1, 0x40, 0][..], &[23, 3, 3, 0xff, 0xff], &[23, 3, 3, 0, 24]] {
        let mut client = proxy.connect();
        assert_eq!(client.get("/before").status(), 200);
        let mut forged = bytes.to_vec();
        forged.resize(64, 0);
        client.send_raw(&forged);
        let (rest, end) = client.ending();
        let alert = matches!(&end, Broken::Insecure(what) if what.contains("alert"));
        assert!(rest.is_empty() && alert, "{bytes:?}: {rest:?} {end:?}");
    }
    assert_eq!(backend.requests().len(), 3, "and nothing of that reached the backend");
}

#[test]
fn plain_http_is_told_to_use_https() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "log.access = \"common\"");
    for request in ["GET /p HTTP/1.1\r\nHost: a.test\r\n\r\n", "POST / HTTP/1.0\r\n\r\n", "OPTI"] {
        let mut client = proxy.connect_raw();
        let answer = client.ask(request);
        assert_eq!(answer.status(), 400, "{request}");
        assert!(answer.text().contains("https"), "{}", answer.text());
        client.expect_end();
    }
    for line in ["\"GET /p HTTP/1.1\" 400 ", "\"POST / HTTP/1.0\" 400 ", "\"OPTI\" 400 "] {
        proxy.process.printed.wait(line);
    }
    assert_eq!(backend.visits(), 0);
}
