//! The simulator and the real thing agree on which policy is better.
//!
//! The same four instances stand once in the simulator and once, as demo backends, behind the real
//! proxy, with the load generator in front. One of the four takes four times as long as the others.
//! Wherever the simulator says that one policy is clearly faster than another, so must the sockets.
//!
//! Left out is `hash`: the load generator is one client, the simulator's requests come from many.

use crate::harness::{Place, Proxy};
use evenly::config::Config;
use evenly::lab::backend::{Demo, Options};
use evenly::lab::bench;
use evenly::lab::simulate::{Patch, Plan, Scenario, Spread, Terms, Traits, Which};
use evenly::pool::Rules;
use evenly::pool::policy::{Kind, ScoredRules};
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

fn options() -> Options {
    let listen = ([127, 0, 0, 1], 0).into();
    Options { listen, instances: INSTANCES, seed: SEED, ..Options::default() }
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
    let plan = Plan {
        scenario: Some(scenario),
        seeds: vec![1],
        instances: None,
        requests: None,
        policies: vec![policy],
        terms,
        threads: 1,
    };
    plan.play(&|| ()).unwrap().policies[0].1[0].mean_us / 1000.0
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
    let plan = bench::Plan {
        workers: 32,
        requests: Some(1000),
        duration: None,
        rate: Some(RATE),
        timeout: Duration::from_secs(5),
        ..bench::Plan::to(url)
    };
    let tally = bench::run(&plan).unwrap();
    assert_eq!(tally.answers(), 1000, "{name}: {:?}", tally.faults);
    tally.latency.mean() / 1000.0
}

#[test]
fn the_simulator_ranks_policies_as_the_real_proxy_does() {
    let real: Vec<f64> = thread::scope(|scope| {
        let runs = POLICIES.map(|policy| scope.spawn(move || real(policy)));
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let simulated = POLICIES.map(simulated);
    let mut compared = 0;
    for slower in 0..POLICIES.len() {
        for faster in 0..POLICIES.len() {
            if simulated[slower] > simulated[faster] * CLEARLY {
                compared += 1;
                let (a, b) = (POLICIES[slower].name(), POLICIES[faster].name());
                assert!(
                    real[slower] > real[faster],
                    "{a} is not slower than {b}: simulated {simulated:?}, real {real:?} ms"
                );
            }
        }
    }
    assert!(compared >= 5, "the scenario tells too few apart: {simulated:?}");
}
