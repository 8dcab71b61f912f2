//! Requests sent ahead of their answers: those that we answer ourselves cost no more than others.

use crate::harness::{Backend, Gate, Proxy, Wire, eventually, timed};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

/// Requests that no backend is asked about, and settings under which that is so.
fn own() -> [(&'static str, String); 4] {
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let last_hop = "OPTIONS * HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\n\r\n";
    [
        ("server.mode = \"redirect\"", get(&format!("/{}", "a".repeat(8000)))),
        ("server.mode = \"redirect\"", "PUT / HTTP/1.1\r\nHost: a.test\r\n\r\n".to_owned()),
        ("lookup.path = \"/next\"", get("/next")),
        ("", last_hop.to_owned()),
    ]
}

/// Sends what is taken of so many bytes of these requests, and reads nothing.
fn pour(address: SocketAddr, request: &str, bytes: usize) -> Wire {
    let mut client = Wire::connect(address);
    client.stream().set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let many = request.repeat(bytes.div_ceil(request.len()));
    client.offer(&many);
    client
}

#[test]
fn answers_that_nobody_reads_are_not_piled_up() {
    for (settings, request) in own() {
        let backend = Backend::plain();
        let proxy = Proxy::with(&[&backend], settings);
        proxy.farewell(if settings.contains("redirect") { 307 } else { 200 });
        proxy.get("/");
        let before = proxy.process.memory_kib("VmRSS");
        let address = proxy.address;
        thread::scope(|scope| {
            let pours = [(); 8].map(|()| scope.spawn(|| pour(address, &request, 8 << 20)));
            let clients = pours.map(|pour| pour.join().unwrap());
            let grown = proxy.process.memory_kib("VmRSS").saturating_sub(before);
            assert!(grown < 8 * 256 + 2048, "{settings:?}: {grown} KiB more");
            clients.into_iter().for_each(Wire::reset);
        });
    }
}

#[test]
fn whoever_takes_its_answers_gets_every_one() {
    for (settings, request) in own() {
        let backend = Backend::plain();
        let proxy = Proxy::with(&[&backend], settings);
        proxy.farewell(if settings.contains("redirect") { 307 } else { 200 });
        let mut client = proxy.connect();
        let mut sender = Wire::of(client.stream().try_clone().unwrap());
        let many = request.repeat(500);
        let sending = thread::spawn(move || sender.send(many));
        let method = request.split(' ').next().unwrap();
        let first = client.answer_to(method).status();
        assert!((1..500).all(|_| client.answer_to(method).status() == first), "{settings:?}");
        sending.join().unwrap();
    }
}

#[test]
fn a_stream_of_them_lets_others_go_first() {
    for (settings, request) in own() {
        let backend = Backend::plain();
        let proxy = Proxy::with(&[&backend], &format!("{settings}\nserver.workers = 1"));
        proxy.farewell(if settings.contains("redirect") { 307 } else { 200 });
        let stop = Gate::new();
        thread::scope(|scope| {
            let greedy = proxy.connect();
            let (stop, many) = (&stop, request.repeat(1000));
            let mut sender = Wire::of(greedy.stream().try_clone().unwrap());
            scope.spawn(move || while !stop.is_open() && sender.offer(&many) {});
            let mut reader = Wire::of(greedy.stream().try_clone().unwrap());
            scope.spawn(move || while !stop.is_open() && reader.exactly(1 << 14).is_ok() {});
            let mut good = proxy.connect();
            let mut rounds = 0;
            eventually("30 good requests are answered", || {
                let (_, took) = timed(|| good.get("/good"));
                assert!(took < Duration::from_secs(3), "{settings:?}: {took:?}");
                rounds += 1;
                rounds >= 30
            });
            stop.open();
            let _ = greedy.stream().shutdown(std::net::Shutdown::Both);
        });
    }
}

#[test]
fn who_never_takes_its_answer_is_dropped() {
    let backend = Backend::plain();
    let settings = "server.mode = \"redirect\"\ntimeouts.client_write = \"200ms\"";
    let proxy = Proxy::with(&[&backend], settings);
    proxy.farewell(307);
    let idle = proxy.process.descriptors();
    let client = pour(proxy.address, &own()[0].1, 8 << 20);
    eventually("it is gone", || proxy.process.descriptors() <= idle);
    drop(client);
}
