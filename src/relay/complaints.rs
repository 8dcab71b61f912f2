//! What the relay tells of its backends, and of its own shortages: what happens in a step, and what
//! the pool noticed, becomes an event.
//!
//! The room `event` knows no pool, and the pool tells nobody: it hands back what it noticed. So the
//! translation is here, in the lowest room that knows both. Words are formed only if the event is
//! told: they are handed over as arguments of a format, not as text.

use super::Shared;
use crate::event::{About, By, Event, Shift};
use crate::pool::{Fault, Notice, Pool, Standing, Unavailable};
use std::fmt;

/// How a request is turned away.
const BY_503: &str = "answering 503";

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

/// What the pool noticed, whoever made it notice: a request, a check, an operator.
impl<'n> From<&'n Notice> for Event<'n> {
    fn from(notice: &'n Notice) -> Self {
        match notice {
            Notice::Changed(change) => {
                let shift = match change.to {
                    Standing::Up => Shift::Up,
                    _ if change.leaves_none() => Shift::LastOut,
                    _ => Shift::Out,
                };
                Self::Standing {
                    backend: &change.backend,
                    pool: change.pool.as_deref(),
                    shift,
                    by: By::Sight,
                    is_fault: matches!(change.to, Standing::Down | Standing::Ejected),
                    why: &change.reason,
                    words: notice,
                }
            }
            Notice::Judged { backend, is_grave, .. } => {
                Self::Judged { backend, is_grave: *is_grave, words: notice }
            }
        }
    }
}

/// The same, where an operator has asked for it.
pub(super) fn by_operator(notice: &Notice) -> Event<'_> {
    match Event::from(notice) {
        Event::Standing { backend, pool, shift, is_fault, why, words, .. } => {
            Event::Standing { backend, pool, shift, by: By::Operator, is_fault, why, words }
        }
        other => other,
    }
}

impl Shared {
    /// Says something of the backend of this name.
    pub(crate) fn say_of(&self, backend: &str, about: About, what: fmt::Arguments) {
        self.teller.tell(Event::Complaint { backend, about, what: &what });
    }

    /// Every place is taken, or each of so many at the listener of this name.
    pub(crate) fn say_full(&self, listener: Option<(&str, usize)>) {
        let limit = listener.map_or_else(|| self.door.limit(), |(_, limit)| limit);
        self.teller.tell(Event::Full { limit, listener: listener.map(|(name, _)| name) });
    }

    pub(crate) fn say_exhausted(&self, doing: &str, error: impl fmt::Display) {
        self.teller.tell(Event::Exhausted { doing, error: &error });
    }

    /// No backend of this pool can take a request.
    pub(crate) fn say_unavailable(
        &self,
        pool: &Pool,
        none: &Unavailable,
        request: impl fmt::Display,
    ) {
        let pool = pool.rules().pool.as_deref();
        self.teller.tell(Event::Unavailable { pool, none, how: BY_503, request: &request });
    }

    /// A request has waited in vain for a place in this pool, or found the line full.
    pub(crate) fn say_busy(&self, pool: &Pool, why: &str, request: impl fmt::Display) {
        let pool = pool.rules().pool.as_deref();
        self.teller.tell(Event::Busy { pool, why, how: BY_503, request: &request });
    }
}
