//! The threads of a watch: there are two, they end at once, and one that panics is told of.

use super::*;
use crate::watch::spawn;

#[test]
fn stopping_waits_for_no_interval_and_no_check() {
    let (reached, asked) = unbounded();
    let address = server(move |mut stream, _| {
        reached.send(()).unwrap();
        let _ = stream.read(&mut [0]);
        reached.send(()).unwrap();
    });
    let hole = black_hole();
    let long = Duration::from_secs(3600);
    let settings = Settings { names_every: long, ..one_round(long) };
    let watched = Bench::start(specs(&[address, hole.address]), settings);
    asked.recv_timeout(SOON).unwrap();
    let began = Instant::now();
    watched.watch.stop();
    assert!(began.elapsed() < Duration::from_secs(5));
    asked.recv_timeout(SOON).expect("the check under way is cut off");
    assert_eq!(watched.pool.backends()[0].standing(SOON), Standing::Up, "and not held against it");
    assert!(watched.events.is_empty());
}

#[test]
fn a_thread_that_panics_is_told_of() {
    let (on, events) = hearing();
    let quiet = || std::panic::resume_unwind(Box::new("a bug"));
    assert!(spawn("checks", &on, quiet).unwrap().join().is_err());
    let told = Heard::Told("died", "thread checks panicked: ending the process".into());
    assert_eq!(events.recv_timeout(SOON).unwrap(), told);
    spawn("checks", &on, || ()).unwrap().join().unwrap();
    assert!(events.is_empty(), "one that ends in peace is not");
}

#[test]
fn the_number_of_threads_is_bounded() {
    alone("threads::alone_there_are_few_threads", &[]);
}

/// Threads of this process by the name of `name`.
fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.flat_map(|task| std::fs::read_to_string(task.path().join("comm")));
    names.filter(|found| found.trim() == name).count()
}

#[test]
#[ignore = "run by the_number_of_threads_is_bounded"]
fn alone_there_are_few_threads() {
    let all = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = all();
    let hole = black_hole();
    let many = Bench::start(specs(&[hole.address; 50]), Settings { timeout: ms(160), ..quick() });
    for _ in 0..3 {
        many.await_checks(0, 1 + many.pool.backends()[0].counts().checks_failed);
        assert_eq!((["checks", "names"].map(threads), all()), ([1, 1], before + 2));
    }
    many.watch.stop();
    await_that("threads end", || all() == before);
}
