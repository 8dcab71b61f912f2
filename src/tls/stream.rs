//! A connection that blocks, in the clear or through TLS: for those who have a thread for it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use super::{Connector, Session};

/// A socket, and the TLS on it if there is any. Its timeouts are the socket's.
pub struct Stream {
    socket: TcpStream,
    session: Option<Box<Session>>,
}

impl Stream {
    /// Takes a connected socket; the handshake comes with the first read or write.
    pub fn new(socket: TcpStream, connector: Option<&Connector>) -> io::Result<Self> {
        let session = connector.map(Connector::session).transpose()?.map(Box::new);
        Ok(Self { socket, session })
    }

    /// The socket, for its timeouts and addresses.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// True until both ends have proved who they are; never in the clear.
    pub fn is_handshaking(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_handshaking())
    }

    /// Goes on with the handshake until it is done, or a read or write took too long.
    pub fn handshake(&mut self) -> io::Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        match session.handshake(&mut self.socket)? {
            true => Ok(()),
            false => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.session {
            Some(session) => session.read(&mut self.socket, into),
            None => self.socket.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.session {
            Some(session) => match session.write(&mut self.socket, bytes, false) {
                Ok(0) if !bytes.is_empty() => Err(ErrorKind::WouldBlock.into()),
                other => other,
            },
            None => self.socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}
