//! A row of failures: how many in a row a backend has shown, and how far they are to be believed.
//!
//! Part of a backend's health, which keeps it in one atomic word. A failure may be the request's
//! own doing: one path answers 503 whoever asks, one request crashes what serves it, and whoever
//! finds such a path could take backend after backend out with it. So a row is believed if it is
//! *consistent*:
//!
//! - What nobody asked for counts by itself: a connect or a handshake that failed, and all failures
//!   of a program's own requests (they have no [`Witness`]).
//! - What a request met counts once more than one client has met something in this row. What one
//!   client alone meets never ejects, unless `[passive] clients` is 1.
//! - While all of it was met at one path, four failures count as one: an application may have no
//!   other path, or the others may just be fine. Where a tenth of the requests asks for a broken
//!   path, three in a row do so once in a thousand times, twelve in a row once in 10^12.
//!
//! Any success ends the row. Of clients and paths the row remembers the first and whether there was
//! another: two that share a hash are taken for one, and the row only takes longer.
//!
//! A trace with the defaults, 3 failures and 2 clients (each line is a failure in one row):
//!
//! ```text
//! a at /x   seen 1, one client             counts 0
//! a at /y   seen 2, one client             counts 0
//! b at /x   seen 3, two clients, two paths counts 3: ejects
//! ```

use std::fmt;

use super::PassiveRules;
use crate::text::Many;

/// Failures at a single path that count as one.
const ONE_PATH: u16 = 4;

/// Who met a failure, and where: hashes under a key that nobody outside knows, so that clients
/// cannot choose whom they are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    client: u16,
    path: u16,
}

impl Witness {
    /// From a hash of the client's address, and one of method and path without the query.
    pub fn new(client: u64, path: u64) -> Self {
        Self { client: client as u16, path: path as u16 }
    }
}

/// Failures in a row since the last success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Those that count by themselves.
    sure: u16,
    /// Those that a request met.
    seen: u16,
    /// The first one's.
    client: u16,
    several_clients: bool,
    path: u16,
    several_paths: bool,
    pub(super) exit: Exit,
}

/// How far the ejection is that the row before this one led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Exit {
    /// There was none, or it is over and done with.
    #[default]
    None,
    /// It is about to be written down.
    Leaving,
    /// It has begun, and nothing has gone well since.
    Returning,
}

/// What a failure makes of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ripeness {
    /// There are too few, or they are not consistent.
    Unripe,
    /// There would be, had not one client alone met them.
    OneClient,
    /// There are enough to eject.
    Ripe,
}

impl Row {
    /// Bits of each count: 1000 failures at the most, times [`ONE_PATH`].
    const COUNT_BITS: u32 = 12;
    const COUNT_MAX: u16 = (1 << Self::COUNT_BITS) - 1;

    /// 12 bits each `sure` and `seen`, 16 each `client` and `path`, 1 each whether there were
    /// several, 2 `exit`. A row in which nothing is noteworthy is 0.
    pub(super) fn pack(self) -> u64 {
        let fields = [
            (self.sure, 0),
            (self.seen, 12),
            (self.client, 24),
            (self.path, 40),
            (u16::from(self.several_clients), 56),
            (u16::from(self.several_paths), 57),
            (self.exit as u16, 58),
        ];
        fields.into_iter().fold(0, |word, (field, at)| word | u64::from(field) << at)
    }

    pub(super) fn unpack(word: u64) -> Self {
        let count = |at: u32| (word >> at) as u16 & Self::COUNT_MAX;
        let bit = |at: u32| word >> at & 1 == 1;
        Self {
            sure: count(0),
            seen: count(12),
            client: (word >> 24) as u16,
            path: (word >> 40) as u16,
            several_clients: bit(56),
            several_paths: bit(57),
            exit: match word >> 58 {
                0 => Exit::None,
                1 => Exit::Leaving,
                _ => Exit::Returning,
            },
        }
    }

    /// With nothing but how far its ejection is.
    pub(super) fn after(exit: Exit) -> Self {
        Self { exit, ..Self::default() }
    }

    /// One more failure.
    pub(super) fn and(self, witness: Option<Witness>) -> Self {
        let more = |count: u16| (count + 1).min(Self::COUNT_MAX);
        match witness {
            None => Self { sure: more(self.sure), ..self },
            Some(Witness { client, path }) if self.seen == 0 => {
                Self { seen: 1, client, path, ..self }
            }
            Some(Witness { client, path }) => Self {
                seen: more(self.seen),
                several_clients: self.several_clients || client != self.client,
                several_paths: self.several_paths || path != self.path,
                ..self
            },
        }
    }

    pub(super) fn ripeness(self, rules: &PassiveRules) -> Ripeness {
        let consistent = if self.several_paths { self.seen } else { self.seen / ONE_PATH };
        let enough = |seen: u16| self.sure + seen >= rules.failures;
        match self.several_clients || rules.clients <= 1 {
            true if enough(consistent) => Ripeness::Ripe,
            false if enough(0) => Ripeness::Ripe,
            false if enough(consistent) && self.seen > 0 => Ripeness::OneClient,
            _ => Ripeness::Unripe,
        }
    }
}

/// `5 failures in a row, met by several clients at one path`.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures = u64::from(self.sure + self.seen);
        write!(f, "{} in a row", Many(failures, "failure", "failures"))?;
        if self.seen == 0 {
            return Ok(());
        }
        let clients = if self.several_clients { "several clients" } else { "one client" };
        let paths = if self.several_paths { "several paths" } else { "one path" };
        write!(f, ", met by {clients} at {paths}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_fits_its_word_to_the_last_bit() {
        let full = Row {
            sure: Row::COUNT_MAX,
            seen: Row::COUNT_MAX,
            client: u16::MAX,
            several_clients: true,
            path: u16::MAX,
            several_paths: true,
            exit: Exit::Returning,
        };
        let none = Row::default();
        let rows = [
            full,
            none,
            Row { sure: full.sure, ..none },
            Row { seen: full.seen, ..none },
            Row { client: full.client, ..none },
            Row { path: full.path, ..none },
            Row { several_clients: true, ..none },
            Row { several_paths: true, ..none },
            Row::after(Exit::Leaving),
            Row::after(Exit::Returning),
        ];
        for row in rows {
            assert_eq!(Row::unpack(row.pack()), row);
        }
        assert_eq!(none.pack(), 0, "nothing to forget");
    }

    #[test]
    fn a_count_stays_at_its_most_and_is_beyond_what_can_be_asked_for() {
        let witness = |n: u64| Some(Witness::new(n, n));
        let row = (0..10_000).fold(Row::default(), |row, n| row.and(witness(n)).and(None));
        assert_eq!((row.sure, row.seen), (Row::COUNT_MAX, Row::COUNT_MAX));
        let rules = PassiveRules { failures: 1000, ..PassiveRules::default() };
        let at_one_path =
            (0..4000).fold(Row::default(), |row, n| row.and(Some(Witness::new(n, 0))));
        assert_eq!(at_one_path.ripeness(&rules), Ripeness::Ripe);
    }

    #[test]
    fn two_that_share_a_hash_are_taken_for_one() {
        let (one, other) = (Witness::new(5, 5), Witness::new(5 + (1 << 16), 5 + (1 << 16)));
        assert_eq!(one, other);
    }
}
