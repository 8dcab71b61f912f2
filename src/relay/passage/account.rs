//! A passage's entry in its backend's counts, in the totals and in the access log. It is no
//! request, and is counted as none: it has neither a status nor an answer.

use super::Passage;
use super::trouble::Trouble;
use crate::config::Timeouts;
use crate::engine::Next;
use crate::event::{About, Event};
use crate::log::{Access, Cause};
use crate::pool::{Backend, Fault, Outcome};
use crate::relay::Shared;
use crate::relay::client::Client;
use crate::relay::kit::Context;
use crate::relay::tunnel::{Carried, Ending, Load};
use std::fmt;
use std::time::Duration;

/// How a TCP client is turned away.
const BY_RESET: &str = "resetting a connection";

impl Carried for Passage {
    fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    fn timeouts(&self) -> &Timeouts {
        &self.branch.config.timeouts
    }

    fn is_cut(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.backend().is_cut())
    }

    fn so_far(&mut self, load: Load) {
        self.count(load);
    }

    fn release(&mut self, cx: &mut Context) {
        self.end_lease(Outcome::Abandoned, cx);
    }

    fn close(&mut self, load: Load, ending: &Ending, shared: &Shared, now: Duration) {
        self.account(load, ending.cause, &ending.reason, shared, now);
    }
}

impl Passage {
    /// Says what went wrong, and gives the backend's place back.
    pub(super) fn give_up(&mut self, trouble: &Trouble, cx: &Context) {
        self.upstream = None;
        let (shared, pool) = (&cx.kit.shared, self.branch.pool.rules().pool.as_deref());
        match trouble {
            Trouble::NoBackend(none) => {
                let request = &self.shown();
                shared.teller.tell(Event::Unavailable { pool, none, how: BY_RESET, request });
            }
            Trouble::QueueFull { .. } | Trouble::QueueLate | Trouble::Held => {
                let (why, request) = (&trouble.to_string(), &self.shown());
                shared.teller.tell(Event::Busy { pool, why, how: BY_RESET, request });
            }
            Trouble::Ours(error) => {
                shared.idle.give_way(cx.now);
                let what = format_args!("{error}; {}", self.shown());
                shared.say_exhausted("connecting to a backend", what);
            }
            _ => {}
        }
        if self.lease.is_none() {
            return;
        }
        let outcome = match trouble {
            Trouble::Connect(_) | Trouble::Late(_) => {
                self.complain(Fault::Connect.into(), format_args!("{trouble}"), shared);
                Outcome::Failed(Fault::Connect)
            }
            Trouble::NoWay(error) => {
                let what = "out of local ports? Not held against it";
                self.complain(About::NoPort, format_args!("no way there: {error}; {what}"), shared);
                Outcome::Abandoned
            }
            _ => Outcome::Abandoned,
        };
        self.end_lease(outcome, cx);
    }

    /// It comes to nothing: the client is reset.
    pub(super) fn fail<N>(&mut self, trouble: &Trouble, cx: &Context) -> Next<Box<Self>, N> {
        self.ticket = None;
        self.give_up(trouble, cx);
        self.client.stream.reset_on_close();
        if matches!(trouble, Trouble::Left) && self.client.stands_for_nobody() {
            return Next::Done; // a check of the port, by a balancer in front
        }
        let reason = trouble.to_string();
        self.account(Load::default(), trouble.cause(), &reason, &cx.kit.shared, cx.now);
        Next::Done
    }

    /// The server stops before there was a connection.
    pub(crate) fn abandon(&mut self, shared: &Shared) {
        self.client.stream.reset_on_close();
        self.account(Load::default(), Cause::Stopped, "", shared, shared.now());
    }

    /// Counts it and writes its line; to be called once, when it is over.
    fn account(&mut self, load: Load, cause: Cause, reason: &str, shared: &Shared, now: Duration) {
        self.branch.seen.own().count_passage(cause);
        self.count(load);
        if shared.log.keeps_access() {
            self.log(load, cause, reason, shared, now);
        }
    }

    /// Counts what has come since it was last counted: one that lasts for days is seen meanwhile.
    fn count(&mut self, load: Load) {
        let before = std::mem::replace(&mut self.counted, load);
        if let Some(backend) = self.backend() {
            backend.count_carried(load.up - before.up, load.down - before.down);
        }
    }

    fn log(&self, load: Load, cause: Cause, reason: &str, shared: &Shared, now: Duration) {
        let since = |then: Duration| then.saturating_sub(self.times.begun);
        let pool = &self.branch.pool;
        let client = self.client.address();
        shared.log.access(&Access {
            when: Access::arrived(since(now)),
            client,
            peer: client,
            method: b"",
            target: b"",
            version: b"",
            status: 0,
            bytes_sent: load.down,
            bytes_received: load.up,
            referer: b"",
            user_agent: b"",
            backend: self.backend().map(Backend::name),
            tries: self.course.tries(),
            first_byte: self.times.connected.map(since),
            total: since(now),
            cause,
            reason,
            request_id: "",
            host: self.name.as_deref().unwrap_or_default().as_bytes(),
            pool: self.way.is_ok().then(|| pool.name()),
            route: self.branch.route(&self.way),
            pick: self.course.reason().map(|reason| reason.word(pool.policy())),
        });
    }

    /// The last that was tried, or was to be.
    fn backend(&self) -> Option<&Backend> {
        self.course.last().map(|index| &self.branch.pool.backends()[index])
    }

    fn complain(&self, about: About, what: fmt::Arguments, shared: &Shared) {
        if let Some(backend) = self.backend() {
            shared.say_of(backend.name(), about, format_args!("{what}; {}", self.shown()));
        }
    }

    /// Whose connection it is, for a line of the log.
    fn shown(&self) -> impl fmt::Display {
        format!("for the TCP client {}", self.client.peer)
    }
}
