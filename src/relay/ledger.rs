//! What became of the requests of each pool, by its name: counts outlive every change of the file.
//! So do the numbers of pools and routes, by which workers remember whereto a request was led: a
//! name would be shared by all of them, or be copied for each request. And so do the names of
//! backends, which workers remember by number, too.

use super::totals::{Seen, Totals};
use crate::pool::{Pool, Shards};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Pools that are counted each for itself. For a further one the account of one that is gone is
/// closed, so that a file which is generated anew with other names each time takes no memory
/// without end; where none is gone, further ones share one count.
const POOLS_MAX: usize = 4096;

/// Pools and routes that have a number of their own; what comes later is told of none.
const LED_MAX: usize = 65_535;

/// Backends whose names are known; of more, those that came last.
const CALLED_MAX: usize = 65_536;

/// The name of what no pool is for.
pub(super) const NOBODY: &str = "";

/// The counts of each pool that there is or was.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Accounts>);

/// Whereto requests are led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Led {
    /// The name of the pool.
    pub pool: String,
    /// The route that leads there, in words, if that was for routes to say.
    pub route: Option<String>,
}

#[derive(Default)]
struct Accounts {
    /// The oldest first.
    open: Vec<(String, Arc<Shards<Seen>>)>,
    /// What those came to that are closed.
    closed: Totals,
    /// Each at the place before its number: 0 is none of them.
    led: Vec<Led>,
    numbers: BTreeMap<String, usize>,
    /// What backends are called, in the order of their records' numbers.
    called: Vec<(u64, Box<str>)>,
}

impl Ledger {
    /// The counts of the pool of this name.
    pub(super) fn of(&self, name: &str) -> Arc<Shards<Seen>> {
        let mut accounts = self.accounts();
        if let Some(own) = accounts.find(name) {
            return own;
        }
        let has_room = accounts.open.len() < POOLS_MAX || accounts.close_one();
        let name = if has_room { name } else { NOBODY };
        accounts.find(name).unwrap_or_else(|| accounts.open(name))
    }

    /// The number of this pool, or of it by this route; the same ever after.
    pub(super) fn number(&self, pool: &str, route: Option<&str>) -> u16 {
        let Accounts { led, numbers, .. } = &mut *self.accounts();
        let key = format!("{pool}\n{}", route.unwrap_or_default());
        if let Some(number) = numbers.get(&key) {
            return *number as u16;
        }
        if led.len() == LED_MAX {
            return 0;
        }
        led.push(Led { pool: pool.to_owned(), route: route.map(str::to_owned) });
        numbers.insert(key, led.len());
        led.len() as u16
    }

    /// Whereto this number leads.
    pub(super) fn led(&self, number: u16) -> Option<Led> {
        self.accounts().led.get(usize::from(number).checked_sub(1)?).cloned()
    }

    /// The backends of this pool are known by their names from now on.
    pub(super) fn call(&self, pool: &Pool) {
        let called = &mut self.accounts().called;
        for one in pool.backends() {
            let own = (one.number(), Box::from(one.name()));
            match called.binary_search_by_key(&own.0, |known| known.0) {
                Ok(at) => called[at] = own,
                Err(at) => called.insert(at, own),
            }
        }
        called.drain(..called.len().saturating_sub(CALLED_MAX));
    }

    /// What the backend of this number is called, or was when it was in the file.
    pub(super) fn called(&self, number: u64) -> Option<String> {
        let called = &self.accounts().called;
        let at = called.binary_search_by_key(&number, |known| known.0).ok()?;
        Some(called[at].1.to_string())
    }

    /// What all requests have come to.
    pub(super) fn totals(&self) -> Totals {
        let accounts = self.accounts();
        let open = accounts.open.iter();
        open.fold(accounts.closed.clone(), |sum, (_, own)| own.sum(sum, Totals::with))
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accounts {
    fn find(&self, name: &str) -> Option<Arc<Shards<Seen>>> {
        let found = self.open.iter().find(|(other, _)| other == name);
        found.map(|(_, own)| Arc::clone(own))
    }

    fn open(&mut self, name: &str) -> Arc<Shards<Seen>> {
        let own = Arc::<Shards<Seen>>::default();
        self.open.push((name.to_owned(), Arc::clone(&own)));
        own
    }

    /// Closes the oldest that nobody counts in any more; false if there is none.
    fn close_one(&mut self) -> bool {
        // Whoever counts has it from here: nobody can come by another.
        let gone = self.open.iter_mut().position(|(_, own)| Arc::get_mut(own).is_some());
        let Some((_, own)) = gone.map(|at| self.open.remove(at)) else { return false };
        self.closed = own.sum(std::mem::take(&mut self.closed), Totals::with);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Cause::Done;

    #[test]
    fn a_pool_that_stays_keeps_its_counts_however_many_come_and_go() {
        let ledger = Ledger::default();
        let stays = ledger.of("stays");
        let sum =
            |of: &Shards<Seen>| of.sum(Totals::default(), Totals::with).passages[Done as usize];
        stays.own().count_passage(Done);
        for number in 0..2 * POOLS_MAX {
            ledger.of(&format!("of deploy {number}")).own().count_passage(Done);
        }
        assert!(ledger.accounts().open.len() <= POOLS_MAX);
        assert_eq!((sum(&ledger.of("stays")), sum(&ledger.of("new"))), (1, 0));
        assert_eq!(ledger.totals().passages[Done as usize], 1 + 2 * POOLS_MAX as u64);
    }

    #[test]
    fn a_pool_or_a_route_has_its_number_for_good() {
        let ledger = Ledger::default();
        let numbers = |()| {
            let of = |pool, route| ledger.number(pool, route);
            [of("a", None), of("a", Some("x.test")), of("b", None), of("b", Some("x.test"))]
        };
        assert_eq!([numbers(()), numbers(())], [[1, 2, 3, 4]; 2]);
        let led = Led { pool: "a".into(), route: Some("x.test".into()) };
        assert_eq!([ledger.led(0), ledger.led(2), ledger.led(5)], [None, Some(led), None]);
        let last = (4..=LED_MAX).map(|at| ledger.number(&at.to_string(), None)).last();
        assert_eq!((last, ledger.number("a", None)), (Some(0), 1), "who comes late has none");
    }

    #[test]
    fn more_than_there_is_room_for_share_one_count_and_take_none_from_the_rest() {
        let ledger = Ledger::default();
        let name = |number: usize| format!("p{number}");
        let all: Vec<_> = (0..POOLS_MAX).map(|number| ledger.of(&name(number))).collect();
        let [one, other] = ["further", "more"].map(|name| ledger.of(name));
        assert!(Arc::ptr_eq(&one, &other));
        assert!(Arc::ptr_eq(&ledger.of(&name(7)), &all[7]));
    }
}
