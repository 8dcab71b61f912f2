//! A program that knows both machines by their own addresses, and needs no floating one.

use crate::harness::{DEADLINE, eventually};
use crate::pair::{ONE, TWO};
use evenly::client::Client;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Between two of its requests.
const PAUSE: Duration = Duration::from_millis(10);

/// It asks on and on.
pub struct Aware {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    caller: JoinHandle<usize>,
}

impl Aware {
    pub fn new() -> Self {
        let client = Client::builder()
            .backend("one", format!("{ONE}:80"))
            .backend("two", format!("{TWO}:80"))
            .set("balance.policy", "round-robin")
            .set("health.interval", "200ms")
            .set("health.timeout", "200ms")
            .set("timeouts.connect", "300ms")
            .set("timeouts.response", "500ms")
            .build()
            .unwrap()
            .with_wait(DEADLINE);
        let (is_over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (over, counted) = (Arc::clone(&is_over), Arc::clone(&answered));
        let caller = thread::spawn(move || {
            let mut lost = 0;
            while !over.load(SeqCst) {
                let answer = client.get("/");
                let is_well = answer.as_ref().is_ok_and(|answer| answer.status() == 200);
                lost += usize::from(!is_well);
                counted.fetch_add(usize::from(is_well), SeqCst);
                thread::park_timeout(PAUSE);
            }
            lost
        });
        let aware = Self { is_over, answered, caller };
        aware.goes_on();
        aware
    }

    fn goes_on(&self) {
        let before = self.answered.load(SeqCst);
        eventually("the aware client is answered", || self.answered.load(SeqCst) > before + 20);
    }

    pub fn lost_nothing(self) {
        self.goes_on();
        self.is_over.store(true, SeqCst);
        assert_eq!(self.caller.join().unwrap(), 0, "requests of the aware client were lost");
    }
}
