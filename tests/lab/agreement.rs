//! The simulator and the real thing agree on which policy is better.
//!
//! The same four instances stand once in the simulator and once, as demo backends, behind the real
//! proxy, with the load generator in front. One of the four takes four times as long as the others.
//! Wherever the simulator says that one policy is clearly faster than another, so must the sockets.
//!
//! Left out is `hash`: the load generator is one client, the simulator's requests come from many.
//!
//! Of failures both make the same: one request after the other, to instances of which one refuses
//! connections, one breaks off and one answers 503, under rules of several kinds. How often each
//! was tried, and how many requests failed, is then the same to the last one.

use crate::harness::{Backend, Place, Proxy, Vacant};
use evenly::config::Config;
use evenly::lab::backend::{Demo, DemoOptions};
use evenly::lab::bench;
use evenly::lab::simulate::{Patch, Plan, Scenario, Spread, Tally, Terms, Traits, Which};
use evenly::pool::policy::{Kind, ScoredRules};
use evenly::pool::{PassiveRules, RetryOn, RetryRules, Rules, Statuses};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Gives instances that take 5, 23, 3 and 6 ms.
const SEED: u64 = 331;
const INSTANCES: u16 = 4;
/// Requests a second, due whatever becomes of the others.
const RATE: f64 = 250.0;
/// How much slower a policy must be to count as slower, in the simulator.
const CLEARLY: f64 = 1.3;

const POLICIES: [Kind; 6] = [
    Kind::RoundRobin,
    Kind::WeightedRoundRobin,
    Kind::LeastConnections,
    Kind::TwoChoices,
    Kind::FirstAlive,
    Kind::ScoredRoundRobin,
];

fn options() -> DemoOptions {
    let listen = ([127, 0, 0, 1], 0).into();
    DemoOptions { listen, instances: INSTANCES, seed: SEED, ..DemoOptions::default() }
}

/// Mean latency in ms in the simulator.
fn simulated(policy: Kind) -> f64 {
    let group = |index: u16| {
        let nature = options().nature(index).unwrap();
        let latency_ns = Some(nature.latency.as_nanos() as u64);
        let patch = Patch { latency_ns, errors: Some(nature.errors), ..Patch::default() };
        (Which::Listed(vec![usize::from(index) + 1]), patch)
    };
    let mut scenario = Scenario {
        instances: INSTANCES.into(),
        // A demo backend has a thread for each connection: nobody waits for another.
        instance: Traits { spread: Spread::Constant, workers: 1000, ..Traits::default() },
        groups: (0..INSTANCES).map(group).collect(),
        ..Scenario::default()
    };
    scenario.load = RATE / scenario.capacity();
    let terms = Terms::of(&Config::default(), Rules::default(), ScoredRules::default(), false);
    play(scenario, policy, terms).mean_us / 1000.0
}

/// What comes of the scenario in the simulator.
fn play(scenario: Scenario, policy: Kind, terms: Terms) -> Tally {
    let plan = Plan {
        scenario: Some(scenario),
        seeds: vec![1],
        instances: None,
        requests: None,
        policies: vec![policy],
        terms,
        threads: 1,
    };
    plan.play(&|| ()).unwrap().policies.remove(0).1.remove(0)
}

/// Mean latency in ms through sockets.
fn real(policy: Kind) -> f64 {
    let demo = Demo::start(&options()).unwrap();
    let ports: Vec<u16> = demo.addresses().iter().map(|address| address.port()).collect();
    let places: Vec<&dyn Place> = ports.iter().map(|port| port as &dyn Place).collect();
    let name = policy.name();
    let proxy = Proxy::with(&places, &format!("balance.policy = \"{name}\"\nretry.attempts = 0"));
    // Its backends answer one in thirty with an error.
    proxy.no_farewell();
    let url = format!("http://{}/", proxy.address).parse().unwrap();
    let plan = bench::LoadPlan {
        workers: 32,
        requests: Some(1000),
        duration: None,
        rate: Some(RATE),
        timeout: Duration::from_secs(5),
        ..bench::LoadPlan::to(url)
    };
    let tally = bench::run(&plan).unwrap();
    assert_eq!(tally.answers(), 1000, "{name}: {:?}", tally.faults);
    tally.latency.mean() / 1000.0
}

/// Held by each of the tests: one compares times, which the other would spoil.
static TURN: Mutex<()> = Mutex::new(());

fn take_turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Times that it is measured before the simulator is called wrong.
const RUNS_MAX: usize = 3;

#[test]
fn the_simulator_ranks_policies_as_the_real_proxy_does() {
    let _turn = take_turn();
    let simulated = POLICIES.map(simulated);
    let pairs: Vec<(usize, usize)> = (0..POLICIES.len())
        .flat_map(|slower| (0..POLICIES.len()).map(move |faster| (slower, faster)))
        .filter(|(slower, faster)| simulated[*slower] > simulated[*faster] * CLEARLY)
        .collect();
    assert!(pairs.len() >= 5, "the scenario tells too few apart: {simulated:?}");
    let mut real = run_all();
    let disagreeing = |real: &[f64]| {
        pairs.iter().copied().find(|(slower, faster)| real[*slower] <= real[*faster])
    };
    // Whatever else the machine does can only make a run slower: the faster of two is the truer.
    for _ in 1..RUNS_MAX {
        if disagreeing(&real).is_none() {
            break;
        }
        real = real.into_iter().zip(run_all()).map(|(one, other)| one.min(other)).collect();
    }
    if let Some((slower, faster)) = disagreeing(&real) {
        let (a, b) = (POLICIES[slower].name(), POLICIES[faster].name());
        panic!("{a} is not slower than {b}: simulated {simulated:?}, real {real:?} ms");
    }
}

/// Every policy through sockets, side by side.
fn run_all() -> Vec<f64> {
    thread::scope(|scope| {
        let runs = POLICIES.map(|policy| scope.spawn(move || real(policy)));
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    })
}

/// How often each of four instances was tried, and how many requests failed.
#[derive(Debug, PartialEq)]
struct Toll {
    tries: [u64; 4],
    errors: u64,
}

/// Of so many requests, each made when the one before it is over.
const REQUESTS: u32 = 60;

/// In the simulator. Requests are so rare that none meets another.
fn simulated_toll(rules: &RetryRules) -> Toll {
    let ill = |number, patch| (Which::Listed(vec![number]), patch);
    let busy = Patch { errors: Some(1.0), status: Some(503), ..Patch::default() };
    let scenario = Scenario {
        instances: 4,
        requests: REQUESTS.into(),
        load: 1e-9,
        instance: Traits { spread: Spread::Constant, ..Traits::default() },
        groups: vec![
            ill(2, Patch { down: Some(true), ..Patch::default() }),
            ill(3, Patch { resets: Some(1.0), ..Patch::default() }),
            ill(4, busy),
        ],
        ..Scenario::default()
    };
    // Ejections last for a time, of which there is another here than there.
    let passive = PassiveRules { failures: 0, ..PassiveRules::default() };
    let rules = Rules { retry: rules.clone(), passive, ..Rules::default() };
    let terms = Terms::of(&Config::default(), rules, ScoredRules::default(), true);
    let tally = play(scenario, Kind::RoundRobin, Terms { interval: None, ..terms });
    let tries = |index: usize| tally.tries[index].iter().copied().map(u64::from).sum();
    Toll { tries: std::array::from_fn(tries), errors: tally.errors }
}

/// Through sockets.
fn real_toll(rules: &RetryRules) -> Toll {
    let (well, refusing) = (Backend::plain(), Vacant::new());
    let (breaking, busy) = (Backend::every(|wire| drop(wire.request())), Backend::answering(503));
    let proxy = Proxy::with(&[&well, &refusing, &breaking, &busy], &settings(rules));
    proxy.no_farewell();
    let mut client = proxy.connect();
    let (mut all, mut errors) = (0, 0);
    for number in 0..REQUESTS {
        let target = format!("/number/{number}/");
        errors += u64::from(client.get(&target).status() >= 500);
        all += proxy.record(&target)["tries"].as_u64().unwrap();
    }
    let count = |backend: &Backend| backend.requests().len() as u64;
    let [a, c, d] = [&well, &breaking, &busy].map(count);
    Toll { tries: [a, all - a - c - d, c, d], errors }
}

fn settings(rules: &RetryRules) -> String {
    let RetryRules { on, attempts, unanswered, budget_percent, budget_min } = rules;
    let statuses = on.statuses.to_string();
    let named = [("connect", on.connect), ("reset", on.reset), (&*statuses, !statuses.is_empty())];
    let on: Vec<&str> = named.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| *name).collect();
    format!(
        "balance.policy = \"round-robin\"\nlog.access = \"json\"\npassive.failures = 0\n\
         retry.on = {on:?}\nretry.attempts = {attempts}\nretry.unanswered = {unanswered}\n\
         retry.budget_percent = {budget_percent}\nretry.budget_min = {budget_min}"
    )
}

#[test]
fn the_simulator_retries_as_the_real_proxy_does() {
    let _turn = take_turn();
    let busy = Statuses::new(vec![503..=503]);
    let all = RetryRules {
        on: RetryOn { timeout: false, statuses: busy, ..RetryOn::default() },
        ..RetryRules::default()
    };
    let table = [
        ("no retries", RetryRules { attempts: 0, ..all.clone() }),
        ("one", RetryRules { attempts: 1, ..all.clone() }),
        ("by default, and for a status", all.clone()),
        ("to all of them", RetryRules { attempts: 3, ..all.clone() }),
        ("what breaks goes nowhere", RetryRules { unanswered: 0, attempts: 3, ..all.clone() }),
        (
            "no status",
            RetryRules {
                on: RetryOn { statuses: Statuses::default(), ..all.on.clone() },
                ..all.clone()
            },
        ),
        (
            "only a status",
            RetryRules {
                on: RetryOn { connect: false, reset: false, ..all.on.clone() },
                ..all.clone()
            },
        ),
        ("no budget", RetryRules { budget_percent: 0, budget_min: 0, ..all }),
    ];
    let tolls: Vec<Toll> = thread::scope(|scope| {
        let runs: Vec<_> =
            table.iter().map(|(_, rules)| scope.spawn(|| real_toll(rules))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for ((case, rules), real) in table.iter().zip(&tolls) {
        assert_eq!(&simulated_toll(rules), real, "{case}");
    }
    let first = |(index, toll): &(usize, &Toll)| tolls[..*index].iter().all(|one| one != *toll);
    let told_apart = tolls.iter().enumerate().filter(first).count();
    assert!(told_apart >= 6, "the rules come to too much of the same: {tolls:?}");
}
