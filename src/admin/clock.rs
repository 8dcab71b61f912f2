//! When something was, for people: the pool's clock counts from the start, the wall's is what they
//! know. Times of day are UTC, as those of the log and of the events are.

use std::time::{Duration, SystemTime};

use crate::text::{Roughly, day, time_of_day};

/// The pool's clock and the wall's, at one moment.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) now: SystemTime,
    pub(super) moment: Duration,
}

impl Clock {
    /// The pool's clock shows this now.
    pub(super) fn of(moment: Duration) -> Self {
        Self { now: SystemTime::now(), moment }
    }

    /// What the wall's clock showed then, if nobody has set it since.
    pub(super) fn at(&self, at: Duration) -> SystemTime {
        self.now.checked_sub(self.moment.saturating_sub(at)).unwrap_or(self.now)
    }

    /// The time of day, with the date if that is another than today's.
    pub(super) fn told(&self, at: Duration) -> String {
        let at = self.at(at);
        match day(at) == day(self.now) {
            true => time_of_day(at),
            false => format!("{} {}", day(at), time_of_day(at)),
        }
    }

    pub(super) fn since(&self, at: Duration) -> Roughly {
        Roughly(self.moment.saturating_sub(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_was_on_another_day_has_its_date() {
        let clock = Clock { now: UNIX_EPOCH + s(86_400 + 60), moment: s(200) };
        assert_eq!([clock.told(s(139)), clock.told(s(140))], ["1970-01-01 23:59:59", "00:00:00"]);
        let early = Clock { now: UNIX_EPOCH, moment: s(200) };
        assert_eq!(early.told(s(0)), "1970-01-01 00:00:00".split(' ').next_back().unwrap());
    }
}
