//! The names thread: looks host names up again and tells a backend where it is now.
//!
//! Started by [`Watch`](super::Watch). A name has its turn every so often, and soon after a connect
//! or a check of its backend has failed: it may have moved. One that has no address yet is looked
//! up until it has. No look-up holds up another, nor a check.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::lookup::{LookUps, Resolve, Resolved, at, is_name, system};
use super::sockets::Control;
use super::{OnEvent, WatchEvent, Watched};
use crate::event::Event;
use crate::pool::{Backend, Found, Look, Notice};

/// The least time between two look-ups of a name, so that failures make no storm of them.
const DISTANCE_MIN: Duration = Duration::from_secs(1);
/// How often it looks whether a backend has failed. Whoever meets the failure may be in a step: it
/// sets a flag, and rings nobody.
const GLANCE: Duration = Duration::from_millis(200);

/// The state of the names thread.
pub(super) struct Names {
    look: Look<Vec<Watched>>,
    /// Whose names these are.
    watched: Arc<Vec<Watched>>,
    epoch: Instant,
    /// The host names of its pool, each once, with when it is to be looked up; and those that were
    /// looked up a moment ago and have no user any more, lest one that comes and goes causes a
    /// storm.
    known: Vec<KnownName>,
    lookups: LookUps,
    /// Hurried for a backend that was found; gone when the watch is over.
    checks: Weak<Control>,
    on: OnEvent,
}

/// The place of a pool, and that of a backend in it.
type Place = (usize, usize);

struct KnownName {
    host: String,
    /// The backends that have it, each by the place of its pool and its own there.
    users: Vec<Place>,
    /// When it is to be looked up, at the latest.
    next: Instant,
    begun: Instant,
    is_under_way: bool,
    /// It did not resolve the last time. That was told, and is not told again until it resolves.
    is_failing: bool,
}

impl Names {
    pub(super) fn new(
        look: Look<Vec<Watched>>,
        epoch: Instant,
        checks: Weak<Control>,
        on: OnEvent,
    ) -> Self {
        Self::asking(system, look, epoch, checks, on)
    }

    fn asking(
        resolve: Resolve,
        mut look: Look<Vec<Watched>>,
        epoch: Instant,
        checks: Weak<Control>,
        on: OnEvent,
    ) -> Self {
        let (lookups, watched) = (LookUps::new(resolve), Arc::clone(look.current()));
        let mut names = Self { look, watched, epoch, known: Vec::new(), lookups, checks, on };
        names.know_all(Instant::now());
        names
    }

    /// Runs until the watch is over, which it sees at its next glance. The addresses at the start
    /// are fresh, so it begins with a wait.
    pub(super) fn run(mut self) {
        loop {
            let wait = self.begin_due(Instant::now());
            let one = self.lookups.resolved.recv_timeout(wait);
            if self.checks.strong_count() == 0 {
                return;
            }
            one.into_iter().for_each(|one| self.take(one, Instant::now()));
        }
    }

    /// Begins the look-ups that are due; how long until there may be another. As this is done at
    /// each glance, it costs a name no more than a few loads.
    fn begin_due(&mut self, now: Instant) -> Duration {
        self.follow(now);
        let watched = &self.watched;
        let take_doubt = |place: &&Place| backend(watched, **place).take_doubt();
        for name in self.known.iter_mut().filter(|name| !name.users.is_empty()) {
            // Every backend's doubt is taken, not only the first: one that is left behind would
            // cause a further look-up a second later.
            let doubts = name.users.iter().filter(take_doubt);
            if doubts.count() > 0 {
                name.next = name.next.min(name.begun + DISTANCE_MIN);
            }
            if !name.is_under_way && name.next <= now {
                (name.begun, name.is_under_way) = (now, true);
                self.lookups.begin(&name.host);
            }
        }
        if self.known.is_empty() { DISTANCE_MIN } else { GLANCE }
    }

    fn follow(&mut self, now: Instant) {
        if let Some(next) = self.look.replaced() {
            self.watched = Arc::clone(next);
            self.know_all(now);
        }
    }

    /// Lists the host names of the pool. What is known of a name that was in the pool before stays,
    /// with its look-up if one is under way: that is then for whoever has the name now.
    fn know_all(&mut self, now: Instant) {
        let mut before = std::mem::take(&mut self.known);
        before.iter_mut().for_each(|name| name.users.clear());
        let all = self.watched.iter().enumerate().flat_map(|(pool, watched)| {
            let backends = watched.pool.backends().iter().enumerate();
            backends.map(move |(index, backend)| ((pool, index), backend, &watched.settings))
        });
        for (place_of_user, backend, settings) in all {
            let every = settings.names_every;
            let host = backend.host();
            if !is_name(host) {
                continue;
            }
            let place = self.known.iter().position(|name| name.host == host).unwrap_or_else(|| {
                let old = before.iter().position(|name| name.host == host);
                let new = || KnownName::new(backend, now, every);
                self.known.push(old.map_or_else(new, |old| before.swap_remove(old)));
                self.known.len() - 1
            });
            let name = &mut self.known[place];
            name.users.push(place_of_user);
            if !backend.is_found() {
                name.next = name.next.min(name.begun + DISTANCE_MIN);
            }
        }
        before.retain(|name| name.is_under_way || now < name.begun + DISTANCE_MIN);
        self.known.append(&mut before);
    }

    /// Takes in what a name has come to, for each backend that has it.
    fn take(&mut self, (host, found): Resolved, now: Instant) {
        self.lookups.over();
        self.follow(now);
        let Some(name) = self.known.iter_mut().find(|name| name.host == host) else { return };
        let watched = &self.watched;
        let every = name.users.iter().map(|(pool, _)| watched[*pool].settings.names_every).min();
        let every = every.unwrap_or(DISTANCE_MIN);
        let is_known = name.users.iter().any(|place| backend(watched, *place).is_found());
        name.is_under_way = false;
        name.next = now + if is_known || found.is_ok() { every } else { DISTANCE_MIN };
        let was_failing = std::mem::replace(&mut name.is_failing, found.is_err());
        for place in name.users.clone() {
            match &found {
                Err(why) if !was_failing => self.missed(place, why),
                _ => self.relocate(place, at(&found, backend(&self.watched, place).port())),
            }
        }
    }

    /// Tells the backend where it is now, and the listener if that is another place. After a
    /// further failure it changes at most the reason why the backend has no address.
    fn relocate(&self, place: Place, found: Found) {
        let backend = backend(&self.watched, place);
        let first = || backend.address_besides(&[]).map(|(address, _)| address);
        let old = first();
        let change = self.watched[place.0].pool.relocate(place.1, found, self.now());
        let host = backend.host();
        match (change, old, first()) {
            (Some(change), ..) => (self.on)(WatchEvent::Noticed(&Notice::Changed(change))),
            (None, Some(old), Some(new)) if old != new => {
                self.moved(backend, format_args!("{host} is at {new} now, was at {old}"));
            }
            (None, None, Some(new)) => {
                self.checks.upgrade().iter().for_each(|checks| checks.hurry());
                self.moved(backend, format_args!("{host} is at {new} now"));
            }
            _ => {}
        }
    }

    fn moved(&self, backend: &Backend, what: fmt::Arguments) {
        (self.on)(WatchEvent::Other(Event::Moved { backend: backend.name(), what: &what }));
    }

    /// The name does not resolve: the backend keeps the addresses that it has, which is told once.
    fn missed(&self, place: Place, why: &str) {
        let backend = backend(&self.watched, place);
        let kept = match backend.address_besides(&[]) {
            Some((address, _)) => format!("; {address} is kept"),
            None => String::new(),
        };
        let why = &format_args!("{why}{kept}");
        (self.on)(WatchEvent::Other(Event::Unresolved { backend: backend.name(), why }));
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }
}

fn backend(watched: &[Watched], (pool, index): Place) -> &Backend {
    &watched[pool].pool.backends()[index]
}

impl KnownName {
    /// That of `backend`, whose address is as fresh as `now` if it has one.
    fn new(backend: &Backend, now: Instant, every: Duration) -> Self {
        let is_failing = !backend.is_found();
        let next = now + if is_failing { Duration::ZERO } else { every };
        let (host, users) = (backend.host().to_owned(), Vec::new());
        Self { host, users, next, begun: now, is_under_way: false, is_failing }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;
    use std::sync::Mutex;

    use super::super::tests::Heard;
    use super::*;
    use crate::pool::policy::{Kind, ScoredRules};
    use crate::pool::testing::spec;
    use crate::pool::{Ask, CheckOutcome, Fault, Outcome, Pool, Rules, Snapshot, Spec};
    use crate::watch::tests::watching;

    /// What a names thread says and does, in the hands of a test.
    struct Bench {
        names: Names,
        pool: Arc<Pool>,
        snapshot: Arc<Snapshot<Vec<Watched>>>,
        events: Arc<Mutex<Vec<Heard>>>,
        now: Instant,
    }

    impl Bench {
        fn new(host: &str, found: Found) -> Self {
            Self::of(vec![(host, found)])
        }

        /// A backend for each of `hosts`.
        fn of(hosts: Vec<(&str, Found)>) -> Self {
            let spec = |(host, name): (&&str, char)| Spec {
                host: (*host).into(),
                ..spec(&name.to_string())
            };
            let (hosts, found): (Vec<_>, Vec<_>) = hosts.into_iter().unzip();
            let specs: Vec<Spec> = hosts.iter().zip('a'..).map(spec).collect();
            let policy = Kind::RoundRobin.build(&specs, &ScoredRules::default());
            let pool = Pool::new(specs, found, policy, Rules::default());
            let events = Arc::new(Mutex::new(Vec::new()));
            let heard = Arc::clone(&events);
            let on: OnEvent =
                Arc::new(move |event: WatchEvent| heard.lock().unwrap().push(event.into()));
            let snapshot = Snapshot::new(Arc::new(vec![watching(&pool)]));
            let (look, now) = (snapshot.look(), Instant::now());
            let names = Names::asking(|_| panic!("asked"), look, now, Weak::new(), on);
            Self { names, pool, snapshot, events, now }
        }

        /// Looks around after so long; how many look-ups that begins.
        fn glance(&mut self, after: Duration) -> usize {
            self.now += after;
            let under_way = |names: &Names| names.known.iter().filter(|it| it.is_under_way).count();
            let before = under_way(&self.names);
            self.names.begin_due(self.now);
            under_way(&self.names) - before
        }

        /// One look-up, which finds this.
        fn finds(&mut self, resolve: Resolve) {
            self.names.lookups = LookUps::new(resolve);
            (self.names.known[0].next, self.names.known[0].is_under_way) = (self.now, false);
            self.glance(Duration::ZERO);
            let one = self.names.lookups.resolved.recv().unwrap();
            self.names.take(one, self.now);
        }

        fn first(&self) -> Option<SocketAddr> {
            self.pool.backends()[0].addresses().ok().map(|all| all[0])
        }

        fn said(&self) -> Vec<Heard> {
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
        assert_eq!(bench.said(), [Heard::Told("moved", told.into())]);
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
        let told = Heard::Told("unresolved", told.into());
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
        let Heard::Noticed(Notice::Changed(change)) = &said[0] else { panic!("{said:?}") };
        assert_eq!(
            change.to_string().split(';').next(),
            Some("backend a: app.local is at 127.0.0.1:8001")
        );
        assert_eq!(bench.pool.usable(SECOND), 1);
    }

    #[test]
    fn a_move_is_told_though_an_ejection_has_ended_meanwhile() {
        let mut bench = Bench::of(vec![("app.local", known()), ("::1", known()), ("::2", known())]);
        for _ in 0..3 {
            let ask = Ask { tried: &[1, 2], ..Ask::default() };
            let lease = bench.pool.pick(&ask).unwrap();
            lease.finish(Outcome::Failed(Fault::Connect), Duration::ZERO);
        }
        assert_eq!(bench.pool.usable(Duration::ZERO), 2, "it is ejected");
        bench.names.epoch -= 60 * SECOND;
        bench.finds(|_| Ok(vec![at(9, 0)]));
        let told = "backend a: app.local is at 127.0.0.9:8001 now, was at 127.0.0.1:8001";
        assert_eq!(bench.said(), [Heard::Told("moved", told.into())]);
    }

    #[test]
    fn backends_of_one_name_have_one_look_up_and_each_has_its_doubts() {
        let mut bench = Bench::of(vec![("app.local", known()), ("app.local", known())]);
        for index in [0, 1] {
            bench.pool.backends()[index].avoid(at(1, 8001));
        }
        bench.names.lookups = LookUps::new(|_| Ok(vec![at(2, 0)]));
        assert_eq!(bench.glance(2 * SECOND), 1);
        let one = bench.names.lookups.resolved.recv().unwrap();
        bench.names.take(one, bench.now);
        assert_eq!(bench.said().len(), 2);
        assert_eq!(bench.glance(2 * SECOND), 0, "no doubt is left");
    }

    #[test]
    fn a_replaced_pool_has_its_new_names_looked_up_and_keeps_what_is_known_of_the_old() {
        let mut bench = Bench::of(vec![("app.local", known()), ("old.local", known())]);
        let unknown: Found = Err("new.local does not resolve: x".into());
        let next = Bench::of(vec![("new.local", unknown), ("app.local", known())]);
        bench.snapshot.replace(Arc::new(vec![watching(&next.pool)]));
        bench.names.lookups = LookUps::new(|_| Ok(vec![at(1, 0)]));
        assert_eq!(bench.glance(2 * SECOND), 1);
        assert_eq!(bench.names.lookups.resolved.recv().unwrap().0, "new.local");
        let users = |name: &KnownName| (name.host.clone(), name.users.clone());
        let known: Vec<(String, Vec<Place>)> = bench.names.known.iter().map(users).collect();
        assert_eq!(known, [("new.local".into(), vec![(0, 0)]), ("app.local".into(), vec![(0, 1)])]);
    }

    #[test]
    fn a_look_up_under_way_is_for_whoever_has_the_name_when_it_is_over() {
        let unknown: Found = Err("app.local does not resolve: x".into());
        let mut bench = Bench::of(vec![("app.local", unknown.clone())]);
        bench.names.lookups = LookUps::new(|_| Ok(vec![at(5, 0)]));
        assert_eq!(bench.glance(SECOND), 1);
        let next = Bench::of(vec![("::1", known()), ("app.local", unknown)]);
        bench.snapshot.replace(Arc::new(vec![watching(&next.pool)]));
        let one = bench.names.lookups.resolved.recv().unwrap();
        bench.names.take(one, bench.now);
        assert_eq!(next.pool.backends()[1].addresses(), Ok(vec![at(5, 8001)]));
        assert_eq!(bench.glance(2 * SECOND), 0, "no other is needed");
    }

    #[test]
    fn a_new_backend_that_was_not_found_does_not_wait_for_its_names_next_turn() {
        let mut bench = Bench::of(vec![("app.local", known())]);
        bench.names.lookups = LookUps::new(|_| Ok(vec![at(1, 0)]));
        let next = Bench::of(vec![("app.local", known()), ("app.local", Err("x".into()))]);
        bench.snapshot.replace(Arc::new(vec![watching(&next.pool)]));
        assert_eq!(bench.glance(2 * SECOND), 1);
        let one = bench.names.lookups.resolved.recv().unwrap();
        bench.names.take(one, bench.now);
        assert!(next.pool.backends()[1].is_found());
    }

    #[test]
    fn a_name_that_comes_and_goes_makes_no_storm() {
        let mut bench = Bench::of(vec![("::1", known())]);
        let with = Bench::of(vec![("::1", known()), ("app.local", Err("x".into()))]);
        bench.names.lookups = LookUps::new(|_| Err(io::Error::other("no such name")));
        let mut begun = 0;
        for turn in 0..40 {
            let pool = if turn % 2 == 0 { &with.pool } else { &bench.pool };
            bench.snapshot.replace(Arc::new(vec![watching(pool)]));
            begun += bench.glance(SECOND / 10);
            if turn % 2 == 1
                && let Ok(one) = bench.names.lookups.resolved.try_recv()
            {
                bench.names.take(one, bench.now);
            }
        }
        assert!((1..=4).contains(&begun), "{begun} look-ups in four seconds");
        assert!(bench.names.known.len() <= 1);
    }

    #[test]
    fn failures_have_a_name_looked_up_anew_and_make_no_storm() {
        let mut bench = Bench::new("app.local", known());
        assert_eq!(bench.glance(SECOND), 0, "nothing failed");
        for _ in 0..100 {
            let (seen, took) = (String::new(), Duration::ZERO);
            let outcome = CheckOutcome { passed: false, asks_drain: false, seen, took };
            bench.pool.record_check(0, &outcome, SECOND);
        }
        bench.names.lookups = LookUps::new(|_| Ok(vec![at(1, 0)]));
        assert_eq!(bench.glance(SECOND), 1);
        let one = bench.names.lookups.resolved.recv().unwrap();
        bench.names.take(one, bench.now);
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
