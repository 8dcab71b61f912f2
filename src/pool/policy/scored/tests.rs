//! What the score does to who is picked: the trace of the module's doc, fairness, the slow, the
//! faulty, the last one standing, and the words that explain it.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::card::Score;
use super::*;
use crate::pool::policy::Kind;
use crate::pool::testing::{Cast, check, spec, together};
use crate::pool::{Ask, Fault, PassiveRules, Pool, Rules};

const A: usize = 0;
const B: usize = 1;

/// Of the trace: no latency moves the score.
fn plain() -> ScoredRules {
    ScoredRules {
        threshold: 10,
        error: 8,
        step: 2,
        turns_max: 20,
        decay: 1,
        slow: 0,
        fast: 0,
        run: 1,
        good: 2,
        ..ScoredRules::default()
    }
}

/// Figures that stay when the defaults are tuned anew.
fn fixed() -> ScoredRules {
    ScoredRules {
        threshold: 200,
        slow: 10,
        slow_from: 150,
        slow_max: 600,
        fast: 5,
        error: 50,
        run: 10,
        good: 5,
        checks: 1,
        step: 4,
        turns_max: 60,
        decay: 1,
        kept: 100,
        window: 128,
        ..ScoredRules::default()
    }
}

fn policy(count: usize, rules: ScoredRules) -> ScoredRoundRobin {
    ScoredRoundRobin::new(&vec![1; count], rules)
}

fn answer(status: u16, ms: u64) -> Outcome {
    Outcome::Answered { status, latency: Duration::from_millis(ms) }
}

fn fine() -> Outcome {
    answer(200, 10)
}

fn broken() -> Outcome {
    Outcome::Failed(Fault::Reset)
}

/// Requests one after the other, each answered before the next; how many went to each backend.
fn serve(
    policy: &ScoredRoundRobin,
    view: &Cast,
    requests: usize,
    outcome: impl Fn(usize) -> Outcome,
) -> Vec<usize> {
    let mut counts = vec![0; view.usable.len()];
    for _ in 0..requests {
        let index = policy.pick(view).unwrap();
        counts[index] += 1;
        policy.served(&view.memory[index], &outcome(index));
    }
    counts
}

fn all_up(count: usize) -> Cast {
    Cast::new(&vec![true; count])
}

/// Makes a backend bad enough to sit out as long as can be. Checks count even while it does.
fn ruin(policy: &ScoredRoundRobin, view: &Cast, index: usize) {
    (0..100).for_each(|_| drop(policy.checked(&view.memory[index], &check(false))));
    assert_eq!(view.memory[index].card.score().score, policy.rules.score_max());
}

#[test]
fn the_turns_go_as_in_the_trace() {
    let (policy, view) = (policy(2, plain()), all_up(2));
    let mut seen = String::new();
    for turn in 1..=10 {
        assert!(policy.takes_its_turn(A, &view));
        let takes_it = policy.takes_its_turn(B, &view);
        let (sign, outcome) = if turn <= 2 { ('!', broken()) } else { ('.', fine()) };
        if takes_it {
            policy.served(&view.memory[B], &outcome);
        }
        let Score { score, left, .. } = view.memory[B].card.score();
        seen += &format!("{} {score} {left}, ", if takes_it { sign } else { '-' });
    }
    assert_eq!(
        seen,
        "! 8 0, ! 16 4, - 15 3, - 14 2, - 13 1, - 12 0, . 10 1, - 9 0, . 7 0, . 5 0, "
    );
}

#[test]
fn where_all_are_equal_it_goes_round() {
    let (policy, view) = (policy(3, ScoredRules::default()), all_up(3));
    let picks: Vec<_> = (0..300)
        .filter_map(|_| {
            let index = policy.pick(&view)?;
            policy.served(&view.memory[index], &fine());
            Some(index)
        })
        .collect();
    assert!(picks.chunks(3).all(|round| round == [0, 1, 2]), "{picks:?}");
}

#[test]
fn weights_are_honoured_and_the_turns_of_the_heavy_are_as_long() {
    let policy = ScoredRoundRobin::new(&[3, 1, 2], ScoredRules::default());
    let view = all_up(3);
    assert_eq!(serve(&policy, &view, 6000, |_| fine()), [3000, 1000, 2000]);
    ruin(&policy, &view, 0);
    let left = usize::from(view.memory[0].card.score().left);
    // Of 6 places 3 are the heavy one's; so as many turns as it sits out go to the two others.
    assert_eq!(serve(&policy, &view, left, |_| fine())[0], 0);
}

#[test]
fn the_slow_one_gets_few_requests() {
    let (policy, view) = (policy(5, ScoredRules::default()), all_up(5));
    let slow = |index| answer(200, if index == B { 100 } else { 10 });
    serve(&policy, &view, 200, slow);
    let counts = serve(&policy, &view, 20_000, slow);
    assert!((1..200).contains(&counts[B]), "{counts:?}");
    let fast = counts.iter().enumerate().filter(|(index, _)| *index != B).map(|(_, count)| count);
    assert!(fast.clone().max().unwrap() - fast.min().unwrap() <= 1, "{counts:?}");
}

#[test]
fn to_fail_fast_is_no_merit() {
    for bad in [broken(), answer(500, 1), answer(503, 0)] {
        let (policy, view) = (policy(5, ScoredRules::default()), all_up(5));
        let outcome = |index| if index == B { bad } else { fine() };
        let counts = serve(&policy, &view, 10_000, outcome);
        assert!(counts[B] < 100, "{bad:?}: {counts:?}");
    }
}

#[test]
fn what_says_nothing_of_the_backend_changes_no_score() {
    let (policy, view) = (policy(2, ScoredRules::default()), all_up(2));
    (0..3).for_each(|_| drop(policy.served(&view.memory[B], &broken())));
    let score = policy.score(&view.memory[B]);
    for outcome in [Outcome::Abandoned, answer(404, 1), answer(429, 9999)] {
        assert_eq!(policy.served(&view.memory[B], &outcome), None);
    }
    assert_eq!(policy.score(&view.memory[B]), score);
}

#[test]
fn one_that_hangs_gets_a_single_request_on_trial() {
    let (policy, view) = (policy(2, fixed()), all_up(2));
    ruin(&policy, &view, B);
    let turns = usize::from(view.memory[B].card.score().left);
    let mut picks = (0..3 * turns).filter_map(|_| policy.pick(&view));
    assert_eq!(picks.position(|index| index == B), Some(turns + 1));
    // Nothing is heard of it, and nothing more is sent to it.
    assert!(picks.take(turns / 2).all(|index| index == A));
}

#[test]
fn the_last_one_standing_is_never_kept_out() {
    let (policy, view) = (policy(3, ScoredRules::default()), Cast::new(&[false, true, false]));
    ruin(&policy, &view, B);
    assert_eq!(serve(&policy, &view, 100, |_| broken()), [0, 100, 0]);
    // Not even where all are allowed to sit out.
    let rules = ScoredRules { out_max: 100, ..ScoredRules::default() };
    let (policy, view) = (super::tests::policy(3, rules), all_up(3));
    (0..3).for_each(|index| ruin(&policy, &view, index));
    assert_eq!(serve(&policy, &view, 100, |_| broken()).iter().sum::<usize>(), 100);
}

#[test]
fn where_all_are_bad_all_go_on_serving() {
    let (policy, view) = (policy(5, ScoredRules::default()), all_up(5));
    let counts = serve(&policy, &view, 10_000, |_| broken());
    assert!(counts.iter().all(|count| *count > 1000), "{counts:?}");
}

#[test]
fn nobody_usable_is_nobody() {
    assert_eq!(policy(2, plain()).pick(&Cast::new(&[false, false])), None);
    assert_eq!(policy(0, plain()).pick(&Cast::new(&[])), None);
}

#[test]
fn no_turn_is_sat_out_more_often_than_the_limit() {
    let rules = ScoredRules { turns_max: 7, ..ScoredRules::default() };
    let (policy, view) = (policy(2, rules), all_up(2));
    let picks: Vec<_> = (0..1000)
        .filter_map(|_| {
            let index = policy.pick(&view)?;
            policy.served(&view.memory[index], &if index == B { broken() } else { fine() });
            Some(index)
        })
        .collect();
    let longest = picks.split(|index| *index == B).map(<[usize]>::len).max();
    assert_eq!(longest, Some(8)); // seven of B's turns and one of A's own
}

#[test]
fn one_that_is_well_again_gets_its_share_again() {
    let (policy, view) = (policy(5, ScoredRules::default()), all_up(5));
    ruin(&policy, &view, B);
    serve(&policy, &view, 5_000, |_| fine());
    assert_eq!(view.memory[B].card.score().left, 0, "{:?}", view.memory[B].card.score());
    assert_eq!(serve(&policy, &view, 500, |_| fine())[B], 100);
}

#[test]
fn turns_alone_forgive_though_nothing_is_heard() {
    let (policy, view) = (policy(2, ScoredRules::default()), all_up(2));
    ruin(&policy, &view, B);
    assert!((0..5_000).all(|_| policy.pick(&view).is_some()));
    assert!(view.memory[B].card.score().score < policy.rules.threshold);
}

#[test]
fn answers_to_requests_from_before_say_nothing_new() {
    let (policy, view) = (policy(2, fixed()), all_up(2));
    (0..4).for_each(|_| drop(policy.served(&view.memory[B], &broken())));
    let (score, view) = (view.memory[B].card.score(), all_up(2));
    assert_eq!((score.score, score.left), (200, 1));
    (0..50).for_each(|_| drop(policy.served(&view.memory[B], &broken())));
    assert_eq!(view.memory[B].card.score(), score);
    assert!(!policy.takes_its_turn(B, &view));
    // Now it takes its turns again, and its answers count.
    assert!(policy.takes_its_turn(B, &view));
    policy.served(&view.memory[B], &broken());
    assert_eq!(policy.score(&view.memory[B]), Some(249.0));
}

#[test]
fn what_ails_all_is_held_against_none() {
    let (policy, view) = (policy(4, ScoredRules::default()), all_up(4));
    (0..4).for_each(|index| ruin(&policy, &view, index));
    let picks: Vec<_> = (0..40).filter_map(|_| policy.pick(&view)).collect();
    assert!(picks.chunks(4).all(|round| round == [0, 1, 2, 3]), "{picks:?}");
}

#[test]
fn of_many_bad_ones_only_the_worst_sit_out() {
    let (policy, view) = (policy(5, ScoredRules::default()), all_up(5));
    (0..4).for_each(|index| ruin(&policy, &view, index));
    let sits_out = (0..5).filter(|index| policy.may_sit_out(*index, &view));
    assert_eq!(sits_out.collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn one_that_was_away_gets_another_chance() {
    let (policy, view) = (policy(5, fixed()), all_up(5));
    ruin(&policy, &view, B);
    policy.returned(&view.memory[B]);
    assert_eq!(
        policy.explain(&view.memory[B]).unwrap(),
        "score 100, threshold 200: takes its turns; 20 of the last 20 checks bad"
    );
    assert_eq!(serve(&policy, &view, 50, |_| fine())[B], 10);
}

#[test]
fn checks_count_like_answers() {
    let (policy, view) = (policy(2, fixed()), all_up(2));
    let words = (0..10).find_map(|_| policy.checked(&view.memory[B], &check(false)));
    assert_eq!(
        words.unwrap(),
        "score 200, threshold 200: sits out 1 turn; 4 of the last 4 checks bad"
    );
    (0..100).for_each(|_| drop(policy.checked(&view.memory[B], &check(true))));
    assert_eq!(policy.score(&view.memory[B]), Some(150.0));
}

#[test]
fn slow_checks_count_against_the_average_of_checks() {
    let (policy, view) = (policy(2, fixed()), all_up(2));
    (0..100).for_each(|_| drop(policy.served(&view.memory[A], &answer(200, 500))));
    for _ in 0..20 {
        (0..4).for_each(|_| drop(policy.checked(&view.memory[A], &check(true))));
        policy.checked(
            &view.memory[B],
            &CheckOutcome { took: Duration::from_millis(9), ..check(true) },
        );
    }
    assert!(
        policy.score(&view.memory[B]) > Some(200.0) && policy.score(&view.memory[A]) == Some(0.0)
    );
}

#[test]
fn checks_that_count_for_nothing_change_nothing() {
    let (policy, view) =
        (policy(2, ScoredRules { checks: 0, ..ScoredRules::default() }), all_up(2));
    assert!((0..100).all(|_| policy.checked(&view.memory[B], &check(false)).is_none()));
    assert_eq!(policy.score(&view.memory[B]), Some(0.0));
}

#[test]
fn a_decision_is_explained_in_words() {
    let (policy, view) = (policy(2, fixed()), all_up(2));
    assert_eq!(policy.explain(&view.memory[B]).unwrap(), "score 0, threshold 200: takes its turns");
    (0..200).for_each(|_| drop(policy.served(&view.memory[A], &answer(200, 12))));
    (0..7).for_each(|_| drop(policy.served(&view.memory[B], &answer(200, 30))));
    (0..3).for_each(|_| drop(policy.served(&view.memory[B], &broken())));
    assert_eq!(
        policy.explain(&view.memory[B]).unwrap(),
        "score 211, threshold 200: sits out 3 turns; \
         answers slow (2.3 x the pool's 13.0 ms), 3 of the last 10 answers bad"
    );
}

#[test]
fn the_log_hears_once_that_one_sits_out_and_once_that_it_is_back() {
    let (policy, view) = (policy(2, fixed()), all_up(2));
    let words: Vec<String> =
        (0..50).filter_map(|_| policy.served(&view.memory[B], &broken())).collect();
    assert_eq!(words, ["score 200, threshold 200: sits out 1 turn; 4 of the last 4 answers bad"]);
    let words: Vec<String> = (0..10_000)
        .filter_map(|_| policy.served(&view.memory[policy.pick(&view).unwrap()], &fine()))
        .collect();
    assert_eq!(words, ["score 99, threshold 200: takes its turns again"]);
}

#[test]
fn concurrent_pickers_and_reporters_agree() {
    let (policy, view) = (policy(4, ScoredRules::default()), all_up(4));
    let counts: Vec<AtomicUsize> = (0..4).map(|_| AtomicUsize::new(0)).collect();
    let told = together(4, |_| {
        let mut told = 0;
        for _ in 0..20_000 {
            let index = policy.pick(&view).unwrap();
            counts[index].fetch_add(1, Relaxed);
            told += usize::from(
                policy
                    .served(&view.memory[index], &if index == B { broken() } else { fine() })
                    .is_some(),
            );
        }
        told
    });
    let counts: Vec<usize> = counts.iter().map(|count| count.load(Relaxed)).collect();
    assert_eq!(counts.iter().sum::<usize>(), 80_000);
    assert!((1..2_000).contains(&counts[B]), "{counts:?}");
    assert_eq!(told.iter().sum::<usize>(), 1);
    let Score { score, left, .. } = view.memory[B].card.score();
    assert!(score <= policy.rules.score_max() && u32::from(left) <= policy.rules.turns(score) + 4);
}

#[test]
fn the_pool_passes_on_words_and_returns() {
    let specs: Vec<_> = ["a", "b"].map(spec).into();
    let policy = Kind::ScoredRoundRobin.build(&specs, &fixed());
    let passive = PassiveRules { failures: 0, ..PassiveRules::default() };
    let pool = Pool::new(specs, policy, Rules { passive, ..Rules::default() });
    let now = Duration::ZERO;
    let notices = (0..8).filter_map(|_| {
        let lease = pool.pick(&Ask::default()).unwrap();
        let outcome = if lease.index() == B { broken() } else { fine() };
        lease.finish(outcome, now)
    });
    let words: Vec<String> = notices.map(|notice| notice.to_string()).collect();
    let why = "score 200, threshold 200: sits out 1 turn; 4 of the last 4 answers bad";
    assert_eq!(words, [format!("backend b: {why}")]);
    assert_eq!(pool.explain(B).as_deref(), Some(why));

    (0..9).for_each(|_| drop(pool.record_check(B, &check(false), now)));
    assert_eq!(pool.score(B), Some(436.0));
    (0..2).for_each(|_| drop(pool.record_check(B, &check(true), now)));
    assert_eq!(pool.score(B), Some(100.0));
}
