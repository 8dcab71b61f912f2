//! Who is told, and how: what happens becomes messages, and these reach somebody who is asleep.
//!
//! `incident` decides what is told and when, and does no I/O; a channel delivers, each on a thread
//! of its own, so that one which is stuck holds up no other. Whoever tells an event never waits for
//! any of it.
//!
//! Reading order: `message`, `news`, `hearing`, `notice`, `incident` (with `rules`, `known`, `cap`,
//! `losses`, `singles`, `lasting`), `handed`, `words` (with `headline`, `scene`), `desk`,
//! `channel`, `line` (with `parcel`), `ways` (with `fault`); then each way: `webhook` (with
//! `payload`, `remote`, `lookup`, `secret`), `command`, `email`; `heartbeat`.

mod cap;
pub(crate) mod channel;
mod command;
mod desk;
#[cfg(feature = "email")]
mod email;
mod fault;
mod handed;
mod headline;
mod hearing;
mod heartbeat;
pub mod incident;
mod known;
mod lasting;
mod line;
mod lookup;
mod losses;
pub mod message;
pub mod news;
pub mod notice;
mod parcel;
mod payload;
mod remote;
mod rules;
pub mod scene;
pub(crate) mod secret;
mod singles;
#[cfg(test)]
mod tests;
mod ways;
mod webhook;
pub mod words;

pub(crate) use channel::{Deliver, Over, Undelivered};
pub use desk::{AlertStatus, Notify};
pub use handed::{Handed, Open, Out};
pub use hearing::Hearing;
pub use message::{Fact, Message};
pub use singles::Single;
pub use ways::{Opened, Ways, open, test};
