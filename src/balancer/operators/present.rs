//! What the balancer keeps for operators, as it starts and reloads.

use super::history::History;
use super::upgrade::Upgrade;
use crate::admin::Endpoint;
use crate::balancer::signals::Signals;
use crate::balancer::{Balancer, Running};
use crate::relay::Controls;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What they look at and steer.
pub(in crate::balancer) struct Operators {
    pub(super) controls: Controls,
    pub(super) upgrade: Upgrade,
    history: Mutex<History>,
}

impl Operators {
    pub(in crate::balancer) fn new(controls: Controls, signals: &Signals) -> Self {
        let (upgrade, history) = (Upgrade::new(signals.waiting()), Mutex::new(History::begin()));
        Self { controls, upgrade, history }
    }

    /// Another configuration is in force from now on.
    pub(in crate::balancer) fn replaced(&self) {
        self.history().replaced();
    }

    /// An attempt to replace it is over.
    pub(in crate::balancer) fn note(&self, outcome: &Result<String, String>) {
        self.history().note(outcome);
    }

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From now on operators are answered.
pub(in crate::balancer) fn open(endpoint: &mut Endpoint, running: &Arc<Running>) -> io::Result<()> {
    // They may ask for an upgrade at once.
    running.operators.upgrade.listens_at(endpoint.socket());
    endpoint.serve(Arc::clone(running) as _)
}

/// They are answered no more.
pub(in crate::balancer) fn close(endpoint: Endpoint) {
    drop(endpoint);
}

impl Balancer {
    /// Where operators may ask over HTTP, and look at the dashboard.
    pub fn endpoint(&self) -> Option<SocketAddr> {
        self.endpoint.address()
    }
}
