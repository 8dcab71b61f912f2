//! One check: a GET to one backend, and what its answer means.
//!
//! Called by the probe threads. Blocks, never longer than the timeout. It follows no redirect and
//! uses no proxy, whatever the environment says: the question is how this one backend is.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use ureq::{Agent, Timeout};

use super::Settings;
use super::transport::{Connect, HEAD_MAX, Literal};
use crate::blame::Blame;
use crate::pool::{Backend, CheckOutcome, Statuses};
use crate::tls::Connector;

/// Most of an answer's body that is read. What is longer, or endless, is good up to here.
const BODY_MAX: u64 = 64 * 1024;

/// Asks backends how they are. One serves all threads.
pub(super) struct Prober {
    plain: Asker,
    /// One for each backend that speaks TLS, in the order of the pool.
    tls: Vec<Option<Asker>>,
    path: String,
    /// 404 and 405 count as up.
    is_path_a_guess: bool,
    expect: Option<Statuses>,
}

/// How to ask, in the clear or through TLS.
struct Asker {
    scheme: &'static str,
    agent: Agent,
    shares: Shares,
}

/// What a check brought to light.
#[derive(Debug)]
pub(super) enum Finding {
    /// The backend is well, or is not.
    Outcome(CheckOutcome),
    /// The backend answers with this status, for it does not know the default path. That is well
    /// enough.
    UnknownPath(u16, CheckOutcome),
    /// We ran out of something; nothing is known of the backend.
    OurLimit(io::Error),
}

impl Prober {
    pub(super) fn new(settings: &Settings) -> Self {
        let asker = |connector| Asker::new(settings.timeout, connector);
        Self {
            plain: asker(None),
            tls: settings.connectors.iter().map(|one| Some(asker(Some(one.clone()?)))).collect(),
            path: settings.path.clone(),
            is_path_a_guess: !settings.path_set && settings.expect.is_none(),
            expect: settings.expect.clone(),
        }
    }

    /// The path asked for.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Ends checks under way as failed, and all later ones at once. A connect is not interrupted.
    pub(super) fn cut_off(&self) {
        for asker in self.tls.iter().flatten().chain([&self.plain]) {
            asker.agent.clone().shutdown();
        }
    }

    /// Checks `backend`, which the pool has at `index`.
    pub(super) fn probe(&self, index: usize, backend: &Backend) -> Finding {
        let asker = self.tls.get(index).and_then(Option::as_ref).unwrap_or(&self.plain);
        let began = Instant::now();
        let answer = asker.ask(backend, &self.path);
        let took = began.elapsed();
        let outcome = |passed, seen| CheckOutcome { passed, seen, took };
        match answer {
            Ok(status) if self.is_healthy(status) => {
                Finding::Outcome(outcome(true, format!("status {status}")))
            }
            Ok(status @ (404 | 405)) if self.is_path_a_guess => {
                Finding::UnknownPath(status, outcome(true, format!("status {status}")))
            }
            Ok(status @ 300..400) => {
                Finding::Outcome(outcome(false, format!("status {status}, not followed")))
            }
            Ok(status) => Finding::Outcome(outcome(false, format!("status {status}"))),
            Err(ureq::Error::Io(error)) if Blame::of(&error).is_ours() => Finding::OurLimit(error),
            Err(error) => Finding::Outcome(outcome(false, asker.word(&error))),
        }
    }

    fn is_healthy(&self, status: u16) -> bool {
        match &self.expect {
            Some(expect) => expect.contains(status),
            None => (200..300).contains(&status),
        }
    }
}

impl Asker {
    fn new(timeout: Duration, connector: Option<Connector>) -> Self {
        let (scheme, shares) = match connector {
            Some(_) => ("https", Shares::of_tls(timeout)),
            None => ("http", Shares::of_plain(timeout)),
        };
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .input_buffer_size(HEAD_MAX)
            .output_buffer_size(HEAD_MAX)
            .max_response_header_size(HEAD_MAX)
            .user_agent(concat!("evenly-check/", env!("CARGO_PKG_VERSION")))
            // One a phase, so that a failed check says which was slow. With one for all of them,
            // ureq's own look-up would start a thread a check; [`Literal`] needs none.
            .timeout_connect(Some(shares.connect))
            .timeout_send_request(Some(shares.send))
            .timeout_recv_response(Some(shares.answer))
            .timeout_recv_body(Some(shares.body))
            .build();
        let agent = Agent::with_parts(config, Connect(connector), Literal);
        Self { scheme, agent, shares }
    }

    /// The status of a whole answer.
    fn ask(&self, backend: &Backend, path: &str) -> Result<u16, ureq::Error> {
        let Self { scheme, agent, .. } = self;
        let request = agent
            .get(format!("{scheme}://{}{path}", backend.address()))
            .header("Host", backend.authority())
            .header("Connection", "close");
        let answer = request.call()?;
        let status = answer.status().as_u16();
        // Whether TLS said the end of the body is all the same: nobody uses it.
        io::copy(&mut answer.into_body().into_reader().take(BODY_MAX), &mut io::sink())?;
        Ok(status)
    }

    /// `connect timed out after 375ms`, `Connection refused (os error 111)`
    fn word(&self, error: &ureq::Error) -> String {
        let (what, share) = match error {
            ureq::Error::Timeout(Timeout::Connect) => ("connect", self.shares.connect),
            ureq::Error::Timeout(Timeout::SendRequest) => ("sending", self.shares.send),
            ureq::Error::Timeout(Timeout::RecvResponse) => ("answer", self.shares.answer),
            ureq::Error::Timeout(Timeout::RecvBody) => ("answer's body", self.shares.body),
            ureq::Error::Io(error) => return error.to_string(),
            other => return other.to_string(),
        };
        format!("{what} timed out after {share:?}")
    }
}

/// The timeout, shared out between the phases of a check so that their sum is never more. The
/// longest share is for the one phase in which the application thinks.
struct Shares {
    connect: Duration,
    send: Duration,
    answer: Duration,
    body: Duration,
}

impl Shares {
    fn of_plain(timeout: Duration) -> Self {
        Self::in_sixteenths(timeout, [3, 1, 10, 2])
    }

    /// The handshake, with one more round trip or two, is a part of the connect.
    fn of_tls(timeout: Duration) -> Self {
        Self::in_sixteenths(timeout, [6, 1, 7, 2])
    }

    fn in_sixteenths(timeout: Duration, counts: [u32; 4]) -> Self {
        let [connect, send, answer, body] = counts.map(|count| timeout * count / 16);
        Self { connect, send, answer, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_add_up_to_the_timeout() {
        for timeout in [Duration::from_secs(2), Duration::from_millis(1)] {
            for Shares { connect, send, answer, body } in
                [Shares::of_plain(timeout), Shares::of_tls(timeout)]
            {
                assert_eq!(connect + send + answer + body, timeout);
            }
        }
    }
}
