//! What every test stands on: a proxy under watch, backends that follow a script, raw connections.
//! Nothing here sleeps: a test waits for an event, and fails when the event is late.

mod backend;
mod case;
#[path = "../../tls/certs.rs"]
mod certs;
mod gate;
mod lines;
mod message;
mod network;
mod openssl;
mod places;
mod port;
mod process;
mod proofs;
mod proxy;
mod scratch;
mod secure;
mod server;
mod wire;

pub use backend::{Backend, serve};
pub use case::{Case, cases};
pub use certs::{Certs, Leaf};
pub use gate::Gate;
pub use lines::Lines;
pub use message::{Length, Message};
#[allow(unused_imports, reason = "the container's tests need one of another make")]
pub use network::is_inside;
pub use network::{Overrun, SilentDns, has_few_ports, has_own_names, has_small_sockets, names};
pub use openssl::{OpenSsl, probe};
pub use places::{BlackHole, Hosted, Keyed, Place, Vacant};
pub use port::free_port;
pub use process::Process;
pub use proofs::{impostors, only_for, proving, showing, shown, trusting};
pub use proxy::Proxy;
pub use scratch::Scratch;
pub use secure::{Proving, Trusting};
pub use server::{Server, has};
pub use wire::{Broken, Wire};

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// A certificate and its key, as PEM files.
pub type Pem = (PathBuf, PathBuf);

/// How late an event may be before it counts as missing: the machine may be busy with other tests.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until `done` says so. The one place that polls: some events announce themselves to nobody.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "still not so after {DEADLINE:?}: {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// Runs `work` and returns how long it took, for asserts with room to spare.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}
