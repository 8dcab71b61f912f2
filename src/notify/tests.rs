//! When somebody is told: each promise of the book, and what holds whatever happens.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::incident::Book;
use super::known::FLAPPING_WITHIN;
use super::news::{News, What};
use super::notice::{Aside, Item, Notice, State, blank};
use super::scene::{Sight, SightCheck};
use super::{Message, words};
use crate::config::{Alert, AlertKind, Occasion};
use crate::event::Shift;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Seconds from the last change of one that flaps until it is told to be calm.
const CALM: u64 = FLAPPING_WITHIN.as_secs() + 5;

pub(super) fn alert() -> Alert {
    Alert {
        name: "night".into(),
        kind: AlertKind::Command(vec!["/bin/true".into()]),
        on: Occasion::ALL.to_vec(),
        wait: s(5),
        repeat: Some(s(4 * 3600)),
        resolved: true,
        hourly_max: 20,
        timeout: s(10),
    }
}

fn news(what: What) -> News {
    News { when: SystemTime::UNIX_EPOCH, is_start: false, what }
}

fn moved(name: &str, is_out: bool, is_last: bool) -> News {
    moved_in("", name, is_out, is_last)
}

fn moved_in(pool: &str, name: &str, is_out: bool, is_last: bool) -> News {
    let [name, pool, reason] = [name, pool, "status 503"].map(str::to_owned);
    let shift = if is_out { gone(is_last) } else { Shift::Up };
    news(What::Backend { name, pool, is_out, shift, is_wanted: false, reason })
}

fn gone(is_last: bool) -> Shift {
    if is_last { Shift::LastOut } else { Shift::Out }
}

fn wanted(name: &str, is_last: bool) -> News {
    let (name, reason) = (name.to_owned(), "set to drain by an operator".to_owned());
    let (pool, shift) = (String::new(), gone(is_last));
    news(What::Backend { name, pool, is_out: false, shift, is_wanted: true, reason })
}

/// Plays news at their seconds, tells whenever that is due up to `end`, and shows what was told.
fn play(book: &mut Book, events: &[(u64, News)], end: u64) -> Vec<(u64, Notice)> {
    let mut told = Vec::new();
    let mut events = events.iter().peekable();
    let mut now = Duration::ZERO;
    loop {
        let due = book.next().map(|at| at.max(now)).filter(|at| *at <= s(end));
        let heard = events.peek().map(|(at, _)| s(*at));
        match (due, heard) {
            (Some(due), heard) if heard.is_none_or(|at| due < at) => {
                now = due;
                told.extend(book.tell(now).into_iter().map(|notice| (now.as_secs(), notice)));
            }
            (_, Some(at)) => {
                now = at;
                book.hear(&events.next().unwrap().1, now);
            }
            (None, None) => return told,
            (Some(_), None) => unreachable!(),
        }
    }
}

/// As `5 down#1: a`.
fn shown(told: &[(u64, Notice)]) -> Vec<String> {
    let line = |(at, notice): &(u64, Notice)| {
        let names = notice.items.iter().map(|item| item.backend.as_deref().unwrap_or("-"));
        let again = if notice.again { " again" } else { "" };
        let names = names.collect::<Vec<_>>().join(" ");
        format!("{at} {}#{}{again}: {names}", notice.kind, notice.incident)
    };
    told.iter().map(line).collect()
}

fn told(alert: &Alert, events: &[(u64, News)], end: u64) -> Vec<String> {
    shown(&play(&mut Book::new(alert), events, end))
}

#[test]
fn a_night_is_told_in_four_messages() {
    let events = [
        (0, moved("a", true, false)),
        (9, moved("b", true, false)),
        (10, moved("c", true, true)),
        (30, moved("a", false, false)),
        (40, moved("b", false, false)),
        (43, moved("c", false, false)),
    ];
    let said = ["5 down#1: a", "10 all-down#1: b c", "35 up#1: a", "45 recovered#1: b c"];
    assert_eq!(told(&alert(), &events, 3600), said);
}

#[test]
fn what_comes_and_goes_within_the_wait_is_told_by_nobody() {
    let events = [(0, moved("a", true, false)), (4, moved("a", false, false))];
    assert!(told(&alert(), &events, 3600).is_empty());
    let events = [events.as_slice(), &[(4, moved("b", true, false))]].concat();
    assert_eq!(told(&alert(), &events, 3600), ["5 down#1: b"]);
}

#[test]
fn all_that_happens_within_the_wait_is_one_digest_and_zero_waits_for_none() {
    let events = [0, 1, 2, 4].map(|at| (at, moved(&format!("b{at}"), true, false)));
    assert_eq!(told(&alert(), &events, 60), ["5 down#1: b0 b1 b2 b4"]);
    let hasty = Alert { wait: Duration::ZERO, ..alert() };
    assert_eq!(told(&hasty, &events, 60).len(), 4);
}

#[test]
fn no_backend_up_is_told_at_once_and_once() {
    let events =
        [(0, moved("a", true, true)), (1, moved("a", true, true)), (9, moved("b", true, true))];
    assert_eq!(told(&alert(), &events, 60), ["0 all-down#1: a", "14 down#1: b"]);
    let events = [
        (3, news(What::NoneUp(String::new(), "no name resolves".into()))),
        (20, moved("x", false, false)),
    ];
    assert_eq!(told(&alert(), &events, 60), ["3 all-down#1: -", "25 recovered#1: "]);
}

#[test]
fn what_an_operator_does_is_told_by_nobody_but_it_may_end_an_incident() {
    let events = [
        (0, wanted("a", false)),
        (1, wanted("b", true)),
        (20, wanted("a", false)),
        (30, moved("a", false, false)),
    ];
    assert!(told(&alert(), &events, 3600).is_empty());
    let left = News { when: SystemTime::UNIX_EPOCH + s(60), ..wanted("a", false) };
    let events = [(0, moved("a", true, false)), (60, left)];
    let after = play(&mut Book::new(&alert()), &events, 3600);
    assert_eq!(shown(&after), ["5 down#1: a", "65 recovered#1: a"]);
    let Item { aside, when, .. } = after[1].1.items[0];
    assert_eq!((aside, when), (Aside::Left, SystemTime::UNIX_EPOCH + s(60)), "at its own time");
    let events = [(0, moved("a", true, false)), (3, wanted("a", false))];
    assert!(told(&alert(), &events, 3600).is_empty());
}

#[test]
fn one_that_an_operator_wants_back_and_that_is_found_bad_is_told() {
    let found_bad = |is_last| {
        let (name, reason) = ("a".to_owned(), "check failed: status 503".to_owned());
        let (pool, shift) = (String::new(), gone(is_last));
        news(What::Backend { name, pool, is_out: true, shift, is_wanted: true, reason })
    };
    let events = [(0, wanted("a", false)), (20, found_bad(false)), (40, moved("a", false, false))];
    assert_eq!(told(&alert(), &events, 3600), ["25 down#1: a", "45 recovered#1: a"]);
    let events = [(0, wanted("a", true)), (20, found_bad(true))];
    assert_eq!(told(&alert(), &events, 60), ["20 all-down#1: a"]);
}

#[test]
fn four_changes_within_ten_minutes_are_one_flapping_and_what_follows_is_told_once_it_is_calm() {
    let changes = |count: u64| (0..count).map(|n| (n * 60, moved("a", n % 2 == 0, false)));
    let mut events: Vec<_> = changes(4).collect();
    let said = ["5 down#1: a", "65 recovered#1: a", "125 down#2: a", "185 flapping#2: a"];
    assert_eq!(told(&alert(), &events, 700), said);
    events = changes(40).collect();
    let mut said: Vec<String> = said.map(str::to_owned).to_vec();
    said.push(format!("{} recovered#2: a", 39 * 60 + CALM));
    assert_eq!(told(&alert(), &events, 3600), said);
    events = changes(41).collect();
    said.pop();
    said.push(format!("{} down#2: a", 40 * 60 + CALM));
    assert_eq!(told(&alert(), &events, 3600), said);
}

/// That clients are served again is no word about one that comes and goes.
#[test]
fn one_that_was_told_to_flap_is_told_to_be_calm_though_an_end_was_told_before() {
    use Occasion::{AllDown, Down, Flapping, Recovered};
    let mut events: Vec<_> = (0..4).map(|n| (n * 60, moved("a", n % 2 == 0, false))).collect();
    events.extend([
        (200, moved("a", true, false)),
        (210, moved("b", true, true)),
        (220, moved("b", false, false)),
        (230, moved("a", false, false)),
    ]);
    let on = vec![Down, AllDown, Flapping, Recovered];
    let said = told(&Alert { on, ..alert() }, &events, 3600);
    let end = ["210 all-down#2: b", "225 recovered#2: b", "835 recovered#2: a"];
    assert_eq!(said[4..], end, "{said:?}");
    let said = told(&Alert { on: vec![AllDown, Recovered], ..alert() }, &events, 3600);
    assert_eq!(said, ["210 all-down#2: b", "225 recovered#2: b"], "who hears of no flapping");
}

/// What happens within the wait is one message, here too.
#[test]
fn two_that_are_calm_within_the_wait_are_told_at_once() {
    let both = |at: u64| ["a", "b"].map(|name| (at, moved(name, at.is_multiple_of(120), false)));
    let mut events: Vec<_> = [0, 60, 120, 180].into_iter().flat_map(both).collect();
    events[7].0 += 1;
    let said = told(&alert(), &events, 3600);
    assert_eq!(said.last().unwrap(), &format!("{} recovered#2: a b", 180 + CALM), "{said:?}");
    assert!(!said.iter().any(|line| line.contains(" up#")), "{said:?}");
}

#[test]
fn the_only_one_that_flaps_is_told_as_that_and_not_each_time_as_all_down() {
    let events: Vec<_> = (0..40).map(|n| (n * 10, moved("a", n % 2 == 0, n % 2 == 0))).collect();
    let said = told(&alert(), &events, 500);
    assert_eq!(said[..2], ["0 all-down#1: a", "15 recovered#1: a"], "{said:?}");
    let flapping = said.iter().filter(|line| line.contains("flapping")).count();
    assert!(flapping == 1 && said.len() <= 5, "{said:?}");
    let events: Vec<_> = (0..5).map(|n| (n * 10, moved("a", n % 2 == 0, n % 2 == 0))).collect();
    let said = told(&alert(), &events, 500);
    assert!(said.last().unwrap().starts_with("100 all-down"), "it stays away: {said:?}");
}

#[test]
fn what_lasts_is_told_again_and_what_is_over_is_not() {
    let often = Alert { repeat: Some(s(600)), ..alert() };
    let events = [(0, moved("a", true, false)), (1500, moved("a", false, false))];
    let said =
        ["5 down#1: a", "605 down#1 again: a", "1205 down#1 again: a", "1505 recovered#1: a"];
    assert_eq!(told(&often, &events, 9000), said);
    let never = Alert { repeat: None, ..alert() };
    assert_eq!(told(&never, &events[..1], 100_000), ["5 down#1: a"]);
    let unwanted = Alert { on: vec![Occasion::AllDown], ..often };
    assert!(told(&unwanted, &events[..1], 9000).is_empty());
}

#[test]
fn only_what_is_asked_for_is_told() {
    let events = [
        (0, moved("a", true, false)),
        (10, moved("b", true, true)),
        (30, moved("a", false, false)),
        (50, moved("b", false, false)),
    ];
    let on = |on: &[Occasion], resolved| Alert { on: on.to_vec(), resolved, ..alert() };
    let worst = [Occasion::AllDown, Occasion::Recovered];
    // That is over with the first that is back.
    let said = ["10 all-down#1: b", "35 recovered#1: a"];
    assert_eq!(told(&on(&worst, true), &events, 60), said);
    assert_eq!(told(&on(&worst, false), &events, 60), ["10 all-down#1: b"]);
    assert!(told(&on(&[Occasion::Recovered, Occasion::Up], true), &events, 60).is_empty());
    assert_eq!(told(&on(&[Occasion::Down], true), &events, 60), ["5 down#1: a", "10 down#1: b"]);
}

#[test]
fn the_same_words_are_told_once_and_a_reload_that_does_ends_them() {
    let single = |kind, words: &str| news(What::Single(kind, words.into()));
    let failed = |words| single(Occasion::ReloadFailed, words);
    let events = [
        (0, failed("line 1")),
        (60, failed("line 1")),
        (120, failed("line 2")),
        (180, news(What::Over(Occasion::ReloadFailed, "reloaded".into()))),
        (240, news(What::Over(Occasion::ReloadFailed, "reloaded".into()))),
        (300, single(Occasion::Certificate, "x expires")),
        (300, single(Occasion::Exhausted, "no descriptors")),
        (310, single(Occasion::Stuck, "thread worker 1")),
        (9000, single(Occasion::Certificate, "x expires")),
        (20_000, single(Occasion::Certificate, "x expires")),
    ];
    let said = [
        "5 reload-failed#1: -",
        "125 reload-failed#1: -",
        "185 recovered#1: -",
        "305 certificate#2: -",
        "305 exhausted#3: -",
        "310 stuck#4: -",
        "20005 certificate#5: -",
    ];
    assert_eq!(told(&alert(), &events, 30_000), said);
}

#[test]
fn a_thousand_changes_stay_under_the_cap_and_the_last_says_so() {
    let hasty = Alert { wait: Duration::ZERO, ..alert() };
    let names: Vec<String> = (0..500).map(|n| format!("b{n}")).collect();
    let mut events: Vec<(u64, News)> = (0..1000)
        .map(|n| (n as u64 * 60 / 1000, moved(&names[n / 2], n % 2 == 0, false)))
        .collect();
    events.push((61, moved("last", true, true)));
    events.push((63, moved("last", false, false)));
    let mut book = Book::new(&hasty);
    let told = play(&mut book, &events, 5000);
    let within_the_hour = told.iter().filter(|(at, _)| *at < 3600).count();
    assert_eq!(within_the_hour, 20);
    assert_eq!(told[..20].iter().filter(|(_, it)| it.last_for.is_some()).count(), 2);
    let [next_to_last, last] = [18, 19].map(|at| said(&told[at].1, &[], 61).text);
    let may_follow = "told in one message then.\nOnly that no backend is up would be told before";
    assert!(next_to_last.contains(may_follow) && !last.contains("Only that"), "{last}");
    assert!(told[18].1.last_for.is_some() && told[18].1.kind != Occasion::AllDown);
    assert_eq!((told[19].0, told[19].1.kind), (61, Occasion::AllDown), "its place was kept");
    let after = &told[20];
    assert_eq!(after.1.kind, Occasion::Recovered, "{after:?}");
    assert!((3600..3700).contains(&after.0) && after.1.held > 0, "{after:?}");
    assert!(book.held_back() >= after.1.held);
}

pub(super) fn sight(name: &str, is_out: bool) -> Sight {
    Sight {
        name: name.into(),
        pool: String::new(),
        address: "192.0.2.1:1".into(),
        standing: if is_out { "down" } else { "up" }.into(),
        is_up: !is_out,
        is_out,
        stood_for: s(1),
        why: "x".into(),
        checks: Vec::new(),
    }
}

#[test]
fn a_book_that_begins_late_learns_that_none_is_up() {
    let mut book = Book::new(&Alert { on: vec![Occasion::AllDown], ..alert() });
    let all = ["a", "b"].map(|name| sight(name, true));
    book.align(0, &all, SystemTime::UNIX_EPOCH, s(10));
    assert_eq!(shown(&play(&mut book, &[], 60)), ["10 all-down#1: a b"]);
}

#[test]
fn what_was_missed_is_made_up_for_and_who_is_gone_is_out_no_more() {
    let mut book = Book::new(&alert());
    book.hear(&moved("a", true, false), s(0));
    book.hear(&moved("gone", true, false), s(0));
    assert_eq!(book.tell(s(5)).len(), 1);
    book.align(7, &[sight("a", false), sight("b", true)], SystemTime::UNIX_EPOCH, s(6));
    let told = book.tell(s(11));
    assert_eq!(shown(&[(11, told[0].clone())]), ["11 down#1: b a gone"]);
    assert_eq!(told[0].missed, 7);
    book.inherit("c", "told before", SystemTime::UNIX_EPOCH, s(12));
    assert!(book.tell(s(20)).is_empty());
}

fn anything() -> impl Strategy<Value = Vec<(u64, u8, u8)>> {
    prop::collection::vec((0..400u64, 0..5u8, 0..10u8), 0..200)
}

fn subject(kind: Occasion, items: &[(&str, State, &str)]) -> String {
    let author = words::Teller { host: "lb".into(), address: "a:1".into(), key: "k".into() };
    let item = |(name, state, reason): &(&str, State, &str)| Item {
        backend: Some((*name).to_owned()),
        state: *state,
        aside: if reason.starts_with("left") { Aside::Left } else { Aside::None },
        reason: (*reason).to_owned(),
        when: SystemTime::UNIX_EPOCH,
    };
    let items = items.iter().map(item).collect();
    let notice = Notice { items, ..blank(kind, 1, SystemTime::UNIX_EPOCH) };
    author.message(&notice, &[], SystemTime::UNIX_EPOCH).subject
}

#[test]
fn a_subject_calls_nobody_down_who_is_up() {
    let items = [("b", State::Out, "status 503"), ("a", State::Well, "status 200")];
    assert_eq!(subject(Occasion::Down, &items), "[evenly lb] b down: status 503");
    assert_eq!(subject(Occasion::Up, &items), "[evenly lb] a up again");
    let items = [("b", State::Out, "status 503"), ("a", State::Out, "refused")];
    assert_eq!(subject(Occasion::Down, &items), "[evenly lb] b, a down; b: status 503");
    let items = [("a", State::Well, "status 200"), ("b", State::Well, "left to an operator")];
    let said = "[evenly lb] recovered: a up again, b left to an operator";
    assert_eq!(subject(Occasion::Recovered, &items), said);
    assert_eq!(subject(Occasion::Recovered, &[]), "[evenly lb] recovered");
}

fn said(notice: &Notice, all: &[Sight], at: u64) -> Message {
    let author = words::Teller { host: "lb".into(), address: "a:1".into(), key: "k".into() };
    author.message(notice, all, SystemTime::UNIX_EPOCH + s(at))
}

/// One that was ejected and is down by checks now, or that an operator has let go.
#[test]
fn the_reason_is_that_of_how_it_stands_when_it_is_told() {
    let told = play(&mut Book::new(&alert()), &[(0, moved("a", true, false))], 10);
    let why = "check failed: refused".to_owned();
    let now = Sight { why, stood_for: s(0), ..sight("a", true) };
    let message = said(&told[0].1, &[now, sight("b", false)], 3);
    assert_eq!(message.subject, "[evenly lb] a down: check failed: refused; 1 of 2 up");
    assert_eq!(message.fact("reason"), Some("check failed: refused"));
    assert!(message.text.contains("a (192.0.2.1:1): down for 0 s; last"), "{}", message.text);
    // Each reason has its own time.
    let lines = "1970-01-01T00:00:00.000Z  a down: status 503\n    \
                 since 1970-01-01T00:00:03.000Z: check failed: refused\n";
    assert!(message.text.contains(lines), "{}", message.text);
    // Of one that is up by now, what took it out is all that is known.
    let message = said(&told[0].1, &[sight("a", false), sight("b", false)], 3);
    assert_eq!(message.subject, "[evenly lb] a down: status 503; 2 of 2 up");
}

#[test]
fn that_none_is_up_is_told_since_the_last_one_went() {
    let at =
        |second, news: News| (second, News { when: SystemTime::UNIX_EPOCH + s(second), ..news });
    let events = [at(0, moved("a", true, false)), at(60, moved("b", true, true))];
    let mut book = Book::new(&alert());
    let told = play(&mut book, &events, 61);
    assert_eq!(shown(&told), ["5 down#1: a", "60 all-down#1: b"]);
    let since = |notice: &Notice| notice.since.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!((since(&told[0].1), since(&told[1].1)), (s(0), s(60)));
    let text = said(&told[1].1, &[sight("a", true), sight("b", true)], 60).text;
    let lines = "Since: 1970-01-01T00:01:00.000Z (0 s ago)\n\
                 Incident began: 1970-01-01T00:00:00.000Z (1 min ago)\n";
    assert!(text.contains(lines), "{text}");
    let mut after = Book::new(&alert());
    after.succeed(&book.hand_over("k").unwrap(), &[], s(0));
    let told = play(&mut after, &[], 4 * 3600);
    assert_eq!(shown(&told), ["14400 all-down#1 again: a b"]);
    assert_eq!(since(&told[0].1), s(60));
    // Nobody was there to hear it.
    let mut book = Book::new(&alert());
    let all = [Sight { stood_for: s(90), ..sight("a", true) }, sight("b", true)];
    book.align(0, &all, SystemTime::UNIX_EPOCH + s(100), s(100));
    let told = book.tell(s(100));
    assert_eq!((told[0].kind, since(&told[0])), (Occasion::AllDown, s(99)));
    assert_eq!(told[0].items[0].when, SystemTime::UNIX_EPOCH + s(10));
}

/// It was down, an operator took it out and lets it go again, and none has been up meanwhile.
#[test]
fn whatever_is_told_while_none_is_up_says_so_and_is_critical() {
    let found_bad = News { when: SystemTime::UNIX_EPOCH, ..moved("a", true, true) };
    let events = [
        (0, moved("a", true, false)),
        (1, moved("b", true, true)),
        (20, wanted("a", true)),
        (40, found_bad),
    ];
    let told = play(&mut Book::new(&alert()), &events, 60);
    assert_eq!(shown(&told), ["1 all-down#1: a b", "25 up#1: a", "45 down#1: a"]);
    let message = said(&told[2].1, &[sight("a", true), sight("b", true)], 45);
    assert_eq!(message.subject, "[evenly lb] a down: x; NO BACKEND IS UP");
    assert_eq!(message.fact("severity"), Some("critical"));
    let message = said(&told[2].1, &[sight("a", true), sight("b", false)], 45);
    assert_eq!(message.fact("severity"), Some("warning"));
}

#[test]
fn who_flaps_is_said_not_to_be_told_of_until_it_is_calm() {
    let turns = [0, 60, 120, 180].map(|at| (at, moved("a", at % 120 == 0, false)));
    let told = play(&mut Book::new(&alert()), &turns, 200);
    let message = said(&told.last().unwrap().1, &[sight("a", false), sight("b", false)], 200);
    let subject = "[evenly lb] a flapping, up now; 2 of 2 up; silent until calm for 10 min";
    assert_eq!(message.subject, subject);
    let words = "What flaps has changed 4 times within 10 min. Nothing more is told of it\n\
                 until it has been calm for 10 min; then you hear how it stands.\n";
    assert!(message.text.contains(words), "{}", message.text);
}

#[test]
fn the_end_of_flapping_says_that_it_is_calm() {
    let turns = [0, 60, 120, 180].map(|at| (at, moved("a", at % 120 == 0, false)));
    let told = play(&mut Book::new(&alert()), &turns, 1000);
    let message = said(&told.last().unwrap().1, &[sight("a", false), sight("b", false)], 780);
    let subject = "[evenly lb] recovered: a up again, calm for 10 min; 2 of 2 up";
    assert_eq!(message.subject, subject);
    let line = "  a up: status 503; it flapped, and is calm for 10 min\n";
    assert!(message.text.contains(line), "{}", message.text);
}

/// Nobody knows since when, and it is no change.
#[test]
fn one_that_is_down_at_the_start_is_said_to_have_been_so_before_and_does_not_flap_by_it() {
    let found = News { is_start: true, ..moved("a", true, false) };
    let events = [
        (0, found),
        (60, moved("a", false, false)),
        (120, moved("a", true, false)),
        (180, moved("a", false, false)),
    ];
    let told = play(&mut Book::new(&alert()), &events, 1000);
    let lines = ["5 down#1: a", "65 recovered#1: a", "125 down#2: a", "185 recovered#2: a"];
    assert_eq!(shown(&told), lines);
    let text = said(&told[0].1, &[sight("a", true), sight("b", false)], 1).text;
    for line in [
        "1970-01-01T00:00:00.000Z  a down at the start: status 503\n",
        "a (192.0.2.1:1): down since before this start, 1 s ago; last checks:\n",
        "Since: 1970-01-01T00:00:00.000Z (1 s ago), or earlier: evenly has seen it no other way \
         since it started\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let text = said(&told[2].1, &[sight("a", true), sight("b", false)], 1).text;
    assert!(!text.contains(" start") && text.contains("a (192.0.2.1:1): down for 1 s;"), "{text}");
}

/// After a restart whoever was told before hears of the end, and of what never ends each by itself.
#[test]
fn a_key_is_the_same_for_each_process_and_another_for_each_thing() {
    let process = |events: &[(u64, News)]| -> Vec<String> {
        let told = play(&mut Book::new(&alert()), events, 100);
        told.iter().map(|(_, notice)| said(notice, &[], 0).key).collect()
    };
    let at = |second| (second, moved("a", true, false));
    assert_eq!(process(&[at(0)]), process(&[at(50)]));
    let single = |kind, words: &str| news(What::Single(kind, words.into()));
    let events = [
        at(0),
        (1, single(Occasion::ReloadFailed, "line 3")),
        (2, single(Occasion::Certificate, "a.pem has expired")),
        (20, news(What::Over(Occasion::ReloadFailed, "reloaded".into()))),
    ];
    let keys = ["k-backends", "k-reload-failed", "k-certificate-0", "k-reload-failed"];
    assert_eq!(process(&events), keys);
    // Nobody would close it, and the next one would be taken for it.
    let endless = Alert { resolved: false, ..alert() };
    let told = play(&mut Book::new(&endless), &[at(0)], 100);
    assert_eq!(said(&told[0].1, &[], 0).key, "k-backends-0");
    assert_eq!(words::key_of("a.b\nc", "[::]:80"), "evenly-a-b-c-80");
    assert_eq!(words::key_of("", "0.0.0.0:80"), "evenly--0-0-0-0-80");
}

proptest! {
    /// Whatever happens: the cap holds within every hour, no notice is empty-handed about a backend
    /// that stands as it was told, each incident is told before it is over, and in the end what was
    /// told last of each backend is how it stands, unless the cap held it back.
    #[test]
    fn what_is_told_last_is_how_it_stands(steps in anything(), max in 1..12u32, wait in 0..20u64) {
        let names = ["a", "b", "c", "d", "e"];
        let alert = Alert { hourly_max: max, wait: s(wait), repeat: None, ..alert() };
        let mut book = Book::new(&alert);
        let (mut out, mut at, mut events) = ([false; 5], 0, Vec::new());
        for (gap, who, what) in steps {
            at += gap;
            let who = usize::from(who);
            let is_last = |out: &[bool; 5]| out.iter().all(|it| *it);
            if what == 0 {
                out[who] = false;
                events.push((at, wanted(names[who], is_last(&out))));
            } else {
                out[who] = !out[who];
                events.push((at, moved(names[who], out[who], is_last(&out))));
            }
        }
        let told = play(&mut book, &events, at + 20_000);
        for (index, (from, _)) in told.iter().enumerate() {
            let within = told[index..].iter().take_while(|(at, _)| *at < from + 3600).count();
            prop_assert!(within <= max as usize, "{within} within the hour from {from}");
        }
        let mut open = std::collections::BTreeMap::new();
        for (at, notice) in &told {
            let is_end = matches!(notice.kind, Occasion::Recovered | Occasion::Up);
            let is_known = open.insert(notice.incident, *at).is_some();
            prop_assert!(!is_end || is_known || book.held_back() > 0, "{notice:?}");
        }
        if book.held_back() == 0 {
            for (who, name) in names.iter().enumerate() {
                let mut all = told.iter().flat_map(|(_, notice)| &notice.items);
                let last = all.rfind(|it| it.backend.as_deref() == Some(*name));
                let is_told_out = last.is_some_and(|item| item.state == State::Out);
                prop_assert_eq!(is_told_out, out[who], "{}: {:?}", name, told);
            }
        }
        prop_assert!(book.next().is_none_or(|next| next > s(at + 20_000)), "it rests");
    }

    /// Whatever backends and the system say: one line a subject, plain lines in a text, and a key
    /// that can stand anywhere.
    #[test]
    fn words_of_strangers_begin_no_line(
        name in "\\PC{0,40}",
        reason in any::<String>(),
        seen in any::<String>(),
        host in any::<String>(),
    ) {
        let author = words::Teller {
            key: words::key_of(&host, "[::]:80"),
            host: "lb".into(),
            address: "192.0.2.1:80".into(),
        };
        let item = Item {
            backend: Some(name.clone()),
            state: State::Out,
            aside: Aside::None,
            reason,
            when: SystemTime::UNIX_EPOCH,
        };
        let checks = vec![SightCheck { ago: s(1), took: s(1), passed: false, seen }];
        let sight = Sight {
            name,
            pool: String::new(),
            address: "192.0.2.2:80".into(),
            standing: "down".into(),
            is_up: false,
            is_out: true,
            stood_for: s(3),
            why: String::new(),
            checks,
        };
        let notice = blank(Occasion::Down, 7, SystemTime::UNIX_EPOCH);
        let notice = Notice { items: vec![item], ..notice };
        let message = author.message(&notice, &[sight], SystemTime::now());
        prop_assert!(!message.subject.contains(char::is_control), "{:?}", message.subject);
        prop_assert!(message.subject.chars().count() <= 123);
        prop_assert_eq!(message.text.lines().count(), 14, "{}", message.text);
        prop_assert!(!message.text.contains(|c: char| c.is_control() && c != '\n'));
        prop_assert!(message.key.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-'));
    }
}

/// A certificate's words may be heard before or after it is known what another process has told.
#[test]
fn what_another_process_has_told_one_by_one_is_not_told_again_and_its_end_has_the_same_key() {
    let mut before = Book::new(&alert());
    let single = |kind, words: &str| news(What::Single(kind, words.into()));
    let events = [
        (0, single(Occasion::Certificate, "a.pem: expires in 5 days")),
        (10, single(Occasion::ReloadFailed, "line 3")),
    ];
    assert_eq!(play(&mut before, &events, 60).len(), 2);
    let handed = before.hand_over_singles("host-1");
    let mut after = Book::new(&alert());
    after.hear(&events[0].1, s(1));
    after.succeed_singles(&handed, SystemTime::UNIX_EPOCH, s(2));
    after.hear(&events[0].1, s(3));
    let told = play(&mut after, &[], 60);
    assert_eq!(shown(&told), ["6 recovered#1: -"]);
    assert_eq!(told[0].1.key.as_deref(), Some("host-1-reload-failed"));
    assert!(after.hand_over_singles("host-2").iter().all(|single| single.open.is_none()));
}

#[test]
fn one_that_was_told_to_flap_by_another_process_is_told_when_it_is_calm() {
    let mut before = Book::new(&alert());
    let turns = [0, 60, 120, 180].map(|at| (at, moved("a", at % 120 == 0, false)));
    play(&mut before, &turns, 200);
    let open = before.hand_over("host-1").unwrap();
    assert!(open.out[0].is_flapping, "{open:?}");
    let mut after = Book::new(&alert());
    after.succeed(&open, &[], s(10));
    let turns = [(20, moved("a", true, false)), (30, moved("a", false, false))];
    let told = play(&mut after, &turns, 4000);
    assert_eq!(shown(&told), ["635 recovered#1: a"]);
    assert_eq!(told[0].1.key.as_deref(), Some("host-1-backends"));
    // The first checks of this process have found it down.
    let mut after = Book::new(&alert());
    after.hear(&News { is_start: true, ..moved("a", true, false) }, s(5));
    after.succeed(&open, &[], s(10));
    assert_eq!(shown(&play(&mut after, &[], 4000)), ["615 down#1: a"]);
}

/// Two pools: `a`, `b` and `d` are the one, `c` is the other.
#[test]
fn a_pool_that_is_lost_is_told_at_once_and_until_it_is_served_whatever_others_do() {
    let mut book = Book::new(&alert());
    let events = [
        (0, moved_in("api", "c", true, true)),
        (10, moved_in("web", "d", true, false)),
        (20, moved_in("web", "d", false, false)),
        (40, moved_in("web", "b", true, false)),
        (41, News { when: SystemTime::UNIX_EPOCH + s(41), ..moved_in("web", "a", true, true) }),
        (60, moved_in("web", "a", false, false)),
        (80, moved_in("api", "c", false, false)),
        (81, moved_in("web", "b", false, false)),
    ];
    let told = play(&mut book, &events, 100);
    let kinds: Vec<_> = told.iter().map(|(at, notice)| (*at, notice.kind)).collect();
    assert_eq!(
        kinds,
        [
            (0, Occasion::AllDown),
            (15, Occasion::Down),
            (25, Occasion::Up),
            (41, Occasion::AllDown),
            (65, Occasion::Up),
            (85, Occasion::Recovered),
        ]
    );
    let of =
        |name: &str, pool: &str, is_out: bool| Sight { pool: pool.into(), ..sight(name, is_out) };
    let all = |web: bool| [of("a", "web", web), of("b", "web", false), of("c", "api", true)];
    let headline = |at: usize, all: &[Sight]| super::headline::headline(&told[at].1, all);
    assert_eq!(
        headline(0, &all(false)),
        "NO BACKEND IS UP in pool api: 1 of 1 out; the last: c, status 503"
    );
    assert_eq!(headline(1, &all(true)), "d down: status 503; NO BACKEND IS UP in pool api");
    let both = [of("a", "web", true), of("b", "web", true), of("c", "api", true)];
    assert_eq!(headline(3, &both), "NO BACKEND IS UP: 3 of 3 out; the last: a, status 503");
    let third = [of("c", "api", true), of("d", "next", true), of("a", "web", false)];
    assert_eq!(headline(3, &third), "NO BACKEND IS UP in the pools api, next: 2 of 2 out");
}

#[test]
fn a_book_that_begins_late_learns_which_pool_is_lost_and_a_pool_that_is_gone_is_lost_no_more() {
    let mut book = Book::new(&alert());
    let of =
        |name: &str, pool: &str, is_out: bool| Sight { pool: pool.into(), ..sight(name, is_out) };
    let all = [of("a", "web", false), of("c", "api", true)];
    book.align(0, &all, SystemTime::UNIX_EPOCH + s(100), s(0));
    assert_eq!(book.tell(s(5))[0].kind, Occasion::AllDown);
    book.align(0, &all[..1], SystemTime::UNIX_EPOCH + s(110), s(10));
    assert_eq!(book.tell(s(20))[0].kind, Occasion::Recovered);
}

/// Whoever hears of nothing else must not believe it for the ten minutes that it takes to be calm.
#[test]
fn the_end_of_all_down_is_told_to_who_hears_of_no_flapping() {
    let on = vec![Occasion::AllDown, Occasion::Recovered];
    let mut book = Book::new(&Alert { on, ..alert() });
    let events = [
        (0, moved("a", true, true)),
        (10, moved("a", false, false)),
        (20, moved("a", true, true)),
        (30, moved("a", false, false)),
        (40, moved("a", true, true)),
        (50, moved("a", false, false)),
    ];
    let told = play(&mut book, &events, 3600);
    let lines = [
        "0 all-down#1: a",
        "15 recovered#1: a",
        "20 all-down#2: a",
        "35 recovered#2: a",
        "40 all-down#2: a",
        "55 recovered#2: ",
    ];
    assert_eq!(shown(&told), lines);
}

/// It was gone before the last one was, and that was told by another thread, which was slower.
#[test]
fn a_late_word_of_one_that_is_out_ends_no_loss() {
    let events = [
        (0, moved("b", true, true)),
        (1, moved("a", true, false)),
        (60, moved("b", false, false)),
        (61, moved("a", false, false)),
    ];
    let on = vec![Occasion::AllDown, Occasion::Recovered];
    let repeat = Some(s(30));
    let said = told(&Alert { on, repeat, ..alert() }, &events, 100);
    assert_eq!(said, ["0 all-down#1: b", "30 all-down#1 again: a b", "65 recovered#1: a b"]);
}

#[test]
fn an_incident_is_over_once_operators_have_taken_out_whoever_is_down() {
    let aside = |name: &str| Sight { is_up: false, ..sight(name, false) };
    for on in [Occasion::ALL.to_vec(), vec![Occasion::AllDown, Occasion::Recovered]] {
        let mut book = Book::new(&Alert { on, ..alert() });
        book.hear(&moved("a", true, false), s(0));
        book.hear(&moved("b", true, true), s(0));
        assert_eq!(book.tell(s(0))[0].kind, Occasion::AllDown);
        book.hear(&wanted("a", true), s(10));
        book.align(0, &[aside("a"), sight("b", true)], SystemTime::UNIX_EPOCH, s(10));
        let told = book.tell(s(15));
        assert!(told.iter().all(|notice| notice.kind == Occasion::Up), "{told:?}");
        book.hear(&wanted("b", true), s(20));
        book.align(0, &[aside("a"), aside("b")], SystemTime::UNIX_EPOCH, s(20));
        assert_eq!(book.tell(s(25))[0].kind, Occasion::Recovered);
        assert_eq!(book.next(), None);
    }
}

#[test]
fn that_no_name_resolves_is_told_once_and_each_pool_is_lost_by_it() {
    let on = vec![Occasion::AllDown, Occasion::Recovered];
    let mut book = Book::new(&Alert { on, ..alert() });
    let of =
        |name: &str, pool: &str, is_out: bool| Sight { pool: pool.into(), ..sight(name, is_out) };
    let none = [of("a", "web", true), of("c", "api", true)];
    book.hear(&news(What::NoneUp(String::new(), "no name resolves".into())), s(0));
    assert_eq!(shown(&[(0, book.tell(s(0)).remove(0))]), ["0 all-down#1: -"]);
    book.align(0, &none, SystemTime::UNIX_EPOCH, s(5));
    assert!(book.tell(s(20)).is_empty());
    book.align(0, &[of("a", "web", false), of("c", "api", true)], SystemTime::UNIX_EPOCH, s(30));
    assert!(book.tell(s(40)).is_empty(), "the other is lost still");
    book.align(0, &[of("a", "web", false), of("c", "api", false)], SystemTime::UNIX_EPOCH, s(50));
    assert_eq!(shown(&[(60, book.tell(s(60)).remove(0))]), ["60 recovered#1: c"]);
}

/// The one that is lost now is named and dated, whatever was lost hours ago.
#[test]
fn of_several_pools_the_subject_names_the_one_that_is_lost_now() {
    let at =
        |second, news: News| (second, News { when: SystemTime::UNIX_EPOCH + s(second), ..news });
    let events = [
        at(0, moved_in("alpha", "a", true, true)),
        at(10, moved_in("beta", "b", true, true)),
        at(3600, moved_in("web", "w", true, true)),
    ];
    let told = play(&mut Book::new(&alert()), &events, 3600);
    let of = |name: &str, pool: &str, is_out: bool| Sight {
        pool: pool.into(),
        why: "status 503".into(),
        ..sight(name, is_out)
    };
    let all = [
        of("a", "alpha", true),
        of("b", "beta", true),
        of("c", "gamma", false),
        of("w", "web", true),
    ];
    let message = said(&told[2].1, &all, 3600);
    assert_eq!(
        message.subject,
        "[evenly lb] NO BACKEND IS UP in the pools web, alpha, beta: 3 of 3 out; the last: w, \
         status 503"
    );
    assert_eq!(message.fact("since"), Some("1970-01-01T01:00:00.000Z"));
}
