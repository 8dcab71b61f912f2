//! One deadline for a whole check, however its time is spread over connect, answer and body.

use super::*;

/// The timeout of these checks, and parts of it that leave room for a busy machine.
const TIMEOUT: Duration = ms(2000);
const MOST: Duration = ms(1500);

/// A server that answers with these pieces, a pause ahead of each.
fn piecewise(pieces: Vec<(Duration, &'static str)>) -> SocketAddr {
    server(move |mut stream, _| {
        for (pause, piece) in &pieces {
            thread::park_timeout(*pause);
            let _ = stream.write_all(piece.as_bytes());
        }
    })
}

/// A server that begins with `start` and repeats `drip` until nobody listens any more.
fn dripping(start: &'static str, drip: &'static str) -> SocketAddr {
    server(move |mut stream, _| {
        let _ = stream.write_all(start.as_bytes());
        while stream.write_all(drip.as_bytes()).is_ok() {
            thread::park_timeout(ms(5));
        }
    })
}

#[test]
fn an_answer_may_take_what_time_there_is() {
    const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let addresses = [
        piecewise(vec![(MOST, WHOLE)]),
        piecewise(vec![(ms(900), HEAD), (ms(600), "OK")]),
        piecewise(vec![(ms(0), HEAD), (MOST, "OK")]),
        piecewise(vec![(ms(0), "HTTP/1.1 2"), (MOST, "04 \r\n\r\n")]),
        piecewise(vec![(ms(500), CHUNKED), (ms(500), "2\r\nO"), (ms(500), "K\r\n0\r\n\r\n")]),
        piecewise(vec![(ms(500), "HTTP/1.1 102 \r\n\r\n"), (ms(1000), WHOLE)]),
    ];
    let watched = Bench::checked(&addresses, one_round(TIMEOUT));
    for index in 0..addresses.len() {
        assert_eq!(watched.standing(index), Standing::Up, "{index}");
    }
}

#[test]
fn nothing_lasts_beyond_the_timeout_and_its_failure_names_the_phase() {
    let hole = black_hole();
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let cases = [
        (silent(), "no answer within 1.5s of the check's start"),
        (dripping("HTTP/1.1 200 OK\r\nX: ", "."), "the answer's head was not whole after 1.5s"),
        (dripping("", "HTTP/1.1 102 \r\n\r\n"), "the answer's head was not whole after 1.5s"),
        (dripping(head, "."), "the body was not whole after 1.5s"),
        (dripping(chunked, "1\r\n.\r\n"), "the body was not whole after 1.5s"),
        (dripping("HTTP/1.1 200 OK\r\n\r\n", "."), "the body was not whole after 1.5s"),
        (hole.address, "connect timed out after 1.5s"),
    ];
    let addresses = cases.map(|(address, _)| address);
    let began = Instant::now();
    let watched = Bench::checked(&addresses, one_round(MOST));
    assert!(began.elapsed() < MOST * 5, "side by side, not one after the other");
    let changes: Vec<String> = cases.iter().map(|_| watched.next_change()).collect();
    for ((_, words), name) in cases.iter().zip('a'..) {
        let failure = format!("backend {name}: check failed: {words} (");
        assert!(changes.iter().any(|change| change.starts_with(&failure)), "{changes:#?}");
    }
}

#[test]
fn an_answer_that_begins_late_and_never_ends_is_given_up_in_time() {
    let began = Instant::now();
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nO";
    let address = piecewise(vec![(ms(500), head), (SOON, "")]);
    let change = Bench::failure(address, one_round(ms(1500)));
    assert!(change.contains("check failed: the body was not whole after 1.5s ("), "{change}");
    assert!(began.elapsed() < SOON / 2);
}
