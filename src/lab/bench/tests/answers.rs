//! Answers in every form that is allowed are read to their end, and counted.

use super::*;

#[test]
fn every_way_to_end_a_body_is_understood() {
    let bodies = [
        "Content-Length: 3\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nT: t\r\n\r\n",
        "Content-Length: 0\r\n\r\n",
    ];
    for body in bodies {
        let server = Scripted::saying(format!("HTTP/1.1 200 OK\r\n{body}"));
        assert_eq!(sound(&server.plan()).resent, 0);
        assert_eq!(server.connections(), 1, "{body:?}");
    }
    let closing = [
        "HTTP/1.1 200 OK\r\n\r\nuntil the close",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    ];
    for answer in closing {
        let server = Scripted::closing_after(answer);
        assert_eq!(sound(&server.plan()).resent, 0);
        assert_eq!(server.connections(), 3, "{answer:?}");
    }
}

#[test]
fn answers_without_a_body_keep_the_connection() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n";
    for (method, answer) in [
        ("HEAD", head),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
    ] {
        let server = Scripted::saying(answer);
        let mut plan = server.plan();
        plan.request.method = method.into();
        sound(&plan);
        assert_eq!(server.connections(), 1, "{answer:?}");
    }
}

#[test]
fn interim_answers_are_passed_over() {
    let early = "HTTP/1.1 103 Early Hints\r\nX-Served-By: early\r\n\r\n";
    let cont = "HTTP/1.1 100 Continue\r\n\r\n";
    let server = Scripted::saying(format!("{cont}{early}{cont}{OK}"));
    let tally = sound(&server.plan());
    assert_eq!((tally.statuses, tally.served_by.len()), ([(200, 3)].into(), 0));
    assert_eq!(sound(&Scripted::saying(cont.repeat(1000) + OK).plan()).statuses, [(200, 3)].into());
    let endless = Scripted::saying(cont.repeat(3000) + OK);
    let (kind, example) = fault(&endless.plan());
    assert_eq!(
        (kind, example.as_str()),
        (LoadFault::Malformed, "more interim answers than are allowed")
    );
}

#[test]
fn a_body_larger_than_the_buffer_is_read_to_its_end() {
    let body = "x".repeat(300_000);
    let length = body.len();
    let server =
        Scripted::saying(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"));
    let tally = sound(&server.plan());
    assert!(tally.bytes > 900_000);
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_in_single_bytes_is_one_answer() {
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Served-By: slow\r\n\
                  Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    let server = Scripted::start(move |peer| {
        while peer.request().is_some() {
            answer.bytes().for_each(|byte| peer.say([byte]));
        }
    });
    assert_eq!(sound(&server.plan()).served_by, [("slow".into(), 3)].into());
    assert_eq!(server.connections(), 1);
}

#[test]
fn answers_are_counted_by_who_gave_them() {
    let count = AtomicU64::new(0);
    let server = Scripted::start(move |peer| {
        while peer.request().is_some() {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let field = ["X-Served-By: a\r\n", "x-served-by: b c\r\n", ""][number as usize % 3];
            peer.say(format!("HTTP/1.1 200 OK\r\n{field}Content-Length: 0\r\n\r\n"));
        }
    });
    let tally = sound(&LoadPlan { requests: Some(30), workers: 4, ..server.plan() });
    assert_eq!(tally.served_by, [("a".into(), 10), ("b c".into(), 10)].into());
}

#[test]
fn statuses_are_counted_and_only_some_are_a_success() {
    let count = AtomicU64::new(0);
    let server = Scripted::start(move |peer| {
        while peer.request().is_some() {
            let status = [200, 302, 404, 503][count.fetch_add(1, Ordering::SeqCst) as usize % 4];
            peer.say(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    let tally = tally(&LoadPlan { requests: Some(8), ..server.plan() });
    assert_eq!(tally.statuses, [(200, 2), (302, 2), (404, 2), (503, 2)].into());
    assert_eq!((tally.ok(), tally.requests()), (4, 8));
}
