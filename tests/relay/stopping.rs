//! Stopping: what is under way is finished, what is idle is closed, and nothing new begins.

use crate::harness::{Backend, Broken, Gate, Process, Proxy, Scratch, Wire, eventually, timed};
use rustix::process::Signal;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// A client whose request is with the backend.
fn under_way(proxy: &Proxy, backend: &Backend) -> Wire {
    let client = proxy.asking("/late");
    backend.wait_requests(1);
    client
}

#[test]
fn a_request_in_flight_is_finished_before_the_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let gate = Gate::new();
        let backend = Backend::held(&gate, "late");
        let mut proxy = Proxy::over(&[&backend]);
        let mut client = under_way(&proxy, &backend);
        proxy.process.signal(signal);
        eventually("the listener closes", || TcpStream::connect(proxy.address).is_err());
        gate.open();
        let answer = client.answer();
        assert_eq!((answer.text().as_str(), answer.field("connection")), ("late", Some("close")));
        client.expect_end();
        drop(client);
        assert_eq!(proxy.exit_code(), Some(0));
    }
}

#[test]
fn a_request_that_crosses_the_last_answer_takes_nothing_from_it() {
    let gate = Gate::new();
    let backend = Backend::held(&gate, "late");
    let mut proxy = Proxy::over(&[&backend]);
    let mut client = under_way(&proxy, &backend);
    proxy.terminate();
    eventually("the listener closes", || TcpStream::connect(proxy.address).is_err());
    gate.open();
    backend.wait_requests(1);
    eventually("the answer is written", || client.stream().peek(&mut [0; 1]).is_ok());
    client.send("GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(client.answer().text(), "late");
    client.expect_end();
    drop(client);
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn idle_clients_are_closed_at_once() {
    let backend = Backend::plain();
    let mut proxy = Proxy::over(&[&backend]);
    let mut used = proxy.connect();
    used.get("/");
    let (_, took) = timed(|| {
        proxy.terminate();
        used.expect_end();
        assert_eq!(proxy.exit_code(), Some(0));
    });
    assert!(took < Duration::from_secs(4), "not only when the drain is over: {took:?}");
}

#[test]
fn clients_that_never_asked_do_not_hold_up_the_end() {
    let backend = Backend::plain();
    let mut proxy = Proxy::over(&[&backend]);
    let mut unused = proxy.connect();
    proxy.get("/");
    let (_, took) = timed(|| {
        proxy.terminate();
        unused.expect_end();
        assert_eq!(proxy.exit_code(), Some(0));
    });
    assert!(took < Duration::from_secs(4), "not only when the drain is over: {took:?}");
}

#[test]
fn with_nothing_to_finish_it_ends_at_once() {
    let backend = Backend::plain();
    let mut proxy = Proxy::with(&[&backend], "timeouts.drain = \"1m\"");
    proxy.terminate();
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn those_who_wait_at_the_door_of_a_full_house_are_served_before_the_end() {
    let backend = Backend::plain();
    let mut proxy = Proxy::with(&[&backend], "server.max_connections = 2");
    let mut inside = [(); 2].map(|()| proxy.connect());
    for client in &mut inside {
        assert_eq!(client.get("/").status(), 200);
    }
    let mut waiting = [(); 5].map(|()| proxy.asking("/"));
    proxy.terminate();
    for client in &mut waiting {
        assert_eq!(client.answer().status(), 200);
        client.expect_end();
    }
    inside.iter_mut().for_each(Wire::expect_end);
    drop((inside, waiting));
    assert_eq!(proxy.exit_code(), Some(0));
    assert!(TcpStream::connect(proxy.address).is_err());
}

#[test]
fn those_who_wait_for_a_descriptor_are_served_before_the_end() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let mut proxy = Proxy::over(&[&backend]);
    proxy.pardon("open files");
    let mut busy = proxy.asking("/held");
    backend.wait_requests(1);
    let before = proxy.process.limit_descriptors(Some(3));
    // One may be let in by an `accept` that has its descriptor already.
    let mut waiting = [(); 3].map(|()| proxy.asking("/"));
    proxy.process.said.wait("open files");
    proxy.terminate();
    proxy.process.said.wait("stopping");
    assert!(waiting[2].is_silent_for(Duration::from_millis(300)));
    proxy.process.limit_descriptors(before);
    // The one that was let in found no descriptor for its backend: it was told so.
    assert!(matches!(waiting[0].answer().status(), 200 | 503));
    assert_eq!([1, 2].map(|at: usize| waiting[at].answer().status()), [200, 200]);
    gate.open();
    assert_eq!(busy.answer().status(), 200);
    drop((busy, waiting));
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn the_door_of_a_full_house_closes_when_the_drain_is_over() {
    let gate = Gate::new();
    let backend = Backend::held(&gate, "late");
    let settings = "server.max_connections = 1\ntimeouts.drain = \"300ms\"";
    let mut proxy = Proxy::with(&[&backend], settings);
    let mut client = under_way(&proxy, &backend);
    let waiting = proxy.asking("/");
    proxy.terminate();
    assert_eq!(proxy.exit_code(), Some(0));
    assert!(TcpStream::connect(proxy.address).is_err());
    gate.open();
    client.expect_end();
    drop(waiting);
}

#[test]
fn a_request_that_does_not_end_is_broken_off_when_the_drain_is_over() {
    let backend = Backend::silent();
    let mut proxy = Proxy::with(&[&backend], "timeouts.drain = \"300ms\"");
    let mut client = under_way(&proxy, &backend);
    proxy.terminate();
    assert!(matches!(client.ending().1, Broken::End | Broken::Reset));
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let backend = Backend::silent();
    let mut proxy = Proxy::with(&[&backend], "timeouts.drain = \"1m\"");
    let mut client = under_way(&proxy, &backend);
    proxy.terminate();
    eventually("the listener closes", || TcpStream::connect(proxy.address).is_err());
    proxy.terminate();
    client.ending();
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn a_client_that_has_sent_half_a_head_may_finish_it() {
    let backend = Backend::plain();
    let mut proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.get("/first");
    client.send("GET /half HTTP/1.1\r\n");
    client.stands_in_line(); // it is read, and waited for
    proxy.terminate();
    eventually("the listener closes", || TcpStream::connect(proxy.address).is_err());
    client.offer("Host: a.test\r\n\r\n");
    assert_eq!(client.answer().text(), "GET /half 0\n");
    drop(client);
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn an_upload_in_flight_is_finished() {
    let backend = Backend::plain();
    let mut proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send("POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhello");
    eventually("the backend has it", || backend.visits() == 1);
    proxy.terminate();
    eventually("the listener closes", || TcpStream::connect(proxy.address).is_err());
    client.send("world");
    assert_eq!(client.answer().text(), "POST /up 10\n");
    drop(client);
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn an_address_in_use_is_an_error_with_exit_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let scratch = Scratch::new();
    let application = "[[applications]]\nip = \"127.0.0.1\"\nport = \"9\"\n";
    let file = scratch.write("a.toml", format!("health.interval = \"off\"\n{application}"));
    let arguments = ["serve", "-c", file.to_str().unwrap(), "--listen", &address];
    let (code, _, said) = Process::evenly(&arguments, scratch.path()).finish();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&address) && said.contains("in use"), "{said}");
}

#[test]
fn the_port_is_free_again_right_after_the_end() {
    let backend = Backend::plain();
    let mut proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.get("/");
    let address = proxy.address;
    proxy.terminate();
    assert_eq!(proxy.exit_code(), Some(0));
    let again = Proxy::with(&[&backend], &format!("server.listen = \"{address}\""));
    assert_eq!(again.address, address);
}

#[test]
fn stopping_under_load_breaks_no_answer() {
    let backend = Backend::plain();
    let mut proxy = Proxy::over(&[&backend]);
    let mut clients: Vec<_> = (0..50).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.get("/");
        client.send("GET /last HTTP/1.1\r\nHost: a.test\r\n\r\n");
    }
    proxy.terminate();
    for mut client in clients {
        // Answered, or closed before a byte of the request was taken; never a part of an answer.
        match client.try_answer("GET") {
            Ok(answer) => assert_eq!(answer.text(), "GET /last 0\n"),
            Err(broken) => panic!("a request that had arrived was dropped: {broken:?}"),
        }
    }
    assert_eq!(proxy.exit_code(), Some(0));
}
