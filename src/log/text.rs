//! How values become bytes of a line: numbers, addresses, times, and text that a stranger chose.
//! Called by `access` and `Log`, and by the proxy for its JSON. Must never let through a byte that
//! ends a line or a quoted field.

use std::cell::Cell;
use std::fmt;
use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Level;

/// The end of the year 9999, where both date crates stop; a clock beyond it is wrong anyway.
const SECONDS_MAX: u64 = 253_402_300_799;

/// Appends decimal digits.
pub(super) fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20]; // u64::MAX has 20
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return out.extend_from_slice(&digits[start..]);
        }
    }
}

/// Appends milliseconds with three decimals: `12.598`.
pub(super) fn millis(out: &mut Vec<u8>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    number(out, micros / 1000);
    out.push(b'.');
    three_digits(out, micros % 1000);
}

fn three_digits(out: &mut Vec<u8>, value: u64) {
    out.extend([value / 100, value / 10 % 10, value % 10].map(|digit| b'0' + digit as u8));
}

/// Appends an address; an IPv4 one that came in through an IPv6 socket as what it is.
pub(super) fn address(out: &mut Vec<u8>, ip: IpAddr) {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            number(out, a.into());
            for octet in [b, c, d] {
                out.push(b'.');
                number(out, octet.into());
            }
        }
        IpAddr::V6(ip) => write!(out, "{ip}").expect("writing to a Vec cannot fail"),
    }
}

/// Appends text that stands between quotes: anything but printable ASCII, `"` and `\` as `\xHH`, as
/// nginx does.
pub(super) fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    escape(out, text, is_plain);
}

/// Appends text that stands between blanks: a blank too becomes `\x20`.
pub(super) fn bare(out: &mut Vec<u8>, text: &[u8]) {
    escape(out, text, |byte| is_plain(byte) && byte != b' ');
}

fn escape(out: &mut Vec<u8>, text: &[u8], plain: impl Fn(u8) -> bool) {
    for run in text.split_inclusive(|&byte| !plain(byte)) {
        match run.split_last() {
            Some((&odd, before)) if !plain(odd) => {
                out.extend_from_slice(before);
                write!(out, "\\x{odd:02X}").expect("writing to a Vec cannot fail");
            }
            _ => out.extend_from_slice(run),
        }
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Appends a JSON string, quotes included, in ASCII (so no terminal reads a control code into it).
/// What is not UTF-8 becomes U+FFFD: a JSON string cannot hold it.
pub(crate) fn json(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    if text.iter().all(|&byte| is_plain(byte)) {
        out.extend_from_slice(text);
    } else {
        for chunk in text.utf8_chunks() {
            chunk.valid().chars().for_each(|char| json_char(out, char));
            if !chunk.invalid().is_empty() {
                json_char(out, char::REPLACEMENT_CHARACTER);
            }
        }
    }
    out.push(b'"');
}

fn json_char(out: &mut Vec<u8>, char: char) {
    match char {
        '"' | '\\' => out.extend([b'\\', char as u8]),
        ' '..='~' => out.push(char as u8),
        _ => char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
            write!(out, "\\u{unit:04x}").expect("writing to a Vec cannot fail");
        }),
    }
}

/// Appends `21/Nov/2026:06:15:28 +0000`.
pub(super) fn clf_time(out: &mut Vec<u8>, when: SystemTime) {
    out.extend_from_slice(&stamp(since_epoch(when).as_secs()).clf);
    out.extend_from_slice(b" +0000");
}

/// Appends `2026-11-21T06:15:28.123Z`.
pub(super) fn rfc3339(out: &mut Vec<u8>, when: SystemTime) {
    let when = since_epoch(when);
    out.extend_from_slice(&stamp(when.as_secs()).rfc3339);
    out.push(b'.');
    three_digits(out, when.subsec_millis().into());
    out.push(b'Z');
}

fn since_epoch(when: SystemTime) -> Duration {
    let since = when.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.min(Duration::from_secs(SECONDS_MAX))
}

/// A second, rendered; each thread keeps its last, since most lines share their second with it.
#[derive(Clone, Copy)]
struct Stamp {
    second: u64,
    clf: [u8; 20],
    rfc3339: [u8; 19],
}

fn stamp(second: u64) -> Stamp {
    thread_local! {
        static LAST: Cell<Option<Stamp>> = const { Cell::new(None) };
    }
    if let Some(last) = LAST.get().filter(|last| last.second == second) {
        return last;
    }
    let when = UNIX_EPOCH + Duration::from_secs(second);
    let date = httpdate::fmt_http_date(when); // Sat, 21 Nov 2026 06:15:28 GMT
    let clf = format!("{}/{}/{}:{}", &date[5..7], &date[8..11], &date[12..16], &date[17..25]);
    let rfc3339 = humantime::format_rfc3339_seconds(when).to_string();
    let mut fresh = Stamp { second, clf: [0; 20], rfc3339: [0; 19] };
    fresh.clf.copy_from_slice(clf.as_bytes());
    fresh.rfc3339.copy_from_slice(&rfc3339.as_bytes()[..19]);
    LAST.set(Some(fresh));
    fresh
}

/// Appends one event as a line. Its text may quote a client or a backend, so control characters (C1
/// among them) are escaped here and no caller need think of it.
pub(super) fn event(out: &mut Vec<u8>, when: SystemTime, level: Level, text: fmt::Arguments) {
    rfc3339(out, when);
    out.extend_from_slice(match level {
        Level::Error => b" ERROR ",
        Level::Warn => b" WARN  ",
        Level::Info => b" INFO  ",
    });
    // Only a Display that reports an error of its own fails here; what it wrote so far is kept.
    let _ = fmt::Write::write_fmt(&mut OneLine(out), text);
    out.push(b'\n');
}

struct OneLine<'a>(&'a mut Vec<u8>);

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(char::is_control) {
            let line = part.trim_end_matches(char::is_control);
            self.0.extend_from_slice(line.as_bytes());
            for odd in part[line.len()..].chars() {
                self.0.extend(odd.escape_default().map(|char| char as u8));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_whole_from_the_least_to_the_most() {
        for value in [0, 9, 10, 404, u64::MAX] {
            assert_eq!(made(|out| number(out, value)), value.to_string());
        }
    }

    #[test]
    fn milliseconds_have_three_decimals() {
        assert_eq!(made(|out| millis(out, Duration::from_micros(1_050_007))), "1050.007");
        assert_eq!(made(|out| millis(out, Duration::from_nanos(999))), "0.000");
    }

    #[test]
    fn times_are_right_on_leap_days_and_at_the_ends() {
        let both = |seconds| {
            let when = UNIX_EPOCH + Duration::from_secs(seconds);
            made(|out| {
                clf_time(out, when);
                out.push(b'|');
                rfc3339(out, when);
            })
        };
        assert_eq!(both(0), "01/Jan/1970:00:00:00 +0000|1970-01-01T00:00:00.000Z");
        assert_eq!(both(951_782_400), "29/Feb/2000:00:00:00 +0000|2000-02-29T00:00:00.000Z");
        assert_eq!(both(u64::MAX >> 2), both(SECONDS_MAX));
        let early = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(made(|out| rfc3339(out, early)), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_second_that_went_by_is_not_shown_again() {
        let at = |seconds| made(|out| rfc3339(out, UNIX_EPOCH + Duration::from_secs(seconds)));
        assert_ne!(at(1), at(2));
        assert_eq!(at(1), "1970-01-01T00:00:01.000Z");
    }

    #[test]
    fn json_escapes_beyond_the_basic_plane_as_surrogates() {
        assert_eq!(made(|out| json(out, "\u{1f600}".as_bytes())), "\"\\ud83d\\ude00\"");
    }

    #[test]
    fn an_event_is_one_line_whatever_it_quotes() {
        let text = "bad\r\n2026 \u{9b}31m ü";
        assert_eq!(
            made(|out| event(out, UNIX_EPOCH, Level::Warn, format_args!("a {text}"))),
            "1970-01-01T00:00:00.000Z WARN  a bad\\r\\n2026 \\u{9b}31m ü\n"
        );
    }
}
