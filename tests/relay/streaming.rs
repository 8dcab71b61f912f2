//! Bodies of any size, as they come: in bounded memory, without delay, at the reader's pace.

use crate::harness::{Backend, Gate, Length, Proxy, serve};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const MIB: u64 = 1 << 20;
/// What the process may hold at most, as it starts with a few MiB.
const MEMORY_KIB_MAX: usize = 32 * 1024;

/// Sends `mib` MiB of a pattern; false if the reader is gone.
fn pour(wire: &mut crate::harness::Wire, mib: u64) -> bool {
    let block = vec![b'x'; 1 << 20];
    (0..mib).all(|_| wire.offer(&block))
}

#[test]
fn a_huge_upload_takes_bounded_memory() {
    let received = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&received);
    let backend = Backend::first(move |wire| {
        wire.request_head();
        let length = Length::Bytes(64 * MIB);
        let add = &mut |data: &[u8]| {
            count.fetch_add(data.len() as u64, Ordering::Relaxed);
        };
        wire.body(length, add).unwrap();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send(format!("PUT /u HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n", 64 * MIB));
    assert!(pour(&mut client, 64));
    assert_eq!(client.answer().status(), 200);
    assert_eq!(received.load(Ordering::Relaxed), 64 * MIB);
    assert!(proxy.process.memory_kib("VmHWM") < MEMORY_KIB_MAX);
}

#[test]
fn a_huge_download_takes_bounded_memory() {
    let backend = Backend::first(|wire| {
        wire.request();
        wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 256 * MIB));
        assert!(pour(wire, 256));
        serve(wire);
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send("GET /d HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let length = client.head().unwrap().answer_length("GET").unwrap();
    let mut received = 0;
    client.body(length, &mut |data| received += data.len() as u64).unwrap();
    assert_eq!(received, 256 * MIB);
    assert!(proxy.process.memory_kib("VmHWM") < MEMORY_KIB_MAX);
    assert_eq!(client.get("/next").status(), 200);
}

#[test]
fn a_huge_chunked_echo_flows_both_ways() {
    let backend = Backend::first(|wire| {
        let request = wire.request().unwrap();
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in request.body.chunks(10_007) {
            wire.send(format!("{:x}\r\n", piece.len()));
            wire.send(piece);
            wire.send("\r\n");
        }
        wire.send("0\r\n\r\n");
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    let body: Vec<u8> = (0..4_000_000_u32).map(|n| (n % 251) as u8).collect();
    client.send("POST /e HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in body.chunks(70_001) {
        client.send(format!("{:X}\r\n", piece.len()));
        client.send(piece);
        client.send("\r\n");
    }
    client.send("0\r\n\r\n");
    assert!(client.answer().body == body, "the body came back altered");
}

#[test]
fn each_event_of_a_stream_arrives_at_once() {
    for framing in ["Transfer-Encoding: chunked", "Connection: close", "Content-Length: 40"] {
        let gate = Gate::new();
        let held = gate.clone();
        let backend = Backend::first(move |wire| {
            wire.request();
            wire.send(format!(
                "HTTP/1.1 200 OK\r\n{framing}\r\nContent-Type: text/event-stream\r\n\r\n"
            ));
            let event = |n| match framing {
                "Transfer-Encoding: chunked" => format!("14\r\ndata: event no. {n:03}\n\r\n"),
                _ => format!("data: event no. {n:03}\n"),
            };
            wire.send(event(1));
            held.pass();
            wire.send(event(2));
            wire.offer(if framing.starts_with("Transfer") { "0\r\n\r\n" } else { "" });
        });
        let proxy = Proxy::over(&[&backend]);
        let mut client = proxy.connect();
        client.send("GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let length = client.head().unwrap().answer_length("GET").unwrap();
        let mut seen = String::new();
        let mut watch = |data: &[u8]| {
            seen.push_str(std::str::from_utf8(data).unwrap());
            if seen.contains("001\n") {
                gate.open();
            }
        };
        client.body(length, &mut watch).unwrap();
        assert_eq!(seen, "data: event no. 001\ndata: event no. 002\n", "{framing}");
    }
}

#[test]
fn each_piece_of_an_upload_goes_up_at_once() {
    let (first, second) = (Gate::new(), Gate::new());
    let (got, more) = (first.clone(), second.clone());
    let backend = Backend::first(move |wire| {
        wire.request_head();
        wire.expect("3\r\none\r\n");
        got.open();
        more.pass();
        wire.expect("3\r\ntwo\r\n0\r\n\r\n");
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client
        .send("POST /p HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    first.pass();
    client.send("3\r\ntwo\r\n0\r\n\r\n");
    second.open();
    assert_eq!(client.answer().status(), 200);
}

#[test]
fn a_conversation_in_both_bodies_at_once_flows() {
    let backend = Backend::first(|wire| {
        wire.request_head();
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for word in ["one", "two", "six"] {
            wire.expect(format!("3\r\n{word}\r\n"));
            wire.send(format!("3\r\n{word}\r\n"));
        }
        wire.expect("0\r\n\r\n");
        wire.send("0\r\n\r\n");
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send("POST /p HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.head().unwrap();
    for word in ["one", "two", "six"] {
        client.send(format!("3\r\n{word}\r\n"));
        client.expect(format!("3\r\n{word}\r\n"));
    }
    client.send("0\r\n\r\n");
    client.expect("0\r\n\r\n");
}

#[test]
fn a_reader_that_stalls_holds_up_nobody_and_costs_little() {
    let backend = Backend::every(|wire| {
        while let Some(request) = wire.request() {
            if request.target() != "/big" {
                wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                continue;
            }
            wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 * MIB));
            if !pour(wire, 64) {
                return;
            }
        }
    });
    let proxy = Proxy::over(&[&backend]);
    let mut stalled: Vec<_> = (0..20).map(|_| proxy.connect()).collect();
    for client in &mut stalled {
        client.send("GET /big HTTP/1.1\r\nHost: a.test\r\n\r\n");
        client.head().unwrap();
    }
    let mut client = proxy.connect();
    for _ in 0..50 {
        assert_eq!(client.get("/").status(), 200);
    }
    // 256 KiB each, and what the process has anyway.
    assert!(proxy.process.memory_kib("VmRSS") < 20 * 256 + 16 * 1024);
    let mut slow = stalled.pop().unwrap();
    drop(stalled);
    let mut received = 0;
    slow.body(Length::Bytes(64 * MIB), &mut |data| received += data.len() as u64).unwrap();
    assert_eq!(received, 64 * MIB);
}

#[test]
fn requests_sent_ahead_are_not_hoarded() {
    let gate = Gate::new();
    let backend = Backend::held(&gate, "late");
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.stream().set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let many = "GET /ahead HTTP/1.1\r\nHost: a.test\r\n\r\n".repeat(30_000);
    let taken = (0..100).take_while(|_| client.offer(&many)).count();
    assert!(taken < 100, "{taken} MiB of requests were taken while the first was not answered");
    assert!(proxy.process.memory_kib("VmHWM") < MEMORY_KIB_MAX);
    gate.open();
    assert_eq!(client.answer().text(), "late");
    assert_eq!(client.answer().text(), "GET /ahead 0\n");
    client.reset();
}

#[test]
fn many_bodies_at_once_arrive_unmixed() {
    let backend = Backend::every(|wire| {
        while let Some(request) = wire.request() {
            let body = request.target().repeat(30_000);
            wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        }
    });
    let proxy = Proxy::over(&[&backend]);
    thread::scope(|scope| {
        for number in 10..18 {
            let proxy = &proxy.address;
            scope.spawn(move || {
                let mut client = crate::harness::Wire::connect(*proxy);
                for round in 10..15 {
                    let target = format!("/{number}/{round}");
                    assert!(client.get(&target).text() == target.repeat(30_000), "{target}");
                }
            });
        }
    });
}
