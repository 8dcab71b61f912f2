//! What an operator has done: backends set to a mode, requests held, a configuration read anew.
//!
//! It says in words what came of it. What changed is told as an event by whoever changed it; that
//! it was asked for, and by whom, is told here. It never writes the configuration's file.

use serde_json::json;

use super::answer::{error, json, rendered};
use super::route::Query;
use super::{Handover, Steered, decided, why};
use crate::config;
use crate::event::{Event, Visit};
use crate::plain::handler::Handled;
use crate::pool::Mode;
use crate::relay::HELD_MAX;

/// More names than this are no help to who has mistyped one.
const NAMES_MAX: usize = 20;

/// One who asks for a change.
pub(super) struct Steering<'a> {
    pub(super) steered: &'a dyn Steered,
    pub(super) query: &'a Query,
    /// Who that is, for the log: a user or an address.
    pub(super) who: &'a str,
}

impl Steering<'_> {
    /// `POST /backends/NAME/MODE`
    pub(super) fn set(&self, name: &str, mode: Mode) -> Handled<'static> {
        let (controls, force) = (self.steered.controls(), self.query.has("force"));
        let pools = controls.pools();
        let Some((pool, index)) = pools.find(name) else {
            let unknown = || self.unknown_backend(name);
            return error(404, &self.a_pool(name).unwrap_or_else(unknown));
        };
        self.tell(&format!("{mode} {name}{}", if force { ", by force" } else { "" }));
        let words = match controls.set_mode(pool, index, mode, force) {
            Ok(Some(change)) => change.to_string(),
            Ok(None) => format!("backend {name}: {mode} already"),
            Err(last) => {
                self.tell(&format!("{mode} {name}, and is refused: it is the last one up"));
                return error(409, &last.to_string());
            }
        };
        json(
            200,
            &json!({
                "words": words,
                "backend": name,
                "mode": mode.to_string(),
                "in_flight": pool.backends()[index].in_use(),
                "traffic": controls.traffic(Some(pool.name())).word(),
            }),
        )
    }

    /// `GET /why?of=NAME`, or the id of a request.
    pub(super) fn why(&self) -> Handled<'static> {
        let Some(name) = self.query.value("of").filter(|name| !name.is_empty()) else {
            let remedy = "write for example of=API01, or the id of a request";
            return error(400, &format!("of is missing: whose story is wanted; {remedy}"));
        };
        // A backend goes before a request: its name is for the operator to choose.
        let story =
            why::of_backend(self.steered, name).or_else(|| decided::of_request(self.steered, name));
        match story {
            Some(story) => json(200, &story),
            None => {
                let kept = "nor is it the id of a request among the last 1000 of a worker";
                let unknown = || format!("{}; {kept}", self.unknown_backend(name));
                error(404, &self.a_pool(name).unwrap_or_else(unknown))
            }
        }
    }

    /// That this is a pool, if it is, and which backends one may have meant.
    fn a_pool(&self, name: &str) -> Option<String> {
        let pools = self.steered.controls().pools();
        let backends = pools.called(name)?.backends();
        let names = some(backends.iter().map(|one| one.name()), backends.len());
        Some(format!("{name} is a pool; name one of its backends: {names}"))
    }

    fn unknown_backend(&self, name: &str) -> String {
        let pools = self.steered.controls().pools();
        unknown("backend", name, pools.backends().map(|one| one.name()), pools.len())
    }

    /// `POST /pause`
    pub(super) fn pause(&self) -> Handled<'static> {
        let time = match self.query.value("for").map_or(Ok(HELD_MAX), config::duration) {
            Ok(time) if !time.is_zero() && time <= HELD_MAX => time,
            Ok(_) => return error(400, "for: a pause lasts at least 1ms and at most 30s"),
            Err(what) => return error(400, &format!("for: {what}")),
        };
        if self.steered.controls().is_draining() {
            // Who is held now would be cut off with the rest.
            return error(409, "it is about to stop, and finishes what it has; ask another");
        }
        let pool = self.query.value("pool");
        self.tell(&format!("pause{}, for {time:?} at most", self.of_pool()));
        self.steered.controls().pause(time, pool);
        let held = self.steered.controls().traffic(pool).word();
        let words = format!("new {held}{} wait, for {time:?} at most", self.of_pool());
        json(200, &json!({ "words": words, "pool": pool, "paused_for_s": time.as_secs_f64() }))
    }

    /// `POST /resume`
    pub(super) fn resume(&self) -> Handled<'static> {
        let (controls, pool) = (self.steered.controls(), self.query.value("pool"));
        self.tell(&format!("resume{}", self.of_pool()));
        let was_paused = controls.paused_for(pool).is_some();
        controls.resume(pool);
        let words = match was_paused {
            true => format!("{} go on", controls.traffic(pool).word()),
            false => "nothing was paused".to_owned(),
        };
        json(200, &json!({ "words": words, "pool": pool }))
    }

    /// `POST /reload`
    pub(super) fn reload(&self) -> Handled<'static> {
        self.tell("reload");
        told(self.steered.reload(), 422)
    }

    /// `POST /upgrade`
    pub(super) fn upgrade(&self) -> Handled<'static> {
        self.tell("upgrade");
        told(self.steered.upgrade(), 409)
    }

    /// `GET /handover`
    pub(super) fn hand_over(&self, pid: u32) -> Handled<'static> {
        match self.steered.hand_over(pid) {
            Ok(Handover { sockets, facts }) => {
                Handled { descriptors: sockets, ..rendered(200, &facts) }
            }
            Err(why) => error(403, &why),
        }
    }

    /// `POST /handover/done` and `/handover/failed`
    pub(super) fn succeed(&self, pid: u32, failure: Option<&[u8]>) -> Handled<'static> {
        let failure = failure.map(String::from_utf8_lossy);
        match self.steered.succeed(pid, failure.as_deref().map_or(Ok(()), Err)) {
            Ok(facts) => rendered(200, &facts),
            Err(why) => error(409, &why),
        }
    }

    /// `GET /diff`, or `POST` with a text in the place of the file.
    pub(super) fn diff(&self, text: Option<&[u8]>) -> Handled<'static> {
        match text.map(std::str::from_utf8).transpose() {
            Ok(text) => told(self.steered.diff(text), 422),
            Err(_) => error(422, "the body is no UTF-8, as TOML is"),
        }
    }

    fn tell(&self, what: &str) {
        let words = format!("{} asks: {what}", self.who);
        self.steered.teller().tell(Event::Admin { visit: Visit::Asked, words: &words });
    }

    /// What is written in vain is said, and never passed over: nor is another pool.
    pub(super) fn refuse_vain(&self, known: &[&str]) -> Option<Handled<'static>> {
        if let Some(why) = self.query.vain(known) {
            return Some(error(400, &why));
        }
        let pools = self.steered.controls().pools();
        let pool = self.query.value("pool").filter(|pool| pools.called(pool).is_none())?;
        if pools.all().iter().all(|one| one.rules().pool.is_none()) {
            let why =
                format!("there is no pool {pool:?}: all backends are one, which needs no name");
            return Some(error(404, &format!("{why}; leave it out")));
        }
        let names = pools.all().iter().map(|one| one.name());
        Some(error(404, &unknown("pool", pool, names, pools.all().len())))
    }

    /// Which pool is meant, where one is named.
    fn of_pool(&self) -> String {
        self.query.value("pool").map_or(String::new(), |pool| format!(" of pool {pool}"))
    }
}

fn told(result: Result<String, String>, refused: u16) -> Handled<'static> {
    match result {
        Ok(words) => json(200, &json!({ "words": words })),
        Err(why) => error(refused, &why),
    }
}

fn unknown<'n>(what: &str, name: &str, all: impl Iterator<Item = &'n str>, count: usize) -> String {
    format!("there is no {what} {name:?}; known: {}", some(all, count))
}

/// The first of so many names.
fn some<'n>(all: impl Iterator<Item = &'n str>, count: usize) -> String {
    let more = count.saturating_sub(NAMES_MAX);
    let names = all.take(NAMES_MAX).collect::<Vec<_>>().join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}
