//! What can go wrong before a backend has taken a TCP client's connection, and whose doing it is.

use crate::blame::Blame;
use crate::log::Cause;
use crate::pool::{Fault, Setback, Unavailable};
use crate::relay::queue::{NO_PLACE_IN_TIME, line_is_full};
use crate::relay::tunnel::TAKEN_OUT;
use std::fmt;
use std::io;

/// Why a passage cannot go on as it is.
pub(super) enum Trouble {
    /// The client has left.
    Left,
    /// No route leads it to a pool.
    NoRoute,
    /// No backend can take it.
    NoBackend(Unavailable),
    /// Every backend is full, or the pool is paused, and the line of those who wait is full.
    QueueFull { is_paused: bool },
    /// No place came free in time.
    QueueLate,
    /// A pause holds it, and it can wait no longer.
    Held,
    /// The backend was set to maint, and the time is up for what is in flight there.
    TakenOut,
    /// We are out of descriptors or memory (law 10): no backend's fault.
    Ours(io::Error),
    /// We are out of ports towards this backend: not its fault, and another may do.
    NoWay(io::Error),
    /// There is no connection to the backend.
    Connect(io::Error),
    /// There was none in time; in words.
    Late(String),
}

impl Trouble {
    /// A connect, or the handshake after it, failed.
    pub(super) fn connect(error: io::Error) -> Self {
        match Blame::of(&error) {
            Blame::Ours => Self::Ours(error),
            Blame::OurWay => Self::NoWay(error),
            Blame::Theirs => Self::Connect(error),
        }
    }

    /// What it means for the choice of another backend; none where that would not help.
    pub(super) fn setback(&self) -> Option<Setback> {
        match self {
            Self::Connect(_) | Self::Late(_) => Some(Setback::Fault(Fault::Connect)),
            // No try at all: nothing has left.
            Self::NoWay(_) | Self::TakenOut => Some(Setback::NoWay),
            _ => None,
        }
    }

    /// What the access log says.
    pub(super) fn cause(&self) -> Cause {
        match self {
            Self::Left => Cause::ClientGone,
            Self::NoRoute => Cause::Refused,
            Self::NoBackend(_) | Self::QueueFull { .. } => Cause::NoBackend,
            Self::QueueLate | Self::Held => Cause::QueueTimeout,
            Self::TakenOut => Cause::TakenOut,
            Self::Ours(_) | Self::NoWay(_) => Cause::Exhausted,
            Self::Connect(_) => Cause::ConnectFailed,
            Self::Late(_) => Cause::ConnectTimeout,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("the client left"),
            Self::NoRoute => f.write_str("no route leads from there to a pool"),
            Self::NoBackend(none) => none.fmt(f),
            Self::QueueFull { is_paused } => f.write_str(line_is_full(*is_paused)),
            Self::QueueLate => f.write_str(NO_PLACE_IN_TIME),
            Self::Held => {
                f.write_str("connections are held by a pause, and this one could wait no longer")
            }
            Self::TakenOut => f.write_str(TAKEN_OUT),
            Self::Ours(error) | Self::NoWay(error) => {
                write!(f, "the load balancer is out of resources: {error}")
            }
            Self::Connect(error) => write!(f, "connect failed: {error}"),
            Self::Late(what) => f.write_str(what),
        }
    }
}
