//! What alerts hand to the process that takes over, as JSON: written by one version of Evenly and
//! read by another, so what is not there, or is not understood, is left out.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::config::Occasion;
use crate::notify::{Fact, Handed, Message, Open, Out, Single};

/// Of all alerts.
pub(super) fn written(handed: Vec<Handed>) -> Value {
    let alert = |Handed { alert, open, singles, messages }: Handed| {
        let singles: Value = singles.iter().map(single).collect();
        let messages: Value = messages.iter().map(message).collect();
        let open = open.as_ref().map(incident);
        json!({ "alert": alert, "open": open, "singles": singles, "messages": messages })
    };
    handed.into_iter().map(alert).collect()
}

/// The same, read.
pub(super) fn read(handed: &Value) -> Vec<Handed> {
    let alert = |one: &Value| {
        Some(Handed {
            alert: text(&one["alert"])?,
            open: read_incident(&one["open"]),
            singles: list(&one["singles"]).iter().filter_map(read_single).collect(),
            messages: list(&one["messages"]).iter().filter_map(read_message).collect(),
        })
    };
    list(handed).iter().filter_map(alert).collect()
}

fn incident(Open { key, began, lost, out }: &Open) -> Value {
    let one = |Out { backend, since, is_flapping }: &Out| json!([backend, ms(*since), is_flapping]);
    let out: Value = out.iter().map(one).collect();
    let lost: Value = lost.iter().map(|(pool, since)| json!([pool, ms(*since)])).collect();
    json!({
        "key": key,
        "began_ms": ms(*began),
        "lost": lost,
        "out": out,
    })
}

fn read_incident(open: &Value) -> Option<Open> {
    let one = |one: &Value| {
        let (backend, since) = (text(&one[0])?, time(&one[1])?);
        Some(Out { backend, since, is_flapping: one[2] == true })
    };
    let began = time(&open["began_ms"])?;
    let lost = |one: &Value| Some((text(&one[0])?, time(&one[1])?));
    Some(Open {
        key: text(&open["key"])?,
        began,
        lost: list(&open["lost"]).iter().filter_map(lost).collect(),
        out: list(&open["out"]).iter().filter_map(one).collect(),
    })
}

fn single(Single { kind, words, when, open }: &Single) -> Value {
    let (key, began) = open.as_ref().map(|(key, began)| (key, ms(*began))).unzip();
    let kind = kind.word();
    json!({ "kind": kind, "words": words, "at_ms": ms(*when), "key": key, "began_ms": began })
}

fn read_single(one: &Value) -> Option<Single> {
    let kind = Occasion::ALL.into_iter().find(|kind| one["kind"] == kind.word())?;
    let open = text(&one["key"]).zip(time(&one["began_ms"]));
    Some(Single { kind, words: text(&one["words"])?, when: time(&one["at_ms"])?, open })
}

fn message(Message { subject, text, key, kind, facts }: &Message) -> Value {
    json!({ "subject": subject, "text": text, "key": key, "kind": kind, "facts": facts })
}

fn read_message(one: &Value) -> Option<Message> {
    let fact = |fact: &Value| -> Option<Fact> { Some((text(&fact[0])?.into(), text(&fact[1])?)) };
    Some(Message {
        subject: text(&one["subject"])?,
        text: text(&one["text"])?,
        key: text(&one["key"])?,
        kind: text(&one["kind"])?.into(),
        facts: list(&one["facts"]).iter().filter_map(fact).collect(),
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn ms(when: SystemTime) -> u64 {
    let since = when.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn time(ms: &Value) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms.as_u64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_what_another_version_leaves_out_is_not_missed() {
        let when = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_744_800_123);
        let out = Out { backend: "A\"\n".into(), since: when, is_flapping: true };
        let open = Open {
            key: "k-1".into(),
            began: when,
            lost: vec![("api".into(), when)],
            out: vec![out],
        };
        let told = |kind, open| Single { kind, words: "w".into(), when, open };
        let messages = vec![Message {
            subject: "s".into(),
            text: "t\n".into(),
            key: "k-1".into(),
            kind: "down".into(),
            facts: vec![("usable".into(), "2".into())],
        }];
        let singles = vec![
            told(Occasion::Certificate, None),
            told(Occasion::ReloadFailed, Some(("k-2".into(), when))),
        ];
        let all = vec![Handed { alert: "a".into(), open: Some(open), singles, messages }];
        let sent = written(all.clone()).to_string();
        assert_eq!(read(&serde_json::from_str(&sent).unwrap()), all);
        let older = json!([{"alert": "a", "open": {"key": "k", "began_ms": 1,
            "out": [["B", 2]]}}]);
        let [Handed { open: Some(open), .. }] = &read(&older)[..] else { panic!("{older}") };
        assert!(!open.out[0].is_flapping && open.out[0].backend == "B", "{open:?}");
        assert!(open.lost.is_empty());
        assert!(read(&json!("nothing")).is_empty());
    }
}
