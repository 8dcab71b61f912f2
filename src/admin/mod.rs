//! The admin endpoint: how the balancer stands, for whoever asks over HTTP, and what an operator
//! would have it do.
//!
//! It has threads of its own, apart from those that serve clients, and knows the balancer behind it
//! as [`Steered`] alone. It never writes the configuration's file.
//!
//! Reading order: `endpoint`, `bound`, `socket`, `guard`, `route`, `status`, `process`, `metrics`,
//! `history`, `clock`, `decided`, `why`, `steer`, `answer`, `page`, `pace`.

mod answer;
pub mod ask;
mod bound;
mod clock;
mod decided;
mod endpoint;
mod guard;
mod history;
mod metrics;
mod pace;
mod page;
mod process;
mod route;
pub mod socket;
mod status;
mod steer;
mod why;

pub use bound::{Bound, cannot_bind, cannot_listen};
pub use endpoint::Endpoint;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::event::Teller;
#[cfg(feature = "alerts")]
use crate::notify::AlertStatus;
use crate::relay::Controls;
use crate::tls::Shown;

/// The balancer behind the endpoint. Several threads ask it at once.
pub trait Steered: Send + Sync {
    /// The running relay, to look at and to steer.
    fn controls(&self) -> &Controls;

    /// The mouth of events, with those of late.
    fn teller(&self) -> &Teller;

    /// How the process and its configuration have fared.
    fn life(&self) -> Life;

    /// How those fare that are told what happens.
    #[cfg(feature = "alerts")]
    fn alerts(&self) -> Vec<AlertStatus>;

    /// The configuration in force as TOML, without its secrets.
    fn config(&self) -> String;

    /// What a reload would change, in words: of the file, or of this text in its place. The error
    /// says what is wrong with it.
    fn diff(&self, text: Option<&str>) -> Result<String, String>;

    /// Reads the file anew and serves by it. What changed, in words; or why nothing did.
    fn reload(&self) -> Result<String, String>;

    /// Has a new process of the same program take over. Who serves now, in words; or why this one
    /// still does.
    fn upgrade(&self) -> Result<String, String>;

    /// What the process `pid` needs in order to succeed; the error says why it is not for it.
    fn hand_over(&self, pid: u32) -> Result<Handover, String>;

    /// The process `pid` serves from now on; or it cannot, and says why. What it is answered, as
    /// JSON, for the same program alone.
    fn succeed(&self, pid: u32, outcome: Result<(), &str>) -> Result<String, String>;
}

/// Sockets in one handover.
pub const HANDED_MAX: usize = crate::plain::handler::DESCRIPTORS_MAX;

/// What a successor begins with.
pub struct Handover {
    /// Those that clients come in by.
    pub sockets: Vec<OwnedFd>,
    /// What is known of backends, as JSON, for the same program alone.
    pub facts: String,
}

/// How a process and its configuration have fared.
pub struct Life {
    /// The file that is read; none if the configuration came from none.
    pub path: Option<PathBuf>,
    /// When the process started.
    pub started: SystemTime,
    /// Since when the configuration is in force.
    pub loaded: SystemTime,
    /// How often it was replaced.
    pub reloads: u64,
    /// The last attempt to replace it, with its words.
    pub last_reload: Option<(SystemTime, Result<String, String>)>,
    /// What it does now.
    pub state: State,
    /// The certificates that it shows to anybody.
    pub certificates: Vec<Shown>,
}

/// What a balancer does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The first checks are under way.
    Starting,
    /// It serves.
    Serving,
    /// It serves, and tells balancers in front that it is about to stop.
    Unready,
    /// It finishes what it has.
    Draining,
}
