//! What is read and written on a connection: the socket itself, or TLS on it.
//!
//! Everything above it is the same for both. A read or write that waits for the handshake goes on
//! with it, so no step has to know of one. Law 2 holds through TLS too: a session may have bytes in
//! hand of which no event will tell, so a read opens all that came before it answers `WouldBlock`,
//! and `may_read` asks the session as well as the socket.
//!
//! A write through TLS has a trap. Once bytes are sealed they must go out, though the socket may
//! not take them now. The session keeps such a record and counts its last byte as written only when
//! all has gone out: the caller sees that it has begun, and that it is not done. So it must offer
//! what is left again as it is, which an `Outbox` does.

use super::registry::Registry;
use super::slots::{Key, Owner};
use super::socket::{Read, Socket};
use crate::tls::{Acceptor, Connector, Session};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A connection to a client or to a backend. Closed when dropped.
pub(crate) struct Stream {
    socket: Socket,
    /// None in the clear. In a box, as most connections have none and thousands wait.
    session: Option<Box<Session>>,
}

impl Stream {
    /// That of a client who was let in.
    pub(crate) fn accepted(fd: OwnedFd, lot: Arc<dyn Registry>, tls: Option<&Acceptor>) -> Self {
        let session = tls.map(|acceptor| Box::new(acceptor.session()));
        Self { socket: Socket::accepted(fd, lot), session }
    }

    /// That to a backend, whose connect may be under way; `ahead` goes out in the clear, before all
    /// else. Fails when there is no chance to draw.
    pub(crate) fn connecting(
        fd: OwnedFd,
        lot: Arc<dyn Registry>,
        tls: Option<&Connector>,
        ahead: Box<[u8]>,
    ) -> io::Result<Self> {
        let session = tls.map(Connector::session).transpose()?.map(Box::new);
        Ok(Self { socket: Socket::connecting(fd, lot, ahead), session })
    }

    /// As [`Socket::key`].
    pub(crate) fn key(&mut self, owner: Owner) -> io::Result<Key> {
        self.socket.key(owner)
    }

    /// True for the connection whose socket lives in this slot.
    pub(crate) fn has(&self, key: Key) -> bool {
        self.socket.has(key)
    }

    /// As [`Socket::bind`].
    pub(crate) fn bind(&mut self, owner: Owner) {
        self.socket.bind(owner);
    }

    /// As [`Socket::refresh`]: every step begins with it.
    pub(crate) fn refresh(&mut self) {
        self.socket.refresh();
    }

    /// True when a read may bring something: bytes, the end, or an error.
    pub(crate) fn may_read(&self) -> bool {
        let holds = |session: &Session| session.holds_plain();
        self.socket.may_read() || self.session.as_deref().is_some_and(holds)
    }

    /// As [`Socket::has_hung_up`].
    pub(crate) fn has_hung_up(&self) -> bool {
        self.socket.has_hung_up()
    }

    /// True when the connection is known to be reset or closed in both directions.
    pub(crate) fn is_broken(&self) -> bool {
        self.socket.is_broken()
    }

    /// As [`Socket::peek`]: what comes ahead of TLS, if that is spoken.
    pub(crate) fn peek_ahead(&mut self, into: &mut [u8]) -> io::Result<Read> {
        self.socket.peek(into)
    }

    /// As [`Socket::await_more`].
    pub(crate) fn await_more(&mut self) -> bool {
        self.socket.await_more()
    }

    /// Takes bytes that were peeked: so many, and none that follow.
    pub(crate) fn take_ahead(&mut self, mut peeked: &mut [u8]) -> io::Result<()> {
        while !peeked.is_empty() {
            match self.socket.read(peeked)? {
                Read::Bytes(n) => peeked = &mut peeked[n..],
                Read::End | Read::WouldBlock => return Err(ErrorKind::UnexpectedEof.into()),
            }
        }
        Ok(())
    }

    /// Our own end of it.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.socket.local_address()
    }

    /// Reads at most `into.len()` bytes.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<Read> {
        let Some(session) = &mut self.session else {
            return self.socket.read(into);
        };
        match session.read(&mut Raw { socket: &mut self.socket, last: false }, into) {
            Ok(0) => Ok(Read::End),
            Ok(n) => Ok(Read::Bytes(n)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Read::WouldBlock),
            Err(error) => Err(error),
        }
    }

    /// Writes what fits; 0 when nothing does. What did not is to be offered again as it is.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.session {
            None => self.socket.write(bytes),
            Some(session) => {
                session.write(&mut Raw { socket: &mut self.socket, last: false }, bytes, false)
            }
        }
    }

    /// Writes what fits of the last bytes before the close, which is to follow at once.
    pub(crate) fn write_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.session {
            None => self.socket.write_last(bytes),
            Some(session) => {
                session.write(&mut Raw { socket: &mut self.socket, last: true }, bytes, true)
            }
        }
    }

    /// Goes on with the handshake; true once it is done, and at once where there is none.
    pub(crate) fn handshake(&mut self) -> io::Result<bool> {
        match &mut self.session {
            None => Ok(true),
            Some(session) => session.handshake(&mut Raw { socket: &mut self.socket, last: false }),
        }
    }

    /// Goes on with a connect, and with the handshake after it, if there is one: true once both are
    /// done. Where nothing else is written, nothing else would tell. What goes ahead goes out.
    pub(crate) fn establish(&mut self) -> io::Result<bool> {
        Ok(self.socket.establish()? && self.handshake()?)
    }

    /// True unless it is in the clear.
    pub(crate) fn is_secure(&self) -> bool {
        self.session.is_some()
    }

    /// True while it is the peer's turn to go on with the handshake.
    pub(crate) fn awaits_handshake(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.awaits_handshake())
    }

    /// True when the peer began with a request in the clear, where TLS was to be spoken.
    pub(crate) fn is_plain_spoken(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_plain_spoken())
    }

    /// From here on in the clear: the handshake has failed, and there are last words to say.
    /// Returns what was received and makes no TLS.
    pub(crate) fn leave_tls(&mut self) -> Vec<u8> {
        self.session.take().map(|session| session.into_received()).unwrap_or_default()
    }

    /// Tells the peer that this is the end, and no cut, before a close that follows. In the clear
    /// the close says it. False while the socket does not take it: to be said again.
    pub(crate) fn say_end(&mut self) -> bool {
        let session = self.session.as_deref_mut();
        session.is_none_or(|one| one.close(&mut Raw { socket: &mut self.socket, last: true }))
    }

    /// Says that nothing more will be written; false as for [`say_end`](Self::say_end). An error
    /// means that the peer knows already.
    pub(crate) fn finish_writes(&mut self) -> bool {
        let is_said = self.say_end();
        if is_said {
            self.socket.finish_writes();
        }
        is_said
    }

    /// Likewise, where the last message was cut short: through TLS the end is not announced, so
    /// that nobody takes it for a good one (RFC 9112 9.8).
    pub(crate) fn cut_writes(&self) {
        self.socket.finish_writes();
    }

    /// Makes the close a reset, for a client that could not tell the close from a good end.
    pub(crate) fn reset_on_close(&self) {
        self.socket.reset_on_close();
    }

    /// True when an idle connection is still silent and open: nothing to read, not even the end.
    pub(crate) fn is_silent(&mut self) -> bool {
        let drained = |session: &Session| session.is_drained();
        self.session.as_deref().is_none_or(drained) && self.socket.is_silent()
    }
}

impl Stream {
    /// True when the peer has closed an idle connection. Through TLS an end has words of its own
    /// before it: whatever comes is taken for them.
    pub(crate) fn has_ended(&self) -> bool {
        self.session.is_some() || self.socket.has_ended()
    }
}

/// The socket as TLS sees it: a reader and writer that does not block.
struct Raw<'s> {
    socket: &'s mut Socket,
    last: bool,
}

impl io::Read for Raw<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.socket.read(into)? {
            // A signal came in between. To a reader 0 bytes would be the end.
            Read::Bytes(0) => Err(ErrorKind::Interrupted.into()),
            Read::Bytes(n) => Ok(n),
            Read::End => Ok(0),
            Read::WouldBlock => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl io::Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.last {
            true => self.socket.write_last(bytes),
            false => self.socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
