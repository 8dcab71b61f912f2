//! The thread at one listening socket, which lets clients in.
//!
//! A keeper survives every error of `accept`. Where there is no place or no descriptor left it
//! waits for a client to leave, and the kernel's backlog holds who comes meanwhile. A place comes
//! free when a client leaves; a descriptor may come from anywhere, and nobody tells, so it also
//! looks again after a while.

use super::door::{Door, Doorway, Latch, Place};
use super::listener::{LOOK, Listener};
use super::lot::{Lost, Lot};
use super::pulse::Pulse;
use super::task::Task;
use rustix::io::Errno;
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What becomes of those who come in at one door, and of its keeper's complaints.
pub(crate) trait Greeter: Send + 'static {
    /// What a client's connection becomes.
    type Task: Task;

    /// A client has come in: its task, and when that is late if it hears nothing; none where it is
    /// to be stepped at once, whatever it hears.
    fn welcome(
        &self,
        socket: OwnedFd,
        peer: SocketAddr,
        place: Place,
    ) -> (Self::Task, Option<Duration>);

    /// Somebody waits outside, and every place is taken: of the house, or the most that this
    /// doorway has apart.
    fn say_full(&self, apart: Option<usize>);

    /// There is no descriptor or memory for who waits outside.
    fn say_exhausted(&self, error: &io::Error);
}

/// Opens a doorway of `door` at `listener` for at most `limit` clients, with what its thread is to
/// do: it lets them in until that doorway closes, or all do.
pub(crate) fn open_doorway<G: Greeter>(
    door: &Arc<Door>,
    (listener, limit): (Listener, usize),
    lot: &Arc<Lot<G::Task>>,
    greeter: G,
    pulse: Arc<Pulse>,
) -> (Latch, Box<dyn FnOnce() + Send>) {
    let (doorway, latch) = door.doorway(listener.kept(), limit);
    let keeper = Keeper {
        doorway,
        listener,
        lot: Arc::clone(lot),
        greeter,
        pulse,
        full_said: Cell::default(),
    };
    (latch, Box::new(move || keeper.keep()))
}

/// The thread at one listening socket.
struct Keeper<G: Greeter> {
    doorway: Arc<Doorway>,
    listener: Listener,
    lot: Arc<Lot<G::Task>>,
    greeter: G,
    pulse: Arc<Pulse>,
    /// When it was last said that somebody waits for a place.
    full_said: Cell<Option<Instant>>,
}

/// How often that is said while it stays so: it may for hours, and is no news then.
const FULL_SAID_AGAIN: Duration = Duration::from_secs(60);

impl<G: Greeter> Keeper<G> {
    /// Lets clients in until the doorway closes, then those who still stand outside.
    fn keep(self) {
        while !self.doorway.is_closing() {
            self.let_one_in();
        }
        // Asked first, so that it does not block. (A socket that does not block would not block in
        // the process that has taken it over either: that is a property of what both share.)
        while !self.is_locked() && self.listener.has_callers() && self.let_one_in() {}
    }

    fn is_locked(&self) -> bool {
        self.doorway.door.is_locked()
    }

    /// Lets the next client in, or waits a while for what it takes; false if nobody stands outside.
    fn let_one_in(&self) -> bool {
        if self.doorway.is_full() {
            return self.wait_for_a_place();
        }
        self.pulse.rest();
        let accepted = self.listener.accept();
        self.pulse.begin();
        match accepted {
            Ok((socket, peer)) => self.welcome(socket, peer),
            Err(Errno::AGAIN) => {
                self.doorway.note_callers(false);
                return false;
            }
            // The client gave up before its turn; its network's errors arrive here too.
            Err(Errno::CONNABORTED | Errno::INTR | Errno::PROTO) => {}
            Err(error) => return self.wait_for_a_descriptor(error),
        }
        true
    }

    fn welcome(&self, socket: OwnedFd, peer: SocketAddr) {
        let place = loop {
            match self.doorway.enter() {
                Some(place) => break place,
                None if self.is_locked() => return,
                // The keeper of another doorway gave the last one away, or there are fewer now:
                // this client is the next.
                None => {
                    self.doorway.note_callers(true);
                    self.shut_while(Doorway::is_full);
                }
            }
        };
        self.doorway.note_callers(false);
        let (task, deadline) = self.greeter.welcome(socket, peer, place);
        let Some(deadline) = deadline else { return self.lot.queue(task) };
        match self.lot.park(task, deadline) {
            Ok(None) => {}
            Ok(Some(rung)) => self.lot.queue(rung),
            Err(Lost { error, .. }) => self.greeter.say_exhausted(&error),
        }
    }

    /// Waits until a client leaves, or it is time to look around; false if nobody stands outside.
    fn wait_for_a_place(&self) -> bool {
        // Nobody need be there: the one before took the last place.
        let is_called = self.note_callers();
        let was_said = self.full_said.get().is_some_and(|said| said.elapsed() < FULL_SAID_AGAIN);
        if is_called && !was_said {
            self.full_said.set(Some(Instant::now()));
            self.greeter.say_full(self.doorway.is_full_apart());
        }
        self.shut_while(Doorway::is_full);
        is_called
    }

    /// Likewise: a client that leaves gives a descriptor back, or two.
    fn wait_for_a_descriptor(&self, error: Errno) -> bool {
        // The kernel looks for a descriptor before it looks for a client.
        let is_called = self.note_callers();
        if is_called {
            self.greeter.say_exhausted(&error.into());
        }
        let taken = self.doorway.door.taken();
        self.shut_while(|doorway| doorway.door.taken() >= taken);
        is_called
    }

    /// True if somebody stands outside.
    fn note_callers(&self) -> bool {
        let is_called = self.listener.has_callers();
        self.doorway.note_callers(is_called);
        is_called
    }

    /// Keeps the doorway shut while `reason` holds, for one look at the most.
    fn shut_while(&self, reason: impl Fn(&Doorway) -> bool) {
        self.pulse.rest();
        self.doorway.shut_while(LOOK, reason);
    }
}

impl<G: Greeter> Drop for Keeper<G> {
    fn drop(&mut self) {
        self.doorway.note_callers(false);
        self.doorway.door.is_left_by_a_keeper();
    }
}
