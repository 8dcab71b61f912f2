//! Slow start: a backend that comes back gets its share gradually, and nobody is ever turned away
//! for it.

use super::*;
use crate::pool::chance::Dice;
use crate::pool::policy::Kind;
use crate::pool::testing::{pool_by, set_mode};

/// When the backend under test comes back.
const BACK: Duration = s(1000);

/// Two backends with 100 s of slow start; the one at `index` was down, and is back since `BACK`.
fn pool_with_one_back(kind: Kind, index: usize) -> Arc<Pool> {
    let pool = pool_by(kind, vec![spec("a"), spec("b")], Rules { slow_start: s(100), ..at_once() });
    pool.record_check(index, &check(false), s(0));
    pool.record_check(index, &check(true), BACK);
    pool
}

/// Where requests with these keys go so many seconds after `BACK`, each done before the next.
fn map(pool: &Arc<Pool>, seconds: u64) -> Vec<usize> {
    let mut dice = Dice::new(7);
    let mut pick = || {
        let (chance, key) = (dice.roll(), Some(dice.roll()));
        // Only under `hash` are there keys.
        let key = key.filter(|_| pool.policy() == "hash");
        let ask = Ask { chance, key, ..ask(BACK + s(seconds), &[]) };
        pool.pick(&ask).unwrap().index()
    };
    (0..10_000).map(|_| pick()).collect()
}

fn share(map: &[usize], index: usize) -> f64 {
    map.iter().filter(|picked| **picked == index).count() as f64 / map.len() as f64
}

#[test]
fn the_share_of_one_that_comes_back_grows_steadily() {
    // Where turns are lost, p of its own are taken beside all of the other's: p / (1 + p). By
    // chance, by key, and where only the usable save turns up: p of one half.
    let cases = [
        (Kind::RoundRobin, [0.0, 0.091, 0.333, 0.5, 0.5]),
        (Kind::WeightedRoundRobin, [0.0, 0.05, 0.25, 0.5, 0.5]),
        (Kind::TwoChoices, [0.0, 0.05, 0.25, 0.5, 0.5]),
        (Kind::Hash, [0.0, 0.05, 0.25, 0.5, 0.5]),
    ];
    for (kind, expected) in cases {
        for index in 0..2 {
            let pool = pool_with_one_back(kind, index);
            for (seconds, expected) in [0, 10, 50, 100, 1000].into_iter().zip(expected) {
                let (share, name) = (share(&map(&pool, seconds), index), kind.name());
                let case = format!("{name}, {index} after {seconds} s: {share} of {expected}");
                assert!((share - expected).abs() < 0.02, "{case}");
            }
        }
    }
}

#[test]
fn by_least_connections_it_grows_as_well() {
    // Of two that are idle, each in turn, so that one with little of a chance takes most of it.
    for index in 0..2 {
        let pool = pool_with_one_back(Kind::LeastConnections, index);
        let shares = [0, 10, 50, 100].map(|seconds| share(&map(&pool, seconds), index));
        assert!(shares.is_sorted() && shares[0] == 0.0 && shares[3] == 0.5, "{shares:?}");
        assert!(shares[1] <= 0.11 && (0.3..0.42).contains(&shares[2]), "{shares:?}");
    }
}

#[test]
fn a_key_that_has_come_back_stays() {
    for index in 0..2 {
        let pool = pool_with_one_back(Kind::Hash, index);
        let mut before = map(&pool, 0);
        for seconds in (10..=110).step_by(10) {
            let after = map(&pool, seconds);
            let left = before.iter().zip(&after).filter(|(was, is)| **was == index && was != is);
            assert_eq!(left.count(), 0, "at {seconds} s");
            before = after;
        }
        let never_down = pool_by(Kind::Hash, vec![spec("a"), spec("b")], Rules::default());
        assert_eq!(before, map(&never_down, 110), "all keys are where they were at first");
    }
}

#[test]
fn an_ejection_and_a_drain_end_in_a_slow_start_too() {
    let rules = Rules { slow_start: s(100), ..Rules::default() };
    let pool = pool_by(Kind::RoundRobin, vec![spec("a"), spec("b")], rules);
    eject(&pool, 0, BACK - s(10));
    assert!((share(&map(&pool, 50), 0) - 0.333).abs() < 0.02);
    set_mode(&pool, 0, Mode::Drain, BACK + s(200));
    set_mode(&pool, 0, Mode::Ready, BACK + s(300));
    assert!((share(&map(&pool, 310), 0) - 0.091).abs() < 0.02);
}

#[test]
fn while_all_are_warming_all_serve() {
    for (name, kind) in Kind::ALL {
        let rules = Rules { slow_start: s(100), ..at_once() };
        let backup = Spec { backup: true, ..spec("c") };
        let pool = pool_by(kind, vec![spec("a"), spec("b"), backup], rules);
        for passed in [false, true] {
            (0..3).for_each(|index| drop(pool.record_check(index, &check(passed), BACK)));
        }
        for seconds in [0, 10] {
            assert!(!map(&pool, seconds).contains(&2), "{name}: a backup is no better than these");
        }
    }
}

#[test]
fn the_first_start_is_not_slow() {
    let rules = Rules { slow_start: s(100), ..at_once() };
    let pool = pool_by(Kind::RoundRobin, vec![spec("a"), spec("b")], rules);
    assert_eq!(picks(&pool, s(0), 4), [0, 1, 0, 1]);
}

#[test]
fn without_it_the_share_is_whole_at_once() {
    let pool = pool_by(Kind::RoundRobin, vec![spec("a"), spec("b")], at_once());
    pool.record_check(0, &check(false), s(0));
    pool.record_check(0, &check(true), BACK);
    let mut next = picks(&pool, BACK, 4);
    next.sort_unstable();
    assert_eq!(next, [0, 0, 1, 1]);
}
