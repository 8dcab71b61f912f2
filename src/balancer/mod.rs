//! The whole of a balancer: a configuration becomes one that runs. `serve` and `demo` start it,
//! `check` tries what a start would need.
//!
//! Start in this order, so that nothing is half-started: certificates, the listening socket, then
//! from root to another user, log, names, pool, the first round of health checks, then the relay.
//! Stop in the opposite one.
//! Whatever of it may block, the signals are heard: `signals.rs`.

mod alerts;
mod build;
mod names;
mod newcomers;
mod operators;
mod pools;
mod reload;
#[cfg(feature = "tls")]
mod renewal;
mod signals;
mod supervisor;
mod tell;
#[cfg(test)]
mod tests;
mod trial;
mod unable;
mod user;

use crate::config::{self, Answers, Config, Source};
use crate::event::{Event, Teller};
use crate::relay::{Listening, Server};
use crate::watch::{Watch, look_up_all};
use alerts::{Alerts, Heard, Prepared};
use build::{NAMES_PATIENCE, Own, bind_all, build_pools, fit_descriptors, open_files};
use build::{start_log, start_watch, webroots};
use crossbeam_channel::Sender;
use operators::{Endpoint, Operators, Predecessor};
use reload::{InForce, Turn};
use signal_hook::consts::{SIGHUP, SIGUSR1, SIGUSR2};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[cfg(feature = "alerts")]
pub use alerts::author;
pub use build::{at_listen, summary};
#[cfg(feature = "admin")]
pub use operators::tell_predecessor;
pub use signals::Signals;
use signals::{SUCCEEDED, is_end};
use supervisor::Supervisor;
pub use trial::Trial;
pub use unable::CannotStart;
use unable::failed;
use user::become_user;

/// How long clients of a process that is succeeded may take to ask once more, at least.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long the last lines of the log may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long messages that are on their way may take then.
const LAST_MESSAGES: Duration = Duration::from_secs(2);

/// A relay with its health checks, its log and its signals.
pub struct Balancer {
    running: Arc<Running>,
    signals: Signals,
    /// Ends last.
    endpoint: Endpoint,
    /// Asks for a reload.
    reloads: Sender<()>,
}

/// Where clients are served, as it stands and as it was written.
type Place = (Listening, config::Listener);

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
    operators: Operators,
}

impl Balancer {
    /// Starts everything; when it returns, clients are served. `source` is where the configuration
    /// was read, and is read again.
    pub fn start(
        config: Config,
        source: Option<Source>,
        mut signals: Signals,
    ) -> Result<Self, CannotStart> {
        let (tls, prepared) = open_files(&config)?;
        let mut predecessor = Predecessor::find()?;
        let epoch = predecessor.as_ref().map_or_else(Instant::now, Predecessor::epoch);
        let mut server = config.server.clone();
        let lowered = fit_descriptors(&mut server)?;
        let inherit = |listen| predecessor.as_mut().and_then(|before| before.listener(listen));
        let listeners = bind_all(&config, inherit)?;
        let bound = operators::bind(&config, listeners[0].address(), predecessor.as_ref())?;
        let unchanged = become_user(&config.server, &mut signals)?;
        // As root it may enter all of them.
        webroots(&config)?;
        let teller = Teller::new(start_log(&config)?);
        let heard = Heard::begin(&teller);
        let mut answers = look_up_all(&config.applications, &Answers::new(), NAMES_PATIENCE);
        predecessor.iter().for_each(|before| before.tell_names(&mut answers));
        let own = Own::default();
        let spread = config.spread(&answers, &|ip| own.has(ip));
        own.sure().map_err(CannotStart::System)?;
        let tls = tls.among(&config.applications, &spread.0.applications);
        let told = predecessor.as_ref().map(|before| {
            let mut known = spread.0.clone();
            before.tell_health(&mut known);
            known
        });
        let known = told.as_ref().unwrap_or(&spread.0);
        let drawn = predecessor.as_ref().and_then(Predecessor::drawn);
        let pools = build_pools(known, drawn, &teller);
        // Before the first checks, whose end is asked for there.
        let mut endpoint = bound.serve(&config.admin, &teller).map_err(CannotStart::System)?;
        let (respread, asked_names) = names::line();
        let watch = start_watch(known, &tls, &pools, (answers, respread), &teller, epoch)?;
        lowered.iter().for_each(|text| teller.tell(Event::Lowered(text)));
        unchanged.iter().chain(&spread.1).for_each(|text| teller.tell(Event::Configuration(text)));
        reload::warn(&config, &tls, &teller);
        predecessor.iter().for_each(|before| before.tell_standings(&pools, epoch));
        // From here on there may be clients: a signal waits, and then drains them.
        signals.start_is_over();
        let (tls_of_server, to) = (tls.clone(), teller.clone());
        let fitting = Config { server, ..spread.0.clone() };
        let server = Server::start(fitting, tls_of_server, listeners, pools.all(), to, epoch);
        let server = server.map_err(failed("cannot start the relay"))?;
        let (supervisor, inherits) = (Supervisor::of_environment(), predecessor.is_some());
        let alerts = prepared.start(heard, server.controls(), &supervisor, &teller, inherits);
        let running = Arc::new(Running {
            operators: Operators::new(server.controls(), &signals),
            server,
            watch,
            teller,
            supervisor,
            source: source.map(Source::resolved),
            in_force: Mutex::new(InForce::new(config, spread, tls)),
            turn: Turn::default(),
            alerts: alerts.map_err(failed("cannot tell anybody"))?,
        });
        operators::open(&mut endpoint, &running).map_err(failed("cannot keep a history"))?;
        running.tell_of_listeners(&[]);
        let reloads = reload::stand_by(&running, asked_names)?;
        running.succeed(predecessor.as_ref(), &mut endpoint);
        running.be_ready()?;
        Ok(Self { running, signals, endpoint, reloads })
    }

    /// Warns of something in the configuration.
    pub fn warn(&self, text: &str) {
        self.running.teller.tell(Event::Configuration(text));
    }

    /// Where clients are served; where there are several listeners, at the first.
    pub fn address(&self) -> SocketAddr {
        self.running.server.address()
    }

    /// Serves until TERM or INT, then drains; a second one stops at once.
    pub fn run(mut self) {
        self.wait_for_the_end(None);
        let (lame_duck, drain) = {
            let now = self.running.in_force();
            (now.config.timeouts.lame_duck, now.config.drain())
        };
        let is_hurried = match self.successor() {
            // Until the next answer tells each client that its connection ends.
            Some(_) => self.serve_on(lame_duck.max(FAREWELL)),
            None => {
                self.running.supervisor.stopping(lame_duck + drain);
                !lame_duck.is_zero() && self.be_lame(lame_duck)
            }
        };
        let patience = if is_hurried { Duration::ZERO } else { drain };
        let Self { running, signals, .. } = &self;
        let (server, teller) = (&running.server, &running.teller);
        server.close(); // before it is told, as below
        teller.tell(Event::Stopping { connections: server.connections(), patience });
        if !server.drain(patience, &mut || signals.want_the_end()) {
            teller.tell(Event::CutOff { connections: server.connections() });
        }
        running.supervisor.leave();
        running.watch.stop();
        running.server.stop();
        running.alerts.stop(LAST_MESSAGES);
        operators::close(self.endpoint);
        self.running.teller.tell(Event::Stopped);
        self.running.teller.log().flush(LAST_WORDS);
    }

    /// Serves on for a while, and is seen not to be ready, so that balancers in front send no more;
    /// true if a signal ended that.
    fn be_lame(&self, lame_duck: Duration) -> bool {
        // What is told has happened: whoever reads the line and asks is answered so.
        self.running.server.say_unready();
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

    /// Says where clients are served, but for those `told` before.
    fn tell_of_listeners(&self, told: &[Place]) {
        let config = self.in_force().written.clone();
        for (at, listener) in self.places().iter().filter(|place| !told.contains(place)) {
            let summary = summary(&config, listener);
            self.teller.tell(Event::Listening { address: at.address, summary: &summary });
        }
    }

    /// Where clients are served, and what becomes of them there. Who comes and goes changes none
    /// of it, so nobody is counted.
    fn places(&self) -> Vec<Place> {
        let config = self.in_force().config.clone();
        let all = self.server.listening().into_iter().zip(config.listening());
        let place = |(at, listener): (Listening, config::Listener)| {
            let listen = at.address;
            (Listening { clients: 0, ..at }, config::Listener { listen, ..listener })
        };
        all.map(place).collect()
    }

    /// What is in force. To be let go soon.
    fn in_force(&self) -> MutexGuard<'_, InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
