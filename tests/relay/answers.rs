//! Every form of answer reaches the client as it was meant.

use crate::harness::{Backend, Broken, Proxy, eventually};

/// The answer that a client gets when a backend says this and closes.
fn relayed(said: &str) -> crate::harness::Message {
    let backend = Backend::says(said);
    let proxy = Proxy::over(&[&backend]);
    proxy.connect().get("/")
}

#[test]
fn an_answer_by_length_keeps_it() {
    let answer = relayed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello");
    assert_eq!(answer.start, "HTTP/1.1 200 OK");
    assert_eq!(answer.field("content-length"), Some("5"));
    assert_eq!(answer.field("x-a"), Some("1"));
    assert_eq!(answer.text(), "hello");
}

#[test]
fn a_chunked_answer_stays_chunked_with_its_trailers() {
    let answer = relayed(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
         5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 9\r\nSet-Cookie: a=b\r\n\r\n",
    );
    assert_eq!(answer.field("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.text(), "hello!");
    assert_eq!(answer.trailers, [("X-Sum".to_owned(), "9".to_owned())]);
}

#[test]
fn an_answer_that_ends_by_closing_keeps_the_clients_connection() {
    let backend = Backend::says("HTTP/1.1 200 OK\r\n\r\nhello");
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    let answer = client.get("/");
    assert_eq!(answer.field("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.text(), "hello");
    assert_eq!(client.get("/next").status(), 200);
}

#[test]
fn an_answer_to_head_has_the_length_and_no_body() {
    let backend = Backend::first(|wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        wire.request();
    });
    let proxy = Proxy::with(&[&backend], "timeouts.upstream_keep_alive = \"1s\"");
    let mut client = proxy.connect();
    let answer = client.ask("HEAD /1 HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(answer.field("content-length"), Some("1000"));
    let answer = client.ask("HEAD /2 HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!((answer.status(), answer.text().as_str()), (200, ""));
}

#[test]
fn statuses_without_a_body_leave_the_connection_in_step() {
    for said in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: \"x\"\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let backend = Backend::says(said);
        let proxy = Proxy::over(&[&backend]);
        let mut client = proxy.connect();
        let answer = client.get("/");
        assert_eq!(answer.text(), "", "{said}");
        assert_eq!(client.get("/next").text(), "GET /next 0\n", "{said}");
    }
}

#[test]
fn a_304_keeps_what_it_says_about_the_body() {
    let answer = relayed("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: \"x\"\r\n\r\n");
    assert_eq!(answer.status(), 304);
    assert_eq!(answer.field("content-length"), Some("99"));
    assert_eq!(answer.field("etag"), Some("\"x\""));
}

#[test]
fn an_http_1_0_backend_is_understood() {
    let answer = relayed("HTTP/1.0 200 Fine\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!((answer.start.as_str(), answer.text().as_str()), ("HTTP/1.1 200 Fine", "hello"));
    let answer = relayed("HTTP/1.0 200 OK\r\n\r\nhello");
    assert_eq!(answer.text(), "hello");
}

#[test]
fn an_http_1_0_client_gets_no_chunks() {
    let backend = Backend::says(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
    );
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.field("transfer-encoding"), None);
    assert_eq!(answer.field("connection"), Some("close"));
    assert_eq!(answer.text(), "hello!");
}

#[test]
fn an_http_1_0_client_sees_that_a_chunked_answer_broke() {
    let backend = Backend::says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.ending().1, Broken::Reset);
}

#[test]
fn statuses_and_reasons_go_on_as_they_came() {
    for status in
        ["201 Created", "299 x", "301 Go There", "404 ", "500 Oh: no", "503 Later", "599 ~"]
    {
        let answer = relayed(&format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nhi"));
        assert_eq!(answer.start, format!("HTTP/1.1 {status}"));
        assert_eq!(answer.text(), "hi");
    }
}

#[test]
fn cookies_stay_apart_and_in_order() {
    let answer = relayed(
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nVary: x\r\nSet-Cookie: b=2\r\n\
         Content-Length: 0\r\n\r\n",
    );
    assert_eq!(answer.all("set-cookie"), ["a=1", "b=2"]);
}

#[test]
fn fields_of_the_backends_connection_end_here() {
    let answer = relayed(
        "HTTP/1.1 200 OK\r\nConnection: close, X-Private\r\nX-Private: 1\r\nKeep-Alive: 5\r\n\
         Proxy-Connection: close\r\nContent-Length: 0\r\n\r\n",
    );
    for name in ["connection", "x-private", "keep-alive", "proxy-connection"] {
        assert_eq!(answer.field(name), None, "{name}");
    }
}

#[test]
fn a_date_is_kept_or_added() {
    let answer = relayed(
        "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 06:15:28 GMT\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(answer.field("date"), Some("Sat, 21 Nov 2026 06:15:28 GMT"));
    let answer = relayed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert!(answer.field("date").is_some_and(|date| date.ends_with(" GMT")));
}

#[test]
fn an_answer_in_single_bytes_arrives_whole() {
    let backend = Backend::first(|wire| {
        wire.request();
        let said = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;e=1\r\nabc\r\n0\r\n\r\n";
        for byte in said.bytes() {
            wire.send([byte]);
        }
    });
    let proxy = Proxy::over(&[&backend]);
    assert_eq!(proxy.get("/").text(), "abc");
}

#[test]
fn what_stands_behind_an_answer_changes_nothing_about_it_however_it_came() {
    for length in [5, 700_000] {
        for (surplus, close) in [("\r\n", true), ("\r\n", false), ("HTTP/1.1 200 OK", true)] {
            for apart in [false, true] {
                let close = if close { "Connection: close\r\n" } else { "" };
                let head = format!("HTTP/1.1 200 OK\r\n{close}Content-Length: {length}\r\n\r\n");
                let answer = head + &"x".repeat(length);
                let backend = Backend::first(move |wire| {
                    wire.request();
                    match apart {
                        true => drop((wire.offer(&answer), wire.offer(surplus))),
                        false => drop(wire.offer(answer.clone() + surplus)),
                    }
                });
                let proxy = Proxy::over(&[&backend]);
                let mut client = proxy.connect();
                let answer = client.get("/");
                assert_eq!((answer.status(), answer.body.len()), (200, length));
                eventually("the connection is dropped", || backend.connections() == 0);
                // Neither is it given to anybody, nor is that connection asked again.
                assert_eq!(client.get("/next").text(), "GET /next 0\n");
                assert_eq!(backend.visits(), 2);
            }
        }
    }
}

#[test]
fn bytes_behind_answers_are_told_of_but_not_once_for_each() {
    let backend = Backend::every(|wire| {
        while wire.request().is_some() {
            wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi\r\n");
        }
    });
    let proxy = Proxy::over(&[&backend]);
    for _ in 0..20 {
        assert_eq!(proxy.get("/").text(), "hi");
    }
    let line = proxy.process.said.wait("bytes behind the end of its answer");
    assert!(line.contains("backend A: "), "{line}");
    assert!(proxy.said("bytes behind") < 5);
}
