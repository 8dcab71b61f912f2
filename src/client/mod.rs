//! A client that fails over by itself: the pool, the policies, the checks and the retry rules of
//! the balancer, inside a program that balances its own calls. No proxy stands between.
//!
//! ```
//! use evenly::client::Client;
//! use evenly::lab::backend::{Demo, DemoOptions};
//!
//! // Two demo APIs; yours are in applications.toml: `Client::from_file("applications.toml")`.
//! let listen = "127.0.0.1:0".parse()?;
//! let demo = Demo::start(&DemoOptions { listen, instances: 2, ..DemoOptions::default() })?;
//! let apis = demo.addresses();
//!
//! demo.flip(0); // the first is ill
//! let client = Client::builder()
//!     .backend("first", apis[0])
//!     .backend("second", apis[1])
//!     .build()?;
//! let answer = client.get("/")?;
//! assert_eq!((answer.status(), answer.backend()), (200, "second"));
//! assert_eq!(answer.text(), r#"{"Result":true,"Message":"This is API: API02"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It blocks, each wait has a deadline, and any number of threads may share one. What it learns
//! stays: a backend that is down is not asked again at each call. Two threads of its own check the
//! backends and look their names up; they end when it is dropped.
//!
//! Each try has a connection of its own. One that is kept may have been closed by the other side
//! while the request was under way, and then a POST is lost: nobody knows whether it was heard.

mod builder;
mod call;
mod error;
mod named;
mod request;
mod response;
mod vigil;
mod wire;

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::config::{Config, Overrides, Timeouts};
use crate::http::HeadLimits;
use crate::pool::{Ask, Course, Lease, Pool, Standing, Unavailable, chance};
use crate::tls::Tls;
use crate::watch::{Watch, Watched};
use call::Call;
use named::Named;
use vigil::Vigil;

pub use crate::pool::GaveUp;
pub use builder::Builder;
pub use error::{Error, Skipped};
pub use request::Request;
pub use response::Response;

/// How long a call may take, unless [`Client::with_timeout`] says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The longest answer, unless [`Client::with_body_limit`] says otherwise.
const BODY_BYTES_MAX: usize = 64 << 20;
/// The longest that anything may be told to wait: what is added to the clock must not run over.
const WAIT_MAX: Duration = Duration::from_secs(366 * 86_400);
/// How much longer than one check the first round may take.
const FIRST_ROUND_MARGIN: Duration = Duration::from_millis(500);

/// A client of several backends that serve the same. Shared by reference or in an `Arc`.
pub struct Client {
    /// Holds the pool, and how each backend is reached: both change with where names lead.
    watch: Watch,
    vigil: Arc<Vigil>,
    terms: Terms,
    /// Where the pool's `now` counts from.
    epoch: Instant,
    seed: u64,
    /// Picks so far.
    picks: AtomicU64,
}

/// What a call may take.
struct Terms {
    timeouts: Timeouts,
    head: HeadLimits,
    /// How long a call whose backends are merely all full may wait for a place.
    queue: Duration,
    timeout: Duration,
    wait: Duration,
    body_bytes_max: usize,
}

/// What happens during a call, for those who want its story.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// This backend is not picked for it is down, ejected, full or the like. Told once a call, or
    /// again if the reason is another.
    Skipped(Skipped),
    /// The request goes to the backend of this name.
    Using(String),
    /// It failed there.
    Failed(Skipped),
    /// Nobody is left: another look within the time that is left of the wait.
    Waiting(Duration),
}

impl Client {
    /// A client of the applications in a configuration file. `[balance] policy` is `first-alive`
    /// unless the file says otherwise: the order of the file is the order of preference. Variables
    /// of the environment count for the `evenly` command only.
    ///
    /// # Errors
    /// As [`Client::new`]; also [`Error::Config`] with every mistake in the file and a remedy.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let config = Config::for_client().load_onto(path.as_ref(), &Overrides::default());
        Self::new(&config.map_err(Error::Config)?)
    }

    /// A client of backends that are named in code.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A client of the applications of `config`; [`Config::for_client`] is where to start from.
    ///
    /// Blocks until every backend was checked once, at most for `[health] timeout` and half a
    /// second. A name that does not resolve is no error: that backend is skipped, and looked up
    /// until it does.
    ///
    /// # Errors
    /// [`Error::Config`] if there are several pools (see [`Config::only`]), a file of `tls_ca`,
    /// `tls_certificate` or `tls_key` will not do, or an application has a `proxy_protocol`, which
    /// is for balancers, and [`Error::System`] if the threads for the checks cannot be had.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let config = &config.clone().only(None).map_err(Error::Config)?;
        let tls = Tls::for_client(config).map_err(Error::Config)?;
        named::refuse_prefaces(config).map_err(Error::Config)?;
        let vigil = Arc::new(Vigil::new(config.health.interval));
        let (epoch, heard) = (Instant::now(), Arc::clone(&vigil));
        let named = Named::new(config.clone(), tls, Arc::clone(&vigil), epoch);
        let (first, respread) = (
            named.first(),
            Box::new(move |before: &Watched, answers: &_| {
                Some(named.next(&before.first().pool, answers))
            }),
        );
        let watch = Watch::start(first, epoch, respread, move |event| heard.hear(event));
        let watch = watch.map_err(Error::System)?;
        watch.first_round(config.health.timeout + FIRST_ROUND_MARGIN);
        let terms = Terms {
            timeouts: config.timeouts.clone(),
            head: config.limits.head(),
            queue: config.queue.timeout,
            timeout: TIMEOUT,
            wait: Duration::ZERO,
            body_bytes_max: BODY_BYTES_MAX,
        };
        let seed = RandomState::new().hash_one(0);
        let picks = AtomicU64::new(0);
        Ok(Self { watch, vigil, terms, epoch, seed, picks })
    }

    /// When nobody is left, do not fail at once: keep checking, with growing pauses, until somebody
    /// is well again or `wait` is over. Zero, the default, fails at once.
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.terms.wait = wait.min(WAIT_MAX);
        self
    }

    /// The longest that a call may take from when a backend can be had, all tries together; 60 s by
    /// default. Within it `[timeouts]` connect, handshake, response and stream_idle hold for each
    /// try.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.terms.timeout = timeout.min(WAIT_MAX);
        self
    }

    /// The longest body of an answer, in bytes: it is held in memory. 64 MiB by default.
    #[must_use]
    pub fn with_body_limit(mut self, bytes: usize) -> Self {
        self.terms.body_bytes_max = bytes;
        self
    }

    /// Gets `path`, which starts with a slash and may have a query.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn get(&self, path: &str) -> Result<Response, Error> {
        self.send(&Request::new("GET", path))
    }

    /// Sends a request of any method.
    ///
    /// ```no_run
    /// # let client = evenly::client::Client::from_file("applications.toml")?;
    /// let headers = [("Content-Type", "application/json")];
    /// let answer = client.request("POST", "/orders", &headers, br#"{"id": 7}"#)?;
    /// # Ok::<(), evenly::client::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response, Error> {
        let request = Request::new(method, path).body(body);
        let with = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
        self.send(&headers.iter().fold(request, with))
    }

    /// Sends a request to a backend that is well, and to the next where that one fails, by the
    /// rules of `[retry]`: GET, HEAD, OPTIONS, PUT and DELETE may be sent again, any other method
    /// only if no byte of it was sent. So a POST is never sent twice.
    ///
    /// Whatever status the backend answers with, it is an answer. Redirects are not followed. One
    /// that breaks the rules of HTTP is an error, and no other backend is asked: it would say the
    /// same.
    ///
    /// `[passive]` believes each failure, whatever `clients` says: this program chose its requests
    /// itself, and nobody else's depend on it.
    ///
    /// # Errors
    /// The variants of [`Error`] say when.
    pub fn send(&self, request: &Request) -> Result<Response, Error> {
        self.send_told(request, &mut |_| {})
    }

    /// The same, and `tell` hears of each step on the way, in the caller's thread.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send_told(
        &self,
        request: &Request,
        tell: &mut dyn FnMut(Step),
    ) -> Result<Response, Error> {
        let idempotent = request.check(&self.terms.head).map_err(Error::Request)?;
        Call::new(self, request, idempotent, tell).run()
    }

    /// The names of the backends that are up now, in the order of the file.
    pub fn usable(&self) -> Vec<String> {
        let now = self.now();
        let watched = self.watch.current();
        let up =
            watched.first().pool.backends().iter().filter(|one| one.standing(now) == Standing::Up);
        up.map(|backend| backend.name().to_owned()).collect()
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn pick(
        &self,
        pool: &Arc<Pool>,
        course: &mut Course,
        key: Option<u64>,
    ) -> Result<Lease, Unavailable> {
        let chance = chance::scramble(self.seed ^ self.picks.fetch_add(1, Relaxed));
        course.pick(pool, &Ask { now: self.now(), chance, key, ..Ask::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_threads_end_with_it() {
        // Whether anybody listens there is all the same: a check is made.
        let client = Client::builder().backend("a", "127.0.0.1:9").build().unwrap();
        let held = Arc::downgrade(&client.vigil);
        drop(client);
        let deadline = Instant::now() + Duration::from_secs(30);
        while held.upgrade().is_some() {
            assert!(Instant::now() < deadline, "a thread still runs");
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    #[test]
    fn threads_may_share_it_and_send_what_it_returns() {
        fn assert_shared<T: Send + Sync>() {}
        assert_shared::<Client>();
        assert_shared::<Response>();
        assert_shared::<Error>();
    }
}
