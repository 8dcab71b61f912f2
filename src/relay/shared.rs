//! What the threads of a server have in common.

use super::affinity::Affinity;
use super::complaints::Complaints;
use super::crowd::{Crowd, Lookout};
use super::exchange::Direct;
use super::idle::Idle;
use super::queue::Queue;
use crate::config::Config;
use crate::engine::{Door, Registry, Stop};
use crate::http::Claims;
use crate::log::Log;
use crate::pool;
use crate::tls::Tls;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What the threads of a server have in common.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) tls: Tls,
    pub(crate) pool: Arc<pool::Snapshot>,
    pub(crate) lot: Arc<dyn Registry>,
    pub(crate) idle: Idle,
    pub(crate) queue: Arc<Queue>,
    pub(crate) door: Arc<Door>,
    pub(crate) crowd: Crowd,
    pub(crate) log: Log,
    pub(crate) stop: Arc<Stop>,
    /// Fields that untrusted clients do not get through.
    pub(crate) claims: Claims,
    /// None if nothing ties clients to backends.
    pub(crate) affinity: Option<Affinity>,
    /// None if every request is relayed.
    pub(crate) direct: Option<Direct>,
    /// Some application has a `max_connections`.
    pub(crate) limits_places: bool,
    /// What clients and paths are hashed with, so that no client chooses whom it is taken for.
    pub(crate) witness_key: [u64; 2],
    pub(super) unready: AtomicBool,
    pub(super) draining: AtomicBool,
    pub(super) epoch: Instant,
    pub(super) complaints: Complaints,
}

impl Shared {
    /// The server's clock.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// What the timer does before each of its sweeps, beside waking who is late: see [`Lookout`].
    pub(super) fn look(
        &self,
        lookout: &mut Lookout,
        idle_since_us: impl Iterator<Item = u64>,
        now: Duration,
    ) -> Duration {
        self.idle.expire(now);
        // A place at a backend that has just come up is one of which nobody tells.
        if !self.queue.is_empty() {
            self.queue.ring_first();
        }
        lookout.look(self, idle_since_us, now)
    }

    /// How clients reach us.
    pub(crate) fn proto(&self) -> &'static str {
        if self.tls.acceptor.is_some() { "https" } else { "http" }
    }

    /// True where a request's body is awaited before it takes one of the places that are limited.
    pub(crate) fn awaits_bodies(&self) -> bool {
        self.limits_places && self.config.limits.buffer_bytes > 0
    }

    /// True until the end has begun.
    pub(crate) fn is_ready(&self) -> bool {
        !self.unready.load(Ordering::Relaxed)
    }

    /// True when no new work is wanted.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
