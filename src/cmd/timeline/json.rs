//! A timeline for programs: each event and each counter of ten seconds, in their order, nothing
//! folded. docs/commands.md has each field.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Story;
use super::counters::{Gap, counters, gaps};
use super::read::{Counter, Event, Level};
use crate::text::{day, json_printable, since_epoch, time_of_day};

/// Of this form.
const VERSION: u32 = 1;

pub(super) fn shown(story: &Story) -> String {
    let mut entries: Vec<(u64, Value)> = Vec::new();
    for record in &story.records {
        let events = record.places().into_iter().zip(&record.events);
        entries.extend(events.map(|(place_ms, it)| (place_ms, event(&record.balancer, it))));
        entries.extend(gaps(record).iter().map(|it| (it.from_ms, gap(it))));
    }
    entries.extend(counters(&story.records).iter().map(|it| (it.from_ms, counted(it))));
    entries.sort_by_key(|(at_ms, _)| *at_ms);
    let whole = json!({
        "version": VERSION,
        "from": time(story.from_ms),
        "to": time(story.now_ms),
        "failed": story.failed,
        "lost": story.records.iter().map(|record| record.lost).sum::<u64>(),
        "entries": entries.into_iter().map(|(_, entry)| entry).collect::<Value>(),
    });
    json_printable(&whole.to_string())
}

fn event(balancer: &str, event: &Event) -> Value {
    let level = match event.level {
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    json!({
        "entry": "event",
        "at": time(event.at_ms),
        "balancer": name(balancer),
        "level": level,
        "kind": event.kind,
        "backend": event.backend,
        "pool": event.pool,
        "text": event.text,
    })
}

fn gap(gap: &Gap) -> Value {
    let (from, to) = (time(gap.from_ms), time(gap.to_ms));
    json!({ "entry": "gap", "at": from, "to": to, "balancer": name(&gap.balancer) })
}

fn counted(counter: &Counter) -> Value {
    json!({
        "entry": "counters",
        "at": time(counter.from_ms),
        "to": time(counter.to_ms),
        "requests": counter.requests,
        "requests_per_s": (counter.rate(counter.requests) * 1e3).round() / 1e3,
        "tcp_connections": counter.connections,
        "errors_ours": counter.errors_ours,
        "errors_theirs": counter.errors_theirs,
        "p99_ms": counter.p99_ms,
        "in_flight": counter.in_flight,
        "queue": counter.queue,
        "usable": counter.usable,
    })
}

/// None where it is the only one.
fn name(balancer: &str) -> Option<&str> {
    (!balancer.is_empty()).then_some(balancer)
}

/// RFC 3339, in UTC.
fn time(ms: u64) -> String {
    let at: SystemTime = UNIX_EPOCH + Duration::from_millis(ms);
    let millis = since_epoch(at).subsec_millis();
    format!("{}T{}.{millis:03}Z", day(at), time_of_day(at))
}
