//! What a run came to: statuses, faults, latencies, who served. Each worker has one; they are
//! added up at the end. What a server can make grow here has a limit.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::fault::FailedExchange;
use super::{Failures, LoadFault};

/// Names in X-Served-By that are told apart; a server may send a new one with each answer.
const NAMES_MAX: usize = 1000;

/// What is kept of such a name, which may be as long as a head.
const NAME_BYTES_MAX: usize = 256;

/// Where the names beyond the limit are counted.
const OTHERS: &str = "(others)";

/// The longest latency that is told from longer ones, in microseconds: an hour.
const LATENCY_MAX_US: u64 = 3_600_000_000;

/// The figures of a run.
#[derive(Clone, Debug)]
pub struct LoadTally {
    /// Whole answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Exchanges without a whole, sound answer.
    pub faults: BTreeMap<LoadFault, Failures>,
    /// Whole answers by X-Served-By; those without the field are not in it.
    pub served_by: BTreeMap<String, u64>,
    /// Of whole answers, in microseconds: from the moment when the request was due. In a closed
    /// loop that is when it was sent.
    pub latency: Histogram<u64>,
    /// The same from the moment when the request was sent, so with coordinated omission. Only an
    /// open loop has it.
    pub service: Option<Histogram<u64>>,
    /// Bytes received, heads included.
    pub bytes: u64,
    /// Requests sent a second time, because a connection that had been kept was closed meanwhile.
    pub resent: u64,
    /// Requests that were due in an open loop and never sent: no worker was free in time.
    pub unsent: u64,
    /// From the start to the last answer.
    pub elapsed: Duration,
}

impl LoadTally {
    /// Nothing yet.
    pub(super) fn new(is_open_loop: bool) -> Self {
        LoadTally {
            statuses: BTreeMap::new(),
            faults: BTreeMap::new(),
            served_by: BTreeMap::new(),
            latency: histogram(),
            service: is_open_loop.then(histogram),
            bytes: 0,
            resent: 0,
            unsent: 0,
            elapsed: Duration::ZERO,
        }
    }

    /// Requests that were sent and came to an end, good or bad.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.answers() + self.failures()
    }

    /// Whole answers, whatever their status.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Exchanges without a whole, sound answer.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.faults.values().map(|failures| failures.count).sum()
    }

    /// Whole answers with a status from 200 to 399.
    #[must_use]
    pub fn ok(&self) -> u64 {
        self.statuses.range(200..400).map(|(_, count)| count).sum()
    }

    /// Whole answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.answers() as f64 / self.seconds()
    }

    /// The length of the run in seconds, never 0.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64().max(1e-9)
    }

    pub(super) fn answered(
        &mut self,
        status: u16,
        served_by: &[u8],
        response: Duration,
        service: Duration,
    ) {
        *self.statuses.entry(status).or_default() += 1;
        self.latency.saturating_record(micros(response));
        if let Some(histogram) = &mut self.service {
            histogram.saturating_record(micros(service));
        }
        if !served_by.is_empty() {
            // Borrowed as long as it is text: no allocation for a name that is known.
            let name = &served_by[..served_by.len().min(NAME_BYTES_MAX)];
            self.count_name(&String::from_utf8_lossy(name), 1);
        }
    }

    fn count_name(&mut self, name: &str, more: u64) {
        if let Some(count) = self.served_by.get_mut(name) {
            *count += more;
            return;
        }
        let name = if self.served_by.len() < NAMES_MAX { name } else { OTHERS };
        *self.served_by.entry(name.to_owned()).or_default() += more;
    }

    pub(super) fn failed(&mut self, failed: FailedExchange) {
        self.count_fault(failed.fault, Failures { count: 1, example: failed.example });
    }

    fn count_fault(&mut self, fault: LoadFault, more: Failures) {
        match self.faults.get_mut(&fault) {
            Some(failures) => failures.count += more.count,
            None => drop(self.faults.insert(fault, more)),
        }
    }

    /// Adds another worker's figures.
    pub(super) fn add(&mut self, other: LoadTally) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (fault, failures) in other.faults {
            self.count_fault(fault, failures);
        }
        for (name, count) in other.served_by {
            self.count_name(&name, count);
        }
        let same = "every histogram of a run has the same bounds";
        self.latency.add(other.latency).expect(same);
        if let (Some(sum), Some(more)) = (&mut self.service, other.service) {
            sum.add(more).expect(same);
        }
        self.bytes += other.bytes;
        self.resent += other.resent;
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("the bounds are in order")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn workers_add_up() {
        let mut sum = LoadTally::new(true);
        for (status, name) in [(200, "a"), (200, "b"), (302, "a"), (404, ""), (503, "b")] {
            let mut tally = LoadTally::new(true);
            tally.answered(status, name.as_bytes(), 20 * MS, 10 * MS);
            tally.failed(FailedExchange::new(LoadFault::Reset, format!("after {status}")));
            tally.bytes = 100;
            sum.add(tally);
        }
        assert_eq!((sum.requests(), sum.answers(), sum.ok()), (10, 5, 3));
        assert_eq!(sum.served_by, [("a".into(), 2), ("b".into(), 2)].into());
        let reset = Failures { count: 5, example: "after 200".into() };
        assert_eq!(sum.faults, [(LoadFault::Reset, reset)].into());
        assert_eq!((sum.latency.len(), sum.bytes), (5, 500));
        assert!(sum.latency.min() > sum.service.unwrap().max());
    }

    #[test]
    fn a_server_that_makes_up_names_fills_no_memory() {
        let mut tally = LoadTally::new(false);
        for number in 0..3 * NAMES_MAX {
            tally.answered(200, number.to_string().as_bytes(), MS, MS);
        }
        tally.answered(200, &[b'x'; 16 * 1024], MS, MS);
        assert!(tally.served_by.keys().all(|name| name.len() <= NAME_BYTES_MAX));
        assert_eq!(tally.served_by.len(), NAMES_MAX + 1);
        assert_eq!(tally.served_by[OTHERS], 2 * NAMES_MAX as u64 + 1);
    }

    #[test]
    fn latencies_out_of_range_count_as_the_nearest_that_is_in_it() {
        let mut tally = LoadTally::new(false);
        tally.answered(200, b"", Duration::ZERO, Duration::ZERO);
        tally.answered(200, b"", Duration::MAX, Duration::MAX);
        assert_eq!((tally.latency.len(), tally.latency.min()), (2, 1));
        assert!(tally.latency.max() >= LATENCY_MAX_US);
    }
}
