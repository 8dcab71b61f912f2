//! What a health check asks and how long it may take, however many others are asked meanwhile.

use crate::harness::{Backend, BlackHole, Keyed, Message, Place, Proxy, Wire, eventually, timed};
use std::fmt::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

/// A server whose answers to checks come in these pieces, a pause ahead of each.
fn piecewise(pieces: &'static [(u64, &'static str)]) -> Backend {
    Backend::every(move |wire| {
        while let Some(request) = wire.request() {
            if request.target() != "/health" {
                wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                continue;
            }
            for (pause, piece) in pieces {
                thread::park_timeout(Duration::from_millis(*pause));
                if !wire.offer(piece) {
                    return;
                }
            }
        }
    })
}

/// A server that answers every request with this.
fn answering(answer: &'static str) -> Backend {
    Backend::every(move |wire| while wire.request().is_some() && wire.offer(answer) {})
}

fn checks(backend: &Backend) -> Vec<Message> {
    backend.requests().into_iter().filter(|request| request.target() == "/health").collect()
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";

#[test]
fn an_answer_within_the_timeout_is_good_however_its_time_is_spent() {
    let slow = piecewise(&[(3000, OK)]);
    let behind = piecewise(&[(2000, HEAD), (1000, "ok")]);
    let interim =
        piecewise(&[(1400, "HTTP/1.1 102 Processing\r\n\r\n"), (1400, HEAD), (400, "ok")]);
    let late = piecewise(&[(2600, HEAD), (3900, "ok")]);
    let settings = "health.interval = \"60s\"\nhealth.timeout = \"5s\"";
    let proxy = Proxy::with(&[&slow, &behind, &interim, &late], settings);
    let line = proxy.process.said.wait("up -> down");
    let what = "backend D: check failed: the body was not whole after 5s (";
    assert!(line.contains(what) && line.contains("; 3 of 4 left: A, B, C"), "{line}");
    assert_eq!(proxy.said("->"), 1, "{:#?}", proxy.process.said.all());
}

/// A listener whose kernel takes connections, at any address of this machine; nobody speaks there.
fn mute() -> (TcpListener, u16) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    rustix::net::listen(&listener, 4096).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Far more than a good backend's ten checks or its end take, 1 s and 300 ms, and far less than
/// they would if it had to wait its turn among a hundred that take 500 ms each.
const IN_TIME: Duration = Duration::from_secs(6);

/// A good backend behind a hundred silent ones.
struct Crowd {
    proxy: Proxy,
    good: Backend,
    status: Arc<AtomicU16>,
    silent: TcpListener,
}

impl Crowd {
    fn within(limits: &str) -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let health = Arc::clone(&status);
        let good = Backend::every(move |wire: &mut Wire| {
            while wire.request().is_some() {
                let status = health.load(Ordering::Relaxed);
                if !wire.offer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")) {
                    return;
                }
            }
        });
        let (silent, port) = mute();
        let mut settings = "health.interval = \"100ms\"\nhealth.timeout = \"500ms\"\n".to_owned();
        for number in 0..100 {
            let host = format!("127.0.1.{number}");
            writeln!(settings, "[[applications]]\nip = \"{host}\"\nport = {port}").unwrap();
        }
        let proxy = Proxy::within(limits, &[&good], &settings);
        // At the end of the good one.
        proxy.pardon("NO BACKEND IS UP");
        proxy.pardon("answering 503: no backend is usable: 101 down");
        Self { proxy, good, status, silent }
    }

    /// It is checked as if the others were not there, and its end is noticed.
    fn the_good_one_is_checked_in_time(&self) {
        let more = checks(&self.good).len() + 10;
        let (_, took) = timed(|| self.good.wait_requests(more));
        assert!(took < IN_TIME, "ten checks took {took:?}");
        self.status.store(503, Ordering::Relaxed);
        let said = &self.proxy.process.said;
        let (line, took) = timed(|| said.wait("backend A: check failed: status 503"));
        assert!(line.contains("up -> down"), "{line}");
        assert!(took < IN_TIME, "its end was noticed after {took:?}");
    }

    /// Ends the silence, for which descriptors were held.
    fn end(self) {
        self.status.store(200, Ordering::Relaxed);
        eventually("it is up again", || self.proxy.get("/").status() == 200);
        drop(self.silent);
    }
}

#[test]
fn a_hundred_silent_applications_hold_up_no_check_of_another() {
    let crowd = Crowd::within("");
    crowd.the_good_one_is_checked_in_time();
    assert_eq!(crowd.proxy.said("open files"), 0, "{:#?}", crowd.proxy.process.said.all());
    crowd.end();
}

#[test]
fn where_descriptors_are_few_those_wait_that_hang_and_it_is_said_once() {
    let crowd = Crowd::within("ulimit -n 200");
    crowd.the_good_one_is_checked_in_time();
    let bound = "as many as may be at once (half of the limit on open files, in the first round)";
    assert_eq!(crowd.proxy.said(bound), 1, "{:#?}", crowd.proxy.process.said.all());
    assert_eq!(crowd.proxy.said("as many as may be at once"), 1);
    crowd.end();
}

#[test]
fn where_descriptors_run_out_the_good_one_finds_one_and_it_is_said_once() {
    let crowd = Crowd::within("");
    let before = crowd.proxy.process.limit_descriptors(Some(50));
    crowd.proxy.process.said.wait("backends are not checked, for want of our own");
    crowd.the_good_one_is_checked_in_time();
    assert_eq!(crowd.proxy.said("for want of our own"), 1);
    crowd.proxy.process.limit_descriptors(before);
    crowd.end();
}

#[test]
fn a_check_is_asked_as_the_file_says() {
    let backend = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    let settings = "health.interval = \"50ms\"\nhealth.method = \"HEAD\"\n\
        health.host = \"shop.test\"\nhealth.path = \"/health\"\n\
        health.headers = [\"Authorization: Bearer 1234\", \"User-Agent: probe\"]";
    let proxy = Proxy::with(&[&backend], settings);
    // Each answer is a head alone: one that is taken for a body's beginning would be late.
    let request = backend.wait_requests(3).remove(0);
    assert_eq!(request.start, "HEAD /health HTTP/1.1");
    let fields = ["host", "authorization", "user-agent"].map(|name| request.field(name));
    assert_eq!(fields, [Some("shop.test"), Some("Bearer 1234"), Some("probe")]);
    assert_eq!(proxy.said("->"), 0);
    proxy.no_farewell();
}

#[test]
fn a_body_without_the_text_takes_its_application_out_and_says_so() {
    let good = answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nstatu\r\n4\r\ns:ok\r\n0\r\n\r\n",
    );
    let bad = answering("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nstatus:down");
    let settings = "health.interval = \"5s\"\nhealth.contains = \"status:ok\"";
    let proxy = Proxy::with(&[&good, &bad], settings);
    let line = proxy.process.said.wait("up -> down");
    let what = "backend B: check failed: status 200, but the body does not contain \
        \"status:ok\" (11 bytes read) (";
    assert!(line.contains(what), "{line}");
    assert_eq!(proxy.said("->"), 1);
}

#[test]
fn checks_may_have_a_port_of_their_own() {
    let (app, admin) = (answering(OK), answering(OK));
    let (ill, third) = (answering("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"), answering(OK));
    let own = format!("health_port = {}", ill.port());
    let settings = format!("health.interval = \"60s\"\nhealth.port = {}", admin.port());
    let proxy = Proxy::with(&[&app, &Keyed(&third, &own)], &settings);
    let line = proxy.process.said.wait("up -> down");
    assert!(line.contains("backend B: check failed: status 503"), "{line}");
    assert_eq!(proxy.get("/share").status(), 200);
    assert_eq!((checks(&app).len(), checks(&third).len()), (0, 0));
    assert_eq!((checks(&admin).len(), checks(&ill).len()), (1, 1));
}

#[test]
fn a_check_that_swallows_its_connect_names_the_connect() {
    let (hole, good) = (BlackHole::new(), answering(OK));
    let settings = "health.interval = \"5s\"\nhealth.timeout = \"1s\"";
    let proxy = Proxy::with(&[&hole, &good], settings);
    let line = proxy.process.said.wait("up -> down");
    assert!(line.contains("backend A: check failed: connect timed out after 1s"), "{line}");
}

#[cfg(feature = "tls")]
#[test]
fn a_check_through_tls_asks_for_the_name_that_is_proved() {
    use crate::harness::{Certs, only_for, proving, trusting};
    let certs = Certs::make();
    let leaf = only_for(&certs, "api.test");
    let backend = proving(crate::harness::Proving::with(&leaf), |_, wire| {
        while wire.request().is_some() && wire.offer(OK) {}
    });
    let keys = trusting(&certs) + "tls_name = \"api.test\"";
    let proxy = Proxy::with(&[&Keyed(&backend, &keys)], "health.interval = \"5s\"");
    assert_eq!(proxy.get("/").status(), 200);
    let host = format!("api.test:{}", backend.port());
    assert_eq!(checks(&backend)[0].field("host"), Some(host.as_str()));
}
