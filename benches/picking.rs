//! What a pick costs by each policy, from 3 to 1,000 backends: `make picking`.
//!
//! Times `Pool::pick` and the drop of its lease, on one thread, all backends usable and idle. Fails
//! where the policies that look at a few backends only cost more than twice as much with 1,000 as
//! with 3. Costs and growth are medians over rounds; the growth is that within a round, for what
//! else goes on in the machine meets a round's counts alike.

use std::hint::black_box;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evenly::pool::chance::Dice;
use evenly::pool::policy::{Kind, ScoredRules};
use evenly::pool::{Ask, Pool, Rules, Spec};

const COUNTS: [usize; 4] = [3, 10, 100, 1000];

/// Of so many rounds the median counts: a busy machine spoils some of them.
const ROUNDS: usize = 201;

/// How long one count takes in one round, about: less than a scheduler leaves a thread alone.
const TURN: Duration = Duration::from_micros(500);

const GROWTH_MAX: f64 = 2.0;

/// Those whose cost may not depend on how many backends there are.
const FLAT: [Kind; 3] = [Kind::RoundRobin, Kind::TwoChoices, Kind::Hash];

fn main() -> ExitCode {
    match table(&mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "picking: the table could not be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the table; true if those that must stay flat are.
fn table(out: &mut impl Write) -> io::Result<bool> {
    write!(out, "{:<22}", "ns a pick, backends:")?;
    COUNTS.iter().try_for_each(|count| write!(out, "{count:>9}"))?;
    writeln!(out, "{:>9}", "growth")?;
    let mut all_flat = true;
    for (name, kind) in Kind::ALL {
        let rounds = rounds(kind);
        let growth = median(rounds.iter().map(|costs| costs[COUNTS.len() - 1] / costs[0]));
        let too_much = FLAT.contains(&kind) && growth > GROWTH_MAX;
        all_flat &= !too_much;
        write!(out, "{name:<22}")?;
        for count in 0..COUNTS.len() {
            write!(out, "{:>9.1}", median(rounds.iter().map(|costs| costs[count])))?;
        }
        let verdict = if too_much { ", more than 2 x: TOO MUCH" } else { "" };
        writeln!(out, "{growth:>7.2} x{verdict}")?;
    }
    Ok(all_flat)
}

/// Nanoseconds a pick for each of the counts, round by round.
fn rounds(kind: Kind) -> Vec<[f64; COUNTS.len()]> {
    let pools = COUNTS.map(|count| pool(kind, count));
    let picks = pools.each_ref().map(picks_a_turn);
    let cost = |at: usize| time(&pools[at], picks[at]).as_nanos() as f64 / f64::from(picks[at]);
    (0..ROUNDS).map(|_| std::array::from_fn(cost)).collect()
}

fn pool(kind: Kind, count: usize) -> Arc<Pool> {
    let spec = |number| Spec {
        name: format!("backend{number}"),
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
    };
    let specs: Vec<Spec> = (0..count).map(spec).collect();
    let policy = kind.build(&specs, &ScoredRules::default());
    Pool::new(specs, policy, Rules::default())
}

/// As many as fill about a turn, once the caches are warm.
fn picks_a_turn(pool: &Arc<Pool>) -> u32 {
    let mut picks = 64;
    while time(pool, picks) < TURN / 2 {
        picks *= 2;
    }
    picks
}

fn time(pool: &Arc<Pool>, picks: u32) -> Duration {
    let mut dice = Dice::new(1);
    let start = Instant::now();
    for _ in 0..picks {
        let ask = Ask { chance: dice.roll(), key: Some(dice.roll()), ..Ask::default() };
        drop(black_box(pool.pick(black_box(&ask))));
    }
    start.elapsed()
}

fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
