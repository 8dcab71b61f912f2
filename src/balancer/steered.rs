//! What the endpoint sees of a running balancer, and has it do.

use std::sync::Arc;
use std::time::SystemTime;

use super::Running;
use crate::admin::{Life, State, Steered};
use crate::config::Extent;
use crate::event::Teller;
use crate::relay::Controls;
use crate::tls::Shown;

const NOT_YET: &str = "this version cannot do that yet; restart it instead";

/// A balancer as the endpoint sees it.
pub(super) struct Seen {
    running: Arc<Running>,
    controls: Controls,
    started: SystemTime,
    shown: Vec<Shown>,
}

impl Seen {
    pub(super) fn new(running: &Arc<Running>, shown: Vec<Shown>) -> Self {
        let (running, controls) = (Arc::clone(running), running.server.controls());
        Self { running, controls, started: SystemTime::now(), shown }
    }
}

impl Steered for Seen {
    fn controls(&self) -> &Controls {
        &self.controls
    }

    fn teller(&self) -> &Teller {
        &self.running.teller
    }

    fn life(&self) -> Life {
        Life {
            path: self.running.source.as_ref().map(|source| source.path.clone()),
            started: self.started,
            loaded: self.started,
            reloads: 0,
            last_reload: None,
            state: match (self.controls.is_draining(), self.controls.is_ready()) {
                (true, _) => State::Draining,
                (false, false) => State::Unready,
                (false, true) => State::Serving,
            },
            certificates: self.shown.clone(),
        }
    }

    fn config(&self) -> String {
        self.running.config().clone().show(Extent::All)
    }

    fn diff(&self, _text: Option<&str>) -> Result<String, String> {
        Err(NOT_YET.to_owned())
    }

    fn reload(&self) -> Result<String, String> {
        Err(NOT_YET.to_owned())
    }

    fn upgrade(&self) -> Result<String, String> {
        Err(NOT_YET.to_owned())
    }
}
