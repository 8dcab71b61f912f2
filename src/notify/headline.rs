//! What a message is called: its headline and subject. Phones and text messages show no more than
//! that, so it says by itself what has happened and how it stands.
//!
//! Called by `words`. Never lets a line feed of a backend through.

use std::collections::BTreeSet;

use super::known::FLAPPING_WITHIN;
use super::notice::{Aside, Item, Notice, State};
use super::scene::Sight;
use crate::config::Occasion;
use crate::text::{Escaped, Roughly};

/// Longest subject, in characters: phones show less.
const SUBJECT_CHARACTERS_MAX: usize = 120;
/// The most of what one backend said in a text, in characters.
const SAID_CHARACTERS_MAX: usize = 300;

pub(super) fn headline(notice: &Notice, all: &[Sight]) -> String {
    let meant = meant(notice);
    let named: Vec<&str> = meant.iter().filter_map(|it| it.backend.as_deref()).collect();
    let more = if meant.len() == notice.items.len() { notice.more } else { 0 };
    let who = names(&named, more);
    let reason = meant.first().map_or(String::new(), |item| said(&item.reason));
    let (up, total) = (all.iter().filter(|it| it.is_up).count(), all.len());
    let left = match total {
        0 => String::new(),
        _ if is_none_up(all) => format!("; {}", none_up(all, &[])),
        total => format!("; {up} of {total} up"),
    };
    let still = if notice.again { "still " } else { "" };
    match notice.kind {
        Occasion::AllDown => format!("{still}{}", all_down(notice, all)),
        Occasion::Down => match named[..] {
            // Each has its own.
            [first, _, ..] => format!("{who} {still}down; {first}: {reason}{left}"),
            _ => format!("{who} {still}down: {reason}{left}"),
        },
        Occasion::Flapping => {
            let now = match named[..] {
                [one] if more == 0 => at_present(one, all),
                _ => String::new(),
            };
            let calm = Roughly(FLAPPING_WITHIN);
            format!("{who} {still}flapping{now}{left}; silent until calm for {calm}")
        }
        Occasion::Up if named.is_empty() => format!("clients are served again{left}"),
        Occasion::Up => format!("{}{left}", better(&meant, more)),
        Occasion::Recovered if !named.is_empty() => {
            format!("recovered: {}{left}", better(&meant, more))
        }
        Occasion::Recovered if reason.is_empty() => format!("recovered{left}"),
        Occasion::Recovered => format!("recovered: {reason}"),
        Occasion::ReloadFailed | Occasion::Certificate | Occasion::Exhausted | Occasion::Stuck => {
            match notice.items.len() {
                1 => reason,
                many => format!("{reason} (and {} more)", many + notice.more - 1),
            }
        }
    }
}

pub(super) fn shortened(subject: &str) -> String {
    match subject.char_indices().nth(SUBJECT_CHARACTERS_MAX) {
        Some((at, _)) => format!("{}...", &subject[..at]),
        None => subject.to_owned(),
    }
}

/// True if no backend of some pool is up.
pub(super) fn is_none_up(all: &[Sight]) -> bool {
    !lost(all).is_empty()
}

/// The pools of which no backend is up.
fn lost(all: &[Sight]) -> BTreeSet<&str> {
    let pools = |is_up: bool| all.iter().filter(move |it| it.is_up == is_up);
    let served: BTreeSet<&str> = pools(true).map(|it| it.pool.as_str()).collect();
    pools(false).map(|it| it.pool.as_str()).filter(|pool| !served.contains(pool)).collect()
}

/// That no backend is up: where, of how many, and who went last and why.
fn all_down(notice: &Notice, all: &[Sight]) -> String {
    let (mut words, lost) = (none_up(all, &notice.lost), lost(all));
    let own = || all.iter().filter(|sight| lost.contains(sight.pool.as_str()));
    if own().next().is_some() {
        let out = own().filter(|sight| sight.is_out).count();
        words.push_str(&format!(": {out} of {} out", own().count()));
    }
    let is_own = |name: &String| own().any(|sight| sight.name == *name);
    let gone = notice.items.iter().filter(|item| item.state != State::Well);
    let gone = gone.filter_map(|item| Some((item, item.backend.as_ref().filter(|it| is_own(it))?)));
    if let Some((item, name)) = gone.max_by_key(|(item, _)| item.when) {
        words.push_str(&format!("; the last: {}, {}", Escaped(name), said(&item.reason)));
    }
    words
}

/// That no backend is up, and where, unless it is so everywhere: in these pools first.
fn none_up(all: &[Sight], first: &[String]) -> String {
    let mut lost: Vec<&str> = lost(all).into_iter().collect();
    lost.sort_by_key(|pool| first.iter().position(|it| it == pool).unwrap_or(first.len()));
    let words = "NO BACKEND IS UP";
    let everywhere = all.iter().all(|sight| !sight.is_up);
    match lost[..] {
        [] => words.to_owned(),
        _ if everywhere => words.to_owned(),
        [pool] => format!("{words} in pool {}", Escaped(pool)),
        ref pools => format!("{words} in the pools {}", Escaped(&names(pools, 0))),
    }
}

fn names(named: &[&str], more: usize) -> String {
    match (named, more) {
        ([], _) => String::new(),
        ([one], 0) => (*one).to_owned(),
        ([first, rest @ ..], more) if rest.len() + more > 2 => {
            format!("{first} and {} more", rest.len() + more)
        }
        (names, _) => names.join(", "),
    }
}

/// How one that flaps stands at the moment: `, up now`.
pub(super) fn at_present(name: &str, all: &[Sight]) -> String {
    let sight = all.iter().find(|sight| sight.name == name);
    sight.map_or(String::new(), |sight| format!(", {} now", sight.standing))
}

/// Who is up again, and who is told of no more though it may be down.
fn better(meant: &[&Item], more: usize) -> String {
    let of = |is_left| {
        let some = meant.iter().filter(|it| (it.aside == Aside::Left) == is_left);
        some.filter_map(|it| it.backend.as_deref()).collect::<Vec<_>>()
    };
    let (back, left) = (of(false), of(true));
    let is_calm = meant.iter().all(|it| matches!(it.aside, Aside::Calm | Aside::Left));
    let calm =
        if is_calm { format!(", calm for {}", Roughly(FLAPPING_WITHIN)) } else { String::new() };
    match (back.is_empty(), left.is_empty()) {
        (_, true) => format!("{} up again{calm}", names(&back, more)),
        (true, _) => format!("{} left to an operator", names(&left, more)),
        _ => format!(
            "{} up again{calm}, {} left to an operator",
            names(&back, more),
            names(&left, 0)
        ),
    }
}

/// Those that are as the notice's kind says: a digest may also have some that went another way.
pub(super) fn meant(notice: &Notice) -> Vec<&Item> {
    let state = match notice.kind {
        Occasion::Down => Some(State::Out),
        Occasion::Flapping => Some(State::Flapping),
        Occasion::Up | Occasion::Recovered => Some(State::Well),
        _ => None,
    };
    let is_meant = |item: &&Item| state.is_none_or(|state| item.state == state);
    notice.items.iter().filter(is_meant).collect()
}

/// What a stranger said, on one line, or its beginning.
pub(super) fn said(words: &str) -> String {
    let start: String = words.chars().take(SAID_CHARACTERS_MAX).collect();
    let dots = if start.len() < words.len() { "..." } else { "" };
    format!("{}{dots}", Escaped(&start))
}
