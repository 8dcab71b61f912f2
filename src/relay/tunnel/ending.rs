//! Why a tunnel has ended, and the same in words for its line in the log.

use super::way::Way;
use crate::config::Timeouts;
use crate::log::Cause;
use crate::text::Took;
use std::borrow::Cow;
use std::time::Duration;

/// Of what maintenance ends.
pub(crate) const TAKEN_OUT: &str =
    "its application is in maintenance, and [timeouts] drain is over";

/// Why a tunnel has ended.
pub(crate) struct Ending {
    pub(crate) cause: Cause,
    /// Empty where there is nothing to add.
    pub(crate) reason: Cow<'static, str>,
}

impl From<Cause> for Ending {
    fn from(cause: Cause) -> Self {
        let reason = match cause {
            Cause::ClientGone => "the client broke off",
            Cause::BackendReset => "the application broke off",
            Cause::TakenOut => TAKEN_OUT,
            Cause::Exhausted => "the load balancer is out of resources",
            _ => "",
        };
        Self { cause, reason: reason.into() }
    }
}

impl Ending {
    /// The client closed and left out the end of its TLS.
    pub(super) const CUT: Self = Self {
        cause: Cause::ClientGone,
        reason: Cow::Borrowed("the client closed without the end of its TLS"),
    };

    /// Nothing has moved for too long. It is the doing of whoever takes no bytes, though there are
    /// some, else of whoever has not ended.
    pub(super) fn late(up: &Way, down: &Way, timeouts: &Timeouts) -> Self {
        let (limit, key) = limit(up, down, timeouts);
        let (cause, what) = match (up.is_stuck(), down.is_stuck()) {
            (true, _) => (Cause::BackendTimeout, "the application took nothing"),
            (_, true) => (Cause::ClientTimeout, "the client took nothing"),
            _ if up.ended => (Cause::BackendTimeout, "the application was silent"),
            _ if down.ended => (Cause::ClientTimeout, "the client was silent"),
            _ => (Cause::ClientTimeout, "both sides were silent"),
        };
        let reason = format!("{what} for {} ([timeouts] {key})", Took(limit));
        Self { cause, reason: reason.into() }
    }
}

/// How long nothing may move, and by which key.
pub(super) fn limit(up: &Way, down: &Way, timeouts: &Timeouts) -> (Duration, &'static str) {
    let (idle, fin) = (timeouts.tunnel_idle, timeouts.tunnel_fin);
    match (up.is_ending() || down.is_ending()) && fin < idle {
        true => (fin, "tunnel_fin"),
        false => (idle, "tunnel_idle"),
    }
}
