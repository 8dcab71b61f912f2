//! One pool after the other, as the file changes: nothing is forgotten that still holds, nothing is
//! believed that does not, and no limit is exceeded while requests hold on to the pools before.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::pool::record::Record;
use crate::pool::testing::{pool_by, set_mode, succeeding};

/// A backend of this name at this port.
fn at(name: &str, port: u16) -> Spec {
    Spec { port, ..spec(name) }
}

fn all_at_8001(names: &[&str]) -> Vec<Spec> {
    names.iter().zip(8001..).map(|(name, port)| at(name, port)).collect()
}

fn by(kind: Kind, specs: &[Spec]) -> Arc<Pool> {
    pool_by(kind, specs.to_vec(), Rules::default())
}

fn next(old: &Arc<Pool>, specs: &[Spec]) -> Arc<Pool> {
    let kinds = Kind::ALL;
    let (_, kind) = kinds.iter().find(|(name, _)| *name == old.policy()).unwrap();
    succeeding(old, *kind, specs.to_vec(), old.rules().clone())
}

/// The names of the backends that each new one has its record from; `-` is nobody.
fn records_from(old: &Pool, new: &Pool) -> String {
    let from = |new: &Backend| {
        let is_it = |old: &&Backend| Arc::ptr_eq(&old.record, &new.record);
        old.backends().iter().find(is_it).map_or("-", Backend::name)
    };
    new.backends().iter().map(from).collect()
}

#[test]
fn a_record_is_found_by_name_then_by_address_and_goes_to_one() {
    type Named<'n> = &'n [(&'n str, u16)];
    let table: [(&str, Named, &str); 9] = [
        ("nothing has changed", &[("a", 1), ("b", 2), ("c", 2)], "abc"),
        ("another order", &[("c", 2), ("a", 1), ("b", 2)], "cab"),
        ("one is gone, one is new", &[("a", 1), ("d", 4)], "a-"),
        ("another port", &[("a", 9), ("b", 2), ("c", 2)], "abc"),
        ("another name", &[("d", 1), ("b", 2), ("c", 2)], "abc"),
        ("other names at one address", &[("d", 2), ("e", 2), ("f", 2)], "bc-"),
        ("a name beats an address", &[("d", 1), ("a", 5)], "-a"),
        ("names swapped", &[("b", 1), ("a", 2)], "ba"),
        ("all are gone", &[("d", 4), ("e", 5)], "--"),
    ];
    for (case, specs, from) in table {
        let old = by(Kind::RoundRobin, &[at("a", 1), at("b", 2), at("c", 2)]);
        let specs: Vec<_> = specs.iter().map(|(name, port)| at(name, *port)).collect();
        assert_eq!(records_from(&old, &next(&old, &specs)), from, "{case}");
    }
}

#[test]
fn places_that_are_taken_stay_taken() {
    let narrow = [Spec { max_connections: 2, ..spec("a") }];
    let old = by(Kind::RoundRobin, &narrow);
    let held: Vec<_> = (0..2).map(|_| old.pick(&ask(s(0), &[])).unwrap()).collect();
    let new = next(&old, &narrow);
    assert_eq!(new.pick(&ask(s(0), &[])).unwrap_err().full, 1);
    drop(held);
    assert_eq!((new.in_flight(), old.in_flight()), (0, 0));
    assert!(new.pick(&ask(s(0), &[])).is_ok());
}

#[test]
fn retries_and_requests_count_together_for_all_pools_of_a_family() {
    let retry = RetryRules { budget_percent: 50, budget_min: 1, ..RetryRules::default() };
    let rules = Rules { retry, ..Rules::default() };
    let old = pool_by(Kind::RoundRobin, all_at_8001(&["a", "b"]), rules);
    let of_old: Vec<_> = (0..4).map(|_| old.pick(&ask(s(0), &[])).unwrap()).collect();
    let permit = old.retry_permit().unwrap();
    // Nobody of before is in this one.
    let new = next(&old, &[at("c", 9)]);
    let of_new: Vec<_> = (0..2).map(|_| new.pick(&ask(s(0), &[])).unwrap()).collect();
    assert_eq!((old.in_flight(), new.in_flight()), (6, 6));
    let granted: Vec<_> = std::iter::from_fn(|| new.retry_permit()).collect();
    assert_eq!(granted.len(), 2, "half of six, but for the one that is out");
    assert!(old.retry_permit().is_none());
    drop((permit, of_old, old));
    assert_eq!(next(&new, &[at("c", 9)]).in_flight(), 2);
    drop((granted, of_new));
    assert!(new.retry_permit().is_some());
}

#[test]
fn what_is_known_of_one_that_stays_is_kept() {
    let passive = PassiveRules { failures: 2, ..PassiveRules::default() };
    let rules = Rules { passive, slow_start: s(100), ..at_once() };
    let old = pool_by(Kind::RoundRobin, all_at_8001(&["a", "b", "c", "d"]), rules);
    old.record_check(0, &check(false), s(1));
    assert!(report(&old, 1, &[FAILED; 2], s(1)).concat().contains("-> ejected"));
    set_mode(&old, 2, Mode::Drain, s(1));
    report(&old, 3, &[FAILED], s(1));
    let new = next(&old, &all_at_8001(&["a", "B", "c", "d"]));
    let standings = |pool: &Pool, now| {
        let words = pool.backends().iter().map(|backend| backend.standing(now).to_string());
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(standings(&new, s(1)), "down ejected drain up");
    assert_eq!(standings(&new, s(11)), "down up drain up");
    // The second of a row that began before; and news go on from what was told.
    assert!(report(&new, 3, &[FAILED], s(11)).concat().contains("-> ejected"));
    let back = new.record_check(1, &check(true), s(12)).unwrap().to_string();
    assert!(
        back.starts_with("backend B: check passed") && back.contains("ejected -> up"),
        "{back}"
    );
    assert_eq!(new.backends()[1].record.back_at(), Some(s(11)), "it starts slowly still");
    let of = |index: usize| new.backends()[index].counts();
    assert_eq!(of(1).failures + of(3).failures, 4);
    assert_eq!(of(0).checks_failed, 1);
}

#[test]
fn what_the_file_believes_counts_until_a_check_has_spoken() {
    let alive = |alive| vec![Spec { alive, ..spec("a") }];
    let old = by(Kind::RoundRobin, &alive(true));
    let standing = |pool: &Pool| pool.backends()[0].standing(s(0));
    let new = next(&old, &alive(false));
    assert_eq!(standing(&new), Standing::Down);
    new.record_check(0, &check(true), s(0));
    assert_eq!(standing(&next(&new, &alive(false))), Standing::Up);
}

#[test]
fn of_one_that_is_somewhere_else_only_what_it_did_and_the_mode_are_kept() {
    let specs = all_at_8001(&["a", "b", "c"]);
    let old = pool_by(Kind::ScoredRoundRobin, specs.clone(), at_once());
    let lease = old.pick(&Ask { tried: &[1, 2], ..ask(s(0), &[]) }).unwrap();
    eject(&old, 0, s(0));
    old.record_check(0, &check(false), s(0));
    set_mode(&old, 0, Mode::Drain, s(0));
    set_mode(&old, 1, Mode::Maint, s(0));
    let moved = [at("a", 9), Spec { alive: false, ..at("b", 9) }, specs[2].clone()];
    let new = next(&old, &moved);
    let [a, b] = [&new.backends()[0], &new.backends()[1]];
    assert_eq!([a.mode(), b.mode()], [Mode::Drain, Mode::Maint]);
    set_mode(&new, 0, Mode::Ready, s(0));
    set_mode(&new, 1, Mode::Ready, s(0));
    assert_eq!([a.standing(s(0)), b.standing(s(0))], [Standing::Up, Standing::Down]);
    assert_eq!(a.address(), Ok(([127, 0, 0, 1], 9).into()));
    assert_eq!((new.score(0), a.counts().failures, a.in_use()), (Some(0.0), 3, 1));
    // What is heard of the old place says nothing of the new one.
    assert!(lease.finish(FAILED, s(0)).is_none() && eject(&old, 0, s(0)).is_empty());
    assert_eq!(old.record_check(0, &check(false), s(0)), None);
    assert_eq!((a.standing(s(0)), new.score(0)), (Standing::Up, Some(0.0)));
    assert_eq!((a.counts().failures, a.in_use()), (7, 0), "but it is counted");
    assert!(report(&new, 0, &[FAILED; 2], s(0)).is_empty(), "two are no row of three");
    assert!(new.record_check(0, &check(false), s(0)).is_some(), "the first result decides");
}

#[test]
fn one_that_is_gone_is_held_by_its_leases_and_changes_nothing_any_more() {
    let old = pool_by(Kind::RoundRobin, all_at_8001(&["a", "b"]), at_once());
    let lease = old.pick(&Ask { tried: &[1], ..ask(s(0), &[]) }).unwrap();
    let record: *const Record = &*old.backends()[0].record;
    let held = Arc::downgrade(&old.backends()[0].record);
    let new = next(&old, &all_at_8001(&["b"]));
    assert!(eject(&old, 0, s(0)).is_empty() && old.record_check(0, &check(false), s(0)).is_none());
    drop(old);
    assert_eq!((held.as_ptr(), held.upgrade().unwrap().in_use()), (record, 1));
    assert_eq!(new.in_flight(), 1);
    drop(lease);
    assert_eq!((held.strong_count(), new.in_flight()), (0, 0));
}

#[test]
fn the_last_one_of_the_newest_file_is_not_ejected_by_what_an_older_one_has_heard() {
    let old = by(Kind::RoundRobin, &all_at_8001(&["a", "b", "c"]));
    let new = next(&old, &all_at_8001(&["a"]));
    let said = eject(&old, 0, s(0)).concat();
    assert!(said.contains("it stays in, as it is the last one up"), "{said}");
    assert_eq!(new.backends()[0].standing(s(0)), Standing::Up);
}

#[test]
fn those_that_go_by_turns_go_on_where_they_stood() {
    let sequence = |kind, weights: &[u32]| -> String {
        let specs: Vec<_> = ('a'..)
            .zip(weights)
            .map(|(name, weight)| Spec { weight: *weight, ..spec(&name.to_string()) })
            .collect();
        let mut pool = by(kind, &specs);
        let mut pick = || {
            pool = next(&pool, &specs);
            pool.pick(&ask(s(0), &[])).unwrap().backend().name().to_owned()
        };
        (0..14).map(|_| pick()).collect()
    };
    assert_eq!(sequence(Kind::RoundRobin, &[1, 1, 1]), "abcabcabcabcab");
    assert_eq!(sequence(Kind::RoundRobin, &[3, 1, 2]), "acabcaacabcaac");
    assert_eq!(sequence(Kind::ScoredRoundRobin, &[1, 1, 1]), "abcabcabcabcab");
    assert_eq!(sequence(Kind::WeightedRoundRobin, &[5, 1, 1]), "aabacaaaabacaa");
    assert_eq!(sequence(Kind::LeastConnections, &[3, 1, 2]), "acabcaacabcaac");
}

#[test]
fn scores_and_averages_are_kept_until_another_policy_comes() {
    let specs = all_at_8001(&["a", "b", "c"]);
    let old = by(Kind::ScoredRoundRobin, &specs);
    let answered = |ms| Outcome::Answered { status: 200, latency: Duration::from_millis(ms) };
    (0..20).for_each(|_| drop(report(&old, 0, &[answered(10)], s(0))));
    report(&old, 1, &[FAILED, FAILED], s(0));
    let (score, words) = (old.score(1), old.explain(1));
    assert!(score > Some(0.0));
    let new = next(&old, &all_at_8001(&["a", "b", "c", "d"]));
    assert_eq!((new.score(1), new.explain(1), new.score(3)), (score, words, Some(0.0)));
    // A request from before is judged as well.
    report(&old, 1, &[FAILED], s(0));
    assert_eq!(new.score(1), old.score(1));
    report(&new, 3, &[answered(40)], s(0));
    assert!(new.score(3) > Some(0.0), "the average is known");
    let other = succeeding(&new, Kind::RoundRobin, specs.clone(), Rules::default());
    assert_eq!(other.score(1), None);
    let again = succeeding(&other, Kind::ScoredRoundRobin, specs, Rules::default());
    assert_eq!((again.score(1), again.explain(1)), (Some(0.0), again.explain(0)));
}

/// What can happen to a family of pools.
#[derive(Clone, Debug)]
enum Event {
    /// The file changes: to this policy, and these backends by number of their names.
    File(Kind, BTreeMap<u8, Entry>),
    /// A pick from the newest pool, or from the one of so many files before.
    Pick(usize, u64),
    Finish(usize, bool),
    Check(usize, bool),
    Mode(usize, Mode),
    Permit,
    Relent,
}

#[derive(Clone, Debug)]
struct Entry {
    port: u16,
    weight: u32,
    max_connections: u32,
    alive: bool,
}

fn files() -> impl Strategy<Value = Event> {
    let entry = (1..6_u16, 1..4_u32, 0..3_u32, prop::bool::weighted(0.8));
    let entry = entry.prop_map(|(port, weight, max_connections, alive)| Entry {
        port,
        weight,
        max_connections,
        alive,
    });
    let kinds = Kind::ALL.map(|(_, kind)| kind).to_vec();
    // Often the same policy.
    let kind = prop_oneof![2 => Just(Kind::ScoredRoundRobin), 3 => prop::sample::select(kinds)];
    let entries = prop::collection::btree_map(0..6_u8, entry, 1..5);
    (kind, entries).prop_map(|(kind, entries)| Event::File(kind, entries))
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let mode = prop_oneof![4 => Just(Mode::Ready), 1 => Just(Mode::Drain), 1 => Just(Mode::Maint)];
    let event = prop_oneof![
        3 => files(),
        8 => (0..3_usize, any::<u64>()).prop_map(|(back, chance)| Event::Pick(back, chance)),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(which, ok)| Event::Finish(which, ok)),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(which, ok)| Event::Check(which, ok)),
        1 => (any::<usize>(), mode).prop_map(|(which, mode)| Event::Mode(which, mode)),
        1 => Just(Event::Permit),
        1 => Just(Event::Relent),
    ];
    prop::collection::vec(event, 1..120)
}

fn specs_of(entries: &BTreeMap<u8, Entry>) -> Vec<Spec> {
    let spec = |(name, entry): (&u8, &Entry)| {
        let Entry { port, weight, max_connections, alive } = *entry;
        Spec { weight, max_connections, alive, ..at(&format!("b{name}"), port) }
    };
    entries.iter().map(spec).collect()
}

/// What a backend has done, as the test counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Deeds {
    picked: u64,
    failed: u64,
    checked: u64,
    open: u32,
}

fn deeds(record: &Record) -> Deeds {
    let counts = record.counts();
    Deeds {
        picked: counts.requests,
        failed: counts.failures,
        checked: counts.checks_passed + counts.checks_failed,
        open: record.in_use(),
    }
}

/// A family under way, and what the test knows of it. Records are numbered as they come up.
struct Tale {
    pools: Vec<Arc<Pool>>,
    /// For each pool, the numbers of its backends' records.
    numbers: Vec<Vec<usize>>,
    records: Vec<Arc<Record>>,
    deeds: Vec<Deeds>,
    leases: Vec<(usize, Lease)>,
    permits: Vec<crate::pool::retry::RetryPermit>,
}

const PERMITS: u32 = 3;

impl Tale {
    fn begin() -> Self {
        let retry = RetryRules { budget_percent: 0, budget_min: PERMITS, ..RetryRules::default() };
        let rules = Rules { retry, fail_open: true, ..at_once() };
        let pool = pool_by(Kind::RoundRobin, vec![at("b0", 1)], rules);
        let records = vec![Arc::clone(&pool.backends()[0].record)];
        Self {
            pools: vec![pool],
            numbers: vec![vec![0]],
            records,
            deeds: vec![Deeds::default()],
            leases: Vec::new(),
            permits: Vec::new(),
        }
    }

    fn newest(&self) -> (&Arc<Pool>, &Vec<usize>) {
        (self.pools.last().unwrap(), self.numbers.last().unwrap())
    }

    /// The rule, written out: whose record each gets.
    fn heirs(&self, specs: &[Spec]) -> Vec<Option<usize>> {
        let (old, numbers) = self.newest();
        let named = |spec: &Spec| old.backends().iter().position(|one| one.name() == spec.name);
        let mut heirs: Vec<_> = specs.iter().map(named).collect();
        for (index, spec) in specs.iter().enumerate().filter(|(_, spec)| named(spec).is_none()) {
            let free = |at: &usize| !heirs.contains(&Some(*at));
            let is_there = |at: &usize| old.backends()[*at].port() == spec.port;
            let there = (0..numbers.len()).find(|at| free(at) && is_there(at));
            heirs[index] = there;
        }
        heirs
    }

    fn file(&mut self, kind: Kind, specs: Vec<Spec>) {
        let heirs = self.heirs(&specs);
        let (old, old_numbers) = self.newest();
        let (old, old_numbers) = (Arc::clone(old), old_numbers.clone());
        let known: Vec<_> = (0..old.backends().len())
            .map(|index| (old.backends()[index].standing(s(0)), old.score(index)))
            .collect();
        let is_same_kind = old.policy() == kind.name();
        let new = succeeding(&old, kind, specs.clone(), old.rules().clone());
        let mut numbers = Vec::new();
        for (index, (spec, heir)) in specs.iter().zip(heirs).enumerate() {
            let backend = &new.backends()[index];
            let Some(place) = heir else {
                assert_eq!(deeds(&backend.record), Deeds::default());
                numbers.push(self.records.len());
                self.records.push(Arc::clone(&backend.record));
                self.deeds.push(Deeds::default());
                continue;
            };
            let number = old_numbers[place];
            assert!(Arc::ptr_eq(&backend.record, &self.records[number]), "{spec:?}");
            numbers.push(number);
            let stays = old.backends()[place].port() == spec.port;
            let alive = old.backends()[place].spec().alive;
            if stays && alive == spec.alive {
                assert_eq!(backend.standing(s(0)), known[place].0);
            } else if !stays && backend.mode() == Mode::Ready {
                assert_eq!(backend.standing(s(0)) == Standing::Up, spec.alive);
            }
            if kind == Kind::ScoredRoundRobin {
                let kept = known[place].1.filter(|_| is_same_kind && stays);
                assert_eq!(new.score(index), Some(kept.unwrap_or(0.0)));
            }
        }
        self.pools.push(new);
        self.numbers.push(numbers);
    }

    fn pick(&mut self, back: usize, chance: u64) {
        let at = self.pools.len().saturating_sub(1 + back);
        let pool = &self.pools[at];
        let ask = Ask { chance, key: Some(chance), ..Ask::default() };
        let Ok(lease) = pool.pick(&ask) else { return };
        let places = lease.backend().max_connections();
        assert!(places == 0 || lease.backend().in_use() <= places);
        let number = self.numbers[at][lease.index()];
        self.deeds[number].picked += 1;
        self.deeds[number].open += 1;
        self.leases.push((number, lease));
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::File(kind, entries) => self.file(*kind, specs_of(entries)),
            Event::Pick(back, chance) => self.pick(*back, *chance),
            Event::Finish(which, ok) if !self.leases.is_empty() => {
                let (number, lease) = self.leases.swap_remove(which % self.leases.len());
                self.deeds[number].open -= 1;
                self.deeds[number].failed += u64::from(!ok);
                lease.finish(if *ok { OK } else { FAILED }, s(0));
            }
            Event::Check(which, ok) => {
                let (pool, numbers) = self.newest();
                let index = which % numbers.len();
                let number = numbers[index];
                pool.record_check(index, &check(*ok), s(0));
                self.deeds[number].checked += 1;
            }
            Event::Mode(which, mode) => {
                let (pool, numbers) = self.newest();
                set_mode(pool, which % numbers.len(), *mode, s(0));
            }
            Event::Permit => {
                let at = self.permits.len() % self.pools.len();
                self.permits.extend(self.pools[at].retry_permit());
            }
            Event::Relent => drop(self.permits.pop()),
            Event::Finish(..) => {}
        }
    }

    fn judge(&self) {
        for (record, known) in self.records.iter().zip(&self.deeds) {
            assert_eq!(deeds(record), *known);
        }
        assert!(self.permits.len() <= PERMITS as usize);
        let all = [&self.pools[0], self.newest().0].map(|pool| pool.in_flight());
        assert_eq!(all, [self.leases.len(); 2]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_files_follow_each_other_nothing_is_lost_and_nothing_exceeded(events in events()) {
        let mut tale = Tale::begin();
        for event in &events {
            tale.happen(event);
            tale.judge();
        }
        tale.leases.clear();
        tale.permits.clear();
        prop_assert!(tale.records.iter().all(|record| record.in_use() == 0));
        let pool = tale.newest().0;
        prop_assert_eq!(pool.in_flight(), 0);
        let permits: Vec<_> = std::iter::from_fn(|| pool.retry_permit()).collect();
        prop_assert_eq!(permits.len(), PERMITS as usize);
    }
}
