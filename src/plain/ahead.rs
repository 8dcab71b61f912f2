//! What was read from a socket and not used yet. Whoever reads heads and bodies has one; it must
//! never read while there is enough to go on with.

use std::io::{self, ErrorKind, Read};

/// The first buffer: most heads and many an answer fit.
const BYTES_MIN: usize = 4 * 1024;
/// It grows up to this while reads fill it: what comes fast comes with few calls.
const READ_BYTES_MAX: usize = 64 * 1024;

/// A buffer that is filled behind and used up in front.
pub(super) struct Ahead {
    buffer: Vec<u8>,
    /// `buffer[start..end]` was read and not used.
    start: usize,
    end: usize,
}

impl Ahead {
    pub(super) fn new() -> Self {
        Ahead { buffer: vec![0; BYTES_MIN], start: 0, end: 0 }
    }

    /// All that was read and not used.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// So many of them are used now.
    pub(super) fn used(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// Reads more, with one call; 0 is the end. Where nothing was used of a full buffer it grows
    /// without end: whoever reads on has a limit of its own, as the parsers of heads have.
    pub(super) fn fill(&mut self, source: &mut impl Read) -> io::Result<usize> {
        let was_filled = self.end == self.buffer.len();
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let is_full = self.end == self.buffer.len();
        if is_full || (was_filled && self.buffer.len() < READ_BYTES_MAX) {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        loop {
            match source.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => {
                    let read = read?;
                    self.end += read;
                    return Ok(read);
                }
            }
        }
    }
}
