//! Who is told, and how: what happens becomes messages, and these reach somebody who is asleep.
//!
//! `incident` decides what is told and when, and does no I/O; a channel delivers, each on a thread
//! of its own, so that one which is stuck holds up no other. Whoever tells an event never waits for
//! any of it.

pub(crate) mod channel;
pub mod message;
pub(crate) mod secret;

pub use message::Message;
