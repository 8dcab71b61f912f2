//! What a message says: a notice and how all stands become a subject, a text and facts. Never lets
//! a line feed of a backend through: each line says what this file has it say.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

use super::headline::{at_present, headline, is_none_up, meant, said, shortened};
use super::known::{FLAPPING_CHANGES, FLAPPING_WITHIN};
use super::notice::{Aside, Item, Notice, State, key};
use super::scene::{Sight, SightCheck};
use super::{Fact, Message};
use crate::config::Occasion;
use crate::log::rfc3339;
use crate::text::{Escaped, Many, Roughly, Took};

/// Backends whose checks are shown, and that are named as left.
const SHOWN_MAX: usize = 8;

/// Who tells it.
#[derive(Clone, Debug)]
pub struct Teller {
    /// The name of the machine.
    pub host: String,
    /// Where clients are served.
    pub address: String,
    /// Tells incidents of this balancer from those of others: letters, digits and `-`.
    pub key: String,
}

impl Teller {
    /// The message of a notice.
    #[must_use]
    pub fn message(&self, notice: &Notice, all: &[Sight], now: SystemTime) -> Message {
        let (heard, notice) = (notice, &as_it_stands(notice, all));
        let headline = headline(notice, all);
        let subject = shortened(&format!("[evenly {}] {headline}", self.host));
        let own = || key(&self.key, notice.single, notice.ends, notice.began);
        let key = notice.key.clone().unwrap_or_else(own);
        let mut text = format!("{headline}\n");
        told(&mut text, heard, all, now);
        limits(&mut text, notice);
        stands(&mut text, notice, all);
        let ago = |when| long(now.duration_since(when).unwrap_or_default());
        let Notice { began, since, .. } = *notice;
        let is_start = |it: &Item| it.aside == Aside::AtStart && it.when == since;
        let earlier = match notice.items.iter().any(is_start) {
            true => ", or earlier: evenly has seen it no other way since it started",
            false => "",
        };
        let _ = write!(text, "\nSince: {} ({} ago){earlier}\n", time(since), ago(since));
        if time(began) < time(since) {
            let _ = writeln!(text, "Incident began: {} ({} ago)", time(began), ago(began));
        }
        self.sign(&mut text, &key, now);
        let facts = self.facts(notice, all, now);
        Message { subject, text, key, kind: notice.kind.word().into(), facts }
    }

    /// The one that says that messages arrive; or that this test is over, for whoever has opened an
    /// incident for it.
    #[must_use]
    pub fn test(&self, name: &str, is_over: bool, now: SystemTime) -> Message {
        let (headline, action) = match is_over {
            true => (format!("the test of the alert {name} is over"), "resolve"),
            false => (format!("test of the alert {name}"), "trigger"),
        };
        let key = format!("{}-test", self.key);
        let mut text = format!(
            "{headline}\n\nNothing has happened. Somebody has asked for this message with\n\
             evenly alert-test, to see whether it arrives.\n\n"
        );
        self.sign(&mut text, &key, now);
        let mut facts = self.common("info", action, now);
        // All that a real one has: who reads it is to be tried with each.
        let nobody = ["backend", "pool", "up", "out"].map(|name| (name, String::new()));
        let nothing = ["usable", "total", "held_back"].map(|name| (name, "0".to_owned()));
        facts.extend(named([("reason", "a test".to_owned())]));
        facts.extend(named([("since", time(now)), ("began", time(now))]));
        facts.extend(named(nobody).chain(named(nothing)));
        facts.extend(named([("again", false.to_string())]));
        let subject = shortened(&format!("[evenly {}] {headline}", self.host));
        Message { subject, text, key, kind: "test".into(), facts }
    }

    fn sign(&self, text: &mut String, key: &str, now: SystemTime) {
        let (pid, now) = (std::process::id(), time(now));
        let Self { host, address, .. } = self;
        let _ = write!(
            text,
            "From: evenly on {host}, process {pid}, serving at {address}\nAt: {now}\nKey: {key}\n"
        );
    }

    fn facts(&self, notice: &Notice, all: &[Sight], now: SystemTime) -> Vec<Fact> {
        let (severity, action) = match notice.kind {
            Occasion::AllDown | Occasion::Stuck | Occasion::Exhausted => ("critical", "trigger"),
            Occasion::Down | Occasion::Flapping | Occasion::Up if is_none_up(all) => {
                ("critical", "trigger")
            }
            Occasion::Recovered => ("info", "resolve"),
            Occasion::Up => ("info", "trigger"),
            _ => ("warning", "trigger"),
        };
        let mut facts = self.common(severity, action, now);
        let who = |is_it: &dyn Fn(&Sight) -> bool| {
            let names = all.iter().filter(|it| is_it(it)).take(SHOWN_MAX);
            names.map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let meant = meant(notice);
        let backends: Vec<&str> = meant.iter().filter_map(|it| it.backend.as_deref()).collect();
        let reason = meant.first().map_or("", |item| item.reason.as_str());
        facts.extend(named([
            ("backend", backends.join(", ")),
            ("reason", said(reason)),
            ("since", time(notice.since)),
            ("began", time(notice.began)),
            ("pool", pools_of(&backends, all)),
            ("usable", all.iter().filter(|it| it.is_up).count().to_string()),
            ("total", all.len().to_string()),
            ("up", who(&|it| it.is_up)),
            ("out", who(&|it| it.is_out)),
            ("again", notice.again.to_string()),
            ("held_back", notice.held.to_string()),
        ]));
        facts
    }

    fn common(&self, severity: &str, action: &str, now: SystemTime) -> Vec<Fact> {
        let priority = match severity {
            "critical" => "5",
            "warning" => "4",
            _ => "3",
        };
        let all = named([
            ("severity", severity.to_owned()),
            ("priority", priority.to_owned()),
            ("action", action.to_owned()),
            ("time", time(now)),
            ("host", self.host.clone()),
            ("address", self.address.clone()),
            ("pid", std::process::id().to_string()),
        ]);
        all.collect()
    }
}

/// The pools of these, where there are several.
fn pools_of(backends: &[&str], all: &[Sight]) -> String {
    let own = all.iter().filter(|sight| backends.contains(&sight.name.as_str()));
    let pools: BTreeSet<&str> = own.map(|sight| sight.pool.as_str()).collect();
    pools.into_iter().collect::<Vec<_>>().join(", ")
}

fn named<const N: usize>(facts: [(&'static str, String); N]) -> impl Iterator<Item = Fact> {
    facts.into_iter().map(|(name, value)| (name.into(), value))
}

/// Whoever is not well now is so for what is seen of it now: what took it out may be over, such as
/// an ejection, or be no more than an operator's word.
fn as_it_stands(notice: &Notice, all: &[Sight]) -> Notice {
    let mut notice = notice.clone();
    for item in notice.items.iter_mut().filter(|item| item.state != State::Well) {
        if let Some(sight) = item.backend.as_deref().and_then(|name| found_out(name, all)) {
            sight.why.clone_into(&mut item.reason);
        }
    }
    notice
}

/// The one of this name, if it is out.
fn found_out<'s>(name: &str, all: &'s [Sight]) -> Option<&'s Sight> {
    all.iter().find(|sight| sight.is_out && sight.name == name)
}

/// What happened, a line each.
fn told(text: &mut String, notice: &Notice, all: &[Sight], now: SystemTime) {
    text.push_str(if notice.items.is_empty() { "" } else { "\n" });
    for item in &notice.items {
        told_one(text, item, all);
        told_since(text, item, all, now);
    }
    if notice.more > 0 {
        let _ = writeln!(text, "and {} more", notice.more);
    }
}

fn told_one(text: &mut String, item: &Item, all: &[Sight]) {
    let Item { backend, state, aside, reason, when } = item;
    let state = match (backend, state, aside) {
        (None, ..) | (_, State::Well, Aside::Left) => String::new(),
        (_, State::Out, Aside::AtStart) => " down at the start".to_owned(),
        (_, State::Out, _) => " down".to_owned(),
        (Some(name), State::Flapping, _) => format!(" flapping{}", at_present(name, all)),
        (_, State::Well, _) => " up".to_owned(),
    };
    let name = backend.as_deref().map(Escaped).map_or(String::new(), |name| name.to_string());
    let colon = if backend.is_some() { ": " } else { "" };
    let calm = match aside {
        Aside::Calm => format!("; it flapped, and is calm for {}", Roughly(FLAPPING_WITHIN)),
        _ => String::new(),
    };
    let _ = writeln!(text, "{}  {name}{state}{colon}{}{calm}", time(*when), said(reason));
}

/// What keeps it out by now, if that is something else, with a time of its own.
fn told_since(text: &mut String, item: &Item, all: &[Sight], now: SystemTime) {
    let Item { backend, state, reason, .. } = item;
    let sight = backend.as_deref().and_then(|name| found_out(name, all));
    // The pool may keep less of it.
    let is_other = |it: &&Sight| *state != State::Well && !reason.starts_with(&it.why);
    if let Some(Sight { why, stood_for, .. }) = sight.filter(is_other) {
        let since = now.checked_sub(*stood_for).unwrap_or(now);
        let _ = writeln!(text, "    since {}: {}", time(since), said(why));
    }
}

/// What is not told, and why.
fn limits(text: &mut String, notice: &Notice) {
    if notice.items.iter().any(|item| item.state == State::Flapping) {
        let within = Roughly(FLAPPING_WITHIN);
        let _ = write!(
            text,
            "\nWhat flaps has changed {FLAPPING_CHANGES} times within {within}. Nothing more is \
             told of it\nuntil it has been calm for {within}; then you hear how it stands.\n"
        );
    }
    if notice.held > 0 {
        let _ = writeln!(
            text,
            "\n{} held back before this one (hourly_max).",
            Many(notice.held, "message was", "messages were")
        );
    }
    if let Some(last_for) = notice.last_for {
        let minutes = last_for.as_secs().div_ceil(60);
        let but = match notice.is_kept {
            true => "Only that no backend is up would be told before, once.\n",
            false => "",
        };
        let _ = write!(
            text,
            "\nThis is the last message for {minutes} min: hourly_max is reached. What happens\n\
             meanwhile is counted, and told in one message then.\n{but}"
        );
    }
    if notice.missed > 0 {
        let _ = writeln!(
            text,
            "\n{} too fast to be heard here.",
            Many(notice.missed, "event came", "events came")
        );
    }
}

/// How all stands, with the last checks of those that this is about.
fn stands(text: &mut String, notice: &Notice, all: &[Sight]) {
    if all.is_empty() {
        return;
    }
    let is_meant = |it: &&Sight| {
        notice.items.iter().any(|item| item.backend.as_ref() == Some(&it.name)) || it.is_out
    };
    let mut shown = all.iter().filter(is_meant);
    for sight in shown.by_ref().take(SHOWN_MAX) {
        let is_it = |item: &Item| item.backend.as_ref() == Some(&sight.name);
        let item = notice.items.iter().find(|item| is_it(item));
        let was_so = item.is_some_and(|it| it.aside == Aside::AtStart) && sight.is_out;
        checks(text, sight, was_so);
    }
    let more = shown.count();
    if more > 0 {
        let _ = writeln!(
            text,
            "\nand {}: see evenly status",
            Many(more as u64, "more backend", "more backends")
        );
    }
    let (up, out): (Vec<&Sight>, Vec<&Sight>) = all.iter().partition(|it| it.is_up);
    let _ = write!(text, "\nUp: {}\nNot up: {}\n", list(&up, false), list(&out, true));
}

/// `was_so` when the process began.
fn checks(text: &mut String, sight: &Sight, was_so: bool) {
    let Sight { name, address, standing, stood_for, .. } = sight;
    let (name, stood_for) = (Escaped(name), long(*stood_for));
    let so = match was_so {
        true => format!("since before this start, {stood_for} ago"),
        false => format!("for {stood_for}"),
    };
    let _ = writeln!(text, "\n{name} ({address}): {standing} {so}; last checks:");
    if sight.checks.is_empty() {
        text.push_str("  none yet\n");
    }
    for SightCheck { ago, verdict, took, seen } in &sight.checks {
        let (ago, seen) = (long(*ago), said(seen));
        let _ = writeln!(text, "  {ago} ago: {verdict}: {seen} ({})", Took(*took));
    }
}

fn list(some: &[&Sight], with_standing: bool) -> String {
    let word = |it: &&Sight| match with_standing {
        true => format!("{} ({})", Escaped(&it.name), it.standing),
        false => Escaped(&it.name).to_string(),
    };
    let named: Vec<String> = some.iter().take(SHOWN_MAX).map(word).collect();
    match some.len().checked_sub(SHOWN_MAX) {
        _ if some.is_empty() => "none".to_owned(),
        Some(more @ 1..) => format!("{} and {more} more", named.join(", ")),
        _ => named.join(", "),
    }
}

/// A length of time that may be days: `45 s`, `12 min`, `5 h 3 min`, `2 d 4 h`.
fn long(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        (_, _, _) => format!("{days} d {} h", hours % 24),
    }
}

/// RFC 3339, in UTC.
fn time(when: SystemTime) -> String {
    let mut out = Vec::new();
    rfc3339(&mut out, when);
    String::from_utf8_lossy(&out).into_owned()
}

/// Tells a balancer from others, as the same one after each restart: by the machine and where it is
/// served. In a key, and so in a Message-ID: nothing but letters, digits and `-`.
#[must_use]
pub fn key_of(host: &str, address: &str) -> String {
    let plain = |text: &str| {
        let parts = text.split(|char: char| !char.is_ascii_alphanumeric());
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        parts.join("-").chars().take(64).collect::<String>()
    };
    format!("evenly-{}-{}", plain(host), plain(address))
}
