//! A socket at which clients wait until a door is opened there.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Connections that the kernel holds until they are accepted; std's listener asks for 128.
const BACKLOG: i32 = 4096;
/// How long a keeper blocks before it looks around: does the door close, is there a descriptor?
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// A bound socket that listens. Clients wait in its backlog until a server opens the door.
pub struct Listener {
    socket: Arc<TcpListener>,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address` and listens.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = bound(address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(LOOK))?;
        Self::of(socket)
    }

    /// One that listens already, as [`bind`](Self::bind) has it.
    pub fn of(socket: OwnedFd) -> io::Result<Self> {
        let socket = TcpListener::from(socket);
        Ok(Self { address: socket.local_addr()?, socket: Arc::new(socket) })
    }

    /// Whether `address` could be bound now. Nobody can connect meanwhile, as nothing listens.
    pub fn try_bind(address: SocketAddr) -> io::Result<()> {
        bound(address).map(drop)
    }

    /// Where it listens; the kernel's choice if port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its socket, for as long as somebody keeps it.
    pub(super) fn kept(&self) -> Weak<TcpListener> {
        Arc::downgrade(&self.socket)
    }

    /// The next client, on a socket that does not block. `AGAIN` if none came for a while.
    pub(super) fn accept(&self) -> Result<(OwnedFd, SocketAddr), Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (socket, peer) = rustix::net::acceptfrom_with(&self.socket, flags)?;
        let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Ok((socket, peer.and_then(|peer| peer.try_into().ok()).unwrap_or(unknown)))
    }

    /// True while somebody waits in the backlog.
    pub(super) fn has_callers(&self) -> bool {
        let mut asked = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut asked, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}

fn bound(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let tcp = Some(ipproto::TCP);
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, tcp)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Accepted sockets inherit it on Linux: one system call a connection saved.
    sockopt::set_tcp_nodelay(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}
