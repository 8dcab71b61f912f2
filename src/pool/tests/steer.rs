//! Operators take backends out: which they may, and which only by force.

use std::time::Duration;

use crate::pool::policy::Kind;
use crate::pool::testing::{ask, check, pool, set_mode, spec, succeeding, together};
use crate::pool::{Mode, Pool, Rules, Standing};

const NOW: Duration = Duration::ZERO;

fn drain(pool: &Pool, index: usize) -> bool {
    pool.set_mode(index, Mode::Drain, false, NOW).is_ok()
}

#[test]
fn the_last_one_that_takes_requests_is_taken_out_by_force_alone() {
    let pool = pool(2, Rules::default());
    assert!(drain(&pool, 0) && !drain(&pool, 1));
    let refused = pool.set_mode(1, Mode::Maint, false, NOW).unwrap_err().to_string();
    assert_eq!(
        refused,
        "backend b is the last of 2 that is usable: set to maint, nobody would be served. \
         Bring another up first, or force it (--force)"
    );
    assert_eq!(pool.backends()[1].standing(NOW), Standing::Up);
    let change = pool.set_mode(1, Mode::Maint, true, NOW).unwrap().unwrap();
    assert!(change.leaves_none(), "{change}");
}

#[test]
fn who_takes_none_may_be_taken_out_and_who_is_out_may_be_set_again() {
    let pool = pool(3, Rules::default());
    pool.record_check(0, &check(false), NOW);
    assert!(drain(&pool, 0), "it is down");
    assert!(drain(&pool, 1) && !drain(&pool, 2));
    assert_eq!(pool.set_mode(1, Mode::Drain, false, NOW), Ok(None), "it is drained already");
    assert!(pool.set_mode(1, Mode::Maint, false, NOW).unwrap().is_some());
    set_mode(&pool, 1, Mode::Ready, NOW);
    assert!(drain(&pool, 2), "another is back");
}

#[test]
fn two_operators_at_once_never_take_out_the_last_two() {
    for _ in 0..50 {
        let pool = pool(2, Rules::default());
        let mut drained = together(2, |index| drain(&pool, index));
        drained.sort_unstable();
        assert_eq!((drained, pool.usable(NOW)), (vec![false, true], 1));
    }
}

#[test]
fn the_time_in_maintenance_is_up_when_it_is_and_only_for_who_is_there_still() {
    let pool = pool(2, Rules { drain: Duration::from_secs(10), ..Rules::default() });
    let s = Duration::from_secs;
    let lease = pool.pick(&ask(NOW, &[1])).unwrap();
    pool.set_mode(0, Mode::Maint, false, s(5)).unwrap();
    assert!(!pool.cut_overdue(s(14)) && !lease.backend().is_cut());
    assert!(pool.cut_overdue(s(15)) && lease.backend().is_cut());
    assert!(pool.cut_overdue(s(16)), "until nothing is in flight there");
    drop(lease);
    assert!(!pool.cut_overdue(s(17)));
    set_mode(&pool, 0, Mode::Ready, s(18));
    let lease = pool.pick(&ask(NOW, &[1])).unwrap();
    pool.set_mode(0, Mode::Maint, false, s(20)).unwrap();
    set_mode(&pool, 0, Mode::Drain, s(21));
    assert!(!pool.cut_overdue(s(99)) && !lease.backend().is_cut(), "it is to end by itself");
}

#[test]
fn nobody_is_cut_off_a_moment_before_the_time_is_over() {
    let pool = pool(2, Rules { drain: Duration::from_millis(300), ..Rules::default() });
    let us = Duration::from_micros;
    let _lease = pool.pick(&ask(NOW, &[1])).unwrap();
    pool.set_mode(0, Mode::Maint, false, us(900)).unwrap();
    assert!(!pool.cut_overdue(us(300_899)));
    assert!(pool.cut_overdue(us(301_000)));
}

#[test]
fn one_that_leaves_the_file_while_it_is_in_maintenance_is_cut_off_in_time() {
    let pool = pool(2, Rules { drain: Duration::from_secs(10), ..Rules::default() });
    let lease = pool.pick(&ask(NOW, &[1])).unwrap();
    pool.set_mode(0, Mode::Maint, false, NOW).unwrap();
    let next = succeeding(&pool, Kind::RoundRobin, vec![spec("b")], pool.rules().clone());
    assert!(!next.cut_overdue(Duration::from_secs(9)));
    assert!(next.cut_overdue(Duration::from_secs(10)) && lease.backend().is_cut());
}
