//! A night in which applications die, told by email: from `evenly serve` through a real mail server
//! into a folder. What one letter is like, and what servers do to it, is tried beside the code.

#![cfg(all(feature = "email", feature = "tls", feature = "admin"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, unused_imports, reason = "the relay's tests use the rest of it")]
#[path = "../relay/harness/mod.rs"]
mod harness;
mod mta;

use harness::{Backend, Certs, Place, Process, Proxy, Scratch, free_port};
use mta::{LOGIN, Mta};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// A server whose /health answers with a status that the test can change.
fn checked(status: &Arc<AtomicU16>) -> Backend {
    let status = Arc::clone(status);
    Backend::every(move |wire| {
        while wire.request().is_some() {
            let status = status.load(Ordering::Relaxed);
            if !wire.offer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")) {
                return;
            }
        }
    })
}

/// The settings of a balancer that writes to `ops` through STARTTLS, as somebody.
fn settings(mta: &Mta, certs: &Certs) -> String {
    let (user, password) = LOGIN;
    let (port, ca) = (mta.submission, certs.ca.display());
    format!(
        "health.interval = \"50ms\"\nhealth.rise = 1\nhealth.fall = 1\n\
         alerts = [{{ kind = \"email\", wait = \"300ms\", to = [\"ops@mail.test\"], \
         from = \"evenly@mail.test\", server = \"localhost:{port}\", ca = \"{ca}\", \
         user = \"{user}\", password = \"{password}\" }}]\n"
    )
}

#[test]
fn a_night_is_told_by_email_and_its_incident_is_one_conversation() {
    let certs = Certs::make();
    let Some(mta) = Mta::start(&certs.leaf("localhost")) else { return };
    let statuses = [(); 3].map(|()| Arc::new(AtomicU16::new(200)));
    let backends = statuses.each_ref().map(checked);
    let places = backends.each_ref().map(|backend| backend as &dyn Place);
    let proxy = Proxy::with(&places, &settings(&mta, &certs));
    proxy.pardon("NO BACKEND IS UP");
    statuses[0].store(503, Ordering::Relaxed);
    let down = mta.letter("ops", "A down");
    assert!(down.text.contains("status 503"), "{}", down.text);
    statuses[1..].iter().for_each(|status| status.store(500, Ordering::Relaxed));
    let none = mta.letter("ops", "NO BACKEND IS UP");
    statuses.iter().for_each(|status| status.store(200, Ordering::Relaxed));
    let over = mta.letter("ops", "recovered");
    for letter in [&none, &over] {
        assert_eq!(letter.header("References"), down.header("References"), "{letter:#?}");
    }
}

#[test]
fn a_test_message_says_what_the_mail_server_said() {
    let certs = Certs::make();
    let Some(mta) = Mta::start(&certs.leaf("localhost")) else { return };
    let scratch = Scratch::new();
    // As editors leave it.
    scratch.write("right", format!("{}\n", LOGIN.1));
    scratch.write("wrong", "gue55\n");
    let (tls, ca) = (mta.submissions, certs.ca.display());
    let alert = |name: &str| {
        format!(
            "[[alerts]]\nname = \"{name}\"\nkind = \"email\"\nto = [\"ops@mail.test\"]\n\
             from = \"evenly@mail.test\"\nserver = \"localhost:{tls}\"\nsecurity = \"tls\"\n\
             ca = \"{ca}\"\nuser = \"{}\"\npassword = \"${{file:./{name}}}\"\n",
            LOGIN.0
        )
    };
    let backend = "[[applications]]\nname = \"A\"\nip = \"127.0.0.1\"\nport = 9\n";
    scratch.write("applications.toml", format!("{}{}{backend}", alert("right"), alert("wrong")));
    let ask = |arguments: &[&str]| Process::evenly(arguments, scratch.path()).finish();
    let (code, printed, _) = ask(&["alert-test", "right"]);
    assert!(printed.starts_with("right (email): delivered: 250 2.0.0 "), "{printed}");
    assert_eq!(code, Some(0));
    let letter = mta.letter("ops", "test of the alert right");
    assert!(letter.text.contains("Nothing has happened."), "{letter:?}");
    let (code, printed, said) = ask(&["alert-test"]);
    let server = format!("NOT DELIVERED: mail server localhost:{tls}: the login: it said 535 ");
    assert!(printed.contains(&server), "{printed}");
    assert!(!printed.contains("gue55") && !said.contains("gue55"), "{printed}\n{said}");
    assert_eq!(code, Some(1));
    mta.delivered("ops", 2);
}
