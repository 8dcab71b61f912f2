//! What a backend receives, and what the caller gets of its answer.

use crate::harness::{Backend, Place, Vacant};
use crate::{NO_CHECKS, asked, builder, client};
use evenly::client::{Client, Error, Request};
use evenly::pool::policy::Kind;

#[test]
fn a_request_arrives_as_it_was_meant() {
    let backend = Backend::plain();
    let port = backend.port();
    let headers = [("Content-Type", "text/plain"), ("X-A", "1")];
    let client = client(&[&backend], &NO_CHECKS);
    let answer = client.request("PUT", "/x?y=1", &headers, b"hello").unwrap();
    assert_eq!(answer.text(), "PUT /x?y=1 5\n");
    let request = &backend.wait_requests(1)[0];
    assert_eq!((request.start.as_str(), request.text().as_str()), ("PUT /x?y=1 HTTP/1.1", "hello"));
    for (name, value) in [
        ("host", format!("127.0.0.1:{port}").as_str()),
        ("content-type", "text/plain"),
        ("x-a", "1"),
        ("content-length", "5"),
        ("connection", "close"),
    ] {
        assert_eq!(request.field(name), Some(value), "{name}");
    }
}

#[test]
fn a_request_that_would_become_two_is_not_sent() {
    let backend = Backend::plain();
    let client = client(&[&backend], &NO_CHECKS);
    let smuggled = "/ HTTP/1.1\r\nHost: a\r\n\r\nGET /two";
    let sneaky = [("X-A", "1\r\n\r\nGET /two HTTP/1.1")];
    for result in [client.get(smuggled), client.request("GET", "/", &sneaky, b"")] {
        assert!(matches!(result, Err(Error::Request(_))), "{result:?}");
    }
    assert_eq!(backend.visits(), 0);
}

#[test]
fn any_status_is_an_answer_with_its_headers() {
    let answer = "HTTP/1.1 302 Found\r\nLocation: /y\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nno";
    let backend = Backend::says(answer);
    let answer = client(&[&backend], &NO_CHECKS).get("/").unwrap();
    assert_eq!((answer.status(), answer.header("location")), (302, Some("/y")));
    assert_eq!((answer.header("x-b"), answer.headers().count()), (None, 3));
    assert_eq!(answer.into_body(), b"no");
}

#[test]
fn an_answer_with_one_meaning_is_mended_as_the_relay_does() {
    let head = "HTTP/1.1 700 Own\nX-A : 1\r\n 2\r\n";
    for body in [
        "Content-Length: 3\r\nContent-Length : 3, 3\r\n\r\nabc",
        "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n3 \r\nabc\r\n0\r\n\r\n",
    ] {
        let backend = Backend::says(format!("{head}{body}"));
        let answer = client(&[&backend], &NO_CHECKS).get("/").unwrap();
        assert_eq!((answer.status(), answer.header("x-a")), (700, Some("1 2")), "{body:?}");
        assert_eq!(answer.text(), "abc", "{body:?}");
    }
}

#[test]
fn bodies_of_every_framing_and_interim_answers_are_read() {
    let chunked = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    let patient = "HTTP/1.1 102 Processing\r\n\r\n".repeat(1000)
        + "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    let to_the_end = "HTTP/1.0 200 OK\r\n\r\nabc";
    for said in [chunked, to_the_end, &patient] {
        let backend = Backend::says(said);
        assert_eq!(client(&[&backend], &NO_CHECKS).get("/").unwrap().text(), "abc");
    }
    let backend = Backend::plain();
    let answer = client(&[&backend], &NO_CHECKS).request("HEAD", "/", &[], b"").unwrap();
    assert_eq!((answer.status(), answer.body()), (200, &b""[..]));
}

#[test]
fn an_early_answer_counts_although_the_body_was_not_read() {
    let backend = Backend::every(|wire| {
        if wire.request_head().is_some() {
            wire.offer("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
            wire.finish();
            // What is left unread would turn the close into a reset that overtakes the answer.
            wire.ending();
        }
    });
    let body = vec![b'x'; 4 << 20];
    let answer = client(&[&backend], &NO_CHECKS).request("POST", "/", &[], &body).unwrap();
    assert_eq!((answer.status(), answer.text().as_ref()), (413, "big"));
}

#[test]
fn an_answer_longer_than_the_limit_is_refused_and_not_asked_for_elsewhere() {
    let (long, other) = (Backend::plain(), Backend::plain());
    let client = client(&[&long, &other], &NO_CHECKS).with_body_limit(7);
    match client.get("/") {
        Err(Error::TooLong { backend, limit: 7 }) => assert_eq!(backend, "A"),
        result => panic!("{result:?}"),
    }
    assert_eq!(other.visits(), 0);
}

#[test]
fn a_key_stays_with_its_backend() {
    let backends = [0; 3].map(|_| Backend::plain());
    let places = [&backends[0] as &dyn Place, &backends[1], &backends[2]];
    let set = builder(&places).policy(Kind::Hash).set("health.interval", "1h");
    let client = set.build().unwrap();
    for key in ["ann", "bob", "eve"] {
        let request = Request::new("GET", "/").key(key.as_bytes());
        let first = client.send(&request).unwrap().backend().to_owned();
        (0..5).for_each(|_| assert_eq!(client.send(&request).unwrap().backend(), first));
    }
    assert_eq!(backends.iter().map(|backend| asked(backend).len()).sum::<usize>(), 18);
}

#[test]
fn what_makes_no_sense_in_code_is_refused_with_a_sentence() {
    let vacant = Vacant::new();
    for (built, words) in [
        (Client::builder(), "there are none"),
        (Client::builder().backend("a", "127.0.0.1"), "port"),
        (Client::builder().backend("a", "a b:80"), "neither an address nor a host name"),
        (Client::builder().backend("a\n", "a:80"), "has \"\\u000A\" in it"),
        (builder(&[&vacant, &vacant]), "is listed"),
        (builder(&[&vacant]).set("health.intervall", "1s"), "unknown key"),
    ] {
        match built.build().map(|_| ()) {
            Err(Error::Config(errors)) => assert!(errors.to_string().contains(words), "{errors}"),
            other => panic!("{words}: {other:?}"),
        }
    }
    let missing = Client::from_file("/no/such/file.toml").map(|_| ()).unwrap_err().to_string();
    assert!(missing.starts_with("/no/such/file.toml: no such file"), "{missing}");
}
