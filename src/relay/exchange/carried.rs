//! An exchange that has become a tunnel. By its 101 the backend has answered, whatever is said
//! then: nobody here reads it.

use super::Exchange;
use crate::config::Timeouts;
use crate::pool::Outcome;
use crate::relay::Shared;
use crate::relay::client::Client;
use crate::relay::kit::Context;
use crate::relay::tunnel::{Carried, Ending, Load};
use std::time::Duration;

impl Carried for Exchange {
    fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    fn timeouts(&self) -> &Timeouts {
        &self.branch.config.timeouts
    }

    fn is_cut(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.backend().is_cut())
    }

    fn release(&mut self, cx: &mut Context) {
        if let Some(lease) = self.lease.take() {
            self.report(lease, Outcome::Answered { status: 101, latency: Duration::ZERO }, cx);
        }
    }

    fn close(&mut self, load: Load, ending: &Ending, shared: &Shared, now: Duration) {
        self.bytes_received += load.up;
        self.answer.bytes += load.down;
        self.account_for(ending.cause, &ending.reason, shared, now);
    }
}
