//! `evenly bench` over https.

use crate::harness::{Backend, Certs, Place, Process, Proving, Scratch, proving, showing};
use serde_json::{Value, json};

/// The exit code, the JSON that was printed, and what was said on stderr.
fn bench(backend: &Backend, line: &str) -> (Option<i32>, Value, String) {
    let url = format!("https://127.0.0.1:{}/", backend.port());
    let line = format!("bench {url} --json {line}");
    let words: Vec<_> = line.split_whitespace().collect();
    let scratch = Scratch::new();
    let (code, printed, said) = Process::evenly(&words, scratch.path()).finish();
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["url"], json!(url));
    (code, printed, said)
}

fn trusting(certs: &Certs) -> String {
    format!("--cacert {}", certs.ca.display())
}

#[test]
fn requests_go_through_tls_and_its_connections_are_used_again() {
    let certs = Certs::make();
    for method in ["GET", "POST"] {
        let backend = showing(&certs.leaf("localhost"));
        let line = format!("--requests 40 --workers 2 --method {method} {}", trusting(&certs));
        let (code, printed, said) = bench(&backend, &line);
        assert_eq!((code, said.as_str()), (Some(0), ""), "{printed}");
        assert_eq!((&printed["ok"], &printed["errors"]), (&json!(40), &json!({})), "{method}");
        assert!(backend.requests().iter().all(|request| request.method() == method));
        assert!(backend.visits() <= 2, "{} connections", backend.visits());
    }
}

#[test]
fn each_request_may_have_a_connection_of_its_own() {
    let certs = Certs::make();
    let backend = showing(&certs.leaf("localhost"));
    let line = format!("--requests 6 --workers 1 --no-keep-alive {}", trusting(&certs));
    let (code, printed, said) = bench(&backend, &line);
    assert_eq!((code, &printed["ok"], backend.visits()), (Some(0), &json!(6), 6), "{said}");
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_an_error_unless_that_is_wanted() {
    let certs = Certs::make();
    let backend = showing(&certs.leaf("localhost"));
    let (code, printed, said) = bench(&backend, "--requests 2 --workers 1");
    assert_eq!((code, &printed["errors"]), (Some(1), &json!({"tls": 2})), "{said}");
    let why = "its certificate is signed by nobody who is trusted (see --cacert)";
    assert!(said.contains(&format!("2 TLS failed (TLS: {why})")), "{said}");
    assert_eq!(backend.requests().len(), 0);
    let (code, printed, said) = bench(&backend, "--requests 2 --workers 1 --insecure");
    assert_eq!((code, &printed["ok"]), (Some(0), &json!(2)), "{said}");
}

#[test]
fn a_certificate_that_is_named_itself_is_believed() {
    let certs = Certs::make();
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
    let names = format!("{ec} -addext subjectAltName=DNS:other.test");
    for leaf in [certs.alone("own", ec), certs.alone("named", &names)] {
        let backend = showing(&leaf);
        let line = format!("--requests 2 --workers 1 --cacert {}", leaf.0.display());
        let (code, printed, said) = bench(&backend, &line);
        assert_eq!((code, &printed["ok"]), (Some(0), &json!(2)), "{said}");
    }
}

#[test]
fn a_server_that_speaks_no_tls_is_an_error() {
    let backend = Backend::every(|wire| {
        if wire.exactly(5).is_ok() {
            wire.offer("HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let (code, printed, said) = bench(&backend, "--requests 2 --workers 1 --insecure");
    assert_eq!((code, &printed["errors"]), (Some(1), &json!({"tls": 2})));
    assert!(said.contains("(speaks no TLS)"), "{said}");
}

#[test]
fn a_server_that_is_silent_in_its_handshake_costs_the_timeout() {
    let silent = Backend::every(|wire| drop(wire.ending()));
    let (code, printed, _) = bench(&silent, "--requests 2 --workers 2 --insecure --timeout 200ms");
    assert_eq!((code, &printed["errors"]), (Some(1), &json!({"timeout": 2})));
}

#[test]
fn no_post_goes_into_a_connection_that_the_server_has_ended() {
    let certs = Certs::make();
    let backend = proving(Proving::with(&certs.leaf("localhost")), |_, wire| {
        wire.request();
        wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        wire.finish();
    });
    // A pause between two requests, in which the end arrives.
    let line = format!("--requests 3 --workers 1 --rate 2 --method POST {}", trusting(&certs));
    let (code, printed, said) = bench(&backend, &line);
    assert_eq!((code, &printed["ok"]), (Some(0), &json!(3)), "{said}");
    assert_eq!((backend.visits(), &printed["resent"]), (3, &json!(0)));
}
