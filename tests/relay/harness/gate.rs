//! A gate between threads: a script waits at it until the test opens it.

use super::DEADLINE;
use std::sync::{Arc, Condvar, Mutex};

/// Closed until it is opened; then open for good.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub fn is_open(&self) -> bool {
        *self.0.0.lock().unwrap()
    }

    /// Waits until it is open; fails the script or test when nobody opens it.
    pub fn pass(&self) {
        let (open, opened) = &*self.0;
        let guard = open.lock().unwrap();
        let is_open = *opened.wait_timeout_while(guard, DEADLINE, |open| !*open).unwrap().0;
        assert!(is_open, "nobody opened the gate");
    }
}
