//! One backend's card: its score, the turns it still has to sit out, and what it was scored for.
//!
//! Part of what the policy remembers of a backend, written from many threads at once. What must
//! change together is one atomic word that only ever changes by compare-and-swap. Never knows of
//! its neighbours.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::ScoredRules;
use super::results::Results;

/// One backend's card.
#[derive(Default)]
pub(in crate::pool::policy) struct Card {
    /// A packed [`Score`].
    score: AtomicU64,
    /// Of requests.
    pub(super) answers: Results,
    /// Of health checks.
    pub(super) checks: Results,
    /// Turns that it has sat out.
    sat_out: AtomicU64,
}

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// It begins to sit out.
    Out,
    /// It has taken every turn for some time.
    Back,
}

/// A result: how long it took in percent of the average, or that it was bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Good { pace: u64 },
    Bad,
}

impl Card {
    /// It is a new one.
    pub(in crate::pool::policy) fn forget(&self) {
        self.score.store(0, Relaxed);
        self.answers.forget();
        self.checks.forget();
        self.sat_out.store(0, Relaxed);
    }

    /// Turns that it has sat out.
    pub(super) fn sat_out(&self) -> u64 {
        self.sat_out.load(Relaxed)
    }

    pub(super) fn score(&self) -> Score {
        Score::unpack(self.score.load(Relaxed))
    }

    /// Its turn has come: true if it takes it, false if it sits it out, as only those do that
    /// `may_sit_out`.
    pub(super) fn turn(&self, may_sit_out: bool, rules: &ScoredRules) -> bool {
        let before = self.score.fetch_update(Relaxed, Relaxed, |word| {
            Score::unpack(word).turn(may_sit_out, rules).map(Score::pack)
        });
        let takes_it = !may_sit_out || before.map(Score::unpack).map_or(true, |old| old.left == 0);
        if !takes_it {
            self.sat_out.fetch_add(1, Relaxed);
        }
        takes_it
    }

    /// It has been away and is up again: what was held against it may be over, and it gets another
    /// chance, with no more than `kept` points to begin with.
    pub(super) fn forgive(&self, rules: &ScoredRules) {
        let forgiven = |word| Some(Score::unpack(word).forgiven(rules).pack());
        // Never refuses.
        let _ = self.score.fetch_update(Relaxed, Relaxed, forgiven);
    }

    /// Takes in what came of a request.
    pub(super) fn answered(&self, finding: Finding, rules: &ScoredRules) -> Option<Turned> {
        self.rate(|score| score.answered(finding, rules))
    }

    /// Takes in what a check found.
    pub(super) fn checked(&self, finding: Finding, rules: &ScoredRules) -> Option<Turned> {
        self.rate(|score| score.rated(finding, rules.checks, rules))
    }

    fn rate(&self, rated: impl Fn(Score) -> Score) -> Option<Turned> {
        let rated = |word| rated(Score::unpack(word));
        let next = |word| Some(rated(word).pack()).filter(|next| *next != word);
        let before = self.score.fetch_update(Relaxed, Relaxed, next).ok()?;
        match (Score::unpack(before).told, rated(before).told) {
            (false, true) => Some(Turned::Out),
            (true, false) => Some(Turned::Back),
            _ => None,
        }
    }
}

/// A score and what follows from it: 32 bits `score`, 16 bits `left`, 14 bits `run`, 1 bit
/// `on_trial`, 1 bit `told`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    /// In points.
    pub(super) score: u32,
    /// Turns left to sit out; 0 below the threshold.
    pub(super) left: u16,
    /// Good results in a row since the last good run.
    run: u16,
    /// It has taken a turn above the threshold, and its answer is not there yet.
    on_trial: bool,
    /// The log says that it sits out.
    pub(super) told: bool,
}

impl Score {
    const RUN_MAX: u64 = (1 << 14) - 1;
    const ON_TRIAL: u64 = 1 << 62;
    const TOLD: u64 = 1 << 63;

    fn pack(self) -> u64 {
        let on_trial = if self.on_trial { Self::ON_TRIAL } else { 0 };
        let flags = on_trial | if self.told { Self::TOLD } else { 0 };
        u64::from(self.score) | u64::from(self.left) << 32 | u64::from(self.run) << 48 | flags
    }

    fn unpack(word: u64) -> Self {
        Self {
            score: word as u32,
            left: (word >> 32) as u16,
            run: (word >> 48 & Self::RUN_MAX) as u16,
            on_trial: word & Self::ON_TRIAL != 0,
            told: word & Self::TOLD != 0,
        }
    }

    /// A turn of its own goes by. One above the threshold with none left to sit out is on trial:
    /// it takes this turn, and sits out again until the answer is in. `None` below the threshold,
    /// where turns change nothing.
    fn turn(self, may_sit_out: bool, rules: &ScoredRules) -> Option<Self> {
        let turns = rules.turns(self.score);
        if turns == 0 {
            return None;
        }
        let on_trial = self.on_trial || self.left == 0 || !may_sit_out;
        if self.left == 0 {
            return Some(Self { left: narrow(turns), on_trial, ..self });
        }
        let score = self.score.saturating_sub(rules.decay);
        let left = if score < rules.threshold { 0 } else { self.left - 1 };
        Some(Self { score, left, on_trial, ..self })
    }

    /// While it sits out and is not on trial, answers are to requests from before. They say nothing
    /// new; the trials will tell.
    fn answered(self, finding: Finding, rules: &ScoredRules) -> Self {
        match self.left > 0 && !self.on_trial {
            true => self,
            false => Self { on_trial: false, ..self }.rated(finding, 1, rules),
        }
    }

    fn forgiven(self, rules: &ScoredRules) -> Self {
        let score = self.score.min(rules.kept);
        let left = u32::from(self.left).min(rules.turns(score));
        Self { score, left: narrow(left), ..self }
    }

    fn rated(self, finding: Finding, times: u32, rules: &ScoredRules) -> Self {
        let (points, run) = match finding {
            Finding::Bad => (i64::from(rules.error), 0),
            Finding::Good { pace } if u32::from(self.run) + 1 < rules.run => {
                (rules.points(pace), self.run + 1)
            }
            Finding::Good { pace } => (rules.points(pace) - i64::from(rules.good), 0),
        };
        let score = i64::from(self.score) + points.saturating_mul(times.into());
        let score = score.clamp(0, rules.score_max().into()) as u32;
        // The turns left change by as many as the score stands for, so that none counts twice.
        let (before, after) = (rules.turns(self.score), rules.turns(score));
        let left = if after == 0 { 0 } else { u32::from(self.left) + after };
        // The log hears of a return only at half the threshold: a score about the threshold itself
        // would fill it.
        let told = after > 0 || (self.told && score > rules.threshold / 2);
        Self { score, left: narrow(left.saturating_sub(before)), run, told, ..self }
    }
}

fn narrow(turns: u32) -> u16 {
    u16::try_from(turns).unwrap_or(u16::MAX)
}
