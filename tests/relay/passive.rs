//! What requests themselves tell about a backend: three failures in a row take it out for a while,
//! and under the scored policy each costs it points.

use crate::harness::{Backend, Place, Proxy, eventually};
use rustix::process::Signal;

/// A backend that answers every request with this status.
fn answering(status: u16) -> Backend {
    Backend::every(move |wire| {
        while wire.request().is_some() {
            if !wire.offer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")) {
                return;
            }
        }
    })
}

/// How many of `count` requests, one after another, `backend` got.
fn share(proxy: &Proxy, backend: &Backend, count: usize) -> usize {
    let before = backend.requests().len();
    let mut client = proxy.connect();
    for _ in 0..count {
        client.get("/");
    }
    backend.requests().len() - before
}

#[test]
fn three_failures_in_a_row_take_a_backend_out() {
    for status in [502, 503, 504] {
        let (bad, good) = (answering(status), Backend::plain());
        let proxy = Proxy::over(&[&bad, &good]);
        assert_eq!(share(&proxy, &bad, 40), 3, "{status}");
        let line = proxy.process.said.wait("up -> ejected");
        assert!(line.contains("backend A: ") && line.contains("1 of 2 left"), "{line}");
    }
}

#[test]
fn a_backend_that_was_taken_out_comes_back_and_serves() {
    let bad = Backend::every(move |wire| {
        let mut count = 0;
        while wire.request().is_some() {
            count += 1;
            let status = if count <= 3 { 503 } else { 200 };
            if !wire.offer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")) {
                return;
            }
        }
    });
    let good = Backend::plain();
    let settings = "passive.eject = \"300ms\"\ntimeouts.upstream_keep_alive = \"1s\"";
    let proxy = Proxy::with(&[&bad, &good], settings);
    share(&proxy, &bad, 10);
    let before = bad.requests().len();
    eventually("the backend is asked again", || {
        proxy.get("/");
        bad.requests().len() > before
    });
}

#[test]
fn errors_that_are_not_the_connections_fault_take_nobody_out() {
    for status in [500, 404, 401, 429] {
        let (bad, good) = (answering(status), Backend::plain());
        let proxy = Proxy::over(&[&bad, &good]);
        assert_eq!(share(&proxy, &bad, 20), 10, "{status}");
        assert_eq!(share(&proxy, &bad, 1), 1, "{status}: the turn is the bad one's");
    }
}

#[test]
fn which_statuses_count_can_be_set() {
    let (bad, good) = (answering(500), Backend::plain());
    let proxy = Proxy::with(&[&bad, &good], "passive.statuses = [\"500-599\"]");
    assert_eq!(share(&proxy, &bad, 20), 3);
}

#[test]
fn failures_0_takes_nobody_out() {
    let (bad, good) = (answering(503), Backend::plain());
    let proxy = Proxy::with(&[&bad, &good], "passive.failures = 0");
    assert_eq!(share(&proxy, &bad, 21), 11);
}

#[test]
fn the_last_one_standing_is_never_taken_out() {
    let bad = answering(503);
    let proxy = Proxy::over(&[&bad]);
    proxy.farewell(503);
    assert_eq!(share(&proxy, &bad, 20), 20);
}

#[test]
fn never_more_than_half_are_taken_out() {
    let bad = [(); 3].map(|()| answering(503));
    let good = Backend::plain();
    let places: Vec<&dyn Place> = vec![&bad[0], &bad[1], &bad[2], &good];
    let proxy = Proxy::over(&places);
    share(&proxy, &good, 40);
    let before: Vec<_> = bad.iter().map(|bad| bad.requests().len()).collect();
    share(&proxy, &good, 20);
    let asked = bad.iter().zip(before).filter(|(bad, before)| bad.requests().len() > *before);
    assert_eq!(asked.count(), 1, "two of four are out");
    eventually("the last GET finds the good one", || proxy.get("/").status() == 200);
    // Its turn is next but one; the bad one's comes first.
    proxy.get("/");
}

#[test]
fn a_client_that_leaves_is_not_the_backends_fault() {
    let backend = Backend::scripted(|visit, wire| {
        if visit < 6 {
            wire.request();
            wire.ending();
        } else {
            crate::harness::serve(wire);
        }
    });
    let good = Backend::plain();
    let proxy = Proxy::over(&[&backend, &good]);
    for number in 1..=6 {
        let mut leaver = proxy.connect();
        leaver.send("GET /left HTTP/1.1\r\nHost: a.test\r\n\r\n");
        backend.wait_requests(number);
        leaver.reset();
        assert_eq!(proxy.get("/").text(), "GET / 0\n");
    }
    eventually("the backend is left alone", || backend.connections() == 0);
    assert_eq!(share(&proxy, &backend, 10), 5);
}

#[test]
fn resets_and_silence_count_as_failures() {
    let resetting = Backend::every(|wire| {
        wire.request();
    });
    let good = Backend::plain();
    let proxy = Proxy::over(&[&resetting, &good]);
    let mut client = proxy.connect();
    for _ in 0..30 {
        assert_eq!(client.get("/").status(), 200);
    }
    assert_eq!(resetting.requests().len(), 3);
}

#[test]
fn a_faulty_backend_sits_turns_out_under_the_scored_policy_and_the_log_says_why() {
    let (bad, good) = (answering(500), Backend::plain());
    let proxy = Proxy::with(&[&bad, &good], "balance.policy = \"scored-round-robin\"");
    let share = share(&proxy, &bad, 60);
    assert!((1..10).contains(&share), "{share}");
    let line = proxy.process.said.wait("sits out");
    assert!(line.contains("backend A: score ") && line.contains(" answers bad"), "{line}");
}

#[test]
fn on_usr2_the_log_has_the_status_of_each_backend_with_the_policys_reasons() {
    let (bad, good) = (answering(500), Backend::plain());
    let proxy = Proxy::with(&[&bad, &good], "balance.policy = \"scored-round-robin\"");
    share(&proxy, &bad, 20);
    proxy.process.signal(Signal::USR2);
    let line = proxy.process.said.wait("backend A: up, ");
    assert!(line.contains("score ") && line.contains("threshold 250: sits out"), "{line}");
    assert!(line.contains(" answers bad"), "{line}");
    let line = proxy.process.said.wait("backend B: up, ");
    assert!(line.contains(" 0 failures; score 0, threshold 250: takes its turns"), "{line}");
}
