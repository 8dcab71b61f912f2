//! What follows from a check: for the health of a backend, and for its own wish to be drained.
//!
//! Called by the watch, in order for each backend. An application may answer a check with a status
//! that asks for no new requests (`[health] drain`): it is about to end, and is not to be waited
//! for until enough checks have failed. The wish
//!
//! - is granted at once, unless no other backend is up: else a rollout that has all of them ask
//!   together would have every request answered 503 while each could still serve. Who is spared so
//!   is drained as soon as another is up;
//! - ends with the first check that passes. One that fails does not end it: an application that was
//!   drained and has closed its port would get requests again until `fall` checks have failed. When
//!   they have, it is down.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::roster::Seat;
use super::wish::Plea;
use super::{Backend, Change, CheckOutcome, Notice, Pool, Standing};

impl Pool {
    /// Takes in the result of a check of the backend at `index`.
    pub fn record_check(
        &self,
        index: usize,
        outcome: &CheckOutcome,
        now: Duration,
    ) -> Option<Notice> {
        let backend = &self.backends[index];
        if outcome.asks_drain {
            return backend.is_current().then(|| self.hear_plea(index, outcome, now))?;
        }
        let count = match outcome.passed {
            true => &backend.record.checks.passed,
            false => &backend.record.checks.failed,
        };
        count.fetch_add(1, Relaxed);
        if !backend.is_current() {
            return None;
        }
        if !outcome.passed {
            backend.doubt();
        }
        let change = self.change(index, now, |Seat { backend, .. }| {
            let record = &backend.record;
            let turned = record.health.checked(outcome.passed, &self.rules.check);
            record.past.checked(outcome, turned, now);
            let has_asked = record.wish.plea() != Plea::None;
            let asks_no_more = has_asked && (outcome.passed || turned);
            if asks_no_more {
                record.wish.set_plea(Plea::None);
            }
            let is_back = outcome.passed && record.is_back_untold(now);
            (turned || asks_no_more || is_back).then(|| outcome.to_string())
        });
        let words = self.policy.checked(backend.memory(), outcome);
        let words = words.inspect(|_| self.remember_turns(index, now));
        change.map(Notice::Changed).or(words.map(|why| self.judged(index, why, false)))
    }

    /// The backend at `index` is checked no more: what the file says of it is believed again, and
    /// nobody hears what its application asks for.
    pub fn leave_unchecked(&self, index: usize, now: Duration) -> Option<Change> {
        self.change(index, now, |Seat { backend, .. }| {
            let (record, alive) = (&backend.record, backend.spec().alive);
            record.health.leave_unchecked(alive);
            record.wish.set_plea(Plea::None);
            record.past.left_unchecked(alive);
            Some("it is checked no more".to_owned())
        })
    }

    /// Nobody hears any more what the application of the backend at `index` asks for: nor would it
    /// be heard that it asks no more.
    pub fn forget_plea(&self, index: usize, now: Duration) -> Option<Change> {
        self.change(index, now, |Seat { backend, .. }| {
            let wish = &backend.record.wish;
            let has_asked = wish.plea() != Plea::None;
            wish.set_plea(Plea::None);
            has_asked.then(|| "[health] drain says no more that it asks to be drained".to_owned())
        })
    }

    /// The application asks to be drained. That counts neither for nor against its health.
    fn hear_plea(&self, index: usize, outcome: &CheckOutcome, now: Duration) -> Option<Notice> {
        let mut newly_spared = None;
        let change = self.change(index, now, |Seat { all, backend, .. }| {
            let record = &backend.record;
            record.past.checked(outcome, false, now);
            let is_up = |one: &Backend| one.standing(now) == Standing::Up;
            let has_other = all.iter().any(|one| !one.is(backend) && is_up(one));
            let is_missed = record.standing_by_health(now) == Standing::Up && !has_other;
            let before = record.wish.plea();
            let plea = match before {
                Plea::Overruled => Plea::Overruled,
                _ if is_missed => Plea::Spared,
                _ => Plea::Granted,
            };
            record.wish.set_plea(plea);
            let words = match plea {
                Plea::Spared => format!("{outcome}; it stays in, as no other is up"),
                _ => outcome.to_string(),
            };
            newly_spared = (plea == Plea::Spared && before != plea).then(|| words.clone());
            (plea != before).then_some(words)
        });
        let spared = newly_spared.map(|words| self.judged(index, words, true));
        change.map(Notice::Changed).or(spared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::{check, pool, set_mode};
    use crate::pool::{Mode, Rules, Who};

    const NOW: Duration = Duration::ZERO;

    /// Tells the pool that the backend asks to be drained.
    fn ask(pool: &Pool, index: usize) -> Option<String> {
        let outcome = CheckOutcome { asks_drain: true, seen: "status 410".into(), ..check(false) };
        pool.record_check(index, &outcome, NOW).map(|notice| notice.to_string())
    }

    fn hear(pool: &Pool, index: usize, passed: bool) -> Option<String> {
        pool.record_check(index, &check(passed), NOW).map(|notice| notice.to_string())
    }

    fn standing(pool: &Pool, index: usize) -> Standing {
        pool.backends()[index].standing(NOW)
    }

    #[test]
    fn an_application_that_asks_is_drained_at_once_and_back_with_the_first_good_check() {
        let pool = pool(2, Rules::default());
        hear(&pool, 0, true);
        let asked = "check asks to be drained: status 410 (1.0 ms)";
        let said = format!("backend a: {asked}; up -> drain; 1 of 2 left: b; out: a (drain)");
        assert_eq!(ask(&pool, 0), Some(said));
        let status = pool.status(0, NOW);
        assert_eq!((status.asked_by, status.mode), (Some(Who::Application), Mode::Ready));
        assert_eq!((status.why.as_str(), status.is_up), (asked, true));
        assert_eq!(ask(&pool, 0), None, "once is enough");
        let said = "backend a: check passed: as told (1.0 ms); drain -> up; 2 of 2 up";
        assert_eq!(hear(&pool, 0, true).as_deref(), Some(said));
        let counts = pool.backends()[0].counts();
        assert_eq!([counts.checks_passed, counts.checks_failed], [2, 0]);
    }

    #[test]
    fn one_that_ends_after_it_has_asked_gets_no_request_until_it_is_down() {
        let pool = pool(2, Rules::default());
        hear(&pool, 0, true);
        ask(&pool, 0);
        assert_eq!([(); 2].map(|()| hear(&pool, 0, false)), [None, None]);
        assert_eq!(standing(&pool, 0), Standing::Drain);
        assert!(hear(&pool, 0, false).is_some_and(|said| said.contains("drain -> down")));
        assert!(hear(&pool, 0, true).is_none(), "as ever, two must pass");
        assert!(hear(&pool, 0, true).is_some_and(|said| said.contains("down -> up")));
    }

    #[test]
    fn one_that_asks_while_it_is_down_is_up_again_when_enough_checks_have_passed() {
        let pool = pool(2, Rules::default());
        (0..3).for_each(|_| drop(hear(&pool, 0, false)));
        assert_eq!(standing(&pool, 0), Standing::Down);
        (0..2).for_each(|_| drop(ask(&pool, 0)));
        assert_eq!(standing(&pool, 0), Standing::Drain);
        assert!(hear(&pool, 0, true).is_some_and(|said| said.contains("drain -> down")));
        assert!(hear(&pool, 0, true).is_some_and(|said| said.contains("down -> up")));
    }

    #[test]
    fn where_nobody_hears_its_wish_any_more_it_is_dropped() {
        let pool = pool(2, Rules::default());
        hear(&pool, 0, true);
        ask(&pool, 0);
        let specs = ["a", "b"].map(crate::pool::testing::spec).to_vec();
        let (kind, rules) = (crate::pool::policy::Kind::RoundRobin, pool.rules().clone());
        let kept = crate::pool::testing::succeeding(&pool, kind, specs, rules);
        assert_eq!((kept.forget_plea(1, NOW), standing(&kept, 0)), (None, Standing::Drain));
        let told = kept.forget_plea(0, NOW).unwrap().to_string();
        assert!(
            told.contains("[health] drain says no more") && told.contains("drain -> up"),
            "{told}"
        );
        assert_eq!(kept.forget_plea(0, NOW), None);
    }

    #[test]
    fn the_last_one_up_stays_in_until_another_is_up_and_that_is_said_once() {
        let pool = pool(2, Rules::default());
        hear(&pool, 0, true);
        ask(&pool, 0);
        let spared = ask(&pool, 1).unwrap();
        assert!(spared.ends_with("(1.0 ms); it stays in, as no other is up"), "{spared}");
        assert_eq!((ask(&pool, 1), standing(&pool, 1)), (None, Standing::Up));
        hear(&pool, 0, true);
        assert!(ask(&pool, 1).is_some_and(|said| said.contains("up -> drain")));
        for _ in 0..3 {
            hear(&pool, 0, false);
        }
        let back = ask(&pool, 1).unwrap();
        assert!(back.contains("as no other is up; drain -> up; 1 of 2 up"), "{back}");
    }

    #[test]
    fn one_that_is_spared_stays_in_for_good_once_an_operator_wants_it() {
        let pool = pool(2, Rules::default());
        hear(&pool, 0, true);
        ask(&pool, 0);
        assert!(ask(&pool, 1).is_some_and(|said| said.contains("as no other is up")));
        assert_eq!(pool.set_mode(1, Mode::Ready, false, NOW), Ok(None), "it is in already");
        hear(&pool, 0, true);
        assert_eq!((ask(&pool, 1), standing(&pool, 1)), (None, Standing::Up));
    }

    #[test]
    fn what_an_operator_says_counts_whatever_the_application_asks_for() {
        let pool = pool(3, Rules::default());
        hear(&pool, 0, true);
        set_mode(&pool, 0, Mode::Maint, NOW);
        assert_eq!((ask(&pool, 0), hear(&pool, 0, true)), (None, None));
        assert_eq!(standing(&pool, 0), Standing::Maint);
        set_mode(&pool, 0, Mode::Ready, NOW);
        ask(&pool, 0);
        let said = set_mode(&pool, 0, Mode::Ready, NOW).unwrap().to_string();
        assert!(said.contains("set to ready by an operator; drain -> up"), "{said}");
        assert_eq!((ask(&pool, 0), standing(&pool, 0)), (None, Standing::Up));
        hear(&pool, 0, true);
        assert!(ask(&pool, 0).is_some_and(|said| said.contains("up -> drain")), "a new wish");
    }
}
