//! Whose fault an error of the system is: one table, for whoever connects to a backend. Called by
//! the relay, the checks, the client and the load generator. Decides nothing else.
//!
//! The line runs between a shortage and an obstacle. What we have run out of comes back by itself,
//! and says nothing about the backend. What cannot be reached from here is to be left alone, be it
//! the backend that is gone or a wall in front of it: a network without a route, a firewall of our
//! own (`EACCES`, `EPERM`). So those are the backend's, as HAProxy, nginx and Envoy have it too.

use rustix::io::Errno;
use std::io;

/// Who is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// We are, for the whole machine or process: another backend would fare no better.
    Ours,
    /// We are, towards this one destination: another backend may do.
    OurWay,
    /// The backend is, as far as we can tell.
    Theirs,
}

/// Out of descriptors (the process's, the system's), of buffers or memory, and of epoll's watches
/// (`ENOSPC`, epoll_ctl(2)).
const OURS: [Errno; 5] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::NOSPC];

/// connect(2): every local port towards that address is taken, or no local address leads there
/// (`EADDRNOTAVAIL`); the one asked for is in use (`EADDRINUSE`). Ports are counted by destination:
/// 28,000 connections to one backend leave as many to the next. `EAGAIN` is not here: of a connect
/// it is said for sockets of the file system alone, and of a read it means that nothing has come.
const OUR_WAY: [Errno; 2] = [Errno::ADDRNOTAVAIL, Errno::ADDRINUSE];

impl Blame {
    /// For an error of a connect, a read or a write.
    pub fn of(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(errno) if OURS.contains(&errno) => Self::Ours,
            Some(errno) if OUR_WAY.contains(&errno) => Self::OurWay,
            _ => Self::Theirs,
        }
    }

    /// True where the backend has no part in it.
    pub fn is_ours(self) -> bool {
        self != Self::Theirs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_ours_and_an_obstacle_the_backends() {
        let blame = |errno: Errno| Blame::of(&errno.into());
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::NOSPC] {
            assert_eq!(blame(errno), Blame::Ours, "{errno}");
        }
        for errno in [Errno::ADDRNOTAVAIL, Errno::ADDRINUSE] {
            assert_eq!(blame(errno), Blame::OurWay, "{errno}");
        }
        for errno in [
            Errno::CONNREFUSED,
            Errno::CONNRESET,
            Errno::TIMEDOUT,
            Errno::PIPE,
            Errno::AGAIN,
            Errno::NETUNREACH,
            Errno::HOSTUNREACH,
            Errno::NETDOWN,
            Errno::ACCESS,
            Errno::PERM,
        ] {
            assert_eq!(blame(errno), Blame::Theirs, "{errno}");
        }
    }

    #[test]
    fn what_the_system_did_not_say_is_never_ours() {
        assert_eq!(Blame::of(&io::Error::other("a certificate")), Blame::Theirs);
        assert_eq!(Blame::of(&io::ErrorKind::UnexpectedEof.into()), Blame::Theirs);
    }
}
