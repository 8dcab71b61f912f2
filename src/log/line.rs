//! How values become bytes of a line: times, and text that a stranger chose, as far as a line has
//! room for it. Called by `access` and `Log`. Must never let through a byte that ends a line or a
//! quoted field, nor as many bytes as a stranger likes.

use std::cell::Cell;
use std::fmt;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Level;
use crate::text::{Escaped, beginning, day, decimal, json_text, quoted, since_epoch};

/// What of one field goes into an access line, before it is escaped: more than a URL of use has
/// (HAProxy keeps 1024 of it), and a fraction of what a head may hold.
const FIELD_BYTES_MAX: usize = 2048;
/// What of an event goes into its line.
const EVENT_BYTES_MAX: usize = 4096;

/// Appends milliseconds with three decimals: `12.598`.
pub(super) fn millis(out: &mut Vec<u8>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    decimal(out, micros / 1000);
    out.push(b'.');
    three_digits(out, micros % 1000);
}

fn three_digits(out: &mut Vec<u8>, value: u64) {
    out.extend([value / 100, value / 10 % 10, value % 10].map(|digit| b'0' + digit as u8));
}

/// Appends a field that stands between quotes.
pub(super) fn quoted_field(out: &mut Vec<u8>, field: &[u8]) {
    clipped(out, field, quoted);
}

/// Appends a field as a JSON string.
pub(super) fn json_field(out: &mut Vec<u8>, field: &[u8]) {
    out.push(b'"');
    clipped(out, field, json_text);
    out.push(b'"');
}

/// Appends all of a field, or its beginning and how many bytes are missing: `...[+14336]`.
fn clipped(out: &mut Vec<u8>, field: &[u8], write: impl FnOnce(&mut Vec<u8>, &[u8])) {
    let (start, rest) = field.split_at(field.len().min(FIELD_BYTES_MAX));
    write(out, start);
    if !rest.is_empty() {
        out.extend_from_slice(b"...[+");
        decimal(out, rest.len() as u64);
        out.push(b']');
    }
}

/// Appends `21/Nov/2026:06:15:28 +0000`.
pub(super) fn clf_time(out: &mut Vec<u8>, when: SystemTime) {
    out.extend_from_slice(&stamp(since_epoch(when).as_secs()).clf);
    out.extend_from_slice(b" +0000");
}

/// Appends `2026-11-21T06:15:28.123Z`.
pub fn rfc3339(out: &mut Vec<u8>, when: SystemTime) {
    let when = since_epoch(when);
    out.extend_from_slice(&stamp(when.as_secs()).rfc3339);
    out.push(b'.');
    three_digits(out, when.subsec_millis().into());
    out.push(b'Z');
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
    let rfc3339 = format!("{}T{}", day(when), &date[17..25]);
    let mut fresh = Stamp { second, clf: [0; 20], rfc3339: [0; 19] };
    fresh.clf.copy_from_slice(clf.as_bytes());
    fresh.rfc3339.copy_from_slice(rfc3339.as_bytes());
    LAST.set(Some(fresh));
    fresh
}

/// Appends one event as a line. Its text may quote a client or a backend, so what is not printable
/// is escaped here, and what is too long cut, and no caller need think of it.
pub(super) fn event(out: &mut Vec<u8>, when: SystemTime, level: Level, text: fmt::Arguments) {
    rfc3339(out, when);
    out.extend_from_slice(match level {
        Level::Error => b" ERROR ",
        Level::Warn => b" WARN  ",
        Level::Info => b" INFO  ",
    });
    let end = out.len() + EVENT_BYTES_MAX;
    // A Display that reports an error of its own fails here too; what it wrote so far is kept.
    if fmt::Write::write_fmt(&mut OneLine { out, end }, text).is_err() {
        out.extend_from_slice(b"...");
    }
    out.push(b'\n');
}

/// Takes text up to the length of `out` that is the end, then fails.
struct OneLine<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
}

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = beginning(text, self.end.saturating_sub(self.out.len()));
        write!(self.out, "{}", Escaped(fits)).expect("writing to a Vec cannot fail");
        if fits.len() < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::made;

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
        let last = "31/Dec/9999:23:59:59 +0000|9999-12-31T23:59:59.000Z";
        assert_eq!(both(u64::MAX >> 2), last);
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
    fn a_long_field_is_cut_and_says_how_much_is_missing() {
        let long = [b'x'; FIELD_BYTES_MAX + 7];
        let (fits, kept) = (&long[..FIELD_BYTES_MAX], "x".repeat(FIELD_BYTES_MAX));
        assert_eq!(made(|out| quoted_field(out, fits)), kept);
        assert_eq!(made(|out| quoted_field(out, &long)), format!("{kept}...[+7]"));
        assert_eq!(made(|out| json_field(out, &long)), format!("\"{kept}...[+7]\""));
        let hostile = "\u{e9}".repeat(FIELD_BYTES_MAX);
        let text = made(|out| json_field(out, hostile.as_bytes()));
        let read: String = serde_json::from_str(&text).unwrap();
        assert_eq!(read, format!("{}...[+{FIELD_BYTES_MAX}]", &hostile[..FIELD_BYTES_MAX]));
    }

    #[test]
    fn a_long_event_is_cut_between_two_characters() {
        let text = "\u{9b}".repeat(EVENT_BYTES_MAX);
        let line = made(|out| event(out, UNIX_EPOCH, Level::Info, format_args!("a{text}{text}")));
        assert!(line.ends_with("\\u{9b}...\n") && line.is_ascii(), "{line}");
        // An escape has six characters for two bytes.
        assert!(line.len() < 3 * EVENT_BYTES_MAX + 100, "{}", line.len());
    }

    #[test]
    fn an_event_is_one_line_whatever_it_quotes() {
        let text = "bad\r\n2026 \u{9b}31m ü\u{202e}";
        assert_eq!(
            made(|out| event(out, UNIX_EPOCH, Level::Warn, format_args!("a {text}"))),
            "1970-01-01T00:00:00.000Z WARN  a bad\\r\\n2026 \\u{9b}31m ü\\u{202e}\n"
        );
    }
}
