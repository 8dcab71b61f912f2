//! The places where operators may ask, taken at the start and answered later.
//!
//! Called by the balancer, before the process is another user's; the endpoint answers there.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use super::socket::{self, CannotBind, UnixSocket, default_path};
use crate::config::{AdminSocket, Config};

/// Its places, bound and not answered yet: what root alone may bind, it binds before it is somebody
/// else; threads come after that.
pub struct Bound {
    pub(super) socket: Option<UnixSocket>,
    pub(super) listener: Option<TcpListener>,
    /// Why there is no socket.
    pub(super) warning: Option<String>,
    /// A predecessor has the places where operators ask, for now.
    pub(super) is_waiting: bool,
}

impl Bound {
    /// Takes the places. `port` is where clients are served, after which a default socket is named.
    /// A predecessor at the socket `taken` keeps its places for now: they are taken over later.
    ///
    /// # Errors
    /// A sentence that says what is in the way, and what to do.
    pub fn bind(config: &Config, port: u16, taken: Option<&Path>) -> Result<Self, String> {
        let (socket, warning) = bind_socket(config, port, taken)?;
        let is_waiting = taken.is_some();
        let listen = config.admin.listen.filter(|_| !is_waiting);
        let listener = listen.map(|at| listen_at(config, at)).transpose()?;
        Ok(Self { socket, listener, warning, is_waiting })
    }

    /// Makes the socket that of another user, who alone (with root) may then ask there.
    ///
    /// # Errors
    /// As the system says it.
    pub fn give_to(&self, user: (u32, u32)) -> io::Result<()> {
        self.socket.as_ref().map_or(Ok(()), |socket| socket.give_to(user))
    }
}

/// Why there is no listener, in words.
pub fn cannot_listen(config: &Config, address: SocketAddr, error: &io::Error) -> String {
    let what = format!("cannot listen on {address}: {error}; choose another");
    config.wrong(&["admin.listen"], &address.to_string(), what).to_string()
}

/// Why there is no socket, in words. `said` is what the file says of its place.
pub fn cannot_bind(config: &Config, said: &str, why: &CannotBind) -> String {
    config.wrong(&["admin.socket"], said, why.to_string()).to_string()
}

/// A listening socket, or a sentence that says what is in the way.
pub(super) fn listen_at(config: &Config, address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|error| cannot_listen(config, address, &error))
}

/// A default place that cannot be had is no more than a pity: then there is none, and a sentence.
fn bind_socket(
    config: &Config,
    port: u16,
    taken: Option<&Path>,
) -> Result<(Option<UnixSocket>, Option<String>), String> {
    let beside = |path: &Path| match taken {
        Some(taken) if taken == path => socket::aside(path),
        _ => path.to_owned(),
    };
    let path = match &config.admin.socket {
        AdminSocket::Off => return Ok((None, None)),
        AdminSocket::At(path) => {
            let why = |why| cannot_bind(config, &path.display().to_string(), &why);
            return Ok((Some(UnixSocket::bind(&beside(path)).map_err(why)?), None));
        }
        AdminSocket::Auto => default_path(port),
    };
    let without = |why: &str| {
        let remedy = "no admin socket; set [admin] socket to a path, or to \"off\"";
        Ok((None, Some(format!("{why}: {remedy}"))))
    };
    let Some(path) = path else {
        return without("neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR is set");
    };
    match UnixSocket::bind_default(&beside(&path)) {
        Ok(socket) => Ok((Some(socket), None)),
        Err(why) if why.is_taken => Err(cannot_bind(config, "auto", &why)),
        Err(why) => without(&why.to_string()),
    }
}
