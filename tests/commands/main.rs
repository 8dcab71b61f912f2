//! The commands that ask a running balancer, as they are shipped: against real balancers over real
//! backends, and where there is none.

#![cfg(feature = "admin")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, unused_imports, reason = "the relay's tests use the rest of it")]
#[path = "../relay/harness/mod.rs"]
mod harness;

mod reach;
mod several;
mod shells;
mod status;
mod steer;
mod timeline;
mod watch;
mod why;

use harness::{Place, Process, Proxy, Scratch};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// How a command ended, what it printed and what it said.
type Ended = (Option<i32>, String, String);

/// A directory with the sockets of balancers.
struct House {
    scratch: Scratch,
}

impl House {
    fn new() -> Self {
        Self { scratch: Scratch::new() }
    }

    fn socket(&self, name: &str) -> String {
        self.scratch.path().join(name).display().to_string()
    }

    /// A balancer over these that answers at the socket `name`.
    fn balancer(&self, name: &str, backends: &[&dyn Place], settings: &str) -> Proxy {
        let limits = format!("export EVENLY_ADMIN_SOCKET={}", self.socket(name));
        Proxy::within(&limits, backends, settings)
    }

    /// A command that has begun.
    fn begin(&self, line: &str) -> Process {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
        // A file of the machine that runs the tests is none of our business.
        Process::start(
            command.args(words).env("XDG_RUNTIME_DIR", self.runtime()),
            self.scratch.path(),
        )
    }

    /// A command at the socket `name`.
    fn ask(&self, name: &str, line: &str) -> Ended {
        self.begin(&format!("{line} --socket {}", self.socket(name))).finish()
    }

    fn run(&self, line: &str) -> Ended {
        self.begin(line).finish()
    }

    fn status(&self, name: &str) -> Value {
        let (code, printed, said) = self.ask(name, "status --json");
        assert_eq!(code, Some(0), "{said}");
        serde_json::from_str(&printed).unwrap()
    }

    fn runtime(&self) -> PathBuf {
        self.scratch.path().to_owned()
    }
}

/// What it printed, where it did as it was told.
fn fine((code, printed, said): Ended) -> String {
    assert_eq!((code, said.as_str()), (Some(0), ""), "{printed}");
    printed
}

/// What it said, where it failed at run time.
fn failed((code, printed, said): Ended) -> String {
    assert_eq!(code, Some(1), "{printed}\n{said}");
    said
}
