//! Who must leave as the house fills: those that have been idle for longest.
//!
//! The timer looks once a sweep. An idle client may stay for `keep_alive` while half of the places
//! are free, and for ever less as they are taken; where new clients wait at the door, the longest
//! idle make room for them. Whoever is in the middle of a request, or of a head, stays. A client
//! that has not asked yet counts as idle too, from [`ASKING`](super::client::ASKING) after it came:
//! else silent clients would hold every place for as long as `request_head`.
//!
//! It is a matter of one number, the *cutoff*: who has been idle since then, or longer, is woken.
//! Its step looks once more whether the next request has come, and closes the connection if not. A
//! request that is under way at that moment is lost, as with every close of an idle connection
//! (RFC 9112 9.6); so nobody is closed before its time while there is room.
//!
//! A listener that has places of its own is such a house by itself: where they run short, its
//! clients alone make room there.

use super::Shared;
use super::branch::Branch;
use super::site::Site;
use super::task::ClientTask;
use crate::engine::{Cutoffs, Lot, Room};
use crate::event::Event;
use crate::pool::Look;
use std::cell::Cell;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A shorter pause is no idleness: the answer, or the next request, may be under way. Where nobody
/// pauses for longer, new clients wait for `CALLERS_PATIENCE`; then it is their turn.
const RESTING: Duration = Duration::from_millis(200);
const CALLERS_PATIENCE: Duration = Duration::from_secs(1);
/// How long an idle client may stay in a full house as long as nobody waits at the door.
const KEEP_ALIVE_MIN: Duration = Duration::from_secs(5);
/// How often it is told that they leave: in a busy house they do all day.
const CROWD_TOLD_AGAIN: Duration = Duration::from_secs(60);
/// One in so many places is freed in a sweep, at most: a whole house in 1.6 s.
const SHARE: usize = 16;

/// The timer's eye on what nobody tells.
pub(crate) struct Lookout {
    shared: Arc<Shared>,
    lot: Arc<Lot<ClientTask>>,
    sites: Look<Site>,
    /// As it was at the last look.
    site: Arc<Site>,
    /// Those of the site, and of the ones before it that a connection still holds: maintenance ends
    /// what is open in a pool that has left the file, too.
    branches: Vec<Weak<Branch>>,
    /// Since when somebody has waited at each look, for a place in the room of this number.
    callers_since: HashMap<u32, Duration>,
    /// When it was last told that idle clients leave a full house.
    crowd_told: Cell<Option<Duration>>,
}

impl Lookout {
    pub(super) fn new(shared: &Arc<Shared>, lot: &Arc<Lot<ClientTask>>) -> Self {
        let (shared, lot) = (Arc::clone(shared), Arc::clone(lot));
        let mut sites = shared.site.look();
        let site = Arc::clone(sites.current());
        let branches = site.branches.iter().map(Arc::downgrade).collect();
        Self {
            shared,
            lot,
            sites,
            site,
            branches,
            callers_since: HashMap::new(),
            crowd_told: Cell::default(),
        }
    }

    /// Looks around before a sweep, and returns the cutoffs for it.
    pub(crate) fn look(&mut self, now: Duration) -> Cutoffs {
        self.shared.idle.expire(now);
        if let Some(site) = self.sites.replaced() {
            self.branches.extend(site.branches.iter().map(Arc::downgrade));
            self.site = Arc::clone(site);
        }
        let mut ended = Vec::new();
        for Branch { queue, pool, .. } in self.site.branches.iter().map(Arc::as_ref) {
            let held = queue.len();
            if queue.end_pause(now) {
                ended.push((pool.name(), held));
            }
            // A place at a backend that has just come up is one of which nobody tells.
            if queue.len() > 0 && !queue.is_paused() {
                queue.ring_first();
            }
        }
        self.say_over(&ended);
        if self.cuts_overdue(now) {
            // Each task looks at its backend once, and one that is being stepped in the next sweep.
            self.lot.slots.take_all(|task| self.lot.queue(task));
        }
        self.cutoffs(now)
    }

    /// The cutoff of each room that has one.
    fn cutoffs(&mut self, now: Duration) -> Cutoffs {
        let rooms = self.shared.door.rooms();
        let before = std::mem::take(&mut self.callers_since);
        let called = rooms.iter().filter(|room| room.has_callers()).map(|room| room.number());
        let since = |number| before.get(&number).copied().unwrap_or(now);
        self.callers_since = called.map(|number| (number, since(number))).collect();
        let mut cutoffs = Cutoffs::default();
        for room in &rooms {
            let cutoff = self.cutoff(room, now);
            room.set_cutoff(cutoff);
            if !cutoff.is_zero() {
                cutoffs.add(room, cutoff);
            }
        }
        cutoffs
    }

    /// Pauses have ended by themselves, of these pools, which hold so many.
    fn say_over(&self, ended: &[(&str, usize)]) {
        let teller = &self.shared.teller;
        if !ended.is_empty() && ended.len() == self.site.branches.len() {
            let held = ended.iter().map(|(_, held)| held).sum();
            let traffic = self.site.traffic(None);
            return teller.tell(Event::PauseOver { pool: None, traffic, held });
        }
        for &(pool, held) in ended {
            let (pool, traffic) = (Some(pool), self.site.traffic(Some(pool)));
            teller.tell(Event::PauseOver { pool, traffic, held });
        }
    }

    /// True where maintenance is to end what is open at a backend.
    fn cuts_overdue(&mut self, now: Duration) -> bool {
        let mut is_cutting = false;
        self.branches.retain(|branch| {
            let Some(branch) = branch.upgrade() else { return false };
            is_cutting |= branch.pool.cut_overdue(now);
            true
        });
        is_cutting
    }

    /// Since when, or for longer, one must have been idle in `room` to leave it; zero where nobody
    /// is to.
    fn cutoff(&self, room: &Room, now: Duration) -> Duration {
        let (shared, timeouts) = (&self.shared, &self.site.config.timeouts);
        let callers_since = self.callers_since.get(&room.number());
        let limit = room.limit();
        let house = House {
            limit,
            taken: room.taken(),
            keep_alive: timeouts.keep_alive,
            wanted: callers_since.map_or(0, |_| limit.div_ceil(SHARE)),
        };
        if !house.is_filling() {
            return Duration::ZERO;
        }
        let turn = callers_since.is_some_and(|since| now >= *since + CALLERS_PATIENCE);
        let latest = if turn { now } else { now.saturating_sub(RESTING) };
        let is_here = |(_, number): &(u64, u32)| room.is_house() || *number == room.number();
        let since_us = self.lot.slots.idle_since_us().filter(is_here).map(|(since_us, _)| since_us);
        let idle = oldest(since_us, limit.div_ceil(SHARE), latest);
        let leaving = house.leaving(&idle, now);
        let is_news = |told: Duration| told + CROWD_TOLD_AGAIN <= now;
        if house.wanted > 0
            && leaving > 0
            && room.is_house()
            && self.crowd_told.get().is_none_or(is_news)
        {
            let taken = house.taken;
            self.crowd_told.set(Some(now));
            shared.teller.tell(Event::Crowded { taken, limit, leaving });
        }
        idle[..leaving].last().copied().unwrap_or_default()
    }
}

/// The `count` that have been idle for longest, and since `latest` at the latest; longest first.
fn oldest(since_us: impl Iterator<Item = u64>, count: usize, latest: Duration) -> Vec<Duration> {
    let latest_us = latest.as_micros() as u64;
    let mut oldest = BinaryHeap::with_capacity(count + 1);
    for since_us in since_us.filter(|since_us| *since_us <= latest_us) {
        if oldest.len() < count {
            oldest.push(since_us);
        } else if oldest.peek().is_some_and(|youngest| since_us < *youngest) {
            oldest.pop();
            oldest.push(since_us);
        }
    }
    oldest.into_sorted_vec().into_iter().map(Duration::from_micros).collect()
}

/// How full it is, and who waits.
struct House {
    limit: usize,
    taken: usize,
    keep_alive: Duration,
    /// Places to be freed for those at the door.
    wanted: usize,
}

impl House {
    fn is_filling(&self) -> bool {
        self.wanted > 0 || self.taken > self.limit / 2
    }

    /// How many of those that have been idle since these times, the longest first, must leave.
    fn leaving(&self, idle_since: &[Duration], now: Duration) -> usize {
        let leaves = |(left, since): &(usize, &Duration)| {
            *left < self.wanted || **since + self.patience(self.taken - left) <= now
        };
        idle_since.iter().enumerate().take_while(leaves).count()
    }

    /// How long an idle client may stay with so many places taken: from half of them on, it falls
    /// in a straight line.
    fn patience(&self, taken: usize) -> Duration {
        let half = self.limit / 2;
        let (above, span) = (taken.saturating_sub(half), (self.limit - half).max(1));
        let least = self.keep_alive.min(KEEP_ALIVE_MIN);
        let share = above.min(span) as f64 / span as f64;
        self.keep_alive - (self.keep_alive - least).mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::client::ASKING;

    const fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    const NOW: Duration = s(1000);

    /// With 100 places, where idle clients may stay for 65 s.
    fn house(taken: usize, wanted: usize) -> House {
        House { limit: 100, taken, keep_alive: s(65), wanted }
    }

    /// Idle for so many seconds, the longest first.
    fn idle(ages_s: &[u64]) -> Vec<Duration> {
        ages_s.iter().map(|age_s| NOW - s(*age_s)).collect()
    }

    #[test]
    fn idle_clients_may_stay_for_less_as_the_house_fills() {
        let patience = [0, 50, 75, 95, 100].map(|taken| house(taken, 0).patience(taken).as_secs());
        assert_eq!(patience, [65, 65, 35, 11, 5]);
    }

    #[test]
    fn a_short_keep_alive_stays_as_it_is() {
        let house = House { keep_alive: Duration::from_millis(200), ..house(100, 0) };
        assert_eq!(house.patience(100), Duration::from_millis(200));
        let house = House { limit: 1, taken: 1, ..house };
        assert_eq!(house.patience(1), Duration::from_millis(200));
    }

    #[test]
    fn those_leave_whose_time_is_up_even_after_the_others_have_left() {
        // With 90 of 100 taken it is 17 s, and 1.2 s more for each that leaves.
        assert_eq!(house(90, 0).leaving(&idle(&[60, 18, 18, 18, 2]), NOW), 1);
        assert_eq!(house(90, 0).leaving(&idle(&[20, 20, 20, 20]), NOW), 3);
        assert_eq!(house(50, 0).leaving(&idle(&[60]), NOW), 0);
    }

    #[test]
    fn for_those_at_the_door_the_longest_idle_leave_and_no_more_than_are_wanted() {
        assert_eq!(house(100, 2).leaving(&idle(&[0, 0, 0]), NOW), 2);
        assert_eq!(house(100, 2).leaving(&idle(&[0]), NOW), 1);
        assert_eq!(house(100, 2).leaving(&[], NOW), 0);
    }

    #[test]
    fn the_longest_idle_are_found_and_those_who_may_be_asking_are_not() {
        let us = |ages_s: &[u64]| idle(ages_s).iter().map(|at| at.as_micros() as u64).collect();
        let mut since: Vec<u64> = us(&[3, 50, 1, 70, 0, 20]);
        since.push((NOW + ASKING).as_micros() as u64);
        let oldest = |count, latest| oldest(since.iter().copied(), count, latest);
        assert_eq!(oldest(3, NOW), idle(&[70, 50, 20]));
        assert_eq!(oldest(9, NOW), idle(&[70, 50, 20, 3, 1, 0]));
        assert_eq!(oldest(9, NOW - RESTING), idle(&[70, 50, 20, 3, 1]));
    }
}
