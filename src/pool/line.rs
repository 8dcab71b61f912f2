//! The order of those who wait for a place at a backend: first come, first served (law 7).
//!
//! The proxy's queue and the simulator each hold one and say who may ask the pool by it. Knows who
//! waits, never why, and wakes nobody.

use std::collections::VecDeque;

/// A line of bounded length.
#[derive(Debug)]
pub struct Line<T> {
    /// By number of ticket, which only rises.
    waiting: VecDeque<(u64, T)>,
    drawn: u64,
    length_max: usize,
}

impl<T> Line<T> {
    /// An empty line for at most `length_max`.
    pub fn new(length_max: usize) -> Self {
        Self { waiting: VecDeque::new(), drawn: 0, length_max }
    }

    /// Takes in at most so many from now on; who waits goes on waiting.
    pub fn resize(&mut self, length_max: usize) {
        self.length_max = length_max;
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True while nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Goes to the end of the line. The number of the ticket, or `None` if the line is full.
    pub fn draw(&mut self, who: T) -> Option<u64> {
        if self.waiting.len() >= self.length_max {
            return None;
        }
        self.drawn += 1;
        self.waiting.push_back((self.drawn, who));
        Some(self.drawn)
    }

    /// Whose turn it is.
    pub fn first(&self) -> Option<&T> {
        self.waiting.front().map(|(_, who)| who)
    }

    /// True if it is the turn of this ticket.
    pub fn is_first(&self, ticket: u64) -> bool {
        self.waiting.front().is_some_and(|(number, _)| *number == ticket)
    }

    /// Gives the ticket up, served or not.
    pub fn leave(&mut self, ticket: u64) {
        if let Ok(place) = self.waiting.binary_search_by_key(&ticket, |(number, _)| *number) {
            self.waiting.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_first_is_first() {
        let mut line = Line::new(9);
        let tickets: Vec<u64> = ["a", "b", "c"].iter().filter_map(|who| line.draw(*who)).collect();
        assert!(line.is_first(tickets[0]) && !line.is_first(tickets[1]));
        line.leave(tickets[0]);
        assert_eq!((line.first(), line.len()), (Some(&"b"), 2));
        assert!(line.is_first(tickets[1]));
    }

    #[test]
    fn who_leaves_from_the_middle_lets_the_others_keep_their_order() {
        let mut line = Line::new(9);
        let tickets: Vec<u64> = (0..4).filter_map(|who| line.draw(who)).collect();
        line.leave(tickets[1]);
        line.leave(tickets[1]);
        let mut order = Vec::new();
        for ticket in [tickets[0], tickets[2], tickets[3]] {
            order.extend(line.first().copied());
            line.leave(ticket);
        }
        assert_eq!(order, [0, 2, 3]);
        assert!(line.is_empty());
    }

    #[test]
    fn a_full_line_takes_nobody_until_one_leaves() {
        let mut line = Line::new(1);
        let first = line.draw("a").unwrap();
        assert_eq!(line.draw("b"), None);
        line.leave(first);
        assert!(line.draw("b").is_some_and(|ticket| ticket > first));
        assert_eq!(Line::new(0).draw("a"), None);
    }
}
