//! What the demo API answers: a request's method and path to a route, a route to an answer. A plain
//! server reads the request and writes the answer.

use std::borrow::Cow;
use std::str;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::de::IgnoredAny;

use super::pattern::{Fate, Pattern};
use crate::http::Refusal;
use crate::plain::handler::{Handled, Handler, WholeRequest};

const JSON: &str = "application/json";

/// One instance: its name, health and pattern, and its fixed answers, rendered once.
pub(super) struct Api {
    name: String,
    healthy: AtomicBool,
    pattern: Option<Pattern>,
    /// Requests that took their turn in the pattern.
    turns: AtomicU64,
    welcome: String,
    well: String,
    ill: String,
    now_well: String,
    now_ill: String,
    failed: String,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Welcome,
    Health,
    Flip,
    Echo,
    NotFound,
    /// The path is there, the method is not; what would be allowed.
    WrongMethod(&'static str),
}

impl Route {
    fn of(method: &str, target: &str) -> Route {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        match (path, method) {
            ("/", "GET" | "HEAD") => Route::Welcome,
            ("/health", "GET" | "HEAD") => Route::Health,
            ("/health", _) => Route::WrongMethod("GET, HEAD"),
            ("/health/flip", "GET" | "POST") => Route::Flip,
            ("/health/flip", _) => Route::WrongMethod("GET, POST"),
            (_, "POST") => Route::Echo,
            ("/", _) => Route::WrongMethod("GET, HEAD, POST"),
            _ => Route::NotFound,
        }
    }
}

impl Api {
    pub(super) fn new(name: &str, seed: u64, instance: u16, healthy: bool) -> Api {
        Api {
            name: name.into(),
            healthy: AtomicBool::new(healthy),
            pattern: Pattern::new(seed, instance),
            turns: AtomicU64::new(0),
            welcome: message(true, &format!("This is API: {name}")),
            well: message(true, "OK"),
            ill: message(false, &format!("{name} is unhealthy")),
            now_well: message(true, &format!("{name} is now healthy")),
            now_ill: message(false, &format!("{name} is now unhealthy")),
            failed: message(false, &format!("{name} fails this request, as seed {seed} has it")),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Turns the health; returns the new state.
    pub(super) fn flip(&self) -> bool {
        !self.healthy.fetch_not(Ordering::Relaxed)
    }

    /// What the pattern has for the next request. Health is exempt, lest the pattern blur the
    /// checks.
    fn turn(&self, route: Route) -> Option<Fate> {
        let pattern = self.pattern.as_ref()?;
        let of_health = matches!(route, Route::Health | Route::Flip);
        (!of_health).then(|| pattern.turn(self.turns.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Handler for Api {
    fn answer<'a>(&'a self, asked: &WholeRequest<'a>) -> Handled<'a> {
        let route = Route::of(asked.head.method, asked.head.target);
        if let Some(Fate { latency, fails }) = self.turn(route) {
            asked.wait(latency);
            if fails {
                return json(500, &self.failed);
            }
        }
        match route {
            Route::Welcome => json(200, &self.welcome),
            Route::Health if self.healthy.load(Ordering::Relaxed) => json(200, &self.well),
            Route::Health => json(503, &self.ill),
            Route::Flip if self.flip() => json(200, &self.now_well),
            Route::Flip => json(200, &self.now_ill),
            Route::Echo => echo(asked),
            Route::NotFound => json(404, r#"{"Result":false,"Message":"Not found"}"#),
            Route::WrongMethod(allow) => Handled {
                allow: Some(allow),
                ..json(405, r#"{"Result":false,"Message":"Method not allowed"}"#)
            },
        }
    }

    fn refuse(&self, refusal: Refusal) -> Handled<'_> {
        json(refusal.status, message(false, refusal.reason))
    }
}

fn json<'a>(status: u16, body: impl Into<Cow<'a, str>>) -> Handled<'a> {
    Handled::new(status, JSON, body)
}

/// The body as it came, under the type it had, if it is JSON; else why not.
fn echo<'a>(asked: &WholeRequest<'a>) -> Handled<'a> {
    let given = asked.head.field("content-type").and_then(|value| str::from_utf8(value).ok());
    match check_json(asked.body) {
        Ok(text) => Handled::new(200, given.unwrap_or(JSON), text),
        Err(reason) => json(400, message(false, &reason)),
    }
}

/// The body every answer of ours has.
fn message(result: bool, message: &str) -> String {
    let message = serde_json::to_string(message).expect("a string is JSON");
    format!(r#"{{"Result":{result},"Message":{message}}}"#)
}

/// The body as text if it is JSON, else why not.
fn check_json(body: &[u8]) -> Result<&str, String> {
    let text = str::from_utf8(body).map_err(|error| format!("The body is not JSON: {error}"))?;
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("The body is not JSON: {error}")),
    }
}
