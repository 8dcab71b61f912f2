//! Too much, too slow, too large, and nothing left: the endpoint answers those who have a right to
//! it, and clients of the relay do not feel the rest.

use crate::harness::{Backend, Process, Wire, eventually, timed};
use crate::metrics::metrics;
use crate::panel::Panel;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// As many as the attack needs, or as the system grants.
const CROWD: usize = 10_000;

fn threads(process: &Process) -> usize {
    std::fs::read_dir(format!("/proc/{}/task", process.id())).unwrap().count()
}

/// Connections that are begun, whether or not anybody takes them.
fn crowd(address: SocketAddr, most: usize) -> Vec<OwnedFd> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let begun = std::iter::from_fn(|| {
        let one = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).ok()?;
        match connect(&one, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => Some(one),
            Err(_) => None,
        }
    });
    begun.take(most).collect()
}

#[test]
fn ten_thousand_connections_take_a_few_threads_and_keep_nobody_out() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let process = &panel.proxy.process;
    panel.status();
    let (threads_before, memory_before) = (threads(process), process.memory_kib("VmRSS"));
    let crowd = crowd(panel.address, CROWD);
    assert!(crowd.len() > 1000, "only {} connections are to be had here", crowd.len());
    for _ in 0..20 {
        assert_eq!(panel.status()["version"], 1);
        assert_eq!(panel.proxy.get("/").status(), 200);
    }
    let (grown, memory) = (threads(process) - threads_before, process.memory_kib("VmRSS"));
    assert!(grown <= 40, "{grown} threads more");
    assert!(memory < memory_before + 32 * 1024, "{memory_before} KiB, then {memory}");
    drop(crowd);
    let get = format!("GET /live HTTP/1.1\r\nHost: {}\r\n\r\n", panel.address);
    assert_eq!(panel.connect().ask(get).status(), 200, "it is there again");
}

#[test]
fn those_who_ask_nothing_keep_nobody_out_at_the_port_either() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let idle: Vec<_> = (0..100).map(|_| panel.connect()).collect();
    let get = format!("GET /status HTTP/1.1\r\nHost: {}\r\n\r\n", panel.address);
    assert_eq!(panel.connect().ask(get).status(), 200);
    drop(idle);
}

#[test]
fn slow_requests_end_in_time_and_hold_up_nobody() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let mut slow: Vec<Wire> = (0..40).map(|_| panel.open()).collect();
    slow.iter_mut().for_each(|wire| wire.send("GET /sta"));
    let mut dripping = panel.connect();
    dripping.send("GET /status HTTP/1.1\r\nHost: a\r\nX: ");
    let get = format!("GET /live HTTP/1.1\r\nHost: {}\r\n\r\n", panel.address);
    assert_eq!(panel.connect().ask(get).status(), 200);
    while dripping.is_silent_for(Duration::from_millis(50)) {
        dripping.offer("x");
    }
    assert_eq!(dripping.answer().status(), 408);
    let (status, took) = timed(|| panel.get("/status").status());
    assert_eq!(status, 200);
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn oversized_requests_are_refused_unread() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let long = "x".repeat(9000);
    let cases = [
        (431, format!("GET /status HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n")),
        (414, format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &long[..3000])),
        (413, "POST /diff HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n".to_owned()),
        (413, "POST /pause HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n".to_owned()),
    ];
    for (status, request) in cases {
        let mut wire = panel.open();
        wire.offer(request);
        assert_eq!(wire.answer().status(), status);
    }
    let fields: String = (0..60).map(|number| format!("X-{number}: 1\r\n")).collect();
    let many = format!("GET /status HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    assert_eq!(panel.open().ask(many).status(), 431);
}

#[test]
fn it_answers_when_the_process_has_no_descriptor_left() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let process = &panel.proxy.process;
    panel.status();
    panel.proxy.pardon("raise the limit or lower max_connections");
    let limit = process.descriptors() as u64;
    let before = process.limit_descriptors(Some(limit));
    // These want what the endpoint lets go.
    let callers = crowd(panel.proxy.address, 50);
    panel.proxy.process.said.wait("raise the limit or lower max_connections");
    for _ in 0..30 {
        let status = panel.status();
        assert_eq!(status["descriptors"]["limit"], limit);
        assert!(status["descriptors"]["open"].as_u64().unwrap() + 8 >= limit);
    }
    let shown = metrics(&panel);
    let open = shown.value("process_open_fds", &[]) as u64;
    assert!(open + 8 >= limit && open <= limit, "{open} of {limit}");
    assert_eq!(shown.values("evenly_backend_up", &[]), [1.0]);
    let get = format!("GET /live HTTP/1.1\r\nHost: {}\r\n\r\n", panel.address);
    assert_eq!(panel.connect().ask(get).status(), 200, "at the port too");
    process.limit_descriptors(before);
    drop(callers);
    eventually("clients are served again", || panel.proxy.get("/").status() == 200);
}

#[test]
fn it_answers_while_every_place_of_the_relay_is_taken() {
    let backend = Backend::plain();
    let panel = Panel::with(&[&backend], "server.max_connections = 4");
    let mut clients: Vec<Wire> = (0..4).map(|_| panel.proxy.connect()).collect();
    clients.iter_mut().for_each(|client| client.send("GET /slow HTTP/1.1\r\n"));
    eventually("the house is full", || panel.status()["connections"]["clients"] == 4);
    assert_eq!(panel.get("/ready").status(), 200);
    drop(clients);
}

/// A body costs time for each byte; no longer one is read.
const MIB: usize = 1024 * 1024;

#[test]
fn a_flood_of_requests_is_paced() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let get = format!("GET /live HTTP/1.1\r\nHost: {}\r\n\r\n", panel.address);
    let before = panel.proxy.process.cpu_ms();
    let ((), took) = timed(|| {
        let mut wire = panel.connect();
        // The burst, and then half as much again at the pace.
        (0..1100).for_each(|_| assert_eq!(wire.ask(&get).status(), 200));
    });
    assert!(took > Duration::from_millis(500), "{took:?}");
    let spent = panel.proxy.process.cpu_ms() - before;
    assert!(spent < 2000, "{spent} ms of a processor");
    // Who gives up before its turn, which is two seconds away, costs no answer.
    let large = format!(
        "GET /live HTTP/1.1\r\nHost: {}\r\nContent-Length: {MIB}\r\n\r\n{}",
        panel.address,
        "x".repeat(MIB)
    );
    let mut patient = [(); 3].map(|()| panel.connect());
    patient.iter_mut().for_each(|wire| wire.send(&large));
    let mut gone = panel.connect();
    gone.send(&large);
    gone.finish();
    assert_eq!(patient.map(|mut wire| wire.answer().status()), [200; 3]);
    assert_eq!(gone.answer().status(), 503);
    // The socket has a pace of its own.
    let (status, took) = timed(|| panel.get("/status").status());
    assert!(status == 200 && took < Duration::from_secs(5), "{took:?}");
}
