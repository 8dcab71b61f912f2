//! Without the feature `admin` nobody asks, and there is no upgrade: nobody comes before and nobody
//! after.

use crate::balancer::{Balancer, CannotStart, Running, Signals, tell};
use crate::config::{Admin, Answers, Config};
use crate::engine::Listener;
use crate::event::Teller;
use crate::pool::{Pools, Secret};
use crate::relay::Controls;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

pub(in crate::balancer) struct Operators;

/// No place is bound.
pub(in crate::balancer) struct Bound;

/// Nobody is answered.
pub(in crate::balancer) struct Endpoint;

impl Operators {
    pub(in crate::balancer) fn new(_: Controls, _: &Signals) -> Self {
        Self
    }

    pub(in crate::balancer) fn replaced(&self) {}

    pub(in crate::balancer) fn note(&self, _: &Result<String, String>) {}
}

impl Bound {
    pub(in crate::balancer) fn serve(self, _: &Admin, _: &Teller) -> Result<Endpoint, String> {
        Ok(Endpoint)
    }
}

/// There are no places.
pub(in crate::balancer) fn try_places(_: &Config) -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

pub(in crate::balancer) fn bind(
    _: &Config,
    _: SocketAddr,
    _: Option<&Predecessor>,
) -> Result<Bound, CannotStart> {
    Ok(Bound)
}

pub(in crate::balancer) fn open(_: &mut Endpoint, _: &Arc<Running>) -> io::Result<()> {
    Ok(())
}

pub(in crate::balancer) fn close(_: Endpoint) {}

pub(in crate::balancer) fn consequences(
    _: &Config,
    _: &Config,
    _: &[Option<usize>],
) -> Vec<String> {
    Vec::new()
}

impl Running {
    pub(in crate::balancer) fn succeed(&self, _: Option<&Predecessor>, _: &mut Endpoint) {}
}

/// There is none.
pub(in crate::balancer) enum Predecessor {}

impl Predecessor {
    pub(in crate::balancer) fn find() -> Result<Option<Self>, CannotStart> {
        Ok(None)
    }

    pub(in crate::balancer) fn listener(&mut self, _: SocketAddr) -> Option<Listener> {
        match *self {}
    }

    pub(in crate::balancer) fn tell_names(&self, _: &mut Answers) {
        match *self {}
    }

    pub(in crate::balancer) fn tell_health(&self, _: &mut Config) {
        match *self {}
    }

    pub(in crate::balancer) fn drawn(&self) -> Option<Secret> {
        match *self {}
    }

    pub(in crate::balancer) fn epoch(&self) -> Instant {
        match *self {}
    }

    pub(in crate::balancer) fn tell_standings(&self, _: &Pools, _: Instant) {
        match *self {}
    }
}

impl Balancer {
    pub(in crate::balancer) fn successor(&mut self) -> Option<u32> {
        None
    }

    /// The signal that asks for one has the log say how all stands.
    pub(in crate::balancer) fn upgrade(&self) {
        tell::status(self.running.teller.log(), &self.running.server.controls());
    }
}
