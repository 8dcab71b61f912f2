//! The whole of a balancer: a configuration becomes one that runs. `serve` and `demo` start it,
//! `check` tries what a start would need.
//!
//! Start in this order, so that nothing is half-started: certificates, the listening socket, then
//! from root to another user, log, names, pool, the first round of health checks, then the relay.
//! Stop in the opposite one.
//! Whatever of it may block, the signals are heard: `signals.rs`.

#[cfg(feature = "alerts")]
mod alerts;
#[cfg(not(feature = "admin"))]
mod alone;
mod build;
#[cfg(feature = "admin")]
mod consequences;
#[cfg(feature = "admin")]
mod container;
#[cfg(feature = "admin")]
mod history;
mod newcomers;
mod reload;
#[cfg(feature = "tls")]
mod renewal;
mod signals;
#[cfg(feature = "admin")]
mod steered;
#[cfg(feature = "admin")]
mod succession;
mod supervisor;
#[cfg(feature = "admin")]
mod takeover;
mod tell;
#[cfg(test)]
mod tests;
mod trial;
#[cfg(not(feature = "alerts"))]
mod untold;
#[cfg(feature = "admin")]
mod upgrade;
mod user;

#[cfg(feature = "admin")]
use crate::admin::Endpoint;
use crate::config::{Config, Errors, Source};
use crate::engine::Listener;
use crate::event::{Event, Teller};
use crate::pool::Pool;
#[cfg(feature = "admin")]
use crate::relay::Controls;
use crate::relay::Server;
use crate::tls::Tls;
use crate::watch::{Watch, Watched};
#[cfg(feature = "alerts")]
pub use alerts::author;
#[cfg(feature = "alerts")]
use alerts::{Alerts, Heard, Prepared};
#[cfg(not(feature = "admin"))]
use alone::Predecessor;
use build::{build_pool, cannot_listen, fit_descriptors, start_log};
use crossbeam_channel::Sender;
#[cfg(feature = "admin")]
use history::History;
use reload::{InForce, Turn};
use signal_hook::consts::{SIGHUP, SIGUSR1, SIGUSR2};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use build::summary;
pub use signals::Signals;
use signals::{SUCCEEDED, is_end};
#[cfg(feature = "admin")]
pub use succession::tell_predecessor;
#[cfg(feature = "admin")]
use succession::{Predecessor, bind_endpoint};
use supervisor::Supervisor;
pub use trial::Trial;
#[cfg(not(feature = "alerts"))]
use untold::{Alerts, Heard, Prepared};
#[cfg(feature = "admin")]
use upgrade::Upgrade;
use user::become_user;

/// How long clients of a process that is succeeded may take to ask once more, at least.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long the last lines of the log may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long messages that are on their way may take then.
const LAST_MESSAGES: Duration = Duration::from_secs(2);
/// How much longer than one check the first round may take.
const FIRST_ROUND_MARGIN: Duration = Duration::from_millis(500);
/// How long clients wait for it at the most, whatever a check may take.
const FIRST_ROUND_MAX: Duration = Duration::from_secs(10);

/// Why there is no balancer. Displayed, it says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CannotStart {
    /// The configuration names files that do not do.
    Config(Errors),
    /// The system does not give what is needed, such as an address.
    System(String),
}

/// A relay with its health checks, its log and its signals.
pub struct Balancer {
    running: Arc<Running>,
    signals: Signals,
    /// Ends last.
    #[cfg(feature = "admin")]
    endpoint: Endpoint,
    /// Asks for a reload.
    reloads: Sender<()>,
}

/// All that serves, as whoever may steer it shares it: the main thread, which hears the signals,
/// and the threads that operators talk to.
struct Running {
    server: Server,
    watch: Watch,
    teller: Teller,
    /// Who started the process, if that wants to hear of it.
    supervisor: Arc<Supervisor>,
    /// Where the configuration came from; none if from no file.
    source: Option<Source>,
    /// Locked for moments; whoever is about to replace it has the turn before.
    in_force: Mutex<InForce>,
    turn: Turn,
    alerts: Alerts,
    #[cfg(feature = "admin")]
    controls: Controls,
    #[cfg(feature = "admin")]
    history: Mutex<History>,
    #[cfg(feature = "admin")]
    upgrade: Upgrade,
}

impl Balancer {
    /// Starts everything; when it returns, clients are served. `source` is where the configuration
    /// was read, and is read again.
    pub fn start(
        config: Config,
        source: Option<Source>,
        mut signals: Signals,
    ) -> Result<Self, CannotStart> {
        let (tls, prepared) = (Tls::load(&config)?, Prepared::of(&config)?);
        let mut predecessor = Predecessor::find()?;
        let epoch = predecessor.as_ref().map_or_else(Instant::now, Predecessor::epoch);
        let mut fitting = config.clone();
        let lowered = fit_descriptors(&mut fitting)?;
        let listen = config.server.listen;
        let bind = || Listener::bind(listen).map_err(|error| cannot_listen(listen, &error));
        let inherited = predecessor.as_mut().and_then(|before| before.listener(listen));
        let listener = inherited.map_or_else(bind, Ok)?;
        let address = listener.address();
        #[cfg(feature = "admin")]
        let bound = bind_endpoint(&config, address, predecessor.as_ref())?;
        let unchanged = become_user(&config.server, &mut signals)?;
        let teller = Teller::new(start_log(&config)?);
        let heard = Heard::begin(&teller);
        let mut known = config.clone();
        predecessor.iter().for_each(|before| before.tell_health(&mut known));
        let drawn = predecessor.as_ref().and_then(Predecessor::drawn);
        let pool = build_pool(&known, drawn, &teller);
        let summary = summary(&config);
        // Before the first checks, whose end is asked for there.
        #[cfg(feature = "admin")]
        let mut endpoint = bound.serve(&config.admin, &teller).map_err(CannotStart::System)?;
        let watch = start_watch(&config, &tls, &pool, &teller, epoch)?;
        lowered.iter().for_each(|text| teller.tell(Event::Lowered(text)));
        unchanged.iter().for_each(|text| teller.tell(Event::Configuration(text)));
        reload::warn(&config, &tls, &teller);
        predecessor.iter().for_each(|before| before.tell_standings(&pool, epoch));
        // From here on there may be clients: a signal waits, and then drains them.
        signals.start_is_over();
        let server = Server::start(fitting, tls.clone(), listener, pool, teller.clone(), epoch);
        let server = server.map_err(failed("cannot start the relay"))?;
        let (supervisor, inherits) = (Supervisor::of_environment(), predecessor.is_some());
        let alerts = prepared.start(heard, server.controls(), &supervisor, &teller, inherits);
        let running = Arc::new(Running {
            #[cfg(feature = "admin")]
            controls: server.controls(),
            #[cfg(feature = "admin")]
            history: Mutex::new(History::begin()),
            #[cfg(feature = "admin")]
            upgrade: Upgrade::new(signals.waiting()),
            server,
            watch,
            teller,
            supervisor,
            source: source.map(Source::resolved),
            in_force: Mutex::new(InForce::new(config, tls)),
            turn: Turn::default(),
            alerts: alerts.map_err(failed("cannot tell anybody"))?,
        });
        #[cfg(feature = "admin")]
        endpoint.serve(Arc::clone(&running) as _).map_err(failed("cannot keep a history"))?;
        running.teller.tell(Event::Listening { address, summary: &summary });
        let reloads = reload::stand_by(&running)?;
        #[cfg(feature = "admin")]
        running.succeed(predecessor.as_ref(), &mut endpoint);
        running.be_ready()?;
        Ok(Self {
            running,
            signals,
            #[cfg(feature = "admin")]
            endpoint,
            reloads,
        })
    }

    /// Warns of something in the configuration.
    pub fn warn(&self, text: &str) {
        self.running.teller.tell(Event::Configuration(text));
    }

    /// Where clients are served.
    pub fn address(&self) -> SocketAddr {
        self.running.server.address()
    }

    /// Where operators may ask over HTTP, and look at the dashboard.
    #[cfg(feature = "admin")]
    pub fn endpoint(&self) -> Option<SocketAddr> {
        self.endpoint.address()
    }

    /// Serves until TERM or INT, then drains; a second one stops at once.
    pub fn run(mut self) {
        self.wait_for_the_end(None);
        let timeouts = self.running.in_force().config.timeouts.clone();
        let is_hurried = match self.successor() {
            // Until the next answer tells each client that its connection ends.
            Some(_) => self.serve_on(timeouts.lame_duck.max(FAREWELL)),
            None => {
                self.running.supervisor.stopping(timeouts.lame_duck + timeouts.drain);
                !timeouts.lame_duck.is_zero() && self.be_lame(timeouts.lame_duck)
            }
        };
        let patience = if is_hurried { Duration::ZERO } else { timeouts.drain };
        let Self { running, signals, .. } = &self;
        let (server, teller) = (&running.server, &running.teller);
        teller.tell(Event::Stopping { connections: server.connections(), patience });
        if !server.drain(patience, &mut || signals.want_the_end()) {
            teller.tell(Event::CutOff { connections: server.connections() });
        }
        running.supervisor.leave();
        running.watch.stop();
        running.server.stop();
        running.alerts.stop(LAST_MESSAGES);
        running.teller.tell(Event::Stopped);
        #[cfg(feature = "admin")]
        drop(self.endpoint);
        self.running.teller.log().flush(LAST_WORDS);
    }

    /// Serves on for a while, and is seen not to be ready, so that balancers in front send no more;
    /// true if a signal ended that.
    fn be_lame(&self, lame_duck: Duration) -> bool {
        self.running.teller.tell(Event::Unready { lame_duck });
        self.serve_on(lame_duck)
    }

    /// Serves on for so long; each answer ends its connection. True if a signal ended that.
    fn serve_on(&self, time: Duration) -> bool {
        self.running.server.say_unready();
        self.wait_for_the_end(Some(Instant::now() + time))
    }

    /// Does as signals say until one ends it; false if `until` comes first.
    fn wait_for_the_end(&self, until: Option<Instant>) -> bool {
        let teller = &self.running.teller;
        while let Some(signal) = self.signals.next(until) {
            match signal {
                SIGUSR1 => teller.log().reopen(),
                SIGUSR2 => self.upgrade(),
                // Where one is asked for already, that will read the file as it is then.
                SIGHUP => _ = self.reloads.try_send(()),
                end if is_end(end) || end == SUCCEEDED => return true,
                _ => {}
            }
        }
        false
    }
}

impl Running {
    /// Whoever started the process hears that clients are served, and from now on how.
    fn be_ready(&self) -> Result<(), CannotStart> {
        let attended = self.supervisor.attend(self.server.controls(), self.teller.clone());
        attended.map_err(failed("cannot watch over the relay"))?;
        self.supervisor.ready();
        Ok(())
    }

    /// What is in force. To be let go soon.
    fn in_force(&self) -> MutexGuard<'_, InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(feature = "admin")]
    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for CannotStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) => errors.fmt(f),
            Self::System(what) => f.write_str(what),
        }
    }
}

impl From<Errors> for CannotStart {
    fn from(errors: Errors) -> Self {
        Self::Config(errors)
    }
}

/// Puts its subject in front of an error of the system, which names none.
fn failed(what: &str) -> impl Fn(io::Error) -> CannotStart {
    move |error| CannotStart::System(format!("{what}: {error}"))
}

/// Starts the checks and waits, within reason, until each backend was asked once.
fn start_watch(
    config: &Config,
    tls: &Tls,
    pool: &Arc<Pool>,
    teller: &Teller,
    epoch: Instant,
) -> Result<Watch, CannotStart> {
    let health = &config.health;
    let watched = Watched {
        pool: Arc::clone(pool),
        connectors: tls.connectors.clone(),
        settings: health.into(),
    };
    let teller = teller.clone();
    let watch = Watch::start(watched, epoch, move |event| tell::watched(&teller, event));
    let watch = watch.map_err(failed("cannot start the checks"))?;
    watch.first_round((health.timeout + FIRST_ROUND_MARGIN).min(FIRST_ROUND_MAX));
    Ok(watch)
}
