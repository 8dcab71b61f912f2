//! What no request from outside can show: a relay in the test's own process, over policies that the
//! tests bring along.

use crate::harness::{Backend, Place, Wire, eventually};
use evenly::config::Config;
use evenly::engine::Listener;
use evenly::event::Teller;
use evenly::log::Log;
use evenly::pool::policy::{Memory, Policy, View};
use evenly::pool::{Mode, Outcome, Pool, Rules};
use evenly::relay::Server;
use evenly::tls::Tls;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A relay with one worker over these backends.
fn relay(backends: &[&Backend], policy: impl Policy + 'static) -> (Server, Arc<Pool>) {
    relay_with("", backends, policy)
}

/// The same with more settings of `[server]`.
fn relay_with(
    settings: &str,
    backends: &[&Backend],
    policy: impl Policy + 'static,
) -> (Server, Arc<Pool>) {
    let mut text = format!("[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n{settings}\n");
    for backend in backends {
        let port = backend.port();
        writeln!(text, "[[applications]]\nip = \"127.0.0.1\"\nport = {port}").unwrap();
    }
    let config = Config::parse(&text, "test").unwrap();
    let listener = Listener::bind(config.server.listen).unwrap();
    let specs = config.applications.clone();
    let pool = Pool::new(specs, Box::new(policy), Rules::default());
    let log = Log::start(None).unwrap();
    let (served, teller) = ([Arc::clone(&pool)], Teller::new(log));
    let (tls, now) = (Tls::default(), Instant::now());
    (Server::start(config, tls, vec![listener], &served, teller, now).unwrap(), pool)
}

/// Stops a relay whose clients have left.
fn stop(server: Server, pool: &Pool) {
    eventually("every connection is given back", || server.connections() == 0);
    assert!(server.drain(Duration::from_secs(5), &mut || false));
    server.stop();
    assert_eq!(pool.in_flight(), 0, "no place is lost");
}

/// Picks the first backend; once, when told to, it panics instead.
struct Faulty(Arc<AtomicBool>);

impl Policy for Faulty {
    fn pick(&self, _: &dyn View) -> Option<usize> {
        assert!(!self.0.swap(false, SeqCst), "a fault in a step");
        Some(0)
    }

    fn name(&self) -> &'static str {
        "faulty"
    }
}

#[test]
fn a_panic_in_a_step_costs_its_connection_and_no_other() {
    let (backend, fault) = (Backend::plain(), Arc::new(AtomicBool::new(false)));
    let (server, pool) = relay(&[&backend], Faulty(Arc::clone(&fault)));
    let connect = || Wire::connect(server.address());
    let (mut victim, mut bystander) = (connect(), connect());
    assert_eq!(victim.get("/").status(), 200);
    assert_eq!(bystander.get("/").status(), 200);

    fault.store(true, SeqCst);
    victim.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    victim.expect_end();

    assert!(!fault.load(SeqCst), "the policy was asked, and panicked");
    assert_eq!(bystander.get("/").status(), 200, "the one worker lives");
    assert_eq!(connect().get("/").status(), 200);
    drop((victim, bystander));
    stop(server, &pool);
}

/// Picks the first usable backend, and keeps what it hears.
#[derive(Clone, Default)]
struct Listening(Arc<Mutex<Vec<Outcome>>>);

impl Policy for Listening {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        (0..view.count()).find(|index| view.is_usable(*index))
    }

    fn name(&self) -> &'static str {
        "listening"
    }

    fn served(&self, _: &Memory, outcome: &Outcome) -> Option<String> {
        self.0.lock().unwrap().push(*outcome);
        None
    }
}

#[test]
fn a_backend_is_not_charged_for_the_time_that_another_took_to_fail() {
    const WAIT: Duration = Duration::from_millis(500);
    let late = Backend::every(|wire| {
        wire.request().unwrap();
        assert!(wire.is_silent_for(WAIT));
    });
    let prompt = Backend::plain();
    let heard = Listening::default();
    let (server, pool) = relay(&[&late, &prompt], heard.clone());
    let mut client = Wire::connect(server.address());
    assert_eq!(client.get("/").status(), 200);
    // The client has its answer a moment before the policy hears of it.
    eventually("both are heard", || heard.0.lock().unwrap().len() == 2);
    let heard = heard.0.lock().unwrap().clone();
    assert!(matches!(heard[0], Outcome::Failed(_)), "{heard:?}");
    let Outcome::Answered { status: 200, latency } = heard[1] else { panic!("{heard:?}") };
    assert!(latency < WAIT, "{latency:?}");
    drop(client);
    stop(server, &pool);
}

#[test]
fn a_drained_backend_is_named_by_no_redirect() {
    let [drained, other] = [(); 2].map(|()| Backend::plain());
    let heard = Listening::default();
    let redirect = "mode = \"redirect\"";
    let (server, pool) = relay_with(redirect, &[&drained, &other], heard.clone());
    let location = |place: &Backend| format!("http://127.0.0.1:{}/x", place.port());
    let mut client = Wire::connect(server.address());
    assert_eq!(client.get("/x").field("location"), Some(&*location(&drained)));
    pool.set_mode(0, Mode::Drain, true, Duration::ZERO).unwrap();
    for _ in 0..3 {
        assert_eq!(client.get("/x").field("location"), Some(&*location(&other)));
    }
    drop(client);
    stop(server, &pool);
    let judged = heard.0.lock().unwrap().clone();
    assert!(judged.iter().all(|outcome| *outcome == Outcome::Abandoned), "{judged:?}");
}
