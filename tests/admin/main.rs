//! The endpoint for operators, through real sockets and a real browser: what it shows and changes,
//! and who is kept out.

#![cfg(feature = "admin")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, unused_imports, reason = "the relay's tests use the rest of it")]
#[path = "../relay/harness/mod.rs"]
mod harness;

#[cfg(feature = "tls")]
mod board;
mod browser;
#[cfg(feature = "tls")]
mod certificates;
mod chrome;
mod crowding;
mod dashboard;
mod deciding;
mod exposed;
mod guarding;
mod history;
mod metrics;
mod panel;
mod places;
mod pools;
mod prometheus;
mod scraping;
mod serving;
mod steering;
mod why;
