//! What the endpoint shows, and when it is there.

use crate::harness::{Backend, Gate, Proxy, eventually};
use crate::panel::{Panel, error, json, open, post};
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;

/// The keys of an object and of all in it, as paths. Lists are taken for their first item.
pub fn keys(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| {
            into.insert(format!("{path}{key}"));
            keys(value, &format!("{path}{key}."), into);
        }),
        Value::Array(items) => items.iter().take(1).for_each(|item| keys(item, path, into)),
        _ => {}
    }
}

/// The first JSON behind that heading of the documentation.
pub fn documented(heading: &str) -> Value {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/admin.md"));
    let page = page.unwrap();
    let (_, section) = page.split_once(heading).unwrap();
    let (_, example) = section.split_once("```json\n").unwrap();
    serde_json::from_str(example.split_once("```").unwrap().0).unwrap()
}

#[test]
fn the_status_has_the_fields_that_are_documented_and_no_other() {
    let (backend, scratch) = (Backend::plain(), "health.interval = \"10ms\"");
    let panel = Panel::with(&[&backend], scratch);
    eventually("a check is over", || panel.backend(0)["checks"][0]["passed"] == true);
    let [mut found, mut shown] = [BTreeSet::new(), BTreeSet::new()];
    keys(&panel.status(), "", &mut found);
    keys(&documented("## GET /status"), "", &mut shown);
    // In the clear there is no certificate; nothing was read anew.
    shown.retain(|key| !key.starts_with("certificates.") && !key.contains("last_reload."));
    assert_eq!(found, shown, "the status (left), docs/admin.md (right)");
    let [mut found, mut shown] = [BTreeSet::new(), BTreeSet::new()];
    keys(&json(&panel.get("/events")), "", &mut found);
    keys(&documented("## GET /events"), "", &mut shown);
    assert_eq!(found, shown, "the events (left), docs/admin.md (right)");
}

#[test]
fn the_status_counts_what_was_served() {
    let backends = [Backend::plain(), Backend::answering(404)];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    (0..4).for_each(|_| drop(panel.proxy.get("/")));
    // An answer is with its client a moment before.
    let answered = |class: &str| panel.status()["totals"]["answered"][class].clone();
    eventually("all are counted", || answered("2xx") == 2 && answered("4xx") == 2);
    let status = panel.status();
    assert_eq!(status["version"], 1);
    assert_eq!(status["process"]["state"], "serving");
    assert_eq!(status["process"]["pid"], panel.proxy.process.id());
    assert_eq!(status["totals"]["answers"]["2xx"], 2);
    assert_eq!(status["totals"]["answers"]["4xx"], 2);
    assert_eq!(status["listeners"][0]["address"], panel.proxy.address.to_string());
    assert_eq!(status["listeners"][0]["proxy_protocol"], "off");
    let pool = &status["pools"][0];
    assert_eq!((&pool["usable"], &pool["total"]), (&2.into(), &2.into()));
    assert_eq!(pool["backends"][0]["name"], "A");
    assert_eq!(pool["backends"][1]["requests"], 2);
    let [open, limit] = ["open", "limit"].map(|it| status["descriptors"][it].as_u64().unwrap());
    assert!(open > 10 && open < limit, "{open} of {limit}");
}

#[test]
fn events_are_told_from_any_number_on() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let all = json(&panel.get("/events"));
    let kinds: Vec<_> = all["events"].as_array().unwrap().iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["admin", "listening"]);
    let since = json(&panel.get("/events?since=1"));
    assert_eq!(since["events"], Value::from(vec![all["events"][1].clone()]));
    assert_eq!(panel.get("/events?since=x").status(), 400);
}

#[test]
fn the_configuration_is_shown_without_its_secrets() {
    let backend = Backend::plain();
    let settings = "sticky.cookie = \"B\"\nsticky.secret = \"a secret of ours 1\"\n\
        admin.token = \"the-token-of-ours\"";
    let panel = Panel::with(&[&backend], settings);
    let answer = panel.get("/config");
    assert_eq!(answer.field("content-type"), Some("text/plain; charset=utf-8"));
    let text = answer.text();
    assert!(text.contains("cookie = \"B\"") && text.contains("token = \"(hidden)\""), "{text}");
    assert!(!text.contains("secret of ours") && !text.contains("token-of-ours"), "{text}");
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    for (target, status) in [
        ("/nothing", 404),
        ("/index.html", 404),
        ("/metric", 404),
        ("/pause", 405),
        ("/backends/A", 404),
    ] {
        assert_eq!(panel.get(target).status(), status, "{target}");
    }
    let wrong = panel.post("/status");
    assert_eq!((wrong.status(), wrong.field("allow")), (405, Some("GET, HEAD")));
    let head = "HEAD /status HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut wire = panel.open();
    wire.send(head);
    assert_eq!(wire.answer_to("HEAD").status(), 200);
}

#[test]
fn no_answer_is_kept_or_embedded_or_given_to_another_site() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let asked = ["/", "/status", "/live", "/nothing", "/backends/A/drain"].map(|it| panel.get(it));
    let refused = panel.open().ask("BAD REQUEST\r\n\r\n");
    for answer in asked.iter().chain([&refused]) {
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        let policy = answer.field("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        let opened = answer
            .fields
            .iter()
            .find(|(name, _)| name.to_ascii_lowercase().starts_with("access-control-"));
        assert_eq!(opened, None);
    }
}

#[test]
fn it_is_ready_from_the_first_checks_to_the_end_and_lives_all_the_while() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    // The first check is answered by nobody, so the start waits for it.
    let silent = Backend::silent();
    let settings = "health.interval = \"1h\"\nhealth.timeout = \"4s\"\n\
        timeouts.lame_duck = \"3s\"\ntimeouts.drain = \"10s\"\nhealth.fall = 1";
    let starting = std::thread::scope(|scope| {
        let variables = "export EVENLY_ADMIN_SOCKET=/tmp/evenly-$PPID-starting.sock";
        let path = format!("/tmp/evenly-{}-starting.sock", std::process::id());
        let started = scope.spawn(|| Proxy::within(variables, &[&silent, &backend], settings));
        // Its file is there before anybody listens.
        eventually("the endpoint is there", || UnixStream::connect(&path).is_ok());
        let ask = |target: &str| {
            open(path.as_ref()).ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
        };
        assert_eq!(ask("/live").status(), 200);
        let ready = ask("/ready");
        assert_eq!((ready.status(), ready.text().as_str()), (503, "starting\n"));
        let early = ask("/status");
        assert_eq!(early.status(), 503);
        assert!(error(&early).starts_with("starting: the first checks are under way"));
        let mut proxy = started.join().unwrap();
        assert_eq!(ask("/ready").status(), 200, "although a backend is down");
        let mut client = proxy.asking("/held");
        eventually("it is under way", || json(&ask("/status"))["pools"][0]["in_flight"] == 1);
        proxy.terminate();
        proxy.process.said.wait("not ready any more");
        let unready = ask("/ready");
        assert_eq!((unready.status(), unready.text().as_str()), (503, "unready\n"));
        proxy.process.said.wait("stopping: ");
        let draining = ask("/ready");
        assert_eq!((draining.status(), draining.text().as_str()), (503, "draining\n"));
        let pause = open(path.as_ref()).ask(post("/pause", "a", "X-Evenly: 1\r\n"));
        assert_eq!(pause.status(), 409, "nobody is held who has no other chance");
        assert_eq!([ask("/live").status(), ask("/status").status()], [200, 200]);
        gate.open();
        assert_eq!(client.answer().status(), 200);
        proxy.process.said.wait("INFO  stopped");
        let is_gone = std::fs::metadata(&path).is_err();
        assert_eq!(proxy.exit_code(), Some(0));
        is_gone
    });
    assert!(starting, "the socket is gone when that is told");
}
