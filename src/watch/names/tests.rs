//! The names thread in the hands of a test: which answers move whom, and when a name has its turn.

use std::io;

use super::super::tests::{Heard, watching};
use super::*;
use crate::config::Config;
use crate::pool::{CheckOutcome, Found, Pool};

const SECOND: Duration = Duration::from_secs(1);

/// A names thread in the hands of a test, which has its wishes carried out as a client does.
struct Bench {
    names: Names,
    snapshot: Arc<Snapshot<Watched>>,
    answers: Arc<Mutex<Answers>>,
    events: Arc<Mutex<Vec<Heard>>>,
    now: Instant,
    _checks: Arc<Control>,
}

fn answer(lasts: &[u8]) -> Answer {
    match lasts {
        [] => Err("app.internal does not resolve: as told".into()),
        lasts => Ok(lasts.iter().map(|last| ([10, 0, 0, *last], 80).into()).collect()),
    }
}

fn app() -> Named {
    ("app.internal".into(), 80)
}

fn config() -> Config {
    let text = "[[applications]]\nname = \"a\"\nip = \"app.internal\"\nport = 80\n";
    Config::parse(text, "test").unwrap()
}

fn made(before: Option<&Pool>, answers: &Answers) -> Watched {
    let (config, _) = config().spread(answers, &|_| false);
    let specs = config.applications.clone();
    let policy = config.balance.policy.build(&specs, &config.scored);
    let pool = match before {
        None => Pool::new(specs, policy, config.rules()),
        Some(old) => Pool::succeeding(old, specs, policy, config.rules(), Duration::ZERO),
    };
    Watched { answers: answers.clone(), ..watching(&pool) }
}

impl Bench {
    fn new(first: &[u8]) -> Self {
        Self::carried_out(
            first,
            Box::new(|old, answers| Some(made(Some(&old.pools[0].pool), answers))),
        )
    }

    fn carried_out(first: &[u8], respread: Respread) -> Self {
        let first = made(None, &Answers::from([(app(), answer(first))]));
        let (snapshot, answers) = (Snapshot::new(Arc::new(first)), Arc::default());
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let on: OnEvent =
            Arc::new(move |event: WatchEvent| heard.lock().unwrap().push(event.into()));
        let (_, control) = super::super::sockets::Sockets::new().unwrap();
        let checks = Arc::new(control);
        let names = Names::new(&snapshot, &answers, respread, Arc::downgrade(&checks), on);
        Self { names, snapshot, answers, events, now: Instant::now(), _checks: checks }
    }

    /// Looks around after so long; how many look-ups that begins.
    fn glance(&mut self, after: Duration) -> usize {
        self.now += after;
        let under_way = |names: &Names| names.known.iter().filter(|it| it.is_under_way).count();
        let before = under_way(&self.names);
        self.names.lookups = LookUps::new(|_, _| Err(io::Error::other("nobody takes this in")));
        self.names.begin_due(self.now);
        under_way(&self.names) - before
    }

    /// Looks the name up two seconds later, and finds these.
    fn finds(&mut self, lasts: &[u8]) {
        self.now += 2 * SECOND;
        self.names.lookups = LookUps::new(|_, _| Ok(Vec::new()));
        self.names.lookups.begin(&app());
        let _ = self.names.lookups.resolved.recv().unwrap();
        self.names.take((app(), answer(lasts)), self.now);
    }

    fn backends(&self) -> Vec<String> {
        let watched = self.snapshot.current();
        watched.first().pool.backends().iter().map(|one| one.name().to_owned()).collect()
    }

    fn fails(&self, index: usize) {
        let (seen, took) = (String::new(), Duration::ZERO);
        let outcome = CheckOutcome { passed: false, asks_drain: false, seen, took };
        self.snapshot.current().pools[0].pool.record_check(index, &outcome, SECOND);
    }

    fn said(&self, kind: &str) -> Vec<String> {
        let told = |heard: &Heard| match heard {
            Heard::Told(word, text) if *word == kind => Some(text.clone()),
            _ => None,
        };
        self.events.lock().unwrap().iter().filter_map(told).collect()
    }
}

#[test]
fn an_address_comes_at_once_and_goes_when_two_answers_are_without_it() {
    let mut bench = Bench::new(&[1, 2]);
    bench.finds(&[2, 3]);
    assert_eq!(bench.backends(), ["a@10.0.0.1", "a@10.0.0.2", "a@10.0.0.3"]);
    bench.finds(&[2, 3]);
    assert_eq!(bench.backends(), ["a@10.0.0.2", "a@10.0.0.3"]);
    bench.finds(&[3]);
    bench.finds(&[2, 3]);
    bench.finds(&[3]);
    assert_eq!(bench.backends(), ["a@10.0.0.2", "a@10.0.0.3"], "not in a row");
    assert_eq!(bench.said("moved"), ["backend a: app.internal leads elsewhere"; 2]);
}

#[test]
fn a_server_that_tells_others_each_time_makes_nobody_come_and_go_at_each_answer() {
    let mut bench = Bench::new(&[1, 2, 3, 4]);
    for round in 0..10 {
        bench.finds(if round % 2 == 0 { &[1, 2] } else { &[3, 4] });
        assert_eq!(bench.backends().len(), 4);
    }
}

#[test]
fn a_failed_look_up_keeps_what_is_known_and_is_told_once_as_is_its_end() {
    let mut bench = Bench::new(&[1, 2]);
    for found in [&[][..], &[], &[1, 2], &[1, 2], &[]] {
        bench.finds(found);
        assert_eq!(bench.backends(), ["a@10.0.0.1", "a@10.0.0.2"]);
    }
    let told = "backend a: app.internal does not resolve: as told; its last 2 addresses are \
                kept";
    assert_eq!(bench.said("unresolved"), [told, told]);
    assert_eq!(bench.said("moved"), ["backend a: app.internal resolves again"]);
}

#[test]
fn a_name_that_leads_nowhere_is_looked_up_until_it_is_found() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.backends(), ["a"]);
    assert_eq!(bench.glance(Duration::ZERO), 1);
    bench.finds(&[]);
    assert_eq!(bench.said("unresolved").len(), 0, "the start has said so");
    assert_eq!(bench.glance(SECOND / 2), 0);
    assert_eq!(bench.glance(SECOND), 1);
    bench.finds(&[1]);
    assert_eq!(bench.backends(), ["a@10.0.0.1"]);
    assert_eq!(bench.answers.lock().unwrap()[&app()], answer(&[1]));
}

#[test]
fn failures_have_a_name_looked_up_anew_and_make_no_storm() {
    let mut bench = Bench::new(&[1, 2]);
    assert_eq!(bench.glance(SECOND), 0, "nothing failed");
    for _ in 0..100 {
        (0..2).for_each(|index| bench.fails(index));
    }
    assert_eq!(bench.glance(SECOND), 1);
    bench.finds(&[1, 2]);
    assert_eq!(bench.glance(SECOND), 0, "no doubt is left");
    bench.fails(1);
    assert_eq!(bench.glance(SECOND / 5), 1, "the last one is long ago");
    bench.names.take((app(), answer(&[1, 2])), bench.now);
    bench.fails(0);
    assert_eq!(bench.glance(SECOND / 5), 0, "too soon");
    assert_eq!(bench.glance(SECOND), 1, "and not forgotten");
}

#[test]
fn another_reason_why_a_name_is_nowhere_has_nothing_made_anew() {
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let respread: Respread = Box::new(move |_, _| {
        *count.lock().unwrap() += 1;
        None
    });
    let mut bench = Bench::carried_out(&[], respread);
    assert_eq!(bench.glance(SECOND), 1);
    let late = Err("app.internal does not resolve: late".to_owned());
    bench.names.take((app(), late.clone()), bench.now);
    assert_eq!((*asked.lock().unwrap(), &bench.answers.lock().unwrap()[&app()]), (0, &late));
}

#[test]
fn its_turn_comes_without_a_failure_too() {
    let mut bench = Bench::new(&[1]);
    assert_eq!(bench.glance(9 * SECOND), 0);
    assert_eq!(bench.glance(2 * SECOND), 1);
}

#[test]
fn whoever_is_busy_is_asked_again_and_whoever_has_done_it_is_not() {
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let busy: Respread = Box::new(move |_, _| {
        *count.lock().unwrap() += 1;
        None
    });
    let mut bench = Bench::carried_out(&[1], busy);
    bench.finds(&[2]);
    bench.glance(SECOND / 5);
    assert_eq!(*asked.lock().unwrap(), 1);
    bench.glance(SECOND);
    assert_eq!(*asked.lock().unwrap(), 2);
    let answers = bench.answers.lock().unwrap().clone();
    let next = made(Some(&bench.snapshot.current().pools[0].pool), &answers);
    bench.snapshot.replace(Arc::new(next));
    bench.glance(2 * SECOND);
    assert_eq!(*asked.lock().unwrap(), 2);
    assert_eq!(bench.backends(), ["a@10.0.0.1", "a@10.0.0.2"]);
}

#[test]
fn a_name_that_comes_and_goes_makes_no_storm() {
    let mut bench = Bench::new(&[]);
    let (with, mut begun) = (bench.snapshot.current(), 0);
    let without = Arc::new(made(None, &Answers::new()));
    for turn in 0..40 {
        let next = if turn % 2 == 0 { &with } else { &without };
        bench.snapshot.replace(Arc::clone(next));
        begun += bench.glance(SECOND / 10);
        if turn % 2 == 1 && bench.names.known.iter().any(|name| name.is_under_way) {
            bench.finds_now(&[]);
        }
    }
    assert!((1..=4).contains(&begun), "{begun} look-ups in four seconds");
    assert!(bench.names.known.len() <= 1);
}

#[test]
fn a_look_up_under_way_is_for_whoever_has_the_name_when_it_is_over() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.glance(SECOND), 1);
    let text = "[[applications]]\nname = \"b\"\nip = \"app.internal\"\nport = 80\n";
    let specs = Config::parse(text, "test").unwrap().applications;
    let nowhere: Found = Err("as told".into());
    let specs =
        specs.into_iter().map(|spec| crate::pool::Spec { found: Some(nowhere.clone()), ..spec });
    let pool = crate::pool::testing::pool_of(specs.collect(), crate::pool::Rules::default());
    let next = Watched { answers: Answers::from([(app(), answer(&[]))]), ..watching(&pool) };
    bench.snapshot.replace(Arc::new(next));
    bench.finds_now(&[5]);
    assert_eq!(bench.backends(), ["a@10.0.0.5"], "by the file of this bench");
    assert_eq!(bench.glance(2 * SECOND), 0, "no other is needed");
}

impl Bench {
    fn finds_now(&mut self, lasts: &[u8]) {
        self.now -= 2 * SECOND;
        self.finds(lasts);
    }
}
