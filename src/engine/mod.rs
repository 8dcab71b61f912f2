//! What moves connections: tasks, the Lot in which they wait, and the threads that step them.
//!
//! It knows no HTTP and no pool. What a connection says, and to whom, is for its task to know: the
//! engine asks for no more than `task.rs` has. The way of a connection: a `keeper` lets it in by
//! the `door` and parks it in the `lot`, an event of its `socket` finds it by its `slots`, a
//! `worker` steps it, and it is parked again; the `timer` wakes who is late.

pub mod descriptors;
mod desk;
mod door;
mod keeper;
mod listener;
mod lot;
#[cfg(all(test, loom))]
mod models;
mod outbox;
mod pulse;
mod registry;
mod room;
mod slots;
mod socket;
mod stop;
mod stream;
mod sync;
mod task;
mod timer;
mod worker;

pub(crate) use desk::{Desk, HEADROOM, STEP_BYTES};
pub(crate) use door::{Door, Latch, Place};
pub(crate) use keeper::{Greeter, open_doorway};
pub use listener::Listener;
pub(crate) use lot::Lot;
pub(crate) use outbox::Outbox;
pub(crate) use pulse::Pulses;
pub(crate) use registry::Registry;
pub(crate) use room::{Cutoffs, Resting, Room};
pub(crate) use slots::{Key, Owner};
pub(crate) use socket::Read;
pub use stop::Stop;
pub(crate) use stream::Stream;
pub(crate) use sync::Mutex;
pub(crate) use task::{Next, Task};
pub(crate) use timer::Timer;
pub(crate) use worker::Worker;
