//! The wiring: a configuration becomes a running balancer. `serve` and `demo` start it.
//!
//! Start in this order, so that nothing is half-started: certificates, log, names, pool, the
//! listening socket, the first round of health checks, then the relay. Stop in the opposite one.

use super::Failure;
use crate::config::{AccessLog, Config, LogTarget, Mode};
use crate::log::{self, Level, Log, Throttle};
use crate::pool::{Notice, Pool, Reader, Rules, Secret, Snapshot, Standing};
use crate::proxy::{Listener, Server, descriptors};
use crate::tls::Tls;
use crate::watch::{self, Watch, WatchEvent};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the last lines of the log may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How much longer than one check the first round may take.
const FIRST_ROUND_MARGIN: Duration = Duration::from_millis(500);

/// A relay with its health checks, its log and its signals.
pub struct Balancer {
    server: Server,
    watch: Watch,
    log: Log,
    signals: Signals,
    drain: Duration,
    /// For the status, with the zero of its clock.
    pool: Reader,
    epoch: Instant,
}

impl Balancer {
    /// Starts everything; when it returns, clients are served.
    pub fn start(mut config: Config) -> Result<Self, Failure> {
        let tls = Tls::load(&config)?;
        let signals = Signals::new([SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP])?;
        let epoch = Instant::now();
        let log = start_log(&config)?;
        let pool = Snapshot::new(build_pool(&config)?);
        let listen = config.server.listen;
        let listener = Listener::bind(listen).map_err(|error| cannot_listen(listen, &error))?;
        fit_descriptors(&mut config, &log);
        let watch = start_watch(&config, &tls, &pool, &log, epoch)?;
        let drain = config.timeouts.drain;
        let summary = summary(&config, listener.address());
        let reader = pool.reader();
        for warning in tls.warnings(&config.applications) {
            log.event(Level::Warn, format_args!("{warning}"));
        }
        let server = Server::start(config, tls, listener, pool, log.clone(), epoch)?;
        log.event(Level::Info, format_args!("{summary}"));
        Ok(Self { server, watch, log, signals, drain, pool: reader, epoch })
    }

    /// Says something that an operator should know.
    pub fn warn(&self, text: &str) {
        self.log.event(Level::Warn, format_args!("{text}"));
    }

    /// Where clients are served.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Serves until TERM or INT, then drains; a second one stops at once.
    pub fn run(mut self) {
        self.wait_for_the_end();
        let patience = self.drain;
        let open = self.server.connections();
        let text = format_args!("stopping: {open} connections have up to {patience:?} to finish");
        self.log.event(Level::Info, text);
        let signals = &mut self.signals;
        let mut hurry = || signals.pending().any(|signal| matches!(signal, SIGTERM | SIGINT));
        if !self.server.drain(patience, &mut hurry) {
            let left = self.server.connections();
            self.log.event(Level::Warn, format_args!("stopping with {left} connections open"));
        }
        self.watch.stop();
        self.server.stop();
        self.log.event(Level::Info, format_args!("stopped"));
        self.log.flush(LAST_WORDS);
    }

    fn wait_for_the_end(&mut self) {
        for signal in self.signals.forever() {
            match signal {
                SIGUSR1 => self.log.reopen(),
                SIGUSR2 => tell_status(&self.log, self.pool.pool(), self.epoch.elapsed()),
                SIGHUP => {
                    let text = format_args!("HUP: this version cannot reload; restart it instead");
                    self.log.event(Level::Warn, text);
                }
                _ => return,
            }
        }
    }
}

/// A line in the log for each backend, as HAProxy writes them on HUP.
fn tell_status(log: &Log, pool: &Pool, now: Duration) {
    for index in 0..pool.backends().len() {
        let status = pool.status(index, now);
        log.event(Level::Info, format_args!("{status}"));
    }
}

fn start_log(config: &Config) -> io::Result<Log> {
    let access = match config.log.access {
        AccessLog::Off => None,
        AccessLog::Common => Some(log::Format::Common),
        AccessLog::Combined => Some(log::Format::Combined),
        AccessLog::Json => Some(log::Format::Json),
    };
    let to = match &config.log.to {
        LogTarget::Stdout => log::Target::Stdout,
        LogTarget::Stderr => log::Target::Stderr,
        LogTarget::File(path) => log::Target::File(path.clone()),
    };
    Log::start(log::Settings { access, to })
}

fn build_pool(config: &Config) -> Result<Arc<Pool>, Failure> {
    let resolve = |application: &crate::pool::Spec| {
        let mut found = (application.host.as_str(), application.port).to_socket_addrs();
        let first = found.as_mut().map(|found| found.next());
        match first {
            Ok(Some(address)) => Ok(address),
            Ok(None) => Err(unresolved(application, "the name has no address")),
            Err(error) => Err(unresolved(application, &error.to_string())),
        }
    };
    let addresses = config.applications.iter().map(resolve).collect::<Result<_, _>>()?;
    let mut specs = config.applications.clone();
    if config.server.mode == Mode::Redirect {
        // Nothing passes through that could be counted; a limit would only hit those who happen to
        // be told at the same instant.
        specs.iter_mut().for_each(|spec| spec.max_connections = 0);
    }
    let policy = config.balance.policy.build(&specs, &config.scored.rules());
    Ok(Pool::new(specs, addresses, policy, rules(config)))
}

/// What the configuration says about the pool's decisions, with a secret for the sticky cookies.
fn rules(config: &Config) -> Rules {
    let sticky = config.sticky.cookie.as_ref().map(|_| secret(&config.sticky.secret));
    Rules { sticky, ..config.rules() }
}

/// The operator's secret; without one the cookies last until the restart.
fn secret(written: &str) -> Secret {
    let random = RandomState::new();
    match written {
        "" => Secret::drawn([0, 1].map(|half| random.hash_one(half))),
        text => Secret::of(text),
    }
}

fn unresolved(application: &crate::pool::Spec, what: &str) -> Failure {
    let (name, host) = (&application.name, &application.host);
    Failure::Run(format!("application {name}: cannot resolve {host}: {what}; correct its ip"))
}

fn cannot_listen(listen: SocketAddr, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "end the program that uses it, or choose another with --listen",
        io::ErrorKind::PermissionDenied => "ports below 1024 need CAP_NET_BIND_SERVICE",
        _ => "set [server] listen to an address of this machine",
    };
    Failure::Run(format!("cannot listen on {listen}: {error}; {remedy}"))
}

fn fit_descriptors(config: &mut Config, log: &Log) {
    let wanted = config.server.max_connections;
    let fitting = descriptors::reserve(wanted);
    if fitting < wanted {
        let text = format_args!(
            "max_connections lowered from {wanted} to {fitting}: raise the limit on open files"
        );
        log.event(Level::Warn, text);
        config.server.max_connections = fitting.max(1);
    }
}

fn summary(config: &Config, address: SocketAddr) -> String {
    let (backends, policy) = (config.applications.len(), config.balance.policy.name());
    let noun = if backends == 1 { "backend" } else { "backends" };
    let how = if config.server.mode == Mode::Redirect { ", redirecting" } else { "" };
    let tls = if config.tls.certificates.is_empty() { "" } else { " with TLS" };
    format!("listening on {address}{tls}: {policy} over {backends} {noun}{how}")
}

/// Starts the checks and waits, within reason, until each backend was asked once.
fn start_watch(
    config: &Config,
    tls: &Tls,
    pool: &Arc<Snapshot>,
    log: &Log,
    epoch: Instant,
) -> io::Result<Watch> {
    let health = &config.health;
    let connectors = tls.connectors.clone();
    let settings = watch::Settings { connectors, ..watch::Settings::from(health) };
    let log = log.clone();
    let judged = Throttle::new();
    let watch = Watch::start(settings, pool, epoch, move |event| tell(&log, &judged, event))?;
    watch.first_round(health.timeout + FIRST_ROUND_MARGIN);
    Ok(watch)
}

/// Words what the watch noticed. A thread of its that died leaves nobody to notice the next thing.
fn tell(log: &Log, judged: &Throttle, event: WatchEvent) {
    match event {
        WatchEvent::Noticed(Notice::Changed(change)) => {
            let level = if change.to == Standing::Up { Level::Info } else { Level::Warn };
            log.event(level, format_args!("{change}"));
        }
        WatchEvent::Noticed(notice @ Notice::Judged { .. }) => {
            log.limited(judged, Level::Info, format_args!("{notice}"));
        }
        WatchEvent::Note(text) => log.event(Level::Info, format_args!("{text}")),
        WatchEvent::Warning(text) => log.event(Level::Warn, format_args!("{text}")),
        WatchEvent::Died(name) => {
            log.event(Level::Error, format_args!("thread {name} panicked: ending the process"));
            log.flush(LAST_WORDS);
            std::process::exit(1);
        }
    }
}
