//! Starting, draining and stopping the relay; and what all its threads share.

use super::affinity::Affinity;
use super::client::Client;
use super::complaints::Complaints;
use super::crowd::Crowd;
use super::door::{Door, Listener};
use super::exchange::Direct;
use super::idle::Idle;
use super::lot::Lot;
use super::queue::Queue;
use super::stop::Stop;
use super::task::Task;
use super::timer;
use super::worker::Worker;
use crate::config::Config;
use crate::http::Claims;
use crate::log::Log;
use crate::pool;
use crate::tls::Tls;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a draining server looks around.
const DRAIN_LOOK: Duration = Duration::from_millis(100);

/// A running relay.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads of a server have in common.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) tls: Tls,
    pub(crate) pool: Arc<pool::Snapshot>,
    pub(crate) lot: Arc<Lot<Task>>,
    pub(crate) idle: Idle,
    pub(crate) queue: Arc<Queue>,
    pub(crate) door: Arc<Door>,
    pub(crate) crowd: Crowd,
    pub(crate) log: Log,
    pub(crate) stop: Stop,
    /// Fields that untrusted clients do not get through.
    pub(crate) claims: Claims,
    /// None if nothing ties clients to backends.
    pub(crate) affinity: Option<Affinity>,
    /// None if every request is relayed.
    pub(crate) direct: Option<Direct>,
    /// Some application has a `max_connections`.
    pub(crate) limits_places: bool,
    /// What clients and paths are hashed with, so that no client chooses whom it is taken for.
    pub(crate) witness_key: [u64; 2],
    unready: AtomicBool,
    draining: AtomicBool,
    epoch: Instant,
    pub(super) complaints: Complaints,
}

impl Server {
    /// Starts the workers and the timer, and opens the door. `epoch` is the zero of the clock
    /// that the pool is asked with. Fails when the process is out of descriptors or threads.
    pub fn start(
        config: Config,
        tls: Tls,
        listener: Listener,
        pool: Arc<pool::Snapshot>,
        log: Log,
        epoch: Instant,
    ) -> io::Result<Self> {
        let workers = match config.server.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let address = listener.address();
        let lot = Arc::new(Lot::new()?);
        let shared = Arc::new(Shared {
            door: Door::open(listener, config.server.max_connections, &lot)?,
            queue: Queue::new(&lot, config.queue.length),
            pool,
            lot,
            idle: Idle::new(log.clone()),
            crowd: Crowd::default(),
            log,
            stop: Stop::default(),
            claims: Claims::new(config.server.untrusted_fields.iter().map(String::as_str)),
            affinity: Affinity::new(&config),
            direct: Direct::new(&config),
            limits_places: config.applications.iter().any(|spec| spec.max_connections > 0),
            witness_key: [0, 1].map(|half: u64| RandomState::new().hash_one(half)),
            unready: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            epoch,
            complaints: Complaints::of(config.applications.len()),
            tls,
            config,
        });
        let mut threads = Vec::new();
        for number in 1..=workers {
            let worker = Worker::new(Arc::clone(&shared), workers);
            threads.push(crate::thread::spawn(&format!("worker {number}"), || worker.run())?);
        }
        let timed = Arc::clone(&shared);
        threads.push(crate::thread::spawn("timer", move || timer::run(&timed))?);
        Ok(Self { shared, address, threads })
    }

    /// Where clients are served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Client connections now.
    pub fn connections(&self) -> usize {
        self.shared.door.taken()
    }

    /// Tells whoever asks that it is not ready, and each client that its connection ends with the
    /// answer; serves on.
    pub fn say_unready(&self) {
        self.shared.unready.store(true, Ordering::SeqCst);
    }

    /// Accepts no more, closes idle connections and lets requests in flight finish, for at most
    /// `patience` or until `hurry` says so; true when none was left. To be called once.
    pub fn drain(&self, patience: Duration, hurry: &mut dyn FnMut() -> bool) -> bool {
        self.say_unready();
        let shared = &self.shared;
        shared.draining.store(true, Ordering::SeqCst);
        shared.door.close(|fd, peer, place| {
            shared.lot.queue(Client::accepted(fd, peer, place, shared));
        });
        let deadline = Instant::now() + patience;
        loop {
            shared.wake_all();
            let left = deadline.saturating_duration_since(Instant::now());
            if shared.door.wait_until_empty(left.min(DRAIN_LOOK)) {
                return true;
            }
            if left.is_zero() || hurry() {
                return false;
            }
        }
    }

    /// Ends every thread; connections that are left are closed.
    pub fn stop(self) {
        self.shared.stop.set();
        self.shared.lot.ring_stop();
        for thread in self.threads {
            let _ = thread.join();
        }
        // Tasks hold the Lot that holds them: empty it, so that their sockets close now.
        let shared = &self.shared;
        shared.lot.slots.take_all(|task| task.abandon(shared));
        while let Some(task) = shared.lot.next_ready() {
            task.abandon(shared);
        }
        self.shared.idle.clear();
    }
}

impl Shared {
    /// The server's clock.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// How clients reach us.
    pub(crate) fn proto(&self) -> &'static str {
        if self.tls.acceptor.is_some() { "https" } else { "http" }
    }

    /// True where a request's body is awaited before it takes one of the places that are limited.
    pub(crate) fn awaits_bodies(&self) -> bool {
        self.limits_places && self.config.limits.buffer_bytes > 0
    }

    /// True until the end has begun.
    pub(crate) fn is_ready(&self) -> bool {
        !self.unready.load(Ordering::Relaxed)
    }

    /// True when no new work is wanted.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Has every parked task stepped once, so that it learns of the draining.
    fn wake_all(&self) {
        self.lot.slots.take_all(|task| self.lot.queue(task));
    }
}
