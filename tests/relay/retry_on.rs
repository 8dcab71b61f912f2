//! Which failures are followed by another try, and how far a request that breaks backends gets.

use crate::harness::{Backend, Place, Proxy, Vacant, Wire, serve};

/// Dies of each request: reads it and closes without a word.
fn crashing() -> Backend {
    Backend::every(|wire| drop(wire.request()))
}

const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";

fn places(backends: &[Backend]) -> Vec<&dyn Place> {
    backends.iter().map(|backend| backend as &dyn Place).collect()
}

/// How many requests each got.
fn asked(backends: &[Backend]) -> Vec<usize> {
    backends.iter().map(|backend| backend.requests().len()).collect()
}

#[test]
fn a_request_that_breaks_whoever_gets_it_reaches_two() {
    let backends = [(); 4].map(|()| crashing());
    let proxy = Proxy::over(&places(&backends));
    proxy.no_farewell();
    assert_eq!(proxy.get("/deadly").status(), 502);
    assert_eq!(asked(&backends), [1, 1, 0, 0]);
}

#[test]
fn a_request_that_breaks_kept_connections_reaches_two() {
    // Each serves one request, and dies of the next.
    let deadly = |wire: &mut Wire| {
        while wire.request().is_some_and(|request| request.target() != "/deadly") {
            if !wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") {
                return;
            }
        }
    };
    let backends = [(); 4].map(|()| Backend::every(deadly));
    let proxy = Proxy::over(&places(&backends));
    let mut client = proxy.connect();
    for _ in 0..4 {
        assert_eq!(client.get("/").status(), 200);
    }
    assert_eq!(client.get("/deadly").status(), 502);
    // A kept connection that closes may have been idle for too long: a fresh one may bear it.
    let reached = asked(&backends).iter().filter(|count| **count > 1).count();
    assert!(reached <= 2, "{:?}", asked(&backends));
}

#[test]
fn a_crash_on_a_kept_connection_is_told_and_counts() {
    let deadly = Backend::every(|wire| {
        while wire.request().is_some_and(|request| request.method() == "GET") {
            if !wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") {
                return;
            }
        }
    });
    let good = Backend::plain();
    let settings = "log.access = \"json\"\npassive.failures = 2\npassive.clients = 1\n\
                    timeouts.upstream_keep_alive = \"2s\"";
    let proxy = Proxy::with(&[&deadly, &good], settings);
    let mut client = proxy.connect();
    for number in 0..3 {
        let target = format!("/deadly/{number}");
        assert_eq!(client.get("/").status() + client.get("/").status(), 400);
        let post = format!("POST {target} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
        let status = client.ask(&post).status();
        assert!(status == 502 || status == 200, "{status}");
        if status == 502 {
            let reason = proxy.record(&target)["reason"].clone();
            assert_eq!(reason, "closed a kept connection without an answer");
        }
        client.ask(&post);
    }
    let line = proxy.process.said.wait("backend A: closed a kept connection without an answer");
    assert!(line.contains("POST /deadly/"), "{line}");
}

#[test]
fn a_request_that_silences_whoever_gets_it_reaches_two() {
    let backends = [(); 4].map(|()| Backend::silent());
    let proxy = Proxy::with(&places(&backends), "timeouts.response = \"1s\"");
    proxy.no_farewell();
    assert_eq!(proxy.get("/deadly").status(), 504);
    assert_eq!(asked(&backends), [1, 1, 0, 0]);
}

#[test]
fn more_may_be_asked_and_fewer() {
    for (unanswered, expected) in [("0", [1, 0, 0, 0]), ("2", [1, 1, 1, 0])] {
        let backends = [(); 4].map(|()| crashing());
        let settings = format!("retry.unanswered = {unanswered}");
        let proxy = Proxy::with(&places(&backends), &settings);
        proxy.no_farewell();
        assert_eq!(proxy.get("/").status(), 502);
        assert_eq!(asked(&backends), expected);
    }
}

#[test]
fn who_was_never_reached_is_not_counted() {
    let (broken, dead, good) = (crashing(), Vacant::new(), Backend::plain());
    let proxy = Proxy::over(&[&broken, &dead, &good]);
    assert_eq!(proxy.get("/").text(), "GET / 0\n");
    assert_eq!((broken.requests().len(), good.requests().len()), (1, 1));
}

#[test]
fn what_is_not_named_is_not_tried_again() {
    for (on, status) in [("\"reset\", \"timeout\"", 502), ("\"connect\"", 200)] {
        let (dead, good) = (Vacant::new(), Backend::plain());
        let proxy = Proxy::with(&[&dead, &good], &format!("retry.on = [{on}]"));
        assert_eq!(proxy.get("/").status(), status, "{on}");
        proxy.no_farewell();
    }
    for (on, status) in [("\"connect\", \"timeout\"", 502), ("\"reset\"", 200), ("", 502)] {
        let (broken, good) = (crashing(), Backend::plain());
        let proxy = Proxy::with(&[&broken, &good], &format!("retry.on = [{on}]"));
        assert_eq!(proxy.get("/").status(), status, "{on}");
        proxy.no_farewell();
    }
    for (on, status) in [("\"connect\", \"reset\"", 504), ("\"timeout\"", 200)] {
        let (silent, good) = (Backend::silent(), Backend::plain());
        let settings = format!("retry.on = [{on}]\ntimeouts.response = \"1s\"");
        let proxy = Proxy::with(&[&silent, &good], &settings);
        assert_eq!(proxy.get("/").status(), status, "{on}");
        proxy.no_farewell();
    }
}

#[test]
fn a_status_that_is_named_is_asked_for_elsewhere() {
    let (busy, good) = (Backend::repeating(BUSY), Backend::plain());
    let settings = "retry.on = [\"502-504\"]\nlog.access = \"json\"";
    let proxy = Proxy::with(&[&busy, &good], settings);
    let mut client = proxy.connect();
    for number in 0..4 {
        assert_eq!(client.get(&format!("/{number}")).text(), format!("GET /{number} 0\n"));
    }
    let put = "PUT /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(client.ask(put).text(), "PUT /p 5\n");
    assert_eq!(client.ask(put).text(), "PUT /p 5\n");
    assert!(proxy.process.printed.wait("\"/0\"").contains("\"tries\":2"));
    assert!(!busy.requests().is_empty());
}

#[test]
fn an_answer_is_passed_on_where_nobody_else_can_be_asked() {
    let backends = [(); 3].map(|()| Backend::repeating(BUSY));
    for (settings, expected) in [
        ("retry.on = [503]", vec![1, 1, 1]),
        ("retry.on = [503]\nretry.attempts = 1", vec![1, 1, 0]),
        ("retry.on = [503]\nretry.budget_min = 0\nretry.budget_percent = 0", vec![1, 0, 0]),
        ("retry.on = [500]", vec![1, 0, 0]),
    ] {
        let before = asked(&backends);
        let proxy = Proxy::with(&places(&backends), settings);
        proxy.no_farewell();
        let answer = proxy.get("/");
        assert_eq!((answer.status(), answer.text().as_str()), (503, "busy"), "{settings}");
        let since: Vec<usize> =
            asked(&backends).iter().zip(before).map(|(now, before)| now - before).collect();
        assert_eq!(since, expected, "{settings}");
    }
}

#[test]
fn a_post_that_was_answered_is_sent_nowhere_else() {
    let (busy, good) = (Backend::repeating(BUSY), Backend::plain());
    let proxy = Proxy::with(&[&busy, &good], "retry.on = [503]");
    let answer = proxy.ask("POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(answer.text(), "busy");
    assert_eq!(good.requests().len(), 0);
}

#[test]
fn a_long_error_page_of_one_is_nothing_that_the_client_sees() {
    let long = Backend::every(|wire| {
        wire.request();
        wire.send("HTTP/1.1 503 Busy\r\nContent-Length: 1000000\r\n\r\n");
        wire.offer(vec![b'x'; 1_000_000]);
    });
    let good = Backend::every(serve);
    let proxy = Proxy::with(&[&long, &good], "retry.on = [503]");
    assert_eq!(proxy.get("/").text(), "GET / 0\n");
}
