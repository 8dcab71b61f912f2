//! Floods of one complaint: of many that follow each other, the first is shown, with how many there
//! were. What turns a backend, and what somebody asked for, is never folded.

use super::read::{Level, Record};

/// The kinds that come once for each request that goes wrong.
const KINDS: [&str; 16] = [
    "connect",
    "reset",
    "timeout",
    "no-http",
    "bad-answer",
    "status",
    "surplus",
    "repaired",
    "no-port",
    "unavailable",
    "busy",
    "exhausted",
    "handshake",
    "stranger",
    "preface",
    "refused",
];
/// What comes after so long is another flood.
const APART_MS: u64 = 60_000;

/// An event, or the first of a flood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub balancer: String,
    pub at_ms: u64,
    /// When it is to stand in the list.
    pub place_ms: u64,
    pub level: Level,
    pub text: String,
    /// Those like it that are not shown, and when the last of them was.
    pub more: u64,
    pub last_ms: u64,
    kind: String,
    backend: Option<String>,
    pool: Option<String>,
}

/// The events of a balancer, in their order.
pub(super) fn folded(record: &Record) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    for (event, place_ms) in record.events.iter().zip(record.places()) {
        let is_alike = |one: &&mut Shown| {
            one.kind == event.kind && one.backend == event.backend && one.pool == event.pool
        };
        let follows = |one: &&mut Shown| event.at_ms.saturating_sub(one.last_ms) <= APART_MS;
        let flood = match KINDS.contains(&event.kind.as_str()) {
            true => shown.iter_mut().rev().find(is_alike).filter(follows),
            false => None,
        };
        match flood {
            Some(flood) => {
                flood.more += 1;
                flood.last_ms = event.at_ms;
            }
            None => shown.push(Shown {
                balancer: record.balancer.clone(),
                at_ms: event.at_ms,
                place_ms,
                level: event.level,
                text: event.text.clone(),
                more: 0,
                last_ms: event.at_ms,
                kind: event.kind.clone(),
                backend: event.backend.clone(),
                pool: event.pool.clone(),
            }),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::super::read::Event;
    use super::*;

    fn event(second: u64, kind: &str, backend: &str) -> Event {
        Event {
            at_ms: second * 1000,
            kind: kind.to_owned(),
            backend: Some(backend.to_owned()),
            text: format!("{backend} {kind} {second}"),
            ..Event::default()
        }
    }

    fn texts(events: Vec<Event>) -> Vec<(String, u64)> {
        let record = Record { events, ..Record::default() };
        folded(&record).into_iter().map(|it| (it.text, it.more)).collect()
    }

    #[test]
    fn of_a_flood_the_first_is_shown_with_how_many_there_were() {
        let flood = (0..100).flat_map(|n| [event(n, "reset", "A"), event(n, "reset", "B")]);
        let mut events: Vec<_> = flood.collect();
        events.push(event(100, "out", "A"));
        events.push(event(101, "reset", "A"));
        events.push(event(300, "reset", "A"));
        let expected =
            [("A reset 0", 100), ("B reset 0", 99), ("A out 100", 0), ("A reset 300", 0)];
        assert_eq!(texts(events), expected.map(|(text, more)| (text.to_owned(), more)));
    }

    #[test]
    fn what_has_run_out_is_shown_once() {
        let of = |second| Event { backend: None, ..event(second, "exhausted", "") };
        assert_eq!(texts((0..30).map(of).collect()), [(" exhausted 0".to_owned(), 29)]);
    }

    #[test]
    fn what_two_pools_lack_is_told_of_each() {
        let of = |second, pool: &str| Event {
            backend: None,
            pool: Some(pool.to_owned()),
            text: format!("none in {pool}"),
            ..event(second, "unavailable", "")
        };
        let told = texts(vec![of(1, "web"), of(1, "api"), of(2, "web")]);
        assert_eq!(told, [("none in web".to_owned(), 1), ("none in api".to_owned(), 0)]);
    }

    #[test]
    fn what_turns_a_backend_is_never_folded() {
        let events = vec![event(1, "out", "A"), event(2, "out", "A"), event(3, "up", "A")];
        assert_eq!(texts(events).len(), 3);
    }
}
