//! What befell a backend lately: what its checks said, and what brought it where it stands, and
//! where it stood before (`story.rs`).
//!
//! Part of its record, for people to read. Written by whoever changes its standing and by its
//! checks, so seldom that a lock will do; no request looks at it. Decides nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::policy::SatOut;
use super::story::{REASON_BYTES_MAX, SHIFTS_MAX, Shift, Spells, Story};
use super::{CheckOutcome, Ejection, Standing};
use crate::text::beginning;

/// How many checks are remembered.
const CHECKS_MAX: usize = 5;
/// How much is kept of what a check saw: it may quote what the backend sent.
const SEEN_BYTES_MAX: usize = 256;

/// A check that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCheck {
    /// When it ended, on the pool's clock.
    pub at: Duration,
    /// What came of it; of many words the first.
    pub outcome: CheckOutcome,
}

/// What a process that is succeeded has to say of one backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inheritance {
    /// What brought it where it stands, in words: [`Status::why`](super::Status::why).
    pub why: String,
    /// Where it stands and stood, the newest first.
    pub shifts: Vec<Shift>,
    /// The last checks, the newest first.
    pub checks: Vec<PastCheck>,
    /// The last time that it was taken out for a while.
    pub ejection: Ejection,
}

/// What befell one backend.
pub(super) struct Past {
    notes: Mutex<Notes>,
}

struct Notes {
    /// The newest last.
    checks: Vec<PastCheck>,
    /// Why checks call it what they call it.
    of_checks: String,
    /// What took it out for a while, last.
    of_ejection: String,
    /// What brought it where it stood when that last changed.
    reason: String,
    standing: Standing,
    since: Duration,
    /// Checks that failed in a row when they took it down; 0 if something else did.
    failed: usize,
    /// Where it stood before, the newest last.
    before: VecDeque<Shift>,
    spells: Spells,
}

impl Past {
    /// Of one that stands there for the file says so.
    pub(super) fn new(standing: Standing, now: Duration) -> Self {
        Self { notes: Mutex::new(Notes::new(standing, now)) }
    }

    /// Begins anew: it is somewhere else, or the file says otherwise and no check has spoken yet.
    pub(super) fn begin_anew(&self, standing: Standing, now: Duration) {
        *self.lock() = Notes::new(standing, now);
    }

    /// Remembers a check, and its words if it turned the backend.
    pub(super) fn checked(&self, outcome: &CheckOutcome, turned: bool, now: Duration) {
        let mut notes = self.lock();
        let is_first = notes.checks.is_empty() && !outcome.asks_drain;
        if notes.checks.len() == CHECKS_MAX {
            notes.checks.remove(0);
        }
        let is_untold = notes.reason == notes.of_checks; // as at the beginning
        let seen = beginning(&outcome.seen, SEEN_BYTES_MAX).to_owned();
        notes.checks.push(PastCheck { at: now, outcome: CheckOutcome { seen, ..*outcome } });
        if turned || is_first {
            notes.of_checks = beginning(&outcome.to_string(), SEEN_BYTES_MAX).to_owned();
        }
        // Whoever moved it before that has said why; what fails is no reason to be up.
        if is_first && is_untold && (outcome.passed || notes.standing == Standing::Down) {
            notes.reason = notes.of_checks.clone();
        }
    }

    /// No check speaks any more.
    pub(super) fn left_unchecked(&self, alive: bool) {
        let mut notes = self.lock();
        notes.checks.clear();
        notes.of_checks = format!("the file says alive = {alive}, and it is not checked");
    }

    /// It was taken out for a while, for this reason.
    pub(super) fn ejected(&self, reason: &str) {
        self.lock().of_ejection = beginning(reason, SEEN_BYTES_MAX).to_owned();
    }

    /// It stands there from now on, for this reason.
    pub(super) fn came(&self, standing: Standing, reason: &str, now: Duration) {
        let mut notes = self.lock();
        let over = notes.present(REASON_BYTES_MAX);
        if notes.before.len() == SHIFTS_MAX {
            notes.before.pop_front();
        }
        notes.before.push_back(over);
        notes.reason = beginning(reason, SEEN_BYTES_MAX).to_owned();
        (notes.standing, notes.since) = (standing, now);
        // One that comes back from an operator is down for what checks see by now.
        let found = notes.verdicts().find(|check| !check.passed).map(CheckOutcome::to_string);
        if let Some(found) = found.filter(|_| standing == Standing::Down) {
            notes.of_checks = beginning(&found, SEEN_BYTES_MAX).to_owned();
        }
        notes.failed = match standing {
            Standing::Down if notes.reason == notes.of_checks => notes.failed_in_a_row(),
            _ => 0,
        };
    }

    /// The policy has it sit turns out, or no longer.
    pub(super) fn sat_out(&self, said: &SatOut, now: Duration) {
        self.lock().spells.hear(said, now);
    }

    /// Another policy follows, which counts no turns of the one before.
    pub(super) fn forget_turns(&self) {
        self.lock().spells = Spells::default();
    }

    /// Goes on from what the process before knew of it, if that did. This one has been watching
    /// since `began`: what has changed meanwhile comes on top. It `is_ejected` by what was known.
    pub(super) fn inherit(&self, known: Option<Inheritance>, is_ejected: bool, began: Duration) {
        let mut notes = self.lock();
        let Some(Inheritance { why, shifts, checks, .. }) = known else {
            return notes.begin_at(began);
        };
        if is_ejected {
            let out = shifts.iter().find(|shift| shift.standing == Standing::Ejected);
            notes.of_ejection = out.map(|shift| shift.reason.to_string()).unwrap_or_default();
            notes.reason = notes.of_ejection.clone();
            notes.standing = Standing::Ejected;
        }
        let mut own = std::mem::take(&mut notes.before);
        own.push_back(Shift { reason: notes.reason.as_str().into(), ..notes.present(0) });
        if own.len() > 1 {
            // Where it began here was only what it was told of the other's.
            own.pop_front();
        }
        let mut all: VecDeque<Shift> = shifts.into_iter().take(SHIFTS_MAX + 1).rev().collect();
        let stood = all.back().map(|last| last.standing);
        if stood.is_some() && stood == own.front().map(|first| first.standing) {
            own.pop_front();
        }
        if own.is_empty() {
            // It stands where it stood. How many checks have failed is in the words.
            notes.failed = 0;
            if stood == Some(Standing::Down) {
                notes.of_checks = beginning(&why, SEEN_BYTES_MAX).to_owned();
            }
        }
        all.extend(own);
        notes.follow(all);
        let mut checks: Vec<PastCheck> = checks.into_iter().take(CHECKS_MAX).rev().collect();
        checks.append(&mut notes.checks);
        notes.checks = checks.split_off(checks.len().saturating_sub(CHECKS_MAX));
    }

    /// Where it stands and stood; `ejection_ends` is as for [`why`](Self::why), and `turns` were
    /// sat out since the start.
    pub(super) fn story(&self, standing: Standing, ejection_ends: Duration, turns: u64) -> Story {
        let notes = self.lock();
        let (reason, since) = notes.why(standing, ejection_ends);
        let present = notes.present(SEEN_BYTES_MAX);
        let is_back = notes.is_back(standing);
        let back = is_back.then(|| Shift { at: since, standing, reason: reason.into() });
        let before = notes.before.iter().rev().cloned();
        Story {
            shifts: back.into_iter().chain([present]).chain(before).collect(),
            spells: notes.spells.told(turns),
        }
    }

    /// Why it stands there, and since when; `ejection_ends` is when the last one ends or ended, of
    /// which nobody tells.
    pub(super) fn why(&self, standing: Standing, ejection_ends: Duration) -> (String, Duration) {
        self.lock().why(standing, ejection_ends)
    }

    /// The last checks, the newest first.
    pub(super) fn checks(&self) -> Vec<PastCheck> {
        self.lock().checks.iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn new(standing: Standing, since: Duration) -> Self {
        let alive = standing == Standing::Up;
        let reason = format!("the file says alive = {alive}, and no check has spoken yet");
        let (of_checks, of_ejection) = (reason.clone(), String::new());
        let (checks, before) = (Vec::with_capacity(CHECKS_MAX), VecDeque::new());
        let spells = Spells::default();
        Self { checks, of_checks, of_ejection, reason, standing, since, failed: 0, before, spells }
    }

    fn why(&self, standing: Standing, ejection_ends: Duration) -> (String, Duration) {
        let reason = match standing {
            Standing::Up if self.is_back(standing) => {
                return ("its ejection is over".to_owned(), ejection_ends);
            }
            Standing::Down => &self.of_checks,
            Standing::Ejected => &self.of_ejection,
            Standing::Up | Standing::Drain | Standing::Maint => &self.reason,
        };
        (reason.clone(), self.since)
    }

    /// Where it stood when that last changed, with no more than so much of the reason.
    fn present(&self, bytes_max: usize) -> Shift {
        let times = match self.failed {
            0 | 1 => String::new(),
            times => format!(", {times} times in a row"),
        };
        let reason = beginning(&self.reason, bytes_max - times.len());
        let reason = format!("{reason}{times}").into();
        Shift { at: self.since, standing: self.standing, reason }
    }

    /// It has not been known for longer than this.
    fn begin_at(&mut self, began: Duration) {
        self.before.iter_mut().for_each(|shift| shift.at = shift.at.max(began));
        self.since = self.since.max(began);
    }

    /// This is where it stood, the last of them where it stands.
    fn follow(&mut self, mut all: VecDeque<Shift>) {
        if let Some(last) = all.pop_back() {
            (self.since, self.reason) = (last.at, last.reason.into());
        }
        self.before = all.split_off(all.len().saturating_sub(SHIFTS_MAX));
        for shift in &mut self.before {
            shift.reason = beginning(&shift.reason, REASON_BYTES_MAX).into();
        }
    }

    /// Its ejection has ended by itself, and nobody has said so.
    fn is_back(&self, standing: Standing) -> bool {
        self.standing == Standing::Ejected && standing == Standing::Up
    }

    /// The latest checks that failed, as far as they are remembered.
    fn failed_in_a_row(&self) -> usize {
        self.verdicts().take_while(|check| !check.passed).count()
    }

    /// The checks that speak of its health, the newest first.
    fn verdicts(&self) -> impl Iterator<Item = &CheckOutcome> {
        let all = self.checks.iter().rev().map(|check| &check.outcome);
        all.filter(|check| !check.asks_drain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::story::{SPELLS_MAX, Spell};
    use crate::pool::testing::{check, pool};
    use crate::pool::{Ask, Fault, Outcome, Pool, Rules};

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn why(pool: &Pool, now: Duration) -> (String, Duration) {
        let status = pool.status(0, now);
        (status.why, status.since)
    }

    #[test]
    fn the_last_five_checks_are_remembered_the_newest_first_and_cut() {
        let pool = pool(1, Rules::default());
        for number in 0..7 {
            let seen = format!("{number}{}", "é".repeat(200));
            pool.record_check(0, &CheckOutcome { seen, ..check(true) }, s(number));
        }
        let checks = pool.status(0, s(9)).checks;
        let times: Vec<u64> = checks.iter().map(|check| check.at.as_secs()).collect();
        assert_eq!(times, [6, 5, 4, 3, 2]);
        let is_cut = |it: &CheckOutcome| it.passed && it.seen.len() == SEEN_BYTES_MAX - 1;
        assert!(checks.iter().all(|check| is_cut(&check.outcome)));
    }

    #[test]
    fn where_it_stands_is_told_with_the_reason_and_since_when() {
        let pool = pool(3, Rules::default());
        let first = "the file says alive = true, and no check has spoken yet";
        assert_eq!(why(&pool, s(1)), (first.into(), s(0)));
        pool.record_check(0, &check(true), s(2));
        assert_eq!(why(&pool, s(3)), ("check passed: as told (1.0 ms)".into(), s(0)));
        for now in 4..7 {
            pool.record_check(0, &check(false), s(now));
        }
        let down = ("check failed: as told (1.0 ms)".to_owned(), s(6));
        assert_eq!(why(&pool, s(9)), down);
        pool.set_mode(0, crate::pool::Mode::Drain, false, s(10)).unwrap();
        assert_eq!(why(&pool, s(11)), ("set to drain by an operator".into(), s(10)));
        pool.record_check(0, &CheckOutcome { seen: "status 503".into(), ..check(false) }, s(11));
        pool.set_mode(0, crate::pool::Mode::Ready, false, s(12)).unwrap();
        let by_now = ("check failed: status 503 (1.0 ms)".to_owned(), s(12));
        assert_eq!(why(&pool, s(13)), by_now, "it is down still, for what checks say");
    }

    #[test]
    fn who_was_taken_out_before_the_first_check_is_out_for_the_operators_reason_still() {
        let pool = pool(2, Rules::default());
        pool.set_mode(0, crate::pool::Mode::Maint, false, s(1)).unwrap();
        pool.record_check(0, &check(true), s(2));
        assert_eq!(why(&pool, s(3)), ("set to maint by an operator".into(), s(1)));
    }

    #[test]
    fn who_asked_to_be_drained_while_down_is_down_for_what_failed() {
        let pool = pool(2, Rules::default());
        (1..4).for_each(|now| drop(pool.record_check(0, &check(false), s(now))));
        let asked = CheckOutcome { asks_drain: true, seen: "status 410".into(), ..check(false) };
        pool.record_check(0, &asked, s(4));
        assert_eq!(why(&pool, s(4)).0, "check asks to be drained: status 410 (1.0 ms)");
        pool.record_check(0, &check(true), s(5));
        assert_eq!(why(&pool, s(6)), ("check failed: as told (1.0 ms)".into(), s(5)));
    }

    #[test]
    fn the_first_check_after_none_for_a_while_leaves_the_reason_as_it_was() {
        let pool = pool(3, Rules::default());
        pool.record_check(0, &check(true), s(1));
        pool.set_mode(0, crate::pool::Mode::Drain, false, s(2)).unwrap();
        pool.leave_unchecked(0, s(3));
        pool.set_mode(0, crate::pool::Mode::Ready, false, s(4)).unwrap();
        pool.record_check(0, &check(true), s(5));
        assert_eq!(why(&pool, s(6)), ("set to ready by an operator".into(), s(4)));
    }

    #[test]
    fn what_is_known_of_a_thousand_backends_fits_into_ten_megabytes() {
        const WORKERS: usize = 4;
        let checks = CHECKS_MAX * (size_of::<PastCheck>() + SEEN_BYTES_MAX);
        let shifts = (SHIFTS_MAX + 1) * (size_of::<Shift>() + REASON_BYTES_MAX);
        let spells = SPELLS_MAX * (size_of::<Spell>() + REASON_BYTES_MAX);
        let past = checks + shifts + spells + 3 * SEEN_BYTES_MAX;
        let tallies = WORKERS * size_of::<crate::pool::tally::Tally>().next_multiple_of(128);
        let record = size_of::<crate::pool::record::Record>();
        assert!(record + past + tallies < 10_000, "{record} + {past} + {tallies}");
    }

    fn shift(at: u64, standing: Standing, reason: &str) -> Shift {
        Shift { at: s(at), standing, reason: reason.into() }
    }

    /// What is told of the first of three backends once it goes on from `shifts`.
    fn heir(shifts: &[Shift], live: impl Fn(&Pool)) -> (Vec<(u64, Standing, String)>, Vec<u64>) {
        heir_of(Ejection::default(), shifts, live)
    }

    fn heir_of(
        ejection: Ejection,
        shifts: &[Shift],
        live: impl Fn(&Pool),
    ) -> (Vec<(u64, Standing, String)>, Vec<u64>) {
        let pool = pool(3, Rules::default());
        live(&pool);
        let outcome = CheckOutcome { seen: "503".into(), ..check(false) };
        let seen = |at| PastCheck { at: s(at), outcome: outcome.clone() };
        let checks = [99, 98, 97, 96, 95, 94].map(seen).into();
        let (why, shifts) = (shifts[0].reason.to_string(), shifts.into());
        let known = Inheritance { why, shifts, checks, ejection };
        pool.inherit(0, Some(known), s(100));
        pool.inherit(1, None, s(100));
        assert_eq!(pool.status(1, s(110)).since, s(100), "the other did not know it");
        let status = pool.status(0, s(110));
        let story = pool.story(0, s(110)).shifts;
        assert_eq!((status.since, status.why.as_str()), (story[0].at, &*story[0].reason));
        let told = story.into_iter().map(|it| (it.at.as_secs(), it.standing, it.reason.into()));
        (told.collect(), status.checks.iter().map(|it| it.at.as_secs()).collect())
    }

    #[test]
    fn an_heir_goes_on_since_when_it_stands_where_it_stood() {
        let before = [
            shift(60, Standing::Down, "check failed: status 503 (1.0 ms), 3 times in a row"),
            shift(0, Standing::Up, &"x".repeat(SEEN_BYTES_MAX)),
        ];
        let down = |pool: &Pool| drop(pool.record_check(0, &check(false), s(101)));
        let (told, checks) = heir(&before, |pool| {
            pool.backends()[0].record.stay(false, s(100));
            down(pool);
        });
        assert_eq!((told[0].0, told[0].1), (60, Standing::Down));
        assert_eq!(told[0].2, "check failed: status 503 (1.0 ms), 3 times in a row");
        assert_eq!((told[1].0, told[1].2.len(), told.len()), (0, REASON_BYTES_MAX, 2));
        assert_eq!(checks, [101, 99, 98, 97, 96]);
    }

    #[test]
    fn what_has_changed_since_comes_on_top_of_what_an_heir_was_told() {
        let out =
            [shift(90, Standing::Ejected, "3 failures in a row"), shift(0, Standing::Up, "a")];
        let (told, _) = heir(&out, |pool| {
            pool.backends()[0].record.stay(false, s(100));
            drop(pool.record_check(0, &check(true), s(101)));
        });
        let expected = [
            (101, Standing::Up, "check passed: as told (1.0 ms)"),
            (90, Standing::Ejected, "3 failures in a row"),
            (0, Standing::Up, "a"),
        ];
        assert_eq!(told, expected.map(|(at, to, why)| (at, to, why.to_owned())));
        let drained = [shift(70, Standing::Drain, "set to drain by an operator")];
        let (told, _) = heir(&drained, |pool| {
            pool.set_mode(0, crate::pool::Mode::Drain, true, s(102)).unwrap();
        });
        assert_eq!(told, [(70, Standing::Drain, "set to drain by an operator".to_owned())]);
        let (told, _) = heir(&vec![out[0].clone(); 40], |_| {});
        assert_eq!(told.len(), SHIFTS_MAX + 1);
    }

    #[test]
    fn an_heir_goes_on_with_an_ejection_whatever_its_checks_say_until_its_time_is_up() {
        let out =
            [shift(90, Standing::Ejected, "3 failures in a row"), shift(0, Standing::Up, "a")];
        let words = |all: &[Shift]| -> Vec<_> {
            all.iter().map(|it| (it.at.as_secs(), it.standing, it.reason.to_string())).collect()
        };
        let until = |seconds: u64| Ejection { count: 2, until_ms: seconds * 1000 };
        let passed = |pool: &Pool| drop(pool.record_check(0, &check(true), s(101)));
        assert_eq!(heir_of(until(120), &out, |_| {}).0, words(&out));
        assert_eq!(heir_of(until(120), &out, passed).0, words(&out));
        let back = shift(105, Standing::Up, "its ejection is over");
        let [ejected, up] = out.clone();
        assert_eq!(heir_of(until(105), &out, |_| {}).0, words(&[back, ejected, up]));
        // Its checks took it down meanwhile.
        let down = [shift(95, Standing::Down, "status 503"), out[0].clone()];
        let (told, _) = heir_of(until(120), &down, |pool| {
            pool.backends()[0].record.stay(false, s(100));
            passed(pool);
        });
        assert_eq!((told[0].0, told[0].1), (101, Standing::Ejected));
        assert_eq!(told[1..], words(&down));
    }

    #[test]
    fn one_that_comes_back_by_itself_is_known_to_since_its_ejection_ended() {
        let pool = pool(3, Rules::default());
        for _ in 0..3 {
            let lease = pool.pick(&Ask { tried: &[1, 2], ..Ask::default() }).unwrap();
            lease.finish(Outcome::Failed(Fault::Connect), s(1));
        }
        let (reason, since) = why(&pool, s(2));
        assert!(reason.starts_with("3 failures in a row, the last: connect failed"), "{reason}");
        assert_eq!(since, s(1));
        assert_eq!(why(&pool, s(11)), ("its ejection is over".into(), s(11)));
    }
}
