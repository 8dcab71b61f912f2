//! Pools for the tests of this room and of the watch.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
use std::time::Duration;

use super::policy::{Facts, Kind, Memory, Policy, ScoredRules, View};
use super::{Ask, Change, CheckOutcome, Mode, Pool, Rules, Spec, chance};

/// A backend that is alive and has no limits.
pub(crate) fn spec(name: &str) -> Spec {
    Spec {
        name: name.into(),
        host: "127.0.0.1".into(),
        port: 8001,
        found: None,
        alive: true,
        weight: 1,
        max_connections: 0,
        backup: false,
        public: None,
        tls: None,
        health_port: None,
        preface: None,
    }
}

/// A pool of `specs` by round robin.
pub(crate) fn pool_of(specs: Vec<Spec>, rules: Rules) -> Arc<Pool> {
    pool_by(Kind::RoundRobin, specs, rules)
}

/// A pool of `specs` by the policy `kind`.
pub(crate) fn pool_by(kind: Kind, specs: Vec<Spec>, rules: Rules) -> Arc<Pool> {
    let policy = kind.build(&specs, &ScoredRules::default());
    Pool::new(specs, policy, rules)
}

/// The pool that follows `old`.
pub(crate) fn succeeding(old: &Pool, kind: Kind, specs: Vec<Spec>, rules: Rules) -> Arc<Pool> {
    let policy = kind.build(&specs, &ScoredRules::default());
    Pool::succeeding(old, specs, policy, rules, Duration::ZERO)
}

/// A pool of `count` backends named a, b, c and so on.
pub(super) fn pool(count: u8, rules: Rules) -> Arc<Pool> {
    let names = (0..count).map(|number| char::from(b'a' + number).to_string());
    pool_of(names.map(|name| spec(&name)).collect(), rules)
}

/// A pool of one backend.
pub(super) fn named(name: &str) -> Arc<Pool> {
    pool_of(vec![spec(name)], Rules::default())
}

/// An operator sets the mode, whatever follows from it.
pub(super) fn set_mode(pool: &Pool, index: usize, mode: Mode, now: Duration) -> Option<Change> {
    pool.set_mode(index, mode, true, now).expect("it is forced")
}

/// A request's wish for a backend not among those `tried`.
pub(super) fn ask(now: Duration, tried: &[usize]) -> Ask<'_> {
    Ask { now, tried, ..Ask::default() }
}

/// The result of a check.
pub(super) fn check(passed: bool) -> CheckOutcome {
    let (seen, took) = ("as told".into(), Duration::from_millis(1));
    CheckOutcome { passed, asks_drain: false, seen, took }
}

/// Backends as a policy sees them, each fact set by the test.
pub(super) struct Cast {
    pub(super) usable: Vec<AtomicBool>,
    pub(super) in_use: Vec<AtomicU32>,
    pub(super) weights: Vec<u32>,
    pub(super) memory: Vec<Memory>,
    pub(super) chance: u64,
    pub(super) key: Option<u64>,
    /// How often a number was drawn.
    pub(super) drawn: AtomicU64,
}

impl Cast {
    /// Idle backends of weight 1, usable or not.
    pub(super) fn new(usable: &[bool]) -> Self {
        Self {
            usable: usable.iter().map(|usable| AtomicBool::new(*usable)).collect(),
            in_use: usable.iter().map(|_| AtomicU32::new(0)).collect(),
            weights: vec![1; usable.len()],
            memory: usable.iter().map(|_| Memory::default()).collect(),
            chance: 0,
            key: None,
            drawn: AtomicU64::new(0),
        }
    }

    /// Idle backends of these weights, all usable.
    pub(super) fn weighing(weights: &[u32]) -> Self {
        Self { weights: weights.to_vec(), ..Self::new(&vec![true; weights.len()]) }
    }

    pub(super) fn set(&self, index: usize, usable: bool) {
        self.usable[index].store(usable, Relaxed);
    }
}

impl View for Cast {
    fn count(&self) -> usize {
        self.usable.len()
    }

    fn is_usable(&self, index: usize) -> bool {
        self.usable[index].load(Relaxed)
    }

    fn facts(&self, index: usize) -> Facts<'_> {
        let in_use = self.in_use[index].load(Relaxed);
        Facts { in_use, weight: self.weights[index], memory: &self.memory[index] }
    }

    /// Another one each time, in a sequence that the field `chance` names.
    fn chance(&self) -> u64 {
        chance::scramble(self.chance ^ self.drawn.fetch_add(1, Relaxed))
    }

    fn key(&self) -> Option<u64> {
        self.key
    }
}

/// Who is picked, `times` in a row.
pub(super) fn picks(policy: &dyn Policy, view: &dyn View, times: usize) -> Vec<usize> {
    (0..times).filter_map(|_| policy.pick(view)).collect()
}

/// How often each one is picked, of so many times.
pub(super) fn counts(policy: &dyn Policy, view: &dyn View, times: usize) -> Vec<usize> {
    let mut counts = vec![0; view.count()];
    picks(policy, view, times).into_iter().for_each(|index| counts[index] += 1);
    counts
}

/// Runs `act` in so many threads, each with its number. They start within nanoseconds, for they
/// spin until all are there: a barrier that sleeps lets each be done before the next wakes.
pub(super) fn together<T: Send>(threads: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let missing = AtomicUsize::new(threads);
    let run = |number| {
        missing.fetch_sub(1, SeqCst);
        while missing.load(SeqCst) > 0 {
            std::thread::yield_now();
        }
        act(number)
    };
    std::thread::scope(|scope| {
        let run = &run;
        let start = |number| scope.spawn(move || run(number));
        let started: Vec<_> = (0..threads).map(start).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
