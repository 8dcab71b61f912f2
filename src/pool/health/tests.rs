//! Which results turn a backend, who is ejected and for how long, and that threads lose none of it.

use super::*;
use crate::pool::testing::together;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn checks(alive: bool, results: &[bool]) -> Vec<bool> {
    let health = Health::new(alive);
    let check = |passed: &bool| {
        health.checked(*passed, &CheckRules { rise: 2, fall: 3 });
        health.is_up()
    };
    results.iter().map(check).collect()
}

#[test]
fn the_first_result_decides_at_once() {
    assert_eq!(checks(true, &[false]), [false]);
    assert_eq!(checks(false, &[true]), [true]);
    assert_eq!(checks(true, &[true]), [true]);
    assert_eq!(checks(false, &[false]), [false]);
}

#[test]
fn it_takes_fall_failures_in_a_row_to_go_down_and_rise_passes_to_come_back() {
    let (y, n) = (true, false);
    assert_eq!(checks(y, &[y, n, n, y, n, n, n]), [y, y, y, y, y, y, n]);
    assert_eq!(checks(y, &[n, y, n, y, y, n]), [n, n, n, n, y, y]);
}

#[test]
fn it_is_changing_only_between_the_two_states() {
    let health = Health::new(true);
    let rules = CheckRules { rise: 2, fall: 3 };
    let mut seen = Vec::new();
    for passed in [true, false, false, false, true, true] {
        let turned = health.checked(passed, &rules);
        seen.push((turned, health.is_changing()));
    }
    let (no, yes) = (false, true);
    assert_eq!(seen, [(no, no), (no, yes), (no, yes), (yes, no), (no, yes), (yes, no)]);
}

#[test]
fn a_rise_or_fall_of_zero_acts_as_one() {
    let health = Health::new(true);
    let rules = CheckRules { rise: 0, fall: 0 };
    assert!(!health.checked(true, &rules));
    assert!(health.checked(false, &rules));
    assert!(health.checked(true, &rules));
}

#[test]
fn the_file_is_believed_until_a_check_has_spoken() {
    let health = Health::new(true);
    assert!(!health.believe(true) && health.believe(false) && !health.is_up());
    health.checked(false, &CheckRules::default());
    assert!(!health.believe(true) && !health.is_up());
}

#[test]
fn one_that_begins_anew_is_as_new() {
    let health = Health::new(true);
    health.checked(false, &CheckRules::default());
    assert!(eject(&health, s(0)).is_some());
    assert!(!fail(&health, s(11), &PassiveRules::default()));
    health.begin_anew(true);
    assert!(health.is_up() && !health.is_ejected(s(1)) && !health.succeeded(s(11)));
    assert_eq!(health.last_ejection_ends(), s(0));
    assert_eq!(eject(&health, s(11)), Some(s(10)), "neither two nor one of three are left");
    health.begin_anew(true);
    assert!(health.checked(false, &CheckRules::default()), "the first result decides");
}

/// A failure that counts by itself; true if it is enough to eject.
fn fail(health: &Health, now: Duration, rules: &PassiveRules) -> bool {
    matches!(health.failed(None, now, rules), Effect::Eject { .. })
}

/// Fails often enough at `now` and ejects.
fn eject(health: &Health, now: Duration) -> Option<Duration> {
    let rules = PassiveRules::default();
    let row: Vec<bool> = (0..3).map(|_| fail(health, now, &rules)).collect();
    assert_eq!(row, [false, false, true]);
    health.eject(now, &rules).map(|(length, _)| length)
}

#[test]
fn ejections_double_up_to_the_longest_and_start_over_after_a_good_stretch() {
    let health = Health::new(true);
    let mut now = s(0);
    let mut lengths = Vec::new();
    for _ in 0..5 {
        let length = eject(&health, now).unwrap();
        lengths.push(length.as_secs());
        now += length;
    }
    assert_eq!(lengths, [10, 20, 40, 60, 60]);
    assert_eq!(eject(&health, now + s(59)), Some(s(60)));
    assert_eq!(eject(&health, now + s(59 + 60 + 60)), Some(s(10)));
}

#[test]
fn very_many_ejections_do_not_overflow() {
    let rules = PassiveRules { failures: 1, ..PassiveRules::default() };
    let (health, mut now) = (Health::new(true), s(0));
    for _ in 0..300 {
        assert!(fail(&health, now, &rules));
        now += health.eject(now, &rules).unwrap().0;
    }
    let long = Duration::MAX;
    let rules = PassiveRules { failures: 1, eject: long, eject_max: long, ..rules };
    assert!(fail(&health, now, &rules));
    assert!(health.eject(now, &rules).unwrap().0 > s(60 * 60 * 24 * 365));
    assert!(health.ejected_for(s(60 * 60 * 24 * 365)).is_some());
}

#[test]
fn it_is_ejected_until_the_time_is_up_and_not_longer() {
    let health = Health::new(true);
    assert_eq!(eject(&health, s(5)), Some(s(10)));
    assert_eq!(health.ejected_for(s(5)), Some(s(10)));
    assert_eq!(health.ejected_for(s(14)), Some(s(1)));
    assert_eq!(health.ejected_for(s(15)), None);
}

#[test]
fn a_success_ends_the_row_of_failures() {
    let (health, rules) = (Health::new(true), PassiveRules::default());
    assert!(!fail(&health, s(0), &rules) && !fail(&health, s(0), &rules));
    assert!(!health.succeeded(s(0)));
    assert!(!fail(&health, s(0), &rules) && !fail(&health, s(0), &rules));
    assert!(fail(&health, s(0), &rules));
    assert!(!health.succeeded(s(0)), "a success between the third failure and the ejection");
    assert_eq!(health.eject(s(0), &rules), None);
}

#[test]
fn nothing_during_an_ejection_changes_it() {
    let (health, rules) = (Health::new(true), PassiveRules::default());
    eject(&health, s(0));
    assert!((0..9).all(|_| !fail(&health, s(1), &rules)));
    assert_eq!(health.eject(s(1), &rules), None);
    assert!(!health.succeeded(s(1)));
    health.checked(true, &CheckRules::default());
    assert_eq!(health.ejected_for(s(1)), Some(s(9)));
}

#[test]
fn only_the_first_success_after_an_ejection_is_news() {
    let health = Health::new(true);
    eject(&health, s(0));
    let news: Vec<bool> = [9, 10, 11].into_iter().map(|at| health.succeeded(s(at))).collect();
    assert_eq!(news, [false, true, false]);
}

#[test]
fn zero_failures_turns_passive_marking_off() {
    let rules = PassiveRules { failures: 0, ..PassiveRules::default() };
    let health = Health::new(true);
    assert!((0..100).all(|_| !fail(&health, s(0), &rules)));
}

#[test]
fn that_one_client_alone_meets_failures_is_said_once_a_row() {
    let (health, rules) = (Health::new(true), PassiveRules::default());
    let witness = |path| Some(Witness::new(1, path));
    for _ in 0..2 {
        let effects: Vec<_> = (0..20).map(|n| health.failed(witness(n), s(0), &rules)).collect();
        let said = effects.iter().filter(|effect| matches!(effect, Effect::OneClient(_)));
        assert_eq!(
            (said.count(), effects.iter().any(|effect| matches!(effect, Effect::Eject { .. }))),
            (1, false)
        );
        assert!(matches!(effects[2], Effect::OneClient(_)), "{effects:?}");
        assert!(!health.succeeded(s(0)));
    }
}

#[test]
fn a_failure_by_another_client_ejects_for_what_all_have_met() {
    let (health, rules) = (Health::new(true), PassiveRules::default());
    for n in 0..5 {
        let effect = health.failed(Some(Witness::new(1, n)), s(0), &rules);
        assert!(!matches!(effect, Effect::Eject { .. }));
    }
    let effect = health.failed(Some(Witness::new(2, 0)), s(0), &rules);
    assert_eq!(effect, Effect::Eject { is_news: true });
    let (length, row) = health.eject(s(0), &rules).unwrap();
    let words = "6 failures in a row, met by several clients at several paths";
    assert_eq!((length, row.to_string().as_str()), (s(10), words));
}

/// Runs `act` so many times in each of 4 threads, each with its number; how often it returned
/// true.
fn in_threads(times: usize, act: impl Fn(usize) -> bool + Sync) -> usize {
    together(4, |thread| (0..times).filter(|_| act(thread)).count()).into_iter().sum()
}

#[test]
fn no_check_result_is_lost_between_threads() {
    for _ in 0..20 {
        let health = Health::new(true);
        let rules = CheckRules { rise: 2, fall: 40_000 };
        health.checked(true, &rules);
        assert_eq!(in_threads(10_000, |_| health.checked(false, &rules)), 1);
        assert!(!health.is_up());
    }
}

#[test]
fn no_failure_is_lost_between_threads() {
    for _ in 0..500 {
        let health = Health::new(true);
        let rules = PassiveRules { failures: 1000, ..PassiveRules::default() };
        assert_eq!(in_threads(250, |_| fail(&health, s(0), &rules)), 1);
    }
}

#[test]
fn no_witness_is_lost_between_threads() {
    for _ in 0..500 {
        let health = Health::new(true);
        let rules = PassiveRules { failures: 1000, ..PassiveRules::default() };
        let witness = |thread| Some(Witness::new(thread as u64, thread as u64));
        let ripe =
            |thread| matches!(health.failed(witness(thread), s(0), &rules), Effect::Eject { .. });
        assert_eq!(in_threads(250, ripe), 1);
        let (_, row) = health.eject(s(0), &rules).unwrap();
        let words = "1000 failures in a row, met by several clients at several paths";
        assert_eq!(row.to_string(), words);
    }
}

#[test]
fn failures_and_successes_at_once_leave_an_ejection_as_it_is() {
    for _ in 0..1000 {
        let (health, rules) = (Health::new(true), PassiveRules::default());
        while !fail(&health, s(0), &rules) {}
        let ejected = together(4, |thread| match thread {
            0 => health.eject(s(0), &rules).is_some(),
            1 => fail(&health, s(0), &rules),
            _ => health.succeeded(s(0)),
        });
        assert!(!ejected[2] && !ejected[3], "no news of a return that has not come");
        assert_eq!(health.is_ejected(s(0)), ejected[0]);
        assert_eq!(health.succeeded(s(10)), ejected[0]);
    }
}

#[test]
fn of_many_threads_one_ejects_and_one_hears_of_the_return() {
    for _ in 0..1000 {
        let (health, rules) = (Health::new(true), PassiveRules::default());
        while !fail(&health, s(0), &rules) {}
        let ejected = together(2, |_| health.eject(s(0), &rules).is_some());
        assert_ne!(ejected[0], ejected[1]);
        let heard = together(2, |_| health.succeeded(s(10)));
        assert_ne!(heard[0], heard[1]);
    }
}
