//! A room: so many places, those of the whole house or those of one of its doorways.
//!
//! Where they run short, whoever has been idle in it for longest is to make room for others. That
//! is a matter of one number, the *cutoff*: it is meant for all who have been idle since then, or
//! for longer. The timer wakes them, and their steps look at it.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

/// The number of the room in which all are.
const HOUSE: u32 = 0;

/// Places, how many are taken, and who waits for one.
pub(crate) struct Room {
    number: u32,
    limit: AtomicUsize,
    taken: AtomicUsize,
    /// Keepers in front of whom somebody stands, for whom this room has no place.
    called: AtomicUsize,
    cutoff_us: AtomicU64,
}

/// A client that only keeps a place: since when, and in which room beside the house.
#[derive(Clone, Copy)]
pub(crate) struct Resting {
    pub(crate) since: Duration,
    pub(crate) room: u32,
}

/// The cutoffs of all rooms.
#[derive(Default)]
pub(crate) struct Cutoffs {
    /// Of each room that has one: its number and the time.
    us: Vec<(u32, u64)>,
}

impl Room {
    /// With `limit` places; number 0 is the house.
    pub(super) fn new(number: u32, limit: usize) -> Self {
        Self {
            number,
            limit: AtomicUsize::new(limit),
            taken: AtomicUsize::new(0),
            called: AtomicUsize::new(0),
            cutoff_us: AtomicU64::new(0),
        }
    }

    /// True if there was a place: it is taken now.
    pub(super) fn take(&self) -> bool {
        let below = |taken| (taken < self.limit()).then_some(taken + 1);
        self.taken.fetch_update(SeqCst, SeqCst, below).is_ok()
    }

    /// True if nobody has a place any more.
    pub(super) fn give_back(&self) -> bool {
        self.taken.fetch_sub(1, SeqCst) == 1
    }

    /// Has so many places from now on. Where more are taken, they stay so.
    pub(super) fn resize(&self, limit: usize) {
        self.limit.store(limit, SeqCst);
    }

    pub(super) fn is_full(&self) -> bool {
        self.taken() >= self.limit()
    }

    /// One more keeper, or one less, has somebody in front of it for whom there is no place here.
    pub(super) fn note_caller(&self, is_there: bool) {
        match is_there {
            true => self.called.fetch_add(1, SeqCst),
            false => self.called.fetch_sub(1, SeqCst),
        };
    }

    /// True while somebody waits outside for whom this room has no place, or the house no
    /// descriptor.
    pub(crate) fn has_callers(&self) -> bool {
        self.called.load(SeqCst) > 0
    }

    /// Which one it is; the house is number 0.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn is_house(&self) -> bool {
        self.number == HOUSE
    }

    /// How many places it has.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(SeqCst)
    }

    /// How many of them are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(SeqCst)
    }

    /// Whoever has been idle in it since `cutoff`, or for longer, is to leave.
    pub(crate) fn set_cutoff(&self, cutoff: Duration) {
        self.cutoff_us.store(us(cutoff), Relaxed);
    }

    /// True where one that has been idle since then is to leave.
    pub(super) fn dismisses(&self, idle_since: Duration) -> bool {
        us(idle_since) <= self.cutoff_us.load(Relaxed)
    }
}

impl Cutoffs {
    pub(crate) fn add(&mut self, room: &Room, cutoff: Duration) {
        self.us.push((room.number, us(cutoff)));
    }

    /// True where one is to leave that has been idle in this room since then.
    pub(super) fn concern(&self, since_us: u64, room: u32) -> bool {
        let is_meant = |&(number, cutoff_us): &(u32, u64)| {
            since_us <= cutoff_us && (number == HOUSE || number == room)
        };
        self.us.iter().any(is_meant)
    }
}

/// As the slots have it: without the nanoseconds.
pub(super) fn us(time: Duration) -> u64 {
    time.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_doorways_cutoff_is_for_those_who_came_in_there_and_the_houses_for_all() {
        let (house, left, right) = (Room::new(0, 9), Room::new(1, 2), Room::new(2, 2));
        let mut cutoffs = Cutoffs::default();
        cutoffs.add(&left, ms(50));
        let concern = |cutoffs: &Cutoffs, room: &Room| {
            [ms(50), ms(51)].map(|since| cutoffs.concern(us(since), room.number()))
        };
        assert_eq!(concern(&cutoffs, &left), [true, false]);
        assert_eq!(concern(&cutoffs, &right), [false, false]);
        cutoffs.add(&house, ms(51));
        assert_eq!(concern(&cutoffs, &left), [true, true]);
        assert_eq!(concern(&cutoffs, &right), [true, true]);
        assert!(!cutoffs.concern(u64::MAX, 1), "who is not idle does not leave");
    }
}
