//! Two balancers that do not know of each other, and a client that knows both: no single point is
//! left whose end loses a request that may be sent again.

use crate::client;
use crate::harness::{DEADLINE, Process, Scratch, eventually};
use evenly::lab::backend::{Demo, DemoOptions};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

const CALLERS: usize = 8;
/// Calls of each, once one balancer is dead; and in all, should it never die.
const CALLS_AFTER: usize = 50;
const CALLS_MAX: usize = 1_000_000;

/// A balancer over these ports, and its own port.
fn balancer(scratch: &Scratch, ports: &[u16]) -> (Process, u16) {
    let table = |port| format!("[[applications]]\nip = \"127.0.0.1\"\nport = {port}\n");
    let text: String = ports.iter().map(table).collect();
    scratch.write("applications.toml", text);
    let process = Process::evenly(&["serve", "--listen", "127.0.0.1:0"], scratch.path());
    let line = process.said.wait("listening on 127.0.0.1:");
    let address = line.split("127.0.0.1:").nth(1).unwrap();
    let port = address.split(':').next().unwrap().parse().unwrap();
    (process, port)
}

#[test]
fn one_of_two_balancers_is_killed_under_load_and_no_request_is_lost() {
    let listen = ([127, 0, 0, 1], 0).into();
    let demo =
        Demo::start(&DemoOptions { listen, instances: 2, ..DemoOptions::default() }).unwrap();
    let ports: Vec<u16> = demo.addresses().iter().map(|address| address.port()).collect();
    let scratch = Scratch::new();
    let (doomed, first) = balancer(&scratch, &ports);
    let (_survivor, second) = balancer(&scratch, &ports);
    // Round robin, so that both are under load when one of them ends.
    let keys = [("balance.policy", "round-robin"), ("health.interval", "100ms")];
    // The wait is for callers that the budget keeps from trying again all at once.
    let client = client(&[&first, &second], &keys).with_wait(DEADLINE);
    let (answered, taken_over) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let is_killed = AtomicBool::new(false);
    let call = || {
        let mut since = 0;
        for _ in 0..CALLS_MAX {
            let answer = client.get("/").unwrap();
            assert_eq!(answer.status(), 200, "{answer:?}");
            answered.fetch_add(1, SeqCst);
            taken_over.fetch_add(usize::from(answer.tries() > 1), SeqCst);
            since += usize::from(is_killed.load(SeqCst));
            if since == CALLS_AFTER {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        let callers = [0; CALLERS].map(|_| scope.spawn(call));
        eventually("there is load", || answered.load(SeqCst) > CALLERS * 20);
        drop(doomed);
        is_killed.store(true, SeqCst);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    });
    assert!(taken_over.load(SeqCst) > 0, "nobody noticed that one was killed");
    eventually("the dead one is out", || client.usable() == ["B"]);
}
