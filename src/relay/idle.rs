//! The idle connections to backends: kept for the next request, dropped when a backend closes.
//!
//! They wait in the Lot like everything else: their events end here. Law 5: an event sets its bits
//! before it looks in the list, and whoever takes a connection binds it first and then looks at
//! the bits; so nobody is handed a connection that is known to be closed. That a close may be
//! under way, no bit can tell: how each backend is used to closing is learnt here (`habit.rs`).

use super::habit::Habit;
use super::upstream::{Destination, Upstream};
use crate::engine::{Key, Mutex, Owner};
use crate::event::{Event, Teller};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// The most idle connections in one list; more are closed instead of kept.
const IDLE_MAX: usize = 1024;
/// Lists, so that workers seldom meet at one. The number of a backend's record, modulo this, names
/// its list; an entry knows whom it is to and under which trust, so sharing a list does no harm,
/// nor does a change of the configuration: a connection is found again by whoever may have it.
const LISTS: usize = 64;
/// Backends whose habits one list remembers.
const KNOWN_MAX: usize = 64;
/// Where descriptors run short, what was not used for so long is closed.
const SPARED: Duration = Duration::from_millis(100);

/// The idle connections to all backends.
pub(crate) struct Idle {
    lists: [Mutex<List>; LISTS],
    teller: Teller,
}

#[derive(Default)]
struct List {
    /// Kept last stands at the back.
    kept: VecDeque<Kept>,
    /// Whose first connection was kept last stands at the back.
    known: VecDeque<Known>,
}

struct Kept {
    upstream: Box<Upstream>,
    since: Duration,
    until: Duration,
}

/// A backend and its ways.
struct Known {
    backend: u64,
    address: SocketAddr,
    name: String,
    habit: Habit,
}

impl Idle {
    pub(crate) fn new(teller: Teller) -> Self {
        let lists = std::array::from_fn(|_| Mutex::new(List::default()));
        Self { lists, teller }
    }

    /// The connection to there that was used last and is still fit for use, bound to `home`. None
    /// where a new one is the better choice. `sure`: the request must not be sent twice, so none
    /// that may be about to close will do.
    pub(crate) fn take(
        &self,
        to: &Destination,
        sure: bool,
        home: Key,
        now: Duration,
    ) -> Option<Box<Upstream>> {
        loop {
            let mut upstream = self.list(to).lock().pop(to, sure, now)?;
            upstream.stream.bind(Owner::Home(home));
            let suspect = sure || upstream.stream.may_read();
            if !suspect || upstream.stream.is_silent() {
                return Some(upstream);
            }
            if upstream.stream.has_ended() {
                self.was_closed(to, upstream.rested, now);
            }
        }
    }

    /// Keeps a connection to the backend of this name, whose last answer was read to its end, for
    /// at most `limit`; drops it if it is not silent, or not `wanted`. That is asked while the list
    /// is locked: whoever parts from a backend says so first and looks in the list then.
    pub(crate) fn keep(
        &self,
        backend: &str,
        mut upstream: Box<Upstream>,
        now: Duration,
        limit: Duration,
        wanted: impl FnOnce(&Destination) -> bool,
    ) {
        if upstream.stream.may_read() && !upstream.stream.is_silent() {
            return;
        }
        let number = number_of(upstream.to.backend);
        let mut list = self.lists[number].lock();
        if !wanted(&upstream.to) {
            return;
        }
        let habit = list.habit(&upstream.to, backend);
        habit.hear(upstream.said);
        let kept_for = habit.kept_for(limit);
        // Bound while the list is locked: an event that comes from now on finds it there.
        upstream.stream.bind(Owner::Idle(number as u32));
        let silent = !upstream.stream.may_read() || upstream.stream.is_silent();
        if silent && !kept_for.is_zero() && list.kept.len() < IDLE_MAX {
            upstream.reused = true;
            list.kept.push_back(Kept { upstream, since: now, until: now + kept_for });
        }
    }

    /// An idle connection had an event: it is closed, or talks out of turn. Unless what it tells of
    /// was read before the connection was kept: it was fetched together with others, or by another
    /// worker. After a big answer through TLS, one connection in 25 was lost to that.
    pub(crate) fn discard(&self, number: u32, key: Key, now: Duration) {
        let mut list = self.lists[number as usize].lock();
        let place = list.kept.iter().position(|kept| kept.upstream.stream.has(key));
        let place = place.filter(|place| !list.kept[*place].upstream.stream.is_silent());
        let discarded = place.and_then(|place| list.kept.remove(place));
        drop(list);
        if let Some(Kept { upstream, since, .. }) = discarded
            && upstream.stream.has_ended()
        {
            let rested = now.saturating_sub(since);
            self.was_closed(&upstream.to, rested, now);
        }
    }

    /// A connection that had been idle for so long turned out to be closed when it was taken, or
    /// before it was.
    pub(crate) fn was_closed(&self, to: &Destination, rested: Duration, now: Duration) {
        let mut list = self.list(to).lock();
        let learnt = list.known(to).and_then(|Known { name, habit, .. }| {
            habit.saw_closed(rested, now).map(|learnt| (name.clone(), learnt))
        });
        drop(list);
        if let Some((name, learnt)) = learnt {
            self.teller.tell(Event::Habit { backend: &name, learnt: &learnt });
        }
    }

    /// The backend is gone for now: what its idle connections did lately was not for their age.
    pub(crate) fn forget(&self, backend: u64) {
        let mut list = self.lists[number_of(backend)].lock();
        for known in list.known.iter_mut().filter(|known| known.backend == backend) {
            known.habit = Habit::default();
        }
    }

    /// Closes what has been idle for as long as it may be.
    pub(crate) fn expire(&self, now: Duration) {
        for list in &self.lists {
            let mut list = list.lock();
            let expired = list.remove(|kept| kept.until <= now);
            for kept in &expired {
                list.saw_alive(kept, now);
            }
            drop(list);
            drop(expired);
        }
    }

    /// Closes all to a backend that gets no more requests.
    pub(crate) fn part_from(&self, backend: u64) {
        let list = &self.lists[number_of(backend)];
        let parted = list.lock().remove(|kept| kept.upstream.to.backend == backend);
        drop(parted);
    }

    /// Closes what is not in steady use: its descriptors are needed.
    pub(crate) fn give_way(&self, now: Duration) {
        for list in &self.lists {
            let given = list.lock().remove(|kept| kept.since + SPARED <= now);
            drop(given);
        }
    }

    /// Closes those that lead nowhere any more.
    pub(super) fn leave(&self, is_of_use: impl Fn(&Destination) -> bool) {
        for list in &self.lists {
            let left = list.lock().remove(|kept| !is_of_use(&kept.upstream.to));
            drop(left);
        }
    }

    /// Closes all.
    pub(crate) fn clear(&self) {
        for list in &self.lists {
            let all = std::mem::take(&mut list.lock().kept);
            drop(all);
        }
    }

    fn list(&self, to: &Destination) -> &Mutex<List> {
        &self.lists[number_of(to.backend)]
    }
}

/// That of the list of this backend's connections.
fn number_of(backend: u64) -> usize {
    (backend % LISTS as u64) as usize
}

impl Known {
    fn is_of(&self, to: &Destination) -> bool {
        self.backend == to.backend && self.address == to.address
    }
}

impl List {
    fn pop(&mut self, to: &Destination, sure: bool, now: Duration) -> Option<Box<Upstream>> {
        let newest = self.kept.iter().rposition(|kept| kept.upstream.to == *to)?;
        let rested = now.saturating_sub(self.kept[newest].since);
        let is_told = self.kept[newest].upstream.said.is_some();
        let trusted_for = |known: &mut Known| known.habit.trusted_for(is_told);
        // The others are older still.
        if sure && rested > self.known(to).map_or(Duration::ZERO, trusted_for) {
            return None;
        }
        let mut upstream = self.kept.remove(newest)?.upstream;
        upstream.rested = rested;
        Some(upstream)
    }

    fn known(&mut self, to: &Destination) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.is_of(to))
    }

    /// What is known of the backend there, from now on if not before.
    fn habit(&mut self, to: &Destination, name: &str) -> &mut Habit {
        let known = self.known.iter().position(|known| known.is_of(to)).unwrap_or_else(|| {
            if self.known.len() == KNOWN_MAX {
                self.known.pop_front();
            }
            let Destination { backend, address, .. } = *to;
            let (name, habit) = (name.to_owned(), Habit::default());
            self.known.push_back(Known { backend, address, name, habit });
            self.known.len() - 1
        });
        let known = &mut self.known[known];
        if known.name != name {
            // The file calls it otherwise by now.
            name.clone_into(&mut known.name);
        }
        &mut known.habit
    }

    fn saw_alive(&mut self, ended: &Kept, now: Duration) {
        if let Some(known) = self.known(&ended.upstream.to) {
            known.habit.saw_alive(ended.until - ended.since, now);
        }
    }

    fn remove(&mut self, which: impl Fn(&Kept) -> bool) -> VecDeque<Kept> {
        if !self.kept.iter().any(&which) {
            return VecDeque::new();
        }
        let (removed, left) = std::mem::take(&mut self.kept).into_iter().partition(which);
        self.kept = left;
        removed
    }
}
