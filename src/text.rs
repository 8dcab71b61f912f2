//! Values as words: numbers, addresses, lengths of time, and what a stranger wrote, quoted or
//! escaped so that it stays where it is put.
//!
//! Called by every room that shows something; imports none. What is appended to bytes is written by
//! hand: heads and access lines are made of it, so it may neither allocate nor go through
//! `std::fmt`.

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Appends a number in decimal.
pub fn decimal(out: &mut Vec<u8>, value: u64) {
    radix::<10>(out, value);
}

/// Appends a number in lower-case hexadecimal.
pub fn hex(out: &mut Vec<u8>, value: u64) {
    radix::<16>(out, value);
}

/// 20 digits hold any u64 in base 10 and more than that in base 16.
fn radix<const BASE: u64>(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b"0123456789abcdef"[(value % BASE) as usize];
        value /= BASE;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends an address; an IPv4 address mapped into IPv6 reads as the IPv4 address that it is.
pub fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            for (index, octet) in four.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                decimal_octet(out, octet);
            }
        }
        IpAddr::V6(six) => ipv6(out, six),
    }
}

/// By hand, as each request has its client's address written: by `decimal` that is 240 instructions
/// more.
fn decimal_octet(out: &mut Vec<u8>, octet: u8) {
    if octet >= 100 {
        out.push(b'0' + octet / 100);
    }
    if octet >= 10 {
        out.push(b'0' + octet / 10 % 10);
    }
    out.push(b'0' + octet % 10);
}

/// RFC 5952: hexadecimal without leading zeros, the first longest run of two or more zeros as `::`.
fn ipv6(out: &mut Vec<u8>, address: Ipv6Addr) {
    let groups = address.segments();
    let (start, length) = longest_zeros(&groups);
    let mut index = 0;
    while index < groups.len() {
        if length > 1 && index == start {
            out.extend_from_slice(b"::");
            index += length;
            continue;
        }
        if index > 0 && !(length > 1 && index == start + length) {
            out.push(b':');
        }
        hex(out, groups[index].into());
        index += 1;
    }
}

fn longest_zeros(groups: &[u16; 8]) -> (usize, usize) {
    let mut longest = (0, 0);
    let mut run = 0;
    for (index, group) in groups.iter().enumerate() {
        run = if *group == 0 { run + 1 } else { 0 };
        if run > longest.1 {
            longest = (index + 1 - run, run);
        }
    }
    longest
}

/// A length of time for people: `2.0 s`, `1.2 ms`. Whole numbers do: the standard library's way to
/// write fractions would be a hundredth of the static binary.
pub struct Took(pub Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tenths, unit) = match self.0.as_secs() {
            0 => ((self.0.as_micros() + 50) / 100, "ms"),
            _ => ((self.0.as_millis() + 50) / 100, "s"),
        };
        let tenths = u64::try_from(tenths).unwrap_or(u64::MAX);
        write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// A length of time for people who need no more than its largest unit: `40 s`, `12 min`, `3 h`,
/// `2 days`.
pub struct Roughly(pub Duration);

impl fmt::Display for Roughly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds @ 0..60 => write!(f, "{seconds} s"),
            seconds @ 60..3600 => write!(f, "{} min", seconds / 60),
            seconds @ 3600..86_400 => write!(f, "{} h", seconds / 3600),
            seconds @ 86_400..172_800 => write!(f, "{} day", seconds / 86_400),
            seconds => write!(f, "{} days", seconds / 86_400),
        }
    }
}

/// How many there are, in words: `1 try`, `2 tries`.
pub struct Many(pub u64, pub &'static str, pub &'static str);

impl fmt::Display for Many {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(many, one, more) = *self;
        write!(f, "{many} {}", if many == 1 { one } else { more })
    }
}

/// What clients have under way: where connections are passed on as they are, nobody knows of
/// requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Traffic {
    /// Each is a request.
    #[default]
    Requests,
    /// Each is a TCP client's connection.
    Connections,
    /// Some are the one and some the other.
    Both,
}

impl Traffic {
    const ALL: [Self; 3] = [Self::Requests, Self::Connections, Self::Both];

    /// Of several, as programs know it, too.
    pub fn word(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Connections => "connections",
            Self::Both => "requests or connections",
        }
    }

    /// The one that is called so; whoever does not say it has requests.
    pub fn called(word: &str) -> Self {
        Self::ALL.into_iter().find(|one| one.word() == word).unwrap_or_default()
    }

    /// So many: `1 request`, `2 connections`.
    pub fn many(self, many: u64) -> Many {
        let one = match self {
            Self::Requests => "request",
            Self::Connections => "connection",
            Self::Both => "request or connection",
        };
        Many(many, one, self.word())
    }

    /// That of all, where these are some of it.
    pub fn of_all(all: impl Iterator<Item = Self>) -> Self {
        all.reduce(|all, one| if all == one { all } else { Self::Both }).unwrap_or_default()
    }
}

/// The end of the year 9999, where dates of four digits stop; a clock beyond it is wrong anyway.
const SECONDS_MAX: u64 = 253_402_300_799;
/// As HTTP's dates have them.
const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// The time since 1970, between the ends of what has a date of four digits.
pub fn since_epoch(when: SystemTime) -> Duration {
    let since = when.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.min(Duration::from_secs(SECONDS_MAX))
}

/// The day in UTC, such as `2026-11-21`.
pub fn day(when: SystemTime) -> String {
    let date = httpdate::fmt_http_date(UNIX_EPOCH + since_epoch(when)); // Sat, 21 Nov 2026 ...
    let month = MONTHS.find(&date[8..11]).map_or(0, |at| at / 3 + 1);
    format!("{}-{month:02}-{}", &date[12..16], &date[5..7])
}

/// The time of day in UTC, such as `14:02:07`.
pub fn time_of_day(when: SystemTime) -> String {
    let seconds = since_epoch(when).as_secs();
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

/// False for what changes how the text around it is shown or split: control characters (C1 among
/// them, which terminals obey too), the marks that turn the direction of writing ("Trojan Source",
/// CVE-2021-42574), and the two separators that some readers take for line ends.
pub fn is_printable(char: char) -> bool {
    !matches!(char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        && !char.is_control()
}

/// Displays a text with all that is not printable escaped as Rust does: `\n`, `\u{9b}`.
pub struct Escaped<'t>(pub &'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(|char| !is_printable(char)) {
            f.write_str(&rest[..at])?;
            let mut odd = rest[at..].chars();
            odd.next().into_iter().try_for_each(|char| write!(f, "{}", char.escape_default()))?;
            rest = odd.as_str();
        }
        f.write_str(rest)
    }
}

/// Appends text that stands between quotes: anything but printable ASCII, `"` and `\` as `\xHH`, as
/// nginx does.
pub fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    escape(out, text, is_plain);
}

/// Appends text that stands between blanks: a blank too becomes `\x20`.
pub fn bare(out: &mut Vec<u8>, text: &[u8]) {
    escape(out, text, |byte| is_plain(byte) && byte != b' ');
}

/// A client may send nothing but bytes to be escaped: no format machinery for each of them.
fn escape(out: &mut Vec<u8>, text: &[u8], plain: impl Fn(u8) -> bool) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| !plain(byte)) {
        let (high, low) = (digit(rest[at] >> 4), digit(rest[at]));
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(&[b'\\', b'x', high, low]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// The last four bits as a hexadecimal digit.
fn digit(bits: u8) -> u8 {
    b"0123456789ABCDEF"[usize::from(bits & 15)]
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Appends a JSON string, quotes included, in ASCII (so no terminal reads a control code into it).
/// What is not UTF-8 becomes U+FFFD: a JSON string cannot hold it.
pub fn json(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    json_text(out, text);
    out.push(b'"');
}

/// The same without the quotes.
pub fn json_text(out: &mut Vec<u8>, text: &[u8]) {
    if text.iter().all(|&byte| is_plain(byte)) {
        return out.extend_from_slice(text);
    }
    for chunk in text.utf8_chunks() {
        chunk.valid().chars().for_each(|char| json_char(out, char));
        if !chunk.invalid().is_empty() {
            json_char(out, char::REPLACEMENT_CHARACTER);
        }
    }
}

fn json_char(out: &mut Vec<u8>, char: char) {
    match char {
        '"' | '\\' => out.extend_from_slice(&[b'\\', char as u8]),
        ' '..='~' => out.push(char as u8),
        _ => char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
            let [first, last] = unit.to_be_bytes();
            let digits = [digit(first >> 4), digit(first), digit(last >> 4), digit(last)];
            out.extend_from_slice(b"\\u");
            out.extend_from_slice(&digits);
        }),
    }
}

/// Appends text percent-encoded: all but what is never escaped in a URL (RFC 3986 section 2.3).
pub fn percent(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => out.push(byte),
            false => {
                let digit = |half: u8| b"0123456789ABCDEF"[usize::from(half)];
                out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
}

/// As many of its characters as have room in so many bytes.
pub fn beginning(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// JSON in which all that is not printable is escaped (RFC 8259 section 7). It can stand in strings
/// only.
pub fn json_printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match is_printable(char) {
            true => safe.push(char),
            // All of them are in the basic plane: four digits do.
            false => drop(write!(safe, "\\u{:04x}", u32::from(char))),
        }
    }
    safe
}

/// What this writes, for tests.
#[cfg(test)]
pub(crate) fn made(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("what is written is text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_whole_from_the_least_to_the_most() {
        for value in [0, 9, 10, 404, u64::MAX] {
            assert_eq!(made(|out| decimal(out, value)), value.to_string());
        }
    }

    #[test]
    fn addresses_read_as_people_write_them() {
        for shown in ["192.0.2.1", "0.0.0.0", "::", "::1", "2001:db8::1", "1::", "1:2:3:4:5:6:7:8"]
        {
            assert_eq!(made(|out| address(out, shown.parse().unwrap())), shown);
        }
        for shown in ["2001:db8:0:1:1:1:1:1", "1:0:0:2::3", "2001::1:0:0:1"] {
            let parsed: IpAddr = shown.parse().unwrap();
            assert_eq!(made(|out| address(out, parsed)), parsed.to_string());
        }
        assert_eq!(made(|out| address(out, "::ffff:192.0.2.1".parse().unwrap())), "192.0.2.1");
    }

    proptest! {
        #[test]
        fn numbers_and_addresses_equal_those_of_std(
            value: u64,
            groups: [u16; 8],
            zeros: [bool; 8],
        ) {
            prop_assert_eq!(made(|out| decimal(out, value)), value.to_string());
            prop_assert_eq!(made(|out| hex(out, value)), format!("{value:x}"));
            let mut groups = groups;
            for (group, zero) in groups.iter_mut().zip(zeros) {
                *group *= u16::from(!zero);
            }
            let six = Ipv6Addr::from(groups);
            prop_assert_eq!(made(|out| ipv6(out, six)).parse::<Ipv6Addr>().unwrap(), six);
            let canonical = IpAddr::V6(six).to_canonical();
            prop_assert_eq!(made(|out| address(out, six.into())), canonical.to_string());
        }
    }

    #[test]
    fn json_escapes_beyond_the_basic_plane_as_surrogates() {
        assert_eq!(made(|out| json(out, "\u{1f600}".as_bytes())), "\"\\uD83D\\uDE00\"");
    }

    #[test]
    fn days_are_right_in_every_month_and_at_the_ends() {
        let at = |days: u64| day(UNIX_EPOCH + Duration::from_secs(days * 86_400));
        let firsts = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334].map(at);
        let expected: [String; 12] = std::array::from_fn(|n| format!("1970-{:02}-01", n + 1));
        assert_eq!(firsts, expected);
        assert_eq!(at(11_016), "2000-02-29");
        assert_eq!(at(u64::MAX >> 20), "9999-12-31");
        assert_eq!(day(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01");
    }

    #[test]
    fn times_are_told_as_a_clock_shows_them_and_lengths_in_one_unit() {
        let at = |seconds| time_of_day(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!([0, 86_399, 1_795_831_327].map(at), ["00:00:00", "23:59:59", "02:02:07"]);
        let lengths = [0, 59, 60, 3599, 3600, 86_399, 86_400, 172_799, 172_800];
        let shown = lengths.map(|seconds| Roughly(Duration::from_secs(seconds)).to_string());
        let expected =
            ["0 s", "59 s", "1 min", "59 min", "1 h", "23 h", "1 day", "1 day", "2 days"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn letters_of_any_script_are_printable_and_what_turns_them_is_not() {
        for char in "aé汉ع🦀 ~".chars() {
            assert!(is_printable(char), "{char:?}");
        }
        for char in "\0\n\u{7f}\u{85}\u{9b}\u{200e}\u{2028}\u{202a}\u{202e}\u{2069}".chars() {
            assert!(!is_printable(char), "{char:?}");
        }
    }

    #[test]
    fn what_is_not_printable_is_escaped_and_the_rest_stays() {
        let text = "a\r\n\u{9b}31mé\u{202e}";
        assert_eq!(Escaped(text).to_string(), "a\\r\\n\\u{9b}31mé\\u{202e}");
        assert_eq!(json_printable(text), "a\\u000d\\u000a\\u009b31mé\\u202e");
    }
}
