//! Forwarded heads: what backends get, and what clients cannot make them get.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::*;
use crate::http::claims::USUAL;
use crate::http::request::{is_never_relayed, parse};
use crate::http::{HeadLimits, Parsed, slots};
use proptest::prelude::*;

static CLAIMS: LazyLock<Claims> = LazyLock::new(|| Claims::new(USUAL));
const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
static PLAIN: LazyLock<Forwarding> = LazyLock::new(|| Forwarding {
    peer: CLIENT,
    peer_proto: "http",
    client: CLIENT,
    proto: "http",
    trusted: false,
    claims: &CLAIMS,
    forwarded: false,
    via: false,
    upgrade_h2c: false,
    request_id: "id-1",
});
static TRUSTED: LazyLock<Forwarding> = LazyLock::new(|| Forwarding { trusted: true, ..*PLAIN });

fn forward(request: &str, how: &Forwarding) -> String {
    let mut slots = slots();
    let Ok(Parsed::Complete { head, .. }) =
        parse(request.as_bytes(), &HeadLimits::default(), &mut slots)
    else {
        panic!("not a whole request: {request}");
    };
    let mut out = Vec::new();
    head.write_forward(&mut out, how);
    String::from_utf8(out).unwrap()
}

/// The head that a GET of / with these lines becomes.
fn get(lines: &str, how: &Forwarding) -> String {
    forward(&format!("GET / HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n"), how)
}

/// The values of a field, in order.
fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[test]
fn a_head_is_rebuilt_with_our_fields_after_those_of_the_client() {
    assert_eq!(
        get("Accept:   */*  \r\nCookie: a=b\r\n", &PLAIN),
        "GET / HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\nCookie: a=b\r\n\
         X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.test\r\n\
         X-Request-Id: id-1\r\n\r\n"
    );
}

#[test]
fn hop_by_hop_fields_and_those_that_connection_names_end_here() {
    let head = get(
        "Connection: X-Hop, close\r\nX-Hop: 1\r\nx-hop: 2\r\nKeep-Alive: timeout=5\r\n\
         TE: gzip\r\nProxy-Connection: close\r\nProxy-Authorization: x\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: x\r\nProxy: evil\r\nX-Stays: 1\r\n",
        &PLAIN,
    );
    for gone in ["Connection", "X-Hop", "Keep-Alive", "TE", "Proxy-Connection", "Upgrade", "Proxy"]
    {
        assert!(values(&head, gone).is_empty(), "{gone}");
    }
    assert!(values(&head, "HTTP2-Settings").is_empty());
    assert_eq!(values(&head, "X-Stays"), ["1"]);
}

#[test]
fn connection_can_not_strip_what_protects_the_backend() {
    let head = forward(
        "POST / HTTP/1.1\r\nHost: a\r\n\
         Connection: Host, Content-Length, X-Forwarded-For, Cookie\r\n\
         Content-Length: 5\r\nCookie: a=b\r\n\r\n",
        &PLAIN,
    );
    assert_eq!(values(&head, "Host"), ["a"]);
    assert_eq!(values(&head, "Content-Length"), ["5"]);
    assert_eq!(values(&head, "Cookie"), ["a=b"]);
    assert_eq!(values(&head, "X-Forwarded-For"), ["192.0.2.7"]);
}

#[test]
fn a_stranger_can_not_speak_about_origins() {
    let head = get(
        "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\
         X-Forwarded-User: root\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\
         X_Forwarded_For: 6.6.6.6\r\nX-Request-Id: evil\r\nTrue-Client-IP: 6.6.6.6\r\n",
        &PLAIN,
    );
    assert!(!head.contains("6.6.6.6") && !head.contains("evil\r") && !head.contains("root"));
    assert_eq!(values(&head, "X-Forwarded-For"), ["192.0.2.7"]);
    assert_eq!(values(&head, "X-Forwarded-Proto"), ["http"]);
}

#[test]
fn a_trusted_proxy_is_believed_and_its_lists_go_on() {
    let how = Forwarding { client: IpAddr::from([3, 3, 3, 3]), proto: "https", ..*TRUSTED };
    let head = get(
        "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2, 3.3.3.3\r\nX-Forwarded-For:\r\n\
         X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop\r\nX-Real-IP: 1.1.1.1\r\n\
         Forwarded: for=1.1.1.1\r\nX-Request-Id: theirs\r\nX_Real_IP: 6.6.6.6\r\n",
        &how,
    );
    assert_eq!(values(&head, "X-Forwarded-For"), ["1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7"]);
    assert_eq!(values(&head, "X-Forwarded-Proto"), ["https"]);
    assert_eq!(values(&head, "X-Forwarded-Host"), ["shop"]);
    assert_eq!(values(&head, "X-Request-Id"), ["theirs"]);
    assert_eq!(values(&head, "X-Real-IP"), ["1.1.1.1"]);
    // It may be the client's, which the proxy let through beside its own X-Forwarded-For.
    assert!(values(&head, "Forwarded").is_empty());
    let head = get("Forwarded: for=1.1.1.1\r\n", &TRUSTED);
    assert_eq!(values(&head, "Forwarded"), ["for=1.1.1.1"]);
    assert!(!head.contains("6.6.6.6"));
}

#[test]
fn a_trusted_proxy_that_says_nothing_is_spoken_for() {
    let head = get("Accept: */*\r\n", &TRUSTED);
    assert_eq!(values(&head, "X-Forwarded-For"), ["192.0.2.7"]);
    assert_eq!(values(&head, "X-Forwarded-Proto"), ["http"]);
    assert_eq!(values(&head, "X-Request-Id"), ["id-1"]);
    let head = get("X-Request-Id:\r\n", &TRUSTED);
    assert_eq!(values(&head, "X-Request-Id"), ["id-1"], "an empty name is none");
}

#[test]
fn forwarded_is_written_where_asked_for_and_quoted_where_needed() {
    let how = Forwarding { forwarded: true, ..*PLAIN };
    let head = get("Forwarded: for=6.6.6.6\r\n", &how);
    assert_eq!(values(&head, "Forwarded"), ["for=192.0.2.7;host=\"a.test\";proto=http"]);
    let six = Forwarding { peer: "2001:db8::1".parse().unwrap(), trusted: true, ..how };
    let head = get("Forwarded: for=1.1.1.1\r\n", &six);
    assert_eq!(
        values(&head, "Forwarded"),
        ["for=1.1.1.1, for=\"[2001:db8::1]\";host=\"a.test\";proto=http"]
    );
    let mapped = Forwarding { peer: "::ffff:192.0.2.7".parse().unwrap(), ..how };
    assert!(values(&get("", &mapped), "Forwarded")[0].starts_with("for=192.0.2.7;"));
}

#[test]
fn an_old_request_without_host_gets_that_of_the_backend() {
    let how = Forwarding { forwarded: true, via: true, ..*PLAIN };
    let mut head = forward("GET /p HTTP/1.0\r\nA: b\r\n\r\n", &how).into_bytes();
    assert!(values(&String::from_utf8_lossy(&head), "Host").is_empty());
    let line = "GET /p HTTP/1.1\r\n".len();
    let place = name_host(&mut head, line..line, "first:81");
    assert!(head.starts_with(b"GET /p HTTP/1.1\r\nHost: first:81\r\nA: b\r\n"));
    name_host(&mut head, place, "backend:8080");
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("GET /p HTTP/1.1\r\nHost: backend:8080\r\nA: b\r\n"));
    assert!(values(&head, "X-Forwarded-Host").is_empty());
    assert_eq!(values(&head, "Forwarded"), ["for=192.0.2.7;proto=http"]);
    assert_eq!(values(&head, "Via"), ["1.0 evenly"]);
}

#[test]
fn via_of_earlier_proxies_stands_before_ours() {
    let via =
        |via| values(&get("Via: 1.1 front\r\n", &Forwarding { via, ..*PLAIN }), "Via").join("+");
    assert_eq!(via(true), "1.1 front+1.1 evenly");
    assert_eq!(via(false), "1.1 front");
}

#[test]
fn what_is_a_claim_is_for_the_operator_to_say() {
    let fields = "X-User: root\r\nX_User: root\r\nX-Role-A: root\r\nX-Real-IP: 6.6.6.6\r\n\
                  X_Forwarded_For: 6.6.6.6\r\nConnection: X-User, X-Real-IP\r\n";
    let own = Claims::new(["x-user", "X-Role-*"]);
    let head = get(fields, &Forwarding { claims: &own, ..*PLAIN });
    assert!(!head.contains("root") && values(&head, "X-Real-IP").is_empty());
    let head = get(fields, &Forwarding { claims: &own, ..*TRUSTED });
    assert_eq!(values(&head, "X-User"), ["root"], "not to be nominated away");
    assert_eq!(values(&head, "X-Role-A"), ["root"]);
    assert!(values(&head, "X_User").is_empty(), "in disguise nobody honest sends it");
    let head = get(fields, &Forwarding { claims: &Claims::new([]), ..*PLAIN });
    assert_eq!(values(&head, "X_User"), ["root"]);
    assert_eq!(values(&head, "X-Forwarded-For"), ["192.0.2.7"]);
    assert!(!head.contains("X_Forwarded_For"));
}

#[test]
fn whether_trailers_are_wanted_goes_on_and_nothing_else_of_te() {
    let te = |fields: &str, version: &str| {
        let request = format!("GET / {version}\r\nHost: a\r\n{fields}\r\n");
        let head = forward(&request, &PLAIN);
        let said = [values(&head, "TE"), values(&head, "Connection")].concat();
        said.join("+")
    };
    for wanted in ["TE: trailers\r\n", "TE: gzip;q=0.5, Trailers\r\nConnection: TE\r\n"] {
        assert_eq!(te(wanted, "HTTP/1.1"), "trailers+TE");
        assert_eq!(te(wanted, "HTTP/1.0"), "");
    }
    for other in ["", "TE: gzip\r\n", "TE: trailersx\r\n", "TE:\r\n"] {
        assert_eq!(te(other, "HTTP/1.1"), "", "{other}");
    }
    let both = "TE: trailers\r\nConnection: upgrade, te\r\nUpgrade: websocket\r\n";
    assert_eq!(te(both, "HTTP/1.1"), "upgrade", "no trailers in a tunnel");
}

#[test]
fn h2c_is_offered_on_only_where_it_is_allowed_and_not_for_this_request() {
    let offered = |fields: &str, upgrade_h2c| {
        let head = get(fields, &Forwarding { upgrade_h2c, ..*PLAIN });
        values(&head, "Upgrade").join("+")
    };
    let docker = "Connection: Upgrade\r\nUpgrade: h2c\r\n";
    assert_eq!(offered(docker, false), "");
    assert_eq!(offered(docker, true), "h2c");
    assert_eq!(offered(&format!("{docker}HTTP2-Settings: AAMAAABk\r\n"), true), "");
    assert_eq!(offered("Upgrade: h2c\r\n", true), "");
    assert_eq!(offered("Connection: Upgrade\r\nUpgrade: h2\r\n", true), "");
}

#[test]
fn an_absolute_target_goes_on_as_a_path() {
    let line = |target: &str| {
        let head = forward(&format!("GET {target} HTTP/1.1\r\nHost: b\r\n\r\n"), &PLAIN);
        assert_eq!(values(&head, "Host"), ["a.test"]);
        head.split("\r\n").next().unwrap().to_owned()
    };
    assert_eq!(line("http://a.test"), "GET / HTTP/1.1");
    assert_eq!(line("http://a.test?q"), "GET /?q HTTP/1.1");
    assert_eq!(line("https://a.test/p?q"), "GET /p?q HTTP/1.1");
}

#[test]
fn framing_expectation_and_upgrade_are_written_from_what_was_understood() {
    let head = forward(
        "PUT / HTTP/1.1\r\nHost: a\r\nEXPECT: 100-continue\r\ncontent-length: 5\r\n\r\n",
        &PLAIN,
    );
    assert_eq!(values(&head, "Content-Length"), ["5"]);
    assert_eq!(values(&head, "Expect"), ["100-continue"]);
    let head = forward("PUT / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: CHUNKED\r\n\r\n", &PLAIN);
    assert_eq!(values(&head, "Transfer-Encoding"), ["chunked"]);
    let head = get("Connection: Upgrade, X\r\nX: 1\r\nUpgrade: websocket\r\n", &PLAIN);
    assert_eq!(values(&head, "Connection"), ["upgrade"]);
    assert_eq!(values(&head, "Upgrade"), ["websocket"]);
}

#[test]
fn max_forwards_shrinks_by_one() {
    let hops = |method: &str, hops: &str| {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: {hops}\r\n\r\n");
        values(&forward(&request, &PLAIN), "Max-Forwards")[0].to_owned()
    };
    assert_eq!(hops("OPTIONS", "10"), "9");
    assert_eq!(hops("OPTIONS", "0"), "0");
    assert_eq!(hops("GET", "10"), "10");
}

proptest! {
    #[test]
    fn a_forwarded_head_reads_back_as_the_same_request(
        method in "[A-Z]{1,10}",
        path in "/[a-zA-Z0-9/._~%?&=-]{0,40}",
        host in "[a-z][a-z0-9.-]{0,20}(:[1-9][0-9]{0,3})?",
        fields in proptest::collection::vec(
            ("y[a-z0-9-]{0,12}", "[!-~]([ -~\t]{0,30}[!-~])?"), 0..20,
        ),
        length in proptest::option::of(0..=i64::MAX as u64),
    ) {
        prop_assume!(!is_never_relayed(&method) && !matches!(&*method, "PRI" | "ANNOUNCE"));
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost:{host}\r\n");
        for (name, value) in &fields {
            request += &format!("{name}:{value}\r\n");
        }
        if let Some(length) = length {
            request += &format!("content-length:\t{length}\r\n");
        }
        request += "\r\n";
        let sent = forward(&request, &PLAIN);
        let mut slots = slots();
        let Ok(Parsed::Complete { head, length: bytes }) =
            parse(sent.as_bytes(), &HeadLimits::default(), &mut slots)
        else {
            panic!("what was sent on does not parse: {sent}");
        };
        prop_assert_eq!(bytes, sent.len());
        prop_assert_eq!((head.method, head.target, head.host), (&*method, &*path, &*host));
        prop_assert_eq!(head.framing, length.map_or(Framing::None, Framing::Length));
        let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in &fields {
            wanted.entry(name).or_default().push(value);
        }
        for (name, list) in wanted {
            prop_assert_eq!(values(&sent, name), list);
        }
        // A second hop that trusts the first changes nothing but the lists.
        let again = forward(&sent, &TRUSTED);
        prop_assert_eq!(values(&again, "X-Forwarded-For"), ["192.0.2.7, 192.0.2.7"]);
        prop_assert_eq!(values(&again, "X-Request-Id"), ["id-1"]);
    }
}
