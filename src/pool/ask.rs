//! What the pool is told of a request that needs a backend.
//!
//! Filled in by the proxy, the simulator and the client for each pick. Holds only facts that some
//! policy goes by: the pool never sees a request.

use std::time::Duration;

/// One request's wish for a backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// On the clock that all callers share.
    pub now: Duration,
    /// A number drawn for this pick, uniform over all of u64.
    pub chance: u64,
    /// What the policy `hash` goes by: the hash of an address, a field or a cookie.
    pub key: Option<u64>,
    /// The sticky cookie that the client sent, if it is one of ours by its looks.
    pub token: Option<u64>,
    /// Backends that have failed this request already.
    pub tried: &'a [usize],
}
