//! One direction of a tunnel: bytes as they come, and the end behind them.

use crate::engine::{Outbox, Read, Stream};
use crate::relay::kit::Context;
use std::io::{self, ErrorKind};

/// How much is read at a time, and so the most that each side's outbox holds beyond what it begins
/// with.
const READ_MAX: usize = 64 * 1024;

/// One direction.
pub(super) struct Way {
    pub(super) out: Outbox,
    /// The source has ended, and the end is to be passed on.
    is_ending: bool,
    /// It has been; or nobody takes its bytes any more.
    pub(super) ended: bool,
    /// The other direction has ended: the close that follows says that this one has, too.
    pub(super) is_last: bool,
    /// Whoever was to take them broke off.
    pub(super) broken: bool,
    pub(super) bytes: u64,
}

/// Who broke off, as one direction sees it.
pub(super) enum Broken {
    Source,
    /// The same, where it closed and left out the end of its TLS.
    Cut,
    Sink,
}

impl Broken {
    fn source(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Self::Cut,
            _ => Self::Source,
        }
    }
}

impl Way {
    /// Which begins with what waits there.
    pub(super) fn of(out: Outbox) -> Self {
        Self { out, is_ending: false, ended: false, is_last: false, broken: false, bytes: 0 }
    }

    /// Moves bytes from `from` to `to`; true when something moved.
    pub(super) fn carry(
        &mut self,
        from: &mut Stream,
        to: &mut Stream,
        cx: &mut Context,
        buf: &mut [u8],
    ) -> Result<bool, Broken> {
        let mut moved = false;
        loop {
            moved |= self.out.drain_to(to).map_err(|_| Broken::Sink)? > 0;
            if self.ended || !self.out.is_flushed() || cx.is_spent() {
                return Ok(moved);
            }
            match from.read(&mut buf[..READ_MAX]).map_err(|error| Broken::source(&error))? {
                Read::WouldBlock => return Ok(moved),
                Read::End => {
                    self.is_ending = true;
                    let is_said = if self.is_last { to.say_end() } else { to.finish_writes() };
                    if !is_said {
                        return Ok(moved); // it is read again once there is room
                    }
                    self.ended = true;
                }
                Read::Bytes(n) => {
                    cx.spend(n);
                    self.bytes += n as u64;
                    self.out.send(to, &buf[..n]).map_err(|_| Broken::Sink)?;
                }
            }
            moved = true;
        }
    }

    /// True once the source has ended, or nobody takes its bytes any more.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending || self.ended
    }

    /// True while bytes, or the end, wait for the one who is to take them.
    pub(super) fn is_stuck(&self) -> bool {
        !self.out.is_flushed() || (self.is_ending && !self.ended)
    }

    pub(super) fn break_off(&mut self) {
        (self.out, self.ended, self.broken) = (Outbox::default(), true, true);
    }
}
