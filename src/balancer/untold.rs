//! Without alerts nobody is told: `config` has refused a file that asks for them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::supervisor::Supervisor;
use crate::config::{Config, Errors};
use crate::event::Teller;
use crate::relay::Controls;

pub(super) struct Alerts;

pub(super) struct Prepared;

pub(super) struct Heard;

impl Prepared {
    pub(super) fn of(_: &Config) -> Result<Self, Errors> {
        Ok(Self)
    }

    pub(super) fn start(
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
    pub(super) fn begin(_: &Teller) -> Self {
        Self
    }
}

impl Alerts {
    pub(super) fn follow(&self, _: Prepared) -> io::Result<()> {
        Ok(())
    }

    #[cfg(feature = "admin")]
    pub(super) fn hand_over(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    #[cfg(feature = "admin")]
    pub(super) fn take_over(&self, _: &serde_json::Value) {}

    pub(super) fn stop(&self, _: Duration) {}
}
