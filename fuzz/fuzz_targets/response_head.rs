//! Any bytes as a response head: refused, or relayed with the same meaning and nothing to mend.
#![no_main]

use evenly::http::response::{self, Onward, Response};
use evenly::http::{Framing, HEADERS_MAX, HeadLimits, Parsed, Version, slots};
use libfuzzer_sys::fuzz_target;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fuzz_target!(|input: (u16, bool, bool, bool, &[u8])| {
    let (cut, is_head, old_client, keep_alive, bytes) = input;
    let method = if is_head { "HEAD" } else { "GET" };
    let limits = HeadLimits::default();
    let mut room = slots();
    match response::parse(bytes, &limits, method, &mut room) {
        Ok(Parsed::Complete { head, length }) => {
            check_extent(&bytes[..length], method, usize::from(cut));
            let client = if old_client { Version::Http10 } else { Version::Http11 };
            check_relayed(&head, method, client, keep_alive);
        }
        Ok(Parsed::Partial) => assert!(bytes.len() < limits.head_bytes, "awaited for ever"),
        Err(malformed) => assert!(!malformed.0.is_empty()),
    }
});

/// The head ends with its first empty line and with no byte less.
fn check_extent(head: &[u8], method: &str, cut: usize) {
    assert!(head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n"));
    for (index, byte) in head.iter().enumerate() {
        assert!(*byte != b'\r' || head.get(index + 1) == Some(&b'\n'), "a bare CR was let through");
    }
    let mut room = slots();
    let part =
        response::parse(&head[..cut % head.len()], &HeadLimits::default(), method, &mut room);
    assert!(matches!(part, Ok(Parsed::Partial)), "a part of a good head is not awaited");
}

/// What the client reads is what was read here, and one head only.
fn check_relayed(head: &Response, method: &str, client: Version, keep_alive: bool) {
    assert!((100..1000).contains(&head.status));
    let how = Onward { client, keep_alive, date: DATE, served_by: Some("fuzz"), set_cookie: None };
    let mut sent = Vec::new();
    head.write_forward(&mut sent, &how);
    let limits =
        HeadLimits { head_bytes: sent.len(), headers: HEADERS_MAX, ..HeadLimits::default() };
    let mut room = slots();
    let parsed = response::parse(&sent, &limits, method, &mut room);
    let Ok(Parsed::Complete { head: again, length }) = parsed else {
        panic!("sent on, but not understood: {}", sent.escape_ascii());
    };
    assert_eq!(length, sent.len());
    assert!(again.repairs.is_empty() && !sent.contains(&b'\0'), "{}", sent.escape_ascii());
    assert_eq!((again.status, again.reason), (head.status, head.reason));
    assert_eq!(again.framing, head.onward_framing(client));
    assert_eq!(again.is_interim(), head.is_interim());
    if head.status >= 200 {
        let closes = again.framing == Framing::UntilClose;
        assert_eq!(again.keep_alive, keep_alive && !closes, "the client mistakes the connection");
    }
}
