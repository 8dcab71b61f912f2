//! The demo backend through its command, and the demo that is built on it.

use crate::harness::{Message, Process, Scratch, Wire};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};

/// Running instances and where they listen.
struct Demo {
    process: Process,
    addresses: Vec<SocketAddr>,
    _scratch: Scratch,
}

fn demo(instances: usize, more: &[&str]) -> Demo {
    let scratch = Scratch::new();
    let count = instances.to_string();
    let mut arguments = vec!["backend", "--listen", "127.0.0.1:0", "--instances", &count];
    arguments.extend(more);
    let process = Process::evenly(&arguments, scratch.path());
    let address = |nth| {
        let line = process.printed.wait_nth("listens on http://", nth);
        line.split("http://").nth(1).unwrap().parse().unwrap()
    };
    let addresses = (1..=instances).map(address).collect();
    Demo { process, addresses, _scratch: scratch }
}

impl Demo {
    fn ask(&self, instance: usize, request: &str) -> Message {
        Wire::connect(self.addresses[instance]).ask(request)
    }

    fn get(&self, instance: usize, target: &str) -> (u16, Value) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let answer = self.ask(instance, &request);
        (answer.status(), serde_json::from_slice(&answer.body).unwrap())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.process.signal(Signal::TERM);
            assert_eq!(self.process.wait().code(), Some(0));
        }
    }
}

#[test]
fn each_instance_tells_its_name() {
    let demo = demo(3, &["--name", "API01"]);
    for (instance, name) in ["API01", "API02", "API03"].into_iter().enumerate() {
        let expected = json!({ "Result": true, "Message": format!("This is API: {name}") });
        assert_eq!(demo.get(instance, "/"), (200, expected));
    }
}

#[test]
fn health_can_be_turned() {
    let demo = demo(1, &[]);
    assert_eq!(demo.get(0, "/health"), (200, json!({ "Result": true, "Message": "OK" })));
    demo.get(0, "/health/flip");
    let (status, body) = demo.get(0, "/health");
    assert_eq!((status, &body["Result"]), (503, &false.into()));
    demo.get(0, "/health/flip");
    assert_eq!(demo.get(0, "/health").0, 200);
}

#[test]
fn it_may_begin_unhealthy() {
    let demo = demo(1, &["--unhealthy"]);
    assert_eq!(demo.get(0, "/health").0, 503);
    assert_eq!(demo.get(0, "/").0, 200);
}

#[test]
fn json_is_echoed_with_its_type_and_nothing_else_is() {
    let demo = demo(1, &[]);
    let post = |kind: &str, body: &str| {
        let length = body.len();
        demo.ask(
            0,
            &format!(
                "POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Type: {kind}\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            ),
        )
    };
    let body = "{ \"a\": [1, 2.50, \"\u{e9}\"] }";
    let answer = post("application/problem+json", body);
    assert_eq!((answer.status(), answer.text().as_str()), (200, body));
    assert_eq!(answer.field("content-type"), Some("application/problem+json"));
    let answer = post("application/json", "{ no json");
    assert_eq!(answer.status(), 400);
    let reason: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(reason["Result"], false);
    assert!(reason["Message"].as_str().is_some_and(|text| text.contains("JSON")));
}

#[test]
fn a_seed_makes_the_same_errors_in_every_run() {
    let statuses = || {
        let demo = demo(1, &["--seed", "42"]);
        let mut client = Wire::connect(demo.addresses[0]);
        (0..40).map(|_| client.get("/").status()).collect::<Vec<_>>()
    };
    assert_eq!(statuses(), statuses());
}

#[test]
fn the_demo_balances_over_three_backends_and_says_what_to_try() {
    let scratch = Scratch::new();
    let dashboard = if cfg!(feature = "admin") { "127.0.0.1:0" } else { "off" };
    let dashboard = format!("admin.listen={dashboard}");
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--set", &dashboard];
    let mut process = Process::evenly(&arguments, scratch.path());
    let line = process.printed.wait("curl");
    let address = line.split("http://").nth(1).unwrap().trim_end_matches('/');
    let mut client = Wire::connect(address.parse().unwrap());
    let mut names: Vec<_> =
        (0..6).map(|_| client.get("/").field("x-served-by").unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["API01", "API01", "API02", "API02", "API03", "API03"]);
    drop(client);
    #[cfg(feature = "admin")]
    {
        process.printed.wait("Look at");
        let dashboard = process.printed.wait_nth("    http://", 1);
        let address = dashboard.trim().trim_start_matches("http://").trim_end_matches('/');
        let mut browser = Wire::connect(address.parse().unwrap());
        let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
        assert!(browser.ask(request).text().contains("<title>Evenly</title>"));
        process
            .printed
            .wait(&format!("evenly bench {}", line.trim().trim_start_matches("curl -i ")));
    }
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn who_idles_behind_a_large_body_holds_no_memory() {
    let demo = demo(1, &[]);
    let body = format!("\"{}\"", "x".repeat((1 << 20) - 2));
    let head =
        format!("POST /api/echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n", 1 << 20);
    let request = format!("{head}\r\n{body}");
    let ask = |_| {
        let mut client = Wire::connect(demo.addresses[0]);
        let answer = client.ask(&request);
        assert_eq!((answer.status(), answer.body.len()), (200, 1 << 20));
        client
    };
    let idle: Vec<Wire> = (0..100).map(ask).collect();
    assert!(demo.process.memory_kib("VmRSS") < 64 * 1024);
    drop(idle);
}

#[test]
fn the_demo_takes_the_next_free_ports_and_says_so() {
    // Whoever has them otherwise, they are taken.
    let _taken = [8080, 9002].map(|port| TcpListener::bind(("127.0.0.1", port)));
    let scratch = Scratch::new();
    let process = Process::evenly(&["demo"], scratch.path());
    let line = process.printed.wait("Three demo backends");
    assert!(line.contains("; not all of 9001 to 9003 are free) "), "{line}");
    assert!(line.contains(" (8080 is taken)."), "{line}");
    let address = line.split("http://").nth(1).unwrap().split(' ').next().unwrap();
    let mut client = Wire::connect(address.parse().unwrap());
    let served = |_| client.get("/").field("x-served-by").map(str::to_owned);
    let names = ["API01", "API02", "API03"].map(|name| Some(name.to_owned()));
    assert_eq!([(); 3].map(served), names);
}
