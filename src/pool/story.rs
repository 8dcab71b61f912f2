//! The story of one backend: its latest changes of standing, and when its policy had it sit turns
//! out.
//!
//! Part of its past, for people who ask why. Bounded, and written as seldom as a standing changes
//! or a policy turns: never by a pick. Decides nothing.

use std::collections::VecDeque;
use std::time::Duration;

use super::Standing;
use super::policy::SatOut;
use crate::text::beginning;

/// How many changes of standing are remembered, the present one not counted.
pub(super) const SHIFTS_MAX: usize = 15;
/// How many spells of turns sat out are remembered.
pub(super) const SPELLS_MAX: usize = 6;
/// How much is kept of why something was so that is over.
pub(super) const REASON_BYTES_MAX: usize = 100;

/// What befell a backend lately; the newest comes first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// Where it stands, and before that where it stood.
    pub shifts: Vec<Shift>,
    /// When it sat turns out.
    pub spells: Vec<Spell>,
}

/// A backend began to stand somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// When, on the pool's clock.
    pub at: Duration,
    /// Where.
    pub standing: Standing,
    /// What brought it there.
    pub reason: Box<str>,
}

/// A stretch of time in which a backend sat turns out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spell {
    /// When it began, on the pool's clock.
    pub began: Duration,
    /// When it was over; none if it is not.
    pub ended: Option<Duration>,
    /// Turns that were sat out in it.
    pub turns: u64,
    /// Why, as it was when it began.
    pub reason: Box<str>,
}

/// The latest spells, the newest last.
#[derive(Default)]
pub(super) struct Spells {
    all: VecDeque<Spell>,
    /// Turns that had been sat out when the newest began.
    before: u64,
}

impl Spells {
    /// The policy has the backend sit out from now on, or no longer. To hear the same twice
    /// changes nothing.
    pub(super) fn hear(&mut self, said: &SatOut, now: Duration) {
        let is_open = self.all.back().is_some_and(|spell| spell.ended.is_none());
        match (said.is_out, is_open) {
            (true, false) => {
                if self.all.len() == SPELLS_MAX {
                    self.all.pop_front();
                }
                self.before = said.turns;
                let reason = beginning(&said.why, REASON_BYTES_MAX).into();
                self.all.push_back(Spell { began: now, ended: None, turns: 0, reason });
            }
            (false, true) => {
                let turns = self.turns(said.turns);
                if let Some(spell) = self.all.back_mut() {
                    (spell.ended, spell.turns) = (Some(now), turns);
                }
            }
            _ => {}
        }
    }

    /// The newest first; `turns` were sat out since the start.
    pub(super) fn told(&self, turns: u64) -> Vec<Spell> {
        let told = |spell: &Spell| match spell.ended {
            Some(_) => spell.clone(),
            None => Spell { turns: self.turns(turns), ..spell.clone() },
        };
        self.all.iter().rev().map(told).collect()
    }

    /// In the newest spell.
    fn turns(&self, turns: u64) -> u64 {
        turns.saturating_sub(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::policy::{Kind, ScoredRules};
    use crate::pool::testing::{check, pool, set_mode, spec, succeeding};
    use crate::pool::{Ask, Fault, Mode, Outcome, Pool, Rules};

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn said(is_out: bool, turns: u64) -> SatOut {
        SatOut { is_out, turns, why: "answers slow".into() }
    }

    /// When it came where, the newest first.
    fn told(pool: &Pool, now: Duration) -> Vec<(u64, Standing, String)> {
        let shifts = pool.story(0, now).shifts.into_iter();
        shifts.map(|it| (it.at.as_secs(), it.standing, it.reason.into())).collect()
    }

    #[test]
    fn each_change_of_standing_is_remembered_with_its_time_and_reason() {
        let pool = pool(3, Rules::default());
        pool.record_check(0, &check(true), s(1));
        (4..7).for_each(|now| drop(pool.record_check(0, &check(false), s(now))));
        set_mode(&pool, 0, Mode::Maint, s(8));
        (9..11).for_each(|now| drop(pool.record_check(0, &check(true), s(now))));
        set_mode(&pool, 0, Mode::Ready, s(12));
        let expected = [
            (12, Standing::Up, "set to ready by an operator"),
            (8, Standing::Maint, "set to maint by an operator"),
            (6, Standing::Down, "check failed: as told (1.0 ms), 3 times in a row"),
            (0, Standing::Up, "check passed: as told (1.0 ms)"),
        ];
        assert_eq!(told(&pool, s(20)), expected.map(|(at, to, why)| (at, to, why.to_owned())));
    }

    #[test]
    fn an_ejection_that_ended_by_itself_is_part_of_the_story() {
        let pool = pool(3, Rules::default());
        for _ in 0..3 {
            let lease = pool.pick(&Ask { tried: &[1, 2], ..Ask::default() }).unwrap();
            lease.finish(Outcome::Failed(Fault::Connect), s(1));
        }
        assert_eq!(told(&pool, s(2))[0].1, Standing::Ejected);
        let later = told(&pool, s(20));
        assert_eq!(later[0], (11, Standing::Up, "its ejection is over".into()));
        assert_eq!((later[1].0, later[1].1), (1, Standing::Ejected));
        let lease = pool.pick(&Ask { tried: &[1, 2], now: s(21), ..Ask::default() }).unwrap();
        lease.finish(Outcome::Answered { status: 200, latency: s(0) }, s(21));
        let known = told(&pool, s(30));
        assert_eq!((known[0].0, known[0].1, known.len()), (21, Standing::Up, later.len()));
    }

    #[test]
    fn only_the_latest_are_remembered_however_long_the_night() {
        let pool = pool(3, Rules::default());
        for turn in 0..100 {
            let mode = if turn % 2 == 0 { Mode::Drain } else { Mode::Ready };
            set_mode(&pool, 0, mode, s(turn));
        }
        let told = told(&pool, s(200));
        assert_eq!(told.len(), SHIFTS_MAX + 1);
        assert!(told.iter().map(|it| it.0).eq((84..100).rev()));
    }

    #[test]
    fn turns_sat_out_are_counted_spell_by_spell() {
        let mut spells = Spells::default();
        assert_eq!(spells.told(0), []);
        spells.hear(&said(true, 10), s(1));
        spells.hear(&said(true, 12), s(2));
        assert_eq!((spells.told(13)[0].turns, spells.told(13)[0].ended), (3, None));
        spells.hear(&said(false, 14), s(5));
        spells.hear(&said(false, 14), s(6));
        spells.hear(&said(true, 20), s(9));
        let told = spells.told(21);
        assert_eq!((told[0].began, told[0].ended, told[0].turns), (s(9), None, 1));
        assert_eq!((told[1].began, told[1].ended, told[1].turns), (s(1), Some(s(5)), 4));
        for turn in 0..50 {
            spells.hear(&said(turn % 2 == 1, turn), s(turn));
        }
        assert_eq!(spells.told(50).len(), SPELLS_MAX);
        assert_eq!(spells.told(0)[0].turns, 0, "counted anew meanwhile: not below nothing");
    }

    /// Four backends by score, of which the first fails until it sits turns out.
    fn ailing() -> std::sync::Arc<Pool> {
        let specs: Vec<_> = ["a", "b", "c", "d"].map(spec).into();
        let rules = ScoredRules { threshold: 10, error: 8, ..ScoredRules::default() };
        let policy = Kind::ScoredRoundRobin.build(&specs, &rules);
        let pool = Pool::new(specs, policy, Rules::default());
        for now in 1..100 {
            let lease = pool.pick(&Ask { now: s(now), ..Ask::default() }).unwrap();
            let status = if lease.index() == 0 { 500 } else { 200 };
            lease.finish(Outcome::Answered { status, latency: Duration::from_millis(5) }, s(now));
        }
        pool
    }

    #[test]
    fn a_policys_verdict_becomes_a_spell_with_its_reason() {
        let pool = ailing();
        let spells = pool.story(0, s(100)).spells;
        assert_eq!((spells.len(), spells[0].ended), (1, None));
        assert!(spells[0].turns > 5 && spells[0].began < s(20), "{spells:?}");
        assert_eq!(&*spells[0].reason, "2 of the last 2 answers bad");
        assert_eq!(pool.story(1, s(100)).spells, []);
    }

    #[test]
    fn another_policy_begins_another_story_of_turns() {
        let pool = ailing();
        let specs = || ["a", "b", "c", "d"].map(spec).to_vec();
        let same = succeeding(&pool, Kind::ScoredRoundRobin, specs(), Rules::default());
        assert_eq!(same.story(0, s(100)).spells.len(), 1);
        let other = succeeding(&same, Kind::RoundRobin, specs(), Rules::default());
        assert_eq!(other.story(0, s(100)).spells, []);
        assert_eq!(other.story(0, s(100)).shifts, pool.story(0, s(100)).shifts);
    }
}
