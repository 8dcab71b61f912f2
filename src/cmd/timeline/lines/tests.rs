//! Whole timelines, as people read them.

use super::super::read::{Counter, Event, Record};
use super::*;
use crate::cmd::when::Since;
use crate::cmd::words::width;

/// 04:00:00 on a November day.
const FOUR: u64 = 1_795_752_000;

fn event(second: u64, level: Level, kind: &str, text: &str) -> Event {
    let (kind, text) = (kind.to_owned(), text.to_owned());
    let (at_ms, backend) = ((FOUR + second) * 1000, Some("API02".to_owned()));
    Event { number: second + 2, at_ms, level, kind, backend, pool: None, text }
}

/// Points for so many seconds from this one on, of so many requests and errors of applications.
fn points(from: u64, seconds: u64, requests: u64, errors: u64) -> Vec<Counter> {
    let point = |n| Counter {
        from_ms: (FOUR + from + n) * 1000 - 2000,
        to_ms: (FOUR + from + n) * 1000,
        covered_ms: 2000,
        balancers: 1,
        requests,
        errors_theirs: errors,
        p99_ms: (requests > 0).then_some(31.0),
        usable: 3,
        ..Counter::default()
    };
    (2..=seconds).step_by(2).map(point).collect()
}

fn story(mut records: Vec<Record>, since: Since, now: u64) -> Story {
    for record in &mut records {
        record.now_ms = Some((FOUR + now) * 1000);
    }
    Story::of(records, Vec::new(), since, 0)
}

fn hour() -> Since {
    Since::Ago(Duration::from_secs(3600))
}

fn shown(records: Vec<Record>, now: u64) -> String {
    lines(&story(records, hour(), now), 80).join("\n")
}

#[test]
fn a_night_is_told_with_the_quiet_folded_and_the_trouble_marked() {
    let mut troubled = points(1750, 30, 400, 12);
    troubled.iter_mut().for_each(|it| it.usable = 2);
    troubled[7].errors_ours = 3;
    troubled[7].p99_ms = Some(1240.0);
    let all = [points(0, 1750, 424, 0), troubled, points(1780, 820, 424, 0)];
    let out = "backend API02: check failed: status 503 (1.2 ms); up -> down; 2 of 3 left: API01, \
        API03; out: API02 (down)";
    let mut events =
        vec![event(0, Level::Info, "listening", "listening on 127.0.0.1:8080: 3 apps")];
    let complaint = "backend API02: closed before it had answered; GET /";
    events.extend((0..25).map(|n| event(1752 + n, Level::Warn, "reset", complaint)));
    events.push(event(1777, Level::Warn, "out", out));
    events.push(event(
        1791,
        Level::Info,
        "up",
        "backend API02: check passed; down -> up; 3 of 3 up",
    ));
    let record = Record { events, points: all.concat(), ..Record::default() };
    let expected = "\
2026-11-27 03:43:20 to 04:43:20 UTC, the newest last
nothing is known of before 04:00:00, when it was started
ours: answered with 5xx or broken off by Evenly; theirs: 5xx of applications
   04:00:00  listening on 127.0.0.1:8080: 3 apps
   04:00:00 to 04:29:10  quiet: 212 requests/s, no errors, p99 31ms, 3 up
!  04:29:10  3.0 % errors (60 theirs), 200 requests/s, p99 31ms, 2 up
!  04:29:12  backend API02: closed before it had answered; GET / (and 24 like it
             until 04:29:36)
!  04:29:20  3.1 % errors (3 ours, 60 theirs), 200 requests/s, p99 1.2s, 2 up
!  04:29:30  3.0 % errors (60 theirs), 200 requests/s, p99 31ms, 2 up
!  04:29:37  backend API02: check failed: status 503 (1.2 ms); up -> down; 2 of
             3 left: API01, API03; out: API02 (down)
   04:29:51  backend API02: check passed; down -> up; 3 of 3 up
   04:30:00 to 04:43:20  quiet: 212 requests/s, no errors, p99 31ms, 3 up";
    assert_eq!(shown(vec![record], 2600), expected);
}

#[test]
fn what_is_missing_is_said_and_never_taken_for_silence() {
    let mut back = points(3000, 20, 0, 0);
    back.extend(points(2900, 20, 0, 0));
    let slept = [points(0, 20, 0, 0), back].concat();
    let events = vec![event(3000, Level::Info, "up", "x")];
    let record = Record { events, points: slept, lost: 1234, ..Record::default() };
    let expected = "\
2026-11-27 04:00:00 to 05:00:00 UTC, the newest last
1,234 events before 04:50:00 are forgotten; the log has them
   04:00:00 to 04:00:20  quiet: no requests, 3 up
!  04:00:20 to 04:50:00  no record for 49 min: the machine slept, the clock was
                         set, or nothing ran
!  04:48:20  the clock was set back here by 2 min: what was counted before and
             after stands together
   04:50:00  x
   04:50:00 to 04:50:20  quiet: no requests, 3 up";
    assert_eq!(shown(vec![record], 3600), expected);
}

#[test]
fn what_a_process_before_an_upgrade_has_counted_is_told_apart_from_its_events() {
    let first = Event { number: 1, ..event(600, Level::Info, "listening", "listening") };
    let record = |begun| Record {
        events: vec![first.clone()],
        points: points(begun, 620 - begun, 0, 0),
        ..Record::default()
    };
    let note = "events before 04:10:00 are of the process before an upgrade; the log has them";
    let lines = |begun| lines(&story(vec![record(begun)], hour(), 620), 100);
    assert_eq!(lines(0)[2], note);
    assert!(!lines(596).contains(&note.to_owned()), "its own");
}

#[test]
fn with_none_up_or_most_failing_it_is_the_worst() {
    let mut none = points(0, 10, 10, 0);
    none.iter_mut().for_each(|it| (it.errors_ours, it.usable) = (10, 0));
    let mut waiting = points(10, 10, 2, 0);
    waiting[1].queue = 40;
    let (mut paused, mut broken) = (points(20, 10, 0, 0), points(30, 10, 0, 0));
    paused[1].queue = 7;
    broken[1].errors_ours = 1;
    let points = [none, waiting, paused, broken].concat();
    let record = Record { points, ..Record::default() };
    let shown = shown(vec![record], 40);
    let expected = "\
!! 04:00:00  100 % errors (50 ours), 5.0 requests/s, p99 31ms, NONE UP
!  04:00:10  no errors, 1.0 requests/s, p99 31ms, up to 40 waiting, 3 up
!  04:00:20  nothing ended, up to 7 waiting, 3 up
!! 04:00:30  100 % errors (1 ours), 3 up";
    assert!(shown.ends_with(expected), "{shown}");
}

#[test]
fn several_balancers_are_one_list_and_one_that_is_silent_is_named() {
    let one = |name: &str, second| Record {
        balancer: name.to_owned(),
        events: vec![event(second, Level::Info, "up", "backend A: up")],
        points: points(0, 20, 10, 0),
        ..Record::default()
    };
    let mut story = story(vec![one("lb1", 25), one("lb2", 22)], hour(), 30);
    story.failed.push("lb3: no balancer answers at /s (no such file)".to_owned());
    let expected = "\
!! lb3: no balancer answers at /s (no such file)
lb1: nothing is known of before 04:00:00, when it was started
lb2: nothing is known of before 04:00:00, when it was started
   04:00:00 to 04:00:20  quiet: 10 requests/s, no errors, p99 31ms, 3 up
   04:00:22  lb2: backend A: up
   04:00:25  lb1: backend A: up";
    let shown = lines(&story, 80).join("\n");
    assert!(shown.ends_with(expected), "{shown}");
}

#[test]
fn a_night_over_midnight_has_its_dates() {
    let before = FOUR - 4 * 3600 - 5;
    let mut early = event(0, Level::Info, "up", "x");
    early.at_ms = before * 1000;
    let record =
        Record { events: vec![early, event(0, Level::Info, "up", "y")], ..Record::default() };
    let since = Since::Ago(Duration::from_secs(6 * 3600));
    let shown = lines(&story(vec![record], since, 10), 80);
    assert_eq!(shown[0], "2026-11-26 22:00:10 to 2026-11-27 04:00:10 UTC, the newest last");
    assert_eq!(shown[1], "nothing is known of before 23:59:55, when it was started");
    assert_eq!(shown[2..], ["   23:59:55  x", "   2026-11-27", "   04:00:00  y"]);
}

#[test]
fn how_far_the_counters_go_back_is_said() {
    let mut early = event(0, Level::Info, "up", "x");
    early.at_ms -= 7_200_000;
    let record = Record { events: vec![early], points: points(0, 20, 0, 0), ..Record::default() };
    assert_eq!(lines(&story(vec![record], hour(), 30), 80)[1], "counters go back to 04:00:02");
}

#[test]
fn an_event_from_a_clock_that_was_ahead_stands_where_it_happened() {
    let times = [100, 90_000, 200].map(|second| event(second, Level::Info, "up", "x"));
    let record = Record { events: times.into(), ..Record::default() };
    let shown = lines(&story(vec![record], hour(), 300), 80);
    let expected = ["   04:01:40  x", "   05:00:00  x", "   04:03:20  x"];
    assert_eq!(shown[2..], expected);
}

#[test]
fn where_nothing_is_remembered_that_is_said() {
    let why = "there is no such path; docs/admin.md has them".to_owned();
    let record = Record { no_points: Some(why), ..Record::default() };
    let lines = lines(&story(vec![record], hour(), 0), 80);
    assert_eq!(lines[1], "no counters: there is no such path; docs/admin.md has them");
    assert_eq!(lines[2], "   nothing is remembered of that time");
}

#[test]
fn no_line_is_too_wide_and_no_text_moves_the_cursor() {
    let text = "汉字 \u{1b}[2J\u{202e} ".repeat(12);
    let events = vec![event(0, Level::Error, "panicked", &text)];
    let record = Record { events, points: points(0, 20, u64::MAX >> 8, 1), ..Record::default() };
    for columns in [40, 60, 80] {
        let lines = lines(&story(vec![record.clone()], hour(), 60), columns);
        assert!(lines.iter().all(|line| width(line) <= columns), "{lines:#?}");
        assert!(!lines.concat().contains(|char: char| !crate::text::is_printable(char)));
    }
    let wide = lines(&story(vec![record], hour(), 60), usize::MAX);
    assert!(wide.iter().any(|line| width(line) > 200), "a pipe gets whole lines");
}
