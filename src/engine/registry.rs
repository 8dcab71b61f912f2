//! What a socket asks of the Lot: a slot, what events have announced, and to be watched.
//!
//! The Lot is made for one type of task, and a socket is a part of such a task: through this trait
//! it need not know which. A call through it costs a nanosecond or two, a step makes two of them.

use super::slots::{Key, Owner, Ready};
use std::io;
use std::os::fd::BorrowedFd;

/// The Lot, as sockets and those who ring others see it.
pub(crate) trait Registry: Send + Sync {
    /// Gives a socket its slot and watches it from now on, edge-triggered: for room to write too,
    /// if `writes`. Its events wake `owner`. Fails when a table is full.
    fn enter(&self, socket: BorrowedFd<'_>, owner: Owner, writes: bool) -> io::Result<Key>;

    /// Watches a socket that has entered for room to write, too.
    fn watch_writes(&self, socket: BorrowedFd<'_>, key: Key) -> io::Result<()>;

    /// Makes `owner` the one whom the socket's events wake, and takes the bits in the same breath
    /// (law 5).
    fn bind(&self, key: Key, owner: Owner) -> Ready;

    /// Takes the bits, which license the caller's next reads and writes (law 2).
    fn take_ready(&self, key: Key) -> Ready;

    /// The socket is about to close: events that are still under way for it wake nobody (law 8).
    fn leave(&self, key: Key);

    /// Has the task at `home` stepped: somebody else has made way for it.
    fn ring(&self, home: Key);
}
