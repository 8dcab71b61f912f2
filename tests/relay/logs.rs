//! The log: one line a request in the format asked for, with the right cause.

use crate::harness::{Backend, Gate, Keyed, Proxy, Scratch, Vacant, eventually};
use rustix::process::Signal;
use serde_json::Value;
use std::fs::File;
use std::process::Command;

const JSON: &str = "log.access = \"json\"\n";

#[test]
fn a_json_line_tells_all_about_a_request() {
    let backend = Backend::says("HTTP/1.1 201 Made\r\nContent-Length: 5\r\n\r\nhello");
    let proxy = Proxy::with(&[&backend], JSON);
    proxy.ask(
        "POST /made?x=1 HTTP/1.1\r\nHost: a.test\r\nUser-Agent: test/1\r\n\
         Referer: http://r.test/\r\nContent-Length: 3\r\n\r\nabc",
    );
    let record = proxy.record("/made?x=1");
    let expected = [
        ("client", Value::from("127.0.0.1")),
        ("method", "POST".into()),
        ("version", "HTTP/1.1".into()),
        ("status", 201.into()),
        ("bytes_sent", 5.into()),
        ("bytes_received", 3.into()),
        ("referer", "http://r.test/".into()),
        ("user_agent", "test/1".into()),
        ("backend", "A".into()),
        ("tries", 1.into()),
        ("cause", "--".into()),
        ("host", "a.test".into()),
        ("pool", "default".into()),
        ("route", Value::Null),
        ("pick", "round-robin".into()),
    ];
    for (key, value) in expected {
        assert_eq!(record[key], value, "{key} in {record}");
    }
    assert_eq!(record["request_id"], backend.requests()[0].field("x-request-id").unwrap());
    let (first, total) = (record["first_byte_ms"].as_f64(), record["total_ms"].as_f64());
    assert!(first > Some(0.0) && total >= first, "{record}");
    assert!(record["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{record}");
}

#[test]
fn common_and_combined_are_what_other_tools_read() {
    let fields = "Host: a.test\r\nReferer: http://r.test/\r\nUser-Agent: a \"b\"\r\n";
    for (format, agents) in [("common", ""), ("combined", " \"http://r.test/\" \"a \\x22b\\x22\"")]
    {
        let backend = Backend::plain();
        let proxy = Proxy::with(&[&backend], &format!("log.access = \"{format}\""));
        proxy.ask(format!("GET /x HTTP/1.1\r\n{fields}\r\n"));
        let line = proxy.process.printed.wait("/x");
        let (before, after) = line.split_once("] ").unwrap();
        assert!(before.starts_with("127.0.0.1 - - ["), "{line}");
        let start = format!("\"GET /x HTTP/1.1\" 200 9{agents} A 1 ");
        assert!(after.starts_with(&start) && after.ends_with(" --"), "{line}");
    }
}

#[test]
fn each_request_of_a_connection_has_a_line_of_its_own() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], JSON);
    let mut client = proxy.connect();
    for number in 0..20 {
        client.get(&format!("/n{number}"));
    }
    for number in 0..20 {
        assert_eq!(proxy.record(&format!("/n{number}"))["status"], 200);
    }
    assert_eq!(proxy.process.printed.all().len(), 20);
}

#[test]
fn a_refusal_is_logged_with_what_is_known_of_it() {
    let backend = Backend::plain();
    let settings = "timeouts.request_head = \"300ms\"\nlimits.body_bytes = \"1KiB\"";
    let proxy = Proxy::with(&[&backend], &format!("{JSON}{settings}"));
    let host = "Host: a.test\r\n";
    for (request, status, method, target, version) in [
        ("GET /no-host HTTP/1.1\r\n\r\n".into(), 400, "GET", "/no-host", "HTTP/1.1"),
        (format!("PUT /a HTTP/1.1\r\n{host}X A: b\r\n\r\n"), 400, "PUT", "/a", "HTTP/1.1"),
        (format!("TRACE /b HTTP/1.1\r\n{host}\r\n"), 405, "TRACE", "/b", "HTTP/1.1"),
        (format!("GET /c HTTP/3.0\r\n{host}\r\n"), 505, "GET", "/c", "HTTP/3.0"),
        (format!("GET /late HTTP/1.1\r\n{host}"), 408, "GET", "/late", "HTTP/1.1"),
        ("\u{16}\u{3}\u{1}TLS\r\n\r\n".into(), 400, "", "\u{16}\u{3}\u{1}TLS", ""),
        (
            format!("POST /large HTTP/1.1\r\n{host}Content-Length: 2000\r\n\r\n"),
            413,
            "POST",
            "/large",
            "HTTP/1.1",
        ),
    ] {
        let answer = proxy.ask(&request);
        assert_eq!(answer.status(), status);
        let record = proxy.record(&serde_json::to_string(target).unwrap().replace('"', ""));
        let expected = [
            ("method", method.into()),
            ("version", version.into()),
            ("status", status.into()),
            ("reason", answer.text().trim_end().into()),
            ("backend", Value::Null),
        ];
        for (key, value) in expected {
            assert_eq!(record[key], value, "{key} in {record}");
        }
        let waited = record["total_ms"].as_f64() >= Some(300.0);
        assert!(waited == (status == 408), "{record}");
        assert!(matches!(record["cause"].as_str(), Some("PR" | "cR")), "{record}");
    }
}

#[test]
fn why_a_request_did_not_end_well_stands_behind_the_line() {
    let (backend, dead) = (Backend::plain(), Vacant::new());
    let proxy = Proxy::with(&[&backend], "log.access = \"common\"");
    proxy.ask("GET /h HTTP/1.1\r\n\r\n");
    let line = proxy.process.printed.wait(" 400 ");
    assert!(
        line.contains("] \"GET /h HTTP/1.1\" 400 ") && line.ends_with(" PR \"no Host\""),
        "{line}"
    );
    proxy.get("/good");
    assert!(proxy.process.printed.wait("/good").ends_with(" --"));
    let proxy = Proxy::with(&[&dead], "log.access = \"common\"");
    proxy.farewell(502);
    proxy.get("/dead");
    let line = proxy.process.printed.wait("/dead");
    assert!(line.contains(" SC \"connect failed: Connection refused"), "{line}");
}

#[test]
fn the_cause_tells_who_ended_a_request_and_how() {
    let breaks = |after: &'static str| {
        Backend::first(move |wire| {
            wire.request();
            wire.offer(after);
        })
    };
    for (said, cause) in [
        ("", "SH"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "SD"),
        ("rubbish\r\n\r\n", "PH"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "SD"),
    ] {
        let backend = breaks(said);
        let proxy = Proxy::with(&[&backend], JSON);
        let mut client = proxy.connect();
        client.send("GET /c HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let _ = client.try_answer("GET");
        let record = proxy.record("/c");
        assert_eq!(record["cause"], cause, "{said:?}: {record}");
        assert_eq!(record["backend"], "A", "{said:?}: {record}");
    }
}

/// What comes with the head is judged with it: the client gets a 502. Later it has a part already.
#[test]
fn a_bad_body_is_told_by_whether_the_client_has_a_part_of_the_answer() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let gate = Gate::new();
    let seen = gate.clone();
    let backend = Backend::every(move |wire| {
        let is_late = wire.request().is_some_and(|request| request.target() == "/late");
        let first = if is_late { "5\r\nhello\r\n" } else { "zz\r\n" };
        wire.offer(format!("{HEAD}{first}"));
        if is_late {
            seen.pass();
            wire.offer("zz\r\n");
        }
    });
    let proxy = Proxy::with(&[&backend], JSON);
    proxy.farewell(502);
    for (target, status, cause) in [("/first", 502, "PH"), ("/late", 200, "PD")] {
        let mut client = proxy.connect();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert_eq!(client.head().unwrap().status(), status);
        if target == "/late" {
            gate.open();
        }
        let record = proxy.record(target);
        assert_eq!((&record["cause"], &record["status"]), (&cause.into(), &status.into()));
        let reason = "bad answer: a chunk's size is not hexadecimal";
        assert_eq!(record["reason"], reason, "{record}");
    }
}

#[test]
fn what_no_backend_had_a_part_in_has_its_cause_too() {
    let (dead, down) = (Vacant::new(), Vacant::new());
    let proxy = Proxy::with(&[&dead], JSON);
    proxy.farewell(502);
    assert_eq!(proxy.get("/refused").status(), 502);
    assert_eq!(proxy.record("/refused")["cause"], "SC");
    let proxy = Proxy::with(&[&Keyed(&down, "alive = false")], JSON);
    proxy.farewell(503);
    proxy.pardon("answering 503");
    assert_eq!(proxy.get("/none").status(), 503);
    assert_eq!(proxy.record("/none")["cause"], "PC");
}

#[test]
fn timeouts_are_told_apart_by_their_side() {
    let backend = Backend::silent();
    let settings = "timeouts.response = \"200ms\"\ntimeouts.client_body = \"200ms\"";
    let proxy = Proxy::with(&[&backend], &format!("{JSON}{settings}"));
    proxy.farewell(504);
    assert_eq!(proxy.get("/late").status(), 504);
    let late = proxy.record("/late");
    assert_eq!((&late["cause"], &late["status"]), (&"sH".into(), &504.into()), "{late}");
    let mut client = proxy.connect();
    client.send("POST /slow HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhalf");
    assert_eq!(client.answer().status(), 408);
    let slow = proxy.record("/slow");
    assert_eq!((&slow["cause"], &slow["status"]), (&"cR".into(), &408.into()), "{slow}");
}

#[test]
fn a_client_that_leaves_is_a_499() {
    let backend = Backend::silent();
    let proxy = Proxy::with(&[&backend], JSON);
    proxy.no_farewell();
    let mut client = proxy.connect();
    client.send("GET /left HTTP/1.1\r\nHost: a.test\r\n\r\n");
    backend.wait_requests(1);
    client.reset();
    let record = proxy.record("/left");
    assert_eq!((&record["status"], &record["cause"]), (&499.into(), &"CH".into()), "{record}");
}

#[test]
fn a_retried_request_has_one_line_with_its_tries() {
    let (dead, good) = (Vacant::new(), Backend::plain());
    let proxy = Proxy::with(&[&dead, &good], JSON);
    assert_eq!(proxy.get("/1").status(), 200);
    assert_eq!(proxy.get("/2").status(), 200);
    let tries = ["/1", "/2"].map(|target| proxy.record(target)["tries"].as_u64().unwrap());
    assert!(tries.contains(&2), "{tries:?}");
    assert_eq!(proxy.record("/1")["backend"], "B");
}

#[test]
fn a_hostile_request_forges_no_line() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "log.access = \"combined\"");
    proxy.ask("GET /\"%0a\" HTTP/1.1\r\nHost: a.test\r\nUser-Agent: x\" 1\t\u{1b}x\r\n\r\n");
    proxy.ask("GET /f HTTP/1.1\r\nHost: a.test\r\nUser-Agent: \"\\\u{e9}\r\n\r\n");
    proxy.process.printed.wait("/f");
    for line in proxy.process.printed.all() {
        let quotes = if line.contains(" 400 ") { 8 } else { 6 };
        assert!(line.is_ascii() && line.matches('"').count() == quotes, "{line}");
    }
}

#[test]
fn lines_go_to_a_file_or_to_stderr_where_told() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], &format!("{JSON}log.to = \"./access.log\""));
    proxy.get("/filed");
    let file = proxy.scratch.path().join("access.log");
    eventually("the line is in the file", || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"/filed\""))
    });
    let proxy = Proxy::with(&[&backend], &format!("{JSON}log.to = \"stderr\""));
    proxy.get("/said");
    proxy.process.said.wait("\"/said\"");
}

#[test]
fn after_usr1_lines_go_to_a_new_file() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], &format!("{JSON}log.to = \"./access.log\""));
    let [file, moved] = ["access.log", "access.log.1"].map(|name| proxy.scratch.path().join(name));
    let has = |file: &std::path::Path, part: &str| {
        std::fs::read_to_string(file).is_ok_and(|text| text.contains(part))
    };
    proxy.get("/before");
    eventually("the line is in the file", || has(&file, "\"/before\""));
    std::fs::rename(&file, &moved).unwrap();
    proxy.process.signal(Signal::USR1);
    eventually("there is a new file", || file.exists());
    proxy.get("/behind");
    eventually("the line is in the new file", || has(&file, "\"/behind\""));
    assert!(!has(&moved, "\"/behind\""));
}

/// A pipe that is held open and never read: it fills up after 64 KiB.
struct Unread {
    _reader: File,
    scratch: Scratch,
}

impl Unread {
    fn new() -> Self {
        let scratch = Scratch::new();
        let pipe = scratch.path().join("pipe.fifo");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = File::options().read(true).write(true).open(&pipe).unwrap();
        Self { _reader: reader, scratch }
    }

    /// A proxy whose access log goes there.
    fn log_of(&self, backend: &Backend, format: &str) -> Proxy {
        let pipe = self.scratch.path().join("pipe.fifo");
        let to = format!("log.access = {format:?}\nlog.to = {pipe:?}\n");
        Proxy::with(&[backend], &(to + "limits.requests_per_connection = 0"))
    }
}

#[test]
fn without_a_reader_of_the_log_requests_are_still_answered() {
    let backend = Backend::plain();
    let unread = Unread::new();
    let proxy = unread.log_of(&backend, "json");
    let mut client = proxy.connect();
    for _ in 0..900 {
        assert_eq!(client.get("/x").status(), 200);
    }
}

#[test]
fn a_log_that_nobody_reads_fills_no_memory_and_hides_no_event() {
    for format in ["combined", "json"] {
        let backend = Backend::plain();
        let unread = Unread::new();
        let proxy = unread.log_of(&backend, format);
        let mut client = proxy.connect();
        let agent = "\u{9b}".repeat(7 * 1024);
        let request = format!("GET /x HTTP/1.1\r\nHost: a.test\r\nUser-Agent: {agent}\r\n\r\n");
        for _ in 0..3000 {
            assert_eq!(client.ask(&request).status(), 200);
        }
        proxy.process.said.wait(" lines dropped: ");
        proxy.process.signal(Signal::USR2);
        proxy.process.said.wait("INFO  backend A: up");
        assert!(proxy.process.memory_kib("VmHWM") < 32 * 1024);
    }
}

#[test]
fn the_log_is_complete_when_the_process_has_ended() {
    let backend = Backend::plain();
    let mut proxy = Proxy::with(&[&backend], &format!("{JSON}limits.requests_per_connection = 0"));
    let mut client = proxy.connect();
    for _ in 0..500 {
        client.get("/x");
    }
    proxy.terminate();
    assert_eq!(proxy.exit_code(), Some(0));
    assert_eq!(proxy.process.printed.complete().len(), 500);
}

#[test]
fn event_lines_have_a_time_and_a_level() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    for line in proxy.process.said.all() {
        let mut words = line.split_whitespace();
        let time = words.next().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{line}");
        assert!(matches!(words.next(), Some("INFO" | "WARN" | "ERROR")), "{line}");
    }
}
