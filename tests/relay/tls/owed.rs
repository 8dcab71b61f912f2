//! Ends that are owed: the socket has no room when they are to be said, so they are said when it
//! has.
//!
//! How much a socket takes depends on more than its size. So there is a connection for each of many
//! lengths, and the ends of some meet a full socket.

use crate::harness::{
    Backend, Broken, Certs, Gate, Keyed, Proving, Proxy, Wire, eventually, has_small_sockets,
    proving, trusting,
};
use std::io::Read;
use std::thread;
use std::time::Duration;

/// Beyond what the sockets of both sides take together.
const BYTES_MAX: usize = 8 * 1024;
/// Less than by how much a socket that is full may be fuller.
const STEP_BYTES: usize = 128;
const LENGTHS: usize = BYTES_MAX / STEP_BYTES;
/// For the proxy to come to each end.
const PAUSE: Duration = Duration::from_millis(100);

fn lengths() -> impl Iterator<Item = usize> {
    (1..=LENGTHS).map(|length| length * STEP_BYTES)
}

/// Expects the end of TLS, and then that of TCP.
fn expect_both_ends(wire: &mut Wire) {
    wire.expect_end();
    let rest = wire.stream().read(&mut [0]);
    assert!(matches!(rest, Ok(0)), "after the end of TLS: {rest:?}");
}

#[test]
fn a_client_is_told_the_end_once_its_socket_has_room_for_it() {
    if !has_small_sockets("tls::owed::a_client_is_told_the_end_once_its_socket_has_room_for_it") {
        return;
    }
    let certs = Certs::make();
    // Only the close says where the answer ends.
    let backend = Backend::every(|wire| {
        let Some(request) = wire.request() else { return };
        let bytes = request.target()[1..].parse().unwrap_or_default();
        wire.send("HTTP/1.1 200 OK\r\n\r\n");
        wire.send(vec![b'x'; bytes]);
    });
    let proxy = Proxy::secure(&certs, &[&backend], "");
    let asking = |bytes: usize| {
        let mut client = proxy.connect();
        client.send(format!("GET /{bytes} HTTP/1.0\r\n\r\n"));
        (bytes, client)
    };
    let clients: Vec<_> = lengths().map(asking).collect();
    backend.wait_requests(LENGTHS);
    thread::park_timeout(PAUSE);
    for (bytes, mut client) in clients {
        client.head().unwrap();
        let (came, end) = client.ending();
        assert_eq!((came.len(), end), (bytes, Broken::End));
    }
}

#[test]
fn a_backend_is_told_the_end_once_its_socket_has_room_for_it() {
    if !has_small_sockets("tls::owed::a_backend_is_told_the_end_once_its_socket_has_room_for_it") {
        return;
    }
    let (certs, gate) = (Certs::make(), Gate::new());
    let opens = gate.clone();
    let backend = proving(Proving::with(&certs.leaf("localhost")), move |_, wire| {
        let head = wire.request_head().unwrap();
        opens.pass();
        wire.body(head.request_length().unwrap(), &mut |_| {}).unwrap();
        expect_both_ends(wire);
    });
    let proxy = Proxy::with(&[&Keyed(&backend, &trusting(&certs))], "");
    proxy.no_farewell();
    let posting = |bytes: usize| {
        let mut client = proxy.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {bytes}\r\n\r\n"));
        (bytes, client)
    };
    let clients: Vec<_> = lengths().map(posting).collect();
    let begun = |tape: &&Vec<u8>| !tape.is_empty();
    eventually("all are there", || backend.tapes().iter().filter(begun).count() == LENGTHS);
    for (bytes, mut client) in clients {
        client.send(vec![b'x'; bytes]);
    }
    thread::park_timeout(PAUSE);
    gate.open();
    eventually("all are told", || backend.connections() == 0);
}

#[test]
fn a_client_at_a_tunnel_is_told_the_end_once_its_socket_has_room_for_it() {
    if !has_small_sockets(
        "tls::owed::a_client_at_a_tunnel_is_told_the_end_once_its_socket_has_room_for_it",
    ) {
        return;
    }
    let certs = Certs::make();
    let backend = Backend::every(|wire| {
        let Some(request) = wire.request() else { return };
        let bytes = request.target()[1..].parse().unwrap();
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
        wire.send(vec![b'x'; bytes]);
        wire.finish();
        wire.expect_end();
    });
    let proxy = Proxy::secure(&certs, &[&backend], "");
    proxy.no_farewell();
    let upgrading = |bytes: usize| {
        let mut client = proxy.connect();
        let fields = "Host: a.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n";
        client.send(format!("GET /{bytes} HTTP/1.1\r\n{fields}\r\n"));
        (bytes, client)
    };
    let clients: Vec<_> = lengths().map(upgrading).collect();
    backend.wait_requests(LENGTHS);
    thread::park_timeout(PAUSE);
    for (bytes, mut client) in clients {
        client.head().unwrap();
        client.exactly(bytes).unwrap();
        expect_both_ends(&mut client);
    }
}
