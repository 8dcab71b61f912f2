//! Every form of request reaches a backend as it was meant.

use crate::harness::{Backend, Proxy};

#[test]
fn every_method_is_relayed() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "M-SEARCH", "get"];
    let mut client = proxy.connect();
    for method in methods {
        let answer = client.ask(format!("{method} /m HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert_eq!(answer.status(), 200, "{method}");
    }
    let seen = backend.requests();
    assert!(seen.iter().map(|request| request.method()).eq(methods));
}

#[test]
fn targets_go_on_unaltered() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let long = format!("/{}", "x".repeat(8000));
    let targets = [
        "/",
        "//",
        "/a/../b",
        "/%2e%2E/%00",
        "/a?b=c&d=%20",
        "/?",
        "/a?b?c/d",
        "/a;b=c,d",
        "/~!$&'()*+",
        "/a|b",
        "/[x]",
        "/\"q\"",
        "/{t}",
        "/a?x=\\y",
        &long,
    ];
    let mut client = proxy.connect();
    for target in targets {
        assert_eq!(client.get(target).text(), format!("GET {target} 0\n"));
    }
}

#[test]
fn a_body_of_known_length_arrives_whole() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let answer =
        proxy.ask("POST /b HTTP/1.1\r\nHost: a.test\r\nContent-Length: 11\r\n\r\nhello\r\n\0you");
    assert_eq!(answer.text(), "POST /b 11\n");
    let seen = &backend.requests()[0];
    assert_eq!(seen.body, b"hello\r\n\0you");
    assert_eq!(seen.field("content-length"), Some("11"));
    assert_eq!(seen.field("transfer-encoding"), None);
}

#[test]
fn a_chunked_body_arrives_chunked_and_without_extensions() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let answer = proxy.ask(
        "PUT /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: CHUNKED\r\n\r\n\
         5;name=\"v;\\\"w\"\r\nhello\r\n1\r\n \r\n00a;x\r\n0123456789\r\n0\r\n\r\n",
    );
    assert_eq!(answer.text(), "PUT /c 16\n");
    let seen = &backend.requests()[0];
    assert_eq!(seen.body, b"hello 0123456789");
    assert_eq!(seen.field("transfer-encoding"), Some("chunked"));
    assert_eq!(seen.field("content-length"), None);
    let tape = String::from_utf8(backend.tapes()[0].clone()).unwrap();
    assert!(!tape.contains("name") && !tape.contains(";x"), "{tape}");
}

#[test]
fn empty_bodies_keep_their_framing() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.ask("POST /1 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
    client.ask("POST /2 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    client.ask("POST /3 HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let seen = backend.requests();
    assert_eq!(seen[0].field("content-length"), Some("0"));
    assert_eq!(seen[1].field("transfer-encoding"), Some("chunked"));
    assert_eq!(seen[2].field("transfer-encoding"), None);
}

#[test]
fn a_get_may_have_a_body() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    let answer = client.ask("GET /b HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(answer.text(), "GET /b 3\n");
    assert_eq!(client.get("/next").text(), "GET /next 0\n");
}

#[test]
fn trailers_of_a_request_are_passed_on_where_safe() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    proxy.ask(
        "POST /t HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
         3\r\nabc\r\n0\r\nX-Sum: 9\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n",
    );
    assert_eq!(backend.requests()[0].trailers, [("X-Sum".to_owned(), "9".to_owned())]);
}

#[test]
fn a_request_may_come_in_single_bytes() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    let request = "POST /slow HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3;e=1\r\nabc\r\n0\r\nX-T: 1\r\n\r\n";
    for byte in request.bytes() {
        client.send([byte]);
    }
    assert_eq!(client.answer().text(), "POST /slow 3\n");
    assert_eq!(backend.requests()[0].trailers.len(), 1);
}

#[test]
fn the_authority_of_an_absolute_target_replaces_host() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let answer = proxy.ask("GET http://b.test:81/p?q HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(answer.text(), "GET /p?q 0\n");
    assert_eq!(backend.requests()[0].field("host"), Some("b.test:81"));
}

#[test]
fn options_of_the_whole_server_are_asked_for_with_an_asterisk() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let answer = proxy.ask("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(answer.text(), "OPTIONS * 0\n");
}

#[test]
fn an_http_1_0_request_is_relayed_as_1_1_with_a_host() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    let answer = client.ask("POST /old HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(answer.text(), "POST /old 2\n");
    client.expect_end();
    let seen = &backend.requests()[0];
    assert_eq!(seen.start, "POST /old HTTP/1.1");
    assert!(seen.field("host").is_some());
}

#[test]
fn repeated_fields_stay_apart_and_in_order() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    proxy.ask(
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\nx-b:\t caf\u{e9} \t\r\nX-A: 2\r\nX-Empty:\r\n\
         Cookie: a=b; c=\"d\"\r\n\r\n",
    );
    let seen = &backend.requests()[0];
    assert_eq!(seen.all("x-a"), ["1", "2"]);
    assert_eq!(seen.field("x-b"), Some("caf\u{e9}"));
    assert_eq!(seen.field("x-empty"), Some(""));
    assert_eq!(seen.field("cookie"), Some("a=b; c=\"d\""));
}

#[test]
fn one_empty_line_before_a_request_is_forgiven() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send("POST /1 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi\r\n");
    assert_eq!(client.answer().text(), "POST /1 2\n");
    assert_eq!(client.get("/2").text(), "GET /2 0\n");
}
