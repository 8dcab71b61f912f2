//! The listening socket and its thread: accepts, and hands each connection to the workers.
//!
//! It survives every accept error. Where there is no place or no descriptor left it accepts no
//! more until there is, and the kernel's backlog holds who comes meanwhile.

use super::Shared;
use super::gate::Place;
use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// Connections that the kernel holds until they are accepted; std's listener asks for 128.
const BACKLOG: i32 = 4096;
/// Connections that wait for a worker between accept and first step.
const ARRIVALS_MAX: usize = 1024;
/// How long to leave accept alone when the process is out of descriptors.
const BACK_OFF: Duration = Duration::from_millis(50);

/// A connection that has just been accepted.
pub(crate) struct Arrival {
    pub(crate) socket: OwnedFd,
    pub(crate) peer: SocketAddr,
    pub(crate) place: Place,
}

/// A bound socket that listens, and the way to the workers.
pub struct Listener {
    socket: OwnedFd,
    address: SocketAddr,
    arrivals: (Sender<Arrival>, Receiver<Arrival>),
}

impl Listener {
    /// Binds `address` and listens. Connections wait in the backlog until a server accepts them.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let family = if address.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let tcp = Some(ipproto::TCP);
        let socket =
            rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, tcp)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        // Accepted sockets inherit it on Linux: one system call a connection saved.
        sockopt::set_tcp_nodelay(&socket, true)?;
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        let address = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
        Ok(Self {
            socket,
            address,
            arrivals: bounded(ARRIVALS_MAX),
        })
    }

    /// Where it listens; the kernel's choice if port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the workers find what was accepted.
    pub(crate) fn arrivals(&self) -> Receiver<Arrival> {
        self.arrivals.1.clone()
    }

    /// Accepts until the server drains; then takes what the backlog still holds, and closes.
    pub(crate) fn run(self, shared: &Arc<Shared>) {
        while !shared.is_draining() {
            if let Some(place) = self.place(shared) {
                self.accept(place, shared);
            }
        }
        // Shutting the socket down instead would reset what waits in its backlog (law 9).
        let _ = rustix::io::ioctl_fionbio(&self.socket, true);
        while let Some(place) = shared.gate.enter() {
            if !self.accept(place, shared) {
                break;
            }
        }
    }

    /// A place for one more connection; None when there was none for a while.
    fn place(&self, shared: &Shared) -> Option<Place> {
        shared.gate.enter().or_else(|| {
            let limit = shared.gate.limit();
            shared.say_full(limit);
            shared.gate.wait_until_at_most(limit - 1, BACK_OFF);
            None
        })
    }

    /// Accepts one connection and hands it over; false when there was none to accept.
    fn accept(&self, place: Place, shared: &Shared) -> bool {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match rustix::net::acceptfrom_with(&self.socket, flags) {
            Ok((socket, peer)) => {
                let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
                let peer = peer
                    .and_then(|peer| peer.try_into().ok())
                    .unwrap_or(unknown);
                // Waits when the workers are far behind; they never wait for this thread.
                let sent = self.arrivals.0.send(Arrival {
                    socket,
                    peer,
                    place,
                });
                shared.lot.ring_bell();
                sent.is_ok()
            }
            Err(Errno::AGAIN) => false,
            // The client gave up before its turn: nothing to say.
            Err(Errno::CONNABORTED | Errno::INTR) => true,
            Err(error) => {
                shared.say_exhausted("accepting a connection", &error.into());
                shared.stop.wait(BACK_OFF);
                true
            }
        }
    }
}

/// Ends a blocking accept with a connection of our own, which says nothing and is closed at once.
pub(crate) fn wake(address: SocketAddr) -> io::Result<()> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let patience = Duration::from_secs(1);
    TcpStream::connect_timeout(&SocketAddr::new(ip, address.port()), patience).map(drop)
}
