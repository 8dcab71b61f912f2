//! A non-blocking socket and what is known about it: may it be read, may it be written.
//!
//! A socket is registered once, for edges: epoll tells of new bytes, not of bytes that are there.
//! So one that still holds bytes must be remembered as such, or nobody would ever read them, and
//! one that is drained need not be asked: most system calls that would find nothing are saved. The
//! danger is to forget an edge, by noting "drained" after a read although an event came meanwhile.
//! Hence law 2, which is a property of this type and not of its users' discipline: bits are taken
//! from the slot before the calls they license (`refresh`), what a call found is noted here alone
//! and never in the slot, and a read or write without a licence answers `WouldBlock` by itself.

use super::registry::Registry;
use super::slots::{Key, Owner, Ready};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// A connection to a client or to a backend. Closed when dropped.
pub(crate) struct Socket {
    fd: OwnedFd,
    lot: Arc<dyn Registry>,
    key: Option<Key>,
    /// What has been announced and not been used up yet.
    ready: Ready,
    watches_writes: bool,
    connect: Connect,
    /// To be written before all else. Short: some hundred bytes at the most.
    ahead: Box<[u8]>,
}

/// How far a connect is, as far as [`Socket::establish`] knows.
#[derive(PartialEq, Eq)]
enum Connect {
    Begun,
    /// The kernel was asked, and tells when it is over.
    UnderWay,
    Done,
}

/// What a read brought.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Read {
    Bytes(usize),
    /// The peer sends no more.
    End,
    WouldBlock,
}

impl Socket {
    /// Takes a connected, non-blocking socket. Whoever steps it first reads and writes at once, on
    /// the chance that there is something; it is registered only when it must wait.
    pub(crate) fn accepted(fd: OwnedFd, lot: Arc<dyn Registry>) -> Self {
        Self::new(fd, lot, true, Box::default())
    }

    /// Takes a socket whose connect may be under way: nothing to read yet. `ahead` goes out before
    /// whatever is written.
    pub(crate) fn connecting(fd: OwnedFd, lot: Arc<dyn Registry>, ahead: Box<[u8]>) -> Self {
        Self::new(fd, lot, false, ahead)
    }

    fn new(fd: OwnedFd, lot: Arc<dyn Registry>, read: bool, ahead: Box<[u8]>) -> Self {
        let ready = Ready { read, write: true, hangup: false, broken: false };
        let connect = Connect::Begun;
        Self { fd, lot, key: None, ready, watches_writes: false, connect, ahead }
    }

    /// The slot of this socket, registered with epoll the first time. Fails when a table is full:
    /// that is ours, never the peer's fault (law 10). What came before the registration is told by
    /// it: epoll reports what is true already as an edge.
    pub(crate) fn key(&mut self, owner: Owner) -> io::Result<Key> {
        if let Some(key) = self.key {
            return Ok(key);
        }
        self.watches_writes = !self.ready.write;
        let key = self.lot.enter(self.fd.as_fd(), owner, self.watches_writes)?;
        self.key = Some(key);
        Ok(key)
    }

    /// True for the socket that lives in this slot.
    pub(crate) fn has(&self, key: Key) -> bool {
        self.key == Some(key)
    }

    /// Makes events of this socket wake `owner`, and learns of those that came before.
    pub(crate) fn bind(&mut self, owner: Owner) {
        if let Some(key) = self.key {
            self.ready.add(self.lot.bind(key, owner));
        }
    }

    /// Learns what events have announced. Every step begins with it.
    pub(crate) fn refresh(&mut self) {
        if let Some(key) = self.key {
            self.ready.add(self.lot.take_ready(key));
        }
    }

    /// True when a read may bring something: bytes, the end, or an error.
    pub(crate) fn may_read(&self) -> bool {
        self.ready.read
    }

    /// True when the peer is known to send no more than what is here already: it has closed its
    /// side, if not both.
    pub(crate) fn has_hung_up(&self) -> bool {
        self.ready.hangup
    }

    /// True when the connection is known to be reset or closed in both directions.
    pub(crate) fn is_broken(&self) -> bool {
        self.ready.broken
    }

    /// Reads at most `into.len()` bytes.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<Read> {
        if !self.ready.read {
            return Ok(Read::WouldBlock);
        }
        let room = into.len();
        match rustix::net::recv(&self.fd, into, RecvFlags::empty()) {
            Ok((0, _)) => Ok(Read::End),
            Ok((n, _)) => {
                // Data and FIN may arrive as one edge: a short read then leaves the end unread.
                self.ready.read = n == room || self.ready.hangup;
                Ok(Read::Bytes(n))
            }
            Err(Errno::AGAIN) => {
                self.ready.read = false;
                // Nor has the peer closed: that would have read as the end. It was an old edge's.
                self.ready.hangup = false;
                Ok(Read::WouldBlock)
            }
            Err(Errno::INTR) => Ok(Read::Bytes(0)),
            Err(error) => Err(error.into()),
        }
    }

    /// What a read would bring, which stays to be read.
    pub(crate) fn peek(&mut self, into: &mut [u8]) -> io::Result<Read> {
        if !self.ready.read {
            return Ok(Read::WouldBlock);
        }
        match rustix::net::recv(&self.fd, into, RecvFlags::PEEK) {
            Ok((0, _)) => Ok(Read::End),
            Ok((n, _)) => Ok(Read::Bytes(n)),
            Err(Errno::AGAIN) => {
                (self.ready.read, self.ready.hangup) = (false, false);
                Ok(Read::WouldBlock)
            }
            Err(Errno::INTR) => Ok(Read::Bytes(0)),
            Err(error) => Err(error.into()),
        }
    }

    /// All that is here was looked at and stays: only the next event tells of more. False where
    /// none will come, as the peer sends no more.
    pub(crate) fn await_more(&mut self) -> bool {
        self.ready.read = self.ready.hangup;
        !self.ready.hangup
    }

    /// Writes what fits; 0 when nothing does.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes, SendFlags::NOSIGNAL)
    }

    /// Writes what fits of the last bytes before the close, which is to follow at once: they then
    /// share a packet with the FIN. Measured: 12 % of the cost of a connection for one request.
    pub(crate) fn write_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes, SendFlags::NOSIGNAL | SendFlags::MORE)
    }

    /// Goes on with a connect; true once it is done, and what goes ahead is out. To send nothing
    /// asks the kernel: it says `EAGAIN` while the connect is under way, and why it failed. It need
    /// not be asked again where it tells of room: a connect that failed is broken, too.
    pub(crate) fn establish(&mut self) -> io::Result<bool> {
        let is_told = self.connect == Connect::UnderWay && self.ready.write && !self.ready.broken;
        if self.connect == Connect::Done || is_told && self.ahead.is_empty() {
            self.connect = Connect::Done;
            return Ok(true);
        }
        let ahead = std::mem::take(&mut self.ahead);
        // Not to be held back for what follows: maybe nothing does, as the peer is to speak first.
        let sent = self.send_now(&ahead, SendFlags::NOSIGNAL)?;
        self.ahead = ahead[sent..].into();
        let is_done = self.ready.write && self.ahead.is_empty();
        self.connect = if is_done { Connect::Done } else { Connect::UnderWay };
        Ok(is_done)
    }

    fn send(&mut self, bytes: &[u8], flags: SendFlags) -> io::Result<usize> {
        if !self.ahead.is_empty() && !self.send_ahead()? {
            return Ok(0);
        }
        self.send_now(bytes, flags)
    }

    /// What goes ahead shares a packet with what follows at once; true when all of it is out.
    fn send_ahead(&mut self) -> io::Result<bool> {
        let ahead = std::mem::take(&mut self.ahead);
        let sent = self.send_now(&ahead, SendFlags::NOSIGNAL | SendFlags::MORE)?;
        self.ahead = ahead[sent..].into();
        Ok(self.ahead.is_empty())
    }

    fn send_now(&mut self, bytes: &[u8], flags: SendFlags) -> io::Result<usize> {
        if !self.ready.write {
            return Ok(0);
        }
        match rustix::net::send(&self.fd, bytes, flags) {
            Ok(n) if n == bytes.len() => Ok(n),
            Ok(n) => self.wait_for_room().map(|()| n),
            Err(Errno::AGAIN) => self.wait_for_room().map(|()| 0),
            Err(error) => {
                self.ready.read = true; // what the peer said before it closed may be there
                Err(error.into())
            }
        }
    }

    /// The kernel's buffer is full. A registered socket asks for the edge that tells of room; one
    /// that is not yet does so when it is registered.
    fn wait_for_room(&mut self) -> io::Result<()> {
        self.ready.write = false;
        match self.key {
            Some(key) if !self.watches_writes => {
                self.watches_writes = true;
                self.lot.watch_writes(self.fd.as_fd(), key)
            }
            _ => Ok(()),
        }
    }

    /// Says that nothing more will be written. An error means that the peer knows already.
    pub(crate) fn finish_writes(&self) {
        let _ = rustix::net::shutdown(&self.fd, Shutdown::Write);
    }

    /// Makes the close a reset, for a client that could not tell the close from a good end. To
    /// linger for no time at all means that to the kernel.
    pub(crate) fn reset_on_close(&self) {
        let _ = rustix::net::sockopt::set_socket_linger(&self.fd, Some(std::time::Duration::ZERO));
    }

    /// Our own end of it.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        rustix::net::getsockname(&self.fd).ok()?.try_into().ok()
    }

    /// True when an idle connection is still silent and open: nothing to read, not even the end.
    /// Asks the kernel, as bits may be old: an event may tell of bytes that were read before it
    /// came.
    pub(crate) fn is_silent(&mut self) -> bool {
        let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let silent = matches!(rustix::net::recv(&self.fd, &mut [0u8; 1], peek), Err(Errno::AGAIN));
        if silent {
            self.ready.read = false;
            self.ready.hangup = false;
        }
        silent
    }
}

impl Socket {
    /// True when the peer has closed or reset, and had nothing more to say.
    pub(crate) fn has_ended(&self) -> bool {
        let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(&self.fd, &mut [0u8; 1], peek) {
            Ok((n, _)) => n == 0,
            Err(error) => error != Errno::AGAIN,
        }
    }
}

impl Drop for Socket {
    /// Law 8: the generation moves on under the lock, then the descriptor closes, which takes it
    /// out of the epoll set, since nothing else holds it open.
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.lot.leave(key);
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
