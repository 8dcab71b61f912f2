//! How long a backend leaves an idle connection open, as far as it has said or shown.
//!
//! `idle.rs` asks it for each connection that it keeps or hands out. It answers what no socket can
//! tell: whether the close is already under way. A request that is sent into it is lost, unless it
//! may be sent again. Pure: it reads no clock, and knows ages only.

use crate::text::Took;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// How many ends of idle connections are remembered: a restart that passed for one is forgotten
/// after so many natural ends. Connections are kept whatever was learnt, so that these do come.
const ENDS_MAX: usize = 4;
/// Of a backend that has neither said nor shown anything. The shortest default known is 2 s
/// (gunicorn; uvicorn, Node and Apache have 5 s, Tomcat 20 s, nginx 75 s).
const UNPROVEN: Duration = Duration::from_secs(1);
/// How much sooner than any that was seen a connection may be closed: some servers look around
/// once a second, so that one limit shows as ages of up to a second apart. Ends within a second
/// count as one, the worst of them: a restart may close a hundred connections, a burst may leave
/// as many of one age.
const POLL: Duration = Duration::from_secs(1);
/// How much of an age the way there and back may take.
const WAY_PERCENT: u32 = 20;
const WAY_MIN: Duration = Duration::from_millis(250);

/// What is known of one backend.
#[derive(Default)]
pub(crate) struct Habit {
    /// Said by its last answer, in `Keep-Alive: timeout`.
    said: Option<Duration>,
    /// How idle connections ended lately, the last at the back.
    ends: VecDeque<End>,
    /// When the first of those that the last one stands for came.
    ended: Duration,
    /// When ends of many ages came at once: no limit of an age shows like that, but a restart does.
    restarted: Option<Duration>,
    /// The shortest age that was worth a line in the log.
    told: Option<Duration>,
}

/// The end of an idle connection, at this age. The least is the worst.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// By the backend.
    Closed(Duration),
    /// By us, while it was open.
    LivedOut(Duration),
}

/// News for the log.
pub(crate) struct Learnt {
    closed: Duration,
    trusted: Duration,
}

impl Habit {
    /// The backend has answered, and said this of how long the connection may be idle.
    pub(crate) fn hear(&mut self, said: Option<Duration>) {
        self.said = said;
    }

    /// How long to keep an idle connection, at most `limit`: never beyond what the backend said.
    pub(crate) fn kept_for(&self, limit: Duration) -> Duration {
        self.said.map_or(limit, |said| limit.min(less_the_way(said)))
    }

    /// How old an idle connection may be to carry a request that must not be sent twice; `is_told`:
    /// the backend has said of this very one how long it may be idle.
    pub(crate) fn trusted_for(&self, is_told: bool) -> Duration {
        match (self.shortest(), is_told) {
            (Some(closed), _) => closed.saturating_sub(POLL),
            // It is not kept beyond that.
            (None, true) => Duration::MAX,
            (None, false) => less_the_way(self.longest()).max(UNPROVEN),
        }
    }

    /// The backend has closed a connection that had been idle for so long.
    pub(crate) fn saw_closed(&mut self, age: Duration, now: Duration) -> Option<Learnt> {
        self.remember(End::Closed(age), now);
        let closed = self.shortest()?;
        let differs = |told| closed < told * 3 / 4 || closed > told * 3 / 2;
        // A single one may have been a restart, and an operator is not to be told of a limit that
        // is none.
        let is_sure = self.ends.iter().filter(|end| matches!(end, End::Closed(_))).count() > 1;
        if !is_sure || !self.told.is_none_or(differs) {
            return None;
        }
        self.told = Some(closed);
        Some(Learnt { closed, trusted: self.trusted_for(false) })
    }

    /// We have closed a connection that was idle for so long, and still open.
    pub(crate) fn saw_alive(&mut self, age: Duration, now: Duration) {
        self.remember(End::LivedOut(age), now);
    }

    /// Ends of one second count as one: a limit that many connections reach together shows once. If
    /// they differ in age by more than a limit explains, it was a restart, and teaches nothing.
    fn remember(&mut self, end: End, now: Duration) {
        if self.restarted.is_some_and(|at| now < at + POLL) {
            return;
        }
        match self.ends.back_mut() {
            Some(last) if now < self.ended + POLL => {
                if end.differs_from(last) {
                    self.restarted = Some(now);
                    self.ends.pop_back();
                } else if end < *last {
                    *last = end;
                }
                return;
            }
            _ => self.ended = now,
        }
        if self.ends.len() == ENDS_MAX {
            self.ends.pop_front();
        }
        self.ends.push_back(end);
    }

    /// The shortest age at which the backend closed one lately.
    fn shortest(&self) -> Option<Duration> {
        let closed = |end: &End| if let End::Closed(age) = end { Some(*age) } else { None };
        self.ends.iter().filter_map(closed).min()
    }

    /// The longest age that one has reached lately.
    fn longest(&self) -> Duration {
        let age = |end: &End| match end {
            End::Closed(age) | End::LivedOut(age) => *age,
        };
        self.ends.iter().map(age).max().unwrap_or_default()
    }
}

impl End {
    /// True if one limit cannot have closed both.
    fn differs_from(&self, other: &End) -> bool {
        match (self, other) {
            (End::Closed(one), End::Closed(other)) => one.abs_diff(*other) > POLL,
            _ => false,
        }
    }
}

/// When to send at the latest what is to arrive at that age.
fn less_the_way(age: Duration) -> Duration {
    age.saturating_sub(WAY_MIN.max(age * WAY_PERCENT / 100))
}

impl fmt::Display for Learnt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (closed, trusted) = (Took(self.closed), Took(self.trusted));
        write!(f, "closes connections that were idle for {closed}: ")?;
        write!(f, "what may not be sent twice takes one only within {trusted}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const LIMIT: Duration = ms(4000);

    /// Tells of ends that came at these times; how many were news.
    fn tell(habit: &mut Habit, closed: &[u64], start_s: u64) -> Vec<bool> {
        let told = closed
            .iter()
            .zip(start_s..)
            .map(|(age, at_s)| habit.saw_closed(ms(*age), Duration::from_secs(at_s)).is_some());
        told.collect()
    }

    #[test]
    fn of_an_unknown_backend_young_connections_alone_are_trusted() {
        let habit = Habit::default();
        assert_eq!((habit.trusted_for(false), habit.kept_for(LIMIT)), (UNPROVEN, LIMIT));
    }

    #[test]
    fn what_lived_for_long_is_trusted_for_nearly_as_long() {
        let mut habit = Habit::default();
        habit.saw_alive(LIMIT, ms(4000));
        assert_eq!(habit.trusted_for(false), ms(3200));
        habit.saw_alive(ms(500), ms(6000));
        assert_eq!(habit.trusted_for(false), ms(3200));
    }

    #[test]
    fn what_the_backend_says_holds_at_once_in_both_directions() {
        let mut habit = Habit::default();
        habit.hear(Some(ms(5000)));
        assert_eq!((habit.trusted_for(true), habit.kept_for(LIMIT)), (Duration::MAX, LIMIT));
        for (said, kept) in [(2000, 1600), (1000, 750), (200, 0), (0, 0)] {
            habit.hear(Some(ms(said)));
            assert_eq!(habit.kept_for(LIMIT), ms(kept));
        }
        habit.hear(None);
        assert_eq!(habit.kept_for(LIMIT), LIMIT);
    }

    #[test]
    fn a_server_that_looks_around_once_a_second_is_given_that_second() {
        let mut habit = Habit::default();
        tell(&mut habit, &[2900], 10);
        assert_eq!(habit.trusted_for(false), ms(1900));
        tell(&mut habit, &[2050, 2700], 20);
        assert_eq!((habit.trusted_for(false), habit.kept_for(LIMIT)), (ms(1050), LIMIT));
        // What it does weighs more than what it says.
        habit.hear(Some(ms(5000)));
        assert_eq!(habit.trusted_for(false), ms(1050));
    }

    #[test]
    fn a_restart_shows_by_ends_of_many_ages_at_once() {
        let mut habit = Habit::default();
        habit.saw_alive(LIMIT, ms(4000));
        for (age, at) in [(3000, 9000), (100, 9001), (1700, 9002), (2000, 9500)] {
            assert!(habit.saw_closed(ms(age), ms(at)).is_none());
        }
        assert_eq!(habit.trusted_for(false), ms(3200));
    }

    #[test]
    fn a_restart_that_closed_one_connection_is_forgotten() {
        let mut habit = Habit::default();
        habit.saw_alive(LIMIT, ms(4000));
        assert!(habit.saw_closed(ms(100), ms(9000)).is_none(), "it is no line in the log");
        for at_s in (20..).take(ENDS_MAX) {
            assert_eq!(habit.trusted_for(false), Duration::ZERO);
            habit.saw_alive(LIMIT, Duration::from_secs(at_s));
        }
        assert_eq!(habit.trusted_for(false), ms(3200));
    }

    #[test]
    fn of_many_ends_at_a_time_the_worst_counts_and_counts_once() {
        let mut habit = Habit::default();
        tell(&mut habit, &[2100], 10);
        for _ in 0..100 {
            habit.saw_closed(ms(2900), ms(20_000));
            habit.saw_alive(LIMIT, ms(20_999));
        }
        assert_eq!(habit.trusted_for(false), ms(1100));
        tell(&mut habit, &[2900, 2900, 2900], 30);
        assert_eq!(habit.trusted_for(false), ms(1900));
    }

    #[test]
    fn the_log_hears_of_it_once_and_of_what_changes_much() {
        let mut habit = Habit::default();
        assert!(habit.saw_closed(ms(2600), ms(1000)).is_none(), "it may be a restart");
        let said = habit.saw_closed(ms(2500), ms(3000)).map(|learnt| learnt.to_string());
        let text = "closes connections that were idle for 2.5 s: what may not be sent twice takes \
                    one only within 1.5 s";
        assert_eq!(said.as_deref(), Some(text));
        let news = tell(&mut habit, &[2600, 2300, 2000, 1800, 100], 10);
        assert_eq!(news, [false, false, false, true, true]);
    }
}
