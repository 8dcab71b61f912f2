//! Messages as emails, handed to a mail server: `kind = "email"`.
//!
//! Called by whoever runs the channels, on a channel's own thread. A delivery is one connection,
//! and all of it, from the look-up of the server's name to its last word, has one deadline. What
//! the server says is quoted in what is told, and nothing that is secret is.
//!
//! Whoever has a message once does not get it again: where a server takes it for some and bids us
//! try again for others, only these are tried, and a letter keeps its Message-ID, by which mail
//! programs know a copy. A connection that breaks between the letter's end and the server's word on
//! it leaves open whether it was taken; it is sent again then, for two are better than none.

mod letter;
mod place;
mod reply;
mod smtp;

use std::time::{Duration, Instant, SystemTime};

use super::fault::Fault;
use super::lookup::LookUp;
use super::secret::filled;
use super::{Deliver, Message, Over, Undelivered};
use crate::config::{Errors, Mail, Security};
use crate::pool::{Trust, authority};
use crate::tls::{Connector, Remedy, Stream};
use letter::letter;
use smtp::{Dialogue, Taken};

/// A way to some people's mailboxes.
pub(crate) struct Email {
    mail: Mail,
    /// Who logs in, and the password itself.
    login: Option<(String, String)>,
    /// None where all is in the clear.
    connector: Option<Connector>,
    look_up: LookUp,
    /// Letters so far: a part of their names.
    letters: u64,
    /// One that somebody is still to get.
    under_way: Option<UnderWay>,
}

/// A letter that was tried and may be tried again.
struct UnderWay {
    message: Message,
    letter: Vec<u8>,
    /// Who has no copy yet, by place in the file.
    missing: Vec<usize>,
    /// Those who were refused for good, each with the server's words.
    lost: Vec<String>,
}

impl Email {
    /// Reads what the configuration names: the password, and who may have signed the server's
    /// certificate. The errors say which will not do, and why.
    pub(crate) fn open(mail: &Mail) -> Result<Self, Vec<Fault>> {
        let login = |(user, word): &(String, String)| match filled(word) {
            Ok(password) => Ok((user.clone(), password)),
            Err(why) => Err(Fault::new("password", word, why)),
        };
        let connector = match mail.security {
            Security::None => Ok(None),
            Security::StartTls | Security::Tls => connector(mail).map(Some),
        };
        match (mail.login.as_ref().map(login).transpose(), connector) {
            (Ok(login), Ok(connector)) => Ok(Self {
                mail: mail.clone(),
                login,
                connector,
                look_up: LookUp::default(),
                letters: 0,
                under_way: None,
            }),
            (login, connector) => Err(login.err().into_iter().chain(connector.err()).collect()),
        }
    }

    /// What is to be sent, and to whom: what is left of a try before this, or all of it.
    fn begin(&mut self, message: &Message) -> UnderWay {
        match self.under_way.take() {
            Some(same) if same.message == *message => same,
            _ => {
                self.letters += 1;
                let Mail { from, to, .. } = &self.mail;
                let letter = letter(message, from, to, SystemTime::now(), self.letters);
                let missing = (0..to.len()).collect();
                UnderWay { message: message.clone(), letter, missing, lost: Vec::new() }
            }
        }
    }

    fn try_to_send(&mut self, sent: &UnderWay, within: Duration) -> Result<Taken, Undelivered> {
        let until = Instant::now() + within;
        let Mail { host, port, security, from, to, .. } = &self.mail;
        let addresses = self.look_up.addresses(host, *port, until)?;
        let socket = place::connect(&addresses, until)?;
        let stream = Stream::new(socket, None)
            .map_err(|error| Undelivered { words: error.to_string(), may_retry: true })?;
        let mut dialogue = Dialogue::new(stream, until, within);
        match (security, &self.connector) {
            (Security::Tls, Some(connector)) => {
                dialogue.secure(connector).map_err(begins_otherwise)?;
                dialogue.greet()?;
            }
            (Security::StartTls, Some(connector)) => {
                dialogue.greet()?;
                dialogue.starttls(connector)?;
            }
            _ => dialogue.greet()?,
        }
        if let Some((user, password)) = &self.login {
            dialogue.login(user, password)?;
        }
        let to: Vec<&str> = sent.missing.iter().map(|&place| to[place].as_str()).collect();
        dialogue.send(from, &to, &sent.letter)
    }

    /// The failure in words that begin with the server.
    fn told(&self, why: Undelivered) -> Undelivered {
        let Mail { host, port, .. } = &self.mail;
        Undelivered {
            words: format!("mail server {}: {}", authority(host, *port), why.words),
            ..why
        }
    }

    /// What is to be told once the server has said for whom it takes the letter. Who was refused
    /// for good is told to the end: that others have got it is no success.
    fn settle(&mut self, mut sent: UnderWay, taken: Taken) -> Result<String, Undelivered> {
        let (mut missing, mut said) = (Vec::new(), Vec::new());
        for (place, reply) in taken.refused {
            let place = sent.missing[place];
            let words = format!("<{}>: {reply}", self.mail.to[place]);
            match reply.is_permanent() {
                true => sent.lost.push(words),
                false => {
                    missing.push(place);
                    said.push(words);
                }
            }
        }
        sent.missing = missing;
        let have = self.have(&sent);
        said.splice(0..0, sent.lost.iter().cloned());
        if said.is_empty() {
            return Ok(taken.words);
        }
        let may_retry = !sent.missing.is_empty();
        if may_retry {
            self.under_way = Some(sent);
        }
        Err(Undelivered { words: format!("{have}, but {}", said.join("; ")), may_retry })
    }

    /// For the end of a sentence: what tries before this have come to, if to anything.
    fn so_far(&self, sent: &UnderWay) -> String {
        let lost: String = sent.lost.iter().map(|one| format!("; {one}")).collect();
        match sent.missing.len() < self.mail.to.len() {
            true => format!("; {}{lost}", self.have(sent)),
            false => String::new(),
        }
    }

    fn have(&self, sent: &UnderWay) -> String {
        let all = self.mail.to.len();
        format!("{} of {all} have it", all - sent.missing.len() - sent.lost.len())
    }
}

impl Deliver for Email {
    fn deliver(
        &mut self,
        message: &Message,
        within: Duration,
        _: Over<'_>,
    ) -> Result<String, Undelivered> {
        let sent = self.begin(message);
        let result = match self.try_to_send(&sent, within) {
            Ok(taken) => self.settle(sent, taken),
            Err(Undelivered { words, may_retry }) => {
                let words = format!("{words}{}", self.so_far(&sent));
                if may_retry {
                    self.under_way = Some(sent);
                }
                Err(Undelivered { words, may_retry })
            }
        };
        result.map_err(|why| self.told(why))
    }
}

fn connector(mail: &Mail) -> Result<Connector, Fault> {
    let ca = mail.ca.clone();
    let (key, said) = ca.as_ref().map_or(("server", &mail.host), |ca| ("ca", ca));
    let told = |why: Errors| Fault::new(key, said, why.to_string());
    let trust = Trust { verify: true, ca: ca.clone(), name: None, certificate: None, key: None };
    Connector::nameless(&mail.host, &trust, Remedy::MAIL).map_err(told)
}

/// A port at which TLS comes later looks like one at which there is none.
fn begins_otherwise(why: Undelivered) -> Undelivered {
    let hint = "security = \"tls\" is for ports that begin with it, mostly 465";
    match why.may_retry || why.words.contains("certificate") {
        true => why,
        false => Undelivered { words: format!("{}; {hint}", why.words), ..why },
    }
}

#[cfg(test)]
mod tests;
