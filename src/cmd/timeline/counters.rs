//! Counters of ten seconds each, from the points of one or several balancers; and where there are
//! none, for how long.

use std::collections::BTreeMap;

use super::read::{Counter, Record};

/// What one counter covers, from a multiple of it on.
pub(super) const STEP_MS: u64 = 10_000;
/// By so much points may be apart without a gap: at an upgrade the first of the new process begins
/// up to two seconds, and what a busy machine adds, after the last of the one before. No machine
/// sleeps for so short a time.
const APART_MS: u64 = 5000;
/// By so much one may end before the one before did, without a clock that was set back.
const SLACK_MS: u64 = 1000;

/// A time of which there is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub balancer: String,
    pub from_ms: u64,
    pub to_ms: u64,
}

impl Counter {
    /// With what was counted before or after it, by the same.
    pub(super) fn and(self, next: &Self) -> Self {
        Self {
            from_ms: self.from_ms.min(next.from_ms),
            to_ms: self.to_ms.max(next.to_ms),
            covered_ms: self.covered_ms + next.covered_ms,
            balancers: self.balancers.max(next.balancers),
            requests: self.requests + next.requests,
            connections: self.connections + next.connections,
            errors_ours: self.errors_ours + next.errors_ours,
            errors_theirs: self.errors_theirs + next.errors_theirs,
            p99_ms: self.p99_ms.into_iter().chain(next.p99_ms).reduce(f64::max),
            in_flight: self.in_flight.max(next.in_flight),
            queue: self.queue.max(next.queue),
            usable: self.usable.min(next.usable),
        }
    }

    /// With what another balancer has counted in the same time.
    fn beside(self, other: &Self) -> Self {
        Self {
            balancers: self.balancers + other.balancers,
            in_flight: self.in_flight + other.in_flight,
            queue: self.queue + other.queue,
            ..self.and(other)
        }
    }

    pub(super) fn errors(&self) -> u64 {
        self.errors_ours + self.errors_theirs
    }

    /// So many in a second, if this was counted by all balancers together.
    pub(super) fn rate(&self, counted: u64) -> f64 {
        let of_one_s = self.covered_ms as f64 / 1e3 / self.balancers.max(1) as f64;
        if of_one_s > 0.0 { counted as f64 / of_one_s } else { 0.0 }
    }

    /// True if something was wrong: somebody got no good answer, or had to wait for a place.
    pub(super) fn is_troubled(&self) -> bool {
        self.errors() > 0 || self.queue > 0
    }
}

/// When the ten seconds begin in which this is, their end included.
fn step(at_ms: u64) -> u64 {
    at_ms.saturating_sub(1) / STEP_MS * STEP_MS
}

/// What all of them have counted, ten seconds for ten seconds.
pub(super) fn counters(records: &[Record]) -> Vec<Counter> {
    let mut all: BTreeMap<u64, Counter> = BTreeMap::new();
    for record in records {
        let mut own: BTreeMap<u64, Counter> = BTreeMap::new();
        for point in &record.points {
            // One that began in the ten seconds before counts for those in which it ended.
            let from_ms = point.from_ms.max(step(point.to_ms));
            let counter = Counter { from_ms, ..*point };
            let add = |kept: &mut Counter| *kept = kept.and(&counter);
            own.entry(step(counter.to_ms)).and_modify(add).or_insert(counter);
        }
        for (from_ms, counter) in &own {
            // The point that ends in the next one has begun in this one.
            let goes_on = own.get(&(from_ms + STEP_MS)).is_some_and(|it| it.from_ms % STEP_MS == 0);
            let to_ms = if goes_on { from_ms + STEP_MS } else { counter.to_ms };
            let counter = Counter { to_ms, ..*counter };
            all.entry(*from_ms).and_modify(|kept| *kept = kept.beside(&counter)).or_insert(counter);
        }
    }
    all.into_values().collect()
}

/// Where one point does not follow on the one before: later, or by a clock that was set back.
pub(super) fn gaps(record: &Record) -> Vec<Gap> {
    let gap = |pair: &[Counter]| {
        let (from_ms, to_ms) = (pair[0].to_ms, pair[1].from_ms);
        let is_late = to_ms > from_ms + APART_MS;
        let is_back = pair[1].to_ms + SLACK_MS < from_ms;
        let balancer = record.balancer.clone();
        (is_late || is_back).then_some(Gap { balancer, from_ms, to_ms })
    };
    record.points.windows(2).filter_map(gap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that ends at this second.
    fn point(second: u64, requests: u64) -> Counter {
        Counter {
            from_ms: (second * 1000).saturating_sub(2000),
            to_ms: second * 1000,
            covered_ms: 2000,
            balancers: 1,
            requests,
            p99_ms: (requests > 0).then_some(requests as f64),
            usable: 3,
            ..Counter::default()
        }
    }

    fn record(points: &[Counter]) -> Record {
        Record { balancer: "lb1".into(), points: points.to_vec(), ..Record::default() }
    }

    #[test]
    fn five_points_are_one_counter_and_the_worst_is_kept() {
        let points: Vec<_> = (1..=10).map(|n| point(2 * n, n)).collect();
        let all = counters(&[record(&points)]);
        assert_eq!(
            all.iter().map(|it| (it.from_ms, it.requests)).collect::<Vec<_>>(),
            [(0, 15), (10_000, 40)]
        );
        assert_eq!(
            (all[0].p99_ms, all[0].rate(all[0].requests), all[1].rate(all[1].requests)),
            (Some(5.0), 1.5, 4.0)
        );
        let both = all[0].and(&all[1]);
        assert_eq!((both.from_ms, both.to_ms, both.rate(both.requests)), (0, 20_000, 2.75));
    }

    #[test]
    fn what_begins_and_ends_within_ten_seconds_says_so() {
        let odd: Vec<_> = [5, 7, 9, 11, 13].map(|second| point(second, 1)).into();
        let all = counters(&[record(&odd)]);
        let spans: Vec<_> =
            all.iter().map(|it| (it.from_ms, it.to_ms, it.rate(it.requests))).collect();
        assert_eq!(spans, [(3000, 10_000, 0.5), (10_000, 13_000, 0.5)]);
    }

    #[test]
    fn several_balancers_are_added_up() {
        let calm: Vec<_> = (1..=5).map(|n| point(2 * n, 10)).collect();
        let mut busy = calm.clone();
        busy[2].queue = 4;
        busy[2].usable = 1;
        let all = counters(&[record(&calm), record(&busy)]);
        assert_eq!((all.len(), all[0].requests, all[0].rate(all[0].requests)), (1, 100, 10.0));
        assert_eq!((all[0].queue, all[0].usable, all[0].is_troubled()), (4, 1, true));
    }

    #[test]
    fn a_late_point_counts_for_as_long_as_it_covers() {
        let late = Counter { from_ms: 2000, covered_ms: 8000, ..point(10, 80) };
        let all = counters(&[record(&[point(2, 20), late])]);
        assert_eq!((all.len(), all[0].rate(all[0].requests)), (1, 10.0));
        assert_eq!(gaps(&record(&[point(2, 20), late])), []);
    }

    /// The last point of the process before may have ended two seconds before the next one began.
    #[test]
    fn a_hand_over_to_another_process_is_no_gap() {
        assert_eq!(gaps(&record(&[point(2, 0), point(4, 0), point(8, 0)])), []);
        assert_eq!(gaps(&record(&[point(2, 0), point(4, 0), point(11, 0)])), []);
        assert_eq!(gaps(&record(&[point(4, 0), point(12, 0)])).len(), 1);
    }

    #[test]
    fn sleep_and_a_clock_set_back_are_gaps_and_a_little_lateness_is_none() {
        let slept = gaps(&record(&[point(2, 0), point(4, 0), point(3604, 0)]));
        assert_eq!((slept.len(), slept[0].from_ms, slept[0].to_ms), (1, 4000, 3_602_000));
        let back = gaps(&record(&[point(9000, 0), point(5402, 0), point(5404, 0)]));
        assert_eq!((back.len(), back[0].from_ms, back[0].to_ms), (1, 9_000_000, 5_400_000));
        let mut late = point(5, 0);
        (late.from_ms, late.to_ms) = (late.from_ms - 200, late.to_ms - 200);
        assert_eq!(gaps(&record(&[point(2, 0), late])), []);
    }
}
