//! How a connection that is passed on ends: by itself, by a limit, by an operator, by the stop.

use super::{echo, named, passing, record, records};
use crate::harness::{Backend, Broken, Gate, Vacant, eventually, timed};
use rustix::io::ioctl_fionread;
use rustix::net::sockopt::set_socket_linger;
use serde_json::Value;
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn each_side_may_end_by_itself_and_the_other_goes_on() {
    let backend = Backend::every(|wire| {
        let (asked, end) = wire.ending();
        assert_eq!((asked, end), (b"what?".to_vec(), Broken::End));
        wire.send(vec![b'a'; 1 << 20]);
    });
    let proxy = passing(&[&backend], "");
    let mut client = proxy.connect();
    client.send("what?");
    client.finish();
    let (answer, end) = client.ending();
    assert_eq!((answer.len(), end), (1 << 20, Broken::End));

    let backend = Backend::every(|wire| {
        wire.send("bye");
        wire.finish();
        assert_eq!(wire.ending().0.len(), 1 << 20);
    });
    let proxy = passing(&[&backend], "");
    let mut client = proxy.connect();
    assert_eq!(client.ending(), (b"bye".to_vec(), Broken::End));
    client.send(vec![b'b'; 1 << 20]);
    client.finish();
    assert_eq!(record(&proxy)["cause"], "--");
}

#[test]
fn a_client_that_has_said_all_before_there_is_a_connection_is_served() {
    let vacant = Vacant::new();
    let b = Backend::every(echo);
    let proxy = passing(&[&vacant, &b], "balance.policy = \"first-alive\"");
    let mut client = proxy.connect();
    client.send("all of it");
    client.finish();
    assert_eq!(client.ending(), (b"all of it".to_vec(), Broken::End));
    // One that says nothing at all hears what there is to hear.
    let daytime = Backend::every(|wire| wire.send("Friday"));
    let proxy = passing(&[&daytime], "");
    let mut client = proxy.connect();
    client.finish();
    assert_eq!(client.ending(), (b"Friday".to_vec(), Broken::End));
}

#[test]
fn a_reset_is_passed_on_as_one() {
    let backend = Backend::every(|wire| {
        if wire.exactly(1).unwrap() == b"!" {
            wire.send("FATAL");
            set_socket_linger(wire.stream(), Some(Duration::ZERO)).unwrap();
            return;
        }
        assert_eq!(wire.ending().1, Broken::Reset);
    });
    let proxy = passing(&[&backend], "");
    let mut client = proxy.connect();
    client.send("!");
    assert_eq!(client.ending(), (b"FATAL".to_vec(), Broken::Reset));
    let mut client = proxy.connect();
    client.send("?");
    eventually("it has come", || backend.tapes().get(1).is_some_and(|tape| !tape.is_empty()));
    client.reset();
    let records = records(&proxy, 2);
    assert_eq!((&records[0]["cause"], &records[1]["cause"]), (&"SD".into(), &"CD".into()));
    assert_eq!(records[0]["reason"], "the application broke off");
    assert_eq!(records[1]["reason"], "the client broke off");
}

#[test]
fn who_is_silent_for_too_long_is_cut_off_and_sooner_once_the_other_has_ended() {
    let gate = Gate::new();
    let opens = gate.clone();
    let backend = Backend::every(move |wire| {
        if wire.exactly(1).unwrap() == b"e" {
            wire.finish();
        }
        opens.pass();
    });
    let settings = "timeouts.tunnel_idle = \"900ms\"\ntimeouts.tunnel_fin = \"200ms\"";
    let proxy = passing(&[&backend], settings);
    let mut idle = proxy.connect();
    idle.send("i");
    let ((_, end), took) = timed(|| idle.ending());
    assert_eq!(end, Broken::Reset);
    assert!(took >= Duration::from_millis(850), "{took:?}");
    // The client has ended, and the backend says no more.
    let mut half = proxy.connect();
    half.send("h");
    half.finish();
    assert_eq!(half.ending(), (Vec::new(), Broken::Reset));
    // The backend has ended, and the client stays.
    let mut ended = proxy.connect();
    ended.send("e");
    ended.expect_end();
    let why = |it: &Value| [&it["cause"], &it["reason"]].map(|it| it.as_str().unwrap().to_owned());
    let seen: Vec<_> = records(&proxy, 3).iter().map(why).collect();
    let expected = [
        ["cD", "both sides were silent for 900.0 ms ([timeouts] tunnel_idle)"],
        ["sD", "the application was silent for 200.0 ms ([timeouts] tunnel_fin)"],
        ["cD", "the client was silent for 200.0 ms ([timeouts] tunnel_fin)"],
    ];
    assert_eq!(seen, expected);
    gate.open();
}

#[test]
fn who_breaks_off_behind_its_end_is_not_waited_for() {
    // The client has asked all, and is killed with words unread: its backend is to know.
    let gate = Gate::new();
    let opens = gate.clone();
    let backend = Backend::every(move |wire| {
        wire.send("hello");
        wire.expect_end();
        opens.pass();
        assert!(!wire.offer("an answer"), "it was reset");
    });
    let proxy = passing(&[&backend], "");
    let mut client = proxy.connect();
    client.finish();
    eventually("a greeting waits there", || ioctl_fionread(client.stream()).unwrap() == 5);
    drop(client);
    assert_eq!(record(&proxy)["cause"], "CD");
    gate.open();
    // The backend has ended, and then leaves with words unread.
    let backend = Backend::every(|wire| {
        wire.finish();
        eventually("they have come", || ioctl_fionread(wire.stream()).unwrap() == 5);
    });
    let proxy = passing(&[&backend], "");
    let mut client = proxy.connect();
    client.send("hello");
    client.expect_end();
    assert_eq!(record(&proxy)["cause"], "SD");
}

#[test]
fn who_takes_nothing_for_too_long_is_named() {
    let gate = Gate::new();
    let opens = gate.clone();
    let backend = Backend::every(move |wire| {
        if wire.exactly(1).unwrap() == b"d" {
            while wire.offer([b'd'; 64 * 1024]) {}
        }
        opens.pass();
    });
    let proxy = passing(&[&backend], "timeouts.tunnel_idle = \"1s\"");
    let mut up = proxy.connect();
    while up.offer([b'u'; 64 * 1024]) {}
    let first = record(&proxy);
    let mut down = proxy.connect();
    down.send("d");
    let seen = records(&proxy, 2);
    let taken = |who| format!("{who} took nothing for 1.0 s ([timeouts] tunnel_idle)");
    assert_eq!(
        (&first["cause"], &first["reason"]),
        (&"sD".into(), &taken("the application").into())
    );
    let second = &seen[1];
    assert_eq!((&second["cause"], &second["reason"]), (&"cD".into(), &taken("the client").into()));
    gate.open();
}

#[test]
fn bytes_in_one_direction_keep_both_alive() {
    let backend = named("hello");
    let proxy = passing(&[&backend], "timeouts.tunnel_idle = \"1s\"");
    let mut client = proxy.connect();
    client.expect("hello");
    let mut later = proxy.connect();
    later.expect("hello");
    later.finish();
    later.expect_end();
    for _ in 0..6 {
        assert!(client.is_silent_for(Duration::from_millis(300)));
        client.send("x");
        client.expect("x");
    }
    client.finish();
    client.expect_end();
    // Each line has the time when its connection came, whenever that ended.
    let times: Vec<_> = records(&proxy, 2).iter().map(|it| it["time"].to_string()).collect();
    assert!(times[1] <= times[0], "{times:?}");
}

#[test]
fn what_is_open_goes_on_at_its_backend_when_the_file_has_it_no_more() {
    let (a, b) = (named("a"), named("b"));
    let proxy = passing(&[&a], "");
    let mut before = proxy.connect();
    before.expect("a");
    proxy.reload(&[&b], &format!("log.access = \"json\"\n{}", super::TCP));
    proxy.connect().expect("b");
    before.send("still there");
    before.expect("still there");
}

#[test]
fn a_listener_may_become_one_of_http_and_keeps_whom_it_has() {
    let backend = Backend::plain();
    let proxy = passing(&[&backend], "");
    let mut before = proxy.connect();
    assert_eq!(before.get("/before").status(), 200);
    let listener = super::TCP.replace("\"tcp\"", "\"http\"");
    proxy.reload(&[&backend], &format!("log.access = \"json\"\n{listener}"));
    proxy.farewell(200);
    assert_eq!(proxy.get("/after").status(), 200);
    assert_eq!(before.get("/still").status(), 200);
    let forwarded: Vec<_> =
        backend.requests().iter().map(|it| it.field("x-forwarded-for").is_some()).collect();
    assert_eq!(forwarded, [false, true, false]);
}

#[test]
fn who_is_open_at_the_stop_has_the_time_to_drain_and_is_reset_then() {
    let backend = named("hello");
    let mut proxy = passing(&[&backend], "timeouts.drain = \"2s\"");
    let (mut one, mut other) = (proxy.connect(), proxy.connect());
    one.expect("hello");
    other.expect("hello");
    proxy.terminate();
    eventually("nobody else comes in", || TcpStream::connect(proxy.address).is_err());
    one.send("last words");
    one.expect("last words");
    one.finish();
    one.expect_end();
    assert_eq!(other.ending().1, Broken::Reset);
    assert_eq!(proxy.exit_code(), Some(0));
    proxy.process.printed.wait("\"cause\":\"KD\"");
}
