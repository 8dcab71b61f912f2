//! The commands: what was asked for, who does it, and what a failure means to the shell.
//! Called by `main`; one thin file for each command.

#[cfg(feature = "alerts")]
pub mod alert_test;
pub mod args;
#[cfg(feature = "admin")]
mod asked;
#[cfg(feature = "lab")]
pub mod backend;
#[cfg(feature = "lab")]
pub mod bench;
pub mod check;
#[cfg(feature = "lab")]
pub mod demo;
#[cfg(feature = "client")]
pub mod get;
#[cfg(feature = "admin")]
mod healthcheck;
mod help;
mod interrupt;
#[cfg(feature = "admin")]
pub mod reach;
#[cfg(feature = "admin")]
mod reload;
pub mod route;
#[cfg(feature = "admin")]
mod said;
pub mod serve;
#[cfg(feature = "lab")]
pub mod simulate;
#[cfg(feature = "admin")]
pub mod status;
#[cfg(feature = "admin")]
pub mod steer;
#[cfg(feature = "admin")]
mod terminal;
#[cfg(feature = "admin")]
pub mod timeline;
#[cfg(feature = "admin")]
pub mod when;
#[cfg(feature = "admin")]
pub mod why;
#[cfg(feature = "admin")]
mod words;

use std::fmt;
use std::io::{self, Write};
#[cfg(feature = "admin")]
use std::path::PathBuf;
use std::process::ExitCode;
#[cfg(feature = "admin")]
use std::time::Duration;

use crate::balancer::CannotStart;
#[cfg(feature = "lab")]
use crate::config::Overrides;
use crate::config::{Errors, Extent, Source};
#[cfg(feature = "lab")]
use crate::lab::backend::DemoOptions;
use crate::text::Escaped;

/// A command line as meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Balance, until told to stop.
    Serve(Source),
    /// Say what serving this would come to.
    Check(Source, Extent),
    /// Say where requests for these URLs would go.
    Route(Source, Vec<String>),
    /// Send a message by each alert, or by that of this name.
    #[cfg(feature = "alerts")]
    AlertTest(Source, Option<String>),
    /// Balance over demo backends, all in one process.
    #[cfg(feature = "lab")]
    Demo(Overrides),
    /// Be a demo backend.
    #[cfg(feature = "lab")]
    Backend(DemoOptions),
    /// Get a path from whichever application is well.
    #[cfg(feature = "client")]
    Get(get::GetOptions),
    /// Send requests and count what comes back.
    #[cfg(feature = "lab")]
    Bench(Box<bench::BenchOptions>),
    /// Compare policies on a virtual clock.
    #[cfg(feature = "lab")]
    Simulate(simulate::SimulateOptions),
    /// Ask a running balancer, or several, for this.
    #[cfg(feature = "admin")]
    Ask(reach::Reach, Wish),
    /// Print this text, for `--help` and `--version`.
    Tell(String),
}

/// What is wanted of a running balancer.
#[cfg(feature = "admin")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// How it stands, in this shape, anew each time that so much has passed.
    Status(status::Shape, Option<Duration>),
    /// Why a backend is as it is, or a request went as it did.
    Why(why::WhyWish),
    /// What happened, and what was counted meanwhile.
    Timeline(timeline::TimelineWish),
    /// A backend in another mode.
    Mode(steer::ModeWish),
    /// New requests held, of that pool, for so long.
    Pause(Option<String>, Option<Duration>),
    /// No longer.
    Resume(Option<String>),
    /// Its file read anew.
    Reload,
    /// What that would change: of its file, or of this one.
    Diff(Option<PathBuf>),
    /// A new process of the program.
    Upgrade,
    /// Whether it is ready; or, where that is enough, whether it lives.
    Healthcheck {
        /// That is enough.
        live: bool,
    },
}

/// Why a command ended badly. Displayed as what went wrong, without where to read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The command line makes no sense. Exit 2.
    Usage(String),
    /// The configuration makes no sense. Exit 2.
    Config(Errors),
    /// Something failed at run time, such as an address in use. Exit 1.
    Run(String),
    /// The same, and all there is to say about it has been said. Exit 1.
    Told,
}

/// Does what was asked for.
pub fn run(command: Command) -> Result<(), Failure> {
    if !command.hears_signals() {
        interrupt::heed();
    }
    match command {
        Command::Serve(source) => serve::run(&source),
        Command::Check(source, extent) => check::run(&source, extent),
        Command::Route(source, urls) => route::run(&source, &urls),
        #[cfg(feature = "alerts")]
        Command::AlertTest(source, name) => alert_test::run(&source, name.as_deref()),
        #[cfg(feature = "lab")]
        Command::Demo(overrides) => demo::run(&overrides),
        #[cfg(feature = "lab")]
        Command::Backend(options) => backend::run(&options),
        #[cfg(feature = "client")]
        Command::Get(options) => get::run(&options),
        #[cfg(feature = "lab")]
        Command::Bench(options) => bench::run(*options),
        #[cfg(feature = "lab")]
        Command::Simulate(options) => simulate::run(&options),
        #[cfg(feature = "admin")]
        Command::Ask(reach, wish) => ask(&reach, &wish),
        Command::Tell(text) => Ok(io::stdout().write_all(text.as_bytes())?),
    }
}

#[cfg(feature = "admin")]
fn ask(reach: &reach::Reach, wish: &Wish) -> Result<(), Failure> {
    match wish {
        Wish::Status(shape, every) => status::run(reach, *shape, *every),
        Wish::Why(wish) => why::run(reach, wish),
        Wish::Timeline(wish) => timeline::run(reach, *wish),
        Wish::Mode(wish) => steer::mode(reach, wish),
        Wish::Pause(pool, time) => steer::pause(reach, pool.as_deref(), *time),
        Wish::Resume(pool) => steer::resume(reach, pool.as_deref()),
        Wish::Reload => reload::reload(reach),
        Wish::Diff(file) => reload::diff(reach, file.as_deref()),
        Wish::Upgrade => reload::upgrade(reach),
        Wish::Healthcheck { live } => healthcheck::run(reach, *live),
    }
}

/// Says what nothing stands still for. A closed stderr is no reason to stop.
fn warn(warnings: impl IntoIterator<Item = String>) {
    for warning in warnings {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
}

impl Command {
    /// True if it does so by itself.
    fn hears_signals(&self) -> bool {
        match self {
            Self::Serve(_) => true,
            #[cfg(feature = "lab")]
            Self::Demo(_) => true,
            _ => false,
        }
    }
}

impl Failure {
    /// 1 for what failed at run time, 2 for what was asked wrongly.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Run(_) | Self::Told => ExitCode::from(1),
            Self::Usage(_) | Self::Config(_) => ExitCode::from(2),
        }
    }

    /// The last words; bad usage is explained by the command `help`.
    pub fn words(&self, help: &str) -> String {
        match self {
            Self::Usage(_) => format!("{self} (see {help})"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) => errors.fmt(f),
            // It may quote a server.
            Self::Usage(what) | Self::Run(what) => write!(f, "evenly: {}", Escaped(what)),
            Self::Told => Ok(()),
        }
    }
}

impl From<Errors> for Failure {
    fn from(errors: Errors) -> Self {
        Self::Config(errors)
    }
}

impl From<CannotStart> for Failure {
    fn from(why: CannotStart) -> Self {
        match why {
            CannotStart::Config(errors) => Self::Config(errors),
            CannotStart::System(what) => Self::Run(what),
        }
    }
}

/// Only a command's words are passed on by `?` as they fail. Whatever else does is given its
/// subject by whoever did it, with `failed`.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Whoever read it has seen enough, as `head` has.
            io::ErrorKind::BrokenPipe => Self::Told,
            _ => failed("cannot write to standard output")(error),
        }
    }
}

/// Puts its subject in front of an error of the system, which names none.
fn failed(what: &str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::Run(format!("{what}: {error}"))
}
