//! A timeline as lines for people: a mark where something is wrong, the time, what there is to say.
//! Times of day are UTC, as in the log.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Story;
use super::counters::Gap;
use super::floods::Shown;
use super::read::{Counter, Level};
use super::stretch::{Entry, entries, is_single};
use crate::cmd::words::{count, hanging, latency};
use crate::text::{Roughly, day, time_of_day};

/// What stands before a line, so that trouble is seen at a glance, in whatever colour.
const FINE: &str = "   ";
const BAD: &str = "!  ";
const WORST: &str = "!! ";
/// The first event of a process is told so soon after its start.
const SOON_MS: u64 = 10_000;
/// From this part of all requests on, errors are the worst.
const WORST_SHARE: f64 = 0.5;

/// All of it, at most so wide.
pub(super) fn lines(story: &Story, columns: usize) -> Vec<String> {
    let entries = entries(&story.records);
    let mut lines = head(story, &entries, columns);
    let mut today = day(at(story.from_ms));
    for entry in &entries {
        let date = day(at(entry.at_ms()));
        if date != today {
            lines.push(format!("{FINE}{date}"));
            today = date;
        }
        let (mark, time, words) = match entry {
            Entry::Event(shown) => event(shown),
            Entry::Gap(gap) => self::gap(gap),
            Entry::Counted(counter) => counted(counter),
        };
        let first = format!("{mark}{time}  ");
        lines.extend(hanging(&words, &first, &" ".repeat(first.len()), columns));
    }
    if entries.is_empty() {
        lines.push(format!("{FINE}nothing is remembered of that time"));
    }
    lines
}

/// What is shown, and what is missing from it.
fn head(story: &Story, entries: &[Entry], columns: usize) -> Vec<String> {
    let Story { from_ms, now_ms, ref records, ref failed } = *story;
    let (from, now) = (at(from_ms), at(now_ms));
    let until = match day(from) == day(now) {
        true => time_of_day(now),
        false => format!("{} {}", day(now), time_of_day(now)),
    };
    let (date, from) = (day(from), time_of_day(from));
    let mut words = vec![format!("{date} {from} to {until} UTC, the newest last")];
    words.extend(failed.iter().map(|why| format!("!! {why}")));
    for record in records {
        let whose = named(&record.balancer);
        if let Some(why) = &record.no_points {
            words.push(format!("{whose}no counters: {why}"));
        }
        if let Some(begins_ms) = record.begins_ms.filter(|it| from_ms + SOON_MS < *it) {
            let begins = time_of_day(at(begins_ms));
            words.push(format!("{whose}nothing is known of before {begins}, when it was started"));
        }
        let counted = record.points.first().map(|point| point.to_ms);
        let is_late = |it: &u64| record.begins_ms.is_none() && from_ms + SOON_MS < *it;
        if let Some(counted) = counted.filter(is_late) {
            words.push(format!("{whose}counters go back to {}", time_of_day(at(counted))));
        }
        let Some(first) = record.events.first() else { continue };
        let since = time_of_day(at(first.at_ms));
        let has_earlier = record.points.first().is_some_and(|it| it.to_ms + SOON_MS < first.at_ms);
        if record.lost > 0 {
            let lost = count(record.lost);
            words.push(format!(
                "{whose}{lost} events before {since} are forgotten; the log has them"
            ));
        } else if first.number == 1 && has_earlier {
            let before = format!("events before {since} are of the process before an upgrade");
            words.push(format!("{whose}{before}; the log has them"));
        }
    }
    let is_wrong = |entry: &Entry| matches!(entry, Entry::Counted(it) if it.errors() > 0);
    if entries.iter().any(is_wrong) {
        words.push(
            "ours: answered with 5xx or broken off by Evenly; theirs: 5xx of applications".into(),
        );
    }
    words.iter().flat_map(|words| hanging(words, "", "   ", columns)).collect()
}

fn event(shown: &Shown) -> (&'static str, String, String) {
    let mark = match shown.level {
        Level::Info => FINE,
        Level::Warn => BAD,
        Level::Error => WORST,
    };
    let more = match shown.more {
        0 => String::new(),
        more => {
            let last = time_of_day(at(shown.last_ms));
            format!(" (and {} like it until {last})", count(more))
        }
    };
    let words = format!("{}{}{more}", named(&shown.balancer), shown.text);
    (mark, time_of_day(at(shown.at_ms)), words)
}

fn gap(gap: &Gap) -> (&'static str, String, String) {
    let whose = named(&gap.balancer);
    let between = Roughly(Duration::from_millis(gap.from_ms.abs_diff(gap.to_ms)));
    if gap.to_ms < gap.from_ms {
        let words = format!(
            "{whose}the clock was set back here by {between}: what was counted before and after \
             stands together"
        );
        return (BAD, time_of_day(at(gap.to_ms)), words);
    }
    let words = format!(
        "{whose}no record for {between}: the machine slept, the clock was set, or nothing ran"
    );
    (BAD, span(gap.from_ms, gap.to_ms), words)
}

fn counted(counter: &Counter) -> (&'static str, String, String) {
    let Counter { from_ms, to_ms, p99_ms, usable, .. } = *counter;
    let up = if usable == 0 { ", NONE UP".to_owned() } else { format!(", {usable} up") };
    let time = if is_single(counter) { time_of_day(at(from_ms)) } else { span(from_ms, to_ms) };
    let slowest = p99_ms.map(|ms| format!(", p99 {}", latency(ms))).unwrap_or_default();
    let rate = rates(counter);
    if !counter.is_troubled() {
        let words = match rate.is_empty() {
            true => format!("quiet: no requests{up}"),
            false => format!("quiet: {rate}, no errors{slowest}{up}"),
        };
        return (if usable == 0 { WORST } else { FINE }, time, words);
    }
    let Counter { errors_ours, errors_theirs, queue, .. } = *counter;
    let mut words = match counter.errors() {
        // Whoever waits has ended nothing.
        0 if rate.is_empty() => "nothing ended".to_owned(),
        0 => "no errors".to_owned(),
        _ => {
            let whose = [(errors_ours, "ours"), (errors_theirs, "theirs")];
            let whose = whose.into_iter().filter(|(many, _)| *many > 0);
            let whose: Vec<_> = whose.map(|(many, by)| format!("{} {by}", count(many))).collect();
            format!("{} errors ({})", share(counter), whose.join(", "))
        }
    };
    if !rate.is_empty() {
        words.push_str(&format!(", {rate}"));
    }
    words.push_str(&slowest);
    if queue > 0 {
        words.push_str(&format!(", up to {} waiting", count(queue)));
    }
    words.push_str(&up);
    let is_worst = usable == 0 || part(counter) >= WORST_SHARE;
    (if is_worst { WORST } else { BAD }, time, words)
}

/// Errors of all requests and TCP connections. One that is broken off may have been counted as
/// answered well.
fn part(counter: &Counter) -> f64 {
    let all = counter.requests + counter.connections;
    (counter.errors() as f64 / all.max(1) as f64).min(1.0)
}

fn share(counter: &Counter) -> String {
    match 100.0 * part(counter) {
        percent if percent < 0.1 => "under 0.1 %".to_owned(),
        percent if percent < 9.95 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// What there was of both, a second; empty where there was neither.
fn rates(counter: &Counter) -> String {
    let both = [(counter.requests, "requests"), (counter.connections, "connections")];
    let told = both.into_iter().filter(|(many, _)| *many > 0);
    let told = told.map(|(many, what)| match counter.rate(many) {
        rate if rate < 9.95 => format!("{rate:.1} {what}/s"),
        rate => format!("{} {what}/s", count(rate.round() as u64)),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// `14:02:10 to 14:31:00`
fn span(from_ms: u64, to_ms: u64) -> String {
    format!("{} to {}", time_of_day(at(from_ms)), time_of_day(at(to_ms)))
}

fn named(balancer: &str) -> String {
    if balancer.is_empty() { String::new() } else { format!("{balancer}: ") }
}

fn at(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms)
}

#[cfg(test)]
mod tests;
