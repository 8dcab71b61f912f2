//! The load generator against real servers: the demo backend, and ones that follow a script.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use super::*;
use crate::lab::backend::{Demo, DemoOptions};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Enough for any event on a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// A server that gives each connection to a script; it ends when dropped.
struct Scripted {
    address: SocketAddr,
    stopping: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
    acceptor: Option<JoinHandle<()>>,
}

/// One connection of it.
struct Peer(BufReader<TcpStream>);

impl Scripted {
    fn start(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stopping, connections) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (stop, count) = (Arc::clone(&stopping), Arc::clone(&connections));
        let accept = move || {
            thread::scope(|scope| {
                for socket in listener.incoming() {
                    if stop.load(Ordering::SeqCst) > 0 {
                        break;
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                    let (socket, script) = (socket.unwrap(), &script);
                    socket.set_read_timeout(Some(LONG)).unwrap();
                    socket.set_nodelay(true).unwrap();
                    scope.spawn(move || script(&mut Peer(BufReader::new(socket))));
                }
            });
        };
        Scripted { address, stopping, connections, acceptor: Some(thread::spawn(accept)) }
    }

    /// Says these bytes to every request, over and over.
    fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Scripted::start(move |peer| {
            while peer.request().is_some() {
                peer.say(&answer);
            }
        })
    }

    /// Says these bytes to the first request of a connection and closes it.
    fn closing_after(answer: &'static str) -> Self {
        Scripted::start(move |peer| {
            if peer.request().is_some() {
                peer.say(answer.as_bytes());
            }
        })
    }

    fn plan(&self) -> LoadPlan {
        plan(self.address)
    }

    fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stopping.store(1, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take()
            && let (Err(panic), false) = (acceptor.join(), thread::panicking())
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Peer {
    /// The next request, body included; none when the client has closed.
    fn request(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(self.0.read_line(&mut head), Ok(1..)) {
                return None;
            }
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        std::io::Read::read_exact(&mut self.0, &mut body).ok()?;
        Some(head + &String::from_utf8(body).unwrap())
    }

    /// A client that has given up is no error.
    fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.get_mut().write_all(bytes.as_ref());
    }
}

fn plan(address: SocketAddr) -> LoadPlan {
    let url = format!("http://{address}/").parse().unwrap();
    LoadPlan { workers: 1, requests: Some(3), duration: None, timeout: LONG, ..LoadPlan::to(url) }
}

fn tally(plan: &LoadPlan) -> LoadTally {
    run(plan).unwrap()
}

/// A server that is slow, not a test that waits.
fn stall(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        thread::park_timeout(end.saturating_duration_since(Instant::now()));
    }
}

/// The only fault of a run of which nothing succeeded, with an example.
fn fault(plan: &LoadPlan) -> (LoadFault, String) {
    let tally = tally(plan);
    assert_eq!((tally.answers(), tally.faults.len()), (0, 1), "{tally:?}");
    assert_eq!(Some(tally.failures()), plan.requests);
    let (fault, failures) = tally.faults.into_iter().next().unwrap();
    (fault, failures.example)
}

/// The figures of a run in which everything succeeded.
fn sound(plan: &LoadPlan) -> LoadTally {
    let tally = tally(plan);
    assert_eq!(Some((tally.ok(), 0)), plan.requests.map(|n| (n, tally.failures())), "{tally:?}");
    assert_eq!(tally.latency.len(), tally.answers());
    tally
}

#[test]
fn a_closed_loop_sends_exactly_as_many_as_asked() {
    let demo = demo(1);
    for workers in [1, 7] {
        let plan = LoadPlan { workers, requests: Some(500), ..plan(demo.addresses()[0]) };
        let tally = sound(&plan);
        assert_eq!(tally.statuses, [(200, 500)].into());
        assert!(tally.service.is_none() && tally.unsent == 0 && tally.bytes > 500 * 100);
    }
}

fn demo(instances: u16) -> Demo {
    let listen = ([127, 0, 0, 1], 0).into();
    Demo::start(&DemoOptions { listen, instances, ..DemoOptions::default() }).unwrap()
}

#[test]
fn answers_are_counted_by_who_gave_them() {
    let count = AtomicU64::new(0);
    let server = Scripted::start(move |peer| {
        while peer.request().is_some() {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let field = ["X-Served-By: a\r\n", "x-served-by: b c\r\n", ""][number as usize % 3];
            peer.say(format!("HTTP/1.1 200 OK\r\n{field}Content-Length: 0\r\n\r\n"));
        }
    });
    let tally = sound(&LoadPlan { requests: Some(30), workers: 4, ..server.plan() });
    assert_eq!(tally.served_by, [("a".into(), 10), ("b c".into(), 10)].into());
}

#[test]
fn a_connection_is_used_again_unless_asked_otherwise() {
    let server = Scripted::saying(OK);
    sound(&LoadPlan { requests: Some(20), ..server.plan() });
    assert_eq!(server.connections(), 1);
    let mut plan = server.plan();
    plan.request.keep_alive = false;
    sound(&plan);
    assert_eq!(server.connections(), 4);
}

#[test]
fn the_request_is_sent_as_planned() {
    let (said, heard) = mpsc::channel();
    let server = Scripted::start(move |peer| {
        while let Some(request) = peer.request() {
            said.send(request).unwrap();
            peer.say(OK);
        }
    });
    let mut plan = server.plan();
    plan.request.method = "POST".into();
    plan.request.headers = vec![("X-A".into(), "b".into())];
    plan.request.body = b"{}".to_vec();
    sound(&plan);
    let request = heard.recv().unwrap();
    assert!(request.starts_with("POST / HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
    assert!(request.ends_with("\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{}"), "{request}");
    assert_eq!(heard.iter().take(2).filter(|again| *again == request).count(), 2);
}

#[test]
fn every_way_to_end_a_body_is_understood() {
    let bodies = [
        "Content-Length: 3\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nT: t\r\n\r\n",
        "Content-Length: 0\r\n\r\n",
    ];
    for body in bodies {
        let server = Scripted::saying(format!("HTTP/1.1 200 OK\r\n{body}"));
        assert_eq!(sound(&server.plan()).resent, 0);
        assert_eq!(server.connections(), 1, "{body:?}");
    }
    let closing = [
        "HTTP/1.1 200 OK\r\n\r\nuntil the close",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    ];
    for answer in closing {
        let server = Scripted::closing_after(answer);
        assert_eq!(sound(&server.plan()).resent, 0);
        assert_eq!(server.connections(), 3, "{answer:?}");
    }
}

#[test]
fn answers_without_a_body_keep_the_connection() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n";
    for (method, answer) in [
        ("HEAD", head),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
    ] {
        let server = Scripted::saying(answer);
        let mut plan = server.plan();
        plan.request.method = method.into();
        sound(&plan);
        assert_eq!(server.connections(), 1, "{answer:?}");
    }
}

#[test]
fn interim_answers_are_passed_over() {
    let early = "HTTP/1.1 103 Early Hints\r\nX-Served-By: early\r\n\r\n";
    let cont = "HTTP/1.1 100 Continue\r\n\r\n";
    let server = Scripted::saying(format!("{cont}{early}{cont}{OK}"));
    let tally = sound(&server.plan());
    assert_eq!((tally.statuses, tally.served_by.len()), ([(200, 3)].into(), 0));
    assert_eq!(sound(&Scripted::saying(cont.repeat(1000) + OK).plan()).statuses, [(200, 3)].into());
    let endless = Scripted::saying(cont.repeat(3000) + OK);
    let (kind, example) = fault(&endless.plan());
    assert_eq!(
        (kind, example.as_str()),
        (LoadFault::Malformed, "more interim answers than are allowed")
    );
}

#[test]
fn a_body_larger_than_the_buffer_is_read_to_its_end() {
    let body = "x".repeat(300_000);
    let length = body.len();
    let server =
        Scripted::saying(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"));
    let tally = sound(&server.plan());
    assert!(tally.bytes > 900_000);
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_in_single_bytes_is_one_answer() {
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Served-By: slow\r\n\
                  Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    let server = Scripted::start(move |peer| {
        while peer.request().is_some() {
            answer.bytes().for_each(|byte| peer.say([byte]));
        }
    });
    assert_eq!(sound(&server.plan()).served_by, [("slow".into(), 3)].into());
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    // Bound, not listening: it refuses, and nobody else can get it meanwhile.
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    let held = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&held, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = SocketAddr::try_from(getsockname(&held).unwrap()).unwrap();
    let (kind, example) = fault(&plan(address));
    assert_eq!(kind, LoadFault::Refused);
    assert!(example.starts_with(&format!("connect to {address}: Connection refused")), "{example}");
}

#[test]
fn a_close_before_the_head_is_whole_is_closed_early() {
    let silent = Scripted::closing_after("");
    assert_eq!(
        fault(&silent.plan()),
        (LoadFault::Closed, "the server closed before an answer".into())
    );
    let cut = Scripted::closing_after("HTTP/1.1 200 OK\r\nContent-Le");
    assert_eq!(fault(&cut.plan()), (LoadFault::Closed, "the server closed inside a head".into()));
}

#[test]
fn a_body_that_is_cut_off_is_short() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let server = Scripted::closing_after(answer);
        assert_eq!(fault(&server.plan()).0, LoadFault::ShortBody, "{answer:?}");
    }
}

#[test]
fn a_body_that_goes_on_is_long() {
    let server = Scripted::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay");
    let (kind, example) = fault(&server.plan());
    assert_eq!(
        (kind, example.as_str()),
        (LoadFault::LongBody, "at least 2 bytes behind the answer")
    );
    let mut head = Scripted::saying(OK).plan();
    let server = Scripted::saying(OK);
    head.request = LoadRequest { method: "HEAD".into(), ..server.plan().request };
    assert_eq!(fault(&head).0, LoadFault::LongBody);
}

#[test]
fn a_rest_that_comes_late_is_charged_to_the_body_it_belongs_to() {
    let server = Scripted::start(|peer| {
        peer.request();
        peer.say(OK);
        peer.request();
        peer.say(format!("ay{OK}"));
    });
    let tally = tally(&LoadPlan { requests: Some(2), ..server.plan() });
    assert_eq!((tally.ok(), tally.faults[&LoadFault::LongBody].count), (1, 1));
}

#[test]
fn what_is_no_http_is_malformed() {
    for answer in [
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0, 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ] {
        let server = Scripted::saying(answer);
        assert_eq!(fault(&server.plan()).0, LoadFault::Malformed, "{answer:?}");
    }
    let endless = Scripted::saying(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(20_000)));
    assert_eq!(fault(&endless.plan()).1, "the response head is longer than allowed");
}

#[test]
fn a_reset_has_a_name_of_its_own() {
    let server = Scripted::start(|peer| {
        // Closing with bytes unread makes a reset of the close.
        let mut first = [0];
        std::io::Read::read_exact(peer.0.get_mut(), &mut first).unwrap();
    });
    assert_eq!(fault(&server.plan()).0, LoadFault::Reset);
}

#[test]
fn silence_and_dribble_both_time_out() {
    let silent = Scripted::start(|peer| while peer.request().is_some() {});
    let dribbling = Scripted::start(|peer| {
        peer.request();
        // Until the client has gone.
        while peer.0.get_mut().write_all(b"HTTP/1.1 200 OK\r\n").is_ok() {
            peer.0.get_mut().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            let gone = std::io::Read::read(peer.0.get_mut(), &mut [0]);
            if matches!(gone, Ok(0)) {
                break;
            }
            peer.say("X: ");
        }
    });
    for server in [silent, dribbling] {
        let timeout = Duration::from_millis(200);
        let plan = LoadPlan { timeout, requests: Some(2), ..server.plan() };
        assert_eq!(fault(&plan).0, LoadFault::Timeout);
    }
}

#[test]
fn a_kept_connection_that_was_closed_is_made_anew_for_what_may_be_sent_twice() {
    // Says nothing of the close: the client finds out with its second request.
    let server = Scripted::closing_after(OK);
    let tally = sound(&server.plan());
    assert_eq!((tally.resent, server.connections()), (2, 3));
}

#[test]
fn what_may_not_be_sent_twice_is_not() {
    let (told, heard) = mpsc::channel();
    let server = Scripted::start(move |peer| {
        if peer.request().is_some() {
            peer.say(OK);
            told.send(()).unwrap();
        }
    });
    let mut post = server.plan();
    post.request.method = "POST".into();
    let tally = run(&post).unwrap();
    drop(server);
    // Whether a close is seen before the next request is a race; a request never goes twice.
    assert_eq!((heard.iter().count() as u64, tally.requests()), (tally.ok(), 3), "{tally:?}");
    assert!(tally.failures() < 2 && tally.resent == 0, "{tally:?}");
}

#[test]
fn statuses_are_counted_and_only_some_are_a_success() {
    let count = AtomicU64::new(0);
    let server = Scripted::start(move |peer| {
        while peer.request().is_some() {
            let status = [200, 302, 404, 503][count.fetch_add(1, Ordering::SeqCst) as usize % 4];
            peer.say(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    let tally = tally(&LoadPlan { requests: Some(8), ..server.plan() });
    assert_eq!(tally.statuses, [(200, 2), (302, 2), (404, 2), (503, 2)].into());
    assert_eq!((tally.ok(), tally.requests()), (4, 8));
}

#[test]
fn a_name_that_leads_to_several_addresses_is_tried_at_each() {
    let server = Scripted::saying(OK);
    let url = format!("http://localhost:{}/", server.address.port());
    let plan = LoadPlan { request: LoadRequest::get(url.parse().unwrap()), ..server.plan() };
    sound(&plan);
}

#[test]
fn a_duration_ends_either_loop() {
    let demo = demo(1);
    for rate in [None, Some(500.0)] {
        let duration = Some(Duration::from_millis(600));
        let plan =
            LoadPlan { requests: None, duration, rate, workers: 2, ..plan(demo.addresses()[0]) };
        let tally = run(&plan).unwrap();
        assert!(tally.ok() > 0 && tally.failures() == 0, "{tally:?}");
        if rate.is_some() {
            assert_eq!(tally.requests() + tally.unsent, 300);
        }
    }
}

#[test]
fn whoever_watches_may_end_a_run_early() {
    let demo = demo(1);
    let plan = LoadPlan { requests: None, rate: Some(0.01), ..plan(demo.addresses()[0]) };
    let plan = LoadPlan { duration: Some(100 * LONG), workers: 3, ..plan };
    let mut told = 0;
    let tally = run_watched(&plan, |progress| {
        told += 1;
        assert!(progress.requests <= 4);
        ControlFlow::Break(())
    });
    assert!(tally.unwrap().requests() <= 1 && told == 1);
}

#[test]
fn a_stall_shows_in_the_latency_of_what_was_due_meanwhile() {
    let count = AtomicU64::new(0);
    let server = Scripted::start(move |peer| {
        while peer.request().is_some() {
            if count.fetch_add(1, Ordering::SeqCst) == 100 {
                stall(Duration::from_millis(400));
            }
            peer.say(OK);
        }
    });
    let plan = LoadPlan { requests: Some(1000), rate: Some(1000.0), ..server.plan() };
    let tally = sound(&plan);
    // One of 1000 was answered late, but some 400 were due by then.
    let service = tally.service.unwrap();
    assert!(service.value_at_quantile(0.9) * 10 < tally.latency.value_at_quantile(0.9));
    assert!(service.max() >= 400_000 && tally.latency.max() >= 400_000);
}

#[test]
fn a_server_too_slow_for_the_rate_leaves_requests_unsent() {
    let server = Scripted::start(|peer| {
        while peer.request().is_some() {
            stall(Duration::from_millis(50));
            peer.say(OK);
        }
    });
    let duration = Some(Duration::from_millis(300));
    let plan = LoadPlan { requests: None, duration, rate: Some(1000.0), ..server.plan() };
    let tally = run(&plan).unwrap();
    assert!(tally.unsent > 100, "{tally:?}");
    assert_eq!(tally.requests() + tally.unsent, 300);
}

#[test]
fn plans_that_measure_nothing_are_refused() {
    let good = plan(([127, 0, 0, 1], 9).into());
    for bad in [
        LoadPlan { workers: 0, ..good.clone() },
        LoadPlan { workers: WORKERS_MAX + 1, ..good.clone() },
        LoadPlan { requests: Some(0), ..good.clone() },
        LoadPlan { requests: None, ..good.clone() },
        LoadPlan { duration: Some(Duration::ZERO), ..good.clone() },
        LoadPlan { rate: Some(0.0), ..good.clone() },
        LoadPlan { rate: Some(f64::NAN), ..good.clone() },
        LoadPlan { timeout: Duration::ZERO, ..good.clone() },
    ] {
        assert!(matches!(run(&bad), Err(LoadRefusal::Plan(_))), "{bad:?}");
    }
    // A label has at most 63 letters: no resolver is asked.
    let host = "x".repeat(64);
    let url = format!("http://{host}/").parse().unwrap();
    let nowhere = LoadPlan { request: LoadRequest::get(url), ..good };
    let refusal = run(&nowhere).unwrap_err();
    assert!(matches!(&refusal, LoadRefusal::Machine(_)));
    assert!(refusal.to_string().starts_with(&format!("{host} has no address")), "{refusal}");
}
