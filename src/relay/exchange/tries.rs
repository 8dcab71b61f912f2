//! Where a request has been, as far as the relay alone knows of it: the course counts backends,
//! this has its connections.

use crate::pool::Course;
use crate::relay::traces::Tried;
use crate::relay::upstream::Destination;
use std::time::Duration;

/// Where the request has been.
#[derive(Default)]
pub(super) struct Tries {
    pub(super) course: Course,
    /// The same for people.
    pub(super) told: Tried,
    /// The next connection must be a new one: a kept one was stale.
    pub(super) fresh: bool,
    /// Where that one led, and how long it had been idle.
    pub(super) stale: Option<(Destination, Duration)>,
    /// Body bytes beyond what is held have gone up: it cannot be sent again.
    pub(super) unrepeatable: bool,
}
