//! What was mended of an answer: bytes that break a rule and have one meaning all the same.
//!
//! `response` and `body` note it; the proxy counts it and says it in the log, so that an
//! application's slips are neither an outage nor unseen. Requests are not mended, but refused.

use std::fmt;
use std::ops::BitOrAssign;

use httparse::ParserConfig;

use super::has_bare_lf;

/// A set of repairs, empty for nearly all answers. Displayed, it lists what was wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs(u8);

impl Repairs {
    pub(super) const LINE_ENDS: Repairs = Repairs(1);
    pub(super) const FOLDS: Repairs = Repairs(2);
    pub(super) const COLONS: Repairs = Repairs(4);
    pub(super) const LENGTHS: Repairs = Repairs(8);
    pub(super) const CODINGS: Repairs = Repairs(16);
    pub(super) const OPTIONS: Repairs = Repairs(32);
    pub(super) const CHUNKS: Repairs = Repairs(64);
    pub(super) const EMPTY_LINES: Repairs = Repairs(128);

    /// True if all was as it should be.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Repairs::default()
    }

    pub(super) fn has(self, one: Repairs) -> bool {
        self.0 & one.0 != 0
    }
}

const WORDS: [(Repairs, &str); 8] = [
    (Repairs::LINE_ENDS, "lines that end with LF alone"),
    (Repairs::FOLDS, "a folded line"),
    (Repairs::COLONS, "space before a colon"),
    (Repairs::LENGTHS, "Content-Length more than once"),
    (Repairs::CODINGS, "chunked more than once"),
    (Repairs::OPTIONS, "a Connection option that is no token"),
    (Repairs::CHUNKS, "space in a chunk's size line"),
    (Repairs::EMPTY_LINES, "an empty line before it"),
];

impl BitOrAssign for Repairs {
    fn bitor_assign(&mut self, other: Repairs) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = WORDS.into_iter().filter(|(one, _)| self.has(*one));
        for (index, (_, words)) in found.enumerate() {
            write!(f, "{}{words}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A reader of heads that mends what an answer may have wrong, or nothing at all.
pub(super) fn parser(lenient: bool) -> ParserConfig {
    let mut config = ParserConfig::default();
    config.allow_spaces_after_header_name_in_responses(lenient);
    config.allow_obsolete_multiline_headers_in_responses(lenient);
    config
}

/// What a reader that mends nothing passes over in silence all the same.
pub(super) fn line_ends(head: &[u8]) -> Repairs {
    if has_bare_lf(head) { Repairs::LINE_ENDS } else { Repairs::default() }
}

/// What such a reader passed over in silence in the bytes of a head. One fold without early exit
/// over two slices finds whether there is anything to look for: the compiler makes 16 comparisons
/// at a time of it.
pub(super) fn marks(head: &[u8]) -> Repairs {
    let mut found = Repairs::default();
    let Some((_, after)) = head.split_first() else { return found };
    let pairs = || head[..after.len()].iter().zip(after);
    let strange = |(a, b): (&u8, &u8)| ends_bare(*a, *b) | folds(*a, *b) | is_spaced(*a, *b);
    if pairs().fold(0, |found, pair| found | u8::from(strange(pair))) == 0 {
        return found;
    }
    if pairs().any(|(a, b)| ends_bare(*a, *b)) {
        found |= Repairs::LINE_ENDS;
    }
    if pairs().any(|(a, b)| folds(*a, *b)) {
        found |= Repairs::FOLDS;
    }
    if head.split(|byte| *byte == b'\n').skip(1).any(has_spaced_name) {
        found |= Repairs::COLONS;
    }
    found
}

fn ends_bare(a: u8, b: u8) -> bool {
    (a != b'\r') & (b == b'\n')
}

fn folds(a: u8, b: u8) -> bool {
    (a == b'\n') & is_space(b)
}

fn is_spaced(a: u8, b: u8) -> bool {
    is_space(a) & (b == b':')
}

fn is_space(byte: u8) -> bool {
    (byte == b' ') | (byte == b'\t')
}

/// Whether the line's first colon has a space before it. In front of a folded one there is no name.
fn has_spaced_name(line: &[u8]) -> bool {
    let colon = line.iter().position(|byte| *byte == b':').filter(|at| *at > 0);
    colon.is_some_and(|at| is_space(line[at - 1]) && !is_space(line[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(head: &str) -> String {
        marks(head.as_bytes()).to_string()
    }

    #[test]
    fn a_head_that_is_as_it_should_be_has_no_marks() {
        assert_eq!(said("HTTP/1.1 200 OK\r\nA: b : c\r\nD:\te\r\n\r\n"), "");
        assert!(marks(b"HTTP/1.1 200 OK\r\n\r\n").is_empty());
    }

    #[test]
    fn each_mark_is_found_wherever_it_stands() {
        assert_eq!(said("HTTP/1.1 200 OK\nA: b\r\n\r\n"), "lines that end with LF alone");
        assert_eq!(said("HTTP/1.1 200 OK\r\nA: b\r\n\n"), "lines that end with LF alone");
        assert_eq!(said("HTTP/1.1 200 OK\r\nA: b\r\n\tc\r\n\r\n"), "a folded line");
        assert_eq!(said("HTTP/1.1 200 OK\r\nA \t: b\r\n\r\n"), "space before a colon");
        let all = "HTTP/1.1 200 OK\nA : b\n c\n\n";
        assert_eq!(said(all), "lines that end with LF alone, a folded line, space before a colon");
    }

    #[test]
    fn a_colon_in_a_value_or_in_a_folded_line_ends_no_name() {
        assert_eq!(said("HTTP/1.1 200 OK : fine\r\nA: b :c\r\n\r\n"), "");
        assert_eq!(said("HTTP/1.1 200 OK\r\nA: b\r\n c : d\r\n\r\n"), "a folded line");
    }
}
