//! The relay itself: tasks, the Lot in which they wait, and the threads that move them.
//!
//! `Server` is the whole of it, for the balancer and the tests. Below it:
//! workers accept at the door and step tasks, the timer wakes those that are late. Nothing here
//! decides which backend is next or whether one is healthy: that is `pool`.

mod affinity;
mod answer;
mod client;
mod complaints;
mod crowd;
pub mod descriptors;
mod door;
mod exchange;
mod habit;
mod handshake;
mod head;
mod idle;
mod linger;
mod lot;
#[cfg(all(test, loom))]
mod models;
mod origin;
mod outbox;
mod queue;
mod server;
mod slots;
mod socket;
mod stop;
mod stream;
mod sync;
mod task;
mod timer;
mod tunnel;
mod upstream;
mod worker;

pub use complaints::level;
pub use door::Listener;
pub use server::Server;
pub(crate) use server::Shared;
pub use stop::Stop;
