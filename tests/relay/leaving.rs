//! Clients that leave before they are answered: nobody works on for them.

use crate::harness::{
    Backend, BlackHole, Broken, Certs, Gate, Keyed, Place, Proving, Proxy, Wire, proving, trusting,
};
use serde_json::Value;
use std::time::Duration;

const ONE: &str = "max_connections = 1";
const JSON: &str = "log.access = \"json\"";

/// Sends the head of an event stream and one event, then nothing until the peer has ended; says so
/// by opening the gate.
fn events(ended: &Gate) -> impl Fn(&mut Wire) + Send + Sync + 'static {
    let ended = ended.clone();
    move |wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
        if wire.ending().1 == Broken::End {
            ended.open();
        }
    }
}

#[test]
fn who_has_closed_while_it_waited_in_line_is_passed_over_and_logged() {
    let gate = Gate::new();
    let narrow = Backend::holding(&gate);
    let settings = format!("{JSON}\nqueue.timeout = \"30s\"");
    let proxy = Proxy::with(&[&Keyed(&narrow, ONE)], &settings);
    let mut first = proxy.asking("/held");
    narrow.wait_requests(1);
    let mut leavers: Vec<Wire> =
        (0..10).map(|number| proxy.asking(&format!("/left/{number}"))).collect();
    leavers.iter_mut().for_each(Wire::stands_in_line);
    let mut last = proxy.asking("/last");
    last.stands_in_line();
    // The end of a connection that is closed, not reset.
    drop(leavers);
    for number in 0..10 {
        let record = proxy.record(&format!("/left/{number}"));
        assert_eq!((&record["status"], &record["cause"]), (&499.into(), &"CH".into()), "{record}");
        assert_eq!(
            (&record["backend"], &record["reason"]),
            (&Value::Null, &"the client left".into())
        );
    }
    gate.open();
    assert_eq!((first.answer().status(), last.answer().status()), (200, 200));
    assert_eq!(narrow.requests().len(), 2, "nobody was asked for those that left");
}

#[test]
fn who_left_through_tls_is_passed_over_too() {
    let gate = Gate::new();
    let narrow = Backend::holding(&gate);
    let proxy = Proxy::secure(&Certs::make(), &[&Keyed(&narrow, ONE)], JSON);
    let mut first = proxy.asking("/held");
    narrow.wait_requests(1);
    let mut leaver = proxy.asking("/left");
    leaver.stands_in_line();
    leaver.finish();
    assert_eq!(proxy.record("/left")["status"], 499);
    gate.open();
    assert_eq!(first.answer().status(), 200);
    assert_eq!(narrow.requests().len(), 1);
}

#[test]
fn who_only_stopped_sending_is_served_where_that_is_wanted() {
    let gate = Gate::new();
    let narrow = Backend::holding(&gate);
    let settings = "server.abort_on_close = false";
    let proxy = Proxy::with(&[&Keyed(&narrow, ONE)], settings);
    let mut first = proxy.asking("/held");
    narrow.wait_requests(1);
    let mut second = proxy.asking("/half");
    second.finish();
    second.stands_in_line();
    gate.open();
    assert_eq!((first.answer().status(), second.answer().status()), (200, 200));
}

#[test]
fn who_only_stopped_sending_is_answered_where_nobody_stands_in_line() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.asking("/held");
    backend.wait_requests(1);
    client.finish();
    client.stands_in_line();
    gate.open();
    assert_eq!(client.answer().status(), 200, "a backend that does not mind answers all the same");
}

#[test]
fn a_silent_event_stream_ends_with_its_client() {
    let ended = Gate::new();
    let narrow = Backend::first(events(&ended));
    let proxy = Proxy::with(&[&Keyed(&narrow, ONE)], JSON);
    let mut client = proxy.asking("/events");
    client.head().unwrap();
    client.expect("2\r\nhi\r\n");
    drop(client);
    ended.pass();
    let record = proxy.record("/events");
    assert_eq!((&record["cause"], &record["reason"]), (&"CD".into(), &"the client left".into()));
    assert_eq!(proxy.get("/next").status(), 200, "its place is free");
    assert_eq!(proxy.said("backend A"), 0, "and nobody is blamed");
}

#[test]
fn a_silent_event_stream_ends_with_its_client_through_tls() {
    let certs = Certs::make();
    let ended = Gate::new();
    let told = events(&ended);
    let backend = proving(Proving::with(&certs.leaf("localhost")), move |_, wire| told(wire));
    let proxy = Proxy::with(&[&Keyed(&backend, &trusting(&certs))], JSON);
    proxy.no_farewell();
    let mut client = proxy.asking("/events");
    client.head().unwrap();
    client.expect("2\r\nhi\r\n");
    drop(client);
    ended.pass();
    assert_eq!(proxy.record("/events")["cause"], "CD");
}

#[test]
fn a_backend_that_gives_up_on_a_client_that_left_is_not_asked_elsewhere() {
    let impatient = || Backend::silent();
    let (a, b) = (impatient(), impatient());
    let proxy = Proxy::with(&[&a, &b], JSON);
    proxy.no_farewell();
    for number in 0..6 {
        let target = format!("/left/{number}");
        let client = proxy.asking(&target);
        [&a, &b][number % 2].wait_requests(number / 2 + 1);
        drop(client);
        let record = proxy.record(&target);
        assert_eq!((&record["status"], &record["tries"]), (&499.into(), &1.into()), "{record}");
    }
    assert_eq!(a.requests().len() + b.requests().len(), 6);
    assert_eq!(proxy.said("ejected") + proxy.said("WARN"), 0);
}

#[test]
fn a_stream_goes_on_for_one_that_only_stopped_sending_where_that_is_wanted() {
    let gate = Gate::new();
    let told = gate.clone();
    let backend = Backend::first(move |wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
        told.pass();
        assert!(wire.is_silent_for(Duration::from_millis(20)), "no end is passed on");
        wire.send("3\r\nyou\r\n0\r\n\r\n");
    });
    let proxy = Proxy::with(&[&backend], "server.abort_on_close = false");
    let mut client = proxy.asking("/events");
    client.head().unwrap();
    client.expect("2\r\nhi\r\n");
    client.finish();
    client.stands_in_line();
    gate.open();
    client.expect("3\r\nyou\r\n0\r\n\r\n");
}

#[test]
fn what_a_backend_says_to_the_end_of_a_client_blames_nobody() {
    let gives_up = || {
        Backend::every(|wire| {
            wire.request();
            wire.ending();
            wire.offer("HTTP/1.1 502 Gave up\r\nContent-Length: 0\r\n\r\n");
        })
    };
    let (a, b) = (gives_up(), gives_up());
    let settings = format!("{JSON}\npassive.failures = 1\npassive.clients = 1");
    let proxy = Proxy::with(&[&a, &b], &settings);
    proxy.no_farewell();
    for number in 0..6 {
        let target = format!("/left/{number}");
        let client = proxy.asking(&target);
        [&a, &b][number % 2].wait_requests(number / 2 + 1);
        drop(client);
        proxy.record(&target);
    }
    assert_eq!(proxy.said("ejected") + proxy.said("WARN"), 0);
}

#[test]
fn nobody_else_is_asked_for_a_client_that_left() {
    let (silent, hole, other) = (Backend::every(ignoring), BlackHole::new(), Backend::plain());
    for first in [&silent as &dyn Place, &hole] {
        let settings = format!(
            "{JSON}\nbalance.policy = \"first-alive\"\ntimeouts.response = \"1s\"\n\
             timeouts.connect = \"5s\""
        );
        let proxy = Proxy::with(&[first, &other], &settings);
        proxy.no_farewell();
        let mut client = proxy.asking("/left");
        client.stands_in_line();
        drop(client);
        let record = proxy.record("/left");
        assert_eq!((&record["status"], &record["tries"]), (&499.into(), &1.into()), "{record}");
    }
    assert_eq!(other.requests().len(), 0);
}

/// Reads a request, and stays for a while whatever the peer does.
fn ignoring(wire: &mut Wire) {
    wire.request();
    std::thread::park_timeout(Duration::from_secs(2));
}
