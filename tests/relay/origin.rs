//! What a backend is told about where a request came from, and what must not reach it.

use crate::harness::{Backend, Message, Proxy};

/// The request as a backend sees it, asked under these settings with these fields.
fn seen(settings: &str, fields: &str) -> Message {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], settings);
    proxy.ask(format!("GET / HTTP/1.1\r\nHost: a.test:81\r\n{fields}\r\n"));
    backend.requests().remove(0)
}

#[test]
fn a_backend_is_told_who_asked_and_for_what() {
    let seen = seen("", "");
    assert_eq!(seen.field("host"), Some("a.test:81"));
    assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.field("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.field("x-forwarded-host"), Some("a.test:81"));
    assert_eq!(seen.field("via"), Some("1.1 evenly"));
    assert!(seen.field("x-request-id").is_some_and(|id| id.len() >= 8));
    assert_eq!(seen.field("forwarded"), None);
}

#[test]
fn what_a_stranger_claims_about_the_origin_is_dropped() {
    let claims = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\
                  X-Forwarded-Host: evil\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Port: 666\r\n\
                  Forwarded: for=6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-Request-Id: 666\r\n";
    let seen = seen("server.forwarded = true", claims);
    let text = format!("{:?}", seen.fields);
    assert!(!text.contains("666") && !text.contains("6.6.6") && !text.contains("evil"), "{text}");
    assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.field("x-forwarded-proto"), Some("http"));
}

#[test]
fn what_a_trusted_proxy_says_is_kept_and_extended() {
    let claims = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\
                  X-Forwarded-Host: site.test\r\nX-Request-Id: abc-1\r\n\
                  Forwarded: for=192.0.2.1\r\n";
    let seen = seen("server.trusted_proxies = [\"127.0.0.0/8\"]\nserver.forwarded = true", claims);
    assert_eq!(seen.field("x-forwarded-for"), Some("192.0.2.1, 127.0.0.1"));
    assert_eq!(seen.field("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.field("x-forwarded-host"), Some("site.test"));
    assert_eq!(seen.field("x-request-id"), Some("abc-1"));
    let forwarded = seen.field("forwarded").unwrap();
    assert!(forwarded.starts_with("for=192.0.2.1, for=127.0.0.1"), "{forwarded}");
}

#[test]
fn forwarded_is_added_where_it_is_asked_for() {
    let seen = seen("server.forwarded = true", "");
    assert_eq!(seen.field("forwarded"), Some("for=127.0.0.1;host=\"a.test:81\";proto=http"));
}

#[test]
fn fields_of_the_clients_connection_end_here() {
    let fields = "Connection: keep-alive, X-Private , close\r\nX-Private: 1\r\nKeep-Alive: 5\r\n\
                  Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\nTE: trailers\r\n\
                  Proxy: evil\r\n";
    let seen = seen("", fields);
    for name in [
        "connection",
        "x-private",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "proxy",
    ] {
        assert_eq!(seen.field(name), None, "{name}");
    }
}

#[test]
fn a_client_cannot_have_our_own_fields_stripped() {
    let seen = seen("", "Connection: X-Forwarded-For, Host, X-Forwarded-Proto, Via\r\n");
    assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.field("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.field("host"), Some("a.test:81"));
}

#[test]
fn each_request_has_an_id_of_its_own() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    for _ in 0..50 {
        client.get("/");
    }
    let requests = backend.requests();
    let mut ids: Vec<_> =
        requests.iter().filter_map(|request| request.field("x-request-id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 50);
}

#[test]
fn an_earlier_via_is_kept_before_ours() {
    let seen = seen("", "Via: 1.0 fred\r\n");
    assert_eq!(seen.all("via").join(", "), "1.0 fred, 1.1 evenly");
}

#[test]
fn served_by_tells_clients_the_name_where_it_is_asked_for() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    assert_eq!(proxy.get("/").field("x-served-by"), None);
    let shown = Proxy::with(&[&backend], "server.served_by = true");
    assert_eq!(shown.get("/").field("x-served-by"), Some("A"));
}
