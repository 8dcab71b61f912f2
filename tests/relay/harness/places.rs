//! Addresses for a configuration to name: where someone serves, where nobody does, and where a
//! connection is never made.

use super::{Backend, Wire};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with,
    sockopt,
};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};

/// An address on the loopback, as an `[[applications]]` table has it.
pub trait Place {
    fn port(&self) -> u16;

    fn host(&self) -> &str {
        "127.0.0.1"
    }

    /// Further keys, one a line.
    fn keys(&self) -> &str {
        ""
    }
}

/// A place with further keys, such as `backup = true`.
pub struct Keyed<'p>(pub &'p dyn Place, pub &'p str);

impl Place for Keyed<'_> {
    fn port(&self) -> u16 {
        self.0.port()
    }

    fn host(&self) -> &str {
        self.0.host()
    }

    fn keys(&self) -> &str {
        self.1
    }
}

/// A place under another host name or address.
pub struct Hosted<'p>(pub &'p dyn Place, pub &'static str);

impl Place for Hosted<'_> {
    fn port(&self) -> u16 {
        self.0.port()
    }

    fn host(&self) -> &str {
        self.1
    }

    fn keys(&self) -> &str {
        self.0.keys()
    }
}

/// A port that is held, so that nobody else gets it, and refuses connections.
pub struct Vacant {
    socket: OwnedFd,
    port: u16,
}

/// A port that takes no connection and refuses none: its backlog is full.
pub struct BlackHole {
    listener: OwnedFd,
    _waiting: Vec<OwnedFd>,
    port: u16,
}

impl Vacant {
    pub fn new() -> Self {
        Self::at(0)
    }

    pub(super) fn at(port: u16) -> Self {
        let socket = socket(SocketFlags::CLOEXEC);
        sockopt::set_socket_reuseaddr(&socket, true).unwrap();
        bind(&socket, &loopback(port)).unwrap();
        let port = port_of(&socket);
        Self { socket, port }
    }

    /// Begins to serve there.
    pub fn open(self, script: impl Fn(&mut Wire) + Send + Sync + 'static) -> Backend {
        listen(&self.socket, 128).unwrap();
        Backend::on(TcpListener::from(self.socket), move |_, wire| script(wire))
    }
}

impl BlackHole {
    pub fn new() -> Self {
        Self::at(loopback(0))
    }

    pub fn at(address: SocketAddrV4) -> Self {
        let listener = socket(SocketFlags::CLOEXEC);
        bind(&listener, &address).unwrap();
        listen(&listener, 0).unwrap();
        let port = port_of(&listener);
        let address = SocketAddrV4::new(*address.ip(), port);
        // The kernel takes one more than the backlog says; the rest hang in their handshake.
        let waiting = (0..4).map(|_| {
            let client = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
            let tried = connect(&client, &address);
            assert!(matches!(tried, Ok(()) | Err(Errno::INPROGRESS)), "{tried:?}");
            client
        });
        Self { _waiting: waiting.collect(), listener, port }
    }

    /// Begins to serve there: whoever still tries comes in.
    pub fn open(self, script: impl Fn(&mut Wire) + Send + Sync + 'static) -> Backend {
        listen(&self.listener, 128).unwrap();
        Backend::on(TcpListener::from(self.listener), move |_, wire| script(wire))
    }
}

impl Place for Vacant {
    fn port(&self) -> u16 {
        self.port
    }
}

impl Place for BlackHole {
    fn port(&self) -> u16 {
        self.port
    }
}

impl Place for u16 {
    fn port(&self) -> u16 {
        *self
    }
}

fn socket(flags: SocketFlags) -> OwnedFd {
    socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap()
}

fn loopback(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

fn port_of(socket: &OwnedFd) -> u16 {
    SocketAddr::try_from(getsockname(socket).unwrap()).unwrap().port()
}
