//! What requests themselves tell about a backend: three failures in a row take it out for a while,
//! if they are not one client's doing, and under the scored policy each costs it points.

use crate::harness::{Backend, BlackHole, Place, Proxy, Vacant, eventually, serve, timed};
use rustix::process::Signal;

/// With one worker: an answer is with its client a moment before the pool hears of it, and the next
/// client's request is not to be quicker.
fn proxy_over(backends: &[&dyn Place], settings: &str) -> Proxy {
    Proxy::with(backends, &format!("server.workers = 1\n{settings}"))
}

/// A good server but for paths that begin with /bad: those have this answer.
fn bad_at(answer: &'static str) -> Backend {
    Backend::every(move |wire| {
        while let Some(request) = wire.request() {
            let good = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
            if !wire.offer(if request.target().starts_with("/bad") { answer } else { good }) {
                return;
            }
        }
    })
}

const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";

/// How many of `count` requests, one after another, `backend` got: they come from three clients,
/// and each asks for something else.
fn share(proxy: &Proxy, backend: &Backend, count: usize) -> usize {
    let before = backend.requests().len();
    for number in 0..count {
        proxy.connect_as(2 + (number % 3) as u8).get(&format!("/{number}"));
    }
    backend.requests().len() - before
}

/// The same for one client, which asks for the paths that `target` names.
fn share_of_one(
    proxy: &Proxy,
    backend: &Backend,
    count: usize,
    target: impl Fn(usize) -> String,
) -> usize {
    let before = backend.requests().len();
    let mut client = proxy.connect();
    (0..count).for_each(|number| drop(client.get(&target(number))));
    backend.requests().len() - before
}

#[test]
fn three_failures_in_a_row_take_a_backend_out() {
    for status in [502, 503, 504] {
        let (bad, good) = (Backend::answering(status), Backend::plain());
        let proxy = proxy_over(&[&bad, &good], "");
        assert_eq!(share(&proxy, &bad, 40), 3, "{status}");
        let line = proxy.process.said.wait("up -> ejected");
        assert!(line.contains("backend A: ") && line.contains("1 of 2 left"), "{line}");
    }
}

#[test]
fn a_backend_that_was_taken_out_comes_back_and_serves() {
    let bad = Backend::every(move |wire| {
        let mut count = 0;
        while wire.request().is_some() {
            count += 1;
            let status = if count <= 3 { 503 } else { 200 };
            if !wire.offer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")) {
                return;
            }
        }
    });
    let good = Backend::plain();
    let settings = "passive.eject = \"300ms\"\ntimeouts.upstream_keep_alive = \"1s\"";
    let proxy = proxy_over(&[&bad, &good], settings);
    share(&proxy, &bad, 10);
    let before = bad.requests().len();
    eventually("the backend is asked again", || {
        proxy.get("/");
        bad.requests().len() > before
    });
}

#[test]
fn errors_that_are_not_the_connections_fault_take_nobody_out() {
    for status in [500, 404, 401, 429] {
        let (bad, good) = (Backend::answering(status), Backend::plain());
        let proxy = proxy_over(&[&bad, &good], "");
        assert_eq!(share(&proxy, &bad, 20), 10, "{status}");
        assert_eq!(share(&proxy, &bad, 1), 1, "{status}: the turn is the bad one's");
    }
}

#[test]
fn which_statuses_count_can_be_set() {
    let (bad, good) = (Backend::answering(500), Backend::plain());
    let proxy = proxy_over(&[&bad, &good], "passive.statuses = [\"500-599\"]");
    assert_eq!(share(&proxy, &bad, 20), 3);
}

#[test]
fn failures_0_takes_nobody_out() {
    let (bad, good) = (Backend::answering(503), Backend::plain());
    let proxy = proxy_over(&[&bad, &good], "passive.failures = 0");
    assert_eq!(share(&proxy, &bad, 21), 11);
}

#[test]
fn the_last_one_standing_is_never_taken_out() {
    let bad = Backend::answering(503);
    let proxy = proxy_over(&[&bad], "");
    proxy.farewell(503);
    assert_eq!(share(&proxy, &bad, 20), 20);
}

#[test]
fn never_more_than_half_are_taken_out() {
    let bad = [(); 3].map(|()| Backend::answering(503));
    let good = Backend::plain();
    let places: Vec<&dyn Place> = vec![&bad[0], &bad[1], &bad[2], &good];
    let proxy = proxy_over(&places, "");
    share(&proxy, &good, 40);
    let before: Vec<_> = bad.iter().map(|bad| bad.requests().len()).collect();
    share(&proxy, &good, 20);
    let asked = bad.iter().zip(before).filter(|(bad, before)| bad.requests().len() > *before);
    assert_eq!(asked.count(), 1, "two of four are out");
    eventually("the last GET finds the good one", || proxy.get("/").status() == 200);
    // Its turn is next but one; the bad one's comes first.
    proxy.get("/");
}

#[test]
fn a_client_that_leaves_is_not_the_backends_fault() {
    let backend = Backend::scripted(|visit, wire| {
        if visit < 6 {
            wire.request();
            wire.ending();
        } else {
            serve(wire);
        }
    });
    let good = Backend::plain();
    let proxy = proxy_over(&[&backend, &good], "");
    for number in 1..=6 {
        let mut leaver = proxy.connect();
        leaver.send("GET /left HTTP/1.1\r\nHost: a.test\r\n\r\n");
        backend.wait_requests(number);
        leaver.reset();
        assert_eq!(proxy.get("/").text(), "GET / 0\n");
    }
    eventually("the backend is left alone", || backend.connections() == 0);
    assert_eq!(share(&proxy, &backend, 10), 5);
}

#[test]
fn resets_and_silence_count_as_failures() {
    let resetting = Backend::every(|wire| {
        wire.request();
    });
    let good = Backend::plain();
    let proxy = proxy_over(&[&resetting, &good], "");
    for number in 0..30 {
        let mut client = proxy.connect_as(2 + number % 3);
        assert_eq!(client.get(&format!("/{number}")).status(), 200);
    }
    assert_eq!(resetting.requests().len(), 3);
}

#[test]
fn one_client_takes_nobody_out_whatever_it_asks_for() {
    let backends = [bad_at(BUSY), bad_at(BUSY)];
    let proxy = proxy_over(&[&backends[0], &backends[1]], "");
    let target = |number| format!("/bad?{number}");
    assert_eq!(share_of_one(&proxy, &backends[0], 60, target), 30, "the same path");
    let target = |number| format!("/bad/{number}");
    assert_eq!(share_of_one(&proxy, &backends[0], 60, target), 30, "always another path");
    assert_eq!(proxy.said("ejected"), 0);
    let line = proxy.process.said.wait("met by one client");
    assert!(line.contains(": it stays in, ") && line.contains("[passive] clients"), "{line}");
}

#[test]
fn a_request_that_crashes_what_serves_it_takes_nobody_out() {
    let crashing = || {
        Backend::every(|wire| {
            while wire.request().is_some_and(|request| request.target() != "/crash") {
                wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
            }
        })
    };
    let backends = [(); 4].map(|()| crashing());
    let places: Vec<&dyn Place> = backends.iter().map(|one| one as &dyn Place).collect();
    let proxy = proxy_over(&places, "");
    let mut client = proxy.connect();
    for _ in 0..20 {
        assert_eq!(client.get("/crash").status(), 502);
        client = proxy.connect();
    }
    assert_eq!(proxy.said("ejected"), 0);
}

#[test]
fn a_path_that_fails_for_everybody_takes_four_times_as_many_requests() {
    let (bad, good) = (Backend::answering(503), Backend::plain());
    let proxy = proxy_over(&[&bad, &good], "");
    for number in 0..60 {
        proxy.connect_as(2 + number % 3).get("/same?but=this");
    }
    assert_eq!(bad.requests().len(), 12);
    let line = proxy.process.said.wait("up -> ejected");
    let words = "backend A: 12 failures in a row, met by several clients at one path, the last: ";
    assert!(line.contains(words), "{line}");
}

#[test]
fn a_success_at_another_path_ends_the_row() {
    let backend = bad_at(BUSY);
    let good = Backend::plain();
    let proxy = proxy_over(&[&backend, &good], "");
    for number in 0..60_u8 {
        let target = if number % 6 < 4 { "/bad" } else { "/good" };
        proxy.connect_as(2 + number % 3).get(&format!("{target}/{number}"));
    }
    assert_eq!((backend.requests().len(), proxy.said("ejected")), (30, 0));
}

#[test]
fn one_clients_word_counts_where_the_configuration_says_so() {
    let (bad, good) = (Backend::answering(503), Backend::plain());
    let proxy = proxy_over(&[&bad, &good], "passive.clients = 1");
    assert_eq!(share_of_one(&proxy, &bad, 40, |number| format!("/{number}")), 3);
}

#[test]
fn behind_a_trusted_proxy_the_clients_are_those_that_it_names() {
    let settings = "server.trusted_proxies = [\"127.0.0.1\"]";
    for (named, asked) in [(3, 3), (1, 20)] {
        let (bad, good) = (Backend::answering(503), Backend::plain());
        let proxy = proxy_over(&[&bad, &good], settings);
        let mut outer = proxy.connect();
        for number in 0..40 {
            let client = number / 2 % named;
            outer.ask(format!(
                "GET /{number} HTTP/1.1\r\nHost: a.test\r\n\
                 X-Forwarded-For: 198.51.100.{number}, 192.0.2.{client}\r\n\r\n"
            ));
        }
        assert_eq!(bad.requests().len(), asked, "{named} named");
        // The turn is the good one's, whether the bad one is out or not.
        proxy.get("/turn");
    }
}

#[test]
fn a_backend_that_takes_no_connection_is_taken_out_for_one_client() {
    let (dead, hole, good) = (Vacant::new(), BlackHole::new(), Backend::plain());
    let bad: [&dyn Place; 2] = [&dead, &hole];
    for bad in bad {
        let proxy = proxy_over(&[bad, &good], "timeouts.connect = \"100ms\"");
        for _ in 0..12 {
            assert_eq!(proxy.get("/same").status(), 200);
        }
        let line = proxy.process.said.wait("up -> ejected");
        assert!(line.contains("backend A: 3 failures in a row, the last: connect fail"), "{line}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_backend_that_does_not_finish_its_handshake_is_taken_out_for_one_client() {
    let plain = Backend::every(|wire| {
        wire.offer("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        wire.ending();
    });
    let silent = Backend::every(|wire| drop(wire.ending()));
    let closing = Backend::every(|_| {});
    let good = Backend::plain();
    for (what, bad) in [("in the clear", plain), ("silent", silent), ("closing", closing)] {
        let bad = crate::harness::Keyed(&bad, "tls = true\ntls_verify = false");
        let proxy = proxy_over(&[&bad, &good], "timeouts.handshake = \"100ms\"");
        for _ in 0..12 {
            assert_eq!(proxy.get("/same").status(), 200, "{what}");
        }
        let line = proxy.process.said.wait("up -> ejected");
        assert!(line.contains("backend A: 3 failures in a row, the last: connect fail"), "{line}");
    }
}

/// Answers that our rules refuse, whatever else they come to allow.
const REFUSED: [&str; 4] = [
    "HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
];

#[test]
fn an_answer_that_is_refused_is_a_502_and_takes_nobody_out() {
    for answer in REFUSED {
        let backends = [(); 4].map(|()| bad_at(answer));
        let places: Vec<&dyn Place> = backends.iter().map(|one| one as &dyn Place).collect();
        let proxy = proxy_over(&places, "");
        for number in 0..28 {
            let client = &mut proxy.connect_as(2 + number % 3);
            assert_eq!(client.get(&format!("/bad/{number}")).status(), 502, "{answer:?}");
        }
        let asked = backends.each_ref().map(|one| one.requests().len());
        assert_eq!((asked, proxy.said("ejected")), ([7; 4], 0), "{answer:?}");
        assert_eq!(proxy.get("/good").text(), "good");
    }
}

#[test]
fn what_is_wrong_with_an_answer_is_said_with_the_backend_and_the_path() {
    let backend = bad_at(REFUSED[0]);
    let proxy = proxy_over(&[&backend], "");
    proxy.ask("PUT /bad%0A\"1;?secret=x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
    let line = proxy.process.said.wait("backend A: bad answer: ");
    assert!(
        line.contains(" WARN ") && line.contains("; asked for PUT /bad%0A\\\"1;, request id "),
        "{line}"
    );
    let before = proxy.said("bad answer");
    let (_, took) = timed(|| (0..20).for_each(|_| drop(proxy.get("/bad"))));
    let said = proxy.said("bad answer") - before;
    assert!(said <= took.as_secs() as usize + 1, "{said} lines in {took:?}");
}

#[test]
fn refused_answers_count_where_the_configuration_says_so() {
    let (bad, good) = (bad_at(REFUSED[0]), Backend::plain());
    let proxy = proxy_over(&[&bad, &good], "passive.bad_answers = true");
    for number in 0..20 {
        proxy.connect_as(2 + number % 3).get(&format!("/bad/{number}"));
    }
    assert_eq!(bad.requests().len(), 3);
}

#[test]
fn what_is_no_http_is_a_failure_of_the_backend() {
    // An SSH server, and one that wants TLS: it alerts of an unexpected message.
    for banner in ["SSH-2.0-x\r\n", "\x15\x03\x03\0\x02\x02\x0a"] {
        let backend = Backend::every(move |wire| {
            wire.request();
            wire.offer(banner);
        });
        let good = Backend::plain();
        let proxy = proxy_over(&[&backend, &good], "");
        let ask = |number: u8| proxy.connect_as(2 + number % 3).get(&format!("/{number}")).status();
        let broken = (0..20).map(ask).filter(|status| *status == 502).count();
        // Nobody else is asked for it; soon nobody needs to be.
        assert_eq!((broken, backend.requests().len()), (3, 3), "{banner:?}");
        proxy.process.said.wait("backend A: no HTTP: ");
    }
}

#[test]
fn what_one_client_finds_to_be_no_http_takes_nobody_out() {
    let greeting = |wire: &mut crate::harness::Wire| match wire.request() {
        Some(request) if request.target().starts_with("/raw") => drop(wire.offer("+OK ready\r\n")),
        Some(_) => drop(wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
        None => {}
    };
    let (odd, good) = (Backend::every(greeting), Backend::plain());
    let proxy = proxy_over(&[&odd, &good], "");
    let asked = share_of_one(&proxy, &odd, 40, |number| format!("/raw/{number}"));
    assert_eq!((asked, proxy.said("ejected")), (20, 0));
}

#[test]
fn a_faulty_backend_sits_turns_out_under_the_scored_policy_and_the_log_says_why() {
    let (bad, good) = (Backend::answering(500), Backend::plain());
    let proxy = proxy_over(&[&bad, &good], "balance.policy = \"scored-round-robin\"");
    let share = share_of_one(&proxy, &bad, 60, |_| "/".to_owned());
    assert!((1..10).contains(&share), "{share}");
    let line = proxy.process.said.wait("sits out");
    assert!(line.contains("backend A: score ") && line.contains(" answers bad"), "{line}");
}

#[test]
fn on_usr2_the_log_has_the_status_of_each_backend_with_the_policys_reasons() {
    let (bad, good) = (Backend::answering(500), Backend::plain());
    let proxy = proxy_over(&[&bad, &good], "balance.policy = \"scored-round-robin\"");
    share_of_one(&proxy, &bad, 20, |_| "/".to_owned());
    proxy.process.signal(Signal::USR2);
    let line = proxy.process.said.wait("backend A: up, ");
    assert!(line.contains("score ") && line.contains("threshold 250: sits out"), "{line}");
    assert!(line.contains(" answers bad"), "{line}");
    let line = proxy.process.said.wait("backend B: up, ");
    // An answer that was slow for once costs it points.
    assert!(line.contains(" 0 failures; score "), "{line}");
    assert!(line.contains(", threshold 250: takes its turns"), "{line}");
}
