//! When each backend is to be checked next.
//!
//! Owned by the checks thread. Pure: the clock and the dice are arguments.

use std::time::Duration;

use crate::pool::chance::{Dice, fraction};

/// One place for each backend, in the order of the pool.
pub(super) struct Schedule {
    places: Vec<Place>,
}

#[derive(Clone, Default)]
struct Place {
    /// Since the watch's epoch.
    due: Duration,
    /// Being checked now: never twice at once, however slow it is.
    busy: bool,
    /// Checked at least once.
    seen: bool,
}

impl Schedule {
    /// `count` backends, all due at once.
    pub(super) fn new(count: usize) -> Self {
        Self { places: vec![Place::default(); count] }
    }

    /// The backend that has been due for the longest.
    pub(super) fn due(&self, now: Duration) -> Option<usize> {
        let waiting = self.places.iter().enumerate().filter(|(_, place)| !place.busy);
        let first = waiting.min_by_key(|(_, place)| place.due)?;
        (first.1.due <= now).then_some(first.0)
    }

    /// How long until some backend is due; `None` while all are being checked.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        let waiting = self.places.iter().filter(|place| !place.busy);
        waiting.map(|place| place.due.saturating_sub(now)).min()
    }

    /// Every backend is due by `now`.
    pub(super) fn hasten(&mut self, now: Duration) {
        self.places.iter_mut().for_each(|place| place.due = place.due.min(now));
    }

    /// A check of the backend at `index` began.
    pub(super) fn began(&mut self, index: usize) {
        self.places[index].busy = true;
    }

    /// It ended, and the next is due at `due`.
    pub(super) fn ended(&mut self, index: usize, due: Duration) {
        self.places[index] = Place { due, busy: false, seen: true };
    }

    /// True once every backend was checked.
    pub(super) fn is_first_round_over(&self) -> bool {
        self.places.iter().all(|place| place.seen)
    }
}

/// `time`, a tenth more or less: keeps the checks of several balancers from falling into step.
pub(super) fn jitter(time: Duration, dice: &mut Dice) -> Duration {
    time.mul_f64(0.9 + 0.2 * fraction(dice.roll()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn all_are_due_at_once_and_then_each_at_its_time() {
        let mut schedule = Schedule::new(2);
        let mut order = Vec::new();
        while let Some(index) = schedule.due(s(0)) {
            schedule.began(index);
            order.push(index);
        }
        assert_eq!((order, schedule.wait(s(0))), (vec![0, 1], None));
        schedule.ended(0, s(5));
        assert!(!schedule.is_first_round_over());
        schedule.ended(1, s(3));
        assert!(schedule.is_first_round_over());
        assert_eq!((schedule.due(s(2)), schedule.wait(s(2))), (None, Some(s(1))));
        assert_eq!((schedule.due(s(3)), schedule.wait(s(4))), (Some(1), Some(s(0))));
        assert_eq!(schedule.due(s(9)), Some(1), "the one that has waited longest is first");
    }

    #[test]
    fn in_a_hurry_all_are_due_but_those_being_checked() {
        let mut schedule = Schedule::new(2);
        (0..2).for_each(|index| schedule.began(index));
        schedule.ended(1, s(5));
        schedule.hasten(s(1));
        assert_eq!(schedule.due(s(1)), Some(1));
        schedule.began(1);
        assert_eq!(schedule.due(s(1)), None);
    }

    #[test]
    fn no_backends_need_nothing() {
        let schedule = Schedule::new(0);
        assert_eq!((schedule.due(s(9)), schedule.wait(s(9))), (None, None));
        assert!(schedule.is_first_round_over());
    }

    #[test]
    fn jitter_is_a_tenth_either_way_and_not_always_the_same() {
        let mut dice = Dice::new(1);
        let times: Vec<Duration> = (0..1000).map(|_| jitter(s(10), &mut dice)).collect();
        assert!(times.iter().all(|time| (s(9)..=s(11)).contains(time)));
        let (early, late) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert!(*early < Duration::from_millis(9_200) && *late > Duration::from_millis(10_800));
    }
}
