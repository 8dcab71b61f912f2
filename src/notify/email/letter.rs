//! A message as the bytes of an email (RFC 5322, RFC 2045): headers by which mail programs put an
//! incident together, and plain text.
//!
//! Called by `email`. Pure: time is an argument. Whatever a message holds, a header stays one
//! header and the text stays text.

use std::time::{SystemTime, UNIX_EPOCH};

use lettre::message::Body;
use lettre::message::header::{ContentTransferEncoding, Date, HeaderName, HeaderValue, Headers};

use crate::notify::Message;
use crate::text::{self, Escaped, beginning};

/// Longest subject. Of what is longer, phones and lists of mails show the beginning alone.
const SUBJECT_CHARS_MAX: usize = 150;
/// Longest text.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Longest part of a message's name that is the incident's: what differs stands at its end.
const KEY_CHARS_MAX: usize = 128;

/// All of a letter, in ASCII, with lines that end in CRLF and are short enough for any server. Two
/// of the same `number` and time would have one name.
pub(super) fn letter(
    message: &Message,
    from: &str,
    to: &[String],
    now: SystemTime,
    number: u64,
) -> Vec<u8> {
    let domain = from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    // One key may be that of many incidents, one after the other: each is a thread of its own.
    let began = message.fact("began").map(|began| format!("-{began}")).unwrap_or_default();
    let key = format!("{}{began}", message.key);
    let key: String = key.chars().filter(|char| is_plain(*char)).collect();
    let key = &key[key.len().saturating_sub(KEY_CHARS_MAX)..];
    // No message has this name. All of an incident answer it, also across upgrades, and mail
    // programs put answers to one message together, be it there or not (RFC 5256 section 3).
    let incident = format!("<{key}@{domain}>");
    let since = text::since_epoch(now);
    let nanos = since.as_nanos();
    let own = format!("<{key}.{nanos}.{}.{number}@{domain}>", std::process::id());
    let body = Body::new(plain(&message.text));
    let mut headers = Headers::new();
    // A clock that has lost its battery is no reason to tell nobody.
    headers.set(Date::new(UNIX_EPOCH + since));
    headers.set(body.encoding());
    for (name, value) in [
        ("From", from.to_owned()),
        ("To", to.join(", ")),
        ("Subject", subject(&message.subject)),
        ("Message-ID", own),
        ("In-Reply-To", incident.clone()),
        ("References", incident),
        // No machine that answers for somebody who is away is to answer this (RFC 3834).
        ("Auto-Submitted", "auto-generated".to_owned()),
        // The same for Exchange.
        ("X-Auto-Response-Suppress", "All".to_owned()),
        ("MIME-Version", "1.0".to_owned()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
    ] {
        headers.insert_raw(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
    }
    let mut bytes = format!("{headers}\r\n").into_bytes();
    bytes.extend_from_slice(&body.into_vec());
    bytes
}

/// Bytes in base64, on one line.
pub(super) fn base64(bytes: &[u8]) -> String {
    let body = Body::new_with_encoding(bytes.to_vec(), ContentTransferEncoding::Base64);
    let wrapped = body.map_or_else(|bytes| bytes, Body::into_vec);
    wrapped.into_iter().filter(u8::is_ascii_graphic).map(char::from).collect()
}

/// One line, which stands for itself: what looks like an encoded word (RFC 2047) is none.
fn subject(text: &str) -> String {
    let cut: String = text.chars().take(SUBJECT_CHARS_MAX).collect();
    let rest = if cut.len() < text.len() { " ..." } else { "" };
    let shown = format!("{}{rest}", Escaped(&cut)).replace("=?", "= ?");
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Many lines, in which nothing but their ends is a control character.
fn plain(text: &str) -> String {
    let start = beginning(text, TEXT_BYTES_MAX);
    let lines = start.lines().map(|line| format!("{}\r\n", Escaped(line)));
    let mut shown: String = lines.collect();
    if start.len() < text.len() {
        shown.push_str("...\r\n");
    }
    shown
}

fn is_plain(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '-'
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn message(subject: &str, text: &str) -> Message {
        let (subject, text) = (subject.to_owned(), text.to_owned());
        Message { subject, text, key: "k-1".to_owned(), kind: "down".into(), facts: Vec::new() }
    }

    fn written(message: &Message) -> String {
        let to = ["ops@a.test".to_owned(), "boss@a.test".to_owned()];
        let now = UNIX_EPOCH + Duration::from_secs(1_795_766_400);
        String::from_utf8(letter(message, "evenly@a.test", &to, now, 3)).unwrap()
    }

    /// What mail programs make of a letter's headers, encoded words aside, and its body.
    fn read(letter: &str) -> (Vec<(String, String)>, String) {
        let (head, body) = letter.split_once("\r\n\r\n").unwrap();
        let unfolded = head.replace("\r\n ", " ");
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
            (name.to_owned(), value.trim().to_owned())
        };
        (unfolded.split("\r\n").map(header).collect(), body.to_owned())
    }

    #[test]
    fn a_letter_has_the_headers_that_mail_programs_thread_an_incident_by() {
        let (headers, body) = read(&written(&message("A is down", "status 503\nthree times")));
        let value = |name: &str| &headers.iter().find(|(own, _)| own == name).unwrap().1;
        assert_eq!(value("From"), "evenly@a.test");
        assert_eq!(value("To"), "ops@a.test, boss@a.test");
        assert_eq!(value("Subject"), "A is down");
        assert_eq!(value("Date"), "Fri, 27 Nov 2026 08:00:00 +0000");
        assert_eq!(value("In-Reply-To"), "<k-1@a.test>");
        assert_eq!(value("References"), "<k-1@a.test>");
        assert!(value("Message-ID").starts_with("<k-1.1795766400000000000."));
        assert!(value("Message-ID").ends_with(".3@a.test>"));
        assert_eq!(value("Auto-Submitted"), "auto-generated");
        assert_eq!(value("X-Auto-Response-Suppress"), "All");
        assert_eq!(value("MIME-Version"), "1.0");
        assert_eq!(value("Content-Type"), "text/plain; charset=utf-8");
        assert_eq!(value("Content-Transfer-Encoding"), "7bit");
        assert_eq!((headers.len(), body.as_str()), (12, "status 503\r\nthree times\r\n"));
    }

    #[test]
    fn incidents_of_one_key_are_a_thread_each() {
        let began = |when: &str| Message {
            facts: vec![("began".into(), when.to_owned())],
            ..message("A is down", "x")
        };
        let letter = written(&began("2026-11-27T02:13:05.120Z"));
        assert!(letter.contains("References: <k-1-2026-11-27T021305120Z@a.test>\r\n"), "{letter}");
    }

    #[test]
    fn whatever_a_message_says_its_headers_are_the_same_and_its_lines_short() {
        let plain = read(&written(&message("x", "y"))).0;
        let names = |headers: &[(String, String)]| -> Vec<String> {
            headers.iter().map(|(name, _)| name.clone()).collect()
        };
        for hostile in [
            "a\r\nBcc: all@b.test\r\n\r\nbody",
            "a\rBcc: x@b.test",
            "a\nBcc: x@b.test",
            "a\0b",
            "\u{85}\u{2028}\u{202e}\u{9b}31m",
            "\"quoted\\\" <script>alert(1)</script>",
            "=?utf-8?B?DQpCY2M6IHhAYi50ZXN0?=",
            "\u{1f525}\u{1f692}",
            ".\r\n.\r\nQUIT",
            "",
            "   ",
            &"x".repeat(5000),
            &"\u{1f525}".repeat(5000),
            &"a ".repeat(2500),
        ] {
            let whole = written(&message(hostile, hostile));
            assert!(whole.is_ascii() && !whole.contains('\0'), "{whole}");
            for line in whole.split("\r\n") {
                assert!(line.len() <= 998 && !line.contains(['\r', '\n']), "{line:?}");
            }
            let (headers, _) = read(&whole);
            assert_eq!(names(&headers), names(&plain), "{hostile:?}");
        }
    }

    #[test]
    fn a_subject_is_one_line_of_words_that_stand_for_themselves() {
        assert_eq!(subject("a\r\nb\u{202e}  c\td"), "a\\r\\nb\\u{202e} c\\td");
        assert_eq!(subject("=?utf-8?q?a?="), "= ?utf-8?q?a?=");
        let long = subject(&"\u{e9}".repeat(151));
        assert_eq!((long.chars().count(), long.ends_with("\u{e9} ...")), (154, true));
    }

    #[test]
    fn a_text_ends_at_its_limit_and_says_so() {
        let long = plain(&"\u{1f525}".repeat(TEXT_BYTES_MAX));
        assert_eq!(long.len(), TEXT_BYTES_MAX + "\r\n...\r\n".len());
        assert_eq!(plain("a\r\n\u{1b}[2Jb"), "a\r\n\\u{1b}[2Jb\r\n");
    }

    #[test]
    fn a_clock_that_is_wrong_keeps_no_letter_back() {
        let year = Duration::from_secs(366 * 86_400);
        for now in [UNIX_EPOCH - year, UNIX_EPOCH + 9000 * year] {
            let to = ["ops@a.test".to_owned()];
            let letter = letter(&message("a", "b"), "evenly@a.test", &to, now, 1);
            assert!(String::from_utf8(letter).unwrap().starts_with("Date: "));
        }
    }

    #[test]
    fn base64_is_one_line_of_the_usual_alphabet() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"\0evenly\0secret"), "AGV2ZW5seQBzZWNyZXQ=");
        assert_eq!(base64(&[0xfb; 300]).len(), 400);
    }
}
