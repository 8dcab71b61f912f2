//! The raw answers in tests/wire/answers, said by a backend: what becomes a 502 or a visible break,
//! and whether the backend's connection is used again.
//!
//! | key       | meaning                                                                   |
//! |-----------|---------------------------------------------------------------------------|
//! | `status`  | what the client gets; `break`: a part of an answer that does not end well; |
//! |           | `bad`: that or 502, as it depends on how much came before the bad bytes   |
//! | `method`  | what was asked, if not GET                                                |
//! | `client`  | `HTTP/1.0`: the version of the client, if not 1.1                         |
//! | `body`    | the body that the client gets                                             |
//! | `sees`    | a line of the head that the client gets                                   |
//! | `lacks`   | a text that the client must not get                                       |
//! | `backend` | `closes` after these bytes; if not said, it keeps the connection          |
//! | `reused`  | `yes`: the next request comes on the same connection; else it must not    |

use crate::harness::{Backend, Broken, Case, Message, Proxy, cases};
use rustix::process::Signal;
use std::collections::HashMap;
use std::sync::Arc;

const KEYS: [&str; 8] =
    ["status", "method", "client", "body", "sees", "lacks", "backend", "reused"];

/// What a backend says to a request for `/case-NAME`, and whether it closes then.
type Script = HashMap<String, (Vec<u8>, bool)>;

/// Plays the cases of a family, and returns how many answers the log's status says were mended.
fn hold(family: &str) -> usize {
    let cases = cases(&format!("answers/{family}"), &KEYS);
    let say = |case: &Case| {
        let closes = case.value("backend") == Some("closes");
        (format!("/case-{}", case.name), (case.bytes.clone(), closes))
    };
    let script: Arc<Script> = Arc::new(cases.iter().map(say).collect());
    let backend = Backend::every(move |wire| {
        while let Some(request) = wire.request() {
            let good = (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood".to_vec(), false);
            let (bytes, closes) = script.get(request.target()).unwrap_or(&good);
            if !wire.offer(bytes) || *closes {
                return;
            }
        }
    });
    let settings = "timeouts.response = \"1s\"\ntimeouts.stream_idle = \"1s\"\n\
                    timeouts.upstream_keep_alive = \"1s\"\nserver.workers = 1";
    let proxy = Proxy::with(&[&backend], settings);
    let mut failures = Vec::new();
    for case in &cases {
        if let Err(what) = play(case, &proxy, &backend) {
            failures.push(format!("{}: {what}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    proxy.process.signal(Signal::USR2);
    let status = proxy.process.said.wait("backend A: up, ");
    let mended = status.split(", ").find_map(|part| part.strip_suffix(" answers mended"));
    mended.map_or(0, |count| count.parse().unwrap())
}

fn play(case: &Case, proxy: &Proxy, backend: &Backend) -> Result<(), String> {
    let (target, after) = (format!("/case-{}", case.name), format!("/after-{}", case.name));
    let method = case.value("method").unwrap_or("GET");
    let version = case.value("client").unwrap_or("HTTP/1.1");
    let mut client = proxy.connect();
    client.send(format!("{method} {target} {version}\r\nHost: a.test\r\n\r\n"));
    let answer = loop {
        match client.try_answer(method) {
            Ok(interim) if interim.status() < 200 && interim.status() != 101 => {}
            other => break other,
        }
    };
    check_answer(case, answer)?;
    drop(client);
    let good = proxy.get(&after);
    if good.text() != "good" {
        return Err(format!("the next answer was {:?}", good.text()));
    }
    let tapes = backend.tapes();
    let reused = tapes.iter().any(|tape| {
        let tape = String::from_utf8_lossy(tape);
        tape.contains(&format!("{target} ")) && tape.contains(&format!("{after} "))
    });
    match (case.value("reused") == Some("yes"), reused) {
        (true, false) => Err("the connection was not used again".into()),
        (false, true) => Err("the connection was used again".into()),
        _ => Ok(()),
    }
}

fn check_answer(case: &Case, answer: Result<Message, Broken>) -> Result<(), String> {
    let expected = case.value("status").unwrap();
    let answer = match answer {
        Err(Broken::End | Broken::Reset) if matches!(expected, "break" | "bad") => return Ok(()),
        Ok(answer) if answer.status() == 502 && expected == "bad" => return Ok(()),
        Ok(answer) if answer.status().to_string() == expected => answer,
        Ok(answer) => return Err(format!("{} {:?}", answer.status(), answer.text())),
        Err(broken) => return Err(format!("{broken:?} instead of {expected}")),
    };
    if case.value("body").is_some_and(|body| answer.text() != body) {
        return Err(format!("the body was {:?}", answer.text()));
    }
    let head: Vec<String> =
        answer.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    for line in case.values("sees") {
        if !head.iter().any(|is| is == line) && answer.start != line {
            return Err(format!("no {line:?} in {head:?}"));
        }
    }
    let all = format!("{head:?}{}{:?}", answer.text(), answer.trailers);
    match case.values("lacks").find(|text| all.contains(text)) {
        Some(text) => Err(format!("{text:?} in {all}")),
        None => Ok(()),
    }
}

#[test]
fn heads_of_answers_with_two_meanings_are_refused() {
    hold("head");
}

#[test]
fn bodies_of_answers_with_two_meanings_are_refused() {
    hold("body");
}

#[test]
fn answers_that_are_fine_pass_and_keep_the_connection() {
    assert_eq!(hold("fine"), 0);
}

#[test]
fn answers_with_one_meaning_are_mended_and_counted_and_keep_the_connection() {
    assert_eq!(hold("mended"), cases("answers/mended", &KEYS).len());
}

#[test]
fn what_was_mended_is_said_in_the_log_with_the_backend_and_the_path() {
    let answer = "HTTP/1.1 200 OK\r\nX-A : 1\r\n 2\r\nContent-Length: 0\r\n\r\n";
    let backend =
        Backend::every(move |wire| while wire.request().is_some() && wire.offer(answer) {});
    let proxy = Proxy::over(&[&backend]);
    for _ in 0..3 {
        assert_eq!(proxy.get("/old?a=b").field("x-a"), Some("1 2"));
    }
    let line = proxy.process.said.wait("mended");
    let said = "backend A: mended its answer: a folded line, space before a colon; asked for GET \
                /old, request id ";
    assert!(line.contains(said), "{line}");
}
