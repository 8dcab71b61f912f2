//! What the threads of a server have in common, and what outlives its configurations.
//!
//! All workers meet here in every step, so no lock in it is one for all of them: flags and counts
//! are atomics, and idle connections stand in many lists.

use super::challenges::Reader;
use super::idle::Idle;
use super::ledger::Ledger;
use super::site::Site;
use super::traces::Traces;
use crate::engine::{Door, Pulses, Registry, Stop};
use crate::event::Teller;
use crate::log::Log;
use crate::pool::Snapshot;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What the threads of a server have in common.
pub(crate) struct Shared {
    /// The configuration in force: looked at once a head, and kept until the request ends.
    pub(crate) site: Arc<Snapshot<Site>>,
    pub(crate) lot: Arc<dyn Registry>,
    pub(crate) idle: Idle,
    pub(crate) door: Arc<Door>,
    /// For access lines. Events go to the teller.
    pub(crate) log: Log,
    pub(crate) teller: Teller,
    /// What became of all requests, as each worker counts it.
    pub(super) ledger: Ledger,
    /// What was decided for the last of them.
    pub(super) traces: Traces,
    pub(crate) stop: Arc<Stop>,
    /// Of every thread that clients depend on.
    pub(super) pulses: Pulses,
    /// What clients and paths are hashed with, so that no client chooses whom it is taken for.
    pub(crate) witness_key: [u64; 2],
    /// For what proves that names are ours.
    pub(super) challenges: Reader,
    pub(super) unready: AtomicBool,
    pub(super) draining: AtomicBool,
    /// Another process serves at the same address.
    pub(super) succeeded: AtomicBool,
    /// The zero of the server's clock.
    pub(super) epoch: Instant,
}

impl Shared {
    /// The server's clock.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// True until the end has begun.
    pub(crate) fn is_ready(&self) -> bool {
        !self.unready.load(Ordering::Relaxed)
    }

    /// True while clients are served at this address, be it by another process.
    pub(crate) fn is_served(&self) -> bool {
        self.is_ready() || self.succeeded.load(Ordering::Relaxed)
    }

    /// True when no new work is wanted.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
