//! What an operator may see of a running relay, and have it do. Cheap to clone; asked from threads
//! that are no workers, at any time.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::pool::Pool;

/// A handle on a running relay.
#[derive(Clone)]
pub struct Controls {
    shared: Arc<Shared>,
}

impl Controls {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared) }
    }

    /// The pool of the configuration in force.
    pub fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.shared.site.current().pool)
    }

    /// The pool's clock.
    pub fn now(&self) -> Duration {
        self.shared.now()
    }
}
