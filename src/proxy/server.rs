//! Starting, draining and stopping the relay; and what all its threads share.

use super::gate::Gate;
use super::listener::{self, Listener};
use super::lot::Lot;
use super::stop::Stop;
use super::task::Task;
use super::timer;
use super::upstream::Idle;
use super::worker::Worker;
use crate::config::Config;
use crate::log::{Level, Log, Throttle};
use crate::pool::{self, Unavailable};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A running relay.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    listener: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
}

/// What the threads of a server have in common.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) pool: Arc<pool::Snapshot>,
    pub(crate) lot: Arc<Lot<Task>>,
    pub(crate) idle: Idle,
    pub(crate) gate: Arc<Gate>,
    pub(crate) log: Log,
    pub(crate) stop: Stop,
    /// What to say as Host where an HTTP/1.0 client names none.
    pub(crate) fallback_host: String,
    draining: AtomicBool,
    epoch: Instant,
    full: Throttle,
    exhausted: Throttle,
    unavailable: Throttle,
}

impl Server {
    /// Starts the workers, the timer and the listener's thread. `epoch` is the zero of the clock
    /// that the pool is asked with. Fails when the process is out of descriptors or threads.
    pub fn start(
        config: Config,
        listener: Listener,
        pool: Arc<pool::Snapshot>,
        log: Log,
        epoch: Instant,
    ) -> io::Result<Self> {
        let workers = match config.server.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let shared = Arc::new(Shared {
            gate: Gate::new(config.server.max_connections),
            pool,
            lot: Arc::new(Lot::new()?),
            idle: Idle::new(),
            log,
            stop: Stop::default(),
            fallback_host: fallback_host(&config),
            draining: AtomicBool::new(false),
            epoch,
            full: Throttle::new(),
            exhausted: Throttle::new(),
            unavailable: Throttle::new(),
            config,
        });
        let address = listener.address();
        let mut others = Vec::new();
        for number in 1..=workers {
            let worker = Worker::new(Arc::clone(&shared), listener.arrivals(), workers);
            others.push(crate::thread::spawn(
                &format!("worker {number}"),
                move || worker.run(),
            )?);
        }
        let timed = Arc::clone(&shared);
        others.push(crate::thread::spawn("timer", move || timer::run(&timed))?);
        let served = Arc::clone(&shared);
        let listener = crate::thread::spawn("listener", move || listener.run(&served))?;
        Ok(Self {
            shared,
            address,
            listener,
            others,
        })
    }

    /// Where clients are served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Client connections now.
    pub fn connections(&self) -> usize {
        self.shared.gate.taken()
    }

    /// Accepts no more, closes idle connections and lets requests in flight finish, for at most
    /// `patience` or until `hurry` says so; true when none was left. To be called once.
    pub fn drain(&self, patience: Duration, hurry: &mut dyn FnMut() -> bool) -> bool {
        self.shared.draining.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + patience;
        loop {
            if !self.listener.is_finished() {
                // Fails when the backlog is full or descriptors are out; the next turn tries again.
                let _ = listener::wake(self.address);
            }
            self.shared.wake_all();
            let left = deadline.saturating_duration_since(Instant::now());
            let empty = self
                .shared
                .gate
                .wait_until_at_most(0, left.min(Duration::from_millis(100)));
            if empty && self.listener.is_finished() {
                return true;
            }
            if left.is_zero() || hurry() {
                return false;
            }
        }
    }

    /// Ends every thread; connections that are left are closed.
    pub fn stop(self) {
        self.shared.draining.store(true, Ordering::SeqCst);
        self.shared.stop.set();
        while !self.listener.is_finished() && listener::wake(self.address).is_err() {
            thread::yield_now();
        }
        let _ = self.listener.join();
        self.shared.lot.ring_stop();
        for other in self.others {
            let _ = other.join();
        }
        // Tasks hold the Lot that holds them: empty it, so that their sockets close now.
        self.shared.lot.slots.expire(u64::MAX - 1, drop);
        while self.shared.lot.next_ready().is_some() {}
        self.shared.idle.expire(self.shared.now(), Duration::ZERO);
    }
}

fn fallback_host(config: &Config) -> String {
    let first = &config.applications[0];
    format!("{}:{}", first.host, first.port)
}

impl Shared {
    /// The server's clock.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// True when no new work is wanted.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Has every parked task stepped once, so that it learns of the draining.
    fn wake_all(&self) {
        self.lot
            .slots
            .expire(u64::MAX - 1, |task| self.lot.queue(task));
    }

    pub(crate) fn say_full(&self, limit: usize) {
        let text =
            format_args!("max_connections = {limit} reached: new connections wait in the backlog");
        self.log.limited(&self.full, Level::Warn, text);
    }

    pub(crate) fn say_exhausted(&self, doing: &str, error: &io::Error) {
        let text = format_args!("{doing}: {error}; raise the limit or lower max_connections");
        self.log.limited(&self.exhausted, Level::Error, text);
    }

    pub(crate) fn say_unavailable(&self, none: &Unavailable) {
        self.log.limited(
            &self.unavailable,
            Level::Error,
            format_args!("answering 503: {none}"),
        );
    }
}
