//! Several pools: which of them a request goes to, and that each goes by its own rules.

use crate::harness::{Backend, Gate, Place, Proxy, Wire, cases, eventually};
use serde_json::Value;

const TWO: &str = "[[pools]]\nname = \"web\"\n<A>\n[[pools]]\nname = \"api\"\n<B>\n\
                   [[routes]]\npool = \"web\"\n[[routes]]\npath = \"/api\"\npool = \"api\"\n";

/// The cases in tests/wire/requests/route: `to` is the backend that gets the request, or `-`.
#[test]
fn every_case_of_a_route_leads_where_the_application_thinks_it_does() {
    let [a, b, c, d] = [(); 4].map(|()| Backend::plain());
    let all = [&a, &b, &c, &d];
    let pools = "[[pools]]\nname = \"web\"\n<A>\n[[pools]]\nname = \"admin\"\n<B>\n\
                 [[pools]]\nname = \"api\"\n<C>\n[[pools]]\nname = \"wild\"\n<D>\n\
                 [[routes]]\npool = \"web\"\n\
                 [[routes]]\npath = \"/admin\"\npool = \"admin\"\n\
                 [[routes]]\nhost = \"api.test\"\npool = \"api\"\n\
                 [[routes]]\nhost = \"*.wild.test\"\npool = \"wild\"\n\
                 [[routes]]\nhost = \"only.test\"\npath = \"/only\"\npool = \"wild\"\n";
    let proxy = Proxy::with(&[&a, &b, &c, &d], pools);
    let (mut failures, mut expected) = (Vec::new(), [0; 4]);
    for case in cases("requests/route", &["status", "to"]) {
        let mut client = proxy.connect();
        client.offer(&case.bytes);
        let status = client.answer().status().to_string();
        let to = case.value("to").and_then(|to| "ABCD".find(to));
        to.into_iter().for_each(|to| expected[to] += 1);
        let visits = all.map(|backend| backend.requests().len());
        if case.value("status") != Some(&status) || visits != expected {
            failures.push(format!("{}: {status}, {visits:?} and not {expected:?}", case.name));
            expected = visits;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn what_no_route_is_for_is_404_and_the_connection_goes_on() {
    let (a, b) = (Backend::plain(), Backend::plain());
    let routes = "[[routes]]\nhost = \"a.test\"\npool = \"web\"\n\
                  [[routes]]\npath = \"/api\"\npool = \"api\"\n";
    let pools = TWO.split("[[routes]]").next().unwrap();
    let proxy = Proxy::with(&[&a, &b], &format!("server.ready = \"/ready\"\n{pools}{routes}"));
    let mut client = proxy.connect();
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: b.test\r\n\r\n", 404),
        ("POST / HTTP/1.1\r\nHost: b.test\r\nContent-Length: 5\r\n\r\nhello", 404),
        ("GET /ready HTTP/1.1\r\nHost: b.test\r\n\r\n", 200),
        ("GET /api/../x HTTP/1.1\r\nHost: b.test\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", 200),
        ("GET /api HTTP/1.1\r\nHost: b.test\r\n\r\n", 200),
        ("GET / HTTP/1.0\r\n\r\n", 404),
    ] {
        let answer = client.ask(request);
        assert_eq!(answer.status(), status, "{request}: {}", answer.text());
    }
    assert_eq!((a.visits(), b.visits()), (1, 1));
}

#[test]
fn each_pool_goes_by_its_own_policy_and_limits_and_the_file_by_the_rest() {
    let (a, b) = (Backend::plain(), Backend::plain());
    let gate = Gate::new();
    let slow = Backend::holding(&gate);
    let pools = "limits.body_bytes = \"5B\"\n[[pools]]\nname = \"web\"\n\
                 balance.policy = \"first-alive\"\n<A>\n<B>\n\
                 [[pools]]\nname = \"api\"\nlimits.body_bytes = 0\nqueue.length = 0\n<C>\n\
                 max_connections = 1\n\
                 [[routes]]\npool = \"web\"\n[[routes]]\npath = \"/held\"\npool = \"api\"\n";
    let proxy = Proxy::with(&[&a, &b, &slow], pools);
    (0..4).for_each(|_| assert_eq!(proxy.get("/").status(), 200));
    assert_eq!((a.requests().len(), b.requests().len()), (4, 0), "in the order of the file");
    let post = |target: &str| {
        format!("POST {target} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n\r\nsixish")
    };
    assert_eq!(proxy.ask(post("/")).status(), 413);
    let mut held: Wire = proxy.connect();
    held.send(post("/held"));
    eventually("it is there", || slow.visits() == 1);
    assert_eq!(proxy.get("/held").status(), 503, "the only place is taken, and there is no line");
    assert_eq!(proxy.get("/").status(), 200, "and nobody else is kept waiting by that");
    gate.open();
    assert_eq!(held.answer().status(), 200);
}

#[test]
fn a_pool_that_is_down_takes_down_nobody_else() {
    let (a, b) = (Backend::plain(), Backend::plain());
    let dead = b.go_down();
    let proxy = Proxy::with(&[&a, &dead], &format!("log.access = \"json\"\n{TWO}"));
    assert_eq!(proxy.get("/api/x").status(), 502);
    assert_eq!(proxy.get("/x").status(), 200);
    let of = |target: &str| {
        let record = proxy.record(target);
        [record["pool"].clone(), record["route"].clone()]
    };
    assert_eq!(
        [of("/api/x"), of("/x")],
        [["api", "*/api"], ["web", "*"]].map(|it| it.map(Value::from))
    );
}

#[test]
fn a_pool_that_a_reload_brings_and_nobody_of_whom_is_well_is_told_aloud() {
    let (a, b) = (Backend::plain(), Backend::plain());
    let dead = b.go_down();
    let settings = "health.interval = \"1h\"\n";
    let proxy = Proxy::with(&[&a], settings);
    proxy.pardon("NO BACKEND IS UP");
    proxy.reload(&[&a, &dead], &format!("{settings}{TWO}"));
    let line = proxy.process.said.wait("NO BACKEND IS UP in pool api by the file");
    assert!(line.contains(" ERROR "), "{line}");
    proxy.reload(&[&a, &dead], &format!("server.via = true\n{settings}{TWO}"));
    assert_eq!(proxy.said("NO BACKEND IS UP"), 1, "that was so before");
    let none = "answering 503 in pool api: no backend is usable: 1 down";
    proxy.pardon(none);
    assert_eq!(proxy.get("/api/x").status(), 503);
    proxy.process.said.wait(&format!("{none}; asked for GET /api/x"));
}

#[test]
fn a_stop_leaves_as_much_time_as_the_pool_that_needs_most() {
    let (gate, web) = (Gate::new(), Backend::plain());
    let slow = Backend::holding(&gate);
    let pools = TWO.replace("/api", "/held").replace("<B>", "timeouts.drain = \"1m\"\n<B>");
    let mut proxy = Proxy::with(&[&web, &slow], &format!("timeouts.drain = 0\n{pools}"));
    let mut held = proxy.asking("/held");
    eventually("it is there", || slow.visits() == 1);
    proxy.terminate();
    proxy.process.said.wait("stopping: 1 connection has up to 60s");
    gate.open();
    assert_eq!(held.answer().status(), 200);
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn pools_and_routes_come_go_and_change_by_a_reload_and_nobody_is_cut_off() {
    let gate = Gate::new();
    let (a, b, c) = (Backend::plain(), Backend::holding(&gate), Backend::plain());
    let proxy = Proxy::with(&[&a, &b], &TWO.replace("/api", "/held"));
    let mut held = proxy.asking("/held");
    eventually("it is there", || b.visits() == 1);
    let three = "[[pools]]\nname = \"new\"\n<C>\n[[pools]]\nname = \"web\"\n<A>\n\
                 [[routes]]\npool = \"web\"\n[[routes]]\npath = \"/held\"\npool = \"new\"\n";
    let named = |name: &str, place: &dyn Place| {
        let port = place.port();
        format!("[[pools.applications]]\nname = \"{name}\"\nip = \"127.0.0.1\"\nport = {port}\n")
    };
    let text = three.replace("<A>", &named("A", &a)).replace("<C>", &named("C", &c));
    let keys = "server.listen = \"127.0.0.1:0\"\nserver.workers = 2\nhealth.interval = \"off\"\n";
    let rest = "timeouts.upstream_keep_alive = \"50ms\"\ntimeouts.drain = \"5s\"\n";
    proxy.scratch.write("applications.toml", format!("{keys}{rest}{text}"));
    proxy.process.signal(rustix::process::Signal::HUP);
    let line = proxy.process.said.wait("reloaded: ");
    for part in [
        "pool api: gone",
        "pool new: new",
        "application B in pool api: gone",
        "route */held to new: new",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert_eq!(proxy.get("/held/x").status(), 200);
    assert_eq!((c.visits(), b.visits()), (1, 1));
    gate.open();
    assert_eq!(held.answer().status(), 200, "it ends where it began");
}

#[test]
fn who_came_in_for_one_pool_gets_no_other_when_that_leaves_the_file() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let all: [&dyn Place; 3] = [&a, &b, &c];
    let listeners = "[[listeners]]\nname = \"public\"\nlisten = \"127.0.0.1:0\"\npool = \"web\"\n\
                     [[listeners]]\nname = \"internal\"\nlisten = \"127.0.0.1:0\"\n";
    let pools = "[[pools]]\nname = \"web\"\n<A>\n[[pools]]\nname = \"admin\"\n<B>\n\
                 [[pools]]\nname = \"other\"\n<C>\n";
    let routes = "[[routes]]\nhost = \"admin.test\"\npool = \"admin\"\n\
                  [[routes]]\npool = \"other\"\n";
    let file = format!("{listeners}{pools}{routes}");
    let proxy = Proxy::with(&all, &file);
    let mut kept = proxy.connect();
    let ask = "GET / HTTP/1.1\r\nHost: admin.test\r\n\r\n";
    assert_eq!(kept.ask(ask).status(), 200);
    proxy.reload(&all, &file.replace("\"web\"", "\"site\""));
    assert_eq!(kept.ask(ask).status(), 404, "its pool is gone");
    assert_eq!(proxy.connect().ask(ask).status(), 200);
    assert_eq!([&a, &b, &c].map(|it| it.requests().len()), [2, 0, 0]);
}
