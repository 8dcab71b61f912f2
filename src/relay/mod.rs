//! The relay itself: what a client's connection is about, from the first byte to the last.
//!
//! `Server` is the whole of it, for the balancer and the tests. `task.rs` has the states of a
//! connection; what moves them is the `engine`. Nothing here decides which backend is next or
//! whether one is healthy: that is `pool`.

mod affinity;
mod answer;
mod branch;
mod challenges;
mod client;
mod complaints;
mod controls;
mod direct;
mod entrance;
mod entrances;
mod exchange;
mod greeter;
mod habit;
mod handshake;
mod head;
mod hello;
mod idle;
mod kit;
mod ledger;
mod linger;
mod lookout;
mod origin;
mod passage;
mod pool_controls;
mod preface;
mod queue;
mod server;
mod shared;
mod site;
mod task;
mod totals;
mod traces;
mod tunnel;
mod upstream;

pub use controls::Controls;
pub use entrance::Listening;
pub use ledger::Led;
pub use pool_controls::PoolControls;
#[cfg(feature = "admin")]
pub use queue::HELD_MAX;
pub use server::Server;
pub(crate) use shared::Shared;
pub use totals::Totals;
pub use traces::{Micros, Short, Trace, Tried, Try, TryEnd};
