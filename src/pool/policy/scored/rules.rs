//! The figures that the score is made of, with the defaults that the laboratory found.
//!
//! Filled in by the configuration (`[scored]`), read by the policy. Holds no state.

use crate::pool::Statuses;

/// What raises and lowers a backend's score, and what the score then does. Points are whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoredRules {
    /// The score from which a backend sits turns out.
    pub threshold: u32,
    /// Points for an answer, for each multiple of the average latency beyond `slow_from`.
    pub slow: u32,
    /// Percent of the average latency from which an answer is slow.
    pub slow_from: u32,
    /// Percent of the average latency beyond which slower costs no more.
    pub slow_max: u32,
    /// Points taken off for an answer faster than the average.
    pub fast: u32,
    /// Points for a failure or a bad status.
    pub error: u32,
    /// Statuses that are bad.
    pub statuses: Statuses,
    /// So many answers in a row without an error are a good run, at least 1.
    pub run: u32,
    /// Points taken off for each good run.
    pub good: u32,
    /// How many answers one health check counts for; 0 leaves checks out.
    pub checks: u32,
    /// Points above the threshold for each further turn to sit out, at least 1.
    pub step: u32,
    /// The most turns to sit out at once, at least 1.
    pub turns_max: u32,
    /// Points taken off for each turn sat out.
    pub decay: u32,
    /// The most points kept by a backend that is up again.
    pub kept: u32,
    /// Percent of the usable backends that may sit out at the same time. The last one never does.
    pub out_max: u32,
    /// So many answers the average latency looks back on, at least 1.
    pub window: u32,
}

impl Default for ScoredRules {
    fn default() -> Self {
        Self {
            threshold: 250,
            slow: 10,
            slow_from: 175,
            slow_max: 800,
            fast: 4,
            error: 70,
            statuses: Statuses::new(vec![500..=599]),
            run: 10,
            good: 5,
            checks: 1,
            step: 4,
            turns_max: 60,
            decay: 1,
            kept: 125,
            out_max: 50,
            window: 64,
        }
    }
}

impl ScoredRules {
    /// Points for an answer that took `pace` percent of the average latency.
    pub(super) fn points(&self, pace: u64) -> i64 {
        let beyond = pace.min(self.slow_max.into()).saturating_sub(self.slow_from.into());
        match pace < 100 {
            true => -i64::from(self.fast),
            false => (u64::from(self.slow) * beyond / 100) as i64,
        }
    }

    /// Turns to sit out at `score`.
    pub(super) fn turns(&self, score: u32) -> u32 {
        match score.checked_sub(self.threshold) {
            Some(above) => (1 + above / self.step.max(1)).min(self.turns_max),
            None => 0,
        }
    }

    /// The score stops rising where it would cost no more turns: what is bad for long must not
    /// take as long to be forgiven.
    pub(super) fn score_max(&self) -> u32 {
        let above = self.step.saturating_mul(self.turns_max.saturating_sub(1));
        self.threshold.saturating_add(above)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> ScoredRules {
        let latency = ScoredRules {
            slow: 10,
            slow_from: 150,
            slow_max: 600,
            fast: 5,
            ..ScoredRules::default()
        };
        ScoredRules { threshold: 100, step: 4, turns_max: 20, ..latency }
    }

    #[test]
    fn slower_costs_more_up_to_a_limit_and_faster_takes_a_little_off() {
        let points = [0, 99, 100, 150, 160, 250, 600, 6000].map(|pace| rules().points(pace));
        assert_eq!(points, [-5, -5, 0, 0, 1, 10, 45, 45]);
    }

    #[test]
    fn the_turns_to_sit_out_grow_with_the_score_and_are_capped() {
        let turns = [0, 99, 100, 103, 104, 140, 176, 177, 10_000].map(|score| rules().turns(score));
        assert_eq!(turns, [0, 0, 1, 1, 2, 11, 20, 20, 20]);
        assert_eq!((rules().score_max(), rules().turns(rules().score_max())), (176, 20));
    }

    #[test]
    fn figures_at_their_limits_overflow_nothing() {
        let top = u32::MAX;
        let rules = ScoredRules {
            threshold: top,
            slow: top,
            slow_max: top,
            step: top,
            turns_max: top,
            ..rules()
        };
        assert_eq!((rules.score_max(), rules.turns(top)), (top, 1));
        assert!(rules.points(u64::MAX) > 0);
    }
}
