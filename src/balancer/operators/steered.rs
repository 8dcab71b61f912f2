//! What the admin endpoint sees of a balancer, and has it do.

use super::succession::handover;
use crate::admin::{Handover, Life, State, Steered};
use crate::balancer::Running;
use crate::balancer::build::drawn;
use crate::balancer::reload::NOTHING;
use crate::config::Extent;
use crate::event::{Event, Teller};
#[cfg(feature = "alerts")]
use crate::notify::AlertStatus;
use crate::relay::Controls;
use serde_json::json;

impl Steered for Running {
    fn controls(&self) -> &Controls {
        &self.operators.controls
    }

    fn teller(&self) -> &Teller {
        &self.teller
    }

    fn life(&self) -> Life {
        let controls = &self.operators.controls;
        let state = match (controls.is_draining(), controls.is_ready()) {
            (true, _) => State::Draining,
            (false, false) => State::Unready,
            (false, true) => State::Serving,
        };
        let certificates = self.in_force().tls.shown.clone();
        let history = self.operators.history();
        Life {
            path: self.source.as_ref().map(|source| source.path.clone()),
            started: history.started,
            loaded: history.loaded,
            reloads: history.reloads,
            last_reload: history.last.clone(),
            state,
            certificates,
        }
    }

    #[cfg(feature = "alerts")]
    fn alerts(&self) -> Vec<AlertStatus> {
        self.alerts.status()
    }

    fn config(&self) -> String {
        self.in_force().written.show(Extent::All)
    }

    fn diff(&self, text: Option<&str>) -> Result<String, String> {
        let mut changes = self.plan(text)?.changes;
        match (changes.refused.is_empty(), changes.lines.is_empty()) {
            (true, true) => Ok(NOTHING.to_owned()),
            (true, false) => Ok(changes.lines.join("\n")),
            (false, _) => {
                // A reload would change nothing, so what else it says comes second.
                let along = |line| format!("{line}: refused along with that");
                changes.refused.extend(changes.lines.into_iter().map(along));
                Err(changes.refused.join("\n"))
            }
        }
    }

    fn reload(&self) -> Result<String, String> {
        self.reload()
    }

    fn upgrade(&self) -> Result<String, String> {
        let done = self.operators.upgrade.run();
        match &done {
            Ok(who) => self.teller.tell(Event::Upgraded(who)),
            Err(why) => self.teller.tell(Event::NotUpgraded(why)),
        }
        done
    }

    fn hand_over(&self, pid: u32) -> Result<Handover, String> {
        if !self.operators.upgrade.is_successor(pid) {
            return Err("only a process that this one has started may succeed it".to_owned());
        }
        let sockets = self.server.sockets().map_err(|error| error.to_string())?;
        let drawn = drawn(&self.in_force().config, &self.operators.controls.pools());
        Ok(handover(sockets, &self.operators.controls, drawn))
    }

    fn succeed(&self, pid: u32, outcome: Result<(), &str>) -> Result<String, String> {
        match outcome {
            Ok(()) => {
                self.operators.upgrade.succeeded(pid, || self.supervisor.succeeded_by(pid))?;
                let alerts = self.alerts.hand_over();
                Ok(json!({ "words": "finishing what is in flight", "alerts": alerts }).to_string())
            }
            Err(why) => {
                self.operators.upgrade.failed(pid, why);
                Ok(json!({ "words": "heard" }).to_string())
            }
        }
    }
}
