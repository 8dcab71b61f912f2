//! The demo backend through real sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::*;

const LONG: Duration = Duration::from_secs(20);

struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// A client's end of a connection.
struct Client(BufReader<TcpStream>);

impl Client {
    fn to(address: SocketAddr) -> Client {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.set_nodelay(true).unwrap();
        Client(BufReader::new(socket))
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    fn head(&mut self) -> (u16, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.0.read_line(&mut head).unwrap() > 0, "closed after {head:?}");
        }
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
    }

    fn answer(&mut self) -> Answer {
        let (status, head) = self.head();
        let length = field(&head, "Content-Length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        Answer { status, head, body: String::from_utf8(body).unwrap() }
    }

    fn ask(&mut self, method: &str, target: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!("{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n");
        self.send(format!("{head}\r\n{body}").as_bytes());
        self.answer()
    }

    fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0))
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn start(options: DemoOptions) -> Demo {
    let listen = ([127, 0, 0, 1], 0).into();
    Demo::start(&DemoOptions { listen, ..options }).unwrap()
}

fn one() -> (Demo, Client) {
    let demo = start(DemoOptions::default());
    let client = Client::to(demo.addresses()[0]);
    (demo, client)
}

#[test]
fn each_instance_says_its_name() {
    let demo = start(DemoOptions { instances: 3, ..DemoOptions::default() });
    assert_eq!(demo.names().collect::<Vec<_>>(), ["API01", "API02", "API03"]);
    for (address, name) in demo.addresses().into_iter().zip(["API01", "API02", "API03"]) {
        let answer = Client::to(address).ask("GET", "/?x=1", "");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, format!(r#"{{"Result":true,"Message":"This is API: {name}"}}"#));
        assert_eq!(field(&answer.head, "Content-Type"), Some("application/json"));
    }
}

#[test]
fn names_count_on_from_the_first() {
    let names = |first| [0, 1, 9].map(|index| nth_name(first, index));
    assert_eq!(names("API01"), ["API01", "API02", "API10"]);
    assert_eq!(names("b9"), ["b9", "b10", "b18"]);
    assert_eq!(names("web"), ["web", "web2", "web10"]);
}

#[test]
fn health_is_flipped_by_request_and_by_hand() {
    let (demo, mut client) = one();
    let health = |client: &mut Client| {
        let answer = client.ask("GET", "/health", "");
        (answer.status, answer.body)
    };
    let well = (200, r#"{"Result":true,"Message":"OK"}"#.to_string());
    let ill = (503, r#"{"Result":false,"Message":"API01 is unhealthy"}"#.to_string());
    assert_eq!(health(&mut client), well);
    let flipped = client.ask("GET", "/health/flip", "");
    assert_eq!(flipped.body, r#"{"Result":false,"Message":"API01 is now unhealthy"}"#);
    assert_eq!(health(&mut client), ill);
    let flipped = client.ask("POST", "/health/flip", "");
    assert_eq!(flipped.body, r#"{"Result":true,"Message":"API01 is now healthy"}"#);
    assert_eq!(health(&mut client), well);
    assert!(!demo.flip(0));
    assert_eq!(health(&mut client), ill);
}

#[test]
fn an_unhealthy_start_is_unhealthy() {
    let demo = start(DemoOptions { unhealthy: true, ..DemoOptions::default() });
    assert_eq!(Client::to(demo.addresses()[0]).ask("GET", "/health", "").status, 503);
}

#[test]
fn json_comes_back_byte_for_byte_under_its_content_type() {
    let (_demo, mut client) = one();
    let json = r#" { "a": [1.50, "ü", null] } "#;
    let head = "POST /any HTTP/1.1\r\nHost: a\r\nContent-Type: application/problem+json\r\n";
    client.send(format!("{head}Content-Length: {}\r\n\r\n{json}", json.len()).as_bytes());
    let answer = client.answer();
    assert_eq!((answer.status, answer.body.as_str()), (200, json));
    assert_eq!(field(&answer.head, "Content-Type"), Some("application/problem+json"));
    assert_eq!(client.ask("POST", "/", "7").body, "7");
}

#[test]
fn a_chunked_body_is_put_together() {
    let (_demo, mut client) = one();
    client.send(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(b"4\r\n[1, \r\n3;x=y\r\n2]\n\r\n0\r\nTrailer: t\r\n\r\n");
    assert_eq!(client.answer().body, "[1, 2]\n");
    assert_eq!(client.ask("GET", "/", "").status, 200);
}

#[test]
fn what_is_not_json_is_400_and_a_reason() {
    let (_demo, mut client) = one();
    for body in ["", "{", "{} x", "nul", "\"\u{1}\""] {
        let answer = client.ask("POST", "/x", body);
        assert_eq!(answer.status, 400, "{body:?}");
        let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(json["Result"], false);
        assert!(json["Message"].as_str().unwrap().starts_with("The body is not JSON: "));
    }
    client.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\"\xff\"");
    assert_eq!(client.answer().status, 400);
}

#[test]
fn deeply_nested_json_is_no_danger() {
    let (_demo, mut client) = one();
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    assert_eq!(client.ask("POST", "/x", &deep).body, deep);
}

#[test]
fn other_paths_and_methods_are_refused_in_json() {
    let (_demo, mut client) = one();
    assert_eq!(client.ask("GET", "/nope", "").status, 404);
    for (method, target, allow) in [
        ("DELETE", "/", "GET, HEAD, POST"),
        ("POST", "/health", "GET, HEAD"),
        ("PUT", "/health/flip", "GET, POST"),
    ] {
        let answer = client.ask(method, target, "{}");
        assert_eq!(answer.status, 405);
        assert_eq!(field(&answer.head, "Allow"), Some(allow));
        assert!(answer.body.starts_with(r#"{"Result":false,"#));
    }
}

#[test]
fn head_has_the_length_and_no_body() {
    let (_demo, mut client) = one();
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let (status, head) = client.head();
    assert_eq!((status, field(&head, "Content-Length")), (200, Some("46")));
    assert_eq!(client.ask("GET", "/", "").body.len(), 46);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (_demo, mut client) = one();
    let post = |n| format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{n}");
    let all: String = (100..400).map(post).collect();
    client.send(all.as_bytes());
    (100..400).for_each(|n| assert_eq!(client.answer().body, n.to_string()));
}

#[test]
fn a_client_that_expects_100_continue_gets_it() {
    let (_demo, mut client) = one();
    let head = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    client.send(head.as_bytes());
    assert_eq!(client.head().0, 100);
    client.send(b"{}");
    assert_eq!(client.answer().body, "{}");
}

#[test]
fn a_body_over_a_mebibyte_is_413_even_for_a_client_that_sends_it_all_first() {
    let demo = start(DemoOptions::default());
    let big = "1".repeat(16 * 1024 * 1024);
    for head in [format!("Content-Length: {}", big.len()), "Transfer-Encoding: chunked".into()] {
        let mut client = Client::to(demo.addresses()[0]);
        client.send(format!("POST /x HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n1000000\r\n").as_bytes());
        client.send(big.as_bytes());
        assert_eq!(client.answer().status, 413);
        assert!(client.is_closed());
    }
}

#[test]
fn a_bad_request_is_refused_with_a_reason_and_closed() {
    let (_demo, mut client) = one();
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, field(&answer.head, "Connection")), (400, Some("close")));
    assert!(answer.body.starts_with(r#"{"Result":false,"#));
    assert!(client.is_closed());
}

#[test]
fn an_endless_head_is_431() {
    let (_demo, mut client) = one();
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ");
    client.send(&[b'x'; 64 * 1024]);
    assert_eq!(client.answer().status, 431);
}

#[test]
fn an_http_1_0_client_is_closed_after_its_answer() {
    let (_demo, mut client) = one();
    client.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert!(client.is_closed());
}

#[test]
fn a_seed_gives_the_same_fate_in_every_run_and_spares_health() {
    let statuses = || {
        let demo = start(DemoOptions { seed: 42, instances: 2, ..DemoOptions::default() });
        let fates = demo.addresses().into_iter().map(|address| {
            let mut client = Client::to(address);
            (0..60).map(|_| client.ask("GET", "/", "").status).collect::<Vec<_>>()
        });
        let fates: Vec<_> = fates.collect();
        let mut client = Client::to(demo.addresses()[0]);
        assert!((0..200).all(|_| client.ask("GET", "/health", "").status == 200));
        fates
    };
    let fates = statuses();
    assert_eq!(fates, statuses());
    assert!(fates.concat().contains(&500), "seed 42 was chosen to have some");
}

#[test]
fn many_connections_at_once_are_served() {
    let demo = start(DemoOptions::default());
    let mut clients: Vec<Client> = (0..200).map(|_| Client::to(demo.addresses()[0])).collect();
    clients.iter_mut().for_each(|client| client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    clients.iter_mut().for_each(|client| assert_eq!(client.answer().status, 200));
}

#[test]
fn stopping_is_prompt_and_frees_the_port() {
    let demo = start(DemoOptions { instances: 3, seed: 1, ..DemoOptions::default() });
    let addresses = demo.addresses();
    let mut idle = Client::to(addresses[0]);
    assert!(idle.ask("GET", "/", "").status > 0);
    let mut halfway = Client::to(addresses[1]);
    halfway.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n[1");
    let begun = Instant::now();
    demo.stop();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(idle.is_closed());
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()));
    bind(addresses[0]).unwrap();
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let demo = start(DemoOptions::default());
    let listen = demo.addresses()[0];
    let error = Demo::start(&DemoOptions { listen, ..DemoOptions::default() }).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&format!("cannot listen on {listen}: Address")));
}

#[test]
fn ports_that_do_not_exist_are_an_error() {
    let listen = ([127, 0, 0, 1], 65535).into();
    let error =
        Demo::start(&DemoOptions { listen, instances: 2, ..DemoOptions::default() }).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
