//! Emails to servers that follow a script: what they are sent, and what is told of those that do
//! not do as they should; and to real ones.

#[allow(clippy::duplicate_mod, reason = "so do the tests of a session")]
#[path = "../../../tests/tls/certs.rs"]
mod certs;
mod hostile;
mod real;
mod recipients;
mod secure;
mod server;

use super::*;
use server::{Heard, Script};
use std::net::SocketAddr;

/// More than a test takes.
const AMPLE: Duration = Duration::from_secs(20);

fn mail(address: SocketAddr, security: Security) -> Mail {
    Mail {
        to: vec!["ops@mail.test".to_owned()],
        from: "evenly@mail.test".to_owned(),
        host: address.ip().to_string(),
        port: address.port(),
        security,
        login: None,
        ca: None,
    }
}

fn message() -> Message {
    Message {
        subject: "A is down".to_owned(),
        text: "status 503 three times\n.\n.hidden\n".to_owned(),
        key: "k1".to_owned(),
        kind: "down".into(),
        facts: Vec::new(),
    }
}

/// What comes of a message to a server in the clear.
fn deliver(script: Script, within: Duration) -> (Result<String, Undelivered>, Heard) {
    let (address, heard) = script.serve();
    let mut email = Email::open(&mail(address, Security::None)).unwrap();
    (email.deliver(&message(), within, &|| false), heard)
}

/// How it failed, without the server's address.
fn failure(result: Result<String, Undelivered>) -> (String, bool) {
    let Undelivered { words, may_retry } = result.unwrap_err();
    let (server, what) = words.split_once(": ").unwrap();
    assert!(server.starts_with("mail server 127.0.0.1:"), "{words}");
    (what.to_owned(), may_retry)
}

#[test]
fn a_letter_is_handed_over_and_the_servers_word_is_told() {
    let (told, heard) = deliver(Script::default(), AMPLE);
    assert_eq!(told.as_deref(), Ok("250 2.0.0 taken"));
    let heard = heard.all();
    let (commands, letter) = heard.split_at(4);
    let from = ["EHLO [127.0.0.1]", "MAIL FROM:<evenly@mail.test>", "RCPT TO:<ops@mail.test>"];
    assert_eq!(commands, [&from[..], &["DATA"]].concat());
    assert_eq!(letter.last().unwrap(), "QUIT");
    let letter = letter[..letter.len() - 1].join("\n");
    let (head, body) = letter.split_once("\n\n").unwrap();
    assert!(head.contains("Subject: A is down\n"), "{head}");
    // As it went: a dot in front of each line that has one.
    assert_eq!(body, "status 503 three times\n..\n..hidden\n.");
}

#[test]
fn each_letter_has_a_name_of_its_own() {
    let (address, heard) = Script::default().serve();
    let mut email = Email::open(&mail(address, Security::None)).unwrap();
    for _ in 0..3 {
        email.deliver(&message(), AMPLE, &|| false).unwrap();
    }
    let mut names = heard.all();
    names.retain(|line| line.starts_with("Message-ID: "));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3);
}

#[test]
fn a_server_that_is_not_there_is_told_with_its_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut email = Email::open(&mail(address, Security::None)).unwrap();
    let (what, may_retry) = failure(email.deliver(&message(), AMPLE, &|| false));
    assert!(what.starts_with(&format!("no connection to {address}: ")), "{what}");
    assert!(may_retry);
}

#[test]
fn a_name_that_leads_nowhere_is_told() {
    let host = format!("{}.invalid", "a".repeat(64));
    let to = Mail { host, ..mail(([127, 0, 0, 1], 25).into(), Security::None) };
    let why = Email::open(&to).unwrap().deliver(&message(), AMPLE, &|| false).unwrap_err();
    assert!(why.words.contains(".invalid does not resolve: "), "{why:?}");
    assert!(why.may_retry);
}

#[test]
fn a_password_that_cannot_be_read_is_told_at_the_start_and_not_shown() {
    let login = Some(("evenly".to_owned(), "${file:/nowhere/password}".to_owned()));
    let to = Mail { login, ..mail(([127, 0, 0, 1], 25).into(), Security::None) };
    let all = Email::open(&to).err().unwrap();
    assert!(
        all.len() == 1 && all[0].to_string().starts_with("password: /nowhere/password: "),
        "{all:?}"
    );
}

#[test]
fn a_letter_that_may_have_been_taken_is_sent_again_as_the_same() {
    let (address, heard) = Script::saying("END", "").serve();
    let mut email = Email::open(&mail(address, Security::None)).unwrap();
    let (what, may_retry) = failure(email.deliver(&message(), AMPLE, &|| false));
    assert_eq!((what.as_str(), may_retry), ("the letter's end: it closed the connection", true));
    email.deliver(&message(), AMPLE, &|| false).unwrap();
    let mut names = heard.all();
    names.retain(|line| line.starts_with("Message-ID: ") || line.starts_with("Date: "));
    assert_eq!((names.len(), &names[..2]), (4, &names[2..]));
}
