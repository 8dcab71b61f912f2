//! Whoever is told what happens: the feature `alerts`. Without it `absent` stands in, so that the
//! rest of the balancer is the same.

#[cfg(not(feature = "alerts"))]
mod absent;
#[cfg(all(feature = "alerts", feature = "admin"))]
mod handed;
#[cfg(feature = "alerts")]
mod present;

#[cfg(not(feature = "alerts"))]
pub(super) use absent::{Alerts, Heard, Prepared};
#[cfg(feature = "alerts")]
pub use present::author;
#[cfg(feature = "alerts")]
pub(super) use present::{Alerts, Heard, Prepared};
