//! The turning points of an upgrade: when the one who comes takes the places of the one before, and
//! when the one who goes leaves them.

use super::succession::Predecessor;
use crate::admin::{Endpoint, Steered};
use crate::balancer::{Balancer, Running, tell};
use crate::event::Event;
use crate::thread;
use serde_json::Value;
use std::sync::Arc;

impl Running {
    /// Takes the places of the one before and has it finish; then this process may be succeeded.
    pub(in crate::balancer) fn succeed(
        &self,
        predecessor: Option<&Predecessor>,
        endpoint: &mut Endpoint,
    ) {
        if let Some(before) = predecessor {
            for (pool, left) in before.pauses() {
                self.operators.controls.pause(left, Some(&pool));
            }
            endpoint.take_history(&before.socket);
            let config = self.in_force().config.clone();
            let released = before.release(|| endpoint.take_over(&before.socket));
            // Until then the other one tells, and each incident goes on in this one.
            self.alerts.take_over(released.as_ref().unwrap_or(&Value::Null));
            let taken = released.and_then(|_| endpoint.take_address(&config));
            if let Err(why) = taken {
                self.teller.tell(Event::Configuration(&format!("taking over: {why}")));
            }
            endpoint.tell_where();
            self.operators.upgrade.listens_at(endpoint.socket());
        }
    }
}

impl Balancer {
    /// The process that serves on, if one has taken over: it alone lets clients in from now on.
    pub(in crate::balancer) fn successor(&mut self) -> Option<u32> {
        let successor = self.running.operators.upgrade.end();
        if successor.is_some() {
            self.endpoint.leave_address();
            self.running.server.say_succeeded();
        }
        successor
    }

    /// On a thread of its own: meanwhile signals are heard. Where there is no socket, at which a
    /// successor could ask, nor anybody how all stands, the log says the latter.
    pub(in crate::balancer) fn upgrade(&self) {
        if self.endpoint.socket().is_none() {
            return tell::status(self.running.teller.log(), &self.running.server.controls());
        }
        let running = Arc::clone(&self.running);
        let duty = move || drop(Steered::upgrade(&*running));
        if let Err(error) = thread::spawn("upgrade", duty) {
            self.running.teller.tell(Event::NotUpgraded(&error.to_string()));
        }
    }
}
