//! To backends: whom Evenly believes, what it proves, and what becomes of a request where it does
//! not come to that.

use crate::harness::{
    Backend, BlackHole, Certs, Hosted, Keyed, Length, OpenSsl, Place, Proving, Proxy, Scratch,
    Server, eventually, has, has_own_names, impostors, names, only_for, proving, serve, showing,
    shown, trusting,
};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const MIB: u64 = 1 << 20;
const KEEPING: &str = "timeouts.upstream_keep_alive = \"1s\"";
const POST: &str = "POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn requests_go_through_tls_and_its_connections_are_used_again() {
    let certs = Certs::make();
    let backend = showing(&certs.leaf("localhost"));
    let keys = trusting(&certs);
    let proxy = Proxy::with(&[&Keyed(&backend, &keys)], KEEPING);
    let mut client = proxy.connect();
    for _ in 0..5 {
        assert_eq!(client.get("/again").text(), "GET /again 0\n");
        assert_eq!(client.ask(POST).text(), "POST /p 5\n");
    }
    assert_eq!(backend.visits(), 1);
    assert!(!String::from_utf8_lossy(&backend.tapes()[0]).contains("\x16\x03"));
}

#[test]
fn tls_on_one_side_says_nothing_of_the_other() {
    let certs = Certs::make();
    let (clear, secure) = (Backend::plain(), showing(&certs.leaf("localhost")));
    let keys = trusting(&certs);
    let proxy = Proxy::secure(&certs, &[&clear, &Keyed(&secure, &keys)], "");
    let mut client = OpenSsl::connect(proxy.address, &certs, &[]);
    for _ in 0..4 {
        assert_eq!(client.wire.ask(POST).text(), "POST /p 5\n");
    }
    assert_eq!((clear.requests().len(), secure.requests().len()), (2, 2));
    assert_eq!(secure.requests()[0].field("x-forwarded-proto"), Some("https"));
}

#[test]
fn bodies_of_any_size_go_both_ways_in_bounded_memory() {
    let certs = Certs::make();
    let received = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&received);
    let backend = proving(Proving::with(&certs.leaf("localhost")), move |_, wire| {
        let Some(head) = wire.request_head() else { return };
        let add = &mut |data: &[u8]| {
            count.fetch_add(data.len() as u64, Ordering::Relaxed);
        };
        wire.body(head.request_length().unwrap(), add).unwrap();
        wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 * MIB));
        let block = vec![b'x'; MIB as usize];
        while wire.offer(&block) {}
    });
    let keys = trusting(&certs);
    let proxy = Proxy::with(&[&Keyed(&backend, &keys)], "");
    proxy.no_farewell();
    let mut client = proxy.connect();
    client.send(format!("PUT /u HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n", 64 * MIB));
    let block = vec![b'y'; MIB as usize];
    (0..64).for_each(|_| client.send(&block));
    let length = client.head().unwrap().answer_length("PUT").unwrap();
    assert_eq!((length, received.load(Ordering::Relaxed)), (Length::Bytes(64 * MIB), 64 * MIB));
    let mut came = 0;
    client.body(length, &mut |data| came += data.len() as u64).unwrap();
    assert_eq!(came, 64 * MIB);
    assert!(proxy.process.memory_kib("VmHWM") < 32 * 1024);
}

#[test]
fn bodies_come_back_unaltered() {
    let certs = Certs::make();
    let backend = proving(Proving::with(&certs.leaf("localhost")), |_, wire| {
        while let Some(request) = wire.request() {
            let length = request.body.len();
            wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
            wire.send(&request.body);
        }
    });
    let keys = trusting(&certs);
    let proxy = Proxy::secure(&certs, &[&Keyed(&backend, &keys)], "");
    let mut client = proxy.connect();
    for length in [1, 16_384, 65_536, 70_001, 3_000_000_u32] {
        let body: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        client.send(format!("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
        client.send(&body);
        assert!(client.answer().body == body, "{length} bytes came back altered");
    }
}

#[test]
fn an_upgrade_goes_through() {
    let certs = Certs::make();
    let backend = proving(Proving::with(&certs.leaf("localhost")), |_, wire| {
        wire.request().unwrap();
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
        wire.expect("ping");
        wire.send("pong");
        wire.expect_end();
        wire.finish();
    });
    let keys = trusting(&certs);
    let proxy = Proxy::secure(&certs, &[&Keyed(&backend, &keys)], "");
    proxy.no_farewell();
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    assert_eq!(client.answer().status(), 101);
    client.send("ping");
    client.expect("pong");
    client.finish();
    client.expect_end();
}

#[test]
fn a_backend_that_cannot_prove_who_it_is_gets_no_request() {
    let (certs, others) = (Certs::make(), Certs::make());
    for (reason, leaf) in impostors(&certs, &others) {
        let backend = showing(&leaf);
        let keys = trusting(&certs);
        let proxy = Proxy::with(&[&Keyed(&backend, &keys)], "");
        proxy.no_farewell();
        assert_eq!(proxy.get("/").status(), 502, "{reason}");
        let line = proxy.process.said.wait("backend A: ");
        assert!(line.contains(reason), "{reason}: {line}");
        assert_eq!(proxy.ask(POST).status(), 502, "{reason}");
        assert_eq!(backend.requests().len(), 0, "{reason}");
    }
}

#[test]
fn a_request_that_no_backend_has_heard_of_goes_to_one_that_proves_who_it_is() {
    let (certs, others) = (Certs::make(), Certs::make());
    let good = showing(&certs.leaf("localhost"));
    for (reason, leaf) in impostors(&certs, &others) {
        let bad = showing(&leaf);
        let keys = trusting(&certs);
        let proxy = Proxy::with(&[&Keyed(&bad, &keys), &Keyed(&good, &keys)], "");
        let mut client = proxy.connect();
        for _ in 0..4 {
            assert_eq!(client.ask(POST).text(), "POST /p 5\n", "{reason}");
            assert_eq!(client.get("/").status(), 200, "{reason}");
        }
        assert!(bad.visits() > 0 && bad.requests().is_empty(), "{reason}");
    }
}

#[test]
fn a_backend_that_speaks_no_tls_gets_no_request() {
    let certs = Certs::make();
    let good = showing(&certs.leaf("localhost"));
    let answers: [&[u8]; 4] = [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x16\x03\x03\xff\xff\x02",
        b"",
    ];
    for answer in answers {
        let bad = Backend::every(move |wire| {
            if wire.exactly(5).is_ok() {
                wire.offer(answer);
            }
        });
        let keys = trusting(&certs);
        let proxy = Proxy::with(&[&Keyed(&bad, &keys), &Keyed(&good, &keys)], "");
        let mut client = proxy.connect();
        for _ in 0..4 {
            assert_eq!(client.ask(POST).text(), "POST /p 5\n", "{answer:?}");
        }
        assert!(bad.visits() > 0);
    }
}

#[test]
fn a_backend_that_does_not_finish_its_handshake_is_left_for_another() {
    let certs = Certs::make();
    let good = showing(&certs.leaf("localhost"));
    let mute = Backend::every(|wire| drop(wire.ending()));
    let hole = BlackHole::new();
    let keys = trusting(&certs);
    let settings = "timeouts.connect = \"200ms\"\ntimeouts.handshake = \"200ms\"";
    for bad in [&mute as &dyn crate::harness::Place, &hole] {
        let proxy = Proxy::with(&[&Keyed(bad, &keys), &Keyed(&good, &keys)], settings);
        let mut client = proxy.connect();
        assert_eq!(client.ask(POST).text(), "POST /p 5\n");
        assert_eq!(client.ask(POST).text(), "POST /p 5\n");
        let alone = Proxy::with(&[&Keyed(bad, &keys)], settings);
        alone.no_farewell();
        assert_eq!(alone.get("/").status(), 504);
    }
    assert!(mute.visits() > 0);
}

#[test]
fn tls_verify_false_believes_anybody_and_says_so() {
    let (certs, others) = (Certs::make(), Certs::make());
    for (reason, leaf) in impostors(&certs, &others) {
        let backend = showing(&leaf);
        let proxy = Proxy::with(&[&Keyed(&backend, "tls = true\ntls_verify = false")], "");
        assert_eq!(proxy.ask(POST).text(), "POST /p 5\n", "{reason}");
        let line = proxy.process.said.wait("tls_verify = false");
        assert!(line.contains(" WARN ") && line.contains("application A"), "{line}");
    }
}

#[test]
fn tls_name_says_what_name_is_to_be_proved() {
    let certs = Certs::make();
    let backend = showing(&only_for(&certs, "api.test"));
    let keys = trusting(&certs) + "tls_name = \"api.test\"";
    let proxy = Proxy::with(&[&Keyed(&backend, &keys)], "");
    assert_eq!(proxy.get("/").status(), 200);
}

#[test]
fn backends_that_ask_are_shown_a_certificate() {
    let certs = Certs::make();
    let own = certs.leaf("evenly.test");
    let asking = Proving::asking(&certs.leaf("localhost"), &certs);
    let backend = proving(asking, |_, wire| {
        assert!(wire.agreed().peer_is_known());
        serve(wire);
    });
    let bare = trusting(&certs);
    let keys = format!("{bare}{}", shown(&own));
    let proxy = Proxy::with(&[&Keyed(&backend, &keys)], "");
    assert_eq!(proxy.ask(POST).text(), "POST /p 5\n");
    let without = Proxy::with(&[&Keyed(&backend, &bare)], "");
    without.no_farewell();
    assert_eq!(without.ask(POST).status(), 502);
    assert_eq!(backend.requests().iter().filter(|one| one.method() == "POST").count(), 1);
}

#[test]
fn a_kept_connection_that_turns_out_closed_is_replaced_by_a_fresh_one() {
    let certs = Certs::make();
    let backend = proving(Proving::with(&certs.leaf("localhost")), |visit, wire| {
        if visit > 0 {
            return serve(wire);
        }
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
        // It takes the second request, and closes before it answers: the race of every idle limit.
        wire.request();
        wire.finish();
    });
    let keys = trusting(&certs);
    let proxy = Proxy::with(&[&Keyed(&backend, &keys)], KEEPING);
    let mut client = proxy.connect();
    assert_eq!(client.get("/1").text(), "first");
    assert_eq!(client.get("/2").text(), "GET /2 0\n");
    assert_eq!(backend.visits(), 2);
}

#[test]
fn no_post_goes_into_a_connection_that_the_backend_has_closed() {
    let certs = Certs::make();
    let leaf = certs.leaf("localhost");
    for in_order in [true, false] {
        let backend = proving(Proving::with(&leaf), move |_, wire| {
            wire.request();
            wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
            if in_order {
                wire.finish();
            }
            // Before the harness counts it as gone.
            let _ = wire.stream().shutdown(Shutdown::Both);
        });
        let keys = trusting(&certs);
        let proxy = Proxy::with(&[&Keyed(&backend, &keys)], KEEPING);
        let mut client = proxy.connect();
        for visit in 1..6 {
            assert_eq!(client.ask(POST).text(), "done");
            eventually("the backend has closed", || backend.connections() == 0);
            assert_eq!(backend.visits(), visit);
        }
    }
}

#[test]
fn an_answer_until_the_close_is_whole_only_with_the_end_of_its_tls() {
    let certs = Certs::make();
    let leaf = certs.leaf("localhost");
    for in_order in [true, false] {
        let backend = proving(Proving::with(&leaf), move |_, wire| {
            wire.request();
            wire.offer("HTTP/1.1 200 OK\r\n\r\nhello");
            if in_order {
                wire.finish();
            }
        });
        let keys = trusting(&certs);
        let proxy = Proxy::with(&[&Keyed(&backend, &keys)], "");
        proxy.no_farewell();
        let mut client = proxy.connect();
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let answer = client.try_answer("GET");
        assert_eq!(answer.is_ok(), in_order, "{answer:?}");
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.text() == "hello"));
    }
}

#[test]
fn an_answer_of_known_length_is_whole_without_the_end_of_its_tls() {
    let certs = Certs::make();
    let backend = proving(Proving::with(&certs.leaf("localhost")), |_, wire| {
        wire.request();
        wire.offer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
    });
    let keys = trusting(&certs);
    let proxy = Proxy::with(&[&Keyed(&backend, &keys)], "");
    assert_eq!(proxy.get("/").text(), "hello");
}

#[test]
fn nginx_is_believed_and_believes() {
    if !has("nginx") {
        return;
    }
    let certs = Certs::make();
    let (leaf, own) = (certs.leaf("localhost"), certs.leaf("evenly.test"));
    let scratch = Scratch::new();
    let big: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    scratch.write("big", &big);
    for version in ["TLSv1.2", "TLSv1.3"] {
        let directives = format!(
            "root {}; ssl_certificate {}; ssl_certificate_key {}; ssl_protocols {version};
             ssl_verify_client on; ssl_client_certificate {};
             set $who \"$ssl_protocol $ssl_client_verify\";
             location = / {{ return 200 \"$who $connection_requests\"; }}
             location = /farewell {{ return 200; }}",
            scratch.path().display(),
            leaf.0.display(),
            leaf.1.display(),
            certs.ca.display()
        );
        let nginx = Server::nginx(&scratch, "ssl", &directives);
        let keys = trusting(&certs) + &shown(&own);
        let settings = "timeouts.upstream_keep_alive = \"1s\"";
        let proxy = Proxy::with(&[&Keyed(&nginx, &keys)], settings);
        let mut client = proxy.connect();
        assert_eq!(client.get("/").text(), format!("{version} SUCCESS 1"));
        assert!(client.get("/big").body == big, "it came altered");
        assert_eq!(client.get("/").text(), format!("{version} SUCCESS 3"), "it is used again");
    }
}

#[test]
fn openssl_is_believed_and_believes_but_not_in_an_old_version() {
    let certs = Certs::make();
    let (leaf, own) = (certs.leaf("localhost"), certs.leaf("evenly.test"));
    let scratch = Scratch::new();
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let [cert, key, ca] = [&leaf.0, &leaf.1, &certs.ca].map(|path| text(path));
    let proof = ["-cert", &cert, "-key", &key, "-CAfile", &ca];
    let keys = trusting(&certs) + &shown(&own);
    for version in ["-tls1_2", "-tls1_3"] {
        let asking = ["-Verify", "1", "-verify_return_error", version];
        let server = Server::openssl(&scratch, &[&proof[..], &asking].concat());
        let proxy = Proxy::with(&[&Keyed(&server, &keys)], "");
        let answer = proxy.get("/").text();
        assert!(
            answer.contains("Client certificate") && answer.contains("evenly.test"),
            "{answer}"
        );
    }
    let old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    let server = Server::openssl(&scratch, &[&proof[..], &old].concat());
    let proxy = Proxy::with(&[&Keyed(&server, &keys)], "");
    proxy.farewell(502);
    assert_eq!(proxy.get("/").status(), 502);
    let line = proxy.process.said.wait("backend A: ");
    assert!(line.contains("TLS: "), "{line}");
}

#[test]
fn an_address_that_is_not_who_it_must_be_gets_nothing_and_the_next_is_asked() {
    let test = "tls::backends::\
                an_address_that_is_not_who_it_must_be_gets_nothing_and_the_next_is_asked";
    if !has_own_names(test) {
        return;
    }
    let certs = Certs::make();
    let backend = showing(&certs.leaf("localhost"));
    let other = Backend::at(&format!("127.0.0.2:{}", backend.port())).unwrap();
    names("127.0.0.2 app.internal\n127.0.0.1 app.internal");
    let keys = trusting(&certs) + "\ntls_name = \"localhost\"";
    let place = Keyed(&Hosted(&backend, "app.internal"), &keys);
    let settings = "health.interval = \"50ms\"\nhealth.fall = 1\npassive.failures = 1";
    let proxy = Proxy::with(&[&place], settings);
    for _ in 0..3 {
        assert_eq!(proxy.ask(POST).text(), "POST /p 5\n");
    }
    proxy.process.said.wait("backend A@127.0.0.2: check failed: ");
    assert_eq!(other.requests().len(), 0);
}

/// One that is never asked.
struct Down(u16);

impl Place for Down {
    fn port(&self) -> u16 {
        self.0
    }

    fn keys(&self) -> &str {
        "alive = false"
    }
}

/// Sixty-five applications, of which the first and the last are up and at one address. What the
/// first is believed, and shown, is not for the last: it never gets a connection of the first's.
#[test]
fn applications_at_one_address_share_no_connection_that_they_trust_otherwise() {
    let certs = Certs::make();
    let name = |name: &str| trusting(&certs) + &format!("tls_name = \"{name}\"\n");
    let known = name("one.test") + &shown(&certs.leaf("evenly.test"));
    let (other_name, unknown) = (name("two.test"), name("one.test"));
    for (how, first, last) in [
        ("another name", &known, &(other_name + &shown(&certs.leaf("evenly.test")))),
        ("no certificate", &known, &unknown),
        ("in the clear", &known, &String::new()),
    ] {
        let asking = Proving::asking(&only_for(&certs, "one.test"), &certs);
        let backend = proving(asking, |_, wire| serve(wire));
        let (first, last) = (Keyed(&backend, first), Keyed(&backend, last));
        let between: Vec<_> = (1..=63).map(Down).collect();
        let mut places: Vec<&dyn Place> = vec![&first];
        places.extend(between.iter().map(|place| place as &dyn Place));
        let last = Hosted(&last, "localhost");
        places.push(&last);
        let settings = "retry.attempts = 0\npassive.failures = 0\nserver.served_by = true";
        let proxy = Proxy::with(&places, &format!("{settings}\n{KEEPING}"));
        proxy.no_farewell();
        let mut client = proxy.connect();
        let statuses: Vec<_> = (0..8).map(|_| client.get("/").status()).collect();
        let mut sorted = statuses.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [200, 200, 200, 200, 502, 502, 502, 502], "{how}: {statuses:?}");
    }
}
