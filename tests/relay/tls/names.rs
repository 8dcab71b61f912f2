//! Which certificate a client is shown: by the name that it asks for (RFC 6066 section 3) and the
//! kinds of key that it knows.

use crate::harness::{Backend, Certs, Leaf, Pem, Process, Proxy, probe};
use std::process::Command;

/// The names in the certificate that openssl is shown when called like this.
fn shown(proxy: &Proxy, certs: &Certs, arguments: &[&str]) -> String {
    let text = probe(proxy.address, certs, arguments, CLOSE);
    let subject = text.lines().find(|line| line.starts_with("subject="));
    subject.unwrap_or_else(|| panic!("no certificate in {text}")).replace("subject=", "")
}

const CLOSE: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

fn leaf(certs: &Certs, file: &str, names: &str, key: &str) -> Pem {
    certs.leaf_of(file, &Leaf { names, key, ..Leaf::default() })
}

#[test]
fn each_name_gets_its_own_certificate_and_all_others_the_first() {
    let certs = Certs::make();
    let (first, second) = (certs.leaf("localhost"), certs.leaf("api.test"));
    let third = leaf(&certs, "many", "DNS:one.test,DNS:two.test,DNS:*.wild.test", "P-256");
    let backend = Backend::plain();
    let proxy = Proxy::showing(&certs, &[&first, &second, &third], &[&backend], "");
    let cases: [(&[&str], &str); 10] = [
        (&["-servername", "localhost"], "CN = localhost"),
        (&["-servername", "api.test"], "CN = api.test"),
        (&["-servername", "API.Test"], "CN = api.test"),
        (&["-servername", "two.test"], "CN = many"),
        (&["-servername", "a.wild.test"], "CN = many"),
        // A star stands for one label (RFC 9525 section 6.3).
        (&["-servername", "a.b.wild.test"], "CN = localhost"),
        (&["-servername", "wild.test"], "CN = localhost"),
        (&["-servername", "unknown.test"], "CN = localhost"),
        (&["-noservername"], "CN = localhost"),
        (&["-servername", "api.test", "-tls1_2"], "CN = api.test"),
    ];
    for (arguments, subject) in cases {
        assert_eq!(shown(&proxy, &certs, arguments), subject, "{arguments:?}");
    }
}

#[test]
fn the_name_itself_goes_before_a_wildcard_whatever_their_order() {
    let certs = Certs::make();
    let first = certs.leaf("localhost");
    let wild = leaf(&certs, "wild", "DNS:*.shop.test,DNS:shop.test", "P-256");
    let pay = leaf(&certs, "pay", "DNS:Pay.shop.test", "P-256");
    let both = leaf(&certs, "both", "DNS:*.both.test,DNS:a.both.test", "P-256");
    let plain = leaf(&certs, "plain", "DNS:b.both.test,DNS:a.both.test", "P-256");
    let backend = Backend::plain();
    for order in [[&wild, &pay, &both, &plain], [&plain, &both, &pay, &wild]] {
        let leaves = [&[&first][..], &order].concat();
        let proxy = Proxy::showing(&certs, &leaves, &[&backend], "");
        for (name, subject) in [
            ("pay.shop.test", "CN = pay"),
            ("PAY.SHOP.test", "CN = pay"),
            ("pay.shop.test.", "CN = pay"),
            ("other.shop.test", "CN = wild"),
            ("other.shop.test.", "CN = wild"),
            ("shop.test", "CN = wild"),
            ("b.both.test", "CN = plain"),
            ("c.both.test", "CN = both"),
            ("unknown.test", "CN = localhost"),
        ] {
            assert_eq!(shown(&proxy, &certs, &["-servername", name]), subject, "{name}");
        }
        // Both have the name itself: the order of the file.
        let subject = if order[0] == &wild { "CN = both" } else { "CN = plain" };
        assert_eq!(shown(&proxy, &certs, &["-servername", "a.both.test"]), subject);
    }
}

#[test]
fn of_a_pair_for_one_name_the_first_that_the_client_can_verify_is_shown() {
    let certs = Certs::make();
    let wild = leaf(&certs, "wild", "DNS:*.shop.test", "P-256");
    let [ec, rsa] = [("ec", "P-256"), ("rsa", "rsa:2048")]
        .map(|(file, key)| leaf(&certs, file, "DNS:pay.shop.test", key));
    let backend = Backend::plain();
    for (order, subject) in [([&ec, &rsa], "CN = ec"), ([&rsa, &ec], "CN = rsa")] {
        let proxy = Proxy::showing(&certs, &[&[&wild][..], &order].concat(), &[&backend], "");
        proxy.no_farewell();
        let name = ["-servername", "pay.shop.test"];
        assert_eq!(shown(&proxy, &certs, &name), subject);
        let only = |kind| [&name[..], &["-tls1_3", "-sigalgs", kind]].concat();
        assert_eq!(shown(&proxy, &certs, &only("rsa_pss_rsae_sha256")), "CN = rsa");
        assert_eq!(shown(&proxy, &certs, &only("ecdsa_secp256r1_sha256")), "CN = ec");
    }
}

fn dated(certs: &Certs, file: &str, names: &str, days: (i64, i64)) -> Pem {
    certs.leaf_of(file, &Leaf { names, days, ..Leaf::default() })
}

const PAST: (i64, i64) = (-60, -30);

#[test]
fn one_that_has_expired_keeps_no_other_from_being_shown() {
    let certs = Certs::make();
    let old = dated(&certs, "old", "DNS:pay.shop.test,DNS:old.test", PAST);
    let early = dated(&certs, "early", "DNS:early.test", (30, 60));
    let good = certs.leaf("localhost");
    let wild = leaf(&certs, "wild", "DNS:*.shop.test", "P-256");
    let backend = Backend::plain();
    let proxy = Proxy::showing(&certs, &[&old, &early, &good, &wild], &[&backend], "");
    let warnings: Vec<String> = proxy.process.said.all();
    for (file, what) in [("old.pem", "expired on 20"), ("early.pem", "is not valid before 20")] {
        let said = |line: &&String| line.contains(file) && line.contains(what);
        let line = warnings.iter().find(said).unwrap_or_else(|| panic!("{warnings:?}"));
        assert!(line.contains(" WARN "), "{line}");
    }
    for (arguments, subject) in [
        (&["-servername", "localhost"][..], "CN = localhost"),
        // What is in date goes before the name itself, and what has the name before what has not.
        (&["-servername", "pay.shop.test"], "CN = wild"),
        (&["-servername", "old.test"], "CN = old"),
        (&["-servername", "early.test"], "CN = early"),
        (&["-servername", "unknown.test"], "CN = localhost"),
        (&["-noservername"], "CN = localhost"),
    ] {
        assert_eq!(shown(&proxy, &certs, arguments), subject, "{arguments:?}");
    }
}

#[test]
fn a_renewed_certificate_beside_the_one_that_has_expired_is_shown() {
    let certs = Certs::make();
    let names = "DNS:localhost,IP:127.0.0.1";
    let (old, new) = (dated(&certs, "old", names, PAST), dated(&certs, "new", names, (0, 60)));
    let backend = Backend::plain();
    let settings = "tls.unknown_names = \"refuse\"";
    let proxy = Proxy::showing(&certs, &[&old, &new], &[&backend], settings);
    assert_eq!(shown(&proxy, &certs, &["-servername", "localhost"]), "CN = new");
}

#[test]
fn a_client_is_shown_a_kind_of_key_that_it_knows() {
    let certs = Certs::make();
    let [ec, rsa] =
        [("ec", "P-256"), ("rsa", "rsa:2048")].map(|(file, key)| leaf(&certs, file, OWN, key));
    let other = certs.leaf("other.test");
    let backend = Backend::plain();
    let proxy = Proxy::showing(&certs, &[&ec, &rsa, &other], &[&backend], "");
    let only = |kind| ["-tls1_3", "-servername", "localhost", "-sigalgs", kind];
    assert_eq!(shown(&proxy, &certs, &only("ecdsa_secp256r1_sha256")), "CN = ec");
    assert_eq!(shown(&proxy, &certs, &only("rsa_pss_rsae_sha256")), "CN = rsa");
    let only = |cipher| ["-tls1_2", "-servername", "localhost", "-cipher", cipher];
    assert_eq!(shown(&proxy, &certs, &only("ECDHE-ECDSA-AES128-GCM-SHA256")), "CN = ec");
    assert_eq!(shown(&proxy, &certs, &only("ECDHE-RSA-AES128-GCM-SHA256")), "CN = rsa");
    // No certificate for this name that it knows: the first that it does.
    let other = ["-tls1_3", "-servername", "other.test", "-sigalgs", "rsa_pss_rsae_sha256"];
    assert_eq!(shown(&proxy, &certs, &other), "CN = rsa");
}

const OWN: &str = "DNS:localhost,IP:127.0.0.1";

#[test]
fn who_can_verify_no_key_of_ours_is_told_that_the_handshake_failed() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "");
    for version in ["-tls1_2", "-tls1_3"] {
        let arguments = [version, "-sigalgs", "rsa_pss_rsae_sha256"];
        let text = probe(proxy.address, &certs, &arguments, CLOSE);
        assert!(text.contains("alert handshake failure"), "{text}");
    }
}

#[test]
fn unknown_names_may_be_refused_and_are_told_so() {
    let certs = Certs::make();
    let backend = Backend::plain();
    let proxy = Proxy::secure(&certs, &[&backend], "tls.unknown_names = \"refuse\"");
    for version in ["-tls1_2", "-tls1_3"] {
        let ask =
            |name: &[&str]| probe(proxy.address, &certs, &[&[version][..], name].concat(), CLOSE);
        for name in [&["-servername", "unknown.test"][..], &["-noservername"]] {
            let text = ask(name);
            assert!(text.contains("unrecognized name"), "{text}");
            assert!(text.contains("no peer certificate"), "{text}");
        }
        assert!(ask(&["-servername", "localhost"]).contains("200 OK"));
        let other = ask(&["-servername", "localhost", "-sigalgs", "rsa_pss_rsae_sha256"]);
        assert!(other.contains("alert handshake failure"), "{other}");
    }
    proxy.process.said.wait("client 127.0.0.1: TLS: it asks for a name that no certificate has");
    assert_eq!(backend.requests().len(), 2);
    // Before anybody asks, the same is told.
    let port = proxy.address.port();
    let [known, unknown] =
        ["localhost", "unknown.test"].map(|name| format!("https://{name}:{port}/"));
    let listen = format!("server.listen={}", proxy.address);
    let arguments = ["check", "--set", &listen, "--route", &known, "--route", &unknown];
    let (code, printed, said) = Process::evenly(&arguments, proxy.scratch.path()).finish();
    assert_eq!(code, Some(1), "{said}");
    let [known, unknown] = [known + ": to pool default: ", unknown + ": refused: listener "];
    assert!(printed.starts_with(&known) && printed.contains(&unknown), "{printed}");
}

#[test]
fn one_file_may_hold_the_certificate_its_chain_and_its_key() {
    let certs = Certs::make();
    let leaf = certs.leaf("localhost");
    let read = |path| std::fs::read_to_string(path).unwrap();
    let whole = certs.dir().join("whole.pem");
    std::fs::write(&whole, read(&leaf.1) + &read(&leaf.0) + &read(&certs.ca)).unwrap();
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], &format!("tls.certificates = [{whole:?}]"));
    proxy.no_farewell();
    let text = probe(proxy.address, &certs, &["-showcerts"], CLOSE);
    assert!(text.contains("Verify return code: 0 (ok)") && text.contains("200 OK"), "{text}");
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2);
}

#[test]
fn the_certificates_of_make_certs_are_good_and_made_anew_each_time() {
    let mut certs = Certs::make();
    let directory = certs.dir().join("trial");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/certs.sh");
    let mut authorities = Vec::new();
    for _ in 0..2 {
        let mut command = Command::new("bash");
        let command = command.args([script.as_ref(), directory.as_os_str()]);
        let (code, printed, said) = Process::start(command, certs.dir()).finish();
        assert_eq!((code, said.as_str()), (Some(0), ""));
        assert!(printed.contains("--cacert") && printed.contains("[tls]"), "{printed}");
        authorities.push(std::fs::read(directory.join("ca.pem")).unwrap());
    }
    assert_ne!(authorities[0], authorities[1]);
    certs.ca = directory.join("ca.pem");
    let pem = |name: &str| ["pem", "key"].map(|end| directory.join(format!("{name}.{end}"))).into();
    let (site, api) = (pem("site"), pem("api"));
    let backend = Backend::plain();
    let proxy = Proxy::showing(&certs, &[&site, &api], &[&backend], "");
    assert_eq!(proxy.said(" WARN "), 0);
    for name in ["localhost", "api.localhost"] {
        let arguments = ["-servername", name, "-verify_hostname", name];
        let text = probe(proxy.address, &certs, &arguments, CLOSE);
        assert!(text.contains("Verify return code: 0 (ok)"), "{text}");
    }
}
