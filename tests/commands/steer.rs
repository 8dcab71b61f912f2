//! `evenly drain`, `ready`, `maint`, `pause`, `resume`, `reload`, `diff` and `healthcheck`.

use crate::harness::{Backend, Gate, Process, Proxy, Vacant, Wire, eventually};
use crate::{House, failed, fine};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

/// A balancer over two backends, the first of which has a request in flight until it is let go.
/// They go in this order.
struct Busy {
    client: Wire,
    proxy: Proxy,
    house: House,
    gate: Gate,
    held: Backend,
    other: Backend,
}

impl Busy {
    fn new() -> Self {
        let gate = Gate::new();
        let (held, other) = (Backend::holding(&gate), Backend::plain());
        let house = House::new();
        let proxy = house.balancer("s", &[&held, &other], "");
        let client = proxy.asking("/held");
        held.wait_requests(1);
        Self { client, proxy, house, gate, held, other }
    }

    /// A drain of the first one that waits for its end.
    fn begin_drain(&self) -> Process {
        let socket = self.house.socket("s");
        self.house.begin(&format!("drain A --wait 60s --socket {socket}"))
    }

    fn let_go(&mut self) {
        self.gate.open();
        assert_eq!(self.client.answer().status(), 200);
    }
}

#[test]
fn a_drain_waits_until_nothing_is_in_flight_any_more() {
    let mut busy = Busy::new();
    let draining = busy.begin_drain();
    let line = draining.printed.wait("1 request in flight");
    assert!(line.contains('A'), "{line}");
    // New requests go to the other, while it waits.
    (0..4).for_each(|_| assert_eq!(busy.proxy.get("/new").status(), 200));
    assert_eq!((busy.held.requests().len(), busy.other.requests().len()), (1, 4));
    busy.let_go();
    let printed = fine(draining.finish());
    assert!(printed.ends_with("A has nothing in flight"), "{printed}");
    let sentence = fine(busy.house.ask("s", "status"));
    assert!(sentence.starts_with("1 of 2 up; A draining for "), "{sentence}");
    fine(busy.house.ask("s", "ready A --wait 60s"));
    assert!(fine(busy.house.ask("s", "status")).starts_with("2 of 2 up\n"));
}

#[test]
fn a_wait_that_is_over_says_what_remains() {
    let mut busy = Busy::new();
    let said = failed(busy.house.ask("s", "drain A --wait 300ms"));
    assert_eq!(said, "evenly: after 300.0 ms: A still has 1 request in flight");
    // It is drained all the same.
    assert_eq!(busy.house.status("s")["pools"][0]["backends"][0]["mode"], "drain");
    busy.let_go();
}

#[test]
fn a_wait_ends_when_somebody_else_wants_otherwise() {
    let mut busy = Busy::new();
    let draining = busy.begin_drain();
    draining.printed.wait("in flight");
    fine(busy.house.ask("s", "ready A"));
    let said = failed(draining.finish());
    assert_eq!(said, "evenly: A is set to ready now: by somebody else, or by a new start");
    busy.let_go();
}

#[test]
fn a_wait_outlasts_a_balancer_that_does_not_answer_for_a_while() {
    let mut busy = Busy::new();
    let draining = busy.begin_drain();
    draining.printed.wait("1 request in flight");
    // Somebody else is there, who hangs up; then nobody; then the balancer again.
    fs::rename(busy.house.socket("s"), busy.house.socket("away")).unwrap();
    let stranger = UnixListener::bind(busy.house.socket("s")).unwrap();
    drop(stranger.accept().unwrap());
    drop(stranger);
    fs::rename(busy.house.socket("away"), busy.house.socket("s")).unwrap();
    busy.let_go();
    assert!(fine(draining.finish()).ends_with("A has nothing in flight"));
}

#[test]
fn the_last_one_that_is_usable_takes_force() {
    let backend = Backend::plain();
    let house = House::new();
    let proxy = house.balancer("s", &[&backend], "");
    proxy.pardon("NO BACKEND IS UP");
    proxy.pardon("no backend is usable: 1 drained");
    let said = failed(house.ask("s", "drain A"));
    assert!(said.contains("--force"), "{said}");
    assert_eq!(proxy.get("/").status(), 200);
    fine(house.ask("s", "maint A --force"));
    assert_eq!(proxy.get("/").status(), 503);
    fine(house.ask("s", "ready A"));
}

#[test]
fn an_unknown_name_is_answered_with_those_that_there_are() {
    let backend = Backend::plain();
    let house = House::new();
    let more = format!(
        "[[applications]]\nname = \"API one/2\"\nip = \"localhost\"\nport = {}",
        crate::harness::Place::port(&backend)
    );
    let _proxy = house.balancer("s", &[&backend], &more);
    let said = failed(house.ask("s", "drain API"));
    assert!(said.contains("A") && said.contains("API one/2"), "{said}");
    let said = failed(house.ask("s", "drain a"));
    assert!(said.ends_with("did you mean A?"), "{said}");
    // A name may hold what a path may not.
    let socket = house.socket("s");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_evenly"));
    command.args(["drain", "API one/2", "--socket", &socket]);
    fine(crate::harness::Process::start(&mut command, &house.runtime()).finish());
    fine(house.ask("s", "status"));
}

#[test]
fn a_ready_that_waits_is_told_why_it_is_not_up() {
    let (backend, gone) = (Backend::plain(), Vacant::new());
    let house = House::new();
    let checked = "health.interval = \"100ms\"\nhealth.fall = 1";
    let _proxy = house.balancer("s", &[&backend, &gone], checked);
    eventually("B is down", || fine(house.ask("s", "status")).starts_with("1 of 2 up; B down"));
    let said = failed(house.ask("s", "ready B --wait 200ms"));
    assert!(said.starts_with("evenly: after 200.0 ms: B is down: "), "{said}");
}

#[test]
fn requests_wait_while_it_is_paused_and_go_on_when_it_is_not() {
    let backend = Backend::plain();
    let house = House::new();
    let proxy = house.balancer("s", &[&backend], "");
    let printed = fine(house.ask("s", "pause --for 20s"));
    assert!(printed.contains("20"), "{printed}");
    let mut client = proxy.asking("/waits");
    eventually("the table says so", || {
        fine(house.ask("s", "status")).contains("more; 1 of 1,024 places in the queue taken")
    });
    assert!(backend.requests().is_empty());
    fine(house.ask("s", "resume"));
    assert_eq!(client.answer().status(), 200);
    let said = failed(house.ask("s", "pause nobody"));
    assert!(said.ends_with("which needs no name; leave it out"), "{said}");
    let (code, _, said) = house.ask("s", "pause --for 1h");
    assert!(code == Some(2) && said.contains("30s"), "{said}");
}

#[test]
fn what_is_passed_on_is_called_a_connection_and_where_both_come_in_either() {
    let open = || {
        Backend::every(|wire| {
            wire.send("hello");
            wire.ending();
        })
    };
    let (a, b) = (open(), Backend::plain());
    let house = House::new();
    let tcp = "[[listeners]]\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"\npool = \"db\"\n\
               [[pools]]\nname = \"db\"\n<A>\n";
    let proxy = house.balancer("s", &[&a], tcp);
    proxy.no_farewell();
    proxy.pardon("NO BACKEND IS UP");
    let mut client = proxy.connect();
    client.expect("hello");
    let printed = fine(house.ask("s", "drain A --force"));
    assert!(printed.ends_with("; 1 connection in flight"), "{printed}");
    let said = failed(house.ask("s", "drain A --force --wait 1ms"));
    assert!(said.ends_with("A still has 1 connection in flight"), "{said}");
    fine(house.ask("s", "ready A"));
    let said = failed(house.ask("s", "maint A"));
    assert!(!said.contains("request"), "{said}");
    let printed = fine(house.ask("s", "pause db --for 20s"));
    assert_eq!(printed, "new connections of pool db wait, for 20s at most");
    proxy.process.said.wait("paused pool db: new connections are held, until somebody resumes");
    assert_eq!(fine(house.ask("s", "resume db")), "connections go on");
    proxy.process.said.wait("resumed pool db: 0 connections that were held go on");
    drop(client);
    let both = "[[listeners]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\n\
                [[listeners]]\nname = \"db\"\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"\n";
    let _mixed = house.balancer("t", &[&b], both);
    let printed = fine(house.ask("t", "pause --for 20s"));
    assert_eq!(printed, "new requests or connections wait, for 20s at most");
    fine(house.ask("t", "resume"));
}

#[test]
fn of_several_pools_a_diff_a_reload_and_the_log_name_the_backends_own() {
    let (a, b) = (Backend::plain(), Backend::plain());
    let house = House::new();
    let pools = "[[pools]]\nname = \"web\"\n<A>\n[[pools]]\nname = \"api\"\n<B>\n\
                 [[routes]]\npath = \"/api\"\npool = \"api\"\n[[routes]]\npool = \"web\"\n";
    let proxy = house.balancer("s", &[&a, &b], pools);
    proxy.rewrite(&[&a, &b], &pools.replace("<B>", "<B>\nweight = 3"));
    let words = "application B in pool api: weight: 1 -> 3";
    assert_eq!(fine(house.ask("s", "diff")), words);
    assert_eq!(fine(house.ask("s", "reload")), words);
    proxy.process.said.wait(&format!("reloaded: {words}"));
}

#[test]
fn a_diff_and_a_reload_say_what_changes_and_a_bad_file_fails() {
    let backend = Backend::plain();
    let house = House::new();
    let proxy = house.balancer("s", &[&backend], "");
    proxy.pardon("not reloaded, all stays as it was");
    fine(house.ask("s", "diff"));
    house.scratch.write("bad.toml", "nonsense = 1\n");
    let said = failed(house.ask("s", "diff bad.toml"));
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.len() == 2 && lines[1].starts_with("evenly: bad.toml:1:1: nonsense: "), "{said}");
    let file = fs::read_to_string(proxy.scratch.path().join("applications.toml")).unwrap();
    house.scratch.write("good.toml", format!("{file}\nweight = 3\n"));
    assert!(fine(house.ask("s", "diff good.toml")).contains("weight: 1 -> 3"));
    let said = failed(house.ask("s", "diff none.toml"));
    assert_eq!(said, "evenly: none.toml is not there; name a file, or - for standard input");
    house.scratch.write("fixed.toml", format!("log.access = \"json\"\n{file}\nweight = 3\n"));
    let said = failed(house.ask("s", "diff fixed.toml"));
    let (fixed, along) = said.split_once('\n').unwrap();
    assert!(fixed.starts_with("evenly: log.access: ") && fixed.ends_with("; restart instead"));
    assert!(along.starts_with("evenly: application ") && along.ends_with(" along with that"));
    let file = proxy.scratch.path().join("applications.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\nnonsense = 1\n")).unwrap();
    let said = failed(house.ask("s", "reload"));
    assert!(said.contains("nonsense"), "{said}");
    fs::write(&file, text).unwrap();
    fine(house.ask("s", "reload"));
}

#[test]
fn a_healthcheck_is_silent_while_it_serves_even_with_nobody_behind_it() {
    let gone = Vacant::new();
    let house = House::new();
    let settings = "health.interval = \"100ms\"\nhealth.fall = 1\ntimeouts.lame_duck = \"1m\"";
    let mut proxy = house.balancer("s", &[&gone], settings);
    proxy.pardon("NO BACKEND IS UP");
    assert_eq!(fine(house.ask("s", "healthcheck")), "");
    proxy.terminate();
    proxy.process.said.wait("not ready any more");
    let said = failed(house.ask("s", "healthcheck"));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(fine(house.ask("s", "healthcheck --live")), "");
    proxy.terminate();
    assert_eq!(proxy.exit_code(), Some(0));
    let said = failed(house.ask("s", "healthcheck --live"));
    assert!(said.starts_with("evenly: no balancer answers at "), "{said}");
}

#[test]
fn a_healthcheck_waits_for_the_first_checks() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let house = House::new();
    let port = crate::harness::Place::port(&backend);
    house.scratch.write(
        "applications.toml",
        format!(
            "server.listen = \"127.0.0.1:0\"\nhealth.path = \"/held\"\nhealth.timeout = \"10s\"\n\
             health.interval = \"20s\"\n[[applications]]\nip = \"127.0.0.1\"\nport = {port}\n"
        ),
    );
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_evenly"));
    command.env("EVENLY_ADMIN_SOCKET", house.socket("s"));
    let mut process = crate::harness::Process::start(&mut command, &house.runtime());
    process.said.wait("admin endpoint at");
    backend.wait_requests(1);
    failed(house.ask("s", "healthcheck"));
    assert_eq!(fine(house.ask("s", "healthcheck --live")), "");
    let said = failed(house.ask("s", "status"));
    assert!(said.starts_with("evenly: starting: the first checks are under way"), "{said}");
    gate.open();
    process.said.wait("listening on ");
    eventually("it is ready", || house.ask("s", "healthcheck").0 == Some(0));
    process.ends_at_once_on(rustix::process::Signal::TERM);
}

#[test]
fn a_healthcheck_fails_with_one_whatever_is_wrong_and_in_time() {
    let house = House::new();
    // 2 is reserved by Docker.
    let said = failed(house.run("healthcheck -c none.toml"));
    assert!(said.starts_with("evenly: none.toml: no such file"), "{said}");
    // It listens, and says nothing.
    let _silent = UnixListener::bind(house.socket("s")).unwrap();
    let (ended, took) = crate::harness::timed(|| house.ask("s", "healthcheck"));
    assert!(failed(ended).contains("did not answer within 1.5 s"));
    assert!(took < crate::harness::DEADLINE, "{took:?}");
}

#[test]
fn whoever_answers_as_no_balancer_does_is_believed_nothing() {
    let house = House::new();
    let stranger = UnixListener::bind(house.socket("s")).unwrap();
    let answer = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut client, _) = stranger.accept().unwrap();
            client.read_exact(&mut [0]).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            client.read_to_end(&mut Vec::new()).unwrap();
        }
    });
    for command in ["drain A", "healthcheck"] {
        let said = failed(house.ask("s", command));
        assert!(said.contains("answers, but not as a balancer's socket does"), "{said}");
    }
    answer.join().unwrap();
}
