//! Retries: to another backend, only where the request cannot have been acted on twice.

use crate::harness::{Backend, BlackHole, Gate, Place, Proxy, Vacant, serve};

/// Reads one request and closes without a word.
fn breaking() -> Backend {
    Backend::every(|wire| drop(wire.request()))
}

fn put(body: usize) -> String {
    format!("PUT /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: {body}\r\n\r\n{}", "x".repeat(body))
}

const POST: &str = "POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn a_dead_backend_is_skipped_and_the_request_retried() {
    let (dead, good) = (Vacant::new(), Backend::plain());
    let proxy = Proxy::over(&[&dead, &good]);
    let mut client = proxy.connect();
    for _ in 0..10 {
        // Nothing was sent, so any method may go elsewhere.
        assert_eq!(client.ask(POST).text(), "POST /p 5\n");
        assert_eq!(client.get("/").status(), 200);
    }
}

#[test]
fn a_backend_that_takes_no_connection_is_left_for_another() {
    let (hole, good) = (BlackHole::new(), Backend::plain());
    let proxy = Proxy::with(&[&hole, &good], "timeouts.connect = \"100ms\"");
    let mut client = proxy.connect();
    assert_eq!(client.ask(POST).text(), "POST /p 5\n");
    assert_eq!(client.ask(POST).text(), "POST /p 5\n");
}

#[test]
fn a_request_that_may_be_repeated_goes_to_another_backend_once() {
    let (bad, good) = (breaking(), Backend::plain());
    let proxy = Proxy::over(&[&bad, &good]);
    for request in ["GET", "HEAD", "OPTIONS", "DELETE"] {
        let answer = proxy.ask(format!("{request} /once HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert_eq!(answer.status(), 200, "{request}");
        assert_eq!(proxy.get("/turn").status(), 200);
    }
    let once = good.requests().iter().filter(|request| request.target() == "/once").count();
    assert_eq!(once, 4);
}

#[test]
fn a_post_is_never_sent_twice() {
    let (bad, good) = (breaking(), Backend::plain());
    let proxy = Proxy::over(&[&bad, &good]);
    for method in ["POST", "PATCH", "LOCK"] {
        let request = format!("{method} /once HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let statuses = [proxy.ask(&request).status(), proxy.ask(&request).status()];
        assert!(statuses.contains(&200) && statuses.contains(&502), "{method}: {statuses:?}");
    }
    let sent = [&bad, &good].map(|backend| backend.requests().len());
    assert_eq!(sent.iter().sum::<usize>(), 6, "{sent:?}");
}

#[test]
fn a_body_that_is_still_held_is_sent_again_whole() {
    let (bad, good) = (breaking(), Backend::plain());
    let proxy = Proxy::over(&[&bad, &good]);
    assert_eq!(proxy.ask(put(60_000)).text(), "PUT /p 60000\n");
    assert_eq!(bad.requests().len(), 1);
    assert_eq!(good.requests()[0].body, vec![b'x'; 60_000]);
}

#[test]
fn a_chunked_body_that_is_still_held_is_sent_again_whole() {
    let (bad, good) = (breaking(), Backend::plain());
    let proxy = Proxy::over(&[&bad, &good]);
    let answer = proxy.ask(
        "PUT /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n",
    );
    assert_eq!(answer.text(), "PUT /c 6\n");
    assert_eq!(good.requests()[0].body, b"hello!");
    assert_eq!(good.requests()[0].trailers.len(), 1);
}

#[test]
fn a_body_too_long_to_hold_is_not_sent_again() {
    let (bad, good) = (breaking(), Backend::plain());
    let proxy = Proxy::with(&[&bad, &good], "retry.body_bytes = \"1KiB\"");
    let statuses = [proxy.ask(put(5000)).status(), proxy.ask(put(5000)).status()];
    assert!(statuses.contains(&502), "{statuses:?}");
    assert_eq!(bad.requests().len() + good.requests().len(), 2);
}

#[test]
fn an_answer_that_has_begun_is_not_asked_for_again() {
    let bad = Backend::every(|wire| {
        wire.request();
        wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    });
    let good = Backend::plain();
    let proxy = Proxy::over(&[&bad, &good]);
    let mut client = proxy.connect();
    client.send("GET /once HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert!(client.try_answer("GET").is_err(), "a visible break");
    let sent = [&bad, &good].map(|backend| backend.requests().len());
    assert_eq!(sent, [1, 0]);
    assert_eq!(proxy.get("/turn").status(), 200);
    drop(client);
    proxy.no_farewell();
}

#[test]
fn an_error_that_a_backend_answers_is_an_answer() {
    let bad = Backend::every(|wire| {
        while wire.request().is_some() {
            if !wire.offer("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy") {
                return;
            }
        }
    });
    let good = Backend::plain();
    let proxy = Proxy::over(&[&bad, &good]);
    assert_eq!(proxy.get("/").text(), "busy");
    assert_eq!(proxy.get("/turn").status(), 200);
    assert_eq!(proxy.get("/").text(), "busy");
}

#[test]
fn an_answer_that_is_refused_is_an_answer() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    for answer in ["HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n", &long] {
        let answer = answer.to_owned();
        let bad =
            Backend::every(move |wire| while wire.request().is_some() && wire.offer(&answer) {});
        let good = Backend::plain();
        let proxy = Proxy::over(&[&bad, &good]);
        assert_eq!(proxy.get("/").status(), 502);
        assert_eq!(proxy.get("/turn").status(), 200);
        assert_eq!(proxy.ask(put(5)).status(), 502);
        assert_eq!((bad.requests().len(), good.requests().len()), (2, 1));
        assert_eq!(proxy.get("/turn").status(), 200);
        assert_eq!(proxy.get("/").status(), 502);
    }
}

#[test]
fn a_kept_connection_that_turns_out_closed_is_replaced_by_a_fresh_one() {
    let backend = Backend::scripted(|visit, wire| {
        if visit > 0 {
            return serve(wire);
        }
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
        // It takes the second request, and closes before it answers: the race of every idle limit.
        wire.request();
    });
    let proxy = Proxy::with(&[&backend], "timeouts.upstream_keep_alive = \"1s\"");
    let mut client = proxy.connect();
    assert_eq!(client.get("/1").text(), "first");
    assert_eq!(client.get("/2").text(), "GET /2 0\n");
    assert_eq!(backend.visits(), 2);
}

#[test]
fn a_post_that_went_into_a_closing_connection_is_a_502() {
    let backend = Backend::first(|wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
        wire.request();
    });
    let proxy = Proxy::with(&[&backend], "timeouts.upstream_keep_alive = \"1s\"");
    let mut client = proxy.connect();
    assert_eq!(client.get("/1").text(), "first");
    assert_eq!(client.ask(POST).status(), 502);
    let posts = backend.requests().iter().filter(|request| request.method() == "POST").count();
    assert_eq!(posts, 1);
}

#[test]
fn no_more_backends_are_tried_than_allowed() {
    let backends = [(); 5].map(|()| breaking());
    let places: Vec<&dyn Place> = backends.iter().map(|backend| backend as &dyn Place).collect();
    let proxy = Proxy::with(&places, "retry.unanswered = 9");
    proxy.no_farewell();
    assert_eq!(proxy.get("/").status(), 502);
    let tried: Vec<_> = backends.iter().map(|backend| backend.requests().len()).collect();
    assert_eq!(tried.iter().sum::<usize>(), 3, "one try and two retries: {tried:?}");
    assert!(tried.iter().all(|count| *count <= 1), "never the same one again: {tried:?}");
}

#[test]
fn attempts_0_turns_retries_off() {
    let (bad, good) = (breaking(), Backend::plain());
    let proxy = Proxy::with(&[&bad, &good], "retry.attempts = 0");
    let statuses = [proxy.get("/").status(), proxy.get("/").status()];
    assert!(statuses.contains(&502) && statuses.contains(&200), "{statuses:?}");
    proxy.no_farewell();
}

#[test]
fn the_budget_stops_a_storm_of_retries() {
    let gate = Gate::new();
    let held = gate.clone();
    let bad = Backend::every(move |wire| {
        wire.request();
        held.pass();
    });
    let silent = Backend::silent();
    let settings = "retry.budget_min = 2\nretry.budget_percent = 0\ntimeouts.response = \"3s\"";
    let proxy = Proxy::with(&[&bad, &silent], settings);
    proxy.no_farewell();
    proxy.pardon("answering 503");
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let mut client = proxy.connect();
            client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
            client
        })
        .collect();
    bad.wait_requests(10);
    silent.wait_requests(10);
    gate.open();
    for mut client in clients {
        assert!(client.answer().status() >= 502);
    }
    assert_eq!(silent.requests().len(), 12, "ten of its own and two retries");
}

#[test]
fn a_retry_that_no_backend_heard_of_takes_nothing_from_the_budget() {
    let (dead, good) = (Vacant::new(), Backend::plain());
    let settings = "retry.budget_min = 0\nretry.budget_percent = 0\npassive.failures = 0";
    let proxy = Proxy::with(&[&dead, &good], settings);
    let mut client = proxy.connect();
    for _ in 0..6 {
        assert_eq!(client.get("/").status(), 200);
    }
}

#[test]
fn a_retry_of_what_was_sent_needs_the_budget() {
    let bad = Backend::every(|wire| {
        wire.request();
    });
    let good = Backend::plain();
    let settings = "retry.budget_min = 0\nretry.budget_percent = 0\npassive.failures = 0";
    let proxy = Proxy::with(&[&bad, &good], settings);
    proxy.no_farewell();
    let statuses: Vec<u16> = (0..6).map(|_| proxy.connect().get("/").status()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 502).count(), 3, "{statuses:?}");
}
