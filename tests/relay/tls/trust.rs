//! Whom a backend may prove to be where no authority has signed it: the very certificate that the
//! operator has named, or anybody. The servers are openssl's, which makes what rustls would not.

use crate::harness::{Certs, Keyed, Pem, Proving, Proxy, Scratch, Server, proving, serve, showing};

const EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
/// A check decides, and nobody else brings it up.
const CHECKED: &str = "health.interval = \"50ms\"\nhealth.rise = 1\nhealth.fall = 1\n";
const BLIND: &str = "tls = true\ntls_verify = false\n";

/// The keys of an application that is to show this file itself.
fn naming(leaf: &Pem) -> String {
    format!("tls = true\ntls_ca = {:?}\n", leaf.0)
}

/// `openssl s_server` that shows it, in this version alone.
fn serving(scratch: &Scratch, leaf: &Pem, version: &str) -> Server {
    let [certificate, key] = [&leaf.0, &leaf.1].map(|path| path.to_str().unwrap());
    // Short keys are allowed to nobody else.
    let lax = ["-cipher", "ALL:@SECLEVEL=0"];
    Server::openssl(scratch, &[&["-cert", certificate, "-key", key, version][..], &lax].concat())
}

#[test]
fn a_certificate_that_is_named_itself_is_believed_whatever_stands_in_it() {
    let certs = Certs::make();
    let (plain, rsa) = (format!("{EC} "), "-newkey rsa:2048");
    let leaves = [
        certs.alone("localhost", &format!("{EC} -addext subjectAltName=IP:127.0.0.1")),
        certs.alone("no-names", &plain),
        certs.alone("elsewhere", &format!("{EC} -addext subjectAltName=DNS:elsewhere.test")),
        certs.alone("no-authority", &format!("{rsa} -addext basicConstraints=CA:FALSE")),
        certs.first_version("v1", EC),
        certs.first_version("v1-rsa", rsa),
        certs.first_version("v1-edwards", "-newkey ed25519"),
        certs.alone("large", "-newkey ec -pkeyopt ec_paramgen_curve:P-384"),
        certs.expired("expired"),
        certs.leaf("signed"),
    ];
    let scratch = Scratch::new();
    for leaf in &leaves {
        for version in ["-tls1_2", "-tls1_3"] {
            let server = serving(&scratch, leaf, version);
            let keys = naming(leaf) + "alive = false\n";
            let proxy = Proxy::with(&[&Keyed(&server, &keys)], CHECKED);
            assert_eq!(proxy.get("/").status(), 200, "{} {version}", leaf.0.display());
        }
    }
}

#[test]
fn one_of_several_may_be_named_and_so_may_its_authority() {
    let certs = Certs::make();
    let own = ["one", "two"].map(|name| certs.alone(name, EC));
    let signed = certs.leaf("localhost");
    let all = certs.dir().join("all.pem");
    let read = |path| std::fs::read_to_string(path).unwrap();
    std::fs::write(&all, read(&own[0].0) + &read(&certs.ca) + &read(&own[1].0)).unwrap();
    let keys = format!("tls = true\ntls_ca = {all:?}\n");
    for leaf in [&own[0], &own[1], &signed] {
        let backend = showing(leaf);
        let proxy = Proxy::with(&[&Keyed(&backend, &keys)], "");
        assert_eq!(proxy.get("/").status(), 200, "{}", leaf.0.display());
    }
}

#[test]
fn another_certificate_is_not_the_one_that_was_named() {
    let certs = Certs::make();
    let named = certs.alone("localhost", &format!("{EC} -addext subjectAltName=IP:127.0.0.1"));
    let names = ["-addext subjectAltName=IP:127.0.0.1", ""];
    let other = |number, name| certs.alone(&format!("other-{number}"), &format!("{EC} {name}"));
    let others = [other(1, names[0]), other(2, names[1]), certs.leaf("signed")];
    for other in &others {
        let backend = showing(other);
        let keys = naming(&named);
        let proxy = Proxy::with(&[&Keyed(&backend, &keys)], "");
        proxy.farewell(502);
        assert_eq!(proxy.get("/").status(), 502);
        proxy.process.said.wait("backend A: connect failed: TLS: its certificate");
        assert_eq!(backend.requests().len(), 0);
    }
}

/// It can be copied from any handshake, for it is no secret.
#[test]
fn whoever_shows_the_one_that_was_named_must_have_its_key() {
    let certs = Certs::make();
    for (name, key) in [("ec", EC), ("rsa", "-newkey rsa:2048")] {
        let named = certs.alone(name, key);
        let thief = certs.alone("thief", key);
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let stolen = Proving::stolen(&named.0, &thief.1, version);
            let backend = proving(stolen, |_, wire| serve(wire));
            let keys = naming(&named);
            let proxy = Proxy::with(&[&Keyed(&backend, &keys)], "");
            proxy.farewell(502);
            assert_eq!(proxy.get("/").status(), 502, "{name} {version:?}");
            proxy.process.said.wait("backend A: connect failed: TLS: its certificate");
            assert_eq!(backend.requests().len(), 0);
        }
    }
}

#[test]
fn tls_verify_false_takes_any_key_that_a_handshake_can_be_made_with() {
    let certs = Certs::make();
    let curve = |name| format!("-newkey ec -pkeyopt ec_paramgen_curve:{name}");
    let both: &[&str] = &["-tls1_2", "-tls1_3"];
    // In TLS 1.2 a curve is for certificates only where it is for the key exchange (RFC 8422
    // section 5.1), and ours has none of 521 bits.
    let newer: &[&str] = &["-tls1_3"];
    let cases = [
        (certs.first_version("v1", EC), both),
        (certs.first_version("v1-rsa", "-newkey rsa:2048"), both),
        (certs.first_version("v1-521", &curve("P-521")), newer),
        (certs.alone("curve-521", &curve("P-521")), newer),
        (certs.alone("short", "-newkey rsa:1024"), both),
        // rustls knows no such key in TLS 1.2.
        (certs.alone("pss", "-newkey rsa-pss"), newer),
        (certs.alone("ed448", "-newkey ed448"), newer),
        (certs.alone("no-names", EC), both),
        (certs.expired("expired"), both),
    ];
    let scratch = Scratch::new();
    for (leaf, versions) in &cases {
        for version in *versions {
            let server = serving(&scratch, leaf, version);
            let keys = format!("{BLIND}alive = false\n");
            let proxy = Proxy::with(&[&Keyed(&server, &keys)], CHECKED);
            assert_eq!(proxy.get("/").status(), 200, "{} {version}", leaf.0.display());
        }
    }
}

#[test]
fn a_key_that_cannot_be_verified_is_not_believed_though_it_is_named() {
    let certs = Certs::make();
    let leaf = certs.alone("curve-521", "-newkey ec -pkeyopt ec_paramgen_curve:P-521");
    let scratch = Scratch::new();
    let server = serving(&scratch, &leaf, "-tls1_3");
    let keys = naming(&leaf);
    let proxy = Proxy::with(&[&Keyed(&server, &keys)], "");
    proxy.farewell(502);
    assert_eq!(proxy.get("/").status(), 502);
    proxy.process.said.wait("backend A: connect failed: TLS: ");
}
