//! Without alerts nobody is told: `config` has refused a file that asks for them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::balancer::supervisor::Supervisor;
use crate::config::{Config, Errors};
use crate::event::Teller;
use crate::relay::Controls;

pub(in crate::balancer) struct Alerts;

pub(in crate::balancer) struct Prepared;

pub(in crate::balancer) struct Heard;

impl Prepared {
    pub(in crate::balancer) fn of(_: &Config) -> Result<Self, Errors> {
        Ok(Self)
    }

    pub(in crate::balancer) fn start(
        self,
        _: Heard,
        _: Controls,
        _: &Arc<Supervisor>,
        _: &Teller,
        _: bool,
    ) -> io::Result<Alerts> {
        Ok(Alerts)
    }
}

impl Heard {
    pub(in crate::balancer) fn begin(_: &Teller) -> Self {
        Self
    }
}

impl Alerts {
    pub(in crate::balancer) fn follow(&self, _: Prepared) -> io::Result<()> {
        Ok(())
    }

    #[cfg(feature = "admin")]
    pub(in crate::balancer) fn hand_over(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    #[cfg(feature = "admin")]
    pub(in crate::balancer) fn take_over(&self, _: &serde_json::Value) {}

    pub(in crate::balancer) fn stop(&self, _: Duration) {}
}
