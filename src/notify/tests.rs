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

mod flapping;
mod incidents;
mod late;
mod messages;
mod pools;

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

fn said(notice: &Notice, all: &[Sight], at: u64) -> Message {
    let author = words::Teller { host: "lb".into(), address: "a:1".into(), key: "k".into() };
    author.message(notice, all, SystemTime::UNIX_EPOCH + s(at))
}
