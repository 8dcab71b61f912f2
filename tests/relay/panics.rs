//! A fault of our own in a step: it costs its connection, and nothing else.
//!
//! No request makes the program panic, so this relay runs in the test's process, over a policy that
//! does as it is told.

use crate::harness::{Backend, Place, Wire, eventually};
use evenly::config::Config;
use evenly::log::{self, Log};
use evenly::pool::policy::{Policy, View};
use evenly::pool::{Pool, Rules, Snapshot};
use evenly::proxy::{Listener, Server};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

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

/// A relay with one worker over `backend`, whose next pick panics once `fault` is set.
fn relay(backend: &Backend, fault: &Arc<AtomicBool>) -> (Server, Arc<Pool>) {
    let port = backend.port();
    let text = format!(
        "[[applications]]\nip = \"127.0.0.1\"\nport = {port}\n\
         [server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n"
    );
    let config = Config::parse(&text, "test").unwrap();
    let listener = Listener::bind(config.server.listen).unwrap();
    let policy = Box::new(Faulty(Arc::clone(fault)));
    let addresses = vec![SocketAddr::from(([127, 0, 0, 1], port))];
    let pool = Pool::new(config.applications.clone(), addresses, policy, Rules::default());
    let log = Log::start(log::Settings { access: None, to: log::Target::Stderr }).unwrap();
    let shared = Snapshot::new(Arc::clone(&pool));
    (Server::start(config, listener, shared, log, Instant::now()).unwrap(), pool)
}

#[test]
fn a_panic_in_a_step_costs_its_connection_and_no_other() {
    let (backend, fault) = (Backend::plain(), Arc::new(AtomicBool::new(false)));
    let (server, pool) = relay(&backend, &fault);
    let (mut victim, mut bystander) =
        (Wire::connect(server.address()), Wire::connect(server.address()));
    assert_eq!(victim.get("/").status(), 200);
    assert_eq!(bystander.get("/").status(), 200);

    fault.store(true, SeqCst);
    victim.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    victim.expect_end();

    assert!(!fault.load(SeqCst), "the policy was asked, and panicked");
    assert_eq!(bystander.get("/").status(), 200, "the one worker lives");
    assert_eq!(Wire::connect(server.address()).get("/").status(), 200);
    assert_eq!(pool.in_flight(), 0, "no place is lost");
    drop(bystander);
    eventually("every connection is given back", || server.connections() == 0);
    assert!(server.drain(Duration::from_secs(5), &mut || false));
    server.stop();
}
