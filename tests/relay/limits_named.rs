//! Limits by their names: whoever meets one, or reads of it in the log, learns which key says so.
//! And each page of ours is a line, so that it does not stand in front of a prompt.

use crate::harness::{Backend, BlackHole, Gate, Keyed, Proxy, Vacant, eventually};
use serde_json::Value;

const JSON: &str = "log.access = \"json\"\n";

/// The reason in the access line that has this part.
fn reason(proxy: &Proxy, part: &str) -> String {
    let line = proxy.process.printed.wait(part);
    let record: Value = serde_json::from_str(&line).unwrap();
    record["reason"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn who_meets_a_limit_is_told_its_key_and_so_is_the_log() {
    let backend = Backend::plain();
    let limits = "limits.head_bytes = \"1KiB\"\nlimits.headers = 10\n\
                  limits.target_bytes = \"64B\"\nlimits.body_bytes = \"10B\"\n\
                  timeouts.request_head = \"500ms\"\n\
                  timeouts.client_body = \"500ms\"";
    let proxy = Proxy::with(&[&backend], &format!("{JSON}{limits}"));
    let long = "x".repeat(2000);
    let fields = "A: 1\r\n".repeat(11);
    let post = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length:";
    for (request, status, key) in [
        (
            format!("GET / HTTP/1.1\r\nHost: a.test\r\nA: {long}\r\n\r\n"),
            431,
            "[limits] head_bytes",
        ),
        (format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n"), 431, "[limits] headers"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", &long[..100]), 414, "[limits] target_bytes"),
        (format!("{post} 11\r\n\r\n"), 413, "[limits] body_bytes"),
        ("GET / HTTP/1.1\r\n".to_owned(), 408, "[timeouts] request_head"),
        (format!("{post} 10\r\n\r\n01234"), 408, "[timeouts] client_body"),
    ] {
        let answer = proxy.ask(request);
        let text = answer.text();
        assert_eq!(answer.status(), status, "{text}");
        assert!(text.contains(key) && text.ends_with('\n'), "{text:?}");
        let line = proxy.process.printed.wait(key);
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["reason"], text.trim_end(), "{line}");
        assert_eq!(record["bytes_sent"], text.len(), "the body, and nothing but: {line}");
    }
}

#[test]
fn an_application_that_goes_beyond_a_limit_is_logged_with_its_key() {
    let gate = Gate::new();
    let late = Backend::holding(&gate);
    let proxy = Proxy::with(&[&late], &format!("{JSON}timeouts.response = \"1s\""));
    let answer = proxy.get("/held");
    assert_eq!((answer.status(), answer.text().ends_with('\n')), (504, true));
    assert_eq!(reason(&proxy, "/held"), "no answer after 1.0 s ([timeouts] response)");
    gate.open();

    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(2000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: 1\r\n".repeat(11));
    for (said, key) in [(long, "[limits] head_bytes"), (many, "[limits] headers")] {
        let backend = Backend::says(said);
        let settings = format!("{JSON}limits.head_bytes = \"1KiB\"\nlimits.headers = 10");
        let proxy = Proxy::with(&[&backend], &settings);
        assert_eq!(proxy.get("/odd").text(), "the backend gave no valid answer\n");
        assert!(reason(&proxy, "/odd").ends_with(&format!("({key})")));
    }
}

#[test]
fn a_request_that_finds_no_place_is_logged_with_the_key() {
    for (queue, key) in
        [("queue.length = 0", "[queue] length"), ("queue.timeout = \"50ms\"", "[queue] timeout")]
    {
        let gate = Gate::new();
        let backend = Backend::holding(&gate);
        let place = Keyed(&backend, "max_connections = 1");
        let proxy = Proxy::with(&[&place], &format!("{JSON}{queue}"));
        let mut first = proxy.connect();
        first.send("GET /held HTTP/1.1\r\nHost: a.test\r\n\r\n");
        backend.wait_requests(1);
        let answer = proxy.get("/second");
        assert_eq!((answer.status(), answer.text().as_str()), (503, "every backend is busy\n"));
        let reason = reason(&proxy, "/second");
        assert!(reason.starts_with("every backend is busy") && reason.contains(key), "{reason}");
        gate.open();
        assert_eq!(first.answer().status(), 200);
        // An answer is with its client a moment before its place is free.
        eventually("the place is free", || proxy.get("/").status() == 200);
        proxy.no_farewell();
    }
}

#[test]
fn every_page_of_ours_is_a_line() {
    let dead = Vacant::new();
    let proxy = Proxy::over(&[&dead]);
    proxy.farewell(502);
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", 502),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n", 405),
        ("GET / HTTP/2.0\r\nHost: a.test\r\n\r\n", 505),
    ] {
        let answer = proxy.ask(request);
        let text = answer.text();
        assert_eq!(answer.status(), status, "{text}");
        assert!(text.ends_with('\n') && !text.ends_with("\n\n") && text.len() > 1, "{text:?}");
        let length = answer.field("content-length").unwrap_or_default();
        assert_eq!(length, text.len().to_string());
    }
    let hole = BlackHole::new();
    let proxy = Proxy::with(&[&hole], "timeouts.connect = \"100ms\"\nretry.attempts = 0");
    proxy.farewell(504);
    assert!(proxy.get("/").text().ends_with("in time\n"));
}
