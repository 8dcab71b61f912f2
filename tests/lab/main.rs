//! The lab's commands, through the real binary.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agreement;
mod bench;
#[allow(dead_code, unused_imports, reason = "the relay's tests use the rest of it")]
#[path = "../relay/harness/mod.rs"]
mod harness;
#[cfg(feature = "tls")]
mod secure;
mod simulate;
