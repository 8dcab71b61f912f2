//! How all stands, as JSON: docs/admin.md has each field. What a field means must never change
//! within a version; fields may come.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::process::{Descriptors, descriptors};
use super::{Life, State, Steered};
use crate::event::Told;
use crate::log::{Cause, Level, rfc3339};
#[cfg(feature = "alerts")]
use crate::notify::AlertStatus;
use crate::pool::{PastCheck, Status};
use crate::relay::{Controls, Listening, PoolControls, Totals};
use crate::tls::Shown;

/// Of the form of these answers.
pub(super) const VERSION: u32 = 1;

/// `GET /status`. Written backend by backend, as there may be thousands.
pub(super) fn status(steered: &dyn Steered) -> String {
    let (controls, life, now) = (steered.controls(), steered.life(), SystemTime::now());
    let moment = controls.now();
    let all: Vec<Status> = controls.pools().statuses(moment).collect();
    let all_pools = controls.each_pool();
    let shown_pools = all_pools.iter().map(|one| pool(one, controls, moment));
    let whole = json!({
        "version": VERSION,
        "time": time(now),
        "process": process(&life, controls, now),
        "configuration": configuration(&life, now),
        "listeners": listeners(controls),
        "connections": connections(controls),
        "descriptors": open_descriptors(),
        "log": {
            "lines_dropped": steered.teller().log().dropped(),
            "lines_lost": steered.teller().log().lost(),
        },
        "totals": totals(&all, &controls.totals()),
        "certificates": life.certificates.iter().map(|it| certificate(it, now)).collect::<Value>(),
        "alerts": alerts(steered),
    });
    with_list(&whole, "pools", shown_pools)
}

/// A pool with its backends.
fn pool(one: &PoolControls, controls: &Controls, moment: Duration) -> String {
    let (pool, (length, length_max)) = (one.pool(), one.waiting());
    let count = pool.backends().len();
    let shown = json!({
        "name": pool.name(),
        "policy": pool.policy(),
        "usable": pool.usable(moment),
        "total": count,
        "in_flight": pool.in_flight(),
        "traffic": one.traffic().word(),
        "paused_for_s": one.paused_for().map(seconds),
        "queue": { "length": length, "max": length_max },
    });
    let statuses = (0..count).map(|index| pool.status(index, moment));
    let backends = statuses.map(|one| backend(&one, controls, moment).to_string());
    with_list(&shown, "backends", backends)
}

/// Where clients come in.
fn listeners(controls: &Controls) -> Value {
    let listener = |one: Listening| {
        json!({
            "name": one.name,
            "address": one.address.to_string(),
            "mode": one.mode.word(),
            "tls": one.is_secure,
            "proxy_protocol": if one.expects_preface { "required" } else { "off" },
            "connections": { "clients": one.clients, "max": one.clients_max },
        })
    };
    controls.listening().into_iter().map(listener).collect()
}

/// `GET /events`: what was told after the event of this number.
pub(super) fn events(steered: &dyn Steered, number: u64) -> Value {
    let since = steered.teller().since(number);
    let events: Value = since.events.iter().map(|told| event(told)).collect();
    json!({ "version": VERSION, "lost": since.lost, "events": events })
}

/// An object with one more key, whose value is these items.
fn with_list(object: &Value, key: &str, items: impl Iterator<Item = String>) -> String {
    let mut out = object.to_string();
    out.pop(); // the brace that ends it
    out.push_str(&format!(",\"{key}\":["));
    for (index, item) in items.enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        out.push_str(&item);
    }
    out.push_str("]}");
    out
}

fn process(life: &Life, controls: &Controls, now: SystemTime) -> Value {
    json!({
        "pid": std::process::id(),
        "version": env!("CARGO_PKG_VERSION"),
        "started": time(life.started),
        "uptime_s": age(life.started, now),
        "workers": controls.workers(),
        "state": word(life.state),
    })
}

fn configuration(life: &Life, now: SystemTime) -> Value {
    let last = life.last_reload.as_ref().map(|(at, result)| {
        let (Ok(words) | Err(words)) = result;
        json!({ "at": time(*at), "ok": result.is_ok(), "words": words })
    });
    json!({
        "path": life.path.as_ref().map(|path| path.display().to_string()),
        "loaded": time(life.loaded),
        "age_s": age(life.loaded, now),
        "reloads": life.reloads,
        "last_reload": last,
    })
}

#[cfg(feature = "alerts")]
fn alerts(steered: &dyn Steered) -> Value {
    let alert = |alert: AlertStatus| {
        let last = alert.last.map(|(at, is_ok, words)| {
            let result = if is_ok { "delivered" } else { "failed" };
            json!({ "at": time(at), "result": result, "words": words })
        });
        json!({
            "name": alert.name,
            "kind": alert.kind,
            "on": alert.on.iter().map(|kind| kind.word()).collect::<Vec<_>>(),
            "sent": alert.sent,
            "failed": alert.failed,
            "held_back": alert.held_back,
            "waiting": alert.waiting,
            "last": last,
        })
    };
    steered.alerts().into_iter().map(alert).collect()
}

#[cfg(not(feature = "alerts"))]
fn alerts(_: &dyn Steered) -> Value {
    json!([])
}

fn connections(controls: &Controls) -> Value {
    let (taken, limit) = controls.clients();
    json!({ "clients": taken, "max": limit })
}

fn open_descriptors() -> Value {
    let Descriptors { open, limit } = descriptors();
    json!({ "open": open, "limit": limit })
}

fn totals(all: &[Status], totals: &Totals) -> Value {
    let sum = |of: fn(&Status) -> u64| all.iter().map(of).sum::<u64>();
    let classes =
        std::array::from_fn(|class| all.iter().map(|one| one.counts.statuses[class]).sum());
    json!({
        "requests": sum(|one| one.counts.requests),
        "answers": answers(&classes),
        "failures": sum(|one| one.counts.failures),
        "retries": sum(|one| one.counts.retries),
        "answered": answers(&totals.classes),
        "errors_ours": totals.errors_ours,
        "errors_theirs": totals.errors_theirs,
        "ended": ended(totals),
        "tcp_connections": totals.connections(),
        "tcp_errors": totals.connection_errors(),
    })
}

/// How many requests ended for what cause.
fn ended(totals: &Totals) -> Value {
    let counted = Cause::ALL.into_iter().zip(totals.causes);
    counted.map(|(cause, count)| (cause.word().to_owned(), Value::from(count))).collect()
}

fn answers(classes: &[u64; 5]) -> Value {
    let [one, two, three, four, five] = classes;
    json!({ "1xx": one, "2xx": two, "3xx": three, "4xx": four, "5xx": five })
}

fn backend(status: &Status, controls: &Controls, now: Duration) -> Value {
    let health = match (status.ejected_for, status.is_up) {
        (_, false) => "down",
        (Some(_), true) => "ejected",
        (None, true) => "up",
    };
    let checks = status.checks.iter().map(|one| check(one, controls, now)).collect::<Value>();
    json!({
        "name": status.backend,
        "address": status.address,
        "standing": status.standing.to_string(),
        "health": health,
        "ejected_for_s": status.ejected_for.map(seconds),
        "mode": status.mode.to_string(),
        "asked_by": status.asked_by.map(|who| who.to_string()),
        "why": status.why,
        "since": time(controls.at(status.since)),
        "since_s": seconds(now.saturating_sub(status.since)),
        "checks": checks,
        "in_flight": status.in_use,
        "max_connections": status.max_connections,
        "weight": status.weight,
        "backup": status.is_backup,
        "requests": status.counts.requests,
        "answers": answers(&status.counts.statuses),
        "answered": answers(&status.counts.ended.classes),
        "failures": status.counts.failures,
        "retries": status.counts.retries,
        "repaired": status.counts.repaired,
        "checks_passed": status.counts.checks_passed,
        "checks_failed": status.counts.checks_failed,
        "bytes_up": status.counts.bytes_up,
        "bytes_down": status.counts.bytes_down,
        "p50_ms": status.p50.map(millis),
        "p99_ms": status.p99.map(millis),
        "score": status.score,
        "explanation": status.policy,
    })
}

fn check(PastCheck { at, outcome }: &PastCheck, controls: &Controls, now: Duration) -> Value {
    json!({
        "at": time(controls.at(*at)),
        "age_s": seconds(now.saturating_sub(*at)),
        "took_ms": millis(outcome.took),
        "passed": outcome.passed,
        "asks_drain": outcome.asks_drain,
        "seen": outcome.seen,
    })
}

fn certificate(shown: &Shown, now: SystemTime) -> Value {
    let days = match shown.expires().duration_since(now) {
        Ok(left) => left.as_secs() as i64 / DAY_S,
        // An hour ago is -1: 0 is said of one that is still good for some hours.
        Err(past) => -(past.duration().as_secs() as i64 / DAY_S) - 1,
    };
    json!({
        "file": shown.file(),
        "for": shown.names().join(", "),
        "expires": time(shown.expires()),
        "days_left": days,
    })
}

const DAY_S: i64 = 86_400;

fn event(told: &Told) -> Value {
    let level = match told.class.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
    };
    json!({
        "number": told.number,
        "time": time(told.when),
        "level": level,
        "kind": told.class.word,
        "backend": told.backend,
        "pool": told.pool,
        "text": told.text,
    })
}

/// What a balancer does now, in a word.
pub(super) fn word(state: State) -> &'static str {
    match state {
        State::Starting => "starting",
        State::Serving => "serving",
        State::Unready => "unready",
        State::Draining => "draining",
    }
}

/// RFC 3339, in UTC.
pub(super) fn time(when: SystemTime) -> String {
    let mut out = Vec::new();
    rfc3339(&mut out, when);
    String::from_utf8(out).unwrap_or_default()
}

/// In seconds; 0 if the clock was set back.
fn age(since: SystemTime, now: SystemTime) -> f64 {
    seconds(now.duration_since(since).unwrap_or_default())
}

/// To the millisecond.
fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1e3
}

/// To the microsecond.
fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}
