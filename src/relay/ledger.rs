//! What became of the requests of each pool, by its name: counts outlive every change of the file.

use super::totals::{Seen, Totals};
use crate::pool::Shards;
use std::sync::{Arc, Mutex, PoisonError};

/// Pools that are counted each for itself; further ones share one count, so that a file which is
/// generated anew with other names each time takes no memory without end.
const POOLS_MAX: usize = 4096;

/// The name of what no pool is for.
pub(super) const NOBODY: &str = "";

/// The counts of each pool that there is or was.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Vec<Account>>);

type Account = (String, Arc<Shards<Seen>>);

impl Ledger {
    /// The counts of the pool of this name.
    pub(super) fn of(&self, name: &str) -> Arc<Shards<Seen>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if all.len() < POOLS_MAX { name } else { NOBODY };
        if let Some((_, own)) = all.iter().find(|(other, _)| other == name) {
            return Arc::clone(own);
        }
        let own = Arc::<Shards<Seen>>::default();
        all.push((name.to_owned(), Arc::clone(&own)));
        own
    }

    /// What all requests have come to.
    pub(super) fn totals(&self) -> Totals {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().fold(Totals::default(), |sum, (_, own)| own.sum(sum, Totals::with))
    }
}
