//! When each backend is to be checked next, and when a check has taken long enough.
//!
//! Owned by the checks thread. Pure: the clock and the dice are arguments.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::pool::chance::{Dice, fraction};

/// An eighth of the checks that may be under way at once is kept for backends in doubt, however
/// many others are due: only a check can find out that one of them has recovered.
const PART_OF_DOUBTFUL: usize = 8;
/// A quarter is never given to backends in doubt. A check of theirs may take until its timeout, and
/// if such checks held every place, the backends that answer would be asked too late.
const PART_OF_PROMPT: usize = 4;

/// When a check is due, or has to end, and the number of its backend: in the order of time, and of
/// the numbers where that is equal.
type Due = (Duration, u64);

/// One entry for each backend, under its number: whoever stays when the pool is replaced keeps its
/// place. Times are since the watch's epoch.
pub(super) struct Schedule {
    entries: HashMap<u64, Entry>,
    /// Backends that wait for their next check, by when it is due. A backend is in doubt if its
    /// last check ran into the timeout, or if it was never checked. Where not all may be checked at
    /// once, the prompt ones go first, because their checks give the place back soon.
    prompt: BTreeSet<Due>,
    doubtful: BTreeSet<Due>,
    /// Backends that are being checked, by when that must end. A backend is in this line or in one
    /// of the two above, so it is never checked twice at once, however slow it is.
    busy: BTreeSet<Due>,
    /// How many of these are in doubt.
    doubtful_busy: usize,
    /// Backends whose first check is awaited.
    awaited: usize,
}

struct Entry {
    /// When its check is due, or has to end.
    at: Duration,
    /// Not known to answer in time.
    is_doubtful: bool,
    /// It was there at the start, and was never checked.
    is_awaited: bool,
}

impl Schedule {
    /// The backends that are there at the start, all due at once.
    pub(super) fn new(numbers: impl Iterator<Item = u64>) -> Self {
        let mut schedule = Self {
            entries: HashMap::new(),
            prompt: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            busy: BTreeSet::new(),
            doubtful_busy: 0,
            awaited: 0,
        };
        numbers.for_each(|number| schedule.insert(number, true));
        schedule
    }

    /// The backend is due at once: it is new, or a check of it means something else than before.
    pub(super) fn renew(&mut self, number: u64) {
        let is_awaited = self.forget(number);
        self.insert(number, is_awaited);
    }

    /// The backend is gone, and a check under way with it. True if its first one was awaited.
    pub(super) fn forget(&mut self, number: u64) -> bool {
        let Some(entry) = self.entries.remove(&number) else { return false };
        let due = (entry.at, number);
        let was_busy = self.busy.remove(&due);
        self.doubtful_busy -= usize::from(was_busy && entry.is_doubtful);
        self.prompt.remove(&due);
        self.doubtful.remove(&due);
        self.awaited -= usize::from(entry.is_awaited);
        entry.is_awaited
    }

    fn insert(&mut self, number: u64, is_awaited: bool) {
        self.add(number, Entry { at: Duration::ZERO, is_doubtful: true, is_awaited });
    }

    fn add(&mut self, number: u64, entry: Entry) {
        let line = if entry.is_doubtful { &mut self.doubtful } else { &mut self.prompt };
        line.insert((entry.at, number));
        self.awaited += usize::from(entry.is_awaited);
        self.entries.insert(number, entry);
    }

    /// The backend to be checked now, where so many checks may be under way at once. Among those of
    /// a line it is the one that has been due for the longest. One in doubt has its turn if no
    /// prompt one is due, or if those in doubt hold less than their eighth.
    pub(super) fn due(&self, now: Duration, room: usize) -> Option<u64> {
        let due = |(at, number): &Due| (*at <= now).then_some(*number);
        let [prompt, doubtful] = self.lines(room).map(|line| line?.first().and_then(due));
        match self.doubtful_busy < room / PART_OF_DOUBTFUL {
            true => doubtful.or(prompt),
            false => prompt.or(doubtful),
        }
    }

    /// True if a backend is due and cannot be checked yet, as too many checks are under way.
    pub(super) fn is_short(&self, now: Duration, room: usize) -> bool {
        let firsts = [self.prompt.first(), self.doubtful.first()];
        self.due(now, room).is_none() && firsts.iter().flatten().any(|(at, _)| *at <= now)
    }

    /// The lines of those who may begin: the prompt, then those in doubt.
    fn lines(&self, room: usize) -> [Option<&BTreeSet<Due>>; 2] {
        let doubtful_max = room.saturating_sub((room / PART_OF_PROMPT).max(1));
        let has_room = self.busy.len() < room;
        let doubtful = has_room && self.doubtful_busy < doubtful_max;
        [has_room.then_some(&self.prompt), doubtful.then_some(&self.doubtful)]
    }

    /// How many checks are under way.
    pub(super) fn under_way(&self) -> usize {
        self.busy.len()
    }

    /// Whose check has taken too long.
    pub(super) fn late(&self, now: Duration) -> Option<u64> {
        self.busy.first().filter(|(at, _)| *at <= now).map(|(_, number)| *number)
    }

    /// How long until a check is due or late. A line from which none may begin does not count: only
    /// the end of a check under way makes room for it.
    pub(super) fn wait(&self, now: Duration, room: usize) -> Option<Duration> {
        let lines = self.lines(room).into_iter().flatten().chain([&self.busy]);
        let firsts = lines.filter_map(|line| line.first());
        firsts.map(|(at, _)| at.saturating_sub(now)).min()
    }

    /// Every backend is due by `now`, but for those that are being checked.
    pub(super) fn hasten(&mut self, now: Duration) {
        for line in [&mut self.prompt, &mut self.doubtful] {
            for (at, number) in std::mem::take(line) {
                let at = at.min(now);
                if let Some(entry) = self.entries.get_mut(&number) {
                    entry.at = at;
                }
                line.insert((at, number));
            }
        }
    }

    /// A check of the backend began, and has to end at `until`.
    pub(super) fn began(&mut self, number: u64, until: Duration) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        let line = if entry.is_doubtful { &mut self.doubtful } else { &mut self.prompt };
        line.remove(&(entry.at, number));
        self.doubtful_busy += usize::from(entry.is_doubtful);
        entry.at = until;
        self.busy.insert((until, number));
    }

    /// The check ended, or could not begin, and the next one is due at `due`. `hangs` says that it
    /// ran into its timeout, which puts the backend in doubt.
    pub(super) fn ended(&mut self, number: u64, due: Duration, hangs: bool) {
        self.forget(number);
        self.add(number, Entry { at: due, is_doubtful: hangs, is_awaited: false });
    }

    /// True once every backend that was there at the start was checked, or is gone.
    pub(super) fn is_first_round_over(&self) -> bool {
        self.awaited == 0
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

    /// Too little for those that hang to have a part of it.
    const ROOM: usize = PART_OF_DOUBTFUL - 1;

    /// Begins all checks that are due, each with two seconds to go.
    fn begin_due(schedule: &mut Schedule, now: Duration) -> Vec<u64> {
        let mut next = || {
            let index = schedule.due(now, ROOM)?;
            schedule.began(index, now + s(2));
            Some(index)
        };
        std::iter::from_fn(&mut next).collect()
    }

    #[test]
    fn all_are_due_at_once_and_then_each_at_its_time() {
        let mut schedule = Schedule::new(0..2);
        assert_eq!(begin_due(&mut schedule, s(0)), [0, 1]);
        schedule.ended(0, s(5), false);
        assert!(!schedule.is_first_round_over());
        schedule.ended(1, s(3), false);
        assert!(schedule.is_first_round_over());
        assert_eq!((schedule.due(s(2), ROOM), schedule.wait(s(2), ROOM)), (None, Some(s(1))));
        assert_eq!((schedule.due(s(3), ROOM), schedule.wait(s(4), ROOM)), (Some(1), Some(s(0))));
        assert_eq!(schedule.due(s(9), ROOM), Some(1), "the one that has waited longest is first");
    }

    #[test]
    fn a_check_is_late_when_its_time_is_up_and_ends_but_once() {
        let mut schedule = Schedule::new(0..2);
        begin_due(&mut schedule, s(0));
        assert_eq!((schedule.late(s(1)), schedule.wait(s(1), ROOM)), (None, Some(s(1))));
        assert_eq!(schedule.late(s(2)), Some(0));
        schedule.ended(0, s(3), true);
        assert_eq!(schedule.late(s(2)), Some(1));
        schedule.ended(1, s(3), true);
        assert_eq!(schedule.late(s(9)), None);
    }

    #[test]
    fn who_hangs_waits_behind_all_others_and_is_not_forgotten() {
        let mut schedule = Schedule::new(0..3);
        begin_due(&mut schedule, s(0));
        (0..2).for_each(|index| schedule.ended(index, s(3), true));
        schedule.ended(2, s(8), false);
        assert_eq!(schedule.due(s(8), ROOM), Some(2));
        assert_eq!(begin_due(&mut schedule, s(8)), [2, 0, 1]);
    }

    #[test]
    fn who_hangs_has_a_part_of_the_room_though_others_could_use_all_of_it() {
        let mut schedule = Schedule::new(0..100);
        begin_due(&mut schedule, s(0));
        (0..100).for_each(|index| schedule.ended(index, s(3), index < 5));
        let room = 2 * PART_OF_DOUBTFUL;
        let begin = |schedule: &mut Schedule| {
            let index = schedule.due(s(9), room).unwrap();
            schedule.began(index, s(11));
            index
        };
        let begun: Vec<u64> = (0..room).map(|_| begin(&mut schedule)).collect();
        assert_eq!(begun[..4], [0, 1, 5, 6]);
        assert!(begun[2..].iter().all(|index| *index >= 5), "{begun:?}");
        schedule.ended(5, s(20), false);
        assert_eq!(begin(&mut schedule), 19, "they have their part");
        schedule.ended(0, s(20), false);
        assert_eq!(begin(&mut schedule), 2);
    }

    #[test]
    fn who_is_in_doubt_never_holds_all_of_the_room() {
        let mut schedule = Schedule::new(0..100);
        let room = 2 * PART_OF_DOUBTFUL;
        schedule.ended(99, s(1), false);
        let begun = std::iter::from_fn(|| {
            let index = schedule.due(s(0), room)?;
            schedule.began(index, s(2));
            Some(index)
        });
        assert_eq!(begun.count(), room - room / PART_OF_PROMPT);
        assert!(schedule.is_short(s(0), room));
        // The others wait for the first of them to end, and nobody for a line that has no room.
        assert_eq!(schedule.wait(s(0), room), Some(s(1)));
        assert_eq!(schedule.due(s(1), room), Some(99), "whoever answers is asked at its time");
        schedule.began(99, s(3));
        assert_eq!(schedule.wait(s(1), room), Some(s(1)));
    }

    #[test]
    fn without_room_there_is_nothing_to_do_until_a_check_ends() {
        let mut schedule = Schedule::new(0..2);
        schedule.began(0, s(2));
        assert_eq!(schedule.wait(s(1), ROOM), Some(s(0)));
        assert_eq!(schedule.wait(s(1), 1), Some(s(1)));
    }

    #[test]
    fn in_a_hurry_all_are_due_but_those_being_checked() {
        let mut schedule = Schedule::new(0..3);
        begin_due(&mut schedule, s(0));
        schedule.ended(1, s(5), false);
        schedule.ended(2, s(5), true);
        schedule.hasten(s(1));
        assert_eq!(begin_due(&mut schedule, s(1)), [1, 2]);
    }

    #[test]
    fn a_check_that_could_not_begin_is_due_again() {
        let mut schedule = Schedule::new(0..1);
        schedule.ended(0, s(5), false);
        assert_eq!((schedule.due(s(4), ROOM), schedule.due(s(5), ROOM)), (None, Some(0)));
        assert_eq!(begin_due(&mut schedule, s(5)), [0]);
    }

    #[test]
    fn who_is_gone_is_forgotten_whatever_it_is_at() {
        let mut schedule = Schedule::new(0..4);
        begin_due(&mut schedule, s(0));
        schedule.ended(0, s(5), false);
        schedule.ended(1, s(5), true);
        (0..3).for_each(|number| assert_eq!(schedule.forget(number), number == 2));
        assert_eq!((schedule.late(s(9)), schedule.due(s(9), ROOM)), (Some(3), None));
        assert!(!schedule.is_first_round_over());
        assert!(schedule.forget(3) && schedule.is_first_round_over());
        assert_eq!(schedule.wait(s(9), ROOM), None);
    }

    #[test]
    fn who_begins_anew_is_due_at_once_and_awaited_if_it_was_there_at_the_start() {
        let mut schedule = Schedule::new(0..2);
        begin_due(&mut schedule, s(0));
        schedule.ended(0, s(5), false);
        (0..3).for_each(|number| schedule.renew(number));
        assert_eq!((begin_due(&mut schedule, s(1)), schedule.late(s(2))), (vec![0, 1, 2], None));
        assert_eq!(schedule.late(s(3)), Some(0));
        schedule.ended(1, s(5), false);
        assert!(schedule.is_first_round_over(), "who came later is not awaited");
    }

    #[test]
    fn no_backends_need_nothing() {
        let schedule = Schedule::new(0..0);
        assert_eq!((schedule.due(s(9), ROOM), schedule.wait(s(9), ROOM)), (None, None));
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
