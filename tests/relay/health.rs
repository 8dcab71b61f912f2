//! Health checks: who is asked, who is believed, and what is said about it.

use crate::harness::{Backend, Keyed, Message, Proxy, Vacant, Wire, eventually};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// Checks as often as a test can wait for.
const OFTEN: &str = "health.interval = \"50ms\"\nhealth.rise = 2\nhealth.fall = 2\n";

/// A good server whose /health answers with a status that the test can change.
fn with_health(status: &Arc<AtomicU16>) -> impl Fn(&mut Wire) + Send + Sync + 'static {
    let status = Arc::clone(status);
    move |wire| {
        while let Some(request) = wire.request() {
            let status = match request.target() {
                "/health" | "/alive" => status.load(Ordering::Relaxed),
                _ => 200,
            };
            let location = if status == 302 { "Location: /elsewhere\r\n" } else { "" };
            let head = format!("HTTP/1.1 {status} X\r\n{location}Content-Length: 0\r\n\r\n");
            if !wire.offer(head) {
                return;
            }
        }
    }
}

fn backend(status: u16) -> (Backend, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(status));
    (Backend::every(with_health(&status)), status)
}

/// How many of `count` requests `backend` gets.
fn share(proxy: &Proxy, backend: &Backend, count: usize) -> usize {
    let mine = |requests: Vec<Message>| {
        requests.iter().filter(|request| request.target() == "/share").count()
    };
    let before = mine(backend.requests());
    for _ in 0..count {
        assert_eq!(proxy.get("/share").status(), 200);
    }
    mine(backend.requests()) - before
}

#[test]
fn the_first_round_is_over_before_the_listener_answers() {
    let (good, _) = backend(200);
    let (bad, _) = backend(503);
    let proxy = Proxy::with(&[&good, &bad], "health.interval = \"5s\"");
    assert_eq!(share(&proxy, &bad, 10), 0);
    assert_eq!(share(&proxy, &good, 10), 10);
}

#[test]
fn the_first_check_overrules_what_the_file_says() {
    let (good, _) = backend(200);
    let (other, _) = backend(200);
    let proxy = Proxy::with(&[&Keyed(&good, "alive = false"), &other], "health.interval = \"5s\"");
    assert_eq!(share(&proxy, &good, 10), 5);
}

#[test]
fn a_backend_that_turns_ill_is_left_alone_until_it_is_well_again() {
    let (first, _) = backend(200);
    let (second, status) = backend(200);
    let proxy = Proxy::with(&[&first, &second], OFTEN);
    assert_eq!(share(&proxy, &second, 10), 5);
    status.store(503, Ordering::Relaxed);
    let line = proxy.process.said.wait("down");
    assert!(line.contains('B') && line.contains("503") && line.contains("1 of 2"), "{line}");
    assert_eq!(share(&proxy, &second, 10), 0);
    status.store(200, Ordering::Relaxed);
    eventually("the backend is asked again", || share(&proxy, &second, 2) > 0);
    assert_eq!(share(&proxy, &second, 10), 5);
    proxy.process.said.wait("down -> up");
    assert_eq!(proxy.said("down -> up"), 1, "{:#?}", proxy.process.said.all());
}

#[test]
fn a_backend_that_dies_and_returns_is_noticed() {
    let (first, _) = backend(200);
    let (second, status) = backend(200);
    let proxy = Proxy::with(&[&first, &second], OFTEN);
    let gone = second.go_down();
    proxy.process.said.wait("up -> down");
    for _ in 0..10 {
        assert_eq!(proxy.get("/").status(), 200);
    }
    let back = gone.open(with_health(&status));
    proxy.process.said.wait("down -> up");
    assert_eq!(share(&proxy, &back, 10), 5);
}

#[test]
fn one_bad_check_is_not_enough() {
    let (first, _) = backend(200);
    let second = Backend::every({
        let asked = AtomicU16::new(0);
        move |wire| {
            while let Some(request) = wire.request() {
                let bad =
                    request.target() == "/health" && asked.fetch_add(1, Ordering::Relaxed) == 3;
                let status = if bad { 500 } else { 200 };
                if !wire.offer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")) {
                    return;
                }
            }
        }
    });
    let proxy = Proxy::with(&[&first, &second], OFTEN);
    second.wait_requests(6);
    assert_eq!(share(&proxy, &second, 10), 5);
    assert_eq!(proxy.said("->"), 0, "{:#?}", proxy.process.said.all());
}

#[test]
fn a_file_server_without_a_health_page_counts_as_up_with_one_warning() {
    for status in [404, 405] {
        let (plain, _) = backend(status);
        let proxy = Proxy::with(&[&plain], OFTEN);
        plain.wait_requests(5);
        assert_eq!(share(&proxy, &plain, 2), 2);
        let warned = format!(" WARN  backend A: GET /health answered {status}, ");
        assert_eq!(proxy.said(&warned), 1, "{:#?}", proxy.process.said.all());
    }
}

#[test]
fn where_the_path_is_set_404_is_down() {
    let (good, _) = backend(200);
    let (bad, _) = backend(404);
    let proxy = Proxy::with(&[&good, &bad], &format!("{OFTEN}health.path = \"/alive\""));
    assert_eq!(share(&proxy, &bad, 10), 0);
    assert!(bad.requests().iter().all(|request| request.target() == "/alive"));
}

#[test]
fn what_counts_as_healthy_can_be_set() {
    let (odd, _) = backend(418);
    let (usual, _) = backend(200);
    let settings = format!("{OFTEN}health.path = \"/alive\"\nhealth.expect = [\"418\"]");
    let proxy = Proxy::with(&[&odd, &usual], &settings);
    assert_eq!(share(&proxy, &odd, 10), 10);
}

#[test]
fn a_redirect_is_not_followed_and_not_health() {
    let (good, _) = backend(200);
    let (bad, _) = backend(302);
    let proxy = Proxy::with(&[&good, &bad], OFTEN);
    assert_eq!(share(&proxy, &bad, 10), 0);
    assert!(bad.requests().iter().all(|request| request.target() == "/health"));
}

#[test]
fn a_backend_that_is_silent_when_asked_is_down() {
    let (good, _) = backend(200);
    let silent = Backend::silent();
    let proxy = Proxy::with(&[&silent, &good], &format!("{OFTEN}health.timeout = \"1s\""));
    assert_eq!(share(&proxy, &good, 10), 10);
}

#[test]
fn a_backend_that_answers_with_rubbish_is_down() {
    let (good, _) = backend(200);
    let rubbish = Backend::every(|wire| {
        wire.request();
        wire.offer("\0\0 this is no HTTP\r\n\r\n");
    });
    let proxy = Proxy::with(&[&rubbish, &good], OFTEN);
    assert_eq!(share(&proxy, &good, 10), 10);
}

#[test]
fn when_none_is_up_it_is_said_and_503_is_answered() {
    let (bad, status) = backend(503);
    let proxy = Proxy::with(&[&bad, &Vacant::new()], OFTEN);
    proxy.pardon("NO BACKEND IS UP");
    proxy.pardon("answering 503: no backend is usable: 2 down");
    let answer = proxy.get("/");
    assert_eq!(answer.status(), 503);
    assert!(answer.field("retry-after").is_some());
    status.store(200, Ordering::Relaxed);
    eventually("it recovers", || proxy.get("/").status() == 200);
}

#[test]
fn fail_open_tries_even_those_that_are_down() {
    let (bad, _) = backend(503);
    let proxy = Proxy::with(&[&bad], &format!("{OFTEN}balance.fail_open = true"));
    proxy.pardon("NO BACKEND IS UP");
    assert_eq!(proxy.get("/").status(), 200);
}

#[test]
fn checks_go_to_every_backend_again_and_again() {
    let (first, _) = backend(200);
    let (second, _) = backend(200);
    let _proxy = Proxy::with(&[&first, &second], OFTEN);
    for backend in [&first, &second] {
        let requests = backend.wait_requests(4);
        assert!(requests.iter().all(|request| request.start == "GET /health HTTP/1.1"));
        assert!(requests.iter().all(|request| request.field("host").is_some()));
    }
}

#[test]
fn an_application_that_asks_to_be_drained_gets_nothing_new_until_it_is_well_again() {
    let ((leaving, status), (other, others)) = (backend(200), backend(200));
    let settings = format!("{OFTEN}health.path = \"/health\"\nhealth.drain = [\"410\"]");
    let proxy = Proxy::with(&[&leaving, &other], &settings);
    assert_eq!(share(&proxy, &leaving, 4), 2);
    status.store(410, Ordering::Relaxed);
    let said = proxy.process.said.wait("backend A: check asks to be drained: status 410");
    assert!(said.contains("up -> drain; 1 of 2 left: B"), "{said}");
    assert_eq!(share(&proxy, &leaving, 4), 0);
    others.store(410, Ordering::Relaxed);
    proxy.process.said.wait("it stays in, as no other is up");
    assert_eq!(share(&proxy, &other, 4), 4, "the last one serves on");
    status.store(200, Ordering::Relaxed);
    proxy.process.said.wait("drain -> up");
    proxy.process.said.wait("backend B: check asks to be drained: status 410 ");
    others.store(200, Ordering::Relaxed);
}
