//! What the configuration wants answered here instead of relayed: redirects to a backend, look-ups
//! of the next one, and whether this server is ready. How they are answered: `exchange/direct.rs`.
//!
//! A part of the site, made with it. It looks at method and path alone.

use crate::config::{Config, Serving};

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
pub(super) enum Wanted<'d> {
    Redirect { status: u16 },
    LookUp,
    Readiness,
    Refusal { reason: &'static str, allow: &'d str },
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
            redirect: (config.server.mode == Serving::Redirect).then(redirect),
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
    pub(super) fn wanted(&self, method: &str, target: &str) -> Option<Wanted<'_>> {
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
}
