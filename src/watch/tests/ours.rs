//! What we are short of ourselves, be it descriptors or time, is held against no backend.

use super::*;
use crate::pool::Backend;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// Takes the descriptors away; what the limit was.
fn no_more_descriptors() -> Rlimit {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..limit }).unwrap();
    limit
}

#[test]
fn want_of_descriptors_is_not_held_against_a_backend() {
    alone("ours::alone_descriptors_run_out_and_come_back", &[]);
}

#[test]
#[ignore = "run by want_of_descriptors_is_not_held_against_a_backend"]
fn alone_descriptors_run_out_and_come_back() {
    let watched = Bench::checked(&[status(200)], quick());
    let limit = no_more_descriptors();
    let text = watched.next_of("checks-short");
    assert!(text.starts_with("backends are not checked, for want of our own: "), "{text}");
    let counts = || watched.pool.backends()[0].counts();
    let passed = counts().checks_passed;
    setrlimit(Resource::Nofile, limit).unwrap();
    watched.await_checks(0, passed + 3);
    assert_eq!(counts().checks_failed, 0);
    assert!(watched.events.is_empty());
}

/// Beside one that fails, which is told to a listener who takes his time: the checks thread gets no
/// further, as if the process had been stopped, until the others have answered and are overdue.
#[test]
fn an_answer_that_came_while_nobody_looked_is_as_good_as_any() {
    const COUNT: usize = 200;
    const TIMEOUT: Duration = ms(3000);
    let (asked, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let is_away = Arc::new(AtomicBool::new(false));
    let good = {
        let (asked, answered) = (Arc::clone(&asked), Arc::clone(&answered));
        let is_away = Arc::clone(&is_away);
        server(move |mut stream, _| {
            asked.fetch_add(1, Relaxed);
            await_that("the thread is away", || is_away.load(Relaxed));
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            answered.fetch_add(1, Relaxed);
        })
    };
    let bad = {
        let asked = Arc::clone(&asked);
        server(move |_, _| await_that("all are asked", || asked.load(Relaxed) == COUNT))
    };
    let mut addresses = vec![good; COUNT];
    addresses.push(bad);
    let named =
        |(index, at): (usize, &SocketAddr)| Spec { port: at.port(), ..spec(&index.to_string()) };
    let pool = pool_of(addresses.iter().enumerate().map(named).collect(), Rules::default());
    let first = watching_by(&pool, Vec::new(), one_round(TIMEOUT));
    let epoch = Instant::now();
    let on = move |_: WatchEvent| {
        if !is_away.swap(true, Relaxed) {
            await_that("all have answered", || answered.load(Relaxed) == COUNT);
            await_that("all are overdue", || epoch.elapsed() > 2 * TIMEOUT);
        }
    };
    let watch = Watch::start(first, epoch, as_it_is(), on).unwrap();
    assert!(watch.first_round(SOON));
    let failed = |backend: &&Backend| backend.counts().checks_failed > 0;
    assert_eq!(pool.backends().iter().filter(failed).count(), 1);
}
