//! The line before full backends: first come first served, so long and no longer.

use crate::harness::{Backend, Gate, Keyed, Proxy, Vacant, Wire, eventually, serve, timed};
use serde_json::Value;
use std::thread;
use std::time::Duration;

const ONE: &str = "max_connections = 1";

#[test]
fn who_comes_first_is_served_first() {
    let gate = Gate::new();
    let narrow = Backend::held(&gate, "held");
    // One worker, which reads them in the order in which they came.
    let proxy = Proxy::with(&[&Keyed(&narrow, ONE)], "server.workers = 1\nqueue.timeout = \"30s\"");
    let mut first = proxy.asking("/0");
    narrow.wait_requests(1);
    let mut waiting: Vec<Wire> = Vec::new();
    for number in 1..=8 {
        waiting.push(proxy.asking(&format!("/{number}")));
        waiting.last_mut().unwrap().stands_in_line();
    }
    gate.open();
    assert_eq!(first.answer().text(), "held");
    for (number, client) in (1..=8).zip(&mut waiting) {
        assert_eq!(client.answer().text(), format!("GET /{number} 0\n"));
    }
    let order: Vec<_> = narrow.requests().iter().map(|seen| seen.target().to_owned()).collect();
    assert_eq!(order, (0..=8).map(|number| format!("/{number}")).collect::<Vec<_>>());
}

#[test]
fn who_waits_is_served_by_a_backend_that_comes_up() {
    let gate = Gate::new();
    let full = Backend::holding(&gate);
    let down = Vacant::new();
    let settings = "queue.timeout = \"30s\"\nhealth.interval = \"100ms\"\nhealth.rise = 1";
    // Declared first, so that the last GET still finds it up.
    let _up;
    let proxy = Proxy::with(&[&Keyed(&full, ONE), &down], settings);
    proxy.process.said.wait("backend B: check failed");
    let mut first = proxy.asking("/held");
    full.wait_target("/held");
    let mut second = proxy.asking("/second");
    second.stands_in_line();
    _up = down.open(serve);
    assert_eq!(second.answer().text(), "GET /second 0\n");
    gate.open();
    assert_eq!(first.answer().status(), 200);
}

#[test]
fn who_waits_is_served_by_a_backend_whose_ejection_ends() {
    let gate = Gate::new();
    let (full, gone) = (Backend::holding(&gate), Vacant::new());
    let settings = "queue.timeout = \"30s\"\npassive.failures = 1\npassive.eject = \"6s\"";
    let _back;
    let proxy = Proxy::with(&[&Keyed(&full, ONE), &gone], settings);
    let mut client = proxy.connect();
    for _ in 0..2 {
        assert_eq!(client.get("/").status(), 200);
    }
    proxy.process.said.wait("ejected");
    _back = gone.open(serve);
    let mut first = proxy.asking("/held");
    full.wait_requests(3);
    let mut second = proxy.asking("/second");
    second.stands_in_line();
    assert_eq!(second.answer().text(), "GET /second 0\n");
    gate.open();
    assert_eq!(first.answer().status(), 200);
}

#[test]
fn who_waits_is_served_by_a_backend_that_gets_its_share_back() {
    let gate = Gate::new();
    let (full, down) = (Backend::holding(&gate), Vacant::new());
    let settings = "queue.timeout = \"30s\"\nhealth.interval = \"100ms\"\nhealth.rise = 1\n\
                    balance.slow_start = \"3s\"";
    let _up;
    let proxy = Proxy::with(&[&Keyed(&full, ONE), &down], settings);
    proxy.process.said.wait("backend B: check failed");
    let mut first = proxy.asking("/held");
    full.wait_target("/held");
    let mut line: Vec<Wire> = (0..5).map(|number| proxy.asking(&format!("/{number}"))).collect();
    line.iter_mut().for_each(Wire::stands_in_line);
    _up = down.open(serve);
    for (number, client) in line.iter_mut().enumerate() {
        assert_eq!(client.answer().text(), format!("GET /{number} 0\n"));
    }
    gate.open();
    assert_eq!(first.answer().status(), 200);
}

#[test]
fn a_wait_that_is_too_long_ends_with_503() {
    let gate = Gate::new();
    let narrow = Backend::held(&gate, "held");
    let settings = "queue.timeout = \"1s\"\nlog.access = \"json\"";
    let proxy = Proxy::with(&[&Keyed(&narrow, ONE)], settings);
    proxy.pardon("answering 503");
    let mut first = proxy.asking("/held");
    narrow.wait_requests(1);
    let mut late = proxy.asking("/late");
    let answer = late.answer();
    assert_eq!(answer.status(), 503);
    assert!(answer.field("retry-after").is_some());
    let line = proxy.process.printed.wait("\"/late\"");
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&record["cause"], &record["backend"]), (&"sQ".into(), &Value::Null), "{record}");
    gate.open();
    assert_eq!(first.answer().text(), "held");
    assert_eq!(late.get("/again").status(), 200);
}

#[test]
fn a_line_that_is_full_takes_nobody_more() {
    for (settings, waiting) in [("queue.length = 0", 0), ("queue.length = 2", 2)] {
        let gate = Gate::new();
        let narrow = Backend::held(&gate, "held");
        let settings = format!("queue.timeout = \"30s\"\n{settings}");
        let proxy = Proxy::with(&[&Keyed(&narrow, ONE)], &settings);
        proxy.pardon("answering 503");
        let mut first = proxy.asking("/held");
        narrow.wait_requests(1);
        let mut line: Vec<Wire> = (0..waiting).map(|_| proxy.asking("/in-line")).collect();
        line.iter_mut().for_each(Wire::stands_in_line);
        assert_eq!(proxy.asking("/too-many").answer().status(), 503, "{settings}");
        gate.open();
        assert_eq!(first.answer().text(), "held");
        for client in &mut line {
            assert_eq!(client.answer().status(), 200, "{settings}");
        }
        drop(first);
        eventually("the place is free", || proxy.get("/").status() == 200);
        proxy.no_farewell();
    }
}

#[test]
fn who_leaves_the_line_is_not_waited_for() {
    let gate = Gate::new();
    let narrow = Backend::held(&gate, "held");
    let proxy =
        Proxy::with(&[&Keyed(&narrow, ONE)], "queue.timeout = \"30s\"\nlog.access = \"common\"");
    let mut first = proxy.asking("/held");
    narrow.wait_requests(1);
    let mut leaver = proxy.asking("/left");
    leaver.stands_in_line();
    let mut last = proxy.asking("/last");
    last.stands_in_line();
    leaver.reset();
    // Only who is known to have left is passed over.
    proxy.process.printed.wait("GET /left");
    gate.open();
    assert_eq!(first.answer().text(), "held");
    assert_eq!(last.answer().text(), "GET /last 0\n");
    assert!(narrow.requests().iter().all(|seen| seen.target() != "/left"));
}

#[test]
fn a_holder_that_fails_or_leaves_lets_the_next_one_in() {
    let narrow = Backend::first(|wire| {
        wire.request();
        wire.ending();
    });
    let proxy = Proxy::with(&[&Keyed(&narrow, ONE)], "queue.timeout = \"30s\"");
    let holder = proxy.asking("/held");
    narrow.wait_requests(1);
    let mut next = proxy.asking("/next");
    next.stands_in_line();
    holder.reset();
    assert_eq!(next.answer().text(), "GET /next 0\n");
}

#[test]
fn a_crowd_before_one_place_is_served_to_the_last() {
    let narrow = Backend::plain();
    let settings = "server.workers = 4\nqueue.timeout = \"10s\"";
    let proxy = Proxy::with(&[&Keyed(&narrow, ONE)], settings);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut client = Wire::connect(proxy.address);
                for _ in 0..25 {
                    assert_eq!(client.get("/crowd").status(), 200);
                }
            });
        }
    });
    assert_eq!(narrow.requests().len(), 400);
}

#[test]
fn one_that_waits_does_not_hold_up_the_end() {
    let gate = Gate::new();
    let narrow = Backend::held(&gate, "held");
    let mut proxy = Proxy::over(&[&Keyed(&narrow, ONE)]);
    let mut first = proxy.asking("/held");
    narrow.wait_requests(1);
    let mut second = proxy.asking("/waits");
    second.stands_in_line();
    proxy.terminate();
    gate.open();
    assert_eq!(first.answer().text(), "held");
    assert_eq!(second.answer().text(), "GET /waits 0\n");
    drop((first, second));
    assert_eq!(proxy.exit_code(), Some(0));
}

/// Begins ten uploads of which nothing worth a place has come.
fn uploads(proxy: &Proxy, framing: &str, first: &str) -> Vec<Wire> {
    let begin = |_| {
        let mut client = proxy.connect();
        client.send(format!("POST /u HTTP/1.1\r\nHost: a.test\r\n{framing}\r\n\r\n{first}"));
        client.stands_in_line();
        client
    };
    (0..10).map(begin).collect()
}

#[test]
fn uploads_that_have_little_to_say_keep_no_place_from_others() {
    for (framing, first, rest) in [
        ("Content-Length: 2", "h", "i"),
        ("Content-Length: 20000", "h", &*"i".repeat(19_999)),
        ("Transfer-Encoding: chunked", "1\r\nh\r\n", "1\r\ni\r\n0\r\n\r\n"),
    ] {
        let (a, b) = (Backend::plain(), Backend::plain());
        let five = "max_connections = 5";
        let proxy = Proxy::over(&[&Keyed(&a, five), &Keyed(&b, five)]);
        let mut slow = uploads(&proxy, framing, first);
        for _ in 0..10 {
            assert_eq!(proxy.get("/good").status(), 200, "{framing}");
        }
        for client in &mut slow {
            client.send(rest);
            assert!(client.answer().text().starts_with("POST /u "), "{framing}");
        }
    }
}

#[test]
fn a_body_that_fills_the_buffer_goes_up_before_its_end() {
    let narrow = Backend::first(|wire| {
        wire.request_head();
        wire.exactly(17_000).unwrap();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    });
    let proxy = Proxy::over(&[&Keyed(&narrow, ONE)]);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n");
    client.send([b'x'; 17_000]);
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn who_waits_for_a_100_is_asked_for_its_body() {
    let narrow = Backend::plain();
    let proxy = Proxy::over(&[&Keyed(&narrow, ONE)]);
    let expecting = || {
        let mut client = proxy.connect();
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n");
        client.send("Content-Length: 2\r\n\r\n");
        assert_eq!(client.answer().status(), 100);
        client
    };
    // By us: while they hold it back, they keep no place from others.
    let mut waiting = [(); 3].map(|()| expecting());
    assert_eq!(narrow.visits(), 0);
    assert_eq!(proxy.get("/good").status(), 200);
    for client in &mut waiting {
        client.send("hi");
        assert_eq!(client.answer().text(), "POST / 2\n");
    }
    assert!(narrow.requests().iter().all(|seen| seen.field("expect").is_none()));
}

#[test]
fn a_body_of_little_but_framing_lets_others_go_first() {
    let narrow = Backend::plain();
    let settings = "server.workers = 1\nlimits.buffer_bytes = \"128KiB\"";
    let proxy = Proxy::with(&[&Keyed(&narrow, "max_connections = 8")], settings);
    let stop = Gate::new();
    let mut greedy = proxy.connect();
    greedy.send("POST /u HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    let (mut sender, told) = (Wire::of(greedy.stream().try_clone().unwrap()), stop.clone());
    let chunks = format!("1;{}\r\na\r\n", "e".repeat(1000)).repeat(64);
    let sending = thread::spawn(move || while !told.is_open() && sender.offer(&chunks) {});
    let mut good = proxy.connect();
    for _ in 0..30 {
        let (answer, took) = timed(|| good.get("/good"));
        assert_eq!(answer.status(), 200);
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    stop.open();
    let _ = greedy.stream().shutdown(std::net::Shutdown::Both);
    sending.join().unwrap();
}

#[test]
fn an_upload_that_stops_before_it_has_a_place_is_told_408_and_blames_nobody() {
    let narrow = Backend::plain();
    let settings = "timeouts.client_body = \"200ms\"";
    let proxy = Proxy::with(&[&Keyed(&narrow, ONE)], settings);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nh");
    assert_eq!(client.answer().status(), 408);
    assert_eq!(narrow.visits(), 0);
}

#[test]
fn where_nothing_is_awaited_a_body_goes_up_as_it_comes() {
    let gate = Gate::new();
    let seen = gate.clone();
    let narrow = Backend::first(move |wire| {
        wire.request_head();
        wire.expect("h");
        seen.open();
        wire.expect("i");
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let proxy = Proxy::with(&[&Keyed(&narrow, ONE)], "limits.buffer_bytes = 0");
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nh");
    gate.pass();
    client.send("i");
    assert_eq!(client.answer().text(), "ok");
}
