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
use std::process::{Command, Stdio};
use std::sync::LazyLock;

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
        let mut command = alone();
        command.args(line.split_whitespace()).env("XDG_RUNTIME_DIR", self.runtime());
        Process::start(&mut command, self.scratch.path())
    }

    /// A command at the socket `name`.
    fn ask(&self, name: &str, line: &str) -> Ended {
        self.begin(&format!("{line} --socket {}", self.socket(name))).finish()
    }

    /// What a command prints on a terminal that is so wide.
    fn on_terminal(&self, columns: usize, name: &str, line: &str) -> Vec<String> {
        let (evenly, socket) = (env!("CARGO_BIN_EXE_evenly"), self.socket(name));
        let run = format!("stty rows 20 cols {columns}; exec {evenly} {line} --socket {socket}");
        let mut command = Command::new("script");
        command.args(["-qefc", &run, "/dev/null"]);
        let mut process =
            Process::between(&mut command, &self.runtime(), Stdio::null(), Stdio::piped());
        assert_eq!(process.wait().code(), Some(0));
        process.printed.complete()
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

/// The program, to be given arguments, where it sees nothing of what this machine has in /run: a
/// balancer that runs here is none of our business, and must get no order of ours. Where the system
/// grants no namespace, /run/evenly is what it is.
fn alone() -> Command {
    static IS_GRANTED: LazyLock<bool> = LazyLock::new(|| {
        let mut probe = Command::new("unshare");
        probe.args(["-rm", "mount", "-t", "tmpfs", "tmpfs", "/run"]);
        probe.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    let evenly = env!("CARGO_BIN_EXE_evenly");
    if !*IS_GRANTED {
        return Command::new(evenly);
    }
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs tmpfs /run && exec \"$0\" \"$@\"";
    command.args(["-rm", "sh", "-c", script, evenly]);
    command
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
