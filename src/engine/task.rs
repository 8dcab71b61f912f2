//! What the engine asks of a task, and what a step leaves behind.
//!
//! A task is a connection as a value: it says itself what it waits for. Between steps it is parked
//! in the Lot and costs no thread; a step moves it as far as it goes without waiting.

use super::desk::Desk;
use super::room::Resting;
use super::slots::Key;
use std::io;
use std::time::Duration;

/// A connection as a value, whatever it is about.
pub(crate) trait Task: Sized + Send + 'static {
    /// What the steps of these tasks use beside the [`Desk`]: each worker has one.
    type Kit;

    /// Moves the task as far as it goes without waiting. `buf` is the worker's, and holds nothing
    /// between steps.
    fn step(self, desk: &mut Desk<Self::Kit>, buf: &mut [u8]) -> Next<Self>;

    /// The slot where the task is parked. Registers its socket when this is the first time that it
    /// must wait; fails when there is no room for that.
    fn home(&mut self) -> io::Result<Key>;

    /// Since when it has only kept a place, and where; none while it is in the middle of something.
    fn resting(&self) -> Option<Resting>;

    /// It cannot be parked, so nobody would ever step it again: its end.
    fn lose(self, error: &io::Error, desk: &mut Desk<Self::Kit>);

    /// A socket that belongs to no task, and rests in the list of this number, has had an event.
    fn stirred(list: u32, key: Key, desk: &mut Desk<Self::Kit>);

    /// A step has panicked; its task is gone.
    fn panicked(desk: &mut Desk<Self::Kit>);
}

/// What a step leaves behind, in words that name no neighbour: `S` is the state that was stepped,
/// `N` what may follow it. So a state need not know how the next one is made; whoever knows all of
/// them puts them together.
pub(crate) enum Next<S, N = S> {
    /// The state is over, and this one follows; it may be able to go on at once.
    Go(N),
    /// Wait for an event of the task's sockets, or until this time on the server's clock.
    Park(S, Duration),
    /// The step has moved its share of bytes: let others go first.
    Queue(S),
    /// The connection is over.
    Done,
}

impl<S, N> Next<S, N> {
    /// The same for a larger whole: what `same` makes of the state, or `next` of what follows it.
    pub(crate) fn map<T>(
        self,
        same: impl FnOnce(S) -> T,
        next: impl FnOnce(N) -> Next<T>,
    ) -> Next<T> {
        match self {
            Self::Go(following) => next(following),
            Self::Park(state, deadline) => Next::Park(same(state), deadline),
            Self::Queue(state) => Next::Queue(same(state)),
            Self::Done => Next::Done,
        }
    }
}
