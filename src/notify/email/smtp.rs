//! One letter to several people over one connection to a mail server: the client's side of SMTP
//! (RFC 5321), STARTTLS (RFC 3207) and AUTH (RFC 4954).
//!
//! Called by `email`. All of it has one deadline, however slowly a server answers. A password goes
//! through TLS or not at all, and where TLS is asked for, so does the letter.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use super::letter::base64;
use super::reply::{Reply, shown};
use crate::notify::Undelivered;
use crate::text::Took;
use crate::tls::{Connector, Stream};

/// How long the server may take to say goodbye: the letter is its own by then.
const GOODBYE: Duration = Duration::from_secs(1);
/// Most times that a login may be asked for more: a name, a password.
const CHALLENGES_MAX: usize = 3;

const TLS_FIRST: &str = "where TLS comes first, mostly at port 465, write security = \"tls\"";

/// A connection to a mail server.
pub(super) struct Dialogue {
    stream: Stream,
    /// Received, and not used yet.
    ahead: Vec<u8>,
    /// When all of it must be over, and how long that was at first.
    until: Instant,
    within: Duration,
    /// What the server says it can do, since its last EHLO; in capitals.
    extensions: Vec<String>,
}

/// What became of a letter.
pub(super) struct Taken {
    /// What the server said to it; nothing where it takes it for nobody.
    pub(super) words: String,
    /// Those who do not get it, by place, and what the server said to each.
    pub(super) refused: Vec<(usize, Reply)>,
}

impl Dialogue {
    /// Takes a connected socket, all in the clear.
    pub(super) fn new(stream: Stream, until: Instant, within: Duration) -> Self {
        let mut dialogue =
            Self { stream, ahead: Vec::new(), until, within, extensions: Vec::new() };
        dialogue.stream.set_deadline(Some(until));
        dialogue
    }

    /// Has the server prove who it is, and is TLS from here on.
    pub(super) fn secure(&mut self, connector: &Connector) -> Result<(), Undelivered> {
        self.stream.begin_tls(connector).map_err(|error| final_words(error.to_string()))?;
        match self.stream.handshake() {
            Ok(()) => Ok(()),
            // A certificate that will not do now will not do in a minute.
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                Err(final_words(error.to_string()))
            }
            Err(error) => Err(self.failed("the TLS handshake", &error)),
        }
    }

    /// Hears who the server is, and says who we are.
    pub(super) fn greet(&mut self) -> Result<(), Undelivered> {
        let in_clear = !self.stream.is_tls();
        let greeting = self.hear("the greeting");
        // A server that waits for us to begin TLS says nothing.
        let is_mute = in_clear && self.ahead.is_empty();
        let greeting = greeting.map_err(|why| match is_mute {
            true => Undelivered { words: format!("{}; {TLS_FIRST}", why.words), ..why },
            false => why,
        })?;
        expect(greeting, 2, "the greeting")?;
        self.hello()
    }

    /// Asks for TLS, and goes on in it. A server that has none gets nothing more, and neither does
    /// one that was talked over: what came behind its reply in the clear may be anybody's.
    pub(super) fn starttls(&mut self, connector: &Connector) -> Result<(), Undelivered> {
        if !self.offers("STARTTLS") {
            let what = "offers no STARTTLS, so nothing was sent; name a port where it does";
            return Err(final_words(format!(
                "{what}, mostly 587, or write security = \"tls\" with its port, mostly 465"
            )));
        }
        self.ask("STARTTLS", "STARTTLS", 2)?;
        if !self.ahead.is_empty() {
            let what = "says more in the clear after it was to begin TLS; somebody may be between";
            return Err(Undelivered { words: what.to_owned(), may_retry: true });
        }
        self.secure(connector)?;
        // What was offered in the clear counts no more (RFC 3207 section 4.2).
        self.hello()
    }

    /// Logs in, in the first way of ours that the server offers.
    pub(super) fn login(&mut self, user: &str, password: &str) -> Result<(), Undelivered> {
        const STEP: &str = "the login";
        if !self.stream.is_tls() {
            let what = "a password would go in the clear; write security = \"starttls\" or \"tls\"";
            return Err(final_words(what.to_owned()));
        }
        let (opening, mut answers) = match self.mechanism()? {
            "PLAIN" => {
                let whole = base64(format!("\0{user}\0{password}").as_bytes());
                // Some take no answer along with the question.
                (format!("AUTH PLAIN {whole}"), vec![whole])
            }
            _ => {
                let (user, password) = (user.as_bytes(), password.as_bytes());
                // In reverse, as they are asked for: the user, then the password.
                let answers = vec![base64(password), base64(user)];
                ("AUTH LOGIN".to_owned(), answers)
            }
        };
        let mut reply = self.say(&opening, STEP)?;
        for _ in 0..CHALLENGES_MAX {
            match answers.pop() {
                Some(answer) if reply.code == 334 => reply = self.say(&answer, STEP)?,
                _ => break,
            }
        }
        expect(reply, 2, STEP).map(drop)
    }

    /// The letter to all of them whom the server takes it for.
    pub(super) fn send(
        &mut self,
        from: &str,
        to: &[&str],
        letter: &[u8],
    ) -> Result<Taken, Undelivered> {
        self.ask(&format!("MAIL FROM:<{from}>"), "MAIL FROM", 2)?;
        let mut refused = Vec::new();
        for (place, address) in to.iter().enumerate() {
            let step = format!("RCPT TO <{address}>");
            let reply = self.say(&format!("RCPT TO:<{address}>"), &step)?;
            match reply.code {
                // It is about to hang up, whoever it is for.
                421 => return Err(refusal(&reply, &step)),
                200..300 => {}
                _ => refused.push((place, reply)),
            }
        }
        if refused.len() == to.len() {
            self.goodbye();
            return Ok(Taken { words: String::new(), refused });
        }
        self.ask("DATA", "DATA", 3)?;
        self.write(&stuffed(letter), "the letter")?;
        let reply = self.hear("the letter's end")?;
        let words = expect(reply, 2, "the letter")?.to_string();
        self.goodbye();
        Ok(Taken { words, refused })
    }

    /// Says who we are and hears what the server can do. The address is what we know for sure of
    /// ourselves, and no server may refuse it for its form (RFC 5321 section 4.1.4).
    fn hello(&mut self) -> Result<(), Undelivered> {
        let own = self.stream.socket().local_addr().map(|address| address.ip().to_canonical());
        let name = match own {
            Ok(ip) if ip.is_ipv6() => format!("[IPv6:{ip}]"),
            Ok(ip) => format!("[{ip}]"),
            Err(_) => "localhost".to_owned(),
        };
        let reply = self.ask(&format!("EHLO {name}"), "EHLO", 2)?;
        // The first line is the server's name.
        self.extensions = reply.lines().skip(1).map(str::to_ascii_uppercase).collect();
        Ok(())
    }

    fn offers(&self, keyword: &str) -> bool {
        self.extensions.iter().any(|line| line.split_whitespace().next() == Some(keyword))
    }

    fn mechanism(&self) -> Result<&'static str, Undelivered> {
        // Written `AUTH=` too, for clients from before the standard.
        let lines = self.extensions.iter().filter_map(|line| line.strip_prefix("AUTH"));
        let lines = lines.filter_map(|rest| rest.strip_prefix([' ', '=']));
        let offered: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        let ours = ["PLAIN", "LOGIN"].into_iter().find(|own| offered.contains(own));
        ours.ok_or_else(|| {
            final_words(match offered.is_empty() {
                true => "offers no login; leave user and password out, or name another port".into(),
                false => {
                    let offered = shown(&offered.join(" "));
                    format!("offers no login by PLAIN or LOGIN, but by {offered}")
                }
            })
        })
    }

    /// Says a line and hears a reply that must be of this hundred.
    fn ask(&mut self, line: &str, step: &str, hundred: u16) -> Result<Reply, Undelivered> {
        let reply = self.say(line, step)?;
        expect(reply, hundred, step)
    }

    fn say(&mut self, line: &str, step: &str) -> Result<Reply, Undelivered> {
        self.write(format!("{line}\r\n").as_bytes(), step)?;
        self.hear(step)
    }

    fn write(&mut self, bytes: &[u8], step: &str) -> Result<(), Undelivered> {
        self.stream.write_all(bytes).map_err(|error| self.failed(step, &error))
    }

    fn hear(&mut self, step: &str) -> Result<Reply, Undelivered> {
        let mut room = [0; 4096];
        loop {
            let taken = Reply::take(&mut self.ahead);
            let words = |what| Undelivered { words: format!("{step}: it {what}"), may_retry: true };
            if let Some(reply) = taken.map_err(words)? {
                return Ok(reply);
            }
            match self.stream.read(&mut room) {
                Ok(0) => return Err(self.failed(step, &ErrorKind::UnexpectedEof.into())),
                Ok(count) => self.ahead.extend_from_slice(&room[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(step, &error)),
            }
        }
    }

    fn failed(&self, step: &str, error: &io::Error) -> Undelivered {
        let words = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!("{step} was not over when all had to be, after {}", Took(self.within))
            }
            ErrorKind::UnexpectedEof => format!("{step}: it closed the connection"),
            _ => format!("{step}: {error}"),
        };
        Undelivered { words, may_retry: true }
    }

    /// The letter is the server's by now: nothing that happens here is a failure.
    fn goodbye(&mut self) {
        self.stream.set_deadline(Some(self.until.min(Instant::now() + GOODBYE)));
        let _ = self.say("QUIT", "QUIT");
    }
}

/// A letter as it is sent: a line that begins with a dot gets another, so that none is taken for
/// the end; then that (RFC 5321 section 4.5.2).
fn stuffed(letter: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(letter.len() + 64);
    for line in letter.split_inclusive(|&byte| byte == b'\n') {
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

fn expect(reply: Reply, hundred: u16, step: &str) -> Result<Reply, Undelivered> {
    match reply.code / 100 == hundred {
        true => Ok(reply),
        false => Err(refusal(&reply, step)),
    }
}

fn refusal(reply: &Reply, step: &str) -> Undelivered {
    Undelivered { words: format!("{step}: it said {reply}"), may_retry: !reply.is_permanent() }
}

/// What no second try changes.
fn final_words(words: String) -> Undelivered {
    Undelivered { words, may_retry: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_letter_ends_it() {
        let cases = [
            ("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"),
            (".a\r\n..b", "..a\r\n...b\r\n.\r\n"),
            ("", "\r\n.\r\n"),
            ("a.\r\n", "a.\r\n.\r\n"),
        ];
        for (letter, sent) in cases {
            assert_eq!(String::from_utf8(stuffed(letter.as_bytes())).unwrap(), sent);
        }
    }
}
