//! How one alert is told, of the file.

use std::time::Duration;

use crate::config::{Alert, Occasion};

#[derive(Clone, Debug)]
pub(super) struct Rules {
    on: Vec<Occasion>,
    pub(super) wait: Duration,
    pub(super) repeat: Option<Duration>,
    pub(super) resolved: bool,
}

impl Rules {
    pub(super) fn of(alert: &Alert) -> Self {
        let Alert { on, wait, repeat, resolved, .. } = alert;
        Self { on: on.clone(), wait: *wait, repeat: *repeat, resolved: *resolved }
    }

    pub(super) fn wants(&self, kind: Occasion) -> bool {
        let is_end = matches!(kind, Occasion::Up | Occasion::Recovered);
        self.on.contains(&kind) && (self.resolved || !is_end)
    }

    /// Whether somebody hears that an incident is over.
    pub(super) fn tells_ends(&self) -> bool {
        self.wants(Occasion::Recovered)
    }
}
