//! Behaviour through real sockets: the program as it is shipped, between backends that follow a
//! script and clients that say any bytes. One crate, so that linking is paid once; a file a family.
//!
//! `harness` starts and ends every proxy, and holds each to the same rules when it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg_attr(not(feature = "tls"), allow(dead_code, unused_imports))]
mod harness;

mod addresses;
mod answers;
mod balance;
mod blank_lines;
mod checks;
mod closing;
mod connections;
mod deadlines;
mod demo;
mod early;
mod files;
mod health;
mod inside;
mod interim;
mod lame_duck;
mod leaving;
mod limits;
mod limits_named;
mod listeners;
mod log_targets;
mod logs;
mod lookup;
mod names;
mod night;
mod one_worker;
mod origin;
mod overdue;
mod passages;
mod passive;
mod pipelining;
mod policies;
mod pools;
mod prefaces;
mod queue;
mod redirect;
mod reloading;
mod reloads;
mod replacing;
mod requests;
mod retry;
mod retry_on;
mod settings;
mod shortage;
mod starting;
mod steering;
mod sticky;
mod stopping;
mod streaming;
mod systemd;
#[cfg(feature = "tls")]
mod tls;
mod tunnel;
mod upgrades;
#[cfg(feature = "admin")]
mod upgrading;
mod user;
mod wire_answers;
mod wire_requests;
