//! Health checks of backends that speak TLS: they believe whom the requests believe, and no other.

use crate::harness::{
    Backend, Certs, Keyed, Leaf, Proving, Proxy, Scratch, Server, has, impostors, proving, serve,
    showing, shown, trusting,
};

/// Checks as often as a test can wait for.
const OFTEN: &str = "health.interval = \"50ms\"\nhealth.rise = 1\nhealth.fall = 1\n";

/// Nobody but a check can bring it up.
const DOWN: &str = "alive = false\n";

#[test]
fn a_check_goes_where_requests_go_and_looks_like_one_in_the_clear() {
    let certs = Certs::make();
    let backend = showing(&certs.leaf("localhost"));
    let keys = trusting(&certs) + DOWN;
    let proxy = Proxy::with(&[&Keyed(&backend, &keys)], OFTEN);
    assert_eq!(proxy.get("/").status(), 200);
    let checks = backend.wait_requests(4);
    let check = &checks[0];
    assert_eq!(check.start, "GET /health HTTP/1.1");
    let authority = format!("127.0.0.1:{}", crate::harness::Place::port(&backend));
    assert_eq!(check.field("host"), Some(authority.as_str()));
    assert_eq!(proxy.said("down"), 1, "{:#?}", proxy.process.said.all());
}

#[test]
fn a_name_that_is_an_address_of_ipv6_stands_in_brackets() {
    let certs = Certs::make();
    let own = Leaf { names: "IP:::1", ..Leaf::default() };
    let backend = showing(&certs.leaf_of("six", &own));
    let keys = trusting(&certs) + "tls_name = \"::1\"\n";
    let _proxy = Proxy::with(&[&Keyed(&backend, &keys)], OFTEN);
    let authority = format!("[::1]:{}", crate::harness::Place::port(&backend));
    assert_eq!(backend.wait_requests(1)[0].field("host"), Some(authority.as_str()));
}

#[test]
fn a_backend_that_cannot_prove_who_it_is_is_down_and_that_is_why() {
    let (certs, others) = (Certs::make(), Certs::make());
    let good = showing(&certs.leaf("localhost"));
    for (reason, leaf) in impostors(&certs, &others) {
        let bad = showing(&leaf);
        let keys = trusting(&certs);
        let proxy = Proxy::with(&[&Keyed(&bad, &keys), &Keyed(&good, &keys)], OFTEN);
        let line = proxy.process.said.wait("backend A: check failed: TLS: its certificate");
        assert!(line.contains(reason) && line.contains("1 of 2 left"), "{reason}: {line}");
        (0..4).for_each(|_| assert_eq!(proxy.get("/").status(), 200, "{reason}"));
        assert_eq!(bad.requests().len(), 0, "{reason}");
    }
}

#[test]
fn tls_verify_false_holds_for_checks_too() {
    let certs = Certs::make();
    let backend = showing(&certs.leaf("localhost"));
    let keys = format!("tls = true\ntls_verify = false\n{DOWN}");
    let proxy = Proxy::with(&[&Keyed(&backend, &keys)], OFTEN);
    assert_eq!(proxy.get("/").status(), 200);
}

#[test]
fn a_check_shows_the_certificate_that_requests_show() {
    let certs = Certs::make();
    let own = certs.leaf("evenly.test");
    let asking = || {
        let asking = Proving::asking(&certs.leaf("localhost"), &certs);
        proving(asking, |_, wire| serve(wire))
    };
    let (first, second) = (asking(), asking());
    let bare = trusting(&certs);
    let keys = format!("{bare}{DOWN}{}", shown(&own));
    let proxy = Proxy::with(&[&Keyed(&first, &keys), &Keyed(&second, &bare)], OFTEN);
    // The check of B may be over before that of A.
    proxy.pardon("NO BACKEND IS UP");
    proxy.process.said.wait("backend B: check failed: ");
    (0..4).for_each(|_| assert_eq!(proxy.get("/").status(), 200));
    assert_eq!(second.requests().len(), 0);
}

#[test]
fn a_backend_that_dies_and_returns_is_noticed() {
    let certs = Certs::make();
    let leaf = certs.leaf("localhost");
    let (first, second) = (showing(&leaf), showing(&leaf));
    let keys = trusting(&certs);
    let proxy = Proxy::with(&[&Keyed(&first, &keys), &Keyed(&second, &keys)], OFTEN);
    let gone = second.go_down();
    proxy.process.said.wait("up -> down");
    (0..4).for_each(|_| assert_eq!(proxy.get("/").status(), 200));
    let proof = Proving::with(&leaf);
    let _back: Backend = gone.open(move |wire| {
        wire.secure(proof.accepted());
        if wire.handshake().is_ok() {
            serve(wire);
        }
    });
    proxy.process.said.wait("down -> up");
}

/// As with ureq's own TLS: the status is what counts, and many a server ends like this.
#[test]
fn an_answer_without_the_end_of_its_tls_is_health() {
    let certs = Certs::make();
    let backend = proving(Proving::with(&certs.leaf("localhost")), |_, wire| {
        wire.request();
        wire.offer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwell");
    });
    let keys = trusting(&certs) + DOWN;
    let proxy = Proxy::with(&[&Keyed(&backend, &keys)], OFTEN);
    proxy.no_farewell();
    proxy.process.said.wait("backend A: check passed: status 200");
}

#[test]
fn nginx_is_checked_in_each_version() {
    if !has("nginx") {
        return;
    }
    let certs = Certs::make();
    let leaf = certs.leaf("localhost");
    for version in ["TLSv1.2", "TLSv1.3"] {
        let directives = format!(
            "ssl_certificate {}; ssl_certificate_key {}; ssl_protocols {version};
             location / {{ return 200 \"$ssl_protocol\"; }}",
            leaf.0.display(),
            leaf.1.display(),
        );
        let scratch = Scratch::new();
        let nginx = Server::nginx(&scratch, "ssl", &directives);
        let keys = trusting(&certs) + DOWN;
        let proxy = Proxy::with(&[&Keyed(&nginx, &keys)], OFTEN);
        assert_eq!(proxy.get("/").text(), version);
    }
}
