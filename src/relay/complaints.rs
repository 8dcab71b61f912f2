//! What the relay has to say to the log of its backends, and of its own shortages.
//!
//! Called from any step. Much of it may come in floods, so each kind has a throttle, and of what is
//! said of a backend each backend has one of its own: two that die together are both named at once,
//! and one application's odd answers hide no other that fails.

use super::Shared;
use crate::log::{Level, Throttle};
use crate::pool::{Fault, Notice, Standing, Unavailable};
use std::fmt;

/// What may be said of a backend again and again.
#[derive(Clone, Copy)]
pub(crate) enum About {
    Connect,
    /// Another of its addresses is asked: no failure of it yet, which this must not hide.
    Elsewhere,
    Reset,
    Timeout,
    NoHttp,
    BadAnswer,
    /// Its answer has a status that counts as a failure.
    Status,
    Surplus,
    Repaired,
    NoWay,
    Judged,
}

const KINDS: usize = About::Judged as usize + 1;

/// The throttles.
#[derive(Default)]
pub(crate) struct Complaints {
    /// In the order of the file.
    backends: Box<[[Throttle; KINDS]]>,
    full: Throttle,
    exhausted: Throttle,
    unavailable: Throttle,
    busy: Throttle,
    /// Handshakes that failed.
    unshaken: Throttle,
}

impl Complaints {
    pub(crate) fn of(backends: usize) -> Self {
        Self { backends: (0..backends).map(|_| Default::default()).collect(), ..Self::default() }
    }
}

impl From<Fault> for About {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Connect => Self::Connect,
            Fault::Reset => Self::Reset,
            Fault::Timeout => Self::Timeout,
            Fault::NoHttp => Self::NoHttp,
            Fault::BadAnswer => Self::BadAnswer,
        }
    }
}

/// How much a notice matters: of a change, whether anybody is left to answer decides.
pub fn level(notice: &Notice) -> Level {
    match notice {
        Notice::Changed(change) if change.leaves_none() => Level::Error,
        Notice::Changed(change) if change.to == Standing::Up => Level::Info,
        Notice::Judged { is_grave: false, .. } => Level::Info,
        _ => Level::Warn,
    }
}

impl Shared {
    /// Says something of the backend at `index`.
    pub(crate) fn say_of(&self, index: usize, name: &str, about: About, what: fmt::Arguments) {
        self.limited(index, about, Level::Warn, format_args!("backend {name}: {what}"));
    }

    /// What the pool noticed. A policy may see a backend in another light with every answer.
    pub(crate) fn say(&self, notice: &Notice) {
        let (level, text) = (level(notice), format_args!("{notice}"));
        match notice {
            Notice::Changed(_) => self.log.event(level, text),
            Notice::Judged { index, .. } => self.limited(*index, About::Judged, level, text),
        }
    }

    fn limited(&self, index: usize, about: About, level: Level, text: fmt::Arguments) {
        match self.complaints.backends.get(index) {
            Some(throttles) => self.log.limited(&throttles[about as usize], level, text),
            None => self.log.event(level, text),
        }
    }

    pub(crate) fn say_full(&self) {
        let limit = self.door.limit();
        let text =
            format_args!("max_connections = {limit} reached: new clients wait in the backlog");
        self.log.limited(&self.complaints.full, Level::Warn, text);
    }

    pub(crate) fn say_exhausted(&self, doing: &str, error: impl fmt::Display) {
        let text = format_args!("{doing}: {error}; raise the limit or lower max_connections");
        self.log.limited(&self.complaints.exhausted, Level::Error, text);
    }

    /// No backend can take a request.
    pub(crate) fn say_unavailable(&self, none: &Unavailable, request: impl fmt::Display) {
        let text = format_args!("answering 503: {none}; {request}");
        self.log.limited(&self.complaints.unavailable, Level::Error, text);
    }

    /// A request has waited in vain for a place, or found the line full.
    pub(crate) fn say_busy(&self, request: impl fmt::Display) {
        let text = format_args!("answering 503: every backend is busy; {request}");
        self.log.limited(&self.complaints.busy, Level::Warn, text);
    }

    pub(super) fn say_unshaken(&self, text: fmt::Arguments) {
        self.log.limited(&self.complaints.unshaken, Level::Info, text);
    }
}
