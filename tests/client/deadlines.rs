//! No call waits longer than it may, whatever a backend does.

use crate::harness::{Backend, BlackHole, DEADLINE, Gate, Wire, timed};
use crate::{NO_CHECKS, client};
use evenly::client::{Error, GaveUp, Response};
use std::time::Duration;

/// Short beside DEADLINE, long beside a busy machine's hiccups.
const SHORT: Duration = Duration::from_millis(200);

/// Sends a head and then a byte now and then, for as long as anybody listens.
fn drip(wire: &mut Wire) {
    if wire.request().is_some() && wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    {
        while wire.is_silent_for(Duration::from_millis(10)) && wire.offer("x") {}
    }
}

fn assert_late(result: Result<Response, Error>, how: &str) {
    match result {
        Err(Error::Failed { last, because: GaveUp::Deadline }) => assert_eq!(last.why, how),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_ends_in_time_with_a_black_hole() {
    let hole = BlackHole::new();
    let client = client(&[&hole], &NO_CHECKS).with_timeout(SHORT);
    let (result, took) = timed(|| client.get("/"));
    assert!((SHORT..DEADLINE).contains(&took), "{took:?}");
    assert_late(result, "connect timed out until the time of the call was up");
}

#[test]
fn a_call_ends_in_time_with_a_server_that_drips() {
    let slow = Backend::every(drip);
    let client = client(&[&slow], &NO_CHECKS).with_timeout(SHORT);
    let (result, took) = timed(|| client.get("/"));
    assert!((SHORT..DEADLINE).contains(&took), "{took:?}");
    assert_late(result, "silent in its answer until the time of the call was up");
}

#[test]
fn a_head_that_drips_has_the_time_of_an_answer_as_a_whole() {
    let slow = Backend::every(|wire| {
        if wire.request().is_some() && wire.offer("HTTP/1.1 200 OK\r\nX: ") {
            while wire.is_silent_for(Duration::from_millis(10)) && wire.offer("x") {}
        }
    });
    let well = Backend::plain();
    let keys = [NO_CHECKS[0], ("timeouts.response", "1s")];
    let (answer, took) = timed(|| client(&[&slow, &well], &keys).get("/").unwrap());
    assert_eq!(answer.backend(), "B");
    assert!((SHORT..DEADLINE).contains(&took), "{took:?}");
}

#[test]
fn a_black_hole_costs_one_connect_timeout_and_the_next_one_answers() {
    let (hole, well) = (BlackHole::new(), Backend::plain());
    let keys = [NO_CHECKS[0], ("timeouts.connect", "200ms")];
    let client = client(&[&hole, &well], &keys);
    let (answer, took) = timed(|| client.get("/").unwrap());
    assert_eq!((answer.backend(), answer.tries()), ("B", 2));
    assert!((SHORT..DEADLINE).contains(&took), "{took:?}");
}

/// The first one takes its time and hangs up, and what is left of the call's is too short for the
/// next: that says nothing about it.
#[test]
fn one_that_had_no_time_left_of_the_call_stays_in() {
    let slow = Backend::every(|wire| {
        let _ = wire.request();
        wire.is_silent_for(Duration::from_millis(1200));
    });
    let (hole, well, other) = (BlackHole::new(), Backend::plain(), Backend::plain());
    let keys = [NO_CHECKS[0], ("balance.policy", "first-alive")];
    let client = client(&[&slow, &hole, &well, &other], &keys);
    let client = client.with_timeout(Duration::from_secs(2));
    for _ in 0..3 {
        assert_late(client.get("/"), "connect timed out until the time of the call was up");
    }
    assert_eq!(client.usable(), ["B", "C", "D"], "the slow one alone is out");
}

#[test]
fn a_silent_server_is_given_up_and_a_post_to_it_is_not_sent_again() {
    let (silent, well) = (Backend::silent(), Backend::plain());
    let keys = [NO_CHECKS[0], ("timeouts.response", "1s")];
    let client = client(&[&silent, &well], &keys);
    assert_eq!(client.get("/").unwrap().backend(), "B");
    match client.request("POST", "/", &[], b"x") {
        Err(Error::Failed { last, because: GaveUp::MayHaveActed }) => {
            assert_eq!(last.to_string(), "A: no answer after 1 s");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(well.requests().len(), 1);
}

#[test]
fn a_server_that_reads_nothing_does_not_hold_a_call() {
    let done = Gate::new();
    let until = done.clone();
    let deaf = Backend::every(move |_| until.pass());
    let body = vec![b'x'; 16 << 20];
    let client = client(&[&deaf], &NO_CHECKS).with_timeout(SHORT);
    let (result, took) = timed(|| client.request("PUT", "/", &[], &body));
    done.open();
    assert!((SHORT..DEADLINE).contains(&took), "{took:?}");
    assert_late(result, "took no more of the request until the time of the call was up");
}
