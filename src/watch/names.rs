//! The names thread: looks host names up again and tells a backend where it is now.
//!
//! Started by [`Watch`](super::Watch). A name has its turn every so often, and soon after a connect
//! or a check of its backend has failed: it may have moved. One that has no address yet is looked
//! up until it has. No look-up holds up another, nor a check.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};

use super::lookup::{LookUps, Report, Resolve, at, is_name, system};
use super::{Listener, Never, WatchEvent};
use crate::pool::{Backend, Found, Notice, Pool, Reader};

/// The least time between two look-ups of a name, so that failures make no storm of them.
const DISTANCE_MIN: Duration = Duration::from_secs(1);
/// How often it looks whether a backend has failed. Whoever meets the failure may be in a step: it
/// sets a flag, and rings nobody.
const GLANCE: Duration = Duration::from_millis(200);

/// Has the backends checked at once.
pub(super) type Hurry = Box<dyn Fn() + Send>;

/// The state of the names thread.
pub(super) struct Names {
    reader: Reader,
    every: Duration,
    epoch: Instant,
    /// Each name, and how it stands with it.
    known: BTreeMap<String, Name>,
    lookups: LookUps,
    /// For a backend that was found.
    hurry: Hurry,
    on: Listener,
}

struct Name {
    /// When it is to be looked up, at the latest.
    next: Instant,
    begun: Instant,
    is_under_way: bool,
    /// It did not resolve the last time, and that was said.
    is_failing: bool,
}

impl Names {
    pub(super) fn new(
        reader: Reader,
        every: Duration,
        epoch: Instant,
        hurry: Hurry,
        on: Listener,
    ) -> Self {
        Self::asking(system, reader, every, epoch, hurry, on)
    }

    fn asking(
        resolve: Resolve,
        reader: Reader,
        every: Duration,
        epoch: Instant,
        hurry: Hurry,
        on: Listener,
    ) -> Self {
        let lookups = LookUps::new(resolve);
        Self { reader, every, epoch, known: BTreeMap::new(), lookups, hurry, on }
    }

    /// Runs until `stop` closes. The addresses at the start are fresh, so it begins with a wait.
    pub(super) fn run(mut self, stop: &Receiver<Never>) {
        let reports = self.lookups.reports.clone();
        loop {
            let wait = self.begin_due(Instant::now());
            select! {
                recv(stop) -> _ => return,
                recv(reports) -> report => {
                    self.take(report.expect("`lookups` holds a sender"), Instant::now());
                }
                default(wait) => {}
            }
        }
    }

    /// Begins the look-ups that are due; how long until there may be another.
    fn begin_due(&mut self, now: Instant) -> Duration {
        let pool = Arc::clone(self.reader.pool());
        let mut wait = self.every;
        for backend in pool.backends().iter().filter(|backend| is_name(backend.host())) {
            let name = self.known.entry(backend.host().to_owned()).or_insert_with(|| Name {
                next: now + if backend.is_found() { self.every } else { Duration::ZERO },
                begun: now,
                is_under_way: false,
                is_failing: !backend.is_found(),
            });
            if backend.take_doubt() {
                name.next = name.next.min(name.begun + DISTANCE_MIN);
            }
            if !name.is_under_way && name.next <= now {
                (name.begun, name.is_under_way) = (now, true);
                self.lookups.begin(backend.host());
            }
            wait = GLANCE;
        }
        wait
    }

    /// Takes in what a name has come to, for each backend that has it.
    fn take(&mut self, (host, found): Report, now: Instant) {
        self.lookups.over();
        let pool = Arc::clone(self.reader.pool());
        let is_known = pool.backends().iter().any(|one| one.host() == host && one.is_found());
        let Some(name) = self.known.get_mut(&host) else { return };
        name.is_under_way = false;
        name.next = now + if is_known || found.is_ok() { self.every } else { DISTANCE_MIN };
        let was_failing = std::mem::replace(&mut name.is_failing, found.is_err());
        for (index, backend) in pool.backends().iter().enumerate() {
            if backend.host() != host {
                continue;
            }
            match &found {
                Ok(_) => self.found(&pool, index, at(&found, backend.port())),
                Err(why) if was_failing => drop(pool.relocate(index, Err(why.clone()), self.now())),
                Err(why) => self.missed(backend, why),
            }
        }
    }

    fn found(&self, pool: &Pool, index: usize, found: Found) {
        let backend = &pool.backends()[index];
        let first = || backend.address_besides(&[]).map(|(address, _)| address);
        let old = first();
        let change = pool.relocate(index, found, self.now());
        let (name, host) = (backend.name(), backend.host());
        let event = match (change, old, first()) {
            (Some(change), ..) => WatchEvent::Noticed(Notice::Changed(change)),
            (None, Some(old), Some(new)) if old != new => {
                WatchEvent::Note(format!("backend {name}: {host} is at {new} now, was at {old}"))
            }
            (None, None, Some(new)) => {
                (self.hurry)();
                WatchEvent::Note(format!("backend {name}: {host} is at {new} now"))
            }
            _ => return,
        };
        (self.on)(event);
    }

    /// What is known is kept, and that is said once.
    fn missed(&self, backend: &Backend, why: &str) {
        let name = backend.name();
        let text = match backend.address_besides(&[]) {
            Some((address, _)) => format!("backend {name}: {why}; {address} is kept"),
            None => format!("backend {name}: {why}"),
        };
        (self.on)(WatchEvent::Warning(text));
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;
    use std::sync::Mutex;

    use super::*;
    use crate::pool::policy::{Kind, ScoredRules};
    use crate::pool::testing::spec;
    use crate::pool::{CheckOutcome, Rules, Snapshot, Spec};

    /// What a names thread says and does, in the hands of a test.
    struct Bench {
        names: Names,
        pool: Arc<Pool>,
        events: Arc<Mutex<Vec<WatchEvent>>>,
        now: Instant,
    }

    impl Bench {
        fn new(host: &str, found: Found) -> Self {
            let specs = vec![Spec { host: host.into(), ..spec("a") }];
            let policy = Kind::RoundRobin.build(&specs, &ScoredRules::default());
            let pool = Pool::new(specs, vec![found], policy, Rules::default());
            let events = Arc::new(Mutex::new(Vec::new()));
            let heard = Arc::clone(&events);
            let on: Listener = Arc::new(move |event| heard.lock().unwrap().push(event));
            let reader = Snapshot::new(Arc::clone(&pool)).reader();
            let (every, now) = (Duration::from_secs(30), Instant::now());
            let names = Names::asking(|_| panic!("asked"), reader, every, now, Box::new(|| ()), on);
            Self { names, pool, events, now }
        }

        /// Looks around after so long; how many look-ups that begins.
        fn glance(&mut self, after: Duration) -> usize {
            self.now += after;
            let host = self.pool.backends()[0].host().to_owned();
            let was = self.names.known.get(&host).is_some_and(|name| name.is_under_way);
            self.names.begin_due(self.now);
            let is = self.names.known.get(&host).is_some_and(|name| name.is_under_way);
            usize::from(is && !was)
        }

        /// One look-up, which finds this.
        fn finds(&mut self, resolve: Resolve) {
            self.names.lookups = LookUps::new(resolve);
            if let Some(name) = self.names.known.values_mut().next() {
                (name.next, name.is_under_way) = (self.now, false);
            } else {
                self.glance(Duration::ZERO);
                self.now += Duration::from_secs(30);
            }
            self.glance(Duration::ZERO);
            let report = self.names.lookups.reports.recv().unwrap();
            self.names.take(report, self.now);
        }

        fn first(&self) -> Option<SocketAddr> {
            self.pool.backends()[0].addresses().ok().map(|all| all[0])
        }

        fn said(&self) -> Vec<WatchEvent> {
            self.events.lock().unwrap().clone()
        }
    }

    fn at(last: u8, port: u16) -> SocketAddr {
        ([127, 0, 0, last], port).into()
    }

    fn known() -> Found {
        Ok(vec![at(1, 8001)])
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_name_that_moved_moves_its_backend() {
        let mut bench = Bench::new("app.local", known());
        bench.finds(|_| Ok(vec![at(9, 0), at(8, 0)]));
        assert_eq!(bench.first(), Some(at(9, 8001)));
        let told = "backend a: app.local is at 127.0.0.9:8001 now, was at 127.0.0.1:8001";
        assert_eq!(bench.said(), [WatchEvent::Note(told.into())]);
    }

    #[test]
    fn an_address_that_is_still_among_those_found_is_kept() {
        let mut bench = Bench::new("app.local", known());
        bench.finds(|_| Ok(vec![at(9, 0), at(1, 0)]));
        assert_eq!((bench.said().len(), bench.first()), (0, Some(at(1, 8001))));
    }

    #[test]
    fn a_failed_look_up_keeps_the_address_and_is_said_once() {
        let mut bench = Bench::new("app.local", known());
        let fails: Resolve = |_| Err(io::Error::other("no such name"));
        for resolve in [fails, fails, |_| Ok(vec![]), |_| Ok(vec![at(1, 0)]), fails] {
            bench.finds(resolve);
        }
        assert_eq!(bench.first(), Some(at(1, 8001)));
        let told = "backend a: app.local does not resolve: no such name; 127.0.0.1:8001 is kept";
        let told = WatchEvent::Warning(told.into());
        assert_eq!(bench.said(), [told.clone(), told], "again after it had resolved");
    }

    #[test]
    fn a_name_that_is_found_at_last_brings_its_backend_up() {
        let mut bench = Bench::new("app.local", Err("app.local does not resolve: x".into()));
        bench.finds(|_| Err(io::Error::other("no such name")));
        assert_eq!(bench.said(), [], "the start has said so");
        let why = bench.pool.status(0, SECOND).to_string();
        assert!(why.contains("a: down: app.local does not resolve: no such name, 0 in"), "{why}");
        bench.finds(|_| Ok(vec![at(1, 0)]));
        let said = bench.said();
        let WatchEvent::Noticed(Notice::Changed(change)) = &said[0] else { panic!("{said:?}") };
        assert_eq!(
            change.to_string().split(';').next(),
            Some("backend a: app.local is at 127.0.0.1:8001")
        );
        assert_eq!(bench.pool.usable(SECOND), 1);
    }

    #[test]
    fn failures_have_a_name_looked_up_anew_and_make_no_storm() {
        let mut bench = Bench::new("app.local", known());
        assert_eq!(bench.glance(SECOND), 0, "nothing failed");
        for _ in 0..100 {
            let outcome = CheckOutcome { passed: false, seen: String::new(), took: Duration::ZERO };
            bench.pool.record_check(0, &outcome, SECOND);
        }
        bench.names.lookups = LookUps::new(|_| Ok(vec![at(1, 0)]));
        assert_eq!(bench.glance(SECOND), 1);
        let report = bench.names.lookups.reports.recv().unwrap();
        bench.names.take(report, bench.now);
        bench.pool.backends()[0].avoid(at(1, 8001));
        assert_eq!(bench.glance(SECOND / 5), 0, "too soon");
        assert_eq!(bench.glance(SECOND), 1, "and not forgotten");
    }

    #[test]
    fn an_address_is_not_looked_up() {
        for host in ["127.0.0.1", "::1"] {
            let mut bench = Bench::new(host, known());
            assert_eq!(bench.glance(60 * SECOND), 0);
        }
    }
}
