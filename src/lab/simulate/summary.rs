//! A policy's runs in a few figures: medians over the seeds, and how far seeds differ.
//!
//! Read by whoever writes a result. Adds nothing that is not in the tallies.

use super::tally::Tally;

/// The middle of some figures, and the quarters around it: half of them lie from `low` to `high`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quartiles {
    /// A quarter is below.
    pub low: f64,
    /// The median.
    pub middle: f64,
    /// A quarter is above.
    pub high: f64,
}

/// A policy over all seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Of all runs together.
    pub requests: u64,
    /// Of all runs together.
    pub errors: u64,
    /// Of all runs together.
    pub retries: u64,
    /// Of all runs together: times that passive marking took an instance out.
    pub ejections: u64,
    /// Share of requests that failed.
    pub error_rate: Quartiles,
    /// Milliseconds, as the next ones.
    pub p50: Quartiles,
    /// 90 % were at most so slow.
    pub p90: Quartiles,
    /// 99 % were.
    pub p99: Quartiles,
    /// All were.
    pub max: Quartiles,
    /// Each instance's share of all tries.
    pub shares: Vec<Quartiles>,
}

impl Summary {
    /// Over the runs of one policy, at least one. Where each seed drew a scenario of its own, a
    /// share is that of the instances of its number.
    pub fn of(runs: &[Tally]) -> Self {
        let over = |figure: &dyn Fn(&Tally) -> f64| Quartiles::of(runs.iter().map(figure));
        let latency = |quantile| over(&|run| ms(run.latency_us(quantile)));
        let shares: Vec<Vec<f64>> = runs.iter().map(Tally::shares).collect();
        let instances = shares.iter().map(Vec::len).max().unwrap_or(0);
        let share = |index: usize| shares.iter().filter_map(move |run| run.get(index).copied());
        Self {
            requests: runs.iter().map(|run| run.requests).sum(),
            errors: runs.iter().map(|run| run.errors).sum(),
            retries: runs.iter().map(|run| run.retries).sum(),
            ejections: runs.iter().map(|run| run.ejections).sum(),
            error_rate: over(&Tally::error_rate),
            p50: latency(0.5),
            p90: latency(0.9),
            p99: latency(0.99),
            max: over(&|run| ms(run.max_us)),
            shares: (0..instances).map(|index| Quartiles::of(share(index))).collect(),
        }
    }
}

impl Quartiles {
    /// Those of some figures; zero without any. Between two figures, the point on the line.
    pub fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let Some(last) = figures.len().checked_sub(1) else { return Self::default() };
        let at = |quarters: usize| {
            let (place, rest) = (last * quarters / 4, last * quarters % 4);
            let next = figures[(place + 1).min(last)];
            figures[place] + (next - figures[place]) * rest as f64 / 4.0
        };
        Self { low: at(1), middle: at(2), high: at(3) }
    }
}

fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_few_figures_lie_between_them() {
        let of = |figures: &[f64]| Quartiles::of(figures.iter().copied());
        assert_eq!(of(&[]), Quartiles::default());
        assert_eq!(of(&[7.0]), Quartiles { low: 7.0, middle: 7.0, high: 7.0 });
        assert_eq!(of(&[2.0, 1.0]), Quartiles { low: 1.25, middle: 1.5, high: 1.75 });
        assert_eq!(of(&[4.0, 1.0, 3.0, 2.0, 5.0]), Quartiles { low: 2.0, middle: 3.0, high: 4.0 });
    }
}
