//! What a tunnel needs of the exchange that it was: the backend's connection, and who hears of its
//! end.

use super::Exchange;
use super::trouble::TAKEN_OUT;
use crate::log::Cause;
use crate::pool::Outcome;
use crate::relay::kit::Context;
use crate::relay::upstream::Upstream;
use std::time::Duration;

impl Exchange {
    /// The backend's connection, for a tunnel.
    pub(in crate::relay) fn take_upstream(&mut self) -> Option<Box<Upstream>> {
        self.upstream.take()
    }

    /// When bytes last moved.
    pub(in crate::relay) fn last_moved(&self) -> Duration {
        self.times.moved
    }

    /// How long a tunnel may be silent.
    pub(in crate::relay) fn tunnel_idle(&self) -> Duration {
        self.branch.config.timeouts.tunnel_idle
    }

    /// Bytes moved now.
    pub(in crate::relay) fn touch(&mut self, now: Duration) {
        self.times.moved = now;
    }

    /// The tunnel that this exchange became is closed.
    pub(in crate::relay) fn end_tunnel(
        &mut self,
        up: u64,
        down: u64,
        cause: Cause,
        cx: &mut Context,
    ) {
        self.bytes_received += up;
        self.answer.bytes += down;
        if let Some(lease) = self.lease.take() {
            self.report(lease, Outcome::Answered { status: 101, latency: Duration::ZERO }, cx);
        }
        let reason = if cause == Cause::TakenOut { TAKEN_OUT } else { "" };
        self.account_for(cause, reason, &cx.kit.shared, cx.now);
    }
}
