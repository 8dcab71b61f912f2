//! A connection in the clear or through TLS, as its socket is: where that does not block, each call
//! says `WouldBlock` and is to be made again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Connector, Session};

/// How much longer than its deadline a call may last: so exchange after exchange with a like
/// deadline needs no system call but its own.
const SLACK: Duration = Duration::from_millis(10);

/// A socket, and the TLS on it if there is any.
pub struct Stream {
    /// Shared with whoever may have to shut it down.
    socket: Arc<TcpStream>,
    session: Option<Box<Session>>,
    until: Option<Instant>,
    timeouts: SocketTimeouts,
}

/// What the socket's own timeouts were last set to.
#[derive(Clone, Copy, Default)]
struct SocketTimeouts {
    read: Option<Duration>,
    write: Option<Duration>,
}

impl Stream {
    /// Takes a connected socket; the handshake comes with the first read or write.
    pub fn new(socket: TcpStream, connector: Option<&Connector>) -> io::Result<Self> {
        let session = connector.map(Connector::session).transpose()?.map(Box::new);
        Ok(Self { socket: Arc::new(socket), session, until: None, timeouts: Default::default() })
    }

    /// Whatever is read and written from now on goes through TLS, its handshake first. What was
    /// read ahead of it in the clear is for the caller to refuse.
    ///
    /// # Errors
    /// Those of TLS that is to be set up.
    pub fn begin_tls(&mut self, connector: &Connector) -> io::Result<()> {
        self.session = Some(Box::new(connector.session()?));
        Ok(())
    }

    /// The socket, for its timeouts and addresses.
    pub fn socket(&self) -> &Arc<TcpStream> {
        &self.socket
    }

    /// True unless it is in the clear.
    pub fn is_tls(&self) -> bool {
        self.session.is_some()
    }

    /// From now on no call lasts longer than until then, or 10 ms more; it fails with `WouldBlock`.
    /// Whoever sets one leaves the socket's own timeouts alone. Without one these hold, and TLS may
    /// make several reads of one: a peer that drips a record byte by byte takes as long as it
    /// likes.
    pub fn set_deadline(&mut self, until: Option<Instant>) {
        self.until = until;
    }

    /// Goes on with the handshake until it is done; in the clear there is none.
    pub fn handshake(&mut self) -> io::Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let mut socket = Timed::new(&self.socket, self.until, &mut self.timeouts);
        match session.handshake(&mut socket)? {
            true => Ok(()),
            false => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Drop for Stream {
    /// Tells the peer that nothing will follow, if the socket takes that at once.
    fn drop(&mut self) {
        if let Some(session) = &mut self.session
            && self.socket.set_nonblocking(true).is_ok()
        {
            session.close(&mut Timed::new(&self.socket, None, &mut self.timeouts));
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut socket = Timed::new(&self.socket, self.until, &mut self.timeouts);
        match &mut self.session {
            Some(session) => session.read(&mut socket, into),
            None => socket.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = Timed::new(&self.socket, self.until, &mut self.timeouts);
        match &mut self.session {
            Some(session) => match session.write(&mut socket, bytes, false) {
                Ok(0) if !bytes.is_empty() => Err(ErrorKind::WouldBlock.into()),
                other => other,
            },
            None => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The socket during a call. Each read and write may take what is left of the time.
struct Timed<'s> {
    socket: &'s TcpStream,
    until: Option<Instant>,
    timeouts: &'s mut SocketTimeouts,
}

impl<'s> Timed<'s> {
    fn new(
        socket: &'s TcpStream,
        until: Option<Instant>,
        timeouts: &'s mut SocketTimeouts,
    ) -> Self {
        Self { socket, until, timeouts }
    }
}

/// Sets a timeout, if there is a deadline and what was `last` set will not do.
fn hurry(
    until: Option<Instant>,
    last: &mut Option<Duration>,
    set: impl FnOnce(Option<Duration>) -> io::Result<()>,
) -> io::Result<()> {
    let Some(until) = until else { return Ok(()) };
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::WouldBlock.into());
    }
    let slack = SLACK.min(left / 8);
    if !last.is_some_and(|last| (left..=left + slack).contains(&last)) {
        set(Some(left))?;
        *last = Some(left);
    }
    Ok(())
}

impl Read for Timed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        hurry(self.until, &mut self.timeouts.read, |left| self.socket.set_read_timeout(left))?;
        self.socket.read(into)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        hurry(self.until, &mut self.timeouts.write, |left| self.socket.set_write_timeout(left))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
