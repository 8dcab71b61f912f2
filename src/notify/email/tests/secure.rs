//! TLS and logging in: a password and a letter that are to be kept from others are.

#![cfg(feature = "tls")]

use super::certs::{Certs, Leaf};
use super::server::speaks;
use super::*;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

const STARTTLS: &[&str] = &["STARTTLS", "AUTH PLAIN LOGIN"];

/// A server of this name, signed by the authority.
fn script(certs: &Certs, offers: &'static [&'static str]) -> Script {
    let tls = Some(Arc::new(proving(&certs.leaf("localhost"))));
    Script { offers, tls, ..Script::default() }
}

/// To a server that is trusted, as somebody.
fn trusting(address: SocketAddr, certs: &Certs, security: Security) -> Mail {
    let ca = Some(certs.ca.display().to_string());
    let login = Some(("evenly".to_owned(), "s3cret".to_owned()));
    Mail { ca, login, ..mail(address, security) }
}

fn tried(mail: &Mail) -> Result<String, Undelivered> {
    Email::open(mail).unwrap().deliver(&message(), AMPLE, &|| false)
}

#[test]
fn a_letter_goes_through_starttls_or_tls_by_plain_or_login() {
    let certs = Certs::make();
    for tls_first in [false, true] {
        for (offers, way) in [
            (&["STARTTLS", "AUTH PLAIN LOGIN"][..], "AUTH PLAIN AGV2ZW5seQBzM2NyZXQ="),
            (&["starttls", "auth=cram-md5 login"], "AUTH LOGIN"),
        ] {
            let mut server = Script { tls_first, ..script(&certs, offers) };
            if way == "AUTH LOGIN" {
                let asks = ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"];
                server.says = vec![("AUTH LOGIN", asks[0].to_owned())];
                server.says.push(("ZXZlbmx5", asks[1].to_owned()));
                server.says.push(("czNjcmV0", "235 welcome".to_owned()));
            }
            let security = if tls_first { Security::Tls } else { Security::StartTls };
            let (address, heard) = server.serve();
            let told = tried(&trusting(address, &certs, security));
            assert_eq!(told.as_deref(), Ok("250 2.0.0 taken"), "{offers:?}");
            assert!(heard.has(way), "{:?}", heard.all());
            let before = heard.all().iter().position(|line| line == "STARTTLS");
            assert_eq!(before, if tls_first { None } else { Some(1) });
        }
    }
}

#[test]
fn a_server_that_asks_plain_for_more_gets_it() {
    let certs = Certs::make();
    let mut server = script(&certs, STARTTLS);
    server.says = vec![("AUTH PLAIN", "334 ".to_owned())];
    server.says.push(("AGV2ZW5seQBzM2NyZXQ=", "235 welcome".to_owned()));
    let (address, _) = server.serve();
    assert!(tried(&trusting(address, &certs, Security::StartTls)).is_ok());
}

#[test]
fn where_there_is_no_starttls_nothing_is_sent() {
    let certs = Certs::make();
    let (address, heard) = script(&certs, &["AUTH PLAIN"]).serve();
    let (what, may_retry) = failure(tried(&trusting(address, &certs, Security::StartTls)));
    assert!(what.starts_with("offers no STARTTLS, so nothing was sent; "), "{what}");
    assert!(!may_retry);
    assert_eq!(heard.all(), ["EHLO [127.0.0.1]"]);
}

#[test]
fn a_starttls_that_is_refused_ends_it() {
    let certs = Certs::make();
    for (reply, may_retry) in [("454 4.7.0 not now", true), ("502 5.5.1 what", false)] {
        let mut server = script(&certs, STARTTLS);
        server.says = vec![("STARTTLS", reply.to_owned())];
        let (address, heard) = server.serve();
        let told = failure(tried(&trusting(address, &certs, Security::StartTls)));
        assert_eq!(told, (format!("STARTTLS: it said {reply}"), may_retry));
        assert_eq!(heard.all().len(), 2);
    }
}

#[test]
fn what_is_said_in_the_clear_after_starttls_is_refused() {
    let certs = Certs::make();
    let mut server = script(&certs, STARTTLS);
    server.says = vec![("STARTTLS", "220 go\r\n250-injected\r\n250 AUTH PLAIN".to_owned())];
    let (address, heard) = server.serve();
    let (what, _) = failure(tried(&trusting(address, &certs, Security::StartTls)));
    assert!(what.starts_with("says more in the clear after it was to begin TLS"), "{what}");
    assert!(!heard.has("AUTH"));
}

#[test]
fn what_was_offered_in_the_clear_counts_no_more() {
    let certs = Certs::make();
    let mut server = script(&certs, &["STARTTLS"]);
    // A man in the middle would have us send the password in a way of his.
    server.says = vec![("EHLO", "250-a\r\n250-STARTTLS\r\n250 AUTH PLAIN".to_owned())];
    let (address, heard) = server.serve();
    let (what, may_retry) = failure(tried(&trusting(address, &certs, Security::StartTls)));
    assert!(what.starts_with("offers no login; leave user and password out"), "{what}");
    assert!(!may_retry && !heard.has("AUTH"));
}

#[test]
fn a_login_in_none_of_our_ways_is_told() {
    let certs = Certs::make();
    let (address, _) = script(&certs, &["STARTTLS", "AUTH GSSAPI X\u{1b}[31m"]).serve();
    let (what, _) = failure(tried(&trusting(address, &certs, Security::StartTls)));
    assert_eq!(what, "offers no login by PLAIN or LOGIN, but by GSSAPI X\\u{1b}[31M");
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let certs = Certs::make();
    for (reply, again) in [("535 5.7.8 no", false), ("454 4.7.0 later", true)] {
        let mut server = script(&certs, STARTTLS);
        server.says = vec![("AUTH", reply.to_owned())];
        let (address, heard) = server.serve();
        let (what, may_retry) = failure(tried(&trusting(address, &certs, Security::StartTls)));
        assert_eq!((what, may_retry), (format!("the login: it said {reply}"), again));
        assert!(!heard.has("MAIL"));
    }
}

#[test]
fn a_password_never_goes_in_the_clear() {
    let certs = Certs::make();
    let (address, heard) = script(&certs, STARTTLS).serve();
    let (what, _) = failure(tried(&trusting(address, &certs, Security::None)));
    assert!(what.starts_with("a password would go in the clear"), "{what}");
    assert_eq!(heard.all(), ["EHLO [127.0.0.1]"]);
}

#[test]
fn a_server_that_nobody_trusts_gets_nothing() {
    let (certs, others) = (Certs::make(), Certs::make());
    for security in [Security::StartTls, Security::Tls] {
        let tls_first = security == Security::Tls;
        let server = Script { tls_first, ..script(&certs, STARTTLS) };
        let (address, heard) = server.serve();
        let (what, may_retry) = failure(tried(&trusting(address, &others, security)));
        let said = "TLS: its certificate is signed by nobody who is trusted (see ca of the";
        assert!(what.starts_with(said), "{what}");
        assert!(!may_retry && !heard.has("AUTH") && !heard.has("MAIL"), "{:?}", heard.all());
    }
}

#[test]
fn a_certificate_for_another_name_or_out_of_date_is_none() {
    let certs = Certs::make();
    let other = certs.leaf_of("other", &Leaf { names: "DNS:other", ..Leaf::default() });
    let old = certs.leaf_of("old", &Leaf { days: (-60, -30), ..Leaf::default() });
    for (pair, said) in [(other, "for another name"), (old, "has expired")] {
        let tls = Some(Arc::new(proving(&pair)));
        let (address, heard) = Script { tls, ..script(&certs, STARTTLS) }.serve();
        let (what, may_retry) = failure(tried(&trusting(address, &certs, Security::StartTls)));
        assert!(what.starts_with("TLS: its certificate ") && what.contains(said), "{what}");
        assert!(!may_retry && !heard.has("AUTH"));
    }
}

#[test]
fn a_certificate_that_is_named_itself_is_believed() {
    let certs = Certs::make();
    // As Debian's `make-ssl-cert generate-default-snakeoil` leaves it with each mail server.
    let own = certs.alone("snakeoil", "-newkey rsa:2048 -addext subjectAltName=DNS:box");
    let tls = Some(Arc::new(proving(&own)));
    let (address, _) = Script { tls, ..script(&certs, STARTTLS) }.serve();
    let ca = Some(own.0.display().to_string());
    let to = Mail { ca, ..trusting(address, &certs, Security::StartTls) };
    assert_eq!(tried(&to).as_deref(), Ok("250 2.0.0 taken"));
}

#[test]
fn a_client_names_no_protocol_in_its_handshake() {
    let certs = Certs::make();
    let mut tls = proving(&certs.leaf("localhost"));
    // A server that names one refuses whoever names another (RFC 7301 section 3.2).
    tls.alpn_protocols = vec![b"smtp".to_vec()];
    let (address, _) = Script { tls: Some(Arc::new(tls)), ..script(&certs, STARTTLS) }.serve();
    assert!(tried(&trusting(address, &certs, Security::StartTls)).is_ok());
}

#[test]
fn a_port_that_does_not_begin_with_tls_is_told_with_a_remedy() {
    let certs = Certs::make();
    let (address, _) = script(&certs, STARTTLS).serve();
    let (what, may_retry) = failure(tried(&trusting(address, &certs, Security::Tls)));
    let hint = "; security = \"tls\" is for ports that begin with it, mostly 465";
    assert!(what.starts_with("TLS: ") && what.ends_with(hint), "{what}");
    assert!(!may_retry);
}

#[test]
fn a_handshake_that_drips_is_left_in_time() {
    let certs = Certs::make();
    let address = speaks(|mut stream| {
        let _ = stream.write_all(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb");
        while stream.write_all(b".").is_ok() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    });
    let mut email = Email::open(&trusting(address, &certs, Security::Tls)).unwrap();
    let told = failure(email.deliver(&message(), Duration::from_millis(400), &|| false));
    let said = "the TLS handshake was not over when all had to be, after 400.0 ms";
    assert_eq!(told, (said.to_owned(), true));
}

#[test]
fn a_file_of_authorities_that_will_not_do_is_told_at_the_start_beside_all_else() {
    let ca = Some("/nowhere/ca.pem".to_owned());
    let login = Some(("evenly".to_owned(), "${file:/nowhere/password}".to_owned()));
    let to = Mail { ca, login, ..mail(([127, 0, 0, 1], 25).into(), Security::StartTls) };
    let all: Vec<_> = Email::open(&to).err().unwrap().iter().map(Fault::to_string).collect();
    assert!(all.len() == 2 && all[0].starts_with("password: /nowhere/password: "), "{all:?}");
    assert!(all[1].starts_with("ca: /nowhere/ca.pem: cannot be read: "), "{all:?}");
}

/// What a server shows who has this certificate and key.
fn proving((certificate, key): &(impl AsRef<Path>, impl AsRef<Path>)) -> ServerConfig {
    let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    builder.with_single_cert(chain, key).unwrap()
}
