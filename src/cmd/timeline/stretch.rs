//! What follows on and is alike becomes one entry: quiet counters, and troubled ones by more than
//! ten seconds at a time where there are many of them. Events stand between. A quiet moment between
//! two of them is none: it is left out.

use super::counters::{Gap, STEP_MS, counters, gaps};
use super::floods::{Shown, folded};
use super::read::{Counter, Record};

/// Entries that one stretch of trouble takes at the most.
const LINES_MAX: usize = 6;
/// Fewer quiet counters than these between two other entries say nothing.
const QUIET_MIN: usize = 3;
/// By so many counters at a time: ten seconds, a minute, ten minutes.
const STEPS: [usize; 3] = [1, 6, 60];

/// Something to be told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    Event(Shown),
    Gap(Gap),
    Counted(Counter),
}

impl Entry {
    pub(super) fn at_ms(&self) -> u64 {
        match self {
            Self::Event(shown) => shown.place_ms,
            Self::Gap(gap) => gap.from_ms.min(gap.to_ms),
            Self::Counted(counter) => counter.from_ms,
        }
    }
}

/// All that these remember, in its order.
pub(super) fn entries(records: &[Record]) -> Vec<Entry> {
    let events = records.iter().flat_map(folded).map(Entry::Event);
    let mut between: Vec<Entry> =
        events.chain(records.iter().flat_map(gaps).map(Entry::Gap)).collect();
    between.sort_by_key(Entry::at_ms);
    let mut entries = Vec::new();
    let mut between = between.into_iter().peekable();
    let mut stretch: Vec<Counter> = Vec::new();
    for counter in counters(records) {
        // What falls into a counter's ten seconds comes after it.
        while let Some(entry) = between.next_if(|entry| entry.at_ms() <= counter.from_ms) {
            close(&mut stretch, &mut entries, false);
            entries.push(entry);
        }
        let goes_on = |last: &Counter| {
            last.to_ms >= counter.from_ms && last.is_troubled() == counter.is_troubled()
        };
        if !stretch.last().is_none_or(goes_on) {
            close(&mut stretch, &mut entries, false);
        }
        stretch.push(counter);
    }
    close(&mut stretch, &mut entries, between.peek().is_none());
    entries.extend(between);
    entries
}

fn close(stretch: &mut Vec<Counter>, entries: &mut Vec<Entry>, is_last: bool) {
    let Some(first) = stretch.first() else { return };
    let many = stretch.len();
    let is_between = !entries.is_empty() && !is_last;
    if !first.is_troubled() && many < QUIET_MIN && is_between {
        return stretch.clear();
    }
    let step = match first.is_troubled() {
        true => STEPS.into_iter().find(|step| many.div_ceil(*step) <= LINES_MAX),
        false => None,
    };
    for counters in stretch.chunks(step.unwrap_or(many)) {
        let sum = counters.iter().copied().reduce(|sum, next| sum.and(&next));
        entries.extend(sum.map(Entry::Counted));
    }
    stretch.clear();
}

/// True of one that covers no more than ten seconds.
pub(super) fn is_single(counter: &Counter) -> bool {
    counter.to_ms - counter.from_ms <= STEP_MS
}

#[cfg(test)]
mod tests {
    use super::super::read::Event;
    use super::*;

    /// Points for so many counters from this second on, each with so many errors.
    fn points(from_s: u64, counters: u64, errors: u64) -> Vec<Counter> {
        let point = |n: u64| Counter {
            from_ms: from_s * 1000 + (n - 1) * 2000,
            to_ms: from_s * 1000 + n * 2000,
            covered_ms: 2000,
            balancers: 1,
            requests: 10,
            errors_ours: errors,
            ..Counter::default()
        };
        (1..=counters * 5).map(point).collect()
    }

    fn event(second: u64) -> Event {
        Event { at_ms: second * 1000, kind: "up".into(), text: "x".into(), ..Event::default() }
    }

    /// What kind each is, and from when to when in seconds.
    fn told(points: Vec<Vec<Counter>>, events: Vec<Event>) -> Vec<(&'static str, u64, u64)> {
        let record = Record { points: points.concat(), events, ..Record::default() };
        let told = |entry: &Entry| match entry {
            Entry::Event(shown) => ("event", shown.at_ms / 1000, shown.at_ms / 1000),
            Entry::Gap(gap) => ("gap", gap.from_ms / 1000, gap.to_ms / 1000),
            Entry::Counted(it) if it.is_troubled() => {
                ("trouble", it.from_ms / 1000, it.to_ms / 1000)
            }
            Entry::Counted(it) => ("quiet", it.from_ms / 1000, it.to_ms / 1000),
        };
        entries(&[record]).iter().map(told).collect()
    }

    #[test]
    fn quiet_is_one_entry_until_something_happens() {
        let told = told(vec![points(0, 30, 0)], vec![event(105)]);
        assert_eq!(told, [("quiet", 0, 110), ("event", 105, 105), ("quiet", 110, 300)]);
    }

    #[test]
    fn a_quiet_moment_between_two_events_is_left_out_and_the_present_is_not() {
        let told = told(vec![points(0, 30, 0)], vec![event(101), event(121), event(295)]);
        let expected = [
            ("quiet", 0, 110),
            ("event", 101, 101),
            ("event", 121, 121),
            ("quiet", 130, 300),
            ("event", 295, 295),
        ];
        assert_eq!(told, expected);
        assert_eq!(super::entries(&[]), []);
    }

    #[test]
    fn trouble_is_told_ten_seconds_at_a_time_and_more_where_it_lasts() {
        let brief = told(vec![points(0, 3, 0), points(30, 3, 1), points(60, 1, 0)], vec![]);
        let expected = [
            ("quiet", 0, 30),
            ("trouble", 30, 40),
            ("trouble", 40, 50),
            ("trouble", 50, 60),
            ("quiet", 60, 70),
        ];
        assert_eq!(brief, expected);
        let minutes = told(vec![points(0, 20, 1)], vec![]);
        assert_eq!(minutes.len(), 4);
        assert_eq!(minutes[3], ("trouble", 180, 200));
        assert_eq!(told(vec![points(0, 360, 1)], vec![]).len(), 6, "an hour of it");
    }

    #[test]
    fn a_gap_stands_between_what_was_before_and_after_it() {
        let told = told(vec![points(0, 2, 0), points(1003, 2, 0)], vec![]);
        assert_eq!(told, [("quiet", 0, 20), ("gap", 20, 1003), ("quiet", 1003, 1023)]);
    }

    #[test]
    fn without_counters_there_are_events_and_without_both_nothing() {
        assert_eq!(told(vec![], vec![event(1), event(2)]).len(), 2);
        assert_eq!(told(vec![], vec![]), []);
    }
}
