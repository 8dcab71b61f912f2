//! Which answers count as up and which as down, and how many of them turn a backend.

use super::*;

#[test]
fn a_bad_status_is_down_and_expect_may_call_it_good() {
    let change = Bench::failure(status(503), one_round(SOON));
    assert!(change.contains("check failed: status 503 ("), "{change}");
    let expect = Some(Statuses::new(vec![503..=503]));
    let settings = Settings { expect, ..one_round(SOON) };
    let watched = Bench::checked(&[status(503), status(200), status(404)], settings);
    let standings = [0, 1, 2].map(|index| watched.standing(index));
    assert_eq!(standings, [Standing::Up, Standing::Down, Standing::Down]);
}

#[test]
fn an_endless_body_is_read_so_far_and_no_further() {
    let address = server(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'.'; 1024]).is_ok() {}
    });
    let watched = Bench::checked(&[address], one_round(SOON));
    assert_eq!(watched.standing(0), Standing::Up);
}

#[test]
fn what_is_no_http_answer_is_down() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", ".".repeat(200_000));
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nOK".to_owned();
    for answer in ["SSH-2.0-OpenSSH_9.2\r\n".to_owned(), String::new(), long, short] {
        let change = Bench::failure(says(answer), one_round(SOON));
        assert_eq!(change.lines().count(), 1, "{change}");
    }
}

/// What clients get through the relay must not take the backend out.
#[test]
fn an_answer_with_one_meaning_is_as_good_as_any() {
    let heads = [
        "X-A : b\r\nContent-Length: 2\r\n",
        "X-A: b\r\n c\r\nContent-Length: 2\r\n",
        "X-A: b\nContent-Length: 2\n",
        "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Connection: keep-alive; timeout=5\r\nContent-Length: 2, 2\r\n",
        "",
    ];
    let whole = |head: &&str| says(format!("HTTP/1.1 200 OK\r\n{head}\r\nOK"));
    let chunked = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    let interim = "HTTP/1.1 103 Early Hints\r\nLink : <x>\r\n\r\n";
    let mut addresses: Vec<_> = heads.iter().map(whole).collect();
    addresses
        .push(says(format!("{interim}HTTP/1.1 200 OK\r\n{chunked}\r\n2 \r\nOK\r\n0 \r\n\r\n")));
    let watched = Bench::checked(&addresses, one_round(SOON));
    for index in 0..addresses.len() {
        assert_eq!(watched.standing(index), Standing::Up, "{index}");
    }
}

#[test]
fn an_answer_with_two_meanings_is_down() {
    for head in ["Content-Length: 2\r\nContent-Length: 3", "X-A: b\rX-C: d", "No colon"] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nOK");
        let change = Bench::failure(says(answer), one_round(SOON));
        assert!(change.contains("check failed: bad answer: "), "{head:?}: {change}");
    }
}

#[test]
fn an_unknown_default_path_counts_as_up_with_one_warning_a_backend() {
    let watched = Bench::start(specs(&[status(404), status(405)]), quick());
    watched.await_checks(0, 5);
    watched.await_checks(1, 5);
    assert_eq!([watched.standing(0), watched.standing(1)], [Standing::Up; 2]);
    let events = watched.events.clone();
    watched.watch.stop();
    let mut warnings: Vec<String> = events
        .try_iter()
        .map(|event| match event {
            Heard::Told("unknown-path", text) => text,
            other => panic!("{other:?}"),
        })
        .collect();
    warnings.sort();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("backend a: GET /health answered 404, which counts as up"));
    assert!(warnings[1].starts_with("backend b: GET /health answered 405, which counts as up"));
}

#[test]
fn an_unknown_path_that_the_file_sets_is_down() {
    let settings = Settings { path_set: true, path: "/up".into(), ..one_round(SOON) };
    let change = Bench::failure(status(404), settings);
    assert!(change.contains("check failed: status 404 ("), "{change}");
}

#[test]
fn a_redirect_is_not_followed_and_is_down() {
    let (heard, requests) = unbounded();
    let elsewhere = server(move |_, request| heard.send(request).unwrap());
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/\r\n\r\n");
    let change = Bench::failure(says(answer), one_round(SOON));
    assert!(change.contains("check failed: status 302, not followed ("), "{change}");
    assert!(requests.is_empty());
}

#[test]
fn a_flapping_backend_goes_down_after_fall_and_up_after_rise() {
    let health = Arc::new(AtomicU16::new(200));
    let now = Arc::clone(&health);
    let address = server(move |mut stream, _| {
        let answer = format!("HTTP/1.1 {} Now\r\nContent-Length: 0\r\n\r\n", now.load(Relaxed));
        let _ = stream.write_all(answer.as_bytes());
    });
    let watched = Bench::checked(&[address], quick());
    let counts = || watched.pool.backends()[0].counts();
    let count = || (counts().checks_passed, counts().checks_failed);
    health.store(503, Relaxed);
    assert!(watched.next_change().contains("up -> down"));
    let (_, failed) = count();
    assert!(failed >= 3, "down after {failed} failed checks");
    let (passed, _) = count();
    health.store(200, Relaxed);
    assert!(watched.next_change().contains("down -> up"));
    let (passed_now, _) = count();
    assert!(passed_now >= passed + 2, "up after {} checks", passed_now - passed);
}

#[test]
fn one_failure_among_passes_changes_nothing() {
    let turn = AtomicU16::new(0);
    let address = server(move |mut stream, _| {
        let status = if turn.fetch_add(1, Relaxed) % 3 == 2 { 500 } else { 200 };
        let answer = format!("HTTP/1.1 {status} Now\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes());
    });
    let watched = Bench::start(specs(&[address]), quick());
    watched.await_checks(0, 12);
    assert_eq!(watched.standing(0), Standing::Up);
    assert!(watched.events.is_empty());
}
