//! The pool as its callers see it: who is picked, who is not, and what is said about it.

mod laws;
mod rows;
mod slow_start;
mod steer;
mod succession;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::policy::Kind;
use super::testing::{ask, check, pool, pool_of, set_mode, spec, together};
use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const FAILED: Outcome = Outcome::Failed(Fault::Connect);
const OK: Outcome = Outcome::Answered { status: 200, latency: Duration::ZERO };

/// One result is enough to turn a backend.
fn at_once() -> Rules {
    Rules { check: CheckRules { rise: 1, fall: 1 }, ..Rules::default() }
}

/// Where the next `times` requests go, each done before the next.
fn picks(pool: &Arc<Pool>, now: Duration, times: usize) -> Vec<usize> {
    (0..times).map(|_| pool.pick(&ask(now, &[])).unwrap().index()).collect()
}

/// Reports outcomes for the backend at `index`; the changes that came of it.
fn report(pool: &Pool, index: usize, outcomes: &[Outcome], now: Duration) -> Vec<String> {
    let changes = outcomes.iter().filter_map(|outcome| pool.judge(index, outcome, || None, now));
    changes.map(|change| change.to_string()).collect()
}

/// Reports an outcome that these clients met at these paths; whether one of them has ejected.
fn ejects(pool: &Pool, outcome: Outcome, met: &[(u64, u64)]) -> bool {
    let witness = |(client, path): (u64, u64)| Some(Witness::new(client, path));
    let judge = |met: &(u64, u64)| pool.judge(0, &outcome, || witness(*met), s(0));
    let notices: Vec<_> = met.iter().filter_map(judge).collect();
    notices.iter().any(|notice| notice.change().is_some())
}

/// Fails often enough to eject.
fn eject(pool: &Pool, index: usize, now: Duration) -> Vec<String> {
    report(pool, index, &[FAILED; 3], now)
}

fn ejections(said: &[String]) -> usize {
    said.iter().filter(|line| line.contains("-> ejected")).count()
}

#[test]
fn requests_go_round() {
    assert_eq!(picks(&pool(3, Rules::default()), s(0), 6), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_dead_backend_is_skipped_and_comes_back() {
    let pool = pool(3, at_once());
    let down = pool.record_check(1, &check(false), s(0)).unwrap().to_string();
    let expected = "backend b: check failed: as told (1.0 ms); up -> down; 2 of 3 left: a, c; \
                    out: b (down)";
    assert_eq!(down, expected);
    assert_eq!(pool.record_check(1, &check(false), s(1)), None);
    assert_eq!(picks(&pool, s(1), 4), [0, 2, 0, 2]);
    let up = pool.record_check(1, &check(true), s(2)).unwrap().to_string();
    assert!(up.ends_with("check passed: as told (1.0 ms); down -> up; 3 of 3 up"), "{up}");
    let mut next = picks(&pool, s(2), 3);
    next.sort_unstable();
    assert_eq!(next, [0, 1, 2]);
}

#[test]
fn a_backend_that_the_file_calls_dead_waits_for_its_first_check() {
    let specs = vec![spec("a"), Spec { alive: false, ..spec("b") }];
    let pool = pool_of(specs, Rules::default());
    assert_eq!(picks(&pool, s(0), 3), [0, 0, 0]);
    assert!(pool.record_check(1, &check(true), s(0)).is_some());
    assert!(picks(&pool, s(0), 2).contains(&1));
}

#[test]
fn when_all_are_down_the_answer_says_why() {
    let pool = pool(3, at_once());
    pool.record_check(0, &check(false), s(0));
    set_mode(&pool, 1, Mode::Drain, s(0));
    let last = pool.record_check(2, &check(false), s(0)).unwrap().to_string();
    assert!(last.ends_with("NO BACKEND IS UP; out: a (down), b (drain), c (down)"), "{last}");
    let why = pool.pick(&ask(s(0), &[])).unwrap_err();
    assert_eq!(why, Unavailable { down: 2, drained: 1, ..Unavailable::default() });
    assert_eq!(why.to_string(), "no backend is usable: 2 down, 1 drained");
    assert_eq!(why.retry_after_s(), 5);
    let why = pool.pick(&ask(s(0), &[0])).unwrap_err();
    assert_eq!(why.to_string(), "no backend is usable: 1 tried, 1 down, 1 drained");
}

#[test]
fn a_pool_without_backends_has_nobody() {
    let why =
        pool(0, Rules { fail_open: true, ..Rules::default() }).pick(&ask(s(0), &[])).unwrap_err();
    assert_eq!(why.to_string(), "no backend is usable");
}

#[test]
fn a_full_backend_is_skipped_and_not_called_down() {
    let limited = |name| Spec { max_connections: 1, ..spec(name) };
    let pool = pool_of(vec![limited("a"), limited("b")], Rules::default());
    let (first, second) =
        (pool.pick(&ask(s(0), &[])).unwrap(), pool.pick(&ask(s(0), &[])).unwrap());
    assert_ne!(first.index(), second.index());
    let why = pool.pick(&ask(s(0), &[])).unwrap_err();
    assert_eq!(
        (why.to_string().as_str(), why.retry_after_s()),
        ("no backend is usable: 2 full", 1)
    );
    assert_eq!(pool.usable(s(0)), 2);
    let freed = first.index();
    drop(first);
    assert_eq!(pool.pick(&ask(s(0), &[])).unwrap().index(), freed);
}

#[test]
fn a_retry_goes_to_a_backend_not_yet_tried() {
    let pool = pool(3, Rules::default());
    for _ in 0..10 {
        assert_eq!(pool.pick(&ask(s(0), &[0, 2])).unwrap().index(), 1);
    }
    assert_eq!(pool.backends()[1].counts().retries, 10);
    assert_eq!(pool.backends()[1].counts().requests, 10);
    assert_eq!(pool.pick(&ask(s(0), &[0, 1, 2])).unwrap_err().tried, 3);
}

#[test]
fn backups_serve_only_while_no_other_is_usable() {
    let backup = |name| Spec { backup: true, ..spec(name) };
    let pool = pool_of(vec![spec("a"), backup("b"), backup("c")], at_once());
    assert_eq!(picks(&pool, s(0), 3), [0, 0, 0]);
    pool.record_check(0, &check(false), s(0));
    assert_eq!(picks(&pool, s(0), 4), [1, 2, 1, 2], "backups share as the others do");
    pool.record_check(0, &check(true), s(0));
    assert_eq!(picks(&pool, s(0), 3), [0, 0, 0]);
    let retried = pool.pick(&ask(s(0), &[0])).unwrap();
    assert!(retried.backend().is_backup(), "a retry may use one");
}

#[test]
fn a_drained_backend_gets_nothing_new_and_its_health_is_kept() {
    let pool = pool(2, at_once());
    let drained = set_mode(&pool, 0, Mode::Drain, s(0)).unwrap().to_string();
    assert_eq!(
        drained,
        "backend a: set to drain by an operator; up -> drain; 1 of 2 left: b; out: a (drain)"
    );
    assert_eq!(set_mode(&pool, 0, Mode::Drain, s(0)), None);
    assert_eq!(picks(&pool, s(0), 3), [1, 1, 1]);
    assert_eq!(pool.record_check(0, &check(false), s(0)), None, "it goes on being watched");
    let ready = set_mode(&pool, 0, Mode::Ready, s(0)).unwrap().to_string();
    assert_eq!(
        ready,
        "backend a: set to ready by an operator; drain -> down; 1 of 2 left: b; out: a (down)"
    );
    assert!(set_mode(&pool, 1, Mode::Maint, s(0)).unwrap().to_string().contains("up -> maint"));
    assert_eq!(pool.pick(&ask(s(0), &[])).unwrap_err().drained, 1);
}

#[test]
fn fail_open_tries_all_that_are_not_in_maintenance() {
    let pool = pool(3, Rules { fail_open: true, ..at_once() });
    pool.record_check(0, &check(false), s(0));
    set_mode(&pool, 2, Mode::Maint, s(0));
    assert_eq!(picks(&pool, s(0), 2), [1, 1], "not while one is up");
    assert_eq!(pool.pick(&ask(s(0), &[1])).unwrap_err().tried, 1, "nor when that one was tried");
    set_mode(&pool, 1, Mode::Drain, s(0));
    let mut open = picks(&pool, s(0), 4);
    open.sort_unstable();
    assert_eq!(open, [0, 0, 1, 1]);
}

#[test]
fn three_failures_in_a_row_eject_and_time_brings_back() {
    let pool = pool(3, Rules::default());
    let said = eject(&pool, 0, s(0));
    assert_eq!(
        said,
        ["backend a: 3 failures in a row, the last: connect failed; out for 10.0 s; \
          up -> ejected; 2 of 3 left: b, c; out: a (ejected)"]
    );
    assert!(!picks(&pool, s(9), 6).contains(&0));
    assert!(picks(&pool, s(10), 6).contains(&0));
    let said = report(&pool, 0, &[OK, OK], s(11));
    assert_eq!(
        said,
        ["backend a: answers after its ejection: status 200; ejected -> up; 3 of 3 up"]
    );
}

#[test]
fn a_good_return_of_a_drained_backend_is_not_called_up() {
    let pool = pool(3, Rules::default());
    eject(&pool, 0, s(0));
    set_mode(&pool, 0, Mode::Drain, s(1));
    assert!(report(&pool, 0, &[OK], s(11)).is_empty());
}

const fn status(status: u16) -> Outcome {
    Outcome::Answered { status, latency: Duration::ZERO }
}

/// Three clients, three paths.
const ALL_MEET_IT: [(u64, u64); 3] = [(1, 1), (2, 2), (3, 3)];

#[test]
fn what_counts_as_a_failure() {
    let ejects = |outcome, rules| ejects(&pool(3, rules), outcome, &ALL_MEET_IT);
    for fault in [Fault::Connect, Fault::Reset, Fault::Timeout, Fault::NoHttp] {
        assert!(ejects(Outcome::Failed(fault), Rules::default()), "{fault:?}");
    }
    for code in [502, 503, 504] {
        assert!(ejects(status(code), Rules::default()), "{code}");
    }
    for code in [101, 200, 301, 400, 404, 429, 499, 500, 501, 505] {
        assert!(!ejects(status(code), Rules::default()), "{code}");
    }
    assert!(!ejects(Outcome::Abandoned, Rules::default()));
    let passive = PassiveRules { statuses: Statuses::new(vec![500..=599]), ..Default::default() };
    assert!(ejects(status(500), Rules { passive, ..Rules::default() }));
}

#[test]
fn an_answer_that_our_rules_refuse_is_no_failure_unless_told_otherwise() {
    let refused = Outcome::Failed(Fault::BadAnswer);
    let lax = pool(3, Rules::default());
    assert!(!ejects(&lax, refused, &[(1, 1), (2, 2)].repeat(50)));
    let failures = lax.status(0, s(0)).counts.failures;
    assert_eq!(failures, 100, "they are counted all the same, for people");
    let passive = PassiveRules { bad_answers: true, ..PassiveRules::default() };
    let strict = || pool(3, Rules { passive: passive.clone(), ..Rules::default() });
    assert!(ejects(&strict(), refused, &ALL_MEET_IT));
    assert!(!ejects(&strict(), refused, &[(1, 1)].repeat(50)), "one client's word counts no more");
}

#[test]
fn an_answer_that_our_rules_refuse_neither_ends_a_row_nor_adds_to_it() {
    let refused = Outcome::Failed(Fault::BadAnswer);
    let pool = pool(3, Rules::default());
    assert!(report(&pool, 0, &[FAILED, refused, FAILED, refused], s(0)).is_empty());
    assert_eq!(report(&pool, 0, &[FAILED], s(0)).len(), 1);
}

#[test]
fn what_one_client_alone_meets_ejects_nobody_whatever_it_asks_for() {
    for outcome in [status(503), Outcome::Failed(Fault::Reset), Outcome::Failed(Fault::Timeout)] {
        let met: Vec<(u64, u64)> = (0..10_000).map(|path| (7, path)).collect();
        let pool = pool(3, Rules::default());
        assert!(!ejects(&pool, outcome, &met), "{outcome}");
        assert_eq!(report(&pool, 0, &[FAILED; 3], s(0)).len(), 1, "that it connects to nobody is");
    }
}

#[test]
fn one_client_is_enough_where_the_rules_say_so() {
    let passive = PassiveRules { clients: 1, ..PassiveRules::default() };
    let pool = pool(3, Rules { passive, ..Rules::default() });
    assert!(ejects(&pool, status(503), &[(7, 1), (7, 2), (7, 3)]));
}

#[test]
fn at_one_path_alone_it_takes_four_times_as_many_failures() {
    let met = |count: u64| (0..count).map(|client| (client, 5)).collect::<Vec<_>>();
    assert!(!ejects(&pool(3, Rules::default()), status(503), &met(11)));
    assert!(ejects(&pool(3, Rules::default()), status(503), &met(12)));
}

#[test]
fn that_it_stays_in_for_one_client_is_said_with_the_reason() {
    let (pool, outcome) = (pool(3, Rules::default()), status(503));
    let met = |path| pool.judge(0, &outcome, || Some(Witness::new(7, path)), s(0));
    let said: Vec<String> = (0..20).filter_map(met).map(|notice| notice.to_string()).collect();
    let words = "backend a: 3 failures in a row, met by one client at several paths: it stays in, \
                 as that may be the client's doing ([passive] clients)";
    assert_eq!(said, [words]);
}

#[test]
fn failures_that_are_not_in_a_row_eject_nobody() {
    let pool = pool(3, Rules::default());
    let outcomes = [FAILED, FAILED, OK].repeat(10);
    assert!(report(&pool, 0, &outcomes, s(0)).is_empty());
    let abandoned = [FAILED, FAILED, Outcome::Abandoned, FAILED];
    assert_eq!(report(&pool, 0, &abandoned, s(0)).len(), 1, "a client that leaves is no success");
}

#[test]
fn never_more_than_half_are_ejected() {
    for (count, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)] {
        let pool = pool(count, Rules::default());
        let out: usize =
            (0..count).map(|index| ejections(&eject(&pool, usize::from(index), s(0)))).sum();
        assert_eq!((out, pool.usable(s(0))), (most, usize::from(count) - most));
    }
}

#[test]
fn the_last_usable_one_is_never_ejected() {
    let pool = pool(4, at_once());
    for index in [1, 2, 3] {
        pool.record_check(index, &check(false), s(0));
    }
    let said = eject(&pool, 0, s(0));
    let expected =
        "backend a: fails on, the last: connect failed; it stays in, as it is the last one up";
    assert_eq!(said, [expected]);
    assert_eq!(picks(&pool, s(0), 2), [0, 0]);
    pool.record_check(1, &check(true), s(0));
    assert_eq!(report(&pool, 0, &[FAILED], s(0)).len(), 1, "with another one up, it is");
}

#[test]
fn an_ejected_backend_serves_when_the_others_went_down_after_it() {
    let pool = pool(2, at_once());
    eject(&pool, 0, s(0));
    pool.record_check(1, &check(false), s(0));
    assert_eq!(picks(&pool, s(1), 2), [0, 0]);
    let why = pool.pick(&ask(s(1), &[0])).unwrap_err();
    assert_eq!((why.back_in, why.retry_after_s()), (Some(s(9)), 9));
}

#[test]
fn a_passing_check_does_not_shorten_an_ejection() {
    let pool = pool(3, at_once());
    eject(&pool, 0, s(0));
    assert_eq!(pool.record_check(0, &check(true), s(1)), None);
    assert_eq!(pool.backends()[0].standing(s(9)), Standing::Ejected);
    let down = pool.record_check(0, &check(false), s(2)).unwrap().to_string();
    assert!(down.contains("ejected -> down"), "{down}");
    let up = pool.record_check(0, &check(true), s(3)).unwrap().to_string();
    assert!(up.contains(", but out for 7.0 s more after its failures; down -> ejected"), "{up}");
}

/// All that is said of one backend, told apart by nothing but these words.
#[test]
fn nobody_is_told_twice_that_a_backend_is_up() {
    let said = |check_at: u64| {
        let pool = pool(3, at_once());
        let mut said = eject(&pool, 0, s(0));
        for (passed, at) in [(false, 5), (true, check_at), (true, 12)] {
            let notice = pool.record_check(0, &check(passed), s(at));
            said.extend(notice.map(|notice| notice.to_string()));
        }
        said.extend(report(&pool, 0, &[OK], s(13)));
        assert_eq!(pool.record_check(0, &check(true), s(14)), None);
        let steps = said.iter().map(|line| {
            let step = line.split("; ").find(|part| part.contains(" -> "));
            step.unwrap_or_default().to_owned()
        });
        steps.collect::<Vec<_>>()
    };
    let usual = ["up -> ejected", "ejected -> down"];
    assert_eq!(said(11), [&usual[..], &["down -> up"]].concat());
    let still_out = ["down -> ejected", "ejected -> up"];
    assert_eq!(said(7), [&usual[..], &still_out].concat());
}

#[test]
fn one_without_an_address_was_never_ejected() {
    let nowhere = Spec { found: Some(Err("a does not resolve".into())), ..spec("a") };
    let pool = pool_of(vec![nowhere, spec("b")], Rules::default());
    assert_eq!(pool.record_check(0, &check(false), s(1)), None, "it is down as it was");
}

#[test]
fn a_backend_that_is_out_for_two_reasons_is_said_to_be() {
    let pool = pool(3, at_once());
    eject(&pool, 0, s(0));
    let down = pool.record_check(0, &check(false), s(1)).unwrap().to_string();
    assert!(down.ends_with("2 of 3 left: b, c; out: a (down, ejected)"), "{down}");
    pool.record_check(1, &check(false), s(1));
    let last = pool.record_check(2, &check(false), s(1)).unwrap();
    assert!(last.change().unwrap().leaves_none(), "{last}");
    let first = pool.record_check(1, &check(true), s(2)).unwrap().to_string();
    assert!(first.contains("; 1 of 3 up, the first: b; out: a (down, "), "{first}");
}

#[test]
fn of_a_large_pool_a_line_names_a_few() {
    let pool = pool(26, at_once());
    let mut last = None;
    (0..20).for_each(|index| last = pool.record_check(index, &check(false), s(0)));
    let last = last.unwrap().to_string();
    assert!(last.contains("; 6 of 26 left: u, v, w, x, y, z; out: a (down), "), "{last}");
    assert!(last.ends_with(", h (down) and 12 more"), "{last}");
}

#[test]
fn the_counters_add_up() {
    let pool = pool(1, at_once());
    for outcome in [OK, FAILED, Outcome::Answered { status: 503, latency: s(0) }] {
        pool.pick(&ask(s(0), &[])).unwrap().finish(outcome, s(0));
    }
    drop(pool.pick(&ask(s(0), &[])));
    for passed in [true, true, false] {
        pool.record_check(0, &check(passed), s(0));
    }
    let Counts { requests, failures, retries, statuses, checks_passed, checks_failed, .. } =
        pool.backends()[0].counts();
    assert_eq!([requests, failures, retries], [4, 2, 0]);
    assert_eq!((statuses, [checks_passed, checks_failed]), ([0, 1, 0, 0, 1], [2, 1]));
}

#[test]
fn a_retry_permit_counts_until_it_is_dropped() {
    let pool = pool(1, Rules::default());
    let permits: Vec<_> = std::iter::from_fn(|| pool.retry_permit()).collect();
    assert_eq!(permits.len(), 3);
    drop(permits);
    let leases: Vec<_> = (0..50).map(|_| pool.pick(&ask(s(0), &[])).unwrap()).collect();
    assert_eq!(std::iter::from_fn(|| pool.retry_permit()).collect::<Vec<_>>().len(), 10);
    drop(leases);
    assert!(pool.retry_permit().is_some());
}

#[test]
fn concurrent_pickers_are_fair_to_within_one_with_one_down_too() {
    let pool = pool(4, at_once());
    pool.record_check(2, &check(false), s(0));
    together(8, |_| drop(picks(&pool, s(0), 3001)));
    let requests = |backend: &Backend| backend.counts().requests;
    let counts: Vec<u64> = pool.backends().iter().map(requests).collect();
    let up = [counts[0], counts[1], counts[3]];
    assert!(up.iter().max().unwrap() - up.iter().min().unwrap() <= 1, "{counts:?}");
    assert_eq!((counts[2], counts.iter().sum()), (0, 8 * 3001));
}

#[test]
fn concurrent_pickers_never_exceed_the_places_and_give_all_of_them_back() {
    let limited = |name| Spec { max_connections: 1, ..spec(name) };
    let pool = pool_of(vec![limited("a"), limited("b"), limited("c")], Rules::default());
    let inside = [0; 3].map(AtomicUsize::new);
    let refused = together(8, |_| {
        let mut refused = 0;
        for turn in 0..5000 {
            let Ok(lease) = pool.pick(&ask(s(0), &[])) else {
                refused += 1;
                continue;
            };
            let inside = &inside[lease.index()];
            assert_eq!(inside.fetch_add(1, Relaxed), 0, "two in one place");
            inside.fetch_sub(1, Relaxed);
            if turn % 2 == 0 {
                lease.finish(OK, s(0));
            }
        }
        refused
    });
    let requests = |backend: &Backend| backend.counts().requests;
    let served: u64 = pool.backends().iter().map(requests).sum();
    assert_eq!(served + refused.iter().sum::<u64>(), 8 * 5000);
    assert_eq!(pool.in_flight(), 0);
}

#[test]
fn threads_that_fail_everything_leave_half_of_the_pool() {
    for _ in 0..2000 {
        let pool = pool(3, Rules::default());
        (0..3).for_each(|index| drop(report(&pool, index, &[FAILED; 2], s(0))));
        let said = together(2, |index| ejections(&report(&pool, index, &[FAILED], s(0))));
        assert_eq!((said.iter().sum::<usize>(), pool.usable(s(0))), (1, 2));
    }
}

#[test]
fn a_check_and_traffic_at_once_never_eject_the_last_one() {
    for _ in 0..2000 {
        let pool = pool(2, at_once());
        report(&pool, 1, &[FAILED; 2], s(0));
        let said = together(2, |thread| match thread {
            0 => vec![pool.record_check(0, &check(false), s(0)).unwrap().to_string()],
            _ => report(&pool, 1, &[FAILED], s(0)),
        });
        assert!(said[0][0].contains(" of 2 left"), "{said:?}");
        let spared = |line: &String| line.ends_with("it stays in, as it is the last one up");
        let out = |line: &String| line.ends_with("1 of 2 left: a; out: b (ejected)");
        assert!(said[1].iter().all(|line| out(line) || spared(line)), "{said:?}");
    }
}

#[test]
fn changes_while_picking_reach_nobody_that_stays_down() {
    let pool = pool(3, at_once());
    pool.record_check(0, &check(false), s(0));
    together(4, |thread| {
        for turn in 0..5000 {
            match thread {
                0 => drop(pool.record_check(1, &check(turn % 2 == 1), s(0))),
                _ => assert_ne!(pool.pick(&ask(s(0), &[])).unwrap().index(), 0),
            }
        }
    });
    assert_eq!(pool.in_flight(), 0);
}
