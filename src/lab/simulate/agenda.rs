//! The virtual clock: what is to happen, in order of time and, at one moment, of entry.
//!
//! Owned by the world, one a run. Time is in whole nanoseconds from the run's start. Knows nothing
//! of what the events mean.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Events to come.
pub(super) struct Agenda<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    /// Deadlines all lie equally far ahead, so they come in order and need no heap. There is one a
    /// request, and few are ever missed: in the heap they would be most of what it holds.
    deadlines: VecDeque<Entry<E>>,
    entered: u64,
    now_ns: u64,
}

struct Entry<E> {
    at_ns: u64,
    /// Tells apart what happens at one moment.
    number: u64,
    event: E,
}

impl<E> Agenda<E> {
    /// At time 0, with nothing to come.
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), deadlines: VecDeque::new(), entered: 0, now_ns: 0 }
    }

    /// The time of the event that was last taken.
    pub(super) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Enters what happens after so long.
    pub(super) fn after(&mut self, wait_ns: u64, event: E) {
        let entry = self.entry(wait_ns, event);
        self.heap.push(Reverse(entry));
    }

    /// Enters a deadline. `wait_ns` is the same for all of them.
    pub(super) fn deadline(&mut self, wait_ns: u64, event: E) {
        let entry = self.entry(wait_ns, event);
        let in_order = self.deadlines.back().is_none_or(|last| last.at_ns <= entry.at_ns);
        assert!(in_order, "deadlines lie equally far ahead");
        self.deadlines.push_back(entry);
    }

    /// Takes the next event and moves the clock to it.
    pub(super) fn next(&mut self) -> Option<E> {
        let due = match (self.heap.peek(), self.deadlines.front()) {
            (Some(Reverse(event)), Some(deadline)) => deadline < event,
            (None, Some(_)) => true,
            _ => false,
        };
        let entry = match due {
            true => self.deadlines.pop_front(),
            false => self.heap.pop().map(|Reverse(entry)| entry),
        }?;
        self.now_ns = entry.at_ns;
        Some(entry.event)
    }

    fn entry(&mut self, wait_ns: u64, event: E) -> Entry<E> {
        self.entered += 1;
        Entry { at_ns: self.now_ns.saturating_add(wait_ns), number: self.entered, event }
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ns, self.number).cmp(&(other.at_ns, other.number))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_and_then_of_entry() {
        let mut agenda = Agenda::new();
        agenda.after(20, 'd');
        agenda.deadline(10, 'b');
        agenda.after(10, 'c');
        agenda.after(5, 'a');
        agenda.deadline(30, 'e');
        let mut seen = Vec::new();
        while let Some(event) = agenda.next() {
            seen.push((agenda.now_ns(), event));
        }
        assert_eq!(seen, [(5, 'a'), (10, 'b'), (10, 'c'), (20, 'd'), (30, 'e')]);
    }

    #[test]
    fn waits_count_from_the_event_that_was_taken_last() {
        let mut agenda = Agenda::new();
        agenda.after(7, 1);
        assert_eq!(agenda.next(), Some(1));
        agenda.after(7, 2);
        assert_eq!((agenda.next(), agenda.now_ns()), (Some(2), 14));
        assert_eq!(agenda.next(), None);
    }
}
