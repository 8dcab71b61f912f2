//! What a backend is told about where a request came from, and what must not reach it.

use crate::harness::{Backend, Message, Place, Proxy, Scratch, Server, has};

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
    assert_eq!(seen.field("via"), None);
    assert!(seen.field("x-request-id").is_some_and(|id| id.len() >= 8));
    assert_eq!(seen.field("forwarded"), None);
}

#[test]
fn what_a_stranger_claims_about_the_origin_is_dropped() {
    let claims = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\
                  X-Forwarded-Host: evil\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Port: evil\r\n\
                  Forwarded: for=6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-Request-Id: evil\r\n";
    let seen = seen("server.forwarded = true", claims);
    let text = format!("{:?}", seen.fields);
    assert!(!text.contains("6.6.6") && !text.contains("evil"), "{text}");
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
    // What was not gone by goes no further: it may be the client's own.
    assert!(forwarded.starts_with("for=192.0.2.1;proto=https, for=127.0.0.1"), "{forwarded}");
}

#[test]
fn a_backend_is_told_of_the_client_that_forwarded_names_alone() {
    let claims = "Forwarded: for=\"[2001:db8::7]:4711\";proto=https\r\n";
    let plain = seen(TRUSTED, claims);
    assert_eq!(plain.field("x-forwarded-for"), Some("2001:db8::7, 127.0.0.1"));
    assert_eq!(plain.field("x-forwarded-proto"), Some("https"));
    assert_eq!(plain.field("forwarded"), Some("for=\"[2001:db8::7]:4711\";proto=https"));
    let both = format!("{TRUSTED}\nserver.forwarded = true");
    let forwarded = |claims: &str| seen(&both, claims).field("forwarded").unwrap().to_owned();
    let own = "for=127.0.0.1;host=\"a.test:81\";proto=http";
    let one = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n";
    assert_eq!(forwarded(one), format!("for=192.0.2.7;proto=https, {own}"));
    let six = "X-Forwarded-For: 2001:db8::7\r\n";
    assert_eq!(forwarded(six), format!("for=\"[2001:db8::7]\";proto=http, {own}"));
    assert_eq!(forwarded("Forwarded: for=a\r\n"), format!("for=a, {own}"));
}

#[test]
fn a_backend_is_told_in_one_word_how_the_client_asked() {
    let told = |claim: &str| {
        let seen = seen(TRUSTED, &format!("X-Forwarded-Proto: {claim}\r\n"));
        seen.all("x-forwarded-proto").join("+")
    };
    let cases =
        [("https, http", "https"), ("HTTPS", "https"), ("gopher", "http"), ("wss", "https")];
    for (claim, expected) in cases {
        assert_eq!(told(claim), expected, "{claim}");
    }
}

/// What the access log says of a request with these fields: of the client, and of the peer.
fn logged(settings: &str, fields: &str) -> (String, Option<String>) {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], &format!("{settings}\nlog.access = \"json\""));
    proxy.ask(format!("GET /logged HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n"));
    let line = proxy.process.printed.wait("/logged");
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    let text = |key: &str| record[key].as_str().map(str::to_owned);
    (text("client").unwrap(), text("peer"))
}

#[test]
fn the_log_names_the_client_that_a_trusted_proxy_asks_for() {
    let behind = |client: &str| (client.to_owned(), Some("127.0.0.1".to_owned()));
    let alone = ("127.0.0.1".to_owned(), None);
    for (fields, expected) in [
        ("X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n", behind("192.0.2.7")),
        ("X-Forwarded-For: 192.0.2.7:4711, 127.0.0.9\r\n", behind("192.0.2.7")),
        ("X-Forwarded-For: [2001:db8::7]:80\r\n", behind("2001:db8::7")),
        ("X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 127.0.0.9\r\n", behind("192.0.2.7")),
        ("X-Forwarded-For: 192.0.2.7, 127.0.0.9, unknown\r\n", alone.clone()),
        ("Forwarded: for=192.0.2.7\r\n", behind("192.0.2.7")),
        ("", alone.clone()),
    ] {
        assert_eq!(logged(TRUSTED, fields), expected, "{fields}");
        assert_eq!(logged("", fields), alone, "from a stranger: {fields}");
    }
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], &format!("{TRUSTED}\nlog.access = \"common\""));
    proxy.ask("GET /c HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n");
    let line = proxy.process.printed.wait("/c");
    assert!(line.starts_with("192.0.2.7 - - ["), "{line}");
}

#[test]
fn forwarded_is_added_where_it_is_asked_for() {
    let seen = seen("server.forwarded = true", "");
    assert_eq!(seen.field("forwarded"), Some("for=127.0.0.1;host=\"a.test:81\";proto=http"));
}

#[test]
fn fields_of_the_clients_connection_end_here() {
    let fields = "Connection: keep-alive, X-Private , close\r\nX-Private: 1\r\nKeep-Alive: 5\r\n\
                  Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\nTE: gzip\r\n\
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
fn via_is_added_where_it_is_asked_for_and_an_earlier_one_is_kept_before_it() {
    let via = |settings: &str| seen(settings, "Via: 1.0 fred\r\n").all("via").join(", ");
    assert_eq!(via("server.via = true"), "1.0 fred, 1.1 evenly");
    assert_eq!(via(""), "1.0 fred");
}

/// nginx takes Via for the sign of a proxy, and does not compress for one unless told to.
#[test]
fn nginx_behind_us_compresses_as_it_does_without_us() {
    if !has("nginx") {
        return;
    }
    let scratch = Scratch::new();
    let text = format!("default_type text/plain; return 200 {};", "0123456789".repeat(100));
    let directives = format!("gzip on; gzip_types text/plain; location / {{ {text} }}");
    let nginx = Server::nginx(&scratch, "", &directives);
    let coding = |settings: &str| {
        let proxy = Proxy::with(&[&nginx], settings);
        let asked = "GET / HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: gzip\r\n\r\n";
        proxy.ask(asked).field("content-encoding").map(str::to_owned)
    };
    assert_eq!(coding("").as_deref(), Some("gzip"));
    assert_eq!(coding("server.via = true"), None);
}

/// Fields by which an application could take a client for a proxy in front of it.
const CLAIMS: [&str; 17] = [
    "Client-IP",
    "X-Client-IP",
    "X-Real-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "X-Cluster-Client-IP",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-Client-Cert",
    "X-Scheme",
    "X-Original-URL",
    "X-Rewrite-URL",
    "Front-End-Https",
    "X-SSL-Client-Verify",
    "X-SSL-Client-S_DN",
    "Remote-User",
];

const TRUSTED: &str = "server.trusted_proxies = [\"127.0.0.0/8\"]";

#[test]
fn fields_that_applications_believe_come_from_trusted_peers_only() {
    let spelled = |spell: fn(&str) -> String| -> String {
        CLAIMS.iter().map(|name| format!("{}: 192.0.2.1\r\n", spell(name))).collect()
    };
    let (plain, lower) = (spelled(str::to_owned), spelled(str::to_lowercase));
    let disguised = spelled(|name| name.replace('-', "_"));
    let text = format!("{:?}", seen("", &format!("{plain}{lower}{disguised}")).fields);
    assert!(!text.contains("192.0.2.1"), "{text}");
    let seen = seen(TRUSTED, &format!("{plain}{disguised}Connection: X-Real-IP, Remote-User\r\n"));
    for name in CLAIMS {
        assert_eq!(seen.field(name), Some("192.0.2.1"), "{name}");
    }
    assert!(!format!("{:?}", seen.fields).contains("Remote_User"), "from nobody in disguise");
}

#[test]
fn which_fields_those_are_is_for_the_configuration_to_say() {
    let claims = "X-User-Id: 1\r\nX_User_Id: 2\r\nRemote-User: root\r\n\
                  X-Forwarded-Port: 666\r\nX-Forwarded-For: 6.6.6.6\r\n";
    let own = seen("server.untrusted_fields = [\"x-user-*\"]", claims);
    assert_eq!((own.field("x-user-id"), own.field("x_user_id")), (None, None));
    assert_eq!(own.field("remote-user"), Some("root"));
    let none = seen("server.untrusted_fields = []", claims);
    assert_eq!(none.field("x-user-id"), Some("1"));
    assert_eq!(none.field("x-forwarded-port"), Some("666"));
    assert_eq!(none.field("x-forwarded-for"), Some("127.0.0.1"), "ours all the same");
}

#[test]
fn a_trailer_does_not_bring_in_what_a_field_may_not() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let answer = proxy.ask(
        "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\
         X-Real-IP: 6.6.6.6\r\nRemote_User: root\r\nX-Sum: 1\r\n\r\n",
    );
    assert_eq!(answer.status(), 200);
    let tape = String::from_utf8_lossy(&backend.tapes()[0]).into_owned();
    assert!(tape.ends_with("0\r\nX-Sum: 1\r\n\r\n"), "{tape}");
}

#[test]
fn nor_does_one_that_the_configuration_names() {
    let backend = Backend::plain();
    let settings = "server.untrusted_fields = [\"X-User-*\", \"X_Auth_User\"]";
    let proxy = Proxy::with(&[&backend], settings);
    let answer = proxy.ask(
        "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\
         X-Auth-User: root\r\nX.Auth.User: root\r\n\r\n1\r\na\r\n0\r\n\
         X-User-Id: root\r\nX-Auth-User: root\r\nX-Sum: 1\r\n\r\n",
    );
    assert_eq!(answer.status(), 200);
    let tape = String::from_utf8_lossy(&backend.tapes()[0]).into_owned();
    assert!(tape.ends_with("0\r\nX-Sum: 1\r\n\r\n") && !tape.contains("root"), "{tape}");
}

const OLD: &str = "GET /old HTTP/1.0\r\nA: b\r\n\r\n";

#[test]
fn an_old_client_that_names_no_host_means_the_backend_it_gets() {
    let backends = [Backend::plain(), Backend::plain()];
    let proxy = Proxy::over(&[&backends[0], &backends[1]]);
    for _ in 0..4 {
        assert_eq!(proxy.ask(OLD).status(), 200);
    }
    for backend in &backends {
        let own = format!("127.0.0.1:{}", backend.port());
        let hosts: Vec<_> =
            backend.requests().iter().map(|seen| seen.all("host").join("+")).collect();
        assert_eq!(hosts, [own.clone(), own]);
    }
}

#[test]
fn at_another_try_it_means_the_other_backend() {
    let broken = Backend::every(|wire| drop(wire.request()));
    let good = Backend::plain();
    let proxy = Proxy::with(&[&broken, &good], "balance.policy = \"first-alive\"");
    assert_eq!(proxy.ask(OLD).status(), 200);
    for backend in [&broken, &good] {
        let seen = &backend.requests()[0];
        assert_eq!(seen.all("host"), [format!("127.0.0.1:{}", backend.port())]);
        assert_eq!((seen.target(), seen.field("a")), ("/old", Some("b")));
    }
}

#[test]
fn served_by_tells_clients_the_name_where_it_is_asked_for() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    assert_eq!(proxy.get("/").field("x-served-by"), None);
    let shown = Proxy::with(&[&backend], "server.served_by = true");
    assert_eq!(shown.get("/").field("x-served-by"), Some("A"));
}
