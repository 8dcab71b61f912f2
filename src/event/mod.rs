//! The one mouth: whatever happens to a backend, to a resource, to a certificate or to the balancer
//! itself is one typed [`Event`], told once to the [`Teller`].
//!
//! Everyone holds a `Teller` (a cheap clone) and may tell in the middle of a step. What may come in
//! floods passes a throttle first, before a word of it is formed. The rest becomes a line of the
//! log and is kept in the ring, from which a status page or an alert reads it later. How much an
//! event matters is for the event alone to say (`what.rs`), never for whoever saw it.
//!
//! This room knows no pool and no HTTP: those who do word what they saw, and hand the words over.

mod ring;
mod teller;
#[cfg(test)]
mod tests;
mod throttle;
mod what;
mod words;

pub use ring::{RING_MAX, Since, Told};
pub use teller::{Ear, Teller};
pub use what::{About, By, Class, Event, Shift, Visit};
