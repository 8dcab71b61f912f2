//! What whoever is on call reads: each fault at once, with what is needed to look further, and no
//! two lines that contradict each other.

use crate::harness::{Backend, Keyed, Proxy, Vacant};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// Checks as often as a test can wait for.
const OFTEN: &str = "health.interval = \"50ms\"\nhealth.rise = 1\nhealth.fall = 1\n";

/// A server whose /health answers with a status that the test can change.
fn checked(status: &Arc<AtomicU16>) -> Backend {
    let status = Arc::clone(status);
    Backend::every(move |wire| {
        while let Some(request) = wire.request() {
            let status = match request.target() {
                "/health" => status.load(Ordering::Relaxed),
                _ => 200,
            };
            if !wire.offer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")) {
                return;
            }
        }
    })
}

/// Expects a line that says this of the backend, and of which request.
fn expect_line(proxy: &Proxy, backend: &str, what: &str, request: &str) {
    let line = proxy.process.said.wait(&format!("backend {backend}: {what}"));
    let (_, asked) = line.split_once("; asked for ").unwrap_or_else(|| panic!("{line}"));
    let (asked, id) = asked.split_once(", request id ").unwrap_or_else(|| panic!("{line}"));
    assert_eq!((asked, id.len()), (request, 32), "{line}");
}

#[test]
fn two_that_die_together_are_both_named_at_once() {
    let (one, two, good) = (Vacant::new(), Vacant::new(), Backend::plain());
    let proxy = Proxy::with(&[&one, &two, &good], "balance.policy = \"first-alive\"");
    assert_eq!(proxy.get("/first?x=secret").status(), 200);
    for backend in ["A", "B"] {
        expect_line(&proxy, backend, "connect failed: Connection refused", "GET /first");
    }
    assert!(proxy.said("left out") == 0 && proxy.said("secret") == 0);
}

#[test]
fn the_first_of_each_kind_is_said_whatever_else_is_said_of_a_backend() {
    let backend = Backend::every(|wire| {
        while let Some(request) = wire.request() {
            let on = match request.target() {
                "/reset" => return,
                "/silent" => return drop(wire.ending()),
                "/bad" => wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n"),
                "/odd" => wire.offer("SSH-2.0-OpenSSH_9.2\r\n"),
                target => {
                    let status = target.trim_start_matches('/').parse().unwrap_or(200);
                    wire.offer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))
                }
            };
            if !on {
                return;
            }
        }
    });
    let settings = "timeouts.response = \"1s\"\nretry.attempts = 1\n";
    let proxy = Proxy::with(&[&backend], settings);
    for (target, status, what) in [
        ("/502", 502, "answered 502"),
        ("/reset", 502, "closed before its answer was whole"),
        ("/silent", 504, "no answer after 1.0 s"),
        ("/bad", 502, "bad answer: "),
        ("/odd", 502, "no HTTP: "),
    ] {
        assert_eq!(proxy.get(target).status(), status, "{target}");
        expect_line(&proxy, "A", what, &format!("GET {target}"));
    }
}

#[test]
fn twelve_502s_leave_a_line() {
    for status in [502, 503, 504] {
        let (bad, worse) = (Backend::answering(status), Backend::answering(status));
        let proxy = Proxy::with(&[&bad, &worse], "");
        proxy.no_farewell();
        for number in 0..12 {
            assert_eq!(proxy.get(&format!("/{number}")).status(), status);
        }
        expect_line(&proxy, "A", &format!("answered {status}"), "GET /0");
        expect_line(&proxy, "B", &format!("answered {status}"), "GET /1");
    }
    let fine = Backend::answering(500);
    let proxy = Proxy::with(&[&fine], "");
    proxy.no_farewell();
    assert_eq!(proxy.get("/").status(), 500);
    assert_eq!(proxy.said("answered"), 0, "it is the application's own affair");
}

#[test]
fn one_that_fails_and_stays_in_is_said_to_be_the_last() {
    let (bad, worse) = (Vacant::new(), Vacant::new());
    let proxy = Proxy::with(&[&bad, &worse], "");
    proxy.farewell(502);
    (0..8).for_each(|number| assert_eq!(proxy.get(&format!("/{number}")).status(), 502));
    let out = proxy.process.said.wait("up -> ejected; 1 of 2 left: ");
    let last = proxy.process.said.wait("it stays in, as it is the last one up");
    let name = |line: &str| line.split("backend ").nth(1).unwrap()[..1].to_owned();
    assert_ne!(name(&out), name(&last), "{out}\n{last}");
}

#[test]
fn the_last_one_gone_is_an_error_and_the_first_one_back_is_said() {
    let status = [(); 2].map(|()| Arc::new(AtomicU16::new(200)));
    let backends = status.each_ref().map(checked);
    let proxy = Proxy::with(&[&backends[0], &backends[1]], OFTEN);
    proxy.pardon("NO BACKEND IS UP");
    status[0].store(503, Ordering::Relaxed);
    let line = proxy.process.said.wait("up -> down; 1 of 2 left: B; out: A (down)");
    assert!(line.contains(" WARN ") && line.contains("backend A: check failed: "), "{line}");
    status[1].store(500, Ordering::Relaxed);
    let line = proxy.process.said.wait("NO BACKEND IS UP");
    assert!(line.contains(" ERROR backend B: check failed: status 500"), "{line}");
    assert!(line.ends_with("0 of 2 left: NO BACKEND IS UP; out: A (down), B (down)"), "{line}");
    status[1].store(200, Ordering::Relaxed);
    let line = proxy.process.said.wait("1 of 2 up, the first");
    assert!(line.contains(" INFO  backend B: check passed: status 200"), "{line}");
    assert!(line.ends_with("down -> up; 1 of 2 up, the first: B; out: A (down)"));
    status[0].store(200, Ordering::Relaxed);
    let line = proxy.process.said.wait("2 of 2 up");
    assert!(line.contains(" INFO ") && line.ends_with("down -> up; 2 of 2 up"), "{line}");
}

#[test]
fn none_that_is_up_is_an_error_from_the_start() {
    let (down, also) = (Vacant::new(), Vacant::new());
    let proxy = Proxy::with(&[&down, &also], "health.interval = \"10s\"");
    proxy.pardon("NO BACKEND IS UP");
    proxy.pardon("answering 503");
    proxy.farewell(503);
    let line = proxy.process.said.wait("NO BACKEND IS UP");
    assert!(line.contains(" ERROR "), "{line}");
    assert_eq!(proxy.get("/nobody").status(), 503);
    let line = proxy.process.said.wait("answering 503: no backend is usable: 2 down");
    assert!(line.contains("; asked for GET /nobody, request id "), "{line}");
}

const IDS: &str = "server.request_id = true\nlog.access = \"json\"\n";

fn logged(proxy: &Proxy, target: &str) -> Value {
    let line = proxy.process.printed.wait(&format!("\"target\":\"{target}\""));
    serde_json::from_str(&line).unwrap()
}

#[test]
fn clients_are_told_what_their_request_is_called() {
    let said = "HTTP/1.1 200 OK\r\nX-Request-Id: of-the-application\r\nContent-Length: 0\r\n\r\n";
    let backend = Backend::every(move |wire| while wire.request().is_some() && wire.offer(said) {});
    let proxy = Proxy::with(&[&backend], IDS);
    let answer = proxy.get("/told");
    let ids = answer.all("x-request-id");
    assert_eq!(ids, [backend.requests()[0].field("x-request-id").unwrap()]);
    assert_eq!(proxy.record("/told")["request_id"], ids[0]);
    let silent = Proxy::with(&[&backend], "");
    assert_eq!(silent.get("/").all("x-request-id"), ["of-the-application"]);
    let trusted = format!("{IDS}server.trusted_proxies = [\"127.0.0.1\"]\n");
    let proxy = Proxy::with(&[&backend], &trusted);
    let answer = proxy.ask("GET / HTTP/1.1\r\nHost: a.test\r\nX-Request-Id: front-7\r\n\r\n");
    assert_eq!(answer.all("x-request-id"), ["front-7"]);
    let proxy = Proxy::with(&[&backend], IDS);
    let answer = proxy.ask("GET / HTTP/1.1\r\nHost: a.test\r\nX-Request-Id: mine\r\n\r\n");
    assert_ne!(answer.all("x-request-id"), ["mine"], "a stranger's name is not taken");
}

#[test]
fn so_are_those_that_no_backend_answers() {
    let (dead, down) = (Vacant::new(), Vacant::new());
    let host = "Host: a.test\r\n\r\n";
    let failing = Proxy::with(&[&dead], IDS);
    failing.farewell(502);
    let empty = Proxy::with(&[&Keyed(&down, "alive = false")], IDS);
    empty.farewell(503);
    empty.pardon("answering 503");
    let elsewhere = Proxy::with(&[&dead], &format!("{IDS}server.mode = \"redirect\""));
    elsewhere.farewell(307);
    for (proxy, request, target, status) in [
        (&failing, format!("GET /dead HTTP/1.1\r\n{host}"), "/dead", 502),
        (&failing, "GET /nohost HTTP/1.1\r\n\r\n".into(), "/nohost", 400),
        (&failing, format!("TRACE /trace HTTP/1.1\r\n{host}"), "/trace", 405),
        (&failing, format!("GET /three HTTP/3.0\r\n{host}"), "/three", 505),
        (&empty, format!("GET /none HTTP/1.1\r\n{host}"), "/none", 503),
        (&elsewhere, format!("GET /moved HTTP/1.1\r\n{host}"), "/moved", 307),
    ] {
        let answer = proxy.ask(request);
        assert_eq!(answer.status(), status, "{target}");
        let record = logged(proxy, target);
        let ids = answer.all("x-request-id");
        assert!(ids.len() == 1 && record["request_id"] == ids[0], "{target}: {ids:?} {record}");
    }
    let dead = logged(&failing, "/dead")["request_id"].as_str().unwrap().to_owned();
    failing.process.said.wait(&format!("asked for GET /dead, request id {dead}"));
}
