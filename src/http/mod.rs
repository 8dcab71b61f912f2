//! HTTP/1.1 as bytes (RFC 9110, RFC 9112): heads and bodies read, rebuilt and written.
//!
//! The relay, the demo backend and the failover client call this room. It does no I/O, reads no
//! clock and imports nothing of ours but `text`. Its two laws keep requests from being smuggled:
//! what two readers could take in two ways is refused, and a head goes on only as rebuilt from
//! parsed values, never as a copied block of bytes. What an answer has wrong and has one meaning
//! all the same is mended, and said. Reading a head and writing it on allocate nothing.
//!
//! Reading order: `request`, `target`, `likeness`, `fields`, `claims`, `framing`, `connection`,
//! `forward`, `response`, `repairs`, `cookie`, `body`, `reply`, `location`, `render`.

use std::mem::MaybeUninit;

pub mod body;
pub mod claims;
mod connection;
pub mod cookie;
mod fields;
mod first_line;
mod forward;
mod framing;
mod likeness;
mod location;
mod render;
mod repairs;
pub mod reply;
pub mod request;
pub mod response;
mod target;

pub use claims::Claims;
pub use fields::{is_framing, is_token};
pub use first_line::FirstLine;
pub use location::{location, secure_origin};
pub use repairs::Repairs;

/// How much of a head is read before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of a whole head, its blank line included. More is 431.
    pub head_bytes: usize,
    /// Field lines in a head, at most [`HEADERS_MAX`]. More is 431.
    pub headers: usize,
    /// Bytes of the request target. More is 414.
    pub target_bytes: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        HeadLimits { head_bytes: 16 * 1024, headers: 100, target_bytes: 8 * 1024 }
    }
}

/// The most that the interim answers to one request may have in all, however many they are (RFC
/// 9110 15.2): a server that is at work may say so for hours, in 25 bytes each time.
pub const INTERIM_BYTES_MAX: usize = 64 * 1024;

/// The most field lines that a head may be allowed to have: the size of [`Slots`].
pub const HEADERS_MAX: usize = 256;

/// Room for the parsed field lines, twice: an answer that has something to be mended is read anew.
/// It lives on the caller's stack; see [`slots`].
pub type Slots<'b> = [MaybeUninit<httparse::Header<'b>>; 2 * HEADERS_MAX];

/// Room for one head, left uninitialised: it costs stack and no time.
#[must_use]
pub const fn slots<'b>() -> Slots<'b> {
    [MaybeUninit::uninit(); 2 * HEADERS_MAX]
}

/// The versions spoken here. HTTP/0.9 is 400, any other one 505.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: one exchange a connection unless both sides say `keep-alive`; never chunked.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl Version {
    fn of(minor: u8) -> Self {
        if minor == 0 { Version::Http10 } else { Version::Http11 }
    }

    /// As the start line has it: `HTTP/1.0` or `HTTP/1.1`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }
}

/// How the end of a body is known (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// Exactly so many bytes.
    Length(u64),
    /// Until the last chunk.
    Chunked,
    /// Until the sender closes: responses only.
    UntilClose,
}

/// What came of reading a head.
#[derive(Debug)]
pub enum Parsed<T> {
    /// The whole head was there.
    Complete {
        /// The head.
        head: T,
        /// Its bytes, the blank line included: the body starts here.
        length: usize,
    },
    /// Nothing wrong so far: read more and call again with all of it.
    Partial,
}

/// A request that is answered here and closed instead of being sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 400, 405, 414, 417, 431 or 505 from this room; the proxy adds 408 and 413.
    pub status: u16,
    /// One sentence for the log and for the answer's body.
    pub reason: &'static str,
}

/// Bytes of a response or a body that break the rules: from a backend a 502, from a client a 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// The rule that some bytes break, as a sentence. The side that reads them gives it its meaning.
type Broken = &'static str;

impl From<Broken> for Refusal {
    fn from(reason: Broken) -> Self {
        Refusal { status: 400, reason }
    }
}

impl From<Broken> for Malformed {
    fn from(reason: Broken) -> Self {
        Malformed(reason)
    }
}

const BARE_LF: Broken = "a line of the head ends with LF alone";

/// httparse takes LF for CRLF; a peer that does not would see another head (RFC 9112 section 2.2).
/// A fold without early exit, because the compiler turns it into 16 comparisons at a time.
fn has_bare_lf(head: &[u8]) -> bool {
    let after = head.iter().skip(1);
    head.first() == Some(&b'\n')
        || head
            .iter()
            .zip(after)
            .fold(false, |found, (a, b)| found | ((*b == b'\n') & (*a != b'\r')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_feed_alone_is_found_wherever_it_stands() {
        assert!(!has_bare_lf(b""));
        assert!(!has_bare_lf(b"a\r\nb\r\n\r\n"));
        assert!(has_bare_lf(b"\n"));
        assert!(has_bare_lf(b"a\nb\r\n"));
        assert!(has_bare_lf(b"a\r\n\n"));
    }

    #[test]
    fn a_broken_rule_is_400_from_a_client_and_malformed_from_a_backend() {
        assert_eq!(Refusal::from("why").status, 400);
        assert_eq!(Malformed::from("why"), Malformed("why"));
    }

    #[test]
    fn versions_have_the_names_of_the_start_line() {
        assert_eq!(Version::of(0).name(), "HTTP/1.0");
        assert_eq!(Version::of(1).name(), "HTTP/1.1");
    }
}
