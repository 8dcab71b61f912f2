//! What is answered without being relayed: redirects to a backend, look-ups of the next one, and
//! whether this server is ready.
//!
//! Consulted by a new exchange, where the configuration wants any of them. The backend is picked as
//! for relaying and given back at once: what the client does there, nobody here sees. Must never
//! put a client's bytes into a head, but for those that `http::location` takes.

use super::Exchange;
use super::trouble::{RETRY_AFTER_S, Trouble};
use crate::config::{Config, Mode};
use crate::http::location;
use crate::log::{Cause, json};
use crate::pool::Unavailable;
use crate::relay::answer::{Answer, JSON};
use crate::relay::kit::Context;

/// What the configuration wants answered here.
pub(crate) struct Direct {
    redirect: Option<Redirect>,
    /// The path that is a look-up.
    lookup: Option<String>,
    /// The path that tells whether this server is ready.
    ready: Option<String>,
}

struct Redirect {
    status: u16,
    methods: Vec<String>,
    /// The same, as Allow has them.
    allow: String,
}

/// What becomes of a request that is not relayed.
#[derive(Debug, PartialEq)]
enum Wanted<'d> {
    Redirect { status: u16 },
    LookUp,
    Readiness,
    Refusal { reason: &'static str, allow: &'d str },
}

/// An answer that no backend gave.
pub(super) struct Given {
    status: u16,
    body: String,
    /// The body is JSON.
    json: bool,
    location: Option<String>,
    allow: Option<String>,
    retry_after_s: Option<u64>,
    /// Of the sticky cookie, where the client lacks it.
    token: Option<u64>,
    pub(super) cause: Cause,
}

const READING: &str = "GET, HEAD";

impl Direct {
    /// None if all is relayed, as usual.
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let methods = &config.redirect.methods;
        let redirect = || Redirect {
            status: config.redirect.status,
            methods: methods.clone(),
            allow: methods.join(", "),
        };
        let direct = Self {
            redirect: (config.server.mode == Mode::Redirect).then(redirect),
            lookup: config.lookup.path.clone(),
            ready: config.server.ready.clone(),
        };
        let has_any =
            direct.redirect.is_some() || direct.lookup.is_some() || direct.ready.is_some();
        has_any.then_some(direct)
    }

    /// The methods that are allowed, if they are not the usual ones.
    pub(crate) fn allow(&self) -> Option<&str> {
        self.redirect.as_ref().map(|redirect| redirect.allow.as_str())
    }

    /// None if a backend is to answer.
    fn wanted(&self, method: &str, target: &str) -> Option<Wanted<'_>> {
        let path = target.split('?').next();
        let own = [(&self.ready, Wanted::Readiness), (&self.lookup, Wanted::LookUp)];
        for (own, wanted) in own {
            if own.is_some() && path == own.as_deref() {
                let reason = "ask for it with GET or HEAD";
                let refusal = Wanted::Refusal { reason, allow: READING };
                return Some(if matches!(method, "GET" | "HEAD") { wanted } else { refusal });
            }
        }
        let Redirect { status, methods, allow } = self.redirect.as_ref()?;
        Some(match methods.iter().any(|listed| listed == method) {
            true => Wanted::Redirect { status: *status },
            false => Wanted::Refusal { reason: "the method is not redirected", allow },
        })
    }
}

impl Exchange {
    /// Goes no further with a request that is to be answered here.
    pub(super) fn answer_directly(&mut self, cx: &mut Context) -> Result<(), Trouble> {
        let Some(direct) = &cx.kit.shared.direct else {
            return Ok(());
        };
        let (method, target) = self.request_line();
        let given = match direct.wanted(method, target) {
            None => return Ok(()),
            Some(Wanted::Redirect { status }) => self.redirect(status, cx)?,
            Some(Wanted::LookUp) => self.look_up(cx),
            Some(Wanted::Readiness) => readiness(cx.kit.shared.is_ready()),
            Some(Wanted::Refusal { reason, allow }) => Given {
                allow: Some(allow.to_owned()),
                cause: Cause::Refused,
                ..Given::new(405, reason)
            },
        };
        Err(Trouble::Given(Box::new(given)))
    }

    fn redirect(&mut self, status: u16, cx: &mut Context) -> Result<Given, Trouble> {
        self.pick(cx).map_err(Trouble::NoBackend)?;
        let lease = self.lease.as_ref().expect("one was just picked");
        let (_, target) = self.request_line();
        Ok(Given {
            location: Some(location(lease.backend().origin(), target)),
            token: self.new_token(lease.index()),
            ..Given::new(status, "go to the address in Location")
        })
    }

    /// Waits for nobody: who is told to wait can ask again.
    fn look_up(&mut self, cx: &mut Context) -> Given {
        if !cx.kit.shared.queue.is_empty() {
            return Given::unavailable("every backend is busy", RETRY_AFTER_S);
        }
        if let Err(none) = self.pick(cx) {
            return none_for_a_look_up(&none, cx);
        }
        let lease = self.lease.as_ref().expect("one was just picked");
        let backend = lease.backend();
        let body = object(&[("name", backend.name()), ("url", backend.origin())]);
        Given { json: true, token: self.new_token(lease.index()), ..Given::new(200, &body) }
    }

    /// The token of the backend at `index`, if the client is to get a cookie with it.
    fn new_token(&self, index: usize) -> Option<u64> {
        self.pool.token(index).filter(|token| self.ties.token != Some(*token))
    }
}

/// For balancers in front: how the backends are is another question, and if it took all of us out
/// at once when one application is down, nobody would be left for the others.
fn readiness(is_ready: bool) -> Given {
    match is_ready {
        true => Given::new(200, "ready"),
        false => Given::new(503, "not ready: about to stop"),
    }
}

fn none_for_a_look_up(none: &Unavailable, cx: &Context) -> Given {
    if none.full > 0 {
        return Given::unavailable("every backend is busy", RETRY_AFTER_S);
    }
    cx.kit.shared.say_unavailable(none, "asked for the next server");
    Given::unavailable("no backend can take the request now", none.retry_after_s())
}

impl Given {
    fn new(status: u16, body: &str) -> Self {
        Self {
            status,
            body: body.to_owned(),
            json: false,
            location: None,
            allow: None,
            retry_after_s: None,
            token: None,
            cause: Cause::Done,
        }
    }

    /// What a look-up is told where there is nobody to name.
    fn unavailable(why: &str, retry_after_s: u64) -> Self {
        Self {
            json: true,
            retry_after_s: Some(retry_after_s),
            cause: Cause::NoBackend,
            ..Self::new(503, &object(&[("error", why)]))
        }
    }

    /// Why the request was refused, if it was.
    pub(super) fn reason(&self) -> &str {
        if self.cause == Cause::Refused { &self.body } else { "" }
    }

    pub(super) fn answer(&self) -> Answer<'_> {
        let usual = Answer::new(self.status, &self.body);
        Answer {
            retry_after_s: self.retry_after_s,
            allow: self.allow.as_deref(),
            location: self.location.as_deref(),
            content_type: if self.json { JSON } else { usual.content_type },
            // The next to ask is told something else.
            no_store: true,
            token: self.token,
            ..usual
        }
    }
}

/// A JSON object of strings.
fn object(members: &[(&str, &str)]) -> String {
    let mut out = Vec::new();
    for (name, value) in members {
        out.push(if out.is_empty() { b'{' } else { b',' });
        json(&mut out, name.as_bytes());
        out.push(b':');
        json(&mut out, value.as_bytes());
    }
    out.push(b'}');
    String::from_utf8(out).expect("JSON is written in ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(settings: &str) -> Option<Direct> {
        let application = "[[applications]]\nip = \"192.0.2.1\"\nport = 1\n";
        Direct::new(&Config::parse(&format!("{settings}\n{application}"), "test").unwrap())
    }

    #[test]
    fn nothing_is_answered_here_unless_the_configuration_asks_for_it() {
        assert!(direct("").is_none());
        assert!(direct("redirect.status = 308").is_none());
        assert!(direct("server.mode = \"redirect\"").is_some());
        assert!(direct("lookup.path = \"/next\"").is_some());
        assert!(direct("server.ready = \"/ready\"").is_some());
    }

    #[test]
    fn readiness_comes_before_a_redirect_and_has_methods_of_its_own() {
        let direct = direct("server.mode = \"redirect\"\nserver.ready = \"/ready\"").unwrap();
        assert_eq!(direct.wanted("HEAD", "/ready?x"), Some(Wanted::Readiness));
        assert_eq!(direct.wanted("GET", "/ready/"), Some(Wanted::Redirect { status: 307 }));
        let wanted = direct.wanted("POST", "/ready");
        assert!(matches!(wanted, Some(Wanted::Refusal { allow: "GET, HEAD", .. })), "{wanted:?}");
    }

    #[test]
    fn only_the_very_path_is_a_look_up() {
        let direct = direct("lookup.path = \"/next\"").unwrap();
        for target in ["/next", "/next?", "/next?for=me/next"] {
            assert_eq!(direct.wanted("GET", target), Some(Wanted::LookUp), "{target}");
        }
        for target in ["/", "/next/", "//next", "/Next", "/a?/next", "/%6eext", "/nextt", "*"] {
            assert_eq!(direct.wanted("GET", target), None, "{target}");
        }
    }

    #[test]
    fn methods_are_told_apart_by_case() {
        let settings = "server.mode = \"redirect\"\nredirect.methods = [\"GET\", \"POST\"]";
        let direct = direct(settings).unwrap();
        let redirect = Some(Wanted::Redirect { status: 307 });
        assert_eq!(direct.wanted("POST", "/"), redirect);
        for method in ["HEAD", "get", "OPTIONS"] {
            let wanted = direct.wanted(method, "/");
            let allows = matches!(wanted, Some(Wanted::Refusal { allow: "GET, POST", .. }));
            assert!(allows, "{method}: {wanted:?}");
        }
    }

    #[test]
    fn a_name_with_signs_is_json_all_the_same() {
        let text = object(&[("name", r#"a"\b"#), ("url", "http://[::1]:80")]);
        assert_eq!(text, r#"{"name":"a\"\\b","url":"http://[::1]:80"}"#);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["name"], r#"a"\b"#);
    }
}
