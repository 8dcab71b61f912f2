//! Through TLS: whom the client believes, what it shows, and what is sent again where it believes
//! nobody.

use crate::harness::{
    Backend, Certs, Gate, Pem, Place, Process, Proving, Scratch, impostors, proving, serve,
    showing, timed,
};
use crate::{CHECKED_ONCE, NO_CHECKS, asked};
use evenly::client::{Builder, Client, Error, GaveUp, Request, Step};
use std::time::Duration;

/// A client that believes whom `certs` has signed, with these keys set.
fn client(certs: &Certs, places: &[&dyn Place], keys: &[(&str, &str)]) -> Client {
    keys.iter()
        .fold(builder(certs, places), |all, (key, value)| all.set(key, value))
        .build()
        .unwrap()
}

fn builder(certs: &Certs, places: &[&dyn Place]) -> Builder {
    let ca = certs.ca.to_str().unwrap();
    places.iter().zip('A'..).fold(Client::builder(), |all, (place, name)| {
        let backend = all.backend(&name.to_string(), format!("127.0.0.1:{}", place.port()));
        backend.with("tls", true).with("tls_ca", ca)
    })
}

/// With a certificate of its own as well.
fn proven(builder: Builder, own: &Pem) -> Builder {
    let [certificate, key] = [&own.0, &own.1].map(|path| path.to_str().unwrap());
    builder.with("tls_certificate", certificate).with("tls_key", key)
}

#[test]
fn bodies_of_any_size_go_both_ways() {
    let certs = Certs::make();
    let backend = proving(Proving::with(&certs.leaf("localhost")), |_, wire| {
        while let Some(request) = wire.request() {
            let length = request.body.len();
            wire.offer(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
            wire.offer(&request.body);
        }
    });
    let client = client(&certs, &[&backend], &CHECKED_ONCE);
    assert_eq!(client.usable(), ["A"]);
    for length in [0, 1, 16_384, 65_536, 3_000_000_u32] {
        let body: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let answer = client.request("POST", "/", &[], &body).unwrap();
        assert!(answer.body() == body, "{length} bytes came back altered");
    }
}

#[test]
fn a_post_goes_on_from_a_backend_that_cannot_prove_who_it_is() {
    let (certs, others) = (Certs::make(), Certs::make());
    let good = showing(&certs.leaf("localhost"));
    for (reason, leaf) in impostors(&certs, &others) {
        let bad = showing(&leaf);
        let client = client(&certs, &[&bad, &good], &NO_CHECKS);
        let mut story = Vec::new();
        let request = Request::new("POST", "/order").body(b"7");
        let answer = client.send_told(&request, &mut |step| story.push(step)).unwrap();
        assert_eq!((answer.backend(), answer.tries()), ("B", 2), "{reason}");
        let Step::Failed(failed) = &story[1] else { panic!("{story:?}") };
        assert!(failed.why.starts_with("TLS: ") && failed.why.contains(reason), "{}", failed.why);
        assert_eq!((bad.visits(), bad.requests().len()), (1, 0), "{reason}");
    }
    assert_eq!(asked(&good).len(), 4);
}

#[test]
fn one_that_its_check_does_not_believe_is_never_asked() {
    let (certs, others) = (Certs::make(), Certs::make());
    let (bad, good) = (showing(&others.leaf("localhost")), showing(&certs.leaf("localhost")));
    let client = client(&certs, &[&bad, &good], &CHECKED_ONCE);
    assert_eq!(client.usable(), ["B"]);
    (0..5).for_each(|_| assert_eq!(client.get("/").unwrap().backend(), "B"));
    assert_eq!(bad.visits(), 1, "the check alone");
}

#[test]
fn a_certificate_that_is_named_itself_is_believed_and_no_other() {
    let certs = Certs::make();
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
    let other = showing(&certs.alone("other", ec));
    let names = format!("{ec} -addext subjectAltName=DNS:other.test");
    for leaf in [certs.alone("own", ec), certs.alone("named", &names)] {
        let named = showing(&leaf);
        let one = |name: &str, port| {
            let backend = Client::builder().backend(name, format!("127.0.0.1:{port}"));
            let backend = backend.with("tls", true).with("tls_ca", leaf.0.to_str().unwrap());
            let (key, off) = NO_CHECKS[0];
            backend.set(key, off).build().unwrap()
        };
        assert_eq!(one("A", named.port()).get("/").unwrap().status(), 200);
        assert!(one("B", other.port()).get("/").is_err());
    }
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn a_backend_that_asks_is_shown_a_certificate() {
    let certs = Certs::make();
    let asking = Proving::asking(&certs.leaf("localhost"), &certs);
    let backend = proving(asking, |_, wire| serve(wire));
    let own = certs.leaf("client.test");
    let shows = proven(builder(&certs, &[&backend]), &own).set("health.interval", "off");
    assert_eq!(shows.build().unwrap().request("POST", "/", &[], b"x").unwrap().status(), 200);
    assert!(client(&certs, &[&backend], &NO_CHECKS).get("/").is_err());
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_handshake_that_does_not_end_is_left_for_the_next_backend() {
    let certs = Certs::make();
    let (done, good) = (Gate::new(), showing(&certs.leaf("localhost")));
    let until = done.clone();
    let mute = Backend::every(move |_| until.pass());
    let keys = [NO_CHECKS[0], ("timeouts.handshake", "1s")];
    let client = client(&certs, &[&mute, &good], &keys);
    let mut story = Vec::new();
    let request = Request::new("POST", "/").body(b"x");
    let (answer, took) = timed(|| client.send_told(&request, &mut |step| story.push(step)));
    done.open();
    assert_eq!(answer.unwrap().backend(), "B");
    assert!(took >= Duration::from_secs(1), "{took:?}");
    let Step::Failed(failed) = &story[1] else { panic!("{story:?}") };
    assert_eq!(failed.why, "TLS handshake not done after 1 s");
}

#[test]
fn a_call_ends_in_time_with_a_handshake_that_drips() {
    let certs = Certs::make();
    let slow = Backend::every(|wire| {
        let mut on = wire.offer(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb");
        while on {
            std::thread::park_timeout(Duration::from_millis(10));
            on = wire.offer("x");
        }
    });
    let limit = Duration::from_millis(200);
    let client = client(&certs, &[&slow], &NO_CHECKS).with_timeout(limit);
    let (result, took) = timed(|| client.get("/"));
    assert!((limit..crate::harness::DEADLINE).contains(&took), "{took:?}");
    let Err(Error::Failed { last, because: GaveUp::Deadline }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(last.why, "TLS handshake not done until the time of the call was up");
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
        match client(&certs, &[&backend], &NO_CHECKS).request("POST", "/", &[], b"") {
            Ok(answer) => assert_eq!((in_order, answer.text().as_ref()), (true, "hello")),
            Err(Error::Failed { last, because: GaveUp::MayHaveActed }) => {
                assert!(!in_order && last.why.contains("without the end of its TLS"), "{last}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn it_says_that_it_is_done() {
    let certs = Certs::make();
    let ended = Gate::new();
    let heard = ended.clone();
    let backend = proving(Proving::with(&certs.leaf("localhost")), move |_, wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        wire.expect_end();
        heard.open();
    });
    assert_eq!(client(&certs, &[&backend], &NO_CHECKS).get("/").unwrap().status(), 200);
    ended.pass();
}

#[test]
fn files_that_will_not_do_are_errors_of_the_configuration() {
    let certs = Certs::make();
    let ca = certs.dir().join("none.pem");
    let one = Client::builder().backend("a", "127.0.0.1:9").with("tls", true);
    match one.with("tls_ca", ca.to_str().unwrap()).build().map(|_| ()) {
        Err(Error::Config(errors)) => {
            let said = errors.to_string();
            assert!(said.contains("none.pem: cannot be read"), "{said}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_command_says_whom_it_does_not_verify() {
    let (certs, scratch) = (Certs::make(), Scratch::new());
    let backend = showing(&certs.leaf("elsewhere.test"));
    let keys = "tls = true\ntls_verify = false\n[health]\ninterval = \"off\"\n";
    let port = backend.port();
    let text = format!("[[applications]]\nip = \"127.0.0.1\"\nport = {port}\n{keys}");
    scratch.write("applications.toml", text);
    let (code, printed, said) = Process::evenly(&["get", "/blind"], scratch.path()).finish();
    assert_eq!((code, printed.as_str()), (Some(0), "GET /blind 0"), "{said}");
    let name = format!("application 127.0.0.1:{port}");
    assert_eq!(
        said,
        format!("warning: {name}: tls_verify = false: whoever is in between reads all")
    );
}
