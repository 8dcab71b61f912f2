//! Something else is watched: who stays is asked as if nothing had happened, others at once.

use super::*;
use crate::pool::policy::Kind;
use crate::pool::testing::succeeding;
use std::sync::atomic::{AtomicU64, AtomicUsize};

/// So often it is replaced by those who do that all the time.
const EVERY: Duration = ms(100);

impl Bench {
    /// The file has changed: these are the backends now.
    pub(super) fn replace(&mut self, specs: Vec<Spec>, settings: Settings) {
        self.replace_by(Vec::new(), specs, settings);
    }

    pub(super) fn replace_by(
        &mut self,
        connectors: Vec<Option<Connector>>,
        specs: Vec<Spec>,
        settings: Settings,
    ) {
        self.pool = succeeding(&self.pool, Kind::RoundRobin, specs, Rules::default());
        self.watch.replace(watching_by(&self.pool, connectors, settings));
    }

    fn checks(&self, index: usize) -> [u64; 2] {
        let counts = || self.pool.backends()[index].counts();
        [counts().checks_passed, counts().checks_failed]
    }
}

/// An hour: longer than any test.
const LONG: Duration = Duration::from_secs(3600);

/// Tells of each connection when a request has come, and when it has ended.
fn patient() -> (SocketAddr, Receiver<&'static str>) {
    let (tell, told) = unbounded();
    let address = server(move |mut stream, _| {
        tell.send("asked").unwrap();
        let _ = stream.read(&mut [0]);
        tell.send("cut off").unwrap();
    });
    (address, told)
}

/// A good backend that takes its time: how often it was asked, and how often at once.
struct Slow {
    address: SocketAddr,
    asked: Arc<AtomicU64>,
    at_once_max: Arc<AtomicUsize>,
}

fn slow() -> Slow {
    let (asked, at_once_max): (Arc<AtomicU64>, Arc<AtomicUsize>) = Default::default();
    let (count, most, busy) = (Arc::clone(&asked), Arc::clone(&at_once_max), AtomicUsize::new(0));
    let address = server(move |mut stream, _| {
        count.fetch_add(1, Relaxed);
        most.fetch_max(1 + busy.fetch_add(1, Relaxed), Relaxed);
        thread::park_timeout(ms(150));
        busy.fetch_sub(1, Relaxed);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    Slow { address, asked, at_once_max }
}

#[test]
fn a_replaced_pool_is_watched_instead() {
    let watched = Bench::checked(&[status(200)], quick());
    let next = pool_of(specs(&[status(200), nobody()]), Rules::default());
    watched.watch.replace(watching_by(&next, Vec::new(), quick()));
    assert!(watched.next_change().contains("backend b: check failed"));
    assert_eq!(next.backends()[1].standing(watched.epoch.elapsed()), Standing::Down);
}

/// Each answer takes longer than a pool lasts: had a replacement cut checks off, none would pass.
#[test]
fn who_stays_is_asked_at_its_time_however_often_the_others_change() {
    const INTERVAL: Duration = ms(200);
    let settings = Settings { interval: Some(INTERVAL), timeout: SOON, ..Settings::default() };
    let servers = [slow(), slow(), slow()];
    let kept: Vec<SocketAddr> = servers.iter().map(|one| one.address).collect();
    let guest = Spec { port: status(200).port(), ..spec("guest") };
    let mut bench = Bench::start(specs(&kept), settings.clone());
    assert!(bench.watch.first_round(SOON));
    let began = Instant::now();
    let mut turn = 0;
    while began.elapsed() < Duration::from_secs(3) {
        thread::park_timeout(EVERY);
        let mut specs = specs(&kept);
        if turn % 2 == 0 {
            specs.insert(turn % 3, guest.clone());
        }
        bench.replace(specs, settings.clone());
        turn += 1;
    }
    let most = began.elapsed().div_duration_f64(INTERVAL.mul_f64(0.9)) as u64 + 3;
    bench.replace(specs(&kept), settings);
    for (index, one) in servers.iter().enumerate() {
        let ([passed, failed], asked) = (bench.checks(index), one.asked.load(Relaxed));
        assert!((3..=most).contains(&passed) && failed == 0, "{passed} of at most {most}");
        assert!(asked <= passed + 1, "asked {asked} times, and {passed} were heard out");
        assert_eq!(one.at_once_max.load(Relaxed), 1);
    }
}

#[test]
fn a_check_that_hangs_is_late_once_however_often_it_is_handed_on() {
    let (address, told) = patient();
    let settings = one_round(ms(1000));
    let began = Instant::now();
    let mut bench = Bench::start(specs(&[address]), settings.clone());
    let change = loop {
        match bench.events.recv_timeout(EVERY) {
            Ok(Heard::Noticed(Notice::Changed(change))) => break change.to_string(),
            Ok(other) => panic!("{other:?}"),
            Err(_) => bench.replace(specs(&[address]), settings.clone()),
        }
        assert!(began.elapsed() < SOON);
    };
    assert!(
        change.contains("check failed: no answer within 1s of the check's start ("),
        "{change}"
    );
    assert!(began.elapsed() >= ms(1000));
    assert_eq!(told.recv_timeout(SOON), Ok("asked"));
    assert_eq!(told.recv_timeout(SOON), Ok("cut off"));
    bench.replace(specs(&[address]), settings);
    assert_eq!((bench.checks(0), told.is_empty()), ([0, 1], true));
}

#[test]
fn who_moves_is_asked_at_its_new_place_at_once() {
    let (before, told) = patient();
    let mut bench = Bench::start(specs(&[before]), one_round(LONG));
    assert_eq!(told.recv_timeout(SOON), Ok("asked"));
    bench.replace(specs(&[status(200)]), one_round(LONG));
    assert_eq!(told.recv_timeout(SOON), Ok("cut off"));
    bench.await_checks(0, 1);
    assert_eq!(bench.checks(0), [1, 0], "the old place is not held against it");
    bench.replace(specs(&[nobody()]), one_round(LONG));
    assert!(bench.next_change().contains("backend a: check failed: Connection refused"));
}

#[test]
fn checks_at_another_port_are_other_checks() {
    let address = status(200);
    let mut bench = Bench::checked(&[address], one_round(LONG));
    let mut specs = specs(&[address]);
    specs[0].health_port = Some(nobody().port());
    bench.replace(specs, one_round(LONG));
    bench.await_checks(0, 2);
    assert_eq!(bench.checks(0), [1, 1]);
}

#[test]
fn who_is_gone_is_asked_no_more() {
    let (address, told) = patient();
    let mut bench = Bench::start(specs(&[status(200), address]), one_round(LONG));
    assert_eq!(told.recv_timeout(SOON), Ok("asked"));
    let gone = Arc::clone(&bench.pool);
    let stays = specs(&[SocketAddr::from(([127, 0, 0, 1], gone.backends()[0].port()))]);
    bench.replace(stays, one_round(LONG));
    assert_eq!(told.recv_timeout(SOON), Ok("cut off"));
    assert!(bench.watch.first_round(SOON), "nor waited for");
    let [passed, _] = bench.checks(0);
    bench.watch.hurry();
    bench.await_checks(0, passed + 1);
    assert!(told.is_empty() && bench.events.is_empty());
    assert_eq!(gone.backends()[1].counts().checks_failed, 0);
}

#[test]
fn the_first_round_waits_for_nobody_who_came_later() {
    let (opened, gate) = unbounded::<()>();
    let address = server(move |mut stream, _| {
        let _ = gate.recv_timeout(SOON);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let (late, told) = patient();
    let mut bench = Bench::start(specs(&[address]), one_round(LONG));
    bench.replace(specs(&[address, late]), one_round(LONG));
    assert_eq!(told.recv_timeout(SOON), Ok("asked"));
    assert!(!bench.watch.first_round(ms(1)));
    opened.send(()).unwrap();
    assert!(bench.watch.first_round(SOON));
}

#[test]
fn another_question_is_asked_at_once_and_its_answer_judged_by_it() {
    let (heard, requests) = unbounded();
    let address = server(move |mut stream, request| {
        heard.send(request.split(' ').nth(1).map(str::to_owned)).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    });
    let mut bench = Bench::checked(&[address], one_round(LONG));
    assert_eq!(bench.checks(0), [0, 1]);
    let expect = Some(Statuses::new(vec![503..=503]));
    let settings = Settings { path: "/other".into(), expect, ..one_round(LONG) };
    bench.replace(specs(&[address]), settings);
    bench.await_checks(0, 2);
    assert_eq!(bench.checks(0), [1, 1]);
    let asked: Vec<String> = requests.try_iter().flatten().collect();
    assert_eq!(asked, ["/health", "/other"]);
}

#[test]
fn checks_are_turned_on_and_off() {
    let (address, told) = patient();
    let off = Settings { interval: None, ..one_round(LONG) };
    let mut bench = Bench::start(specs(&[address]), off.clone());
    assert!(bench.watch.first_round(SOON));
    assert!(told.is_empty());
    bench.replace(specs(&[address]), one_round(LONG));
    assert_eq!(told.recv_timeout(SOON), Ok("asked"));
    bench.replace(specs(&[address]), off);
    assert_eq!(told.recv_timeout(SOON), Ok("cut off"));
    bench.watch.hurry();
    bench.watch.stop();
    assert!(told.is_empty() && bench.events.is_empty());
}
