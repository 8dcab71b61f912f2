//! A connection in the clear or through TLS, as its socket is: where that does not block, each call
//! says `WouldBlock` and is to be made again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use super::{Connector, Session};

/// A socket, and the TLS on it if there is any.
pub struct Stream {
    /// Shared with whoever may have to shut it down.
    socket: Arc<TcpStream>,
    session: Option<Box<Session>>,
    until: Option<Instant>,
}

impl Stream {
    /// Takes a connected socket; the handshake comes with the first read or write.
    pub fn new(socket: TcpStream, connector: Option<&Connector>) -> io::Result<Self> {
        let session = connector.map(Connector::session).transpose()?.map(Box::new);
        Ok(Self { socket: Arc::new(socket), session, until: None })
    }

    /// The socket, for its timeouts and addresses.
    pub fn socket(&self) -> &Arc<TcpStream> {
        &self.socket
    }

    /// True unless it is in the clear.
    pub fn is_tls(&self) -> bool {
        self.session.is_some()
    }

    /// From now on no call lasts longer than until then; it fails with `WouldBlock`. Without a
    /// deadline the socket's own timeouts hold, and TLS may make several reads of one: a peer that
    /// drips a record byte by byte takes as long as it likes.
    pub fn set_deadline(&mut self, until: Option<Instant>) {
        self.until = until;
    }

    /// Goes on with the handshake until it is done; in the clear there is none.
    pub fn handshake(&mut self) -> io::Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        match session.handshake(&mut Timed { socket: &self.socket, until: self.until })? {
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
            session.close(&mut Timed { socket: &self.socket, until: None });
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut socket = Timed { socket: &self.socket, until: self.until };
        match &mut self.session {
            Some(session) => session.read(&mut socket, into),
            None => socket.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = Timed { socket: &self.socket, until: self.until };
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
}

impl Timed<'_> {
    /// Sets a timeout, if there is a deadline.
    fn hurry(&self, set: SetTimeout) -> io::Result<()> {
        let Some(until) = self.until else { return Ok(()) };
        let left = until.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(ErrorKind::WouldBlock.into()),
            false => set(self.socket, Some(left)),
        }
    }
}

type SetTimeout = fn(&TcpStream, Option<std::time::Duration>) -> io::Result<()>;

impl Read for Timed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.hurry(TcpStream::set_read_timeout)?;
        self.socket.read(into)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hurry(TcpStream::set_write_timeout)?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
