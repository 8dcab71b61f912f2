//! What the demo API answers: a request's method and path to a route, a route to an answer. No I/O;
//! `serve` reads the request and writes the answer.

use std::str;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::de::IgnoredAny;

use super::pattern::{Pattern, Turn};

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
pub(super) enum Route {
    Welcome,
    Health,
    Flip,
    Echo,
    NotFound,
    /// The path is there, the method is not; what would be allowed.
    WrongMethod(&'static str),
}

/// An answer, but for its framing.
pub(super) struct Answer<'a> {
    pub status: u16,
    pub body: &'a str,
    /// For the Allow field of a 405.
    pub allow: Option<&'static str>,
}

impl Route {
    pub(super) fn of(method: &str, target: &str) -> Route {
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
    pub(super) fn turn(&self, route: Route) -> Option<Turn> {
        let pattern = self.pattern.as_ref()?;
        let of_health = matches!(route, Route::Health | Route::Flip);
        (!of_health).then(|| pattern.turn(self.turns.fetch_add(1, Ordering::Relaxed)))
    }

    /// The answer to a request that the pattern fails.
    pub(super) fn failure(&self) -> Answer<'_> {
        Answer::new(500, &self.failed)
    }

    /// `scratch` takes the text of answers that are made for the occasion.
    pub(super) fn answer<'a>(
        &'a self,
        route: Route,
        body: &'a [u8],
        scratch: &'a mut String,
    ) -> Answer<'a> {
        match route {
            Route::Welcome => Answer::new(200, &self.welcome),
            Route::Health if self.healthy.load(Ordering::Relaxed) => Answer::new(200, &self.well),
            Route::Health => Answer::new(503, &self.ill),
            Route::Flip if self.flip() => Answer::new(200, &self.now_well),
            Route::Flip => Answer::new(200, &self.now_ill),
            Route::Echo => match json(body) {
                Ok(text) => Answer::new(200, text),
                Err(reason) => {
                    *scratch = message(false, &reason);
                    Answer::new(400, scratch)
                }
            },
            Route::NotFound => Answer::new(404, r#"{"Result":false,"Message":"Not found"}"#),
            Route::WrongMethod(allow) => Answer {
                allow: Some(allow),
                ..Answer::new(405, r#"{"Result":false,"Message":"Method not allowed"}"#)
            },
        }
    }
}

impl<'a> Answer<'a> {
    pub(super) fn new(status: u16, body: &'a str) -> Answer<'a> {
        Answer { status, body, allow: None }
    }
}

/// The body every answer of ours has.
pub(super) fn message(result: bool, message: &str) -> String {
    let message = serde_json::to_string(message).expect("a string is JSON");
    format!(r#"{{"Result":{result},"Message":{message}}}"#)
}

/// The body as text if it is JSON, else why not.
fn json(body: &[u8]) -> Result<&str, String> {
    let text = str::from_utf8(body).map_err(|error| format!("The body is not JSON: {error}"))?;
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("The body is not JSON: {error}")),
    }
}
