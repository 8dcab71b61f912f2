//! A balancer's status as its endpoint tells it, taken apart. What a later version adds is passed
//! over, and what it leaves out is as if it were nothing.

use crate::text::Traffic;
use serde_json::Value;

/// The shape that is read here.
const VERSION: u64 = 1;

/// How one balancer stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cmd) struct View {
    /// The balancer's own clock, RFC 3339.
    pub time: String,
    pub version: String,
    pub pid: u64,
    pub uptime_s: f64,
    /// `starting`, `serving`, `unready` or `draining`.
    pub state: String,
    pub file: Option<String>,
    pub file_age_s: f64,
    pub reloads: u64,
    /// The words of the last reload, if that failed.
    pub failed_reload: Option<String>,
    pub listeners: Vec<String>,
    /// Those that have no place left: their names, and how many places they have.
    pub full: Vec<(String, u64)>,
    pub clients: (u64, u64),
    pub lines_dropped: u64,
    /// Requests as clients saw them: answered, and of those the errors of Evenly's own and of
    /// applications.
    pub answered: u64,
    pub errors_ours: u64,
    pub errors_theirs: u64,
    pub retries: u64,
    /// Connections of TCP clients that have ended, and those of them that were failed.
    pub tcp: (u64, u64),
    pub pools: Vec<PoolView>,
    /// Alerts whose last message was not delivered, and why not.
    pub undelivered: Vec<(String, String)>,
    /// Whom each certificate is for, and the days that it has left.
    pub certificates: Vec<(String, i64)>,
}

/// One pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cmd) struct PoolView {
    pub name: String,
    pub policy: String,
    pub in_flight: u64,
    pub traffic: Traffic,
    pub paused_for_s: Option<f64>,
    pub waiting: (u64, u64),
    pub backends: Vec<BackendView>,
}

/// One backend.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cmd) struct BackendView {
    pub name: String,
    pub address: String,
    /// `up`, `down`, `ejected`, `drain` or `maint`.
    pub standing: String,
    pub mode: String,
    pub why: String,
    pub since_s: f64,
    /// Since the last check.
    pub checked_s: Option<f64>,
    /// The last checks that failed in a row, as far as they are remembered.
    pub checks_failed: usize,
    pub in_flight: u64,
    pub max_connections: u64,
    pub weight: u64,
    pub is_backup: bool,
    /// Times it was picked: a request that was retried is one at each backend that it went to.
    pub tries: u64,
    /// Tries that failed by its fault.
    pub failures: u64,
    pub p99_ms: Option<f64>,
}

impl View {
    /// Reads the answer to GET /status. The error is a whole sentence.
    pub(in crate::cmd) fn read(body: &str) -> Result<Self, String> {
        let body: Value = serde_json::from_str(body)
            .map_err(|error| format!("the status is no JSON: {error}"))?;
        match body["version"].as_u64() {
            Some(VERSION) => Ok(Self::of(&body)),
            Some(other) => Err(format!(
                "the balancer tells its status in version {other}, and this evenly reads version \
                 {VERSION}; use the one that runs there, or --json"
            )),
            None => Err("the status has no version, so it is not that of a balancer".to_owned()),
        }
    }

    fn of(body: &Value) -> Self {
        let (process, file, totals) = (&body["process"], &body["configuration"], &body["totals"]);
        let last = &file["last_reload"];
        let failed = last["ok"].as_bool() == Some(false);
        Self {
            time: text(&body["time"]),
            version: text(&process["version"]),
            pid: count(&process["pid"]),
            uptime_s: number(&process["uptime_s"]).unwrap_or_default(),
            state: text(&process["state"]),
            file: file["path"].as_str().map(str::to_owned),
            file_age_s: number(&file["age_s"]).unwrap_or_default(),
            reloads: count(&file["reloads"]),
            failed_reload: failed.then(|| text(&last["words"]).replace('\n', "; ")),
            listeners: list(&body["listeners"], |one| text(&one["address"])),
            full: full(&body["listeners"]),
            clients: (count(&body["connections"]["clients"]), count(&body["connections"]["max"])),
            lines_dropped: count(&body["log"]["lines_dropped"]),
            answered: sum(&totals["answered"]),
            errors_ours: count(&totals["errors_ours"]),
            errors_theirs: count(&totals["errors_theirs"]),
            retries: count(&totals["retries"]),
            tcp: (count(&totals["tcp_connections"]), count(&totals["tcp_errors"])),
            pools: list(&body["pools"], PoolView::of),
            undelivered: undelivered(&body["alerts"]),
            certificates: list(&body["certificates"], |one| {
                (text(&one["for"]), one["days_left"].as_i64().unwrap_or_default())
            }),
        }
    }

    /// The backend of that name, with its pool.
    pub(in crate::cmd) fn backend(&self, name: &str) -> Option<(&PoolView, &BackendView)> {
        let own = |pool| Some((pool, PoolView::backend(pool, name)?));
        self.pools.iter().find_map(own)
    }
}

/// The listeners at which as many clients are as may be.
fn full(listeners: &Value) -> Vec<(String, u64)> {
    let all = list(listeners, |one| {
        let (clients, max) = (&one["connections"]["clients"], &one["connections"]["max"]);
        (text(&one["name"]), count(clients), max.as_u64())
    });
    let is_full = |(name, clients, max): (String, u64, Option<u64>)| {
        max.filter(|max| clients >= *max).map(|max| (name, max))
    };
    all.into_iter().filter_map(is_full).collect()
}

impl PoolView {
    fn of(pool: &Value) -> Self {
        Self {
            name: text(&pool["name"]),
            policy: text(&pool["policy"]),
            in_flight: count(&pool["in_flight"]),
            traffic: Traffic::called(&text(&pool["traffic"])),
            paused_for_s: number(&pool["paused_for_s"]),
            waiting: (count(&pool["queue"]["length"]), count(&pool["queue"]["max"])),
            backends: list(&pool["backends"], BackendView::of),
        }
    }

    fn backend(&self, name: &str) -> Option<&BackendView> {
        self.backends.iter().find(|backend| backend.name == name)
    }
}

impl BackendView {
    fn of(backend: &Value) -> Self {
        Self {
            name: text(&backend["name"]),
            address: text(&backend["address"]),
            standing: text(&backend["standing"]),
            mode: text(&backend["mode"]),
            why: text(&backend["why"]),
            since_s: number(&backend["since_s"]).unwrap_or_default(),
            checked_s: number(&backend["checks"][0]["age_s"]),
            checks_failed: failed_in_a_row(&backend["checks"]),
            in_flight: count(&backend["in_flight"]),
            max_connections: count(&backend["max_connections"]),
            weight: count(&backend["weight"]),
            is_backup: backend["backup"].as_bool().unwrap_or_default(),
            tries: count(&backend["requests"]),
            failures: count(&backend["failures"]),
            p99_ms: number(&backend["p99_ms"]),
        }
    }

    pub(in crate::cmd) fn is_up(&self) -> bool {
        self.standing == "up"
    }

    /// Problems first, the worst of them at the top.
    pub(in crate::cmd) fn rank(&self) -> usize {
        let order = ["down", "ejected", "drain", "maint"];
        let place = order.iter().position(|word| *word == self.standing);
        place.unwrap_or(order.len() + usize::from(self.is_up()))
    }
}

/// One that asks for a drain is neither here nor there.
fn failed_in_a_row(checks: &Value) -> usize {
    let all = checks.as_array().into_iter().flatten();
    let verdicts = all.filter(|check| check["asks_drain"] != true);
    verdicts.take_while(|check| check["passed"] == false).count()
}

fn undelivered(alerts: &Value) -> Vec<(String, String)> {
    let failed = |one: &&Value| one["last"]["result"] == "failed";
    let all = alerts.as_array().into_iter().flatten().filter(failed);
    all.map(|one| (text(&one["name"]), text(&one["last"]["words"]))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

/// Of all classes of status.
fn sum(by_class: &Value) -> u64 {
    by_class.as_object().into_iter().flatten().map(|(_, many)| count(many)).sum()
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

fn list<T>(value: &Value, read: impl FnMut(&Value) -> T) -> Vec<T> {
    value.as_array().into_iter().flatten().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_as_far_as_it_is_there() {
        let body = r#"{"version":1,"time":"2026-11-27T04:00:00.000Z","new":{"in":"later"},
            "process":{"pid":7,"version":"0.1.0","uptime_s":12.3,"state":"serving"},
            "configuration":{"path":null,"last_reload":{"ok":false,"words":"bad\nworse"}},
            "listeners":[{"address":"[::1]:80","tls":false,"connections":{"clients":9,"max":null}},
              {"name":"db","connections":{"clients":2,"max":2}}],
            "certificates":[{"for":"a.test","days_left":-3}],
            "totals":{"requests":9,"answered":{"2xx":5,"5xx":2},"errors_ours":2},
            "alerts":[{"name":"x","last":null},{"name":"y","last":{"result":"delivered"}},
              {"name":"night","last":{"result":"failed","words":"refused"}}],
            "pools":[{"name":"default","paused_for_s":null,"queue":{"length":1,"max":9},
              "backends":[{"name":"A","standing":"up",
                "checks":[{"age_s":1.5,"passed":false,"asks_drain":true},
                  {"age_s":6.5,"passed":false},{"age_s":9.5,"passed":true}]}]}]}"#;
        let view = View::read(body).unwrap();
        assert_eq!((view.pid, view.uptime_s, view.file.as_deref()), (7, 12.3, None));
        assert_eq!((view.answered, view.errors_ours, view.errors_theirs), (7, 2, 0));
        assert_eq!(view.failed_reload.as_deref(), Some("bad; worse"));
        assert_eq!(view.full, [("db".into(), 2)]);
        assert_eq!(view.undelivered, [("night".into(), "refused".into())]);
        assert_eq!((view.listeners.concat(), view.certificates[0].1), ("[::1]:80".into(), -3));
        assert_eq!((view.pools[0].waiting, view.pools[0].paused_for_s), ((1, 9), None));
        let (pool, backend) = view.backend("A").unwrap();
        assert_eq!(pool.traffic, Traffic::Requests, "as whoever does not say it");
        assert_eq!((backend.checked_s, backend.p99_ms), (Some(1.5), None));
        assert_eq!(backend.checks_failed, 1);
        assert_eq!(view.backend("B"), None);
    }

    #[test]
    fn what_is_no_status_or_of_another_version_is_refused_with_a_sentence() {
        let cases = [
            ("{}", "the status has no version"),
            ("[]", "the status has no version"),
            ("no", "the status is no JSON"),
            (
                r#"{"version":2}"#,
                "the balancer tells its status in version 2, and this evenly reads",
            ),
        ];
        for (body, what) in cases {
            let said = View::read(body).unwrap_err();
            assert!(said.starts_with(what), "{said}");
        }
    }
}
