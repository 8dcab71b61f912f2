//! Bytes on their way to a socket, and how far they got.
//!
//! The one place where a parked task keeps what it could not write. Each user bounds what it puts
//! in: it reads on only when its outbox is empty, so that a peer which takes nothing costs the
//! memory of one read, and slows down whoever sends (backpressure).
//!
//! It is used in two ways. Towards a client what is written is forgotten (`drain_to`). Towards a
//! backend it is kept (`write_to`), since the request may have to be sent to another (`rewind`).

use super::stream::Stream;
use std::io;

/// Bytes to be written: `bytes[..at]` have been, the rest have not.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) bytes: Vec<u8>,
    at: usize,
}

impl Outbox {
    /// Uses `bytes` as they are, all unwritten.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    /// Gives its memory back if it is empty: thousands of idle clients have one each.
    pub(crate) fn release_memory(&mut self) {
        if self.is_flushed() {
            *self = Self::default();
        }
    }

    /// True when all has been written.
    pub(crate) fn is_flushed(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// True when nothing has been written.
    pub(crate) fn is_untouched(&self) -> bool {
        self.at == 0
    }

    /// Writes what fits, and returns how much that was. Keeps what was written, for `rewind`.
    pub(crate) fn write_to(&mut self, stream: &mut Stream) -> io::Result<usize> {
        if self.is_flushed() {
            return Ok(0);
        }
        let n = stream.write(&self.bytes[self.at..])?;
        self.at += n;
        Ok(n)
    }

    /// Writes what fits, returns how much that was, and forgets all once all is written.
    pub(crate) fn drain_to(&mut self, stream: &mut Stream) -> io::Result<usize> {
        let n = self.write_to(stream)?;
        if n > 0 && self.is_flushed() {
            self.forget_after(0);
        }
        Ok(n)
    }

    /// Sends `data` now if nothing is ahead of it, and keeps what the socket does not take.
    pub(crate) fn send(&mut self, stream: &mut Stream, data: &[u8]) -> io::Result<()> {
        let written = if self.is_flushed() { stream.write(data)? } else { 0 };
        self.bytes.extend_from_slice(&data[written..]);
        Ok(())
    }

    /// Likewise, with the last bytes that the socket is sent.
    pub(crate) fn send_last(&mut self, stream: &mut Stream, data: &[u8]) -> io::Result<()> {
        let written = if self.is_flushed() { stream.write_last(data)? } else { 0 };
        self.bytes.extend_from_slice(&data[written..]);
        Ok(())
    }

    /// Everything is to be written again, from the start.
    pub(crate) fn rewind(&mut self) {
        self.at = 0;
    }

    /// Drops the written bytes from `length` on; nothing may be unwritten. For a request whose body
    /// has grown too long to be kept for another try: its head is kept, for the log.
    pub(crate) fn forget_after(&mut self, length: usize) {
        debug_assert!(self.is_flushed(), "unwritten bytes are not forgotten");
        self.bytes.truncate(length);
        self.at = length;
    }
}
