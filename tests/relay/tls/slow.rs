//! Clients that are slow, silent, or read nothing: they cost no worker, and have an end.

use crate::harness::{Backend, Broken, Certs, Proxy, Trusting, Wire, eventually, serve, timed};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use std::time::Duration;

const MIB: usize = 1 << 20;

/// How long a good request may take on a busy machine, and far less than what is waited for.
const PROMPT: Duration = Duration::from_secs(3);

/// Sends 32 MiB for /big.
fn generous(wire: &mut Wire) {
    while let Some(request) = wire.request() {
        if request.target() != "/big" {
            wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            continue;
        }
        wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 32 * MIB));
        let block = vec![b'x'; MIB];
        if !(0..32).all(|_| wire.offer(&block)) {
            return;
        }
    }
}

#[test]
fn clients_that_do_not_finish_their_handshake_hold_up_nobody_and_are_closed() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let settings = "server.workers = 1\ntimeouts.handshake = \"6s\"";
    let proxy = Proxy::secure(&certs, &[&backend], settings);
    let hello = Trusting::of(&certs).to("localhost").hello();
    let parts = [0, 1, 5, hello.len() / 2, hello.len() - 1];
    let begin = |number: usize| {
        let mut client = proxy.connect_raw();
        client.send(&hello[..parts[number % parts.len()]]);
        client
    };
    let mut clients: Vec<_> = (0..200).map(begin).collect();
    let mut kept = proxy.connect();
    for _ in 0..20 {
        let (_, took) = timed(|| assert_eq!(kept.get("/kept").status(), 200));
        assert!(took < PROMPT, "{took:?}");
        let (_, took) = timed(|| assert_eq!(proxy.get("/fresh").status(), 200));
        assert!(took < PROMPT, "{took:?}");
    }
    for client in &mut clients {
        client.expect_end();
        assert_eq!(kept.get("/kept").status(), 200);
    }
    proxy.process.said.wait("TLS: handshake not done after 6.0 s ([timeouts] handshake)");
}

#[test]
fn a_client_that_says_hello_and_no_more_is_closed() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "timeouts.handshake = \"1500ms\"");
    let mut client = proxy.connect_raw();
    client.send(Trusting::of(&certs).to("localhost").hello());
    let (came, end) = client.ending();
    assert!(came.len() > 500 && end == Broken::End, "{} bytes, {end:?}", came.len());
}

#[test]
fn a_handshake_has_one_deadline_however_it_trickles() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "timeouts.handshake = \"1500ms\"");
    let mut client = proxy.connect_raw();
    let hello = Trusting::of(&certs).to("localhost").hello();
    let trickle = |byte: &&u8| {
        let silent = client.is_silent_for(Duration::from_millis(30));
        silent && client.offer([**byte])
    };
    let sent = hello.iter().take_while(trickle).count();
    assert!(sent < 100, "{sent} bytes in 1.5 s, one each 30 ms");
}

#[test]
fn a_head_has_its_own_deadline_after_the_handshake() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "timeouts.request_head = \"1s\"");
    let mut client = proxy.connect();
    client.handshake().unwrap();
    client.expect_end();
    let mut client = proxy.connect();
    client.send("GET / HT");
    assert_eq!(client.answer().status(), 408);
    client.expect_end();
}

#[test]
fn clients_that_read_nothing_hold_up_nobody_and_are_cut() {
    let certs = Certs::make();
    let backend = Backend::every(generous);
    let settings = "server.workers = 1\ntimeouts.client_write = \"6s\"";
    let proxy = Proxy::secure(&certs, &[&backend], settings);
    let mut stalled: Vec<_> = (0..20).map(|_| proxy.connect()).collect();
    for client in &mut stalled {
        // Else the kernel may well take all of it.
        set_socket_recv_buffer_size(client.stream(), 64 * 1024).unwrap();
        client.send("GET /big HTTP/1.1\r\nHost: a.test\r\n\r\n");
        client.head().unwrap();
    }
    let mut good = proxy.connect();
    for _ in 0..20 {
        let (_, took) = timed(|| assert_eq!(good.get("/").status(), 200));
        assert!(took < PROMPT, "{took:?}");
    }
    // 256 KiB each, and what the process has anyway.
    assert!(proxy.process.memory_kib("VmHWM") < 20 * 256 + 20 * 1024);
    eventually("they are cut", || backend.connections() == 0);
    assert_eq!(good.get("/").status(), 200);
    for mut client in stalled {
        let (came, end) = client.ending();
        assert!(came.len() < 32 * MIB, "it was not cut: {end:?}");
        assert!(matches!(end, Broken::Cut | Broken::Reset), "{end:?}");
    }
}

#[test]
fn a_slow_reader_gets_all_in_the_end() {
    let certs = Certs::make();
    let body: Vec<u8> = (0..8 * MIB).map(|at| (at % 251) as u8).collect();
    let sent = body.clone();
    let backend = Backend::first(move |wire| {
        wire.request();
        wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len()));
        wire.send(&sent);
        serve(wire);
    });
    let proxy = Proxy::secure(&certs, &[&backend], "server.workers = 1");
    let mut slow = proxy.connect();
    // So that writes end anywhere in a record.
    set_socket_recv_buffer_size(slow.stream(), 64 * 1024).unwrap();
    slow.send("GET /big HTTP/1.1\r\nHost: a.test\r\n\r\n");
    slow.head().unwrap();
    let mut good = proxy.connect();
    for piece in body.chunks(MIB / 2) {
        assert!(slow.exactly(piece.len()).unwrap() == piece, "it came altered");
        assert_eq!(good.get("/").status(), 200);
    }
    assert_eq!(slow.get("/next").status(), 200);
}

#[test]
fn a_session_that_is_reset_at_any_point_leaves_nothing_behind() {
    let certs = Certs::make();
    let backend = Backend::every(serve);
    let proxy = Proxy::secure(&certs, &[&backend], "");
    for step in 0..40 {
        let mut tls = Trusting::of(&certs).to("localhost");
        let mut client = proxy.connect_raw();
        let hello = tls.hello();
        client.send(&hello[..hello.len().min(1 + step * 16)]);
        if step >= 20 {
            client.secure(tls);
            let done = client.handshake();
            assert_eq!(done, Ok(()));
            client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        }
        client.reset();
    }
}
