//! `evenly bench`: what it prints, what it writes, and how it ends.

use crate::harness::{Process, Scratch};
use evenly::lab::backend::{Demo, DemoOptions};
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread;

fn demo() -> Demo {
    Demo::start(&DemoOptions { listen: ([127, 0, 0, 1], 0).into(), ..DemoOptions::default() })
        .unwrap()
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/")
}

/// The exit code, what was printed, and what was said on stderr.
fn bench(url: &str, line: &str) -> (Option<i32>, String, String) {
    bench_in(Scratch::new().path(), url, line)
}

fn bench_in(directory: &Path, url: &str, line: &str) -> (Option<i32>, String, String) {
    let words: Vec<_> = ["bench", url].into_iter().chain(line.split_whitespace()).collect();
    Process::evenly(&words, directory).finish()
}

#[test]
fn tables_are_printed_and_nothing_else_in_a_pipe() {
    let demo = demo();
    let url = url(demo.addresses()[0]);
    let (code, printed, said) = bench(&url, "--requests 40 --workers 2");
    assert_eq!((code, said.as_str()), (Some(0), ""), "{printed}");
    assert!(printed.starts_with(&format!("GET {url}: 2 workers, closed loop")), "{printed}");
    for part in ["requests ", "200 ", "100.00 %", "p99.9", "since it was sent"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert!(!printed.contains('\u{1b}'));
}

#[test]
fn json_is_one_object() {
    let demo = demo();
    let url = url(demo.addresses()[0]);
    let (code, printed, _) = bench(&url, "--requests 20 --rate 1000 --workers 2 --json");
    assert_eq!(code, Some(0));
    let said: Value = serde_json::from_str(&printed).unwrap();
    for (key, value) in [
        ("url", json!(url)),
        ("requests", 20.into()),
        ("ok", 20.into()),
        ("statuses", json!({"200": 20})),
        ("errors", json!({})),
        ("rate_asked", json!(1000.0)),
        ("served_by", json!({})),
    ] {
        assert_eq!(said[key], value, "{key}");
    }
    assert!(said["latency_ms"]["p99"].as_f64() >= said["service_ms"]["p50"].as_f64());
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let demo = demo();
    let scratch = Scratch::new();
    let page = scratch.write("page.html", "x".repeat(1 << 20));
    let line = "--requests 40 --html page.html";
    assert_eq!(bench_in(scratch.path(), &url(demo.addresses()[0]), line).0, Some(0));
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") || page.starts_with("<!DOCTYPE html>"));
    assert!(page.trim_end().ends_with("</html>") && page.contains("<svg"));
    for outside in ["<script", "<link", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_page_that_cannot_be_written_is_known_before_the_run() {
    let (code, printed, said) = bench("http://127.0.0.1:9/", "--html /no/such/folder/x.html");
    assert_eq!((code, printed.as_str()), (Some(1), ""));
    assert!(said.starts_with("evenly: --html /no/such/folder/x.html: cannot write it: "), "{said}");
}

#[test]
fn the_share_of_each_backend_is_counted() {
    let scratch = Scratch::new();
    let balancer = Process::evenly(
        &["demo", "--listen", "127.0.0.1:0", "--set", "admin.listen=off"],
        scratch.path(),
    );
    let line = balancer.printed.wait("curl");
    let url = line.split_whitespace().last().unwrap();
    let (code, printed, _) = bench(url, "--requests 30 --workers 1 --json");
    assert_eq!(code, Some(0), "{printed}");
    let said: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(said["served_by"], json!({"API01": 10, "API02": 10, "API03": 10}));
}

#[test]
fn a_server_that_names_itself_with_controls_turns_no_terminal() {
    const HOSTILE: &str = "a\u{9b}31m\u{202e}b";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = url(listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        for _ in 0..2 {
            let mut socket = listener.accept().unwrap().0;
            assert!(socket.read(&mut [0; 4096]).unwrap() > 0);
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n";
            write!(socket, "{head}X-Served-By: {HOSTILE}\r\n\r\n").unwrap();
        }
    });
    let scratch = Scratch::new();
    let once = "--requests 1 --workers 1";
    let json = bench_in(scratch.path(), &url, &format!("{once} --json")).1;
    let table = bench_in(scratch.path(), &url, &format!("{once} --html page.html")).1;
    server.join().unwrap();
    let said: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(said["served_by"], json!({HOSTILE: 1}), "{json}");
    let page = fs::read_to_string(scratch.path().join("page.html")).unwrap();
    for (shown, name) in [
        (json, "a\\u009b31m\\u202eb"),
        (table, "a\u{fffd}31m\u{fffd}b"),
        (page, "a\u{fffd}31m\u{fffd}b"),
    ] {
        assert!(shown.contains(name) && !shown.contains(['\u{9b}', '\u{202e}']), "{shown}");
    }
}

#[test]
fn what_makes_no_sense_ends_with_two_and_a_sentence() {
    for (url, line, sentence) in [
        ("ftp://a/", "", "URL \"ftp://a/\": unknown scheme \"ftp\"; use http:// or https://"),
        ("https://a/", "--cacert /no/such/file", "/no/such/file: "),
        ("http://a/", "--workers 0", "0 workers: expected a number from 1 to 1000"),
        ("http://a/", "--method CONNECT", "method CONNECT opens a tunnel"),
        ("http://a/", "--header Host:a --header Connection:x", "header Connection cannot be set"),
        ("http://a/", "--body @/no/such/file", "--body @/no/such/file: cannot read it: "),
    ] {
        let (code, printed, said) = bench(url, line);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{url} {line}: {said}");
        assert!(said.starts_with(&format!("evenly: {sentence}")), "{said}");
    }
}

#[test]
fn a_run_in_which_nothing_succeeds_ends_with_one_and_the_reason() {
    let closing = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = url(closing.local_addr().unwrap());
    let server = thread::spawn(move || {
        for _ in 0..2 {
            let mut socket = closing.accept().unwrap().0;
            let mut request = [0; 4096];
            assert!(socket.read(&mut request).unwrap() > 0);
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").unwrap();
        }
    });
    let (code, printed, said) = bench(&url, "--requests 2 --workers 1 --json");
    server.join().unwrap();
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, &printed["errors"]), (Some(1), &json!({"short_body": 2})));
    let reason = "2 body shorter than announced (the connection closed inside a body)";
    assert_eq!(said, format!("evenly: {url}: none of 2 requests succeeded: {reason}"));
}

#[test]
fn a_port_where_nobody_listens_is_named() {
    // Bound, not listening: it refuses, and nobody else can get it meanwhile.
    let held = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&held, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = url(SocketAddr::try_from(getsockname(&held).unwrap()).unwrap());
    let (code, printed, said) = bench(&url, "--requests 2 --workers 1");
    assert_eq!(code, Some(1));
    assert!(printed.contains("connection refused"), "{printed}");
    let reason = "none of 2 requests succeeded: 2 connection refused (connect to 127.0.0.1:";
    assert!(said.starts_with(&format!("evenly: {url}: {reason}")), "{said}");
}

#[test]
fn a_body_from_a_file_is_posted() {
    let demo = demo();
    let scratch = Scratch::new();
    scratch.write("body.json", "{\"a\": 1}");
    let line = "--requests 3 --json --body @body.json";
    let (code, printed, said) = bench_in(scratch.path(), &url(demo.addresses()[0]), line);
    assert_eq!(code, Some(0), "{said}");
    assert!(printed.contains("\"method\":\"POST\"") && printed.contains("{\"200\":3}"));
}

#[test]
fn an_interrupt_ends_the_run_and_prints_what_there_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = url(listener.local_addr().unwrap());
    let words = ["bench", &url, "--workers", "1", "--duration", "1h", "--rate", "0.001"];
    let scratch = Scratch::new();
    let run = Process::evenly(&words, scratch.path());
    let mut socket = BufReader::new(listener.accept().unwrap().0);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(socket.read_line(&mut line).unwrap() > 0);
    }
    run.signal(Signal::INT);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    socket.get_mut().write_all(answer).unwrap();
    let (code, printed, _) = run.finish();
    assert_eq!(code, Some(0));
    assert!(printed.contains("of them 200 to 399      1"), "{printed}");
}
