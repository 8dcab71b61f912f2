//! Why a request went as it did: `GET /why` of its id, from what the workers remember.
//!
//! Who was out at that time is not kept with a request: it follows from the stories of the backends
//! that are in the file now.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Steered;
use super::clock::Clock;
use super::status::{VERSION, time};
use crate::log::Cause;
use crate::pool::{Pool, Pools, Reason, Shift, Standing};
use crate::relay::{Controls, Led, Micros, Trace, Try, TryEnd};
use crate::text::{Many, Took};

/// Requests of one id that are told: whoever chooses ids may use one often.
const TOLD_MAX: usize = 5;
/// Requests that went badly at a backend, and are named in its story.
const TROUBLES_MAX: usize = 3;
/// Backends that were out, and are named one by one.
const OUT_MAX: usize = 10;

/// What was decided for the requests of this id; none if no worker remembers one.
pub(super) fn of_request(steered: &dyn Steered, id: &str) -> Option<Value> {
    let mut found = steered.controls().traces(id);
    found.truncate(TOLD_MAX);
    if found.is_empty() {
        return None;
    }
    let view = View::of(steered);
    Some(json!({
        "version": VERSION,
        "kind": "request",
        "name": id,
        "lines": found.iter().flat_map(|one| view.lines(one)).collect::<Vec<_>>(),
        "requests": found.iter().map(|one| view.object(one)).collect::<Value>(),
    }))
}

/// A line for each of the last requests that the backend of this number failed.
pub(super) fn troubles(steered: &dyn Steered, number: u64) -> Vec<String> {
    let is_bad = |one: &Try| {
        let failed = matches!(one.end, TryEnd::Failed(_) | TryEnd::Answered(500..));
        failed && one.backend == number
    };
    let wanted = |one: &Trace| one.tries.told().0.any(is_bad);
    let view = View::of(steered);
    let line = |one: &Trace| {
        let tried = one.tries.told().0.find(|one| is_bad(one));
        let end = tried.map(|tried| ended(tried.end)).unwrap_or_default();
        let (at, asked, id) = (view.clock.told(one.begun), view.asked(one), one.id.text());
        format!("{at} {end}: {asked}, request {id}")
    };
    let found = steered.controls().last_traces(TROUBLES_MAX, wanted);
    found.iter().map(line).collect()
}

/// What the lines are read against: the backends as they are in the file now.
struct View<'s> {
    controls: &'s Controls,
    pools: Pools,
    clock: Clock,
    now: Duration,
}

impl<'s> View<'s> {
    fn of(steered: &'s dyn Steered) -> Self {
        let controls = steered.controls();
        let now = controls.now();
        Self { controls, pools: controls.pools(), clock: Clock::of(now), now }
    }

    fn lines(&self, one: &Trace) -> Vec<String> {
        let (at, id, asked, client) =
            (self.clock.told(one.begun), one.id.text(), self.asked(one), one.client);
        let place = self.place(one);
        let mut lines = vec![format!("request {id} at {at} UTC: {asked}, from {client}{place}")];
        lines.push(outcome(one));
        if one.was_held {
            lines.push("a pause held it".to_owned());
        }
        if one.queued != Micros::default() {
            lines.push(format!("stood in line for a place for {}", Took(one.queued.time())));
        }
        let (tries, left_out) = one.tries.told();
        let tries: Vec<_> = tries.map(|tried| self.tried(tried)).collect();
        let last = tries.len().saturating_sub(1);
        for (place, line) in tries.into_iter().enumerate() {
            if place == last && left_out > 0 {
                lines.push(format!("and {}", Many(left_out as u64, "more try", "more tries")));
            }
            lines.push(line);
        }
        lines.extend(self.out_line(one));
        lines
    }

    /// `after 12 ms to API02, picked by round-robin: timed out after 3.0 s`
    fn tried(&self, tried: &Try) -> String {
        let (after, took) = (Took(tried.after.time()), Took(tried.took.time()));
        let (name, why) = (self.name(tried.backend), reason(tried.reason, self.policy(tried)));
        format!("after {after} to {name}, {why}: {} after {took}", ended(tried.end))
    }

    /// Method and path, with dots where it was cut.
    fn asked(&self, one: &Trace) -> String {
        let dots = if one.asked.is_cut() { "..." } else { "" };
        format!("{}{dots}", one.asked.text())
    }

    /// `, for a.test, in pool api by route a.test/api`, as far as there is any choice.
    fn place(&self, one: &Trace) -> String {
        let host = host(one).map_or(String::new(), |host| format!(", for {host}"));
        let Some(Led { pool, route }) = self.controls.led(one) else { return host };
        let route = route.map_or(String::new(), |route| format!(" by route {route}"));
        format!("{host}, in pool {pool}{route}")
    }

    fn name(&self, number: u64) -> String {
        let gone = || "one that has left the file".to_owned();
        self.controls.called(number).unwrap_or_else(gone)
    }

    /// By which policy this one was picked, as far as it is still in the file.
    fn policy(&self, tried: &Try) -> &'static str {
        self.pool_of(tried.backend).map_or("its policy", |pool| pool.policy())
    }

    /// The pool that has the backend of this number.
    fn pool_of(&self, number: u64) -> Option<&Pool> {
        let has = |pool: &&Arc<Pool>| pool.backends().iter().any(|one| one.number() == number);
        self.pools.all().iter().find(has).map(Arc::as_ref)
    }

    /// Where each backend of the request's pool stood then that was not up, as far as that is
    /// remembered.
    fn out(&self, one: &Trace) -> Vec<(&str, Shift)> {
        // Whoever was out has no part in what is refused, or needs none of them.
        let needs_none = one.cause == Cause::Done && one.tries.told().0.next().is_none();
        if needs_none || one.cause == Cause::Refused {
            return Vec::new();
        }
        let own = self.controls.led(one);
        let is_asked = |pool: &&Arc<Pool>| own.as_ref().is_none_or(|own| own.pool == pool.name());
        let away = |pool: &'_ Arc<Pool>, index: usize| {
            let mut shifts = pool.story(index, self.now).shifts.into_iter();
            let then = shifts.find(|shift| shift.at <= one.begun);
            then.filter(|shift| shift.standing != Standing::Up)
        };
        let pools = self.pools.all().iter().filter(is_asked);
        pools
            .flat_map(|pool| {
                let backends = pool.backends().iter().enumerate();
                backends.filter_map(move |(at, it)| Some((it.name(), away(pool, at)?)))
            })
            .collect()
    }

    fn out_line(&self, one: &Trace) -> Option<String> {
        let out = self.out(one);
        if out.is_empty() {
            return None;
        }
        let told = |(name, shift): &(&str, Shift)| {
            let at = self.clock.told(shift.at);
            format!("{name} ({} since {at}: {})", shift.standing, shift.reason)
        };
        let mut words: Vec<_> = out.iter().take(OUT_MAX).map(told).collect();
        if out.len() > OUT_MAX {
            words.push(format!("and {} more", out.len() - OUT_MAX));
        }
        Some(format!("out then: {}", words.join("; ")))
    }

    fn object(&self, one: &Trace) -> Value {
        let led = self.controls.led(one);
        let (tries, left_out) = one.tries.told();
        let tried = |tried: &Try| {
            json!({
                "backend": self.name(tried.backend),
                "reason": tried.reason.word(self.policy(tried)),
                "after_ms": millis(tried.after),
                "took_ms": millis(tried.took),
                "outcome": ended(tried.end),
            })
        };
        let out = |(name, shift): &(&str, Shift)| {
            let standing = shift.standing.to_string();
            json!({ "backend": name, "standing": standing, "reason": shift.reason })
        };
        json!({
            "id": one.id.text(),
            "at": time(self.clock.at(one.begun)),
            "asked": self.asked(one),
            "host": host(one),
            "pool": led.as_ref().map(|led| &led.pool),
            "route": led.as_ref().and_then(|led| led.route.as_ref()),
            "client": one.client.to_string(),
            "status": one.status,
            "cause": one.cause.word(),
            "why": why(one),
            "held": one.was_held,
            "queued_ms": millis(one.queued),
            "waited_ms": millis(one.waited),
            "took_ms": millis(one.took),
            "tries": tries.map(tried).collect::<Value>(),
            "tries_left_out": left_out,
            "out": self.out(one).iter().map(out).collect::<Value>(),
        })
    }
}

fn outcome(one: &Trace) -> String {
    let (status, took, waited) = (one.status, Took(one.took.time()), Took(one.waited.time()));
    match one.cause {
        Cause::Done => format!("answered {status} in {took}, its first byte after {waited}"),
        Cause::ClientGone => format!("the client left after {took}; status {status}"),
        cause => {
            let why = why(one).map_or(String::new(), |why| format!(": {why}"));
            format!("ended with status {status} after {took}: {}{why}", cause.word())
        }
    }
}

fn why(one: &Trace) -> Option<&str> {
    one.mishap.as_ref().map(|mishap| &*mishap.reason)
}

/// Whom it asked for, if it went wrong and that is known; with dots where it was cut.
fn host(one: &Trace) -> Option<String> {
    let host = &one.mishap.as_ref()?.host;
    let dots = if host.is_cut() { "..." } else { "" };
    Some(host.text()).filter(|host| !host.is_empty()).map(|host| host + dots)
}

/// Why it was given to that one.
fn reason(reason: Reason, policy: &str) -> String {
    match reason {
        Reason::Policy => format!("picked by {policy}"),
        Reason::Sticky => "which its cookie names".to_owned(),
        Reason::Retry => format!("picked by {policy} among those not tried yet"),
        Reason::Warming => "as all that are up have just come back".to_owned(),
        Reason::Backup => "a backup, as no other was up or had room".to_owned(),
        Reason::Ejected => "as none was up, and it may work again".to_owned(),
        Reason::Open => "as none was up, by fail_open".to_owned(),
    }
}

fn ended(end: TryEnd) -> String {
    match end {
        TryEnd::Open => "nothing known".to_owned(),
        TryEnd::Answered(status) => format!("status {status}"),
        TryEnd::Failed(fault) => fault.to_string(),
        TryEnd::Abandoned => "abandoned".to_owned(),
    }
}

fn millis(time: Micros) -> f64 {
    time.time().as_secs_f64() * 1000.0
}
