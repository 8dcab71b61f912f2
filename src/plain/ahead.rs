//! What was read from a socket and not used yet. Whoever reads heads and bodies has one; it must
//! never read while there is enough to go on with.

use std::io::{self, ErrorKind, Read};

/// A buffer that is filled behind and used up in front.
pub(super) struct Ahead {
    buffer: Vec<u8>,
    /// `buffer[start..end]` was read and not used.
    start: usize,
    end: usize,
}

impl Ahead {
    /// An empty one that takes so many bytes before it grows, at least one.
    pub(super) fn new(bytes: usize) -> Self {
        Ahead { buffer: vec![0; bytes], start: 0, end: 0 }
    }

    /// All that was read and not used.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// So many of them are used now.
    pub(super) fn used(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// Reads more, with one call; 0 is the end. A full buffer grows: whoever reads on although it
    /// has so much must have a limit of its own, as the parser of heads has.
    pub(super) fn fill(&mut self, source: &mut impl Read) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end == self.buffer.len() {
            self.buffer.resize(2 * self.end, 0);
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
