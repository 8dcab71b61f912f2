//! What can be told of the first line of a request that is refused, for the log: a later line may
//! be what is wrong with it, or it may have no end yet. Nothing here is to be acted upon.

use super::fields::is_token;

/// The words of the line, as they came. Where the first is no method the line is all target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstLine<'b> {
    /// Empty if there is none.
    pub method: &'b [u8],
    /// Empty if there is none.
    pub target: &'b [u8],
    /// Empty if the line does not end with one.
    pub version: &'b [u8],
}

impl<'b> FirstLine<'b> {
    /// Of the bytes of a head, or of a part of one.
    #[must_use]
    pub fn of(head: &'b [u8]) -> Self {
        let line = head.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (method, rest) = cut(line, line.iter().position(|byte| *byte == b' '));
        if !is_token(method) {
            return Self { target: line, ..Self::default() };
        }
        let (target, version) = cut(rest, rest.iter().rposition(|byte| *byte == b' '));
        match version.starts_with(b"HTTP/") {
            true => Self { method, target, version },
            false => Self { method, target: rest, version: b"" },
        }
    }
}

/// What is before and behind the blank at `at`.
fn cut(line: &[u8], at: Option<usize>) -> (&[u8], &[u8]) {
    match at {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_told_is_told() {
        let cases: [(&[u8], [&str; 3]); 10] = [
            (b"GET /a HTTP/1.1\r\nX A: b\r\n\r\n", ["GET", "/a", "HTTP/1.1"]),
            (b"\r\nPUT /a HTTP/2.0\n", ["PUT", "/a", "HTTP/2.0"]),
            (b"GET /a b HTTP/1.1\r\n", ["GET", "/a b", "HTTP/1.1"]),
            (b"GET /a\r\n", ["GET", "/a", ""]),
            (b"GET /a HTT", ["GET", "/a HTT", ""]),
            (b"GE", ["GE", "", ""]),
            (b"\x16\x03\x01 x", ["", "\x16\x03\x01 x", ""]),
            (b" GET / HTTP/1.1", ["GET", "/", "HTTP/1.1"]),
            (b"\r\n", ["", "", ""]),
            (b"", ["", "", ""]),
        ];
        for (head, [method, target, version]) in cases {
            let [method, target, version] = [method, target, version].map(str::as_bytes);
            assert_eq!(FirstLine::of(head), FirstLine { method, target, version }, "{head:?}");
        }
    }
}
