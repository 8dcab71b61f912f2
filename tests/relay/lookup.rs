//! The lookup: which server to use, for clients that ask before they go there themselves.

use crate::harness::{Backend, Gate, Keyed, Message, Place, Proxy, Vacant, Wire};

const PATH: &str = "/.well-known/evenly/next";
const LOOKUP: &str = "lookup.path = \"/.well-known/evenly/next\"\n";

fn named(name: &str, place: &dyn Place) -> String {
    format!("{{\"name\":\"{name}\",\"url\":\"http://127.0.0.1:{}\"}}", place.port())
}

/// The body of a lookup's answer, which is JSON that nobody keeps.
fn told(answer: &Message, status: u16) -> String {
    assert_eq!(answer.status(), status, "{answer:?}");
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap();
    answer.text()
}

#[test]
fn it_names_the_servers_in_their_turn_and_the_rest_is_relayed() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let proxy = Proxy::with(&[&a, &b], LOOKUP);
    let mut client = proxy.connect();
    for (name, backend) in [("A", &a), ("B", &b), ("A", &a)] {
        assert_eq!(told(&client.get(PATH), 200), named(name, backend));
    }
    assert_eq!(client.get(&format!("{PATH}/")).text(), format!("GET {PATH}/ 0\n"));
    assert_eq!(told(&client.get(&format!("{PATH}?for=me")), 200), named("A", &a));
    assert_eq!(told(&client.get(&format!("http://x.test{PATH}")), 200), named("B", &b));
    drop((client, proxy));
    let mut requests = [a.requests(), b.requests()].concat();
    requests.retain(|request| request.target() == PATH);
    assert!(requests.is_empty(), "{requests:?}");
}

#[test]
fn whoever_asks_first_finds_the_server_there() {
    let a = Backend::plain();
    let proxy = Proxy::with(&[&a], LOOKUP);
    let answer: serde_json::Value = serde_json::from_slice(&proxy.get(PATH).body).unwrap();
    let authority = answer["url"].as_str().unwrap().strip_prefix("http://").unwrap();
    let mut client = Wire::connect(authority.parse().unwrap());
    assert_eq!(client.get("/direct").text(), "GET /direct 0\n");
}

#[test]
fn a_public_address_is_told_instead() {
    let a = Backend::plain();
    let public = Keyed(&a, "public = \"https://a.example.org\"");
    let proxy = Proxy::with(&[&public], LOOKUP);
    let body = "{\"name\":\"A\",\"url\":\"https://a.example.org\"}";
    assert_eq!(told(&proxy.get(PATH), 200), body);
}

#[test]
fn it_is_off_unless_asked_for() {
    let a = Backend::plain();
    let proxy = Proxy::over(&[&a]);
    assert_eq!(proxy.get(PATH).text(), format!("GET {PATH} 0\n"));
}

#[test]
fn it_answers_get_and_head_alone() {
    let a = Backend::plain();
    let proxy = Proxy::with(&[&a], "lookup.path = \"/next\"");
    let mut client = proxy.connect();
    let head = client.ask("HEAD /next HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let length = named("A", &a).len().to_string();
    assert_eq!((head.status(), head.field("content-length")), (200, Some(length.as_str())));
    for method in ["POST", "DELETE", "OPTIONS"] {
        let body = if method == "POST" { "Content-Length: 2\r\n\r\nhi" } else { "\r\n" };
        let answer = client.ask(format!("{method} /next HTTP/1.1\r\nHost: a.test\r\n{body}"));
        assert_eq!((answer.status(), answer.field("allow")), (405, Some("GET, HEAD")));
    }
    assert_eq!(told(&client.get("/next"), 200), named("A", &a));
}

#[test]
fn it_works_beside_redirects() {
    let a = Backend::plain();
    let redirect = "server.mode = \"redirect\"\nredirect.methods = [\"POST\"]";
    let proxy = Proxy::with(&[&a], &format!("{LOOKUP}{redirect}"));
    proxy.farewell(405);
    assert_eq!(told(&proxy.get(PATH), 200), named("A", &a));
    assert_eq!(proxy.get("/other").field("allow"), Some("POST"));
}

#[test]
fn with_no_server_up_it_says_so_in_json() {
    let vacant = Vacant::new();
    let proxy = Proxy::with(&[&Keyed(&vacant, "alive = false")], LOOKUP);
    proxy.pardon("answering 503");
    proxy.farewell(503);
    let answer = proxy.get(PATH);
    assert_eq!(told(&answer, 503), "{\"error\":\"no backend can take the request now\"}");
    assert!(answer.field("retry-after").is_some());
}

#[test]
fn it_waits_for_no_place_and_takes_none() {
    let gate = Gate::new();
    let narrow = Backend::holding(&gate);
    let proxy = Proxy::with(&[&Keyed(&narrow, "max_connections = 1")], LOOKUP);
    let mut client = proxy.connect();
    for _ in 0..3 {
        assert_eq!(told(&client.get(PATH), 200), named("A", &narrow));
    }
    let mut holder = proxy.asking("/held");
    narrow.wait_requests(1);
    let answer = client.get(PATH);
    assert_eq!(told(&answer, 503), "{\"error\":\"every backend is busy\"}");
    assert_eq!(answer.field("retry-after"), Some("1"));
    gate.open();
    assert_eq!(holder.answer().status(), 200);
    assert_eq!(holder.get("/again").status(), 200);
}
