//! One worker, and everything that could keep it: none of it may.

use crate::harness::{Backend, BlackHole, Gate, Keyed, Proxy, Wire, eventually, timed};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Serves by target: what a slow or endless world does.
fn world(wire: &mut Wire) {
    while let Some(head) = wire.request_head() {
        match head.target() {
            "/endless" => {
                wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
                while wire.offer(&chunk) {}
                return;
            }
            "/silent" | "/upload" => drop(wire.ending()),
            _ => drop(wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")),
        }
    }
}

/// Reads as fast as it can until told to stop, and counts the bytes.
fn read_until(client: &mut Wire, stop: &Gate, count: &AtomicUsize) {
    while !stop.is_open() {
        count.fetch_add(client.exactly(1 << 16).unwrap().len(), Ordering::Relaxed);
    }
}

#[test]
fn one_worker_answers_promptly_whatever_else_goes_on() {
    let backend = Backend::every(world);
    let hole = BlackHole::new();
    // The hole has room for one: whoever falls in first leaves the backend to the others.
    let places = [&Keyed(&hole, "max_connections = 1") as _, &backend as _];
    let settings = "server.workers = 1\ntimeouts.connect = \"1m\"";
    let proxy = Proxy::with(&places, settings);
    let begin = |request: &str| {
        let mut client = proxy.connect();
        client.send(format!("{request}\r\n\r\n"));
        client
    };
    let falling = [(); 2].map(|()| begin("GET /good HTTP/1.1\r\nHost: a.test"));
    let mut stalled = begin("GET /endless HTTP/1.1\r\nHost: a.test");
    stalled.head().unwrap();
    let silent = begin("GET /silent HTTP/1.1\r\nHost: a.test");
    let mut upload = begin("POST /upload HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000");
    let stop = Gate::new();
    let downloads = [(); 2].map(|()| {
        let mut client = begin("GET /endless HTTP/1.1\r\nHost: a.test");
        let (stop, count) = (stop.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&count);
        (thread::spawn(move || read_until(&mut client, &stop, &counted)), count)
    });
    let mut good = proxy.connect();
    let mut rounds = 0;
    eventually("both downloads flow beside 50 good requests", || {
        let (answer, took) = timed(|| good.get("/good"));
        assert_eq!(answer.text(), "good");
        assert!(took < Duration::from_secs(3), "{took:?}");
        upload.send("x");
        rounds += 1;
        rounds >= 50 && downloads.iter().all(|(_, count)| count.load(Ordering::Relaxed) > 4 << 20)
    });
    stop.open();
    for (download, _) in downloads {
        download.join().unwrap();
    }
    assert_eq!(proxy.get("/good").text(), "good");
    // The last GET would find the hole free.
    proxy.no_farewell();
    // A client that only closes might still want its answer; one that resets does not.
    falling.into_iter().for_each(Wire::reset);
    silent.reset();
}
