//! Scored round robin: each backend in its turn, but the slow and the faulty sit turns out.
//!
//! Called by the pool for each pick, each outcome and each check, from many threads at once; takes
//! no lock. What a result is worth is in `rules`, a backend's score on its `card`.
//!
//! Lower is better. Each answer moves the score of the backend that gave it: slower than the pool's
//! average latency raises it, faster lowers it a little; a failure or a bad status raises it, a run
//! without any lowers it a little. Health checks count likewise, against the average of checks.
//!
//! From the `threshold` on the backend sits turns out, one more for every `step` points, and each
//! turn sat out takes `decay` points off. Then it takes one turn, on trial: that answer shows
//! whether the score goes on falling. Until the answer is there it sits out again, so that one
//! that hangs gets no more. Answers to requests from before do not count: a short jam would be paid
//! for again and again while it dissolves.
//!
//! With threshold 10, error 8, step 2, decay 1, and 2 off for every fine answer; B's turns, with
//! answers that are bad (`!`), fine (`.`) or none (`-`: the turn goes by, and A gets the request):
//!
//! ```text
//! turn     1   2   3   4   5   6   7   8   9  10
//! answer   !   !   -   -   -   -   .   -   .   .     7 and 9 are on trial
//! score    8  16  15  14  13  12  10   9   7   5
//! left     0   4   3   2   1   0   1   0   0   0     turns left to sit out
//! ```

mod average;
mod card;
mod results;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use super::turns::Turns;
use super::{Ledger, Memory, Policy, SatOut, View};
use crate::pool::{CheckOutcome, Outcome};
pub(super) use average::Average;
pub(super) use card::Card;
use card::{Finding, Turned};
use results::Results;
pub use rules::ScoredRules;

/// The policy `scored-round-robin`.
pub struct ScoredRoundRobin {
    turns: Turns,
    rules: ScoredRules,
}

impl ScoredRoundRobin {
    /// For backends of these weights.
    pub fn new(weights: &[u32], rules: ScoredRules) -> Self {
        Self { turns: Turns::new(weights), rules }
    }

    fn takes_its_turn(&self, index: usize, view: &dyn View) -> bool {
        let card = &view.facts(index).memory.card;
        card.score().score < self.rules.threshold
            || card.turn(self.may_sit_out(index, view), &self.rules)
    }

    /// The worst may, up to `out_max` percent of the usable ones, if they are worse than the best
    /// by the whole threshold: what ails all of them is held against none, and the others have to
    /// bear the load. So the last one never may.
    fn may_sit_out(&self, index: usize, view: &dyn View) -> bool {
        let rank = |index: usize| (view.facts(index).memory.card.score().score, index);
        let own = rank(index);
        let (mut usable, mut out, mut best) = (0, 0, own.0);
        for index in (0..view.count()).filter(|index| view.is_usable(*index)) {
            usable += 1;
            out += usize::from(rank(index) >= own);
            best = best.min(rank(index).0);
        }
        own.0 - best >= self.rules.threshold && out * 100 <= usable * self.rules.out_max as usize
    }

    fn explain_as(&self, card: &Card, turned: Option<Turned>) -> String {
        let (score, rules) = (card.score(), &self.rules);
        let reasons = self.reasons(card);
        let turns = match (turned, score.left) {
            (Some(Turned::Back), _) => "takes its turns again".to_owned(),
            (_, 0) if score.score < rules.threshold => "takes its turns".to_owned(),
            (_, 0) => "takes its next turn on trial".to_owned(),
            (_, 1) => "sits out 1 turn".to_owned(),
            (_, left) => format!("sits out {left} turns"),
        };
        let why = if reasons.is_empty() { "" } else { "; " };
        format!("score {}, threshold {}: {turns}{why}{reasons}", score.score, rules.threshold)
    }

    /// What speaks against it.
    fn reasons(&self, card: &Card) -> String {
        let ledger = &self.turns.ledger;
        let mut reasons = String::new();
        let kinds =
            [("answers", &card.answers, &ledger.answers), ("checks", &card.checks, &ledger.checks)];
        for (noun, results, average) in kinds {
            let written = results.explain(noun, average.read(), &self.rules, &mut reasons);
            written.expect("a String takes every text");
        }
        reasons
    }

    /// Notes a result, a bad one without its latency, which is no merit and no fault: to fail is
    /// often quick.
    fn note(&self, results: &Results, average: &Average, latency: Option<Duration>) -> Finding {
        let Some(latency) = latency else {
            results.bad();
            return Finding::Bad;
        };
        results.good(latency);
        let pace = average.add(latency, self.rules.window, self.rules.slow_max.into());
        Finding::Good { pace }
    }
}

impl Policy for ScoredRoundRobin {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        let is_usable = |index: &usize| view.is_usable(*index);
        let given = self.turns.next(|index| is_usable(&index) && self.takes_its_turn(index, view));
        // While scores change, each may have seen the others as the ones that serve.
        given.or_else(|| (0..view.count()).find(is_usable))
    }

    fn name(&self) -> &'static str {
        "scored-round-robin"
    }

    /// A 4xx says something of the client, neither good nor bad of the backend.
    fn served(&self, memory: &Memory, outcome: &Outcome) -> Option<String> {
        let bad = &self.rules.statuses;
        let latency = match *outcome {
            Outcome::Failed(_) => None,
            Outcome::Answered { status, .. } if bad.contains(status) => None,
            Outcome::Answered { status, latency } if status < 400 => Some(latency),
            Outcome::Connected { latency } => Some(latency),
            Outcome::Answered { .. } | Outcome::Abandoned => return None,
        };
        let card = &memory.card;
        let finding = self.note(&card.answers, &self.turns.ledger.answers, latency);
        let turned = card.answered(finding, &self.rules)?;
        Some(self.explain_as(card, Some(turned)))
    }

    fn checked(&self, memory: &Memory, outcome: &CheckOutcome) -> Option<String> {
        let card = &memory.card;
        let latency = outcome.passed.then_some(outcome.took);
        let finding = self.note(&card.checks, &self.turns.ledger.checks, latency);
        let turned = card.checked(finding, &self.rules)?;
        Some(self.explain_as(card, Some(turned)))
    }

    fn returned(&self, memory: &Memory) {
        memory.card.forgive(&self.rules);
    }

    fn explain(&self, memory: &Memory) -> Option<String> {
        Some(self.explain_as(&memory.card, None))
    }

    fn score(&self, memory: &Memory) -> Option<f64> {
        Some(memory.card.score().score.into())
    }

    fn sat_out(&self, memory: &Memory) -> Option<SatOut> {
        let card = &memory.card;
        let (turns, is_out) = (card.sat_out(), card.score().told);
        Some(SatOut { turns, is_out, why: self.reasons(card) })
    }

    fn ledger(&self) -> Option<&Arc<Ledger>> {
        Some(&self.turns.ledger)
    }

    fn take_over(&mut self, ledger: &Arc<Ledger>) {
        self.turns.ledger = Arc::clone(ledger);
    }
}
