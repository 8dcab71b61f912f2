//! The rule by which one of several backends is picked: one file a policy.
//!
//! Called by the pool for each request, from many workers at once. A policy sees its candidates
//! through a [`View`] and never learns what keeps the others out.

mod round_robin;

pub use round_robin::RoundRobin;

/// Picks a backend.
pub trait Policy: Send + Sync {
    /// The index of a usable backend, or `None` if the view has none.
    fn pick(&self, view: &dyn View) -> Option<usize>;

    /// As the configuration names it.
    fn name(&self) -> &'static str;
}

/// The backends as one request may use them. Each look is fresh: what was usable may be so no
/// more when it is picked, and then the pool asks again.
pub trait View {
    /// How many backends there are, usable or not.
    fn count(&self) -> usize;

    /// True if the request may go to the backend at `index`, below [`count`](View::count).
    fn is_usable(&self, index: usize) -> bool;

    /// Requests that it is busy with.
    fn in_use(&self, index: usize) -> u32;

    /// Its share as configured, at least 1.
    fn weight(&self, index: usize) -> u32;
}
