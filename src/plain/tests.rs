//! Server and client through real sockets; the handler does what the path says.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::{Link, LinkError, Patience, Phase};
use super::handler::{Handled, Handler, ServerLimits, WholeRequest};
use super::server::PlainServer;
use crate::http::HeadLimits;
use crate::http::reply::TEXT;

/// Enough for any event on a busy machine.
const LONG: Duration = Duration::from_secs(20);
/// What a client is allowed in the tests that wait until it is over.
const SHORT: Duration = Duration::from_millis(200);

struct Scripted;

impl Handler for Scripted {
    fn answer<'a>(&'a self, asked: &WholeRequest<'a>) -> Handled<'a> {
        let body = match asked.head.target {
            "/host" => asked.head.host.to_owned(),
            "/large" => "x".repeat(64 << 20),
            "/panic" => panic!("as the test asked for"),
            "/patient" => {
                asked.wait(10 * LONG);
                "done".to_owned()
            }
            _ => String::from_utf8_lossy(asked.body).into_owned(),
        };
        Handled::new(200, TEXT, body)
    }
}

fn limits() -> ServerLimits {
    let (head, body_bytes_max) = (HeadLimits::default(), 1000);
    let (idle, request, answer) = (LONG, LONG, LONG);
    let (connections_max, idle_give_way, spare_descriptors) = (10, false, 0);
    ServerLimits {
        connections_max,
        backlog: 128,
        idle_give_way,
        spare_descriptors,
        head,
        body_bytes_max,
        idle,
        request,
        answer,
    }
}

fn start(limits: ServerLimits) -> (PlainServer, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (PlainServer::start(listener, "test", limits, Arc::new(Scripted)).unwrap(), address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket
}

/// Sends these bytes and reads until there is `end`, or the connection's.
fn ask(socket: &mut (impl Read + Write), request: &str, end: &str) -> String {
    let _ = socket.write_all(request.as_bytes()); // who was closed hears nothing either
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(end.as_bytes()) && matches!(socket.read(&mut byte), Ok(1)) {
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

const GET: &str = "GET /host HTTP/1.1\r\nHost: a.test\r\n\r\n";

#[test]
fn requests_of_one_connection_are_answered_one_after_the_other() {
    let (_server, address) = start(limits());
    let mut client = connect(address);
    for body in ["one", "", "a longer one"] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n", body.len());
        let line = if body.is_empty() { "\r\n\r\n".to_owned() } else { format!("{body}\n") };
        assert_eq!(status(&ask(&mut client, &format!("{head}\r\n{body}"), &line)), "200");
    }
    let last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert!(
        ask(&mut client, &format!("{GET}{last}"), "\0").contains("\r\n\r\na.test\nHTTP/1.1 200")
    );
}

#[test]
fn a_socket_of_the_file_system_is_served_like_one_of_the_network() {
    let directory = std::env::temp_dir().join(format!("evenly-plain-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let server = PlainServer::start(listener, "test", limits(), Arc::new(Scripted)).unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    for _ in 0..2 {
        assert_eq!(status(&ask(&mut client, GET, "a.test\n")), "200");
    }
    let begun = Instant::now();
    drop(server); // ends the accept that waits, and the client that idles
    assert!(begun.elapsed() < LONG && matches!(client.read(&mut [0]), Ok(0)));
    assert!(UnixStream::connect(&path).is_err());
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_request_that_drips_is_late_however_short_its_pauses() {
    let (_server, address) = start(ServerLimits { request: SHORT, ..limits() });
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999\r\n\r\n";
    for begin in ["G", post] {
        let mut client = connect(address);
        client.write_all(begin.as_bytes()).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (begun, mut first) = (Instant::now(), [0]);
        while !matches!(client.read(&mut first), Ok(1)) {
            assert!(begun.elapsed() < LONG, "never answered");
            client.write_all(b"x").unwrap();
        }
        client.set_read_timeout(Some(LONG)).unwrap();
        assert!(ask(&mut client, "", "\r\n").starts_with("TTP/1.1 408 "), "{begin}");
    }
}

#[test]
fn who_asks_nothing_is_closed_without_a_word() {
    let (_server, address) = start(ServerLimits { idle: SHORT, ..limits() });
    assert_eq!(ask(&mut connect(address), "", "\0"), "");
    // Not every one is quick enough on a busy machine.
    let served = |client: &mut TcpStream| status(&ask(client, GET, "a.test\n")) == "200";
    let mut kept = std::iter::repeat_with(|| connect(address)).take(100).find_map(|mut client| {
        let was_served = served(&mut client);
        was_served.then_some(client)
    });
    assert_eq!(ask(kept.as_mut().unwrap(), "", "\0"), "");
}

#[test]
fn who_does_not_read_its_answer_keeps_no_place_from_others() {
    let limits = ServerLimits { connections_max: 1, answer: SHORT, ..limits() };
    let (_server, address) = start(limits);
    let mut deaf = connect(address);
    deaf.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(status(&ask(&mut connect(address), GET, "a.test\n")), "200");
}

#[test]
fn who_asks_nothing_makes_way_for_who_waits_where_that_is_wanted() {
    let limits = ServerLimits { connections_max: 2, idle_give_way: true, ..limits() };
    let (_server, address) = start(limits);
    let mut idle = [connect(address), connect(address)];
    let mut busy = connect(address);
    busy.write_all(b"G").unwrap();
    assert_eq!(ask(&mut idle[0], "", "\0"), "", "the oldest is closed");
    let mut other = connect(address);
    assert_eq!(status(&ask(&mut other, GET, "a.test\n")), "200");
    assert_eq!(ask(&mut idle[1], "", "\0"), "", "and the next");
    assert_eq!(status(&ask(&mut busy, &GET[1..], "a.test\n")), "200");
    let mut last = connect(address);
    assert_eq!(status(&ask(&mut last, GET, "a.test\n")), "200", "who was served is idle again");
}

#[test]
fn a_connection_beyond_the_limit_waits_for_a_place() {
    let (_server, address) = start(ServerLimits { connections_max: 1, ..limits() });
    let mut first = connect(address);
    assert_eq!(status(&ask(&mut first, GET, "a.test\n")), "200");
    let mut second = connect(address);
    second.write_all(GET.as_bytes()).unwrap();
    second.set_read_timeout(Some(SHORT)).unwrap();
    assert!(second.read(&mut [0]).is_err(), "served beside the first");
    second.set_read_timeout(Some(LONG)).unwrap();
    first.shutdown(Shutdown::Both).unwrap();
    assert_eq!(status(&ask(&mut second, "", "a.test\n")), "200");
}

#[test]
fn heads_and_bodies_over_the_limit_are_refused_with_a_status() {
    let head = HeadLimits { head_bytes: 200, headers: 3, target_bytes: 20 };
    let (_server, address) = start(ServerLimits { head, ..limits() });
    let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(300));
    let many = "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n";
    let target = format!("GET /{} HTTP/1.1\r\n", "x".repeat(30));
    let body = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n";
    let chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = format!("{chunks}3E9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001));
    for (request, expected) in
        [(&*long, "431"), (many, "431"), (&target, "414"), (body, "413"), (&chunks, "413")]
    {
        assert_eq!(status(&ask(&mut connect(address), request, "\r\n")), expected, "{request}");
    }
}

#[test]
fn a_handler_that_panics_costs_its_connection_and_no_place() {
    let (_server, address) = start(ServerLimits { connections_max: 1, ..limits() });
    let panics = "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(ask(&mut connect(address), panics, "\0"), "");
    assert_eq!(status(&ask(&mut connect(address), GET, "a.test\n")), "200");
}

#[test]
fn a_stop_cuts_short_what_a_handler_waits_for() {
    let (server, address) = start(limits());
    let mut client = connect(address);
    client.write_all(b"GET /patient HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    // Answered by the same acceptor, so that the first is being served.
    assert_eq!(status(&ask(&mut connect(address), GET, "a.test\n")), "200");
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < LONG);
}

fn patience(until: Duration, response: Duration) -> Patience {
    let until = Instant::now() + until;
    Patience { until, connect: LONG, handshake: LONG, response, silence: LONG }
}

fn link(address: SocketAddr, patience: Patience) -> Link {
    Link::connect(&[address], None, patience, &mut |_, _| true).ok().unwrap()
}

/// The status and body of one exchange.
fn exchange(link: &mut Link, request: &str) -> Result<(u16, Vec<u8>), LinkError> {
    let head = link.ask(request.as_bytes(), "GET", &HeadLimits::default(), &mut |_| {})?;
    let mut body = Vec::new();
    let whole = link.read_body(head.framing, &mut |data| {
        body.extend_from_slice(data);
        body.len() < 1 << 20
    })?;
    Ok((head.status, if whole { body } else { Vec::new() }))
}

#[test]
fn a_link_serves_one_exchange_after_the_other_until_it_is_closed() {
    let (server, address) = start(limits());
    let mut link = link(address, patience(LONG, LONG));
    for _ in 0..3 {
        assert_eq!(exchange(&mut link, GET).unwrap(), (200, b"a.test\n".to_vec()));
        assert!(link.sent_any() && link.received() > 100 && link.unused().is_empty());
        assert!(link.is_open() && link.latency() < LONG);
        link.renew(patience(LONG, LONG));
        assert!(!link.sent_any() && link.received() == 0);
    }
    drop(server);
    assert!(!link.is_open());
}

#[test]
fn a_body_that_is_not_wanted_is_read_no_further() {
    let (_server, address) = start(limits());
    let mut link = link(address, patience(LONG, LONG));
    let large = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(exchange(&mut link, large).unwrap(), (200, Vec::new()));
    assert!(link.received() < 8 << 20);
}

#[test]
fn a_server_that_is_silent_is_late_by_its_limit_or_by_that_of_the_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for (until, response) in [(LONG, SHORT), (SHORT, LONG)] {
        let begun = Instant::now();
        let mut link = link(address, patience(LONG, LONG));
        link.renew(patience(until, response));
        let error = exchange(&mut link, GET).unwrap_err();
        assert!(matches!(error, LinkError::Late(Phase::Head, _)), "{error:?}");
        assert!(begun.elapsed() < LONG);
    }
}

#[test]
fn an_answer_that_drips_is_late_as_a_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let dripping = std::thread::spawn(move || {
        let mut socket = listener.accept().unwrap().0;
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        while socket.write_all(b"x").is_ok() {
            let _ = socket.read(&mut [0; 1000]); // the pause
        }
    });
    let mut link = link(address, patience(LONG, LONG));
    link.renew(patience(SHORT, LONG));
    let error = exchange(&mut link, GET).unwrap_err();
    assert!(matches!(error, LinkError::Late(..)), "{error:?}");
    drop(link);
    dripping.join().unwrap();
}

#[test]
fn the_next_address_is_asked_where_one_refuses_unless_that_is_unwanted() {
    let (_server, address) = start(limits());
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let connect = |goes_on| {
        let mut heard = Vec::new();
        let link = Link::connect(&[gone, address], None, patience(LONG, LONG), &mut |failed, _| {
            heard.push(failed);
            goes_on
        });
        (link.ok().and_then(|link| link.address()), heard)
    };
    assert_eq!(connect(true), (Some(address), vec![gone]));
    assert_eq!(connect(false), (None, vec![gone]));
}

#[test]
fn a_socket_of_the_file_system_is_asked_as_strictly() {
    let path = std::env::temp_dir().join(format!("evenly-link-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let _server = PlainServer::start(listener, "test", limits(), Arc::new(Scripted)).unwrap();
    let socket = UnixStream::connect(&path).unwrap();
    let mut link = Link::over(socket, patience(LONG, LONG)).unwrap();
    assert_eq!(link.address(), None);
    assert_eq!(exchange(&mut link, GET).unwrap(), (200, b"a.test\n".to_vec()));
    link.renew(patience(SHORT, LONG));
    let patient = "GET /patient HTTP/1.1\r\nHost: a\r\n\r\n";
    let error = exchange(&mut link, patient).unwrap_err();
    assert!(matches!(error, LinkError::Late(Phase::Head, _)), "{error:?}");
    std::fs::remove_file(&path).unwrap();
}
