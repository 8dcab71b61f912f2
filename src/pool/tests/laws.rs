//! What holds for every policy, over random pools and whatever happens to them.

use proptest::prelude::*;

use super::*;
use crate::pool::chance::Dice;
use crate::pool::policy::Kind;
use crate::pool::testing::{pool_by, set_mode};

/// One thing that can happen to a pool. Indexes are taken round its end.
#[derive(Clone, Debug)]
enum Event {
    Check(usize, bool),
    Mode(usize, Mode),
    Report(usize, bool),
    Pick(Vec<usize>, u64, Option<u64>),
    Finish(usize),
    Wait(u64),
}

const COUNT_MAX: usize = 6;

fn event() -> impl Strategy<Value = Event> {
    let index = 0..COUNT_MAX;
    let mode = prop_oneof![4 => Just(Mode::Ready), 1 => Just(Mode::Drain), 1 => Just(Mode::Maint)];
    let tried = prop::collection::vec(index.clone(), 0..3);
    let pick = (tried, any::<u64>(), any::<Option<u64>>());
    prop_oneof![
        2 => (index.clone(), any::<bool>()).prop_map(|(index, passed)| Event::Check(index, passed)),
        1 => (index.clone(), mode).prop_map(|(index, mode)| Event::Mode(index, mode)),
        4 => (index, any::<bool>()).prop_map(|(index, ok)| Event::Report(index, ok)),
        6 => pick.prop_map(|(tried, chance, key)| Event::Pick(tried, chance, key)),
        4 => (0_usize..8).prop_map(Event::Finish),
        1 => (0_u64..30).prop_map(Event::Wait),
    ]
}

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let facts = (1..=20_u32, 0..4_u32, prop::bool::weighted(0.3), prop::bool::weighted(0.8));
    prop::collection::vec(facts, 1..=COUNT_MAX).prop_map(|all| {
        let number = |(at, (weight, max_connections, backup, alive))| {
            let spec = spec(&format!("b{at}"));
            Spec { weight, max_connections, backup, alive, ..spec }
        };
        all.into_iter().enumerate().map(number).collect()
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    (any::<bool>(), prop_oneof![Just(0), 1..60_u64]).prop_map(|(fail_open, seconds)| Rules {
        fail_open,
        slow_start: s(seconds),
        ..Rules::default()
    })
}

/// Those that a pick may go to: the first group that is not empty.
fn allowed(pool: &Pool, ask: &Ask) -> Vec<usize> {
    let (fail_open, nothing_up) = (pool.rules().fail_open, pool.usable(ask.now) == 0);
    let group = |may: &dyn Fn(&Backend, Standing) -> bool| -> Vec<usize> {
        let could = |index: &usize| {
            let backend = &pool.backends()[*index];
            let free = !backend.is_full() && !ask.tried.contains(index);
            free && may(backend, backend.standing(ask.now))
        };
        (0..pool.backends().len()).filter(could).collect()
    };
    let groups = [
        group(&|backend, standing| standing == Standing::Up && !backend.is_backup()),
        group(&|backend, standing| standing == Standing::Up && backend.is_backup()),
        group(&|_, standing| nothing_up && standing == Standing::Ejected),
        group(&|_, standing| nothing_up && fail_open && standing != Standing::Maint),
    ];
    groups.into_iter().find(|group| !group.is_empty()).unwrap_or_default()
}

/// What must hold of a pick, whatever happened before it.
fn judge_pick(pool: &Arc<Pool>, ask: &Ask) -> Option<Lease> {
    let allowed = allowed(pool, ask);
    let Ok(lease) = pool.pick(ask) else {
        assert!(allowed.is_empty(), "{}: {allowed:?} were usable", pool.policy());
        return None;
    };
    let (index, standing) = (lease.index(), lease.backend().standing(ask.now));
    assert!(
        allowed.contains(&index),
        "{} picked {index}, which is {standing}, and not one of {allowed:?}",
        pool.policy()
    );
    Some(lease)
}

fn changed(notice: Option<Notice>) -> Option<Change> {
    notice.and_then(|notice| notice.change().cloned())
}

/// Lets all of it happen to a pool, and judges each pick and each change.
fn judge_events(pool: &Arc<Pool>, events: &[Event]) {
    let (mut now, mut leases, count) = (s(0), Vec::new(), pool.backends().len());
    for event in events {
        let before = pool.usable(now);
        let change = match event {
            Event::Check(index, passed) => {
                changed(pool.record_check(index % count, &check(*passed), now))
            }
            Event::Mode(index, mode) => set_mode(pool, index % count, *mode, now),
            Event::Report(index, ok) => {
                changed(pool.judge(index % count, if *ok { &OK } else { &FAILED }, || None, now))
            }
            Event::Pick(tried, chance, key) => {
                let ask = Ask { chance: *chance, key: *key, ..ask(now, tried) };
                leases.extend(judge_pick(pool, &ask));
                None
            }
            Event::Finish(at) if *at < leases.len() => {
                changed(leases.swap_remove(*at).finish(OK, now))
            }
            Event::Finish(_) => None,
            Event::Wait(seconds) => {
                now += s(*seconds);
                None
            }
        };
        let Some(change) = change else { continue };
        assert_eq!((change.usable, change.total), (pool.usable(now), count));
        if change.to == Standing::Ejected && change.from == Standing::Up {
            assert!(change.usable >= 1 && before >= 2);
        }
        let out = pool.backends().iter().filter(|one| one.record.health.ejected_for(now).is_some());
        assert!(out.count() * 2 <= count);
    }
    drop(leases);
    assert_eq!(pool.in_flight(), 0);
}

/// Where the next requests go, each answered well before the next is made.
fn run(pool: &Arc<Pool>, times: usize) -> Vec<usize> {
    let mut dice = Dice::new(1);
    let mut pick = || {
        let lease = pool.pick(&Ask { chance: dice.roll(), ..Ask::default() }).unwrap();
        let index = lease.index();
        lease.finish(OK, s(0));
        index
    };
    (0..times).map(|_| pick()).collect()
}

/// The most picks that went by without the backend at `index`.
fn longest_wait(picks: &[usize], index: usize) -> usize {
    picks.split(|picked| *picked == index).map(<[usize]>::len).max().unwrap_or_default()
}

/// Pools in which some backends are drained, never all: the weights, and which of them take part.
fn partly_drained() -> impl Strategy<Value = Vec<(u32, bool)>> {
    let some = |all: &Vec<(u32, bool)>| all.iter().any(|(_, up)| *up);
    let one = (1..=20_u32, prop::bool::weighted(0.7));
    prop::collection::vec(one, 1..=8).prop_filter("one is up", some)
}

fn pool_with(kind: Kind, backends: &[(u32, bool)]) -> Arc<Pool> {
    let named = |(at, (weight, _)): (usize, &(u32, bool))| Spec {
        weight: *weight,
        ..spec(&format!("b{at}"))
    };
    let pool = pool_by(kind, backends.iter().enumerate().map(named).collect(), Rules::default());
    for (index, _) in backends.iter().enumerate().filter(|(_, (_, up))| !up) {
        set_mode(&pool, index, Mode::Drain, s(0));
    }
    pool
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_policy_ever_picks_one_that_is_down_draining_full_or_tried(
        specs in specs(),
        rules in rules(),
        events in prop::collection::vec(event(), 1..200),
    ) {
        for (_, kind) in Kind::ALL {
            judge_events(&pool_by(kind, specs.clone(), rules.clone()), &events);
        }
    }

    #[test]
    fn the_round_robins_share_by_weight(backends in partly_drained()) {
        let sum: u32 = backends.iter().filter(|(_, up)| *up).map(|(weight, _)| weight).sum();
        for kind in [Kind::RoundRobin, Kind::WeightedRoundRobin, Kind::ScoredRoundRobin] {
            let picks = run(&pool_with(kind, &backends), 10_000);
            for (index, (weight, up)) in backends.iter().enumerate() {
                let fair = if *up { f64::from(*weight) / f64::from(sum) } else { 0.0 };
                let held = picks.iter().filter(|picked| **picked == index).count();
                let share = held as f64 / picks.len() as f64;
                let name = kind.name();
                prop_assert!((share - fair).abs() <= 0.02, "{name}: {index}: {share} of {fair}");
            }
        }
    }

    #[test]
    fn nobody_starves(backends in partly_drained()) {
        let all: u32 = backends.iter().map(|(weight, _)| weight).sum();
        for (name, kind) in Kind::ALL {
            let rounds = match kind {
                // The first gets everything; keys decide.
                Kind::FirstAlive | Kind::Hash => continue,
                // To wait so long by chance happens once in e^40 picks.
                Kind::TwoChoices => 40,
                _ => 2,
            };
            let most = rounds * all as usize;
            let picks = run(&pool_with(kind, &backends), most.max(1000) * 2);
            for (index, _) in backends.iter().enumerate().filter(|(_, (_, up))| *up) {
                let waited = longest_wait(&picks, index);
                prop_assert!(waited <= most, "{name}: {index} waited for {waited} of {most}");
            }
        }
    }
}
