//! The wiring: a configuration becomes a running balancer. `serve` and `demo` start it.
//!
//! Start in this order, so that nothing is half-started: certificates, log, names, pool, the
//! listening socket, the first round of health checks, then the relay. Stop in the opposite one.
//! Whatever of it may block, the signals are heard: `signals.rs`.

use super::signals::{Signals, is_end};
use super::{Failure, failed, summary};
use crate::config::{AccessLog, Config, LogTarget, Mode};
use crate::log::{self, Level, Log, Throttle};
use crate::pool::{Notice, Pool, Reader, Rules, Secret, Snapshot};
use crate::proxy::{self, Listener, Server, descriptors};
use crate::tls::Tls;
use crate::watch::{self, Watch, WatchEvent};
use signal_hook::consts::{SIGHUP, SIGUSR1, SIGUSR2};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the start, or its trial, waits for names. Those that are late are down until they are
/// found.
pub(super) const NAMES_PATIENCE: Duration = Duration::from_secs(3);
/// How long the last lines of the log may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How much longer than one check the first round may take.
const FIRST_ROUND_MARGIN: Duration = Duration::from_millis(500);
/// How long clients wait for it at the most, whatever a check may take.
const FIRST_ROUND_MAX: Duration = Duration::from_secs(10);

/// A relay with its health checks, its log and its signals.
pub struct Balancer {
    server: Server,
    watch: Watch,
    log: Log,
    signals: Signals,
    lame_duck: Duration,
    drain: Duration,
    /// For the status, with the zero of its clock.
    pool: Reader,
    epoch: Instant,
}

impl Balancer {
    /// Starts everything; when it returns, clients are served.
    pub fn start(mut config: Config, signals: Signals) -> Result<Self, Failure> {
        let tls = Tls::load(&config)?;
        let epoch = Instant::now();
        let lowered = fit_descriptors(&mut config)?;
        let log = start_log(&config)?;
        let pool = Snapshot::new(build_pool(&config, &log));
        let listen = config.server.listen;
        let listener = Listener::bind(listen).map_err(|error| cannot_listen(listen, &error))?;
        let watch = start_watch(&config, &tls, &pool, &log, epoch)?;
        let (lame_duck, drain) = (config.timeouts.lame_duck, config.timeouts.drain);
        let (address, summary) = (listener.address(), summary(&config));
        let reader = pool.reader();
        for warning in lowered.into_iter().chain(tls.warnings(&config.applications)) {
            log.event(Level::Warn, format_args!("{warning}"));
        }
        // From here on there may be clients: a signal waits, and then drains them.
        signals.start_is_over();
        let server = Server::start(config, tls, listener, pool, log.clone(), epoch);
        let server = server.map_err(failed("cannot start the relay"))?;
        log.event(Level::Info, format_args!("listening on {address}: {summary}"));
        Ok(Self { server, watch, log, signals, lame_duck, drain, pool: reader, epoch })
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
        self.wait_for_the_end(None);
        let is_hurried = !self.lame_duck.is_zero() && self.be_lame();
        let patience = if is_hurried { Duration::ZERO } else { self.drain };
        let open = self.server.connections();
        let text = format_args!("stopping: {open} connections have up to {patience:?} to finish");
        self.log.event(Level::Info, text);
        if !self.server.drain(patience, &mut || self.signals.want_the_end()) {
            let left = self.server.connections();
            self.log.event(Level::Warn, format_args!("stopping with {left} connections open"));
        }
        self.watch.stop();
        self.server.stop();
        self.log.event(Level::Info, format_args!("stopped"));
        self.log.flush(LAST_WORDS);
    }

    /// Serves on for a while, and is seen not to be ready, so that balancers in front send no more;
    /// true if a signal ended that.
    fn be_lame(&mut self) -> bool {
        self.server.say_unready();
        let lame_duck = self.lame_duck;
        let text = format_args!("not ready any more: serving on for {lame_duck:?}, then stopping");
        self.log.event(Level::Info, text);
        self.wait_for_the_end(Some(Instant::now() + lame_duck))
    }

    /// Does as signals say until one ends it; false if `until` comes first.
    fn wait_for_the_end(&mut self, until: Option<Instant>) -> bool {
        while let Some(signal) = self.signals.next(until) {
            match signal {
                SIGUSR1 => self.log.reopen(),
                SIGUSR2 => tell_status(&self.log, self.pool.pool(), self.epoch.elapsed()),
                SIGHUP => {
                    let text = format_args!("HUP: this version cannot reload; restart it instead");
                    self.log.event(Level::Warn, text);
                }
                end if is_end(end) => return true,
                _ => {}
            }
        }
        false
    }
}

/// A line in the log for each backend, as HAProxy writes them on HUP.
fn tell_status(log: &Log, pool: &Pool, now: Duration) {
    for index in 0..pool.backends().len() {
        let status = pool.status(index, now);
        log.event(Level::Info, format_args!("{status}"));
    }
}

fn start_log(config: &Config) -> Result<Log, Failure> {
    let access = match config.log.access {
        AccessLog::Off => None,
        AccessLog::Common => Some(log::Format::Common),
        AccessLog::Combined => Some(log::Format::Combined),
        AccessLog::Json => Some(log::Format::Json),
    };
    let settings = log::Settings { access, to: log_target(config) };
    Log::start(settings).map_err(|error| Failure::Run(error.to_string()))
}

/// Where access lines go.
pub(super) fn log_target(config: &Config) -> log::Target {
    match &config.log.to {
        LogTarget::Stdout => log::Target::Stdout,
        LogTarget::Stderr => log::Target::Stderr,
        LogTarget::File(path) => log::Target::File(path.clone()),
    }
}

/// The pool, with where its backends are. One that is not found begins as down, so that it is
/// checked before it is used.
fn build_pool(config: &Config, log: &Log) -> Arc<Pool> {
    let mut specs = config.applications.clone();
    let found = watch::look_up_all(&specs, NAMES_PATIENCE);
    for (spec, found) in specs.iter_mut().zip(&found) {
        if let Err(why) = found {
            spec.alive &= config.health.interval.is_none();
            let text = format_args!("backend {}: {why}; down until it does", spec.name);
            log.event(Level::Warn, text);
        }
    }
    if found.iter().all(Result::is_err) {
        let text = "NO BACKEND IS FOUND: no name resolves; until one does, every answer is 503";
        log.event(Level::Error, format_args!("{text}"));
    }
    if config.server.mode == Mode::Redirect {
        // Nothing passes through that could be counted; a limit would only hit those who happen to
        // be told at the same instant.
        specs.iter_mut().for_each(|spec| spec.max_connections = 0);
    }
    let policy = config.balance.policy.build(&specs, &config.scored.rules());
    Pool::new(specs, found, policy, rules(config))
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

pub(super) fn cannot_listen(listen: SocketAddr, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "end the program that uses it, or choose another with --listen",
        io::ErrorKind::PermissionDenied => "ports below 1024 need CAP_NET_BIND_SERVICE",
        _ => "set [server] listen to an address of this machine",
    };
    Failure::Run(format!("cannot listen on {listen}: {error}; {remedy}"))
}

/// Promises no more clients than fit, and says if that is fewer.
fn fit_descriptors(config: &mut Config) -> Result<Option<String>, Failure> {
    let fit = descriptors::fit(config.server.max_connections);
    let (fitting, lowered) = fit.map_err(|few| Failure::Run(few.to_string()))?;
    config.server.max_connections = fitting;
    Ok(lowered)
}

/// Starts the checks and waits, within reason, until each backend was asked once.
fn start_watch(
    config: &Config,
    tls: &Tls,
    pool: &Arc<Snapshot>,
    log: &Log,
    epoch: Instant,
) -> Result<Watch, Failure> {
    let health = &config.health;
    let connectors = tls.connectors.clone();
    let settings = watch::Settings { connectors, ..watch::Settings::from(health) };
    let log = log.clone();
    let judged: Vec<_> = config.applications.iter().map(|_| Throttle::new()).collect();
    let watch = Watch::start(settings, pool, epoch, move |event| tell(&log, &judged, event));
    let watch = watch.map_err(failed("cannot start the checks"))?;
    watch.first_round((health.timeout + FIRST_ROUND_MARGIN).min(FIRST_ROUND_MAX));
    Ok(watch)
}

/// Words what the watch noticed. A thread of its that died leaves nobody to notice the next thing.
fn tell(log: &Log, judged: &[Throttle], event: WatchEvent) {
    match event {
        WatchEvent::Noticed(ref notice @ Notice::Changed(_)) => {
            log.event(proxy::level(notice), format_args!("{notice}"));
        }
        WatchEvent::Noticed(ref notice @ Notice::Judged { index, .. }) => {
            if let Some(judged) = judged.get(index) {
                log.limited(judged, Level::Info, format_args!("{notice}"));
            }
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
