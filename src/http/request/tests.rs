//! Request heads: what is read from them, and what is refused.

use super::*;
use crate::http::slots;
use proptest::prelude::*;

/// What a head that must be complete says, handed to `check`.
fn accepted<T>(bytes: &[u8], check: impl FnOnce(&Request, usize) -> T) -> T {
    let mut slots = slots();
    match parse(bytes, &HeadLimits::default(), &mut slots) {
        Ok(Parsed::Complete { head, length }) => check(&head, length),
        other => panic!("{:?}: {other:?}", String::from_utf8_lossy(bytes)),
    }
}

fn refused_with(bytes: &[u8], limits: &HeadLimits) -> Option<u16> {
    match parse(bytes, limits, &mut slots()) {
        Err(refusal) => Some(refusal.status),
        Ok(_) => None,
    }
}

fn refused(bytes: &[u8]) -> Option<u16> {
    refused_with(bytes, &HeadLimits::default())
}

fn is_partial(bytes: &[u8], limits: &HeadLimits) -> bool {
    matches!(parse(bytes, limits, &mut slots()), Ok(Parsed::Partial))
}

/// A request with these lines after a sound beginning, and what becomes of it.
fn with(lines: &str) -> Option<u16> {
    refused(format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n").as_bytes())
}

#[test]
fn a_plain_request_is_read_and_the_body_left_alone() {
    let bytes =
        b"POST /p?q HTTP/1.1\r\nHost: a.test:80\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello";
    accepted(bytes, |head, length| {
        assert_eq!((head.method, head.target, head.host), ("POST", "/p?q", "a.test:80"));
        assert_eq!((head.version, head.framing), (Version::Http11, Framing::Length(5)));
        assert!(head.keep_alive && !head.expects_continue && head.upgrade.is_none());
        assert_eq!(head.field("x-a"), Some(&b"b"[..]));
        assert_eq!(head.field("x-b"), None);
        assert_eq!(length, bytes.len() - 5);
    });
}

#[test]
fn every_beginning_of_a_head_is_partial() {
    let bytes = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for end in 0..bytes.len() {
        assert!(is_partial(&bytes[..end], &HeadLimits::default()), "{end}");
    }
    accepted(bytes, |_, length| assert_eq!(length, bytes.len()));
}

#[test]
fn a_few_empty_lines_before_a_request_are_nothing() {
    let after = |lines: usize| {
        let bytes = format!("{}GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n".repeat(lines));
        refused(bytes.as_bytes())
    };
    for lines in 0..=BLANK_BYTES_MAX / 2 {
        assert_eq!(after(lines), None);
    }
    assert_eq!(after(BLANK_BYTES_MAX / 2 + 1), Some(400));
    assert_eq!(refused(&b"\r\n".repeat(BLANK_BYTES_MAX)), Some(400), "awaited for ever");
    assert_eq!(refused(b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), Some(400));
    assert_eq!(refused(b"\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), Some(400));
    assert_eq!(refused(b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"), Some(400));
}

#[test]
fn empty_lines_are_counted_up_to_what_is_more() {
    for (bytes, length) in [
        ("", 0),
        ("\r", 1),
        ("\r\n", 2),
        ("\r\n\r", 3),
        ("\r\n\r\n", 4),
        ("\r\nG", 2),
        ("\rG", 0),
        ("\n", 0),
        ("\r\n\n", 2),
        ("\r\r", 0),
        ("G\r\n", 0),
    ] {
        assert_eq!(blank(bytes.as_bytes()), length, "{bytes:?}");
    }
}

#[test]
fn a_line_feed_or_a_carriage_return_alone_is_refused() {
    for bytes in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX:\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX:\rY: c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\rZ",
    ] {
        assert_eq!(refused(bytes.as_bytes()), Some(400), "{bytes:?}");
    }
}

#[test]
fn folded_lines_are_refused() {
    assert_eq!(with("X: a\r\n b"), Some(400));
    assert_eq!(with("Transfer-Encoding:\r\n chunked"), Some(400));
    assert_eq!(refused(b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"), Some(400));
    assert_eq!(refused(b"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"), Some(400));
}

#[test]
fn field_names_are_tokens_with_the_colon_right_behind() {
    for line in ["X : a", "X\t: a", ": a", "X[: a", "no colon", "X\0: a", "X\u{eb}: a", "a b: c"] {
        assert_eq!(with(line), Some(400), "{line:?}");
    }
}

#[test]
fn control_characters_in_values_are_refused_and_other_scripts_relayed() {
    for bad in ["\0", "\x01", "\x07", "\x08", "\x0b", "\x0c", "\x1b", "\x7f"] {
        assert_eq!(with(&format!("X: a{bad}b")), Some(400), "{bad:?}");
        assert_eq!(with(&format!("X: {bad}")), Some(400), "{bad:?}");
        assert_eq!(with(&format!("X: {}{bad}", "a".repeat(40))), Some(400), "{bad:?}");
    }
    assert_eq!(with("X: a\tb \u{fc}"), None);
    assert_eq!(refused(b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\r\n\r\n"), None);
}

#[test]
fn the_request_line_has_one_space_between_its_parts() {
    for line in
        ["GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET\t/ HTTP/1.1", "GET / HTTP/1.1 ", "GET /"]
    {
        let bytes = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(refused(bytes.as_bytes()), Some(400), "{line:?}");
    }
    for line in ["GET HTTP/1.1", " GET / HTTP/1.1", "GET /a b HTTP/1.1", "GET /\0 HTTP/1.1"] {
        let bytes = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(refused(bytes.as_bytes()), Some(400), "{line:?}");
    }
    assert_eq!(refused(b"   \r\n\r\n"), Some(400));
    assert_eq!(refused(b"GET /\xc0\xaf HTTP/1.1\r\nHost: a\r\n\r\n"), Some(400));
}

#[test]
fn another_version_of_http_is_505_and_anything_else_is_400() {
    for version in ["HTTP/9.9", "HTTP/2.0", "HTTP/1.2", "HTTP/0.9"] {
        let bytes = format!("GET / {version}\r\nHost: a\r\n\r\n");
        assert_eq!(refused(bytes.as_bytes()), Some(505), "{version}");
    }
    for version in ["HTTP/1", "HTTP/01.01", "HTTP/1.01", "HTTP/ 1.1", "http/1.1", "RTSP/1.0", "X"] {
        let bytes = format!("GET / {version}\r\nHost: a\r\n\r\n");
        assert_eq!(refused(bytes.as_bytes()), Some(400), "{version}");
    }
    assert_eq!(refused(b"GET / HTTP/5.6"), Some(505));
    assert_eq!(refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Some(505));
}

#[test]
fn methods_that_are_not_relayed_are_told_so() {
    assert_eq!(refused(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), Some(405));
    for method in ["TRACE", "Trace", "trace", "TRACK", "tRACK", "Connect", "connect"] {
        let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(refused(bytes.as_bytes()), Some(405), "{method}");
    }
    assert_eq!(refused(b"TRACER / HTTP/1.1\r\nHost: a\r\n\r\n"), None);
    assert_eq!(refused(b"PRI * HTTP/1.1\r\nHost: a\r\n\r\n"), Some(501));
    assert_eq!(refused(b"ANNOUNCE / HTTP/1.0\r\nHost: a\r\n\r\n"), Some(501));
    assert_eq!(refused(b"M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n"), None);
    assert_eq!(refused(b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n"), Some(400));
    assert!(ALLOW.split(", ").all(|method| {
        refused(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).is_none()
    }));
}

#[test]
fn some_methods_may_be_sent_twice() {
    for (method, twice) in [("GET", true), ("PUT", true), ("POST", false), ("get", false)] {
        let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        accepted(bytes.as_bytes(), |head, _| assert_eq!(head.is_idempotent(), twice));
    }
}

#[test]
fn a_head_over_its_limits_is_refused_before_it_ends() {
    let limits = HeadLimits { head_bytes: 256, headers: 3, target_bytes: 32 };
    let fits = format!("GET /{} HTTP/1.1\r\nHost: a\r\nX: b\r\nY: c\r\n\r\n", "a".repeat(31));
    assert_eq!(refused_with(fits.as_bytes(), &limits), None);
    let long = fits.replace("/a", "/aa");
    assert_eq!(refused_with(long.as_bytes(), &limits), Some(414));
    assert_eq!(refused_with(&long.as_bytes()[..38], &limits), Some(414));
    assert_eq!(
        refused_with(fits.replace("\r\n\r\n", "\r\nZ: d\r\n\r\n").as_bytes(), &limits),
        Some(431)
    );
    let big = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "b".repeat(300));
    assert!(is_partial(&big.as_bytes()[..255], &limits));
    assert_eq!(refused_with(&big.as_bytes()[..256], &limits), Some(431));
    let ended = format!("{big}\r\n\r\n");
    assert_eq!(refused_with(ended.as_bytes(), &limits), Some(431));
}

#[test]
fn a_head_of_exactly_the_limit_is_read_with_a_body_behind_it() {
    let limits = HeadLimits { head_bytes: 64, ..HeadLimits::default() };
    let mut bytes = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
    bytes.resize(60, b'x');
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes.extend_from_slice(&[b'y'; 100]);
    assert_eq!(refused_with(&bytes, &limits), None);
    bytes.insert(60, b'x');
    assert_eq!(refused_with(&bytes, &limits), Some(431));
}

#[test]
fn more_slots_than_there_are_can_not_be_asked_for() {
    let limits = HeadLimits { headers: usize::MAX, ..HeadLimits::default() };
    let lines =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count));
    assert_eq!(refused_with(lines(HEADERS_MAX - 1).as_bytes(), &limits), None);
    assert_eq!(refused_with(lines(HEADERS_MAX).as_bytes(), &limits), Some(431));
}

#[test]
fn an_endless_method_is_400_whether_it_ends_or_not() {
    let method = "A".repeat(METHOD_BYTES_MAX + 1);
    assert_eq!(refused(method.as_bytes()), Some(400));
    assert_eq!(refused(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()), Some(400));
    assert_eq!(refused(&method.as_bytes()[1..]), None);
}

#[test]
fn host_stands_once_and_names_a_host() {
    assert_eq!(refused(b"GET / HTTP/1.1\r\n\r\n"), Some(400));
    assert_eq!(refused(b"GET http://a/ HTTP/1.1\r\n\r\n"), Some(400));
    for line in ["Host: b", "Host: a", "host: a"] {
        assert_eq!(with(line), Some(400), "{line}");
    }
    for host in ["", "u@a", "a/b", "a b", "a, b", "a:x", "[::1", "a?b"] {
        let bytes = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(refused(bytes.as_bytes()), Some(400), "{host}");
        let bytes = format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n");
        assert_eq!(refused(bytes.as_bytes()), Some(400), "{host}");
    }
    accepted(b"GET / HTTP/1.0\r\n\r\n", |head, _| assert_eq!(head.host, ""));
}

#[test]
fn the_authority_of_an_absolute_target_replaces_host() {
    accepted(b"GET http://b.test:1/x HTTP/1.1\r\nHost: a\r\n\r\n", |head, _| {
        assert_eq!((head.host, head.target), ("b.test:1", "/x"));
    });
    assert_eq!(refused(b"GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n"), Some(400));
    assert_eq!(refused(b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"), Some(400));
    assert_eq!(refused(b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"), Some(400));
}

#[test]
fn framing_is_one_length_or_chunked_and_nothing_in_between() {
    for bad in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length:",
        "Content-Length: 18446744073709551616",
        "Content-Length: 18446744073709551615",
        "Content-Length: 9223372036854775808",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer_Encoding: chunked",
        "Content_Length: 5",
    ] {
        assert_eq!(with(bad), Some(400), "{bad}");
    }
    assert_eq!(refused(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Some(400));
    accepted(b"POST / HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: Chunked\r\n\r\n", |head, _| {
        assert_eq!(head.framing, Framing::Chunked);
    });
    accepted(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", |head, _| {
        assert_eq!(head.framing, Framing::None);
    });
}

#[test]
fn only_a_body_of_http_1_1_is_waited_for_with_100_continue() {
    let expects = |version: &str, length: &str| {
        let bytes = format!(
            "POST / {version}\r\nHost: a\r\nExpect: 100-Continue\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        accepted(bytes.as_bytes(), |head, _| head.expects_continue)
    };
    assert!(expects("HTTP/1.1", "5"));
    assert!(!expects("HTTP/1.1", "0"));
    assert!(!expects("HTTP/1.0", "5"));
    assert_eq!(with("Expect: 200-ok"), Some(417));
    assert_eq!(with("Expect: 100-continue, 200-ok"), Some(417));
    assert_eq!(with("Expect:"), None);
    assert_eq!(with("Expect: ,"), None);
}

#[test]
fn an_upgrade_needs_connection_and_http_1_1() {
    let upgrade = |version: &str, lines: &str| {
        let bytes = format!("GET / {version}\r\nHost: a\r\n{lines}\r\n\r\n");
        accepted(bytes.as_bytes(), |head, _| head.upgrade.map(str::to_owned))
    };
    let both = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket";
    assert_eq!(upgrade("HTTP/1.1", both).as_deref(), Some("websocket"));
    assert_eq!(upgrade("HTTP/1.0", both), None);
    assert_eq!(upgrade("HTTP/1.1", "Upgrade: websocket"), None);
    assert_eq!(upgrade("HTTP/1.1", "Connection: upgrade"), None);
    assert_eq!(upgrade("HTTP/1.1", "Connection: upgrade\r\nUpgrade: h2c"), None);
    assert_eq!(upgrade("HTTP/1.1", &format!("{both}\r\nUpgrade: websocket")), None);
    for body in ["Content-Length: 0", "Content-Length: 1", "Transfer-Encoding: chunked"] {
        assert!(upgrade("HTTP/1.1", &format!("{both}\r\n{body}")).is_some(), "{body}");
    }
}

#[test]
fn keep_alive_is_the_versions_default_unless_connection_says_otherwise() {
    let keeps = |version: &str, lines: &str| {
        let bytes = format!("GET / {version}\r\nHost: a\r\n{lines}\r\n");
        accepted(bytes.as_bytes(), |head, _| head.keep_alive)
    };
    assert!(keeps("HTTP/1.1", ""));
    assert!(!keeps("HTTP/1.1", "Connection: close\r\n"));
    assert!(!keeps("HTTP/1.0", ""));
    assert!(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
    assert!(keeps("HTTP/1.0", "Connection: keep-alive; timeout=5\r\n"));
    assert_eq!(with("Connection: a b"), Some(400));
}

#[test]
fn max_forwards_counts_for_options_only() {
    let hops = |method: &str, lines: &str| {
        let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
        accepted(bytes.as_bytes(), |head, _| head.max_forwards)
    };
    assert_eq!(hops("OPTIONS", "Max-Forwards: 0"), Some(0));
    assert_eq!(hops("OPTIONS", "X: y"), None);
    assert_eq!(hops("GET", "Max-Forwards: x"), None);
    for lines in ["Max-Forwards: -1", "Max-Forwards: 1\r\nMax-Forwards: 1"] {
        let bytes = format!("OPTIONS / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
        assert_eq!(refused(bytes.as_bytes()), Some(400), "{lines}");
    }
}

proptest! {
    #[test]
    fn no_bytes_whatever_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes, &HeadLimits::default(), &mut slots());
    }

    #[test]
    fn no_change_to_a_sound_head_makes_it_panic_or_pass_a_line_feed(
        at in 0_usize..80,
        byte: u8,
    ) {
        let mut bytes = b"POST http://a/b HTTP/1.1\r\nHost: a\r\n\
            Content-Length: 5\r\nX-Y: z, z\r\n\r\n".to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        let mut slots = slots();
        let parsed = parse(&bytes, &HeadLimits::default(), &mut slots);
        if let Ok(Parsed::Complete { head, length }) = parsed {
            prop_assert!(length <= bytes.len());
            prop_assert!(head.fields.iter().all(|field| !field.value.contains(&b'\n')));
        }
    }
}
