//! Empty lines between requests: an old client ends a body with one, and nothing has begun by it.

use crate::harness::{Backend, Proxy, Wire};
use std::time::Duration;

const SHORT: &str = "timeouts.request_head = \"200ms\"";
/// Long enough for that to have passed three times.
const LONG: Duration = Duration::from_millis(700);

const POST: &str = "POST /1 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello";

/// A client whose POST was answered, with these bytes behind it.
fn posted(proxy: &Proxy, behind: &str) -> Wire {
    let mut client = proxy.connect();
    assert_eq!(client.ask(POST).text(), "POST /1 5\n");
    client.send(behind);
    client
}

#[test]
fn an_empty_line_behind_a_post_begins_no_request() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], SHORT);
    for blank in ["\r\n", "\r\n\r\n", "\r"] {
        let mut client = posted(&proxy, blank);
        assert!(client.is_silent_for(LONG), "{blank:?}");
        let rest = if blank == "\r" { "\n" } else { "" };
        client.send(format!("{rest}GET /2 HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert_eq!(client.answer().text(), "GET /2 0\n", "{blank:?}");
        assert_eq!(client.get("/3").text(), "GET /3 0\n", "{blank:?}");
    }
}

#[test]
fn it_may_come_in_one_piece_with_the_post_or_before_its_answer() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], SHORT);
    let mut client = proxy.connect();
    client.send(format!("{POST}\r\n"));
    assert_eq!(client.answer().text(), "POST /1 5\n");
    assert!(client.is_silent_for(LONG));
    assert_eq!(client.get("/2").text(), "GET /2 0\n");
}

#[test]
fn a_connection_may_begin_with_one() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send("\r\n");
    assert_eq!(client.get("/").text(), "GET / 0\n");
}

#[test]
fn a_head_that_begins_behind_it_has_its_deadline() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], SHORT);
    let mut client = posted(&proxy, "\r\n");
    assert!(client.is_silent_for(LONG));
    client.send("GE");
    assert_eq!(client.answer().status(), 408);
    client.expect_end();
}

#[test]
fn it_does_not_hold_an_idle_connection_open() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "timeouts.keep_alive = \"300ms\"");
    posted(&proxy, "\r\n").expect_end();
}

#[test]
fn a_client_that_leaves_behind_it_has_broken_off_nothing() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = posted(&proxy, "\r\n");
    client.finish();
    client.expect_end();
}
