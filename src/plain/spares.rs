//! Descriptors held back by a server that must answer when its process has none left: it lets go of
//! one, and has it for the client that waits.
//!
//! Others of the process may be faster and take it. So the server asks again, and a connection that
//! ends leaves its own descriptor here, without giving it to the process in between.

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::{DupFlags, dup3};

/// The spare descriptors of one server.
pub(super) struct Spares {
    wanted: usize,
    /// Copies of the listening socket's: they open nothing.
    held: Mutex<Vec<OwnedFd>>,
}

impl Spares {
    pub(super) fn new(wanted: usize) -> Self {
        Self { wanted, held: Mutex::default() }
    }

    /// Takes as many as are wanted, or as there are.
    pub(super) fn fill(&self, listener: &OwnedFd) {
        let mut held = self.held();
        while held.len() < self.wanted {
            let Ok(copy) = listener.try_clone() else { return };
            held.push(copy);
        }
    }

    /// Lets go of one; false if there is none.
    pub(super) fn release(&self) -> bool {
        self.held().pop().is_some()
    }

    /// Closes a connection that is over, and keeps its descriptor if one is wanted.
    pub(super) fn keep(&self, socket: Arc<TcpStream>, listener: &OwnedFd) {
        let mut held = self.held();
        if held.len() >= self.wanted {
            return;
        }
        let Some(mut descriptor) = Arc::into_inner(socket).map(OwnedFd::from) else { return };
        if dup3(listener, &mut descriptor, DupFlags::CLOEXEC).is_ok() {
            held.push(descriptor);
        }
    }

    fn held(&self) -> MutexGuard<'_, Vec<OwnedFd>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
