//! Starting, draining and stopping the relay, and giving it another configuration.
//!
//! A server is one Lot, one timer, one thread at the door, and as many workers as the configuration
//! says or the machine has processors. They find each other in [`Shared`], and end together.

use super::challenges::Reader;
use super::entrance::Listening;
use super::entrances::Entrances;
use super::idle::Idle;
use super::kit::Kit;
use super::ledger::Ledger;
use super::lookout::Lookout;
use super::site::Site;
use super::task::ClientTask;
use super::traces::Traces;
use super::{Controls, Shared};
use crate::config::Config;
use crate::engine::{Desk, Door, Listener, Lot, Pulses, Registry, Stop, Timer, Worker};
use crate::event::Teller;
use crate::pool::{Pool, Snapshot};
use crate::thread::spawn;
use crate::tls::Tls;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a draining server looks around.
const DRAIN_LOOK: Duration = Duration::from_millis(100);

/// A running relay.
pub struct Server {
    lot: Arc<Lot<ClientTask>>,
    shared: Arc<Shared>,
    entrances: Arc<Entrances>,
    workers: usize,
    threads: Mutex<Threads>,
}

type Threads = Vec<JoinHandle<()>>;

impl Server {
    /// Starts the workers and the timer, and opens a door at each of `listeners`, which are in the
    /// order of the file. `pools` are those of the configuration's parts. `epoch` is the zero of
    /// the clock that they are asked with. Fails when the process is out of descriptors or threads.
    pub fn start(
        config: Config,
        tls: Tls,
        listeners: Vec<Listener>,
        pools: &[Arc<Pool>],
        teller: Teller,
        epoch: Instant,
    ) -> io::Result<Self> {
        let workers = match config.server.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let lot = Arc::new(Lot::new()?);
        let registry = Arc::clone(&lot) as Arc<dyn Registry>;
        let ledger = Ledger::default();
        let site = Site::new(config, &tls, pools, (&registry, &ledger), None);
        let shared = Arc::new(Shared {
            lot: registry,
            idle: Idle::new(teller.clone()),
            door: Door::new(site.config.server.max_connections),
            log: teller.log().clone(),
            teller,
            ledger,
            traces: Traces::default(),
            stop: Arc::new(Stop::default()),
            pulses: Pulses::default(),
            witness_key: [0, 1].map(|half: u64| RandomState::new().hash_one(half)),
            challenges: Reader::default(),
            unready: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            succeeded: AtomicBool::new(false),
            epoch,
            site: Snapshot::new(Arc::clone(&site)),
        });
        let mut threads = Vec::new();
        begin(&lot, &shared, workers, &mut threads)?;
        let entrances = Arc::<Entrances>::default();
        entrances.open(listeners, (&site.config, &tls), &lot, &shared, &mut threads)?;
        Ok(Self { lot, shared, entrances, workers, threads: Mutex::new(threads) })
    }

    /// Serves by another configuration from the next head on; each request that is under way ends
    /// by the one that it began with. All its doors are [open](Self::open); those that it does not
    /// have close, and idle connections that are of no use any more. The number of workers stays
    /// as it was.
    pub fn replace(&self, config: Config, tls: Tls, pools: &[Arc<Pool>]) {
        let shared = &self.shared;
        shared.door.resize(config.server.max_connections);
        let before = shared.site.current();
        let is_gone = |pool: &Pool| !pools.iter().any(|next| next.name() == pool.name());
        let site = Site::new(config, &tls, pools, (&shared.lot, &shared.ledger), Some(&before));
        shared.site.replace(Arc::clone(&site));
        // Nobody could let them go any more, and who is held there has that pool alone.
        for one in before.branches.iter().filter(|one| is_gone(&one.pool)) {
            one.queue.resume(shared.now());
        }
        self.entrances.follow(&site.config, &tls);
        shared.idle.leave(|to| site.leads_to(to));
    }

    /// Serves clients at further addresses: `listeners` are those that are
    /// [missing](Self::missing) for the configuration that is to follow, in that order. Fails when
    /// the process is out of threads, and changes nothing then.
    pub fn open(&self, listeners: Vec<Listener>, config: &Config, tls: &Tls) -> io::Result<()> {
        let mut threads = self.threads();
        // Without those that kept a door which has closed.
        threads.retain(|thread| !thread.is_finished());
        self.entrances.open(listeners, (config, tls), &self.lot, &self.shared, &mut threads)
    }

    /// Where clients are to be served by `config`, and are not yet.
    pub fn missing(&self, config: &Config) -> Vec<SocketAddr> {
        let missing = self.entrances.missing(config);
        missing.into_iter().map(|listener| listener.listen).collect()
    }

    /// For whoever looks at it and steers it.
    pub fn controls(&self) -> Controls {
        Controls {
            shared: Arc::clone(&self.shared),
            entrances: Arc::clone(&self.entrances),
            workers: self.workers,
        }
    }

    /// Where clients are served; where there are several listeners, at the first.
    pub fn address(&self) -> SocketAddr {
        self.listening()[0].address
    }

    /// Each listener, at least one.
    pub fn listening(&self) -> Vec<Listening> {
        self.entrances.all()
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

    /// True once the end has begun.
    pub fn is_ending(&self) -> bool {
        !self.shared.is_ready()
    }

    /// Another descriptor of each socket that clients come in by, for another process.
    pub fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        self.entrances.sockets()
    }

    /// Another process lets clients in from now on, at the same socket: each connection here ends
    /// with its answer, and whoever asks is told that all is ready, as it is.
    pub fn say_succeeded(&self) {
        self.shared.succeeded.store(true, Ordering::SeqCst);
        self.say_unready();
        self.shared.door.lock_up();
    }

    /// Accepts no more from now on; each connection ends with its request.
    pub fn close(&self) {
        self.say_unready();
        // Who is held by a pause has no other chance.
        self.controls().each_pool().iter().for_each(|one| _ = one.resume());
        self.shared.draining.store(true, Ordering::SeqCst);
        self.shared.door.close();
    }

    /// [Closes](Self::close), ends idle connections and lets requests in flight finish, for at most
    /// `patience` or until `hurry` says so; true when none was left. To be called once.
    pub fn drain(&self, patience: Duration, hurry: &mut dyn FnMut() -> bool) -> bool {
        self.close();
        let shared = &self.shared;
        let deadline = Instant::now() + patience;
        loop {
            // Each task is stepped once, so that it learns of the draining.
            self.lot.slots.take_all(|task| self.lot.queue(task));
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
    pub fn stop(&self) {
        self.shared.door.lock_up();
        self.shared.stop.set();
        self.lot.ring_stop();
        let threads = mem::take(&mut *self.threads());
        for thread in threads {
            let _ = thread.join();
        }
        // Tasks hold the Lot that holds them: empty it, so that their sockets close now.
        let shared = &self.shared;
        self.lot.slots.take_all(|task| task.abandon(shared));
        while let Some(task) = self.lot.next_ready() {
            task.abandon(shared);
        }
        self.shared.idle.clear();
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the workers and the timer.
fn begin(
    lot: &Arc<Lot<ClientTask>>,
    shared: &Arc<Shared>,
    workers: usize,
    threads: &mut Threads,
) -> io::Result<()> {
    for number in 1..=workers {
        let desk = Desk::new(Kit::new(shared), shared.epoch);
        let name = format!("worker {number}");
        let worker = Worker::new(lot, desk, workers, shared.pulses.of(&name));
        threads.push(spawn(&name, || worker.run())?);
    }
    let (stop, epoch) = (Arc::clone(&shared.stop), shared.epoch);
    let timer = Timer { lot: Arc::clone(lot), stop, epoch, pulse: shared.pulses.of("timer") };
    let mut lookout = Lookout::new(shared, lot);
    threads.push(spawn("timer", move || timer.run(|now| lookout.look(now)))?);
    Ok(())
}
