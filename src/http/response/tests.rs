//! Response heads: what is read from them, and what is malformed.

use super::*;
use crate::http::slots;
use proptest::prelude::*;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const KEEP: Onward = Onward {
    client: Version::Http11,
    keep_alive: true,
    date: DATE,
    served_by: None,
    request_id: None,
    set_cookie: None,
};
const OLD: Onward = Onward { client: Version::Http10, ..KEEP };

fn accepted<T>(text: &str, method: &str, check: impl FnOnce(&Response) -> T) -> T {
    let mut slots = slots();
    match parse(text.as_bytes(), &HeadLimits::default(), method, &mut slots) {
        Ok(Parsed::Complete { head, .. }) => check(&head),
        other => panic!("{text:?}: {other:?}"),
    }
}

fn is_malformed(bytes: &[u8]) -> bool {
    parse(bytes, &HeadLimits::default(), "GET", &mut slots()).is_err()
}

fn onward(text: &str, method: &str, how: &Onward) -> String {
    accepted(text, method, |head| {
        let mut out = Vec::new();
        head.write_forward(&mut out, how);
        String::from_utf8(out).unwrap()
    })
}

fn framing(text: &str, method: &str) -> Framing {
    accepted(text, method, |head| head.framing)
}

fn is_interim(text: &str) -> bool {
    accepted(text, "GET", |head| head.is_interim())
}

fn keeps(text: &str) -> bool {
    accepted(text, "GET", |head| head.keep_alive)
}

#[test]
fn a_plain_response_is_rebuilt_with_our_fields_behind() {
    let text = "HTTP/1.1 200 OK\r\nServer:  x \r\nContent-Length: 5\r\n\r\n";
    assert_eq!(
        onward(text, "GET", &KEEP),
        "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
    );
}

#[test]
fn a_field_is_found_by_its_name_in_any_case() {
    let text = "HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\n";
    accepted(text, "GET", |head| {
        assert_eq!(head.field("x-A").as_deref(), Some(&b"1"[..]));
        assert_eq!(head.field("x-b"), None);
    });
}

#[test]
fn our_cookie_stands_behind_those_of_the_backend() {
    let text = "HTTP/1.1 204 No Content\r\nSet-Cookie: a=1\r\nSet-Cookie: B=2\r\n\r\n";
    let cookie = SetCookie { name: "B", token: 7, max_age_s: None, secure: false };
    let how = Onward { set_cookie: Some(cookie), ..KEEP };
    assert_eq!(
        onward(text, "GET", &how),
        "HTTP/1.1 204 No Content\r\nCache-Control: private\r\nSet-Cookie: a=1\r\n\
         Set-Cookie: B=2\r\nSet-Cookie: B=0000000000000007; Path=/; HttpOnly; SameSite=Lax\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
    );
}

#[test]
fn every_beginning_of_a_head_is_partial() {
    let bytes = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
    for end in 0..bytes.len() {
        let mut slots = slots();
        let parsed = parse(&bytes[..end], &HeadLimits::default(), "GET", &mut slots);
        assert!(matches!(parsed, Ok(Parsed::Partial)), "{end}");
    }
}

#[test]
fn start_lines_that_are_not_http_are_malformed() {
    for text in [
        "HTP/1.1 200 OK\r\n\r\n",
        "HTTP/01.1 200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/0.9 200 OK\r\n\r\n",
        "RTSP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1\t200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 2 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 000 OK\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "\nHTTP/1.1 200 OK\r\n\r\n",
        "\r\n\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert!(is_malformed(text.as_bytes()), "{text:?}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_malformed() {
    for lines in [
        "A: b\rC: d\r\n",
        "A: b\r\r\nC: d\r\n",
        "A: b\r\n \rc\r\n",
        "A: b\r\n \0c\r\n",
        " A: b\r\n",
        "A \r\n: b\r\n",
        "A\x0b: b\r\n",
        ": b\r\n",
        "A: \0\r\n",
        "A: \x7f\r\n",
        "a b: c\r\n",
        "no colon\r\n",
        "Content_Length: 5\r\n",
        "Content_Length : 5\r\n",
        "Content-Length: 5\r\n 0\r\n",
        "Content-Length: 5\nContent-Length: 6\r\n",
        "Transfer-Encoding: chun\r\n ked\r\n",
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        assert!(is_malformed(text.as_bytes()), "{lines:?}");
    }
    assert!(is_malformed(b"HTTP/1.1 200 OK\rA: b\r\n\r\n"));
    assert!(is_malformed(b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n"));
}

/// The head as it goes on, behind its status line, and what was mended in it.
fn mended(text: &str) -> (String, String) {
    let repairs = accepted(text, "GET", |head| head.repairs.to_string());
    let sent = onward(text, "GET", &KEEP);
    let (line, rest) = sent.split_once("\r\n").unwrap();
    assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
    let date = format!("Date: {DATE}\r\n\r\n");
    (rest.strip_suffix(&date).unwrap_or_else(|| panic!("{rest}")).to_owned(), repairs)
}

#[test]
fn what_has_one_meaning_is_mended_and_said() {
    let length = "Content-Length: 5\r\n";
    for (lines, onward, repairs) in [
        ("A : b\r\n", "A: b\r\n", "space before a colon"),
        ("A \t : b\r\n", "A: b\r\n", "space before a colon"),
        ("A: b\r\n c\r\n", "A: b c\r\n", "a folded line"),
        ("A: b \r\n\t \r\n  c\r\n", "A: b c\r\n", "a folded line"),
        ("A:\r\n b\r\n", "A: b\r\n", "a folded line"),
        ("A: b\r\n \r\n", "A: b\r\n", "a folded line"),
        ("A: b\nC: d\n", "A: b\r\nC: d\r\n", "lines that end with LF alone"),
        ("Connection: keep-alive; timeout=5\r\n", "", "a Connection option that is no token"),
        ("Content-Length: 5\r\n", "", "Content-Length more than once"),
        ("Content-Length: 5, 5\r\n", "", "Content-Length more than once"),
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{lines}{length}\r\n");
        assert_eq!(mended(&text), (format!("{onward}{length}"), repairs.to_owned()), "{lines:?}");
    }
    let all = "HTTP/1.1 200 OK\nA : b\n c\nContent-Length: 5\n\n";
    let said = "lines that end with LF alone, a folded line, space before a colon";
    assert_eq!(mended(all), (format!("A: b c\r\n{length}"), said.to_owned()));
    for lines in ["chunked\r\nTransfer-Encoding : chunked", "chunked, chunked", "\r\n chunked"] {
        let text = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {lines}\r\n\r\n");
        assert_eq!(mended(&text).0, "Transfer-Encoding: chunked\r\n", "{lines:?}");
    }
    let clean = format!("HTTP/1.1 200 OK\r\nA: b : c\r\n{length}\r\n");
    assert_eq!(mended(&clean).1, "");
}

#[test]
fn a_folded_value_is_unfolded_for_whoever_looks_at_it() {
    let text = "HTTP/1.1 200 OK\r\nA: b\r\n  c\r\n\r\n";
    accepted(text, "GET", |head| assert_eq!(head.field("a").as_deref(), Some(&b"b c"[..])));
}

#[test]
fn statuses_from_600_on_are_final_answers() {
    for status in [600, 799, 999] {
        let text = format!("HTTP/1.1 {status} Own\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(framing(&text, "GET"), Framing::Length(5));
        assert!(keeps(&text) && !is_interim(&text));
        assert!(onward(&text, "GET", &KEEP).starts_with(&format!("HTTP/1.1 {status} Own\r\n")));
    }
}

#[test]
fn reason_phrases_may_be_anything_printable_or_missing() {
    for (text, reason) in [
        ("HTTP/1.1 301\r\n\r\n", ""),
        ("HTTP/1.1 301 \r\n\r\n", ""),
        ("HTTP/1.1 301 Moved  away\r\n\r\n", "Moved  away"),
    ] {
        accepted(text, "GET", |head| assert_eq!(head.reason, reason));
    }
    let other = b"HTTP/1.1 500 Ori\xebntatie\r\nContent-Length: 0\r\n\r\n";
    assert!(!is_malformed(other));
    assert!(onward("HTTP/1.1 301\r\n\r\n", "GET", &KEEP).starts_with("HTTP/1.1 301 \r\n"));
}

#[test]
fn a_head_over_its_limits_is_malformed() {
    let limits = HeadLimits { head_bytes: 64, headers: 2, ..HeadLimits::default() };
    let over = |text: &str| parse(text.as_bytes(), &limits, "GET", &mut slots()).is_err();
    assert!(!over("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n"));
    assert!(over("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\nE: f\r\n\r\n"));
    assert!(over(&format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(44))));
    assert!(!over(&format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(43))));
}

#[test]
fn ambiguous_framing_is_malformed() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 9223372036854775808\r\n",
        "Content-Length: -1\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunkedchunked\r\n",
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        assert!(is_malformed(text.as_bytes()), "{lines:?}");
    }
    assert!(is_malformed(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
}

#[test]
fn method_and_status_decide_whether_there_is_a_body() {
    let length = "Content-Length: 5\r\n\r\n";
    assert_eq!(framing(&format!("HTTP/1.1 200 OK\r\n{length}"), "GET"), Framing::Length(5));
    assert_eq!(framing(&format!("HTTP/1.1 200 OK\r\n{length}"), "HEAD"), Framing::None);
    assert_eq!(framing(&format!("HTTP/1.1 304 Same\r\n{length}"), "GET"), Framing::None);
    assert_eq!(framing(&format!("HTTP/1.1 204 None\r\n{length}"), "GET"), Framing::None);
    assert_eq!(framing("HTTP/1.1 103 Hints\r\n\r\n", "GET"), Framing::None);
    assert_eq!(framing("HTTP/1.1 200 OK\r\n\r\n", "GET"), Framing::UntilClose);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(framing(chunked, "GET"), Framing::Chunked);
    assert_eq!(framing(chunked, "HEAD"), Framing::None);
}

#[test]
fn head_and_304_keep_the_length_of_the_get_and_204_loses_it() {
    let length = |status: &str, method: &str| {
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\n");
        onward(&text, method, &KEEP).contains("Content-Length: 5\r\n")
    };
    assert!(length("200 OK", "HEAD"));
    assert!(length("304 Not Modified", "GET"));
    assert!(!length("204 No Content", "GET"));
    assert!(!length("204 No Content", "HEAD"));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(!onward(chunked, "HEAD", &KEEP).contains("chunked"));
}

#[test]
fn a_connection_is_kept_only_where_the_end_of_the_body_is_certain() {
    assert!(keeps("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert!(keeps("HTTP/1.1 204 None\r\nContent-Length: 0\r\n\r\n"));
    assert!(keeps("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"));
    assert!(!keeps("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert!(!keeps("HTTP/1.1 200 OK\r\n\r\n"));
    assert!(!keeps("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
    assert!(!keeps("HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n"));
    assert!(!keeps("HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n"));
}

#[test]
fn an_interim_response_that_announces_a_body_is_malformed() {
    assert!(is_malformed(b"HTTP/1.1 101 Go\r\nContent-Length: 4\r\n\r\n"));
    assert!(is_malformed(b"HTTP/1.1 103 Hints\r\nTransfer-Encoding: chunked\r\n\r\n"));
    assert!(!is_malformed(b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n"));
}

#[test]
fn the_body_is_framed_for_the_version_of_the_client() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let until_close = "HTTP/1.1 200 OK\r\n\r\n";
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    for (text, old, new) in [
        (chunked, Framing::UntilClose, Framing::Chunked),
        (until_close, Framing::UntilClose, Framing::Chunked),
        (length, Framing::Length(5), Framing::Length(5)),
    ] {
        accepted(text, "GET", |head| {
            assert_eq!(head.onward_framing(Version::Http10), old);
            assert_eq!(head.onward_framing(Version::Http11), new);
        });
    }
    assert!(onward(until_close, "GET", &KEEP).contains("Transfer-Encoding: chunked\r\n"));
    let old = onward(chunked, "GET", &OLD);
    assert!(!old.contains("chunked") && old.contains("Connection: close\r\n"));
}

#[test]
fn connection_says_only_what_the_version_does_not() {
    let text = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert!(!onward(text, "GET", &KEEP).contains("Connection"));
    assert!(onward(text, "GET", &OLD).contains("Connection: keep-alive\r\n"));
    let close = Onward { keep_alive: false, ..KEEP };
    assert!(onward(text, "GET", &close).contains("Connection: close\r\n"));
}

#[test]
fn hop_by_hop_fields_and_those_that_connection_names_end_here() {
    let head = onward(
        "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTrailer: X-T\r\nContent-Length: 0\r\n\r\n",
        "GET",
        &KEEP,
    );
    for gone in ["X-Hop", "Keep-Alive", "Proxy-Authenticate", "Upgrade", "Connection"] {
        assert!(!head.contains(gone), "{gone}");
    }
    assert!(head.contains("Trailer: X-T\r\n"));
}

#[test]
fn a_date_is_added_only_where_there_is_none() {
    let dated = "HTTP/1.1 200 OK\r\ndate: Tue\r\nContent-Length: 0\r\n\r\n";
    assert!(!onward(dated, "GET", &KEEP).contains(DATE));
    let undated = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert!(onward(undated, "GET", &KEEP).contains(DATE));
}

#[test]
fn served_by_names_our_backend_and_nobody_elses() {
    let text = "HTTP/1.1 200 OK\r\nX-Served-By: theirs\r\nContent-Length: 0\r\n\r\n";
    let shown = Onward { served_by: Some("API01"), ..KEEP };
    let head = onward(text, "GET", &shown);
    assert!(head.contains("X-Served-By: API01\r\n") && !head.contains("theirs"));
    assert!(onward(text, "GET", &KEEP).contains("X-Served-By: theirs\r\n"));
}

#[test]
fn interim_responses_carry_neither_date_nor_connection() {
    let text = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: close\r\n\r\n";
    assert_eq!(onward(text, "GET", &KEEP), "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
    assert!(is_interim(text));
    assert!(!is_interim("HTTP/1.1 101 Go\r\n\r\n"));
    assert!(!is_interim("HTTP/1.1 200 OK\r\n\r\n"));
}

#[test]
fn an_upgrade_is_passed_on_with_101_and_426_only() {
    let lines = "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let switching = onward(&format!("HTTP/1.1 101 Switching\r\n{lines}"), "GET", &KEEP);
    assert_eq!(
        switching,
        "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
    assert!(onward(&format!("HTTP/1.1 426 No\r\n{lines}"), "GET", &KEEP).contains("Upgrade: w"));
    assert!(!onward(&format!("HTTP/1.1 200 OK\r\n{lines}"), "GET", &KEEP).contains("pgrade"));
    let h2c = "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    assert!(onward(&format!("HTTP/1.1 101 Go\r\n{h2c}"), "GET", &KEEP).contains("Upgrade: h2c"));
    assert!(!onward(&format!("HTTP/1.1 426 No\r\n{h2c}"), "GET", &KEEP).contains("pgrade"));
    accepted("HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\n", "GET", |head| {
        assert_eq!(head.upgrade, None);
    });
}

proptest! {
    #[test]
    fn no_bytes_whatever_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes, &HeadLimits::default(), "GET", &mut slots());
    }

    #[test]
    fn a_head_sent_on_reads_back_as_the_same_response(
        status in 200_u16..1000,
        reason in "[!-~]([ -~]{0,20}[!-~])?",
        fields in proptest::collection::vec(
            ("y[a-z0-9-]{0,12}", "[!-~]([ -~\t]{0,30}[!-~])?"), 0..20,
        ),
        length in 0..=i64::MAX as u64,
    ) {
        let mut text = format!("HTTP/1.1 {status} {reason}\r\nContent-Length: {length}\r\n");
        for (name, value) in &fields {
            text += &format!("{name}:{value}\r\n");
        }
        text += "\r\n";
        let sent = onward(&text, "GET", &KEEP);
        let before = accepted(&text, "GET", |head| (head.framing, head.length_of_get));
        let mut slots = slots();
        let Ok(Parsed::Complete { head, length: bytes }) =
            parse(sent.as_bytes(), &HeadLimits::default(), "GET", &mut slots)
        else {
            panic!("what was sent on does not parse: {sent}");
        };
        prop_assert_eq!(bytes, sent.len());
        prop_assert_eq!((head.status, head.reason), (status, &*reason));
        prop_assert_eq!((head.framing, head.length_of_get), before);
        let back: Vec<_> = head.fields.iter().filter(|field| field.name.starts_with('y'))
            .map(|field| (field.name, field.value)).collect();
        let sent: Vec<_> = fields.iter().map(|(name, value)| (&**name, value.as_bytes())).collect();
        prop_assert_eq!(back, sent);
    }
    #[test]
    fn a_mended_head_is_clean_and_means_the_same_when_read_again(
        ends in proptest::collection::vec("\r?\n", 12),
        before_colon in "[ \t]{0,2}",
        folded in proptest::collection::vec("[!-~]{1,5}(\r?\n[ \t]{1,2}[!-~]{0,5}){0,2}", 0..5),
        lengths in 0_usize..3,
        at in proptest::option::of(0_usize..200),
        byte: u8,
    ) {
        let mut ends = ends.into_iter();
        let mut end = move || ends.next().unwrap();
        let mut text = format!("HTTP/1.1 200 OK{}", end());
        for value in &folded {
            text += &format!("y{before_colon}: {value}{}", end());
        }
        for _ in 0..lengths {
            text += &format!("Content-Length{before_colon}: 5{}", end());
        }
        text += &end();
        let mut bytes = text.into_bytes();
        if let Some(at) = at.filter(|at| *at < bytes.len()) {
            bytes[at] = byte;
        }
        let mut room = slots();
        let Ok(Parsed::Complete { head, .. }) =
            parse(&bytes, &HeadLimits::default(), "GET", &mut room)
        else {
            prop_assert!(at.is_some(), "not mended: {}", bytes.escape_ascii());
            return Ok(());
        };
        let mut sent = Vec::new();
        head.write_forward(&mut sent, &KEEP);
        let lines = sent.strip_suffix(b"\r\n\r\n").unwrap().split(|byte| *byte == b'\n');
        for line in lines {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            prop_assert!(!line.is_empty() && !line.iter().any(|byte| b"\r\0".contains(byte)));
        }
        let mut room = slots();
        let Ok(Parsed::Complete { head: again, length }) =
            parse(&sent, &HeadLimits::default(), "GET", &mut room)
        else {
            panic!("what was sent on does not parse: {}", sent.escape_ascii());
        };
        prop_assert_eq!(length, sent.len());
        prop_assert!(again.repairs.is_empty(), "mended twice: {}", sent.escape_ascii());
        let framing = head.onward_framing(Version::Http11);
        prop_assert_eq!((again.status, again.framing), (head.status, framing));
        let own = |head: &Response| {
            let fields = head.fields().filter(|(name, _)| name.starts_with('y'));
            fields.map(|(name, value)| (name.to_owned(), value.into_owned())).collect::<Vec<_>>()
        };
        prop_assert_eq!(own(&again), own(&head));
    }
}

#[test]
fn empty_lines_in_front_are_nothing_up_to_a_limit_and_wherever_they_are_cut() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    for lines in 0..=8 {
        let text = "\r\n".repeat(lines) + answer;
        let mut slots = slots();
        match parse(text.as_bytes(), &HeadLimits::default(), "GET", &mut slots) {
            Ok(Parsed::Complete { head, length }) => {
                assert_eq!((head.framing, length), (Framing::Length(5), text.len()));
                assert_eq!(head.repairs.is_empty(), lines == 0);
            }
            other => panic!("{lines}: {other:?}"),
        }
        for end in 0..text.len() {
            let mut slots = self::slots();
            let cut = parse(&text.as_bytes()[..end], &HeadLimits::default(), "GET", &mut slots);
            assert!(matches!(cut, Ok(Parsed::Partial)), "{lines} {end}: {cut:?}");
        }
    }
    assert!(is_malformed(("\r\n".repeat(9) + answer).as_bytes()));
}
