//! What operators see and steer, and how one process takes over from another at their word: the
//! feature `admin`. Without it `absent` stands in, so that the rest of the balancer is the same.

#[cfg(not(feature = "admin"))]
mod absent;
#[cfg(feature = "admin")]
mod consequences;
#[cfg(feature = "admin")]
mod container;
#[cfg(feature = "admin")]
mod history;
#[cfg(feature = "admin")]
mod places;
#[cfg(feature = "admin")]
mod present;
#[cfg(feature = "admin")]
mod steered;
#[cfg(feature = "admin")]
mod succession;
#[cfg(feature = "admin")]
mod takeover;
#[cfg(feature = "admin")]
mod upgrade;

#[cfg(feature = "admin")]
pub(super) use crate::admin::Endpoint;
#[cfg(not(feature = "admin"))]
pub(super) use absent::{
    Endpoint, Operators, Predecessor, bind, close, consequences, open, try_places,
};
#[cfg(feature = "admin")]
pub(super) use consequences::of as consequences;
#[cfg(feature = "admin")]
pub(super) use places::try_places;
#[cfg(feature = "admin")]
pub(super) use present::{Operators, close, open};
#[cfg(feature = "admin")]
pub use succession::tell_predecessor;
#[cfg(feature = "admin")]
pub(super) use succession::{Predecessor, bind};
