//! Where a request may go on, case by case, and what a try counts for.

use super::Decision::{AnotherBackend, FreshConnection, GiveUp};
use super::GaveUp::{Attempts, BadAnswer, MayHaveActed};
use super::*;
use crate::pool::testing::pool;
use crate::pool::{Rules, Statuses};

/// A GET whose connect failed.
const CONNECT_FAILED: Attempt = Attempt {
    setback: Setback::Fault(Fault::Connect),
    sent_any: false,
    idempotent: true,
    body_held: true,
    response_started: false,
};
/// One that was sent, and whose connection then broke.
const BROKEN: Attempt =
    Attempt { setback: Setback::Fault(Fault::Reset), sent_any: true, ..CONNECT_FAILED };
const STALE: Attempt = Attempt { setback: Setback::Stale, ..BROKEN };
const BUSY: Attempt = Attempt { setback: Setback::Status(503), ..BROKEN };
const NO_WAY: Attempt = Attempt { setback: Setback::NoWay, ..CONNECT_FAILED };

fn of(rules: &RetryRules) -> Arc<Pool> {
    pool(9, Rules { retry: rules.clone(), ..Rules::default() })
}

/// What follows when the tries of a request come to these, one after the other.
fn end(rules: &RetryRules, tries: &[Attempt]) -> Decision {
    let (pool, mut course) = (of(rules), Course::default());
    let mut decision = AnotherBackend;
    for attempt in tries {
        match decision {
            AnotherBackend => drop(course.pick(&pool, &Ask::default()).unwrap()),
            FreshConnection => {}
            GiveUp(_) => panic!("{attempt:?} comes too late"),
        }
        course.begin();
        decision = course.judge(attempt, rules);
    }
    decision
}

fn nothing() -> RetryOn {
    RetryOn { connect: false, reset: false, timeout: false, statuses: Statuses::default() }
}

fn with(on: RetryOn) -> RetryRules {
    RetryRules { on, ..RetryRules::default() }
}

#[test]
fn each_case_of_the_rule() {
    let (get, broken, stale) = (CONNECT_FAILED, BROKEN, STALE);
    let late = Attempt { setback: Setback::Fault(Fault::Timeout), ..broken };
    let other = |attempt| Attempt { idempotent: false, ..attempt };
    let bodiless = |attempt| Attempt { body_held: false, ..attempt };
    let begun = |attempt| Attempt { response_started: true, ..attempt };
    let unsent = |attempt| Attempt { sent_any: false, ..attempt };
    let refused = Attempt { setback: Setback::Refused, ..broken };
    let no_more = GiveUp(Attempts);
    let table: [(&str, &[Attempt], Decision); 32] = [
        ("a GET not sent", &[get], AnotherBackend),
        ("a GET sent", &[broken], AnotherBackend),
        ("a GET sent to two", &[broken, broken], no_more),
        ("a GET too late at two", &[late, late], no_more),
        ("a GET that one broke on", &[broken, get], AnotherBackend),
        ("a GET that the second broke on", &[get, broken], AnotherBackend),
        ("a POST not sent", &[other(get)], AnotherBackend),
        ("a POST sent in part", &[other(broken)], GiveUp(MayHaveActed)),
        ("a PUT sent, body gone", &[bodiless(broken)], no_more),
        ("a PUT not sent, body gone before", &[bodiless(get)], no_more),
        ("a GET whose answer is refused", &[refused], GiveUp(BadAnswer)),
        ("a POST whose answer is refused", &[other(refused)], GiveUp(BadAnswer)),
        ("a GET answered with a status", &[BUSY], no_more),
        ("a GET half answered", &[begun(broken)], no_more),
        ("a GET, second try", &[get, get], AnotherBackend),
        ("a GET, third try", &[get, get, get], no_more),
        ("a GET on a stale connection", &[stale], FreshConnection),
        ("another on one", &[broken, stale], FreshConnection),
        ("a stale one that would not be sent", &[unsent(stale)], FreshConnection),
        ("a POST that a stale one did not take", &[unsent(other(stale))], FreshConnection),
        ("a POST on a stale connection", &[other(stale)], GiveUp(MayHaveActed)),
        ("a stale PUT, body gone", &[bodiless(stale)], no_more),
        ("a stale GET, half answered", &[begun(stale)], no_more),
        ("a stale GET, third try", &[get, get, stale], no_more),
        ("a fresh connection that breaks: one backend", &[stale, broken], AnotherBackend),
        ("and then another backend's", &[stale, broken, broken], no_more),
        ("a fresh connection that is refused", &[stale, get], AnotherBackend),
        ("a stale one at the second that broke", &[broken, stale, get], no_more),
        ("no way, as often as there are backends", &[NO_WAY; 9], AnotherBackend),
        ("no way is no try", &[NO_WAY, NO_WAY, get, get], AnotherBackend),
        ("nor does it forgive any", &[get, get, NO_WAY, get], no_more),
        ("a POST that had no way", &[other(NO_WAY)], AnotherBackend),
    ];
    for (case, tries, decision) in table {
        assert_eq!(end(&RetryRules::default(), tries), decision, "{case}");
    }
}

#[test]
fn only_what_the_rules_name_is_tried_again() {
    let cases = [
        (Setback::Fault(Fault::Connect), RetryOn { connect: true, ..nothing() }),
        (Setback::Fault(Fault::Reset), RetryOn { reset: true, ..nothing() }),
        (Setback::Fault(Fault::NoHttp), RetryOn { reset: true, ..nothing() }),
        (Setback::Fault(Fault::Timeout), RetryOn { timeout: true, ..nothing() }),
        (Setback::Status(503), RetryOn { statuses: Statuses::new(vec![502..=504]), ..nothing() }),
    ];
    for (setback, own) in &cases {
        let attempt = Attempt { setback: *setback, ..BROKEN };
        assert_eq!(end(&with(nothing()), &[attempt]), GiveUp(Attempts), "{setback:?}");
        for (_, on) in &cases {
            let expected = if on == own { AnotherBackend } else { GiveUp(Attempts) };
            assert_eq!(end(&with(on.clone()), &[attempt]), expected, "{setback:?} {on:?}");
        }
    }
    // A connection that was closed as idle is nobody's failure, nor is a lack of ours.
    assert_eq!(end(&with(nothing()), &[STALE]), FreshConnection);
    assert_eq!(end(&with(nothing()), &[NO_WAY]), AnotherBackend);
}

#[test]
fn one_that_is_gone_after_it_had_the_request_counts_as_a_break() {
    let rules = with(RetryOn { reset: true, ..nothing() });
    assert_eq!(end(&rules, &[STALE, CONNECT_FAILED]), AnotherBackend);
    let rules = with(RetryOn { connect: true, ..nothing() });
    assert_eq!(end(&rules, &[STALE, CONNECT_FAILED]), GiveUp(Attempts));
    let unsent = Attempt { sent_any: false, ..STALE };
    assert_eq!(end(&rules, &[unsent, CONNECT_FAILED]), AnotherBackend);
}

#[test]
fn how_many_tries_and_how_many_breaks_are_borne_is_for_the_rules_to_say() {
    let busy = RetryOn { statuses: Statuses::new(vec![503..=503]), ..RetryOn::default() };
    for attempts in 0..4 {
        for unanswered in 0..4 {
            let rules = RetryRules { attempts, unanswered, ..with(busy.clone()) };
            let tries = |kind| {
                let goes_on = |count: &usize| end(&rules, &vec![kind; *count]) == AnotherBackend;
                1 + (1..9).take_while(goes_on).count() as u32
            };
            assert_eq!(tries(CONNECT_FAILED), attempts + 1);
            assert_eq!(tries(BUSY), attempts + 1, "an answer is no break");
            assert_eq!(tries(BROKEN), attempts.min(unanswered) + 1);
        }
    }
    let none = RetryRules { attempts: 0, ..RetryRules::default() };
    assert_eq!(end(&none, &[STALE]), GiveUp(Attempts));
    assert_eq!(end(&none, &[NO_WAY]), AnotherBackend, "it was not tried at all");
}

#[test]
fn a_request_that_may_have_acted_is_never_sent_again_whatever_else_holds() {
    let faults = [Fault::Connect, Fault::Reset, Fault::Timeout, Fault::NoHttp];
    let others = [Setback::Stale, Setback::NoWay, Setback::Refused, Setback::Status(503)];
    for setback in others.into_iter().chain(faults.map(Setback::Fault)) {
        for (body_held, response_started) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let attempt =
                Attempt { setback, idempotent: false, body_held, response_started, ..BROKEN };
            let decision = end(&RetryRules::default(), &[attempt]);
            assert!(matches!(decision, GiveUp(_)), "{attempt:?}");
        }
    }
}

#[test]
fn each_pick_is_another_and_a_vain_one_changes_nothing() {
    let (pool, mut course) = (pool(2, Rules::default()), Course::default());
    assert_eq!((course.last(), course.tries()), (None, 0));
    let first = course.pick(&pool, &Ask::default()).unwrap().index();
    course.begin();
    assert_eq!((course.last(), course.tries()), (Some(first), 1));
    let second = course.pick(&pool, &Ask::default()).unwrap().index();
    course.begin();
    assert_ne!(first, second);
    for _ in 0..2 {
        let none = course.pick(&pool, &Ask::default()).unwrap_err();
        assert_eq!((none.tried, course.last(), course.tries()), (2, Some(second), 2));
    }
    assert_eq!(course.before, [first]);
}

#[test]
fn only_what_a_backend_has_heard_of_needs_a_permit_and_that_once() {
    let rules = RetryRules { budget_min: 1, budget_percent: 0, ..RetryRules::default() };
    let pool = of(&rules);
    let (mut first, mut second) = (Course::default(), Course::default());
    let leave = |course: &mut Course, attempt: &Attempt| {
        course.begin();
        course.judge(attempt, &rules);
        course.has_leave(&pool)
    };
    assert!(leave(&mut first, &CONNECT_FAILED) && pool.retry_permit().is_some());
    assert!(leave(&mut first, &BROKEN) && pool.retry_permit().is_none());
    assert!(leave(&mut first, &BUSY), "it has it already");
    assert!(!leave(&mut second, &BUSY) && !leave(&mut second, &BROKEN));
    assert!(leave(&mut second, &CONNECT_FAILED), "though it was sent before");
    drop(first);
    assert!(leave(&mut second, &BROKEN) && pool.retry_permit().is_none());
}

#[test]
fn a_failure_is_the_applications_word_or_the_backends_fault() {
    let faults = [Fault::Connect, Fault::Reset, Fault::Timeout, Fault::NoHttp];
    for fault in faults {
        assert_eq!(Setback::from(fault), Setback::Fault(fault));
    }
    assert_eq!(Setback::from(Fault::BadAnswer), Setback::Refused);
    let blamed = faults.map(|fault| Outcome::failed(fault, true) == Outcome::Failed(fault));
    assert_eq!(blamed, [true, false, true, true], "who waited for a client may lose patience");
    assert!(faults.iter().all(|one| Outcome::failed(*one, false) == Outcome::Failed(*one)));
}

#[test]
fn half_of_the_time_and_more_is_the_better_part_of_it() {
    let better = |had| is_better_part(Duration::from_millis(had), Duration::from_millis(100));
    assert_eq!([0, 49, 50, 100].map(better), [false, false, true, true]);
    assert!(is_better_part(Duration::ZERO, Duration::ZERO));
}

#[test]
fn why_it_is_given_up_is_worded_for_people() {
    let all = [MayHaveActed, BadAnswer, Attempts, GaveUp::Budget, GaveUp::Deadline];
    let words: std::collections::BTreeSet<String> = all.iter().map(GaveUp::to_string).collect();
    assert!(words.len() == 5 && words.iter().all(|one| one.starts_with("not sent again, for ")));
}
