//! Servers that refuse, are silent, trickle, close, or talk nonsense.

use super::server::speaks;
use super::*;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

/// What a test waits for where a server would take for ever.
const SHORT: Duration = Duration::from_millis(400);

/// In the order in which they come.
const STEPS: [(&str, &str); 5] = [
    ("GREETING", "the greeting"),
    ("EHLO", "EHLO"),
    ("MAIL", "MAIL FROM"),
    ("DATA", "DATA"),
    ("END", "the letter"),
];

/// Everything is over when it must be, with room for a busy machine.
fn in_time<T>(work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    assert!(began.elapsed() < SHORT + AMPLE / 4, "{:?}", began.elapsed());
    done
}

fn to_server(speak: impl Fn(TcpStream) + Send + Sync + 'static) -> (String, bool) {
    let address = speaks(speak);
    let mut email = Email::open(&mail(address, Security::None)).unwrap();
    in_time(|| failure(email.deliver(&message(), SHORT, &|| false)))
}

/// Reads on until the client goes.
fn listen(mut stream: TcpStream) {
    while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
}

#[test]
fn what_a_server_has_no_time_for_may_be_tried_again_at_each_step() {
    for (step, shown) in STEPS {
        let (told, _) = deliver(Script::saying(step, "421 4.3.2 shutting down"), AMPLE);
        let what = format!("{shown}: it said 421 4.3.2 shutting down");
        assert_eq!(failure(told), (what, true), "{step}");
    }
    let (told, _) = deliver(Script::saying("RCPT", "421 bye"), AMPLE);
    assert_eq!(failure(told), ("RCPT TO <ops@mail.test>: it said 421 bye".to_owned(), true));
}

#[test]
fn what_a_server_refuses_is_not_tried_again_at_each_step() {
    for (step, shown) in STEPS {
        let (told, _) = deliver(Script::saying(step, "554 5.7.1 no"), AMPLE);
        assert_eq!(failure(told), (format!("{shown}: it said 554 5.7.1 no"), false), "{step}");
    }
}

#[test]
fn a_server_that_hangs_up_is_told_with_the_step() {
    for (step, shown) in STEPS {
        let (told, _) = deliver(Script::saying(step, ""), AMPLE);
        let (what, may_retry) = failure(told);
        let shown = if step == "END" { "the letter's end" } else { shown };
        assert!(what.starts_with(&format!("{shown}: it closed the connection")), "{what}");
        assert!(may_retry);
    }
}

#[test]
fn an_answer_to_something_else_is_a_failure() {
    for (step, reply) in [("DATA", "250 fine"), ("END", "354 go on"), ("MAIL", "334 more")] {
        let (told, _) = deliver(Script::saying(step, reply), AMPLE);
        let (what, may_retry) = failure(told);
        assert!(what.ends_with(&format!(": it said {reply}")) && may_retry, "{what}");
    }
}

#[test]
fn a_silent_server_is_left_in_time_and_may_be_one_that_speaks_tls() {
    let (what, may_retry) = to_server(listen);
    let said = "the greeting was not over when all had to be, after 400.0 ms; where TLS comes \
                first, mostly at port 465, write security = \"tls\"";
    assert_eq!(what, said);
    assert!(may_retry);
}

#[test]
fn a_server_that_trickles_is_left_in_time() {
    let (what, may_retry) = to_server(|mut stream| {
        while stream.write_all(b"2").and_then(|()| stream.write_all(b"20-a\r\n2")).is_ok() {
            thread::park_timeout(Duration::from_millis(5));
        }
    });
    // Whichever is first: the time, or the limit of one reply.
    let is_late = what.starts_with("the greeting was not over when all had to be");
    assert!(is_late || what.starts_with("the greeting: it says "), "{what}");
    assert!(may_retry);
    let (what, may_retry) = to_server(|mut stream| {
        let _ = stream.write_all(b"220 ");
        while stream.write_all(b"a").is_ok() {
            thread::park_timeout(Duration::from_millis(5));
        }
    });
    assert!(what.starts_with("the greeting was not over when all had to be"), "{what}");
    assert!(may_retry);
}

#[test]
fn a_server_that_reads_nothing_is_left_in_time() {
    let held = speaks(|mut stream| {
        let _ = stream.write_all(b"220 a\r\n250 b\r\n250 c\r\n250 d\r\n354 go\r\n");
        thread::park_timeout(AMPLE);
    });
    let mut email = Email::open(&mail(held, Security::None)).unwrap();
    let (what, _) = in_time(|| failure(email.deliver(&message(), SHORT, &|| false)));
    assert!(what.starts_with("the letter's end was not over when all had to be"), "{what}");
}

#[test]
fn a_greeting_without_end_is_not_kept() {
    let (what, may_retry) = to_server(|mut stream| {
        let line = format!("220-{}\r\n", "x".repeat(96));
        let _ = stream.write_all(line.repeat(1000).as_bytes());
        listen(stream);
    });
    assert_eq!(what, "the greeting: it sends a reply of more than 16 KiB");
    assert!(may_retry);
}

#[test]
fn a_server_of_something_else_is_told_in_its_words() {
    let (what, may_retry) = to_server(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nServer: \x1b[31mx\r\n\r\n");
        listen(stream);
    });
    let said = "the greeting: it says \"HTTP/1.1 400 Bad Request\", which is no reply of a mail \
                server";
    assert_eq!((what.as_str(), may_retry), (said, true));
}

#[test]
fn answers_that_come_early_count_for_what_is_asked_next() {
    let (told, heard) = deliver(Script::saying("EHLO", "250 a\r\n250 b\r\n550 c"), AMPLE);
    // The two that came early count as the answers to what is asked next.
    assert_eq!(failure(told), ("0 of 1 have it, but <ops@mail.test>: 550 c".to_owned(), false));
    assert!(!heard.has("DATA"));
}
