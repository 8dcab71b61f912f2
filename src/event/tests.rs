//! The mouth as a whole: log, ring and throttle agree; each event has one level.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, SystemTime};

use super::ring::Ring;
use super::*;
use crate::log::Level::{self, Error, Info, Warn};
use crate::log::OwnEvent;
use crate::log::tests::{piped, text_of};
use crate::text::Traffic;

const LONG: Duration = Duration::from_secs(20);

fn moved(words: &str, tell: impl FnOnce(Event)) {
    tell(Event::Moved { backend: "a", what: &words });
}

fn standing(shift: Shift) -> Event<'static> {
    let (by, is_fault) = (By::Sight, true);
    Event::Standing { backend: "a", pool: None, shift, by, is_fault, why: "x", words: &"x" }
}

fn judged(is_grave: bool) -> Event<'static> {
    Event::Judged { backend: "a", is_grave, words: &"x" }
}

fn unavailable(pool: Option<&str>) -> Event<'_> {
    Event::Unavailable { pool, none: &"none is usable", how: "answering 503", request: &"GET /" }
}

fn of(about: About) -> Event<'static> {
    Event::Complaint { backend: "a", about, what: &"x" }
}

fn complaint<'e>(backend: &'e str, what: &'e &str) -> Event<'e> {
    Event::Complaint { backend, about: About::Reset, what }
}

/// The lines of the ring as the log writes them, without the time.
fn remembered(teller: &Teller) -> Vec<String> {
    let level = |level| match level {
        Error => "ERROR",
        Warn => "WARN ",
        Info => "INFO ",
    };
    let line = |told: &std::sync::Arc<Told>| format!("{} {}", level(told.class.level), told.text);
    teller.since(0).events.iter().map(line).collect()
}

/// The lines of the log, without the time.
fn logged(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_once(' ').unwrap().1).collect()
}

#[test]
fn each_event_has_one_level_and_a_word_of_its_own() {
    let (backend, text, words, error) = ("a", "x", &"x", &std::io::Error::other("x"));
    let (address, client) = (SocketAddr::from(([127, 0, 0, 1], 80)), Ipv4Addr::LOCALHOST.into());
    let table: &[(Event, _, _)] = &[
        (standing(Shift::Up), "up", Info),
        (standing(Shift::Out), "out", Warn),
        (standing(Shift::LastOut), "last-out", Error),
        (judged(true), "spared", Warn),
        (judged(false), "judged", Info),
        (of(About::Connect), "connect", Warn),
        (of(About::Reset), "reset", Warn),
        (of(About::Timeout), "timeout", Warn),
        (of(About::NoHttp), "no-http", Warn),
        (of(About::BadAnswer), "bad-answer", Warn),
        (of(About::Status), "status", Warn),
        (of(About::Surplus), "surplus", Warn),
        (of(About::Repaired), "repaired", Warn),
        (of(About::NoPort), "no-port", Warn),
        (Event::Habit { backend, learnt: words }, "habit", Info),
        (Event::Moved { backend, what: words }, "moved", Info),
        (Event::Unresolved { backend, why: words }, "unresolved", Warn),
        (Event::UnknownPath { backend, what: words }, "unknown-path", Warn),
        (Event::NoneFound { pool: None }, "none-found", Error),
        (Event::NoneLeft { pool: None, is_fault: true }, "none-left", Error),
        (unavailable(None), "unavailable", Error),
        (Event::Busy { pool: None, why: text, how: text, request: words }, "busy", Warn),
        (Event::Paused { pool: None, traffic: Traffic::Requests, at_most: LONG }, "paused", Warn),
        (Event::Resumed { pool: None, traffic: Traffic::Requests, held: 1 }, "resumed", Info),
        (Event::PauseOver { pool: None, traffic: Traffic::Requests, held: 1 }, "pause-over", Warn),
        (Event::Unshaken { client, why: words }, "handshake", Info),
        (Event::Stranger { peer: client }, "stranger", Warn),
        (Event::Unprefaced { peer: client, why: words }, "preface", Warn),
        (Event::Full { listener: None, limit: 1 }, "full", Warn),
        (Event::Crowded { taken: 1, limit: 1, leaving: 1 }, "crowded", Warn),
        (Event::Exhausted { doing: text, error: words }, "exhausted", Error),
        (Event::Lowered(text), "lowered", Warn),
        (Event::ChecksShort(text), "checks-short", Warn),
        (Event::Configuration(text), "configuration", Warn),
        (Event::Certificate(text), "certificate", Warn),
        (Event::Reloaded(text), "reloaded", Info),
        (Event::NotReloaded(text), "not-reloaded", Error),
        (Event::Admin { visit: Visit::Open, words: text }, "admin", Info),
        (Event::Admin { visit: Visit::Asked, words: text }, "asked", Info),
        (Event::Admin { visit: Visit::Refused, words: text }, "refused", Warn),
        (Event::Renewed(text), "renewed", Info),
        (Event::NotRenewed(text), "not-renewed", Warn),
        (Event::Listening { address, summary: text }, "listening", Info),
        (Event::Unready { lame_duck: LONG }, "unready", Info),
        (Event::Stopping { connections: 1, patience: LONG }, "stopping", Info),
        (Event::CutOff { connections: 1 }, "cut-off", Warn),
        (Event::Stopped, "stopped", Info),
        (Event::Panicked, "panicked", Error),
        (Event::Upgraded(text), "upgraded", Info),
        (Event::NotUpgraded(text), "not-upgraded", Error),
        (Event::Stuck { thread: text }, "stuck", Error),
        (Event::Died { thread: text }, "died", Error),
        (Event::Delayed { alert: text, why: text }, "alert-delayed", Warn),
        (Event::Delivered { alert: text, how: text }, "alert-delivered", Info),
        (Event::Undelivered { alert: text, why: text }, "alert-undelivered", Error),
        (Event::Log(&OwnEvent::Dropped(1)), "log-dropped", Warn),
        (Event::Log(&OwnEvent::Lost { lines: 1, why: text }), "log-lost", Error),
        (Event::Log(&OwnEvent::Reopened(text)), "log-reopened", Info),
        (Event::Log(&OwnEvent::NotReopened { name: text, error }), "log-not-reopened", Error),
    ];
    each_is_its_own(table);
}

fn each_is_its_own(table: &[(Event, &str, Level)]) {
    for (event, word, level) in table {
        let class = event.class();
        assert_eq!((class.word, class.level), (*word, *level));
        assert!(!event.to_string().is_empty(), "{word}");
        assert_eq!(table.iter().filter(|(_, other, _)| other == word).count(), 1, "{word}");
    }
}

#[test]
fn what_is_logged_is_remembered_line_by_line_with_its_time() {
    let (log, said) = piped();
    let teller = Teller::new(log);
    moved("b.test is at 127.0.0.2:80 now", |event| teller.tell(event));
    moved("a\r\nforged \u{9b}31m ü", |event| teller.tell(event));
    teller.tell(complaint("b", &"closed early"));
    teller.tell(complaint("b", &"closed early, again"));
    teller.tell(Event::Stopped);
    assert!(teller.log().flush(LONG));
    let lines = remembered(&teller);
    let backends: Vec<_> = teller
        .since(0)
        .events
        .iter()
        .map(|told| told.backend.clone().unwrap_or_default())
        .collect();
    drop(teller);
    let text = text_of(said);
    assert_eq!(logged(&text), lines);
    assert_eq!(lines[2..], ["WARN  backend b: closed early", "INFO  stopped"]);
    assert_eq!(backends, ["a", "a", "b", ""].map(Box::from));
}

#[test]
fn what_the_log_says_of_itself_is_remembered_too() {
    let (log, said) = piped();
    let teller = Teller::new(log);
    drop(said); // nobody reads it
    teller.tell(Event::Stopped);
    assert!(teller.log().flush(LONG));
    let lines = remembered(&teller);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].starts_with("ERROR log: 1 lines lost: stdout: "), "{lines:?}");
    assert_eq!(teller.since(1).events[0].class.word, "log-lost");
}

#[test]
fn a_flood_is_neither_logged_nor_remembered_but_counted() {
    struct Unformed;
    impl std::fmt::Display for Unformed {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("words were formed that nobody reads")
        }
    }
    let (log, _said) = piped();
    let teller = Teller::new(log);
    for _ in 0..2 {
        teller.tell(complaint("a", &"x"));
        teller.tell(complaint("b", &"x"));
        for backend in ["a", "b"] {
            teller.tell(Event::Complaint { backend, about: About::Reset, what: &Unformed });
        }
    }
    assert_eq!(remembered(&teller), ["WARN  backend a: x", "WARN  backend b: x"]);
    assert_eq!(teller.since(0).lost, 0, "what was not told has no number");
}

#[test]
fn a_full_listener_hides_no_other_and_not_that_all_is_full() {
    let (log, _said) = piped();
    let teller = Teller::new(log);
    for listener in [Some("a"), Some("b"), None, Some("a"), None] {
        teller.tell(Event::Full { listener, limit: 1 });
    }
    let lines = remembered(&teller);
    let starts = ["WARN  listener a: ", "WARN  listener b: ", "WARN  max_connections = 1"];
    assert_eq!(lines.len(), starts.len(), "{lines:?}");
    assert!(lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{lines:?}");
}

#[test]
fn a_pool_that_is_lost_hides_no_other() {
    let (log, _said) = piped();
    let teller = Teller::new(log);
    for pool in [Some("web"), Some("api"), Some("web"), None] {
        teller.tell(unavailable(pool));
    }
    let line = |pool: &str| format!("ERROR answering 503{pool}: none is usable; GET /");
    assert_eq!(remembered(&teller), [" in pool web", " in pool api", ""].map(line));
    let pools: Vec<_> = teller.since(0).events.iter().map(|told| told.pool.clone()).collect();
    assert_eq!(pools, [Some("web".into()), Some("api".into()), None]);
}

#[test]
fn the_ring_is_bounded_and_tells_how_many_it_has_forgotten() {
    let ring = Ring::default();
    let long = "\u{e9}\u{9b}".repeat(2000);
    let told = RING_MAX as u64 + 250;
    for _ in 0..told {
        ring.keep(&Event::Stopped, SystemTime::now(), &long);
    }
    let all = ring.since(0);
    assert_eq!((all.events.len(), all.lost), (RING_MAX, 250));
    assert!(all.events.iter().map(|told| told.number).eq(251..=told));
    for told in &all.events {
        assert!(told.text.len() <= 200 && told.text.ends_with("..."), "{}", told.text);
        assert!(!told.text.contains('\u{9b}'));
    }
    let numbers = |since: Since| {
        let numbers: Vec<u64> = since.events.iter().map(|told| told.number).collect();
        (numbers, since.lost)
    };
    assert_eq!(numbers(ring.since(told - 2)), (vec![told - 1, told], 0));
    assert_eq!(numbers(ring.since(told)), (vec![], 0));
    assert_eq!(ring.since(250).lost, 0);
    assert_eq!(ring.since(249).lost, 1);
    assert_eq!(ring.since(told + 1), all, "a number from before a restart");
}

#[test]
fn tellers_side_by_side_leave_no_gap_and_no_number_twice() {
    let (log, _said) = piped();
    let teller = Teller::new(log);
    const EACH: usize = RING_MAX / 4;
    thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let teller = teller.clone();
            scope.spawn(move || {
                for number in 0..EACH {
                    teller.tell(Event::Moved { backend: name, what: &number });
                }
            });
        }
    });
    let all = teller.since(0);
    assert!(all.events.iter().map(|told| told.number).eq(1..=RING_MAX as u64));
    for name in ["a", "b", "c", "d"] {
        let own = all.events.iter().filter(|told| told.backend.as_deref() == Some(name));
        let in_order = (0..EACH).map(|number| format!("backend {name}: {number}"));
        assert!(own.map(|told| told.text.to_string()).eq(in_order), "each in its own order");
    }
}
