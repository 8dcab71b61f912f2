//! Letters to real mail servers, read where they were delivered.

#![cfg(feature = "tls")]

#[path = "../../../../tests/email/mta.rs"]
mod mta;
#[path = "../../../../tests/relay/harness/port.rs"]
mod port;

use super::certs::Certs;
use super::*;
use mta::{LOGIN, Mta};
use port::free_port;

/// What is needed to write to a server on this machine.
struct Post {
    certs: Certs,
    mta: Mta,
}

impl Post {
    /// None where there is no mail server.
    fn open() -> Option<Self> {
        let certs = Certs::make();
        let mta = Mta::start(&certs.leaf("localhost"))?;
        Some(Self { certs, mta })
    }

    fn clear(&self) -> Mail {
        mail(([127, 0, 0, 1], self.mta.port).into(), Security::None)
    }

    fn secure(&self, security: Security) -> Mail {
        let port =
            if security == Security::Tls { self.mta.submissions } else { self.mta.submission };
        let login = Some((LOGIN.0.to_owned(), LOGIN.1.to_owned()));
        let ca = Some(self.certs.ca.display().to_string());
        Mail {
            login,
            ca,
            host: "localhost".to_owned(),
            ..mail(([127, 0, 0, 1], port).into(), security)
        }
    }
}

fn send(to: &Mail, message: &Message) -> Result<String, Undelivered> {
    Email::open(to).unwrap().deliver(message, AMPLE, &|| false)
}

#[test]
fn a_letter_arrives_as_it_was_meant_by_each_way() {
    let Some(post) = Post::open() else { return };
    let message = Message {
        subject: "[evenly] Köln-1 is down: 2 of 3 left \u{1f525}".to_owned(),
        text: "Seen: status 503, 3 × in 6 s.\n\n.\n.hidden\nFrom here on ...\n".to_owned(),
        ..message()
    };
    let ways = [post.clear(), post.secure(Security::StartTls), post.secure(Security::Tls)];
    for (count, to) in ways.iter().enumerate() {
        let told = send(to, &message).unwrap();
        assert!(told.starts_with("250 2.0.0 "), "{told}");
        let letter = post.mta.delivered("ops", count + 1).pop().unwrap();
        assert_eq!(letter.header("Subject"), message.subject);
        assert_eq!(letter.text, message.text);
        assert_eq!(letter.header("From"), "evenly@mail.test");
        assert_eq!(letter.header("To"), "ops@mail.test");
        assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
        assert_eq!(letter.header("X-Auto-Response-Suppress"), "All");
        assert_eq!(letter.header("Content-Type"), "text/plain; charset=\"utf-8\"");
        assert!(letter.header("Date").ends_with(" +0000"));
    }
}

#[test]
fn mail_programs_put_an_incident_together() {
    let Some(post) = Post::open() else { return };
    for (subject, key) in [("A is down", "a-1"), ("A is up", "a-1"), ("B is down", "b-1")] {
        let (subject, key) = (subject.to_owned(), key.to_owned());
        send(&post.clear(), &Message { subject, key, ..message() }).unwrap();
    }
    let letters = post.mta.delivered("ops", 3);
    let of = |subject: &str| letters.iter().find(|it| it.header("Subject") == subject).unwrap();
    let (down, up, other) = (of("A is down"), of("A is up"), of("B is down"));
    for name in ["In-Reply-To", "References"] {
        assert_eq!(down.header(name), up.header(name));
        assert_ne!(down.header(name), other.header(name));
    }
    let mut names: Vec<&str> = letters.iter().map(|letter| letter.header("Message-ID")).collect();
    names.push(down.header("References"));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 4);
}

#[test]
fn hostile_names_and_reasons_stay_where_they_were_put() {
    let Some(post) = Post::open() else { return };
    let to = ["ops", "boss"].map(|name| format!("{name}@mail.test")).to_vec();
    let mut email = Email::open(&Mail { to, ..post.clear() }).unwrap();
    let long = "x".repeat(5000);
    let hostile = [
        "A\r\nBcc: boss@mail.test\r\nX-Evil: 1\r\n\r\n<script>alert(1)</script>",
        "A\0B\u{202e}C\u{1b}[31m",
        "\"quoted\\\" 'name' `id` $(id)",
        ".\r\n.\r\nMAIL FROM:<x@y.test>",
        "=?utf-8?B?DQpCY2M6IGJvc3NAbWFpbC50ZXN0?=",
        &long,
    ];
    let plain =
        |letter: &mta::Letter| letter.names().into_iter().map(str::to_owned).collect::<Vec<_>>();
    email.deliver(&message(), AMPLE, &|| false).unwrap();
    let usual = plain(&post.mta.delivered("ops", 1)[0]);
    for (count, name) in hostile.iter().enumerate() {
        let (subject, text) = (format!("{name} is down"), format!("{name}\nstatus 503"));
        email.deliver(&Message { subject, text, ..message() }, AMPLE, &|| false).unwrap();
        let letter = post.mta.delivered("ops", count + 2).pop().unwrap();
        assert_eq!(plain(&letter), usual, "{name}");
        assert!(letter.text.ends_with("\nstatus 503\n"), "{letter:?}");
        let printable =
            |text: &str| text.chars().all(|it| it == '\n' || crate::text::is_printable(it));
        assert!(printable(&letter.text) && printable(letter.header("Subject")), "{letter:?}");
        assert!(letter.header("Subject").chars().count() < 300);
    }
    // A copy of each, and nothing else.
    post.mta.delivered("boss", hostile.len() + 1);
}

#[test]
fn an_unknown_recipient_is_told_and_the_others_get_it() {
    let Some(post) = Post::open() else { return };
    let to = ["ops", "gone", "boss"].map(|name| format!("{name}@mail.test")).to_vec();
    for (count, way) in [post.clear(), post.secure(Security::StartTls)].into_iter().enumerate() {
        let why = send(&Mail { to: to.clone(), ..way }, &message()).unwrap_err();
        assert!(why.words.contains(": 2 of 3 have it, but <gone@mail.test>: 5"), "{why:?}");
        assert!(!why.may_retry);
        post.mta.delivered("ops", count + 1);
        post.mta.delivered("boss", count + 1);
    }
}

#[test]
fn a_wrong_password_or_none_is_refused_for_good() {
    let Some(post) = Post::open() else { return };
    let to = post.secure(Security::StartTls);
    let wrong = Mail { login: Some((LOGIN.0.to_owned(), "guess".to_owned())), ..to.clone() };
    let why = send(&wrong, &message()).unwrap_err();
    assert!(why.words.contains(": the login: it said 535 5.7.8 "), "{why:?}");
    assert!(!why.may_retry && !why.words.contains("guess"));
    let why = send(&Mail { login: None, ..to }, &message()).unwrap_err();
    assert!(why.words.contains(": MAIL FROM: it said 530 5.7.0 "), "{why:?}");
    assert!(!why.may_retry);
}

#[test]
fn a_real_server_without_starttls_or_trust_gets_no_letter() {
    let Some(post) = Post::open() else { return };
    let others = Certs::make();
    let ca = Some(others.ca.display().to_string());
    let strange = Mail { ca, ..post.secure(Security::StartTls) };
    let why = send(&strange, &message()).unwrap_err();
    assert!(why.words.contains("is signed by nobody who is trusted"), "{why:?}");
    let clear = Mail { port: post.mta.port, ..post.secure(Security::StartTls) };
    let why = send(&clear, &message()).unwrap_err();
    assert!(why.words.contains(": offers no STARTTLS, so nothing was sent; "), "{why:?}");
    // The next is the first that arrives.
    send(&post.clear(), &message()).unwrap();
    post.mta.delivered("ops", 1);
}
