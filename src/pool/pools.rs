//! All pools of a server as one list of backends: for whoever looks at all of them, and is asked
//! for one by its name, which no two share.

use std::sync::Arc;
use std::time::Duration;

use super::{Backend, Pool, Status, Story};

/// The pools, in the order of the file. A backend's place is that among all of them.
#[derive(Clone)]
pub struct Pools(Vec<Arc<Pool>>);

impl Pools {
    /// These, at least one.
    pub fn of(pools: Vec<Arc<Pool>>) -> Self {
        Self(pools)
    }

    /// Each of them.
    pub fn all(&self) -> &[Arc<Pool>] {
        &self.0
    }

    /// True where there is more than one, so that it has to be said which.
    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// The one of this name.
    pub fn called(&self, name: &str) -> Option<&Arc<Pool>> {
        self.0.iter().find(|pool| pool.name() == name)
    }

    /// The pool that has the backend of this name, and its place there.
    pub fn find(&self, backend: &str) -> Option<(&Arc<Pool>, usize)> {
        let place = |pool: &Pool| pool.backends().iter().position(|one| one.name() == backend);
        self.0.iter().find_map(|pool| Some((pool, place(pool)?)))
    }

    /// All backends, one pool behind the other.
    pub fn backends(&self) -> impl Iterator<Item = &Backend> {
        self.0.iter().flat_map(|pool| pool.backends())
    }

    /// How many backends there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|pool| pool.backends().len()).sum()
    }

    /// True where there is no backend at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pool of the backend at this place, and its place there.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn at(&self, place: usize) -> (&Arc<Pool>, usize) {
        let mut within = place;
        for pool in &self.0 {
            match within.checked_sub(pool.backends().len()) {
                Some(beyond) => within = beyond,
                None => return (pool, within),
            }
        }
        panic!("there is no backend at {place}");
    }

    /// The backend at this place.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn backend(&self, place: usize) -> &Backend {
        let (pool, index) = self.at(place);
        &pool.backends()[index]
    }

    /// How each backend stands.
    pub fn statuses(&self, now: Duration) -> impl Iterator<Item = Status> {
        let of = move |pool: &Arc<Pool>| {
            let pool = Arc::clone(pool);
            (0..pool.backends().len()).map(move |index| pool.status(index, now))
        };
        self.0.iter().flat_map(of)
    }

    /// What befell each backend lately.
    pub fn stories(&self, now: Duration) -> impl Iterator<Item = Story> {
        let of = move |pool: &Arc<Pool>| {
            let pool = Arc::clone(pool);
            (0..pool.backends().len()).map(move |index| pool.story(index, now))
        };
        self.0.iter().flat_map(of)
    }

    /// How many backends are up.
    pub fn usable(&self, now: Duration) -> usize {
        self.0.iter().map(|pool| pool.usable(now)).sum()
    }

    /// Requests in flight, over all backends.
    pub fn in_flight(&self) -> usize {
        self.0.iter().map(|pool| pool.in_flight()).sum()
    }
}
