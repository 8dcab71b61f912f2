//! What became of the requests of each pool, by its name: counts outlive every change of the file.

use super::totals::{Seen, Totals};
use crate::pool::Shards;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Pools that are counted each for itself. For a further one the account of one that is gone is
/// closed, so that a file which is generated anew with other names each time takes no memory
/// without end; where none is gone, further ones share one count.
const POOLS_MAX: usize = 4096;

/// The name of what no pool is for.
pub(super) const NOBODY: &str = "";

/// The counts of each pool that there is or was.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Accounts>);

#[derive(Default)]
struct Accounts {
    /// The oldest first.
    open: Vec<(String, Arc<Shards<Seen>>)>,
    /// What those came to that are closed.
    closed: Totals,
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
    fn more_than_there_is_room_for_share_one_count_and_take_none_from_the_rest() {
        let ledger = Ledger::default();
        let name = |number: usize| format!("p{number}");
        let all: Vec<_> = (0..POOLS_MAX).map(|number| ledger.of(&name(number))).collect();
        let [one, other] = ["further", "more"].map(|name| ledger.of(name));
        assert!(Arc::ptr_eq(&one, &other));
        assert!(Arc::ptr_eq(&ledger.of(&name(7)), &all[7]));
    }
}
