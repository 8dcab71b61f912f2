//! Without the admin endpoint there is no upgrade: nobody comes before and nobody after.

use super::{Balancer, CannotStart, tell};
use crate::config::Config;
use crate::engine::Listener;
use crate::pool::{Pool, Secret};
use std::net::SocketAddr;
use std::time::Instant;

/// There is none.
pub(super) enum Predecessor {}

impl Predecessor {
    pub(super) fn find() -> Result<Option<Self>, CannotStart> {
        Ok(None)
    }

    pub(super) fn listener(&mut self, _: SocketAddr) -> Option<Listener> {
        match *self {}
    }

    pub(super) fn tell_health(&self, _: &mut Config) {
        match *self {}
    }

    pub(super) fn epoch(&self) -> Instant {
        match *self {}
    }

    pub(super) fn drawn(&self) -> Option<Secret> {
        match *self {}
    }

    pub(super) fn tell_standings(&self, _: &Pool, _: Instant) {
        match *self {}
    }
}

impl Balancer {
    pub(super) fn successor(&mut self) -> Option<u32> {
        None
    }

    /// The signal that asks for one has the log say how all stands.
    pub(super) fn upgrade(&self) {
        tell::status(self.running.teller.log(), &self.running.server.controls());
    }
}
