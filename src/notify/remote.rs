//! One request of ours to a server elsewhere, within a deadline that holds whatever that server
//! does. Webhooks and the heartbeat send by it. No redirect is followed: what is told would go to
//! whoever the answer names.

use std::time::{Duration, Instant};

use super::Undelivered;
use super::fault::Fault;
use super::lookup::LookUp;
use super::secret::filled;
use crate::http::HeadLimits;
use crate::plain::client::{Link, LinkError, Patience, Phase};
use crate::plain::url::Url;
use crate::pool::Trust;
use crate::text::{Escaped, Took};
use crate::tls::{Connector, Remedy};

const LIMITS: HeadLimits = HeadLimits { head_bytes: 64 * 1024, headers: 200, target_bytes: 0 };
/// What is read of an answer's body, and what of it is shown.
const BODY_BYTES_MAX: usize = 4096;
const SHOWN_CHARACTERS_MAX: usize = 200;
/// The longest silence in an answer's body: what it says is for people, and the status is known.
const BODY_SILENCE: Duration = Duration::from_secs(1);
/// Parts of a path or a field that are shorter than this are words, and no secrets.
const SECRET_BYTES_MIN: usize = 8;

/// Where to, and whom to believe there.
pub(super) struct Remote {
    url: Url,
    connector: Option<Connector>,
    look_up: LookUp,
}

impl Remote {
    /// Fills the places of the URL and reads the authorities. The errors say all that will not do;
    /// a URL may hold a secret, so it is not repeated. `remedy` names what says both.
    pub(super) fn open(said: &str, ca: Option<&str>, remedy: Remedy) -> Result<Self, Vec<Fault>> {
        let url = read(said);
        // Authorities can be read where it is not known yet whom they are to speak for.
        let (is_tls, host) =
            url.as_ref().map_or((ca.is_some(), "localhost"), |url| (url.is_tls(), url.host()));
        let of_ca = ca.map(str::to_owned);
        let trust = Trust { verify: true, ca: of_ca, name: None, certificate: None, key: None };
        let connector = is_tls.then(|| Connector::new(host, &trust, remedy)).transpose();
        let (key, named) = ca.map_or(("url", said), |ca| ("ca", ca));
        let connector = connector.map_err(|why| Fault::new(key, named, why.to_string()));
        match (url.map_err(|why| Fault::new("url", said, why)), connector) {
            (Ok(url), Ok(connector)) => Ok(Self { url, connector, look_up: LookUp::default() }),
            (url, connector) => Err(url.err().into_iter().chain(connector.err()).collect()),
        }
    }

    /// Sends a request with these fields, each with its line end, and says what was answered.
    pub(super) fn ask(
        &mut self,
        method: &str,
        fields: &str,
        body: &[u8],
        within: Duration,
    ) -> Result<String, Undelivered> {
        let until = Instant::now() + within;
        let addresses = self.look_up.addresses(self.url.host(), self.url.port(), until)?;
        let left = until.saturating_duration_since(Instant::now());
        let patience = Patience {
            until,
            connect: left,
            handshake: left,
            response: left,
            silence: BODY_SILENCE,
        };
        let (path, authority) = (self.url.path(), self.url.authority());
        let version = env!("CARGO_PKG_VERSION");
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: evenly/{version}\r\n\
             Connection: close\r\n{fields}\r\n"
        )
        .into_bytes();
        request.extend_from_slice(body);
        let link = Link::connect(&addresses, self.connector.as_ref(), patience, &mut |_, _| true);
        let mut link = link.map_err(|error| self.failed(&error, within))?;
        let mut location = String::new();
        let head = link.ask(&request, method, &LIMITS, &mut |head| {
            let found = head.fields().find(|(name, _)| name.eq_ignore_ascii_case("location"));
            location = found
                .map_or(String::new(), |(_, value)| String::from_utf8_lossy(&value).into_owned());
        });
        let head = head.map_err(|error| self.failed(&error, within))?;
        let mut said = Vec::new();
        // What is cut short there is no failure: the status has come.
        let _ = link.read_body(head.framing, &mut |data| {
            said.extend_from_slice(&data[..data.len().min(BODY_BYTES_MAX - said.len())]);
            said.len() < BODY_BYTES_MAX
        });
        let hidden = self.hidden(fields);
        let said = String::from_utf8_lossy(&said);
        answered(head.status, &without(&hidden, &location), &without(&hidden, &said))
    }

    /// What of the request may be secret, the longest first. Many a server says in its answer what
    /// it was asked, or leads to the same path elsewhere.
    fn hidden<'r>(&'r self, fields: &'r str) -> Vec<&'r str> {
        let of_path = self.url.path().split(['/', '?', '&', '=', ';']);
        let values = fields.lines().filter_map(|field| Some(field.split_once(':')?.1));
        let all = of_path.chain(values.flat_map(str::split_whitespace));
        let mut all: Vec<&str> = all.filter(|it| it.len() >= SECRET_BYTES_MIN).collect();
        all.sort_by_key(|it| std::cmp::Reverse(it.len()));
        all
    }

    fn failed(&self, error: &LinkError, within: Duration) -> Undelivered {
        let authority = self.url.authority();
        let what = match error {
            LinkError::Connect { address, error, .. } if address.to_string() == authority => {
                format!("cannot connect: {error}")
            }
            LinkError::Connect { address, error, .. } => format!("connect to {address}: {error}"),
            LinkError::Handshake(error) => {
                // The session's own words begin so; a connection that breaks says nothing of TLS.
                format!("TLS: {}", error.to_string().trim_start_matches("TLS: "))
            }
            LinkError::Io(error) => error.to_string(),
            LinkError::Late(phase, _) => {
                let phase = match phase {
                    Phase::Handshake => "the TLS handshake was not over",
                    Phase::Request => "the request was not taken",
                    Phase::Head | Phase::Body => "there was no answer",
                };
                format!("{phase} within {}", Took(within))
            }
            LinkError::Closed { .. } => "closed without an answer".to_owned(),
            LinkError::BadHead(why) | LinkError::BadBody(why) | LinkError::Cut(why) => {
                format!("bad answer: {why}")
            }
        };
        Undelivered { words: format!("{authority}: {what}"), may_retry: true }
    }
}

/// A URL with its places filled.
fn read(url: &str) -> Result<Url, String> {
    filled(url)?.parse().map_err(|why: String| {
        why.split_once("\": ").map_or("it cannot be read", |(_, why)| why).to_owned()
    })
}

fn without(hidden: &[&str], said: &str) -> String {
    hidden.iter().fold(said.to_owned(), |said, secret| said.replace(secret, "(hidden)"))
}

/// 2xx is delivered. What may pass by itself is tried again (RFC 9110 section 15).
fn answered(status: u16, location: &str, said: &str) -> Result<String, Undelivered> {
    let said: String = said.trim().chars().take(SHOWN_CHARACTERS_MAX).collect();
    let colon = if said.is_empty() { "" } else { ": " };
    let said = format!("status {status}{colon}{}", Escaped(&said));
    match status {
        200..=299 => Ok(said),
        300..=399 => {
            // It may carry the secret of the URL, or another.
            let to = location.split(['?', '#']).next().unwrap_or_default();
            let to: String = to.chars().take(SHOWN_CHARACTERS_MAX).collect();
            let words = format!(
                "status {status}: redirects are not followed{}",
                match to.is_empty() {
                    true => ", and it names no Location: check the url".to_owned(),
                    false => format!("; write \"{}\" as url", Escaped(&to)),
                }
            );
            Err(Undelivered { words, may_retry: false })
        }
        408 | 425 | 429 | 500.. => Err(Undelivered { words: said, may_retry: true }),
        _ => Err(Undelivered { words: said, may_retry: false }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_back_shows_no_secret() {
        let url = "http://h.test/hooks/T0/s3cr3ts3cr3t?key=0123456789";
        let remote = Remote::open(url, None, Remedy::WEBHOOK);
        let remote = remote.unwrap_or_else(|why| panic!("{why:?}"));
        let hidden = remote.hidden("Authorization: Bearer tokentoken\r\nX-A: b\r\n");
        let said = "Cannot POST /hooks/T0/s3cr3ts3cr3t?key=0123456789 with Bearer tokentoken";
        let shown = "Cannot POST /hooks/T0/(hidden)?key=(hidden) with Bearer (hidden)";
        assert_eq!(
            answered(404, "", &without(&hidden, said)).unwrap_err().words,
            format!("status 404: {shown}")
        );
    }

    #[test]
    fn a_redirect_is_not_followed_and_what_to_write_is_said() {
        let words = |location| answered(302, location, "").unwrap_err().words;
        let said = "status 302: redirects are not followed; write \"https://h.test/a\" as url";
        assert_eq!(words("https://h.test/a?key=secret"), said);
        let said =
            "status 302: redirects are not followed, and it names no Location: check the url";
        assert_eq!(words(""), said);
    }
}
