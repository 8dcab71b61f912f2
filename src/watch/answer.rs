//! The answer to a check, as it comes in: read by the same code as in the relay, for an answer that
//! clients would get must not fail a check.
//!
//! Called by a check ([`probe`](super::probe)), which has the socket and never waits at it.

use std::io::{self, ErrorKind, Read};

use crate::http::body::Reader;
use crate::http::{HEADERS_MAX, HeadLimits, INTERIM_BYTES_MAX, Malformed, Parsed, response, slots};

/// Most of an answer's body that is read, framing included. What is longer, or endless, is good up
/// to here.
const BODY_MAX: usize = 64 * 1024;

/// The highest values that `[limits]` takes: an answer that clients would get must not fail a
/// check.
const LIMITS: HeadLimits =
    HeadLimits { head_bytes: 128 * 1024, headers: HEADERS_MAX, target_bytes: 0 };

/// What one read of the socket takes at most.
const READ_BYTES: usize = 16 * 1024;

/// An answer that is whole, or long enough.
#[derive(Debug)]
pub(super) struct CheckAnswer {
    pub(super) status: u16,
    /// Without its framing, at most [`BODY_MAX`].
    pub(super) body: Vec<u8>,
    /// More of it was to come, and is not waited for.
    pub(super) is_cut: bool,
}

/// An answer on its way. Each byte is read once, however small the pieces are that it comes in:
/// there is one thread for all checks.
#[derive(Default)]
pub(super) struct Incoming {
    /// What has come of the head, while that is not whole.
    bytes: Vec<u8>,
    /// How many of these bytes have been searched for the end of the head, without finding it.
    seen: usize,
    interim_bytes: usize,
    /// Once the head is whole.
    body: Option<IncomingBody>,
    /// Nothing more will come.
    ended: bool,
}

/// A body on its way, behind a whole head.
struct IncomingBody {
    status: u16,
    reader: Reader,
    data: Vec<u8>,
    /// Bytes that came, framing included.
    came: usize,
}

impl Incoming {
    /// How far it has come, for a sentence about what did not: none, a part, all of the head.
    pub(super) fn how_far(&self) -> HowFar {
        match (&self.body, self.bytes.len() + self.interim_bytes) {
            (Some(_), _) => HowFar::Body,
            (None, 0) => HowFar::Nothing,
            (None, _) => HowFar::Head,
        }
    }

    /// Reads once, to have something from the answer to a request of that `method`.
    pub(super) fn take(&mut self, from: &mut impl Read, method: &str) -> io::Result<()> {
        // On the stack, so that a check which waits for its answer holds no buffer.
        let mut chunk = [0; READ_BYTES];
        let read = match from.read(&mut chunk) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            // A peer that closes without TLS's farewell may have cut the body short. That is no
            // harm here: the body is only searched for a text.
            Err(error) if self.body.is_some() && is_cut(&error) => 0,
            Err(error) => return Err(error),
        };
        self.ended = read == 0;
        match &mut self.body {
            Some(body) => body.take(&chunk[..read]),
            None => {
                self.bytes.extend_from_slice(&chunk[..read]);
                self.read_head(method, read)
            }
        }
    }

    /// The answer, once it is there.
    pub(super) fn whole(&mut self) -> io::Result<Option<CheckAnswer>> {
        let Some(body) = &mut self.body else {
            return match self.ended {
                true => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed without an answer")),
                false => Ok(None),
            };
        };
        if self.ended {
            body.reader.eof().map_err(bad_answer)?;
        }
        if !body.reader.is_done() && body.came < BODY_MAX {
            return Ok(None);
        }
        let mut data = std::mem::take(&mut body.data);
        let is_cut = !body.reader.is_done() || data.len() > BODY_MAX;
        data.truncate(BODY_MAX);
        Ok(Some(CheckAnswer { status: body.status, body: data, is_cut }))
    }

    /// Looks for the end of the final head, now that so many bytes more have come, and begins the
    /// body with what stands behind it.
    fn read_head(&mut self, method: &str, read: usize) -> io::Result<()> {
        while self.may_hold_a_head(read) {
            self.seen = self.bytes.len();
            let mut slots = slots();
            let parsed = response::parse(&self.bytes, &LIMITS, method, &mut slots);
            match parsed.map_err(bad_answer)? {
                Parsed::Complete { head, length } if head.is_interim() => {
                    self.bytes.drain(..length);
                    self.seen = 0;
                    self.interim_bytes += length;
                    if self.interim_bytes > INTERIM_BYTES_MAX {
                        return Err(bad_answer(Malformed("more interim answers than are allowed")));
                    }
                }
                Parsed::Complete { head, length } => {
                    let (status, reader) = (head.status, Reader::of_answer(head.framing));
                    let mut body = IncomingBody { status, reader, data: Vec::new(), came: 0 };
                    let begun = body.take(&self.bytes[length..]);
                    (self.body, self.bytes) = (Some(body), Vec::new());
                    return begun;
                }
                Parsed::Partial => return Ok(()),
            }
        }
        Ok(())
    }

    /// True if it is worth the while to parse all that has come: the bytes read last hold the end
    /// of a head; or twice as much has come as at the last attempt, so that a bad head without an
    /// end is found out, too, and a head in single bytes is still not parsed for each of them.
    fn may_hold_a_head(&self, read: usize) -> bool {
        // The blank line that ends a head may have begun with the last two bytes before these.
        let news = &self.bytes[self.bytes.len().saturating_sub(read + 2)..];
        let is_end = |at| news[at..].starts_with(b"\n\n") || news[at..].starts_with(b"\n\r\n");
        self.bytes.len() >= (2 * self.seen).max(1) || (0..news.len()).any(is_end)
    }
}

impl IncomingBody {
    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.came += bytes.len();
        while !bytes.is_empty() && !self.reader.is_done() {
            let piece = self.reader.next(bytes).map_err(bad_answer)?;
            self.data.extend_from_slice(piece.data);
            bytes = &bytes[piece.consumed..];
        }
        Ok(())
    }
}

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HowFar {
    /// Not a byte.
    Nothing,
    /// A part of the head, or interim answers.
    Head,
    /// The head, and maybe a part of the body.
    Body,
}

/// A peer that is gone, once its answer has begun: whether that is whole, its framing tells.
fn is_cut(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
}

fn bad_answer(Malformed(why): Malformed) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("bad answer: {why}"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Gives a byte at a time, and then the end.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut into[..1])
        }
    }

    /// What comes of an answer in pieces of one byte, and how many of them that took.
    fn drip(bytes: &[u8]) -> (io::Result<CheckAnswer>, usize) {
        let (mut incoming, mut from) = (Incoming::default(), Drip(bytes));
        let answer = loop {
            match incoming.whole() {
                Ok(None) => {}
                Ok(Some(answer)) => break Ok(answer),
                Err(error) => break Err(error),
            }
            if let Err(error) = incoming.take(&mut from, "GET") {
                break Err(error);
            }
        };
        (answer, bytes.len() - from.0.len())
    }

    #[test]
    fn an_answer_in_single_bytes_is_had_with_its_last_one() {
        let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\r\nOK\r\n0\r\n\r\n";
        for (answer, status, body) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", 200, "OK"),
            ("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 503 X\r\nContent-Length: 1\r\n\r\nX", 503, "X"),
            ("\r\nHTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nOK", 200, "OK"),
            (chunked, 200, "OK"),
        ] {
            let (seen, taken) = drip(format!("{answer}HTTP/1.1 500 Next").as_bytes());
            let seen = seen.unwrap();
            assert_eq!((seen.status, seen.body.as_slice()), (status, body.as_bytes()), "{answer}");
            assert_eq!(taken, answer.len(), "{answer}");
        }
    }

    /// One thread has all checks, and looked at all that had come with each byte.
    #[test]
    fn an_answer_in_single_bytes_costs_what_it_weighs() {
        let began = Instant::now();
        let field = format!("X: {}\r\n", "x".repeat(100_000));
        let long = "x".repeat(BODY_MAX);
        for head in ["", &field] {
            let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n{long}");
            let (seen, _) = drip(answer.as_bytes());
            assert_eq!(seen.unwrap().body, long.as_bytes());
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
    }

    #[test]
    fn what_is_no_answer_is_known_from_its_beginning() {
        let (seen, taken) = drip("SSH-2.0-OpenSSH_9.2\r\n".as_bytes());
        assert!(seen.is_err() && taken < 10, "{taken}");
    }

    #[test]
    fn a_body_that_ends_early_is_none() {
        for answer in
            ["Content-Length: 3\r\n\r\nOK", "Transfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n"]
        {
            let (seen, _) = drip(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes());
            let told = seen.unwrap_err().to_string();
            assert_eq!(told, "bad answer: the connection closed inside a body");
        }
    }
}
