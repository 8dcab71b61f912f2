//! The raw requests in tests/wire/requests: what is refused, and what a backend gets to see of it.
//!
//! | key        | meaning                                                                         |
//! |------------|---------------------------------------------------------------------------------|
//! | `status`   | the statuses of the answers, in order                                           |
//! | `method`   | what the first answer answers, if not GET                                       |
//! | `requests` | whole requests that the backend sees; if not said, one for each 200             |
//! | `part`     | `yes`: the backend may have seen a part of one that then turned out to be bad   |
//! | `sees`     | a text that the backend must receive                                            |
//! | `lacks`    | a text that it must not                                                         |
//! | `then`     | `open` or `closed`: the connection; if not said, closed after a refusal         |
//! | `finish`   | `yes`: the client stops sending after these bytes                               |

use crate::harness::{Backend, Broken, Case, Proxy, cases};

const KEYS: [&str; 8] = ["status", "method", "requests", "part", "sees", "lacks", "then", "finish"];

/// Requests of ours must not contain what a case looks for.
const OTHERWISE: &str = "HTTP/1.1\r\nHost: z.test\r\n\r\n";

fn hold(family: &str) {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut failures = Vec::new();
    for case in cases(&format!("requests/{family}"), &KEYS) {
        if let Err(what) = play(&case, &proxy, &backend) {
            failures.push(format!("{}: {what}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn play(case: &Case, proxy: &Proxy, backend: &Backend) -> Result<(), String> {
    let (requests, tapes) = (backend.requests().len(), backend.tapes());
    let expected: Vec<u16> =
        case.value("status").unwrap().split(' ').map(|status| status.parse().unwrap()).collect();
    talk(case, proxy, &expected)?;
    // One more, after which all that the case could cause has been caused.
    let after = proxy.ask(format!("GET /after {OTHERWISE}"));
    assert_eq!(after.status(), 200, "{}: the GET after it", case.name);
    let received: Vec<String> = backend
        .tapes()
        .iter()
        .enumerate()
        .map(|(visit, tape)| &tape[tapes.get(visit).map_or(0, Vec::len)..])
        .map(|tape| String::from_utf8_lossy(tape).into_owned())
        .filter(|tape| !tape.is_empty())
        .collect();
    let seen = backend.requests().len() - requests - 1;
    check_received(case, &expected, seen, &received)
}

/// Says the bytes and reads the answers.
fn talk(case: &Case, proxy: &Proxy, expected: &[u16]) -> Result<(), String> {
    let mut client = proxy.connect();
    client.offer(&case.bytes);
    if case.value("finish") == Some("yes") {
        client.finish();
    }
    let mut method = case.value("method").unwrap_or("GET");
    for status in expected {
        match client.try_answer(method) {
            Ok(answer) if answer.status() == *status => {}
            Ok(answer) => return Err(format!("{} instead of {status}", answer.status())),
            Err(broken) => return Err(format!("{broken:?} instead of {status}")),
        }
        method = "GET";
    }
    let refused = expected.last().is_some_and(|status| *status >= 400);
    let closed = case.value("then").map_or(refused, |then| then == "closed");
    if closed {
        let (rest, broken) = client.ending();
        if !rest.is_empty() || broken != Broken::End {
            let rest = String::from_utf8_lossy(&rest);
            return Err(format!("{rest:?} and {broken:?} instead of the end"));
        }
    } else if client.ask(format!("GET /open {OTHERWISE}")).status() != 200 {
        return Err("the connection is out of step".into());
    }
    Ok(())
}

fn check_received(
    case: &Case,
    expected: &[u16],
    seen: usize,
    received: &[String],
) -> Result<(), String> {
    let good = expected.iter().filter(|status| **status < 400).count();
    let requests = case.value("requests").map_or(good, |count| count.parse().unwrap());
    let open = case
        .value("then")
        .map_or(expected.last().is_some_and(|last| *last < 400), |then| then == "open");
    if seen != requests + usize::from(open) {
        return Err(format!("the backend saw {seen} requests: {received:?}"));
    }
    if requests == 0 && case.value("part").is_none() {
        let only = received
            .iter()
            .all(|tape| tape.starts_with("GET /after ") || open && tape.starts_with("GET /open "));
        if !only {
            return Err(format!("the backend received something of it: {received:?}"));
        }
    }
    let has = |text: &str| received.iter().any(|tape| tape.contains(text));
    for text in case.values("sees") {
        if !has(text) {
            return Err(format!("the backend did not see {text:?} but {received:?}"));
        }
    }
    for text in case.values("lacks") {
        if has(text) {
            return Err(format!("the backend saw {text:?} in {received:?}"));
        }
    }
    Ok(())
}

#[test]
fn request_lines_are_read_strictly() {
    hold("line");
}

#[test]
fn targets_are_read_strictly() {
    hold("target");
}

#[test]
fn hosts_are_read_strictly() {
    hold("host");
}

#[test]
fn fields_are_read_strictly() {
    hold("field");
}

#[test]
fn lengths_are_read_strictly() {
    hold("length");
}

#[test]
fn transfer_codings_are_read_strictly() {
    hold("coding");
}

#[test]
fn chunks_are_read_strictly() {
    hold("chunk");
}

#[test]
fn connection_fields_are_kept_to_their_connection() {
    hold("connection");
}

#[test]
fn what_follows_a_request_is_read_as_what_it_is() {
    hold("sequence");
}
