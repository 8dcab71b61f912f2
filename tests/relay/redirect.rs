//! Redirect mode: who is named, in which words, and what a request's own bytes can do about it.

use crate::harness::{Backend, Hosted, Keyed, Message, Place, Proxy, Vacant, Wire, serve};
use std::net::SocketAddr;

const REDIRECT: &str = "server.mode = \"redirect\"\n";
const OFTEN: &str = "health.interval = \"50ms\"\nhealth.rise = 2\nhealth.fall = 2\n";

fn redirecting(backends: &[&dyn Place], settings: &str) -> Proxy {
    let proxy = Proxy::with(backends, &format!("{REDIRECT}{settings}"));
    proxy.farewell(307);
    proxy
}

fn origin(place: &dyn Place) -> String {
    format!("http://127.0.0.1:{}", place.port())
}

fn location(answer: &Message) -> &str {
    assert_eq!(answer.status(), 307, "{answer:?}");
    answer.field("location").unwrap()
}

/// The address in a Location, and what follows it.
fn split(location: &str) -> (SocketAddr, &str) {
    let rest = location.strip_prefix("http://").unwrap();
    let (authority, target) = rest.split_at(rest.find('/').unwrap());
    (authority.parse().unwrap(), target)
}

#[test]
fn the_answer_names_the_backend_with_path_and_query_and_is_not_to_be_kept() {
    let a = Backend::plain();
    let proxy = redirecting(&[&a], "");
    let answer = proxy.connect().get("/shop/cart?item=1&to=%2F");
    assert_eq!(answer.start, "HTTP/1.1 307 Temporary Redirect");
    assert_eq!(location(&answer), format!("{}/shop/cart?item=1&to=%2F", origin(&a)));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert_eq!(answer.field("connection"), None);
    assert!(answer.field("date").is_some());
    assert_eq!(proxy.said(", redirecting"), 1);
    drop(proxy);
    assert_eq!(a.visits(), 0, "nothing was relayed");
}

#[test]
fn whoever_follows_keeps_its_method_and_body() {
    let a = Backend::plain();
    let proxy = redirecting(&[&a], "redirect.methods = [\"GET\", \"POST\"]");
    let request = |target: &str| {
        format!("POST {target} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello")
    };
    let answer = proxy.ask(request("/form?x"));
    let (address, target) = split(location(&answer));
    let answer = Wire::connect(address).ask(request(target));
    assert_eq!(answer.text(), "POST /form?x 5\n");
}

#[test]
fn a_public_address_goes_before_the_one_that_evenly_knows() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let public = Keyed(&a, "public = \"https://A.example.org:8443\"");
    let six = Hosted(&Keyed(&b, ""), "::1");
    let proxy = redirecting(&[&public, &six], "");
    let mut client = proxy.connect();
    assert_eq!(location(&client.get("/x")), "https://a.example.org:8443/x");
    assert_eq!(location(&client.get("/x")), format!("http://[::1]:{}/x", b.port()));
}

#[test]
fn a_name_is_given_as_the_file_has_it() {
    let a = Backend::plain();
    let proxy = redirecting(&[&Hosted(&a, "localhost")], "");
    assert_eq!(location(&proxy.get("/")), format!("http://localhost:{}/", a.port()));
}

#[test]
fn hostile_targets_lead_nowhere_else() {
    let a = Backend::plain();
    let proxy = redirecting(&[&a], "redirect.methods = [\"GET\", \"OPTIONS\"]");
    let fields = "Host: evil.test\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: https\r\n\
                  Forwarded: host=evil.test\r\nX-Original-URL: //evil.test\r\n";
    let cases = [
        ("GET", "//evil.test/", "//evil.test/"),
        ("GET", "///evil.test", "///evil.test"),
        ("GET", "/@evil.test/", "/@evil.test/"),
        ("GET", "/..//evil.test", "/..//evil.test"),
        ("GET", "/.evil.test", "/.evil.test"),
        ("GET", "/:80@evil.test", "/:80@evil.test"),
        ("GET", "/%0d%0aSet-Cookie:%20a=b", "/%0d%0aSet-Cookie:%20a=b"),
        ("GET", "/%5cevil.test", "/%5cevil.test"),
        ("GET", "/?\\evil.test", "/?\\evil.test"),
        ("GET", "/?url=http://evil.test/", "/?url=http://evil.test/"),
        ("GET", "/\"><script>alert(1)</script>", "/\"><script>alert(1)</script>"),
        ("GET", "http://evil.test/p?q", "/p?q"),
        ("GET", "http://evil.test//evil.test", "//evil.test"),
        ("GET", "HTTPS://evil.test", "/"),
        ("GET", "http://evil.test?q=1", "/?q=1"),
        ("OPTIONS", "*", ""),
        ("OPTIONS", "http://evil.test", ""),
    ];
    let mut client = proxy.connect();
    for (method, target, rest) in cases {
        let answer = client.ask(format!("{method} {target} HTTP/1.1\r\n{fields}\r\n"));
        assert_eq!(location(&answer), format!("{}{rest}", origin(&a)), "{target}");
        assert!(!answer.text().contains("evil") && !answer.text().contains('<'), "{target}");
        let names: Vec<_> = answer.fields.iter().map(|(name, _)| name.as_str()).collect();
        let expected = ["Date", "Content-Type", "Content-Length", "Location", "Cache-Control"];
        assert_eq!(names, expected, "{target}");
    }
}

#[test]
fn what_is_no_target_is_refused_and_named_nowhere() {
    let a = Backend::plain();
    let proxy = redirecting(&[&a], "");
    for target in [
        "/a\\b",
        "/\\evil.test",
        "\\\\evil.test",
        "evil.test",
        "@evil.test",
        "?q",
        "/#//evil.test",
        "http://user@evil.test/",
        "javascript://evil.test",
        "/a\rLocation: x",
        "/a\nLocation: x",
        "/\u{e9}",
        "/\u{0}",
        "*",
    ] {
        let answer = proxy.ask(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert_eq!((answer.status(), answer.field("location")), (400, None), "{target:?}");
    }
}

#[test]
fn other_methods_than_get_and_head_are_answered_405() {
    let a = Backend::plain();
    let proxy = redirecting(&[&a], "");
    let mut client = proxy.connect();
    let head = client.ask("HEAD /x HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(location(&head), format!("{}/x", origin(&a)));
    assert_ne!(head.field("content-length"), Some("0"));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get"] {
        let answer = client.ask(format!("{method} /x HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.field("allow"), Some("GET, HEAD"));
        assert_eq!(answer.field("location"), None);
    }
    assert_eq!(client.get("/still").status(), 307);
    let answer = client.ask("TRACE /x HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!((answer.status(), answer.field("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn the_redirect_may_be_permanent() {
    let a = Backend::plain();
    let proxy = redirecting(&[&a], "redirect.status = 308");
    proxy.farewell(308);
    let answer = proxy.get("/x");
    assert_eq!(answer.start, "HTTP/1.1 308 Permanent Redirect");
    assert_eq!(answer.field("location"), Some(format!("{}/x", origin(&a)).as_str()));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
}

#[test]
fn requests_sent_ahead_are_each_answered_in_order() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let proxy = redirecting(&[&a, &b], "");
    let mut client = proxy.connect();
    let ask = |nth: usize| format!("GET /{nth} HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client.send((0..20).map(ask).collect::<String>());
    for nth in 0..20 {
        let backend: &dyn Place = if nth % 2 == 0 { &a } else { &b };
        assert_eq!(location(&client.answer()), format!("{}/{nth}", origin(backend)));
    }
}

#[test]
fn a_body_that_came_along_is_read_and_the_connection_goes_on() {
    let a = Backend::plain();
    let proxy = redirecting(&[&a], "redirect.methods = [\"POST\", \"GET\"]");
    let mut client = proxy.connect();
    let next = "GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n";
    for body in [
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
        client.send(format!("POST /x HTTP/1.1\r\nHost: a.test\r\n{body}{next}"));
        let answer = client.answer_to("POST");
        assert_eq!((location(&answer), answer.field("connection")), (&*x(&a), None));
        assert_eq!(location(&client.answer()), format!("{}/next", origin(&a)));
    }
}

fn x(place: &dyn Place) -> String {
    format!("{}/x", origin(place))
}

#[test]
fn a_body_still_on_its_way_is_not_waited_for() {
    let a = Backend::plain();
    let proxy = redirecting(&[&a], "redirect.methods = [\"PUT\", \"GET\"]");
    for expects in ["", "Expect: 100-continue\r\n"] {
        let mut client = proxy.connect();
        client.send(format!(
            "PUT /x HTTP/1.1\r\nHost: a.test\r\n{expects}Content-Length: 100000\r\n\r\n"
        ));
        let answer = client.answer_to("PUT");
        assert_eq!((location(&answer), answer.field("connection")), (&*x(&a), Some("close")));
        client.offer([b'x'; 1000]);
        client.finish();
        client.expect_end();
    }
}

#[test]
fn a_bad_or_large_body_is_refused_as_when_relaying() {
    let a = Backend::plain();
    let settings = "redirect.methods = [\"POST\", \"GET\"]\nlimits.body_bytes = \"10B\"";
    let proxy = redirecting(&[&a], settings);
    for (body, status) in [
        ("Transfer-Encoding: chunked\r\n\r\nz\r\n", 400),
        ("Content-Length: 11\r\n\r\nhello world", 413),
        ("Content-Length: 11\r\n\r\n", 413),
    ] {
        let answer = proxy.ask(format!("POST / HTTP/1.1\r\nHost: a.test\r\n{body}"));
        assert_eq!((answer.status(), answer.field("location")), (status, None), "{body:?}");
    }
}

#[test]
fn an_http_1_0_client_is_redirected_and_the_connection_closed() {
    let a = Backend::plain();
    let proxy = redirecting(&[&a], "");
    let mut client = proxy.connect();
    client.send("GET /x HTTP/1.0\r\n\r\n");
    let answer = client.answer();
    assert_eq!((location(&answer), answer.field("connection")), (&*x(&a), Some("close")));
    client.expect_end();
    let mut client = proxy.connect();
    for _ in 0..2 {
        client.send("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let answer = client.answer();
        assert_eq!((location(&answer), answer.field("connection")), (&*x(&a), Some("keep-alive")));
    }
}

#[test]
fn round_robin_is_fair_by_weight_and_spares_the_backup() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let proxy = redirecting(&[&Keyed(&a, "weight = 2"), &b, &Keyed(&c, "backup = true")], "");
    let mut client = proxy.connect();
    let told: Vec<_> = (0..30).map(|_| location(&client.get("/x")).to_owned()).collect();
    let share = |place: &dyn Place| told.iter().filter(|told| **told == x(place)).count();
    assert_eq!([share(&a), share(&b), share(&c)], [20, 10, 0]);
}

#[test]
fn a_limit_on_connections_hits_nobody_here() {
    let a = Backend::plain();
    let settings = "server.workers = 4\nqueue.length = 0";
    let proxy = redirecting(&[&Keyed(&a, "max_connections = 1")], settings);
    let address = proxy.address;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = Wire::connect(address);
                (0..100).for_each(|_| assert_eq!(client.get("/").status(), 307));
            });
        }
    });
}

#[test]
fn a_backend_that_fails_its_checks_is_not_named_until_it_is_back() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let proxy = redirecting(&[&a, &b], OFTEN);
    let gone = a.go_down();
    proxy.process.said.wait("up -> down");
    let mut client = proxy.connect();
    for _ in 0..6 {
        assert_eq!(location(&client.get("/x")), x(&b));
    }
    let a = gone.open(serve);
    proxy.process.said.wait("down -> up");
    let told = [(); 2].map(|()| location(&client.get("/x")).to_owned());
    assert!(told.contains(&x(&a)), "{told:?}");
}

#[test]
fn with_no_backend_up_the_answer_is_503() {
    let vacant = Vacant::new();
    let proxy = redirecting(&[&Keyed(&vacant, "alive = false")], "");
    proxy.pardon("answering 503");
    proxy.farewell(503);
    let answer = proxy.get("/");
    assert_eq!((answer.status(), answer.field("location")), (503, None));
    assert!(answer.field("retry-after").is_some());
}

#[test]
fn the_policy_hash_and_the_cookie_name_the_same_backend_again() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let hash = "balance.policy = \"hash\"\nbalance.hash_by = \"header X-User\"";
    let proxy = redirecting(&[&a, &b, &c], hash);
    let mut client = proxy.connect();
    for user in 0..10 {
        let ask = format!("GET /x HTTP/1.1\r\nHost: a.test\r\nX-User: {user}\r\n\r\n");
        let told = [(); 3].map(|()| location(&client.ask(&ask)).to_owned());
        assert!(told.iter().all(|other| *other == told[0]), "{told:?}");
    }
    let proxy = redirecting(&[&a, &b, &c], "sticky.cookie = \"BACKEND\"");
    let mut client = proxy.connect();
    let first = client.get("/x");
    let cookie = first.field("set-cookie").unwrap().split(';').next().unwrap();
    let ask = format!("GET /x HTTP/1.1\r\nHost: a.test\r\nCookie: {cookie}\r\n\r\n");
    for _ in 0..6 {
        let answer = client.ask(&ask);
        assert_eq!((location(&answer), answer.field("set-cookie")), (location(&first), None));
    }
}

#[test]
fn each_redirect_leaves_a_line_with_the_backends_name() {
    let a = Backend::plain();
    let proxy = redirecting(&[&a], "log.access = \"json\"\nlog.to = \"./access.log\"");
    proxy.get("/x?y");
    proxy.ask("GET http://a.test?q=1 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    proxy.ask("PUT /z HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    let mut lines = Vec::new();
    crate::harness::eventually("three lines", || {
        let text = std::fs::read_to_string(proxy.scratch.path().join("access.log"));
        lines = text.unwrap_or_default().lines().map(str::to_owned).collect();
        lines.len() == 3
    });
    let parts = [
        ["\"target\":\"/x?y\"", "\"status\":307", "\"backend\":\"A\"", "\"cause\":\"--\""],
        ["\"target\":\"/?q=1\"", "\"status\":307", "\"backend\":\"A\"", "\"cause\":\"--\""],
        ["\"target\":\"/z\"", "\"status\":405", "\"backend\":null", "\"cause\":\"PR\""],
    ];
    for (line, parts) in lines.iter().zip(parts) {
        for part in parts {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}
