//! What is answered because of the listener by which a request came: the proof that a name is ours,
//! and, where clients are sent to https, that address.
//!
//! Both come before anything that a backend would be asked for.

use super::account::{field, text};
use super::given::Given;
use super::trouble::{RETRY_AFTER_S, Trouble};
use super::{Exchange, Progress};
use crate::engine::Owner;
use crate::http::{Refusal, location, secure_origin};
use crate::log::Cause;
use crate::relay::challenges::Proof;
use crate::relay::kit::Context;

/// As RFC 8555 section 8.3 has it.
const OCTETS: &str = "application/octet-stream";

impl Exchange {
    /// What this turn comes to where the request is for what proves that a name is ours.
    pub(super) fn prove(&mut self, cx: &mut Context) -> Result<Option<Progress>, Trouble> {
        if let Some(asked) = &self.proving {
            let given = match asked.answer() {
                Some(proof) => proved(proof),
                None if cx.now >= asked.until => busy("the file cannot be read in time"),
                None => return Ok(Some(Progress::Stuck)),
            };
            return Ok(Some(given.into()));
        }
        let Some(challenges) = self.client.entrance.challenges() else { return Ok(None) };
        let (method, target) = self.request_line();
        let file = match challenges.file(target) {
            None => return Ok(None),
            Some(Ok(file)) if matches!(method, "GET" | "HEAD") => file,
            Some(_) => return Ok(Some(proved(&None).into())),
        };
        let home = self.client.stream.key(Owner::Itself).map_err(Trouble::Ours)?;
        let shared = &cx.kit.shared;
        self.proving = shared.challenges.ask(file, home, &shared.lot, cx.now);
        Ok(Some(match self.proving {
            Some(_) => Progress::Stuck,
            None => busy("too many ask for proofs").into(),
        }))
    }

    /// The same address by https, where clients are sent there.
    pub(super) fn send_to_https(&self) -> Option<Given> {
        let port = self.client.entrance.sends_to()?;
        if self.asked.own_host.is_some() {
            let what = "the request names no Host, so nobody can say where it is by https";
            return Some(Given::refusing(&Refusal { status: 400, reason: what }));
        }
        let (_, target) = self.request_line();
        let origin = secure_origin(text(field(self.head(), b"host")), port);
        Some(Given {
            location: Some(location(&origin, target)),
            ..Given::new(308, "go to the address in Location")
        })
    }
}

fn proved(proof: &Proof) -> Given {
    match proof {
        Some(proof) => Given { content_type: Some(OCTETS), ..Given::new(200, proof) },
        None => Given::new(404, "no ACME challenge of this name is in acme_webroot"),
    }
}

fn busy(why: &'static str) -> Given {
    let (retry_after_s, cause) = (Some(RETRY_AFTER_S), Cause::Exhausted);
    Given { retry_after_s, cause, reason: why.into(), ..Given::new(503, why) }
}
