//! An upgrade without a gap, from the side of the one who comes: it asks the process that started
//! it for what listens and for what is known, and says when it serves, or why it cannot.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::admin::ask::{Endpoint as At, Question};
use crate::admin::socket;
use crate::admin::{Bound, HANDED_MAX, Handover};
use crate::balancer::user::chosen;
use crate::balancer::{CannotStart, failed};
use crate::config::{Answers, Config};
use crate::engine::Listener;
use crate::pool::{
    Backend, CheckOutcome, Ejection, Inheritance, Mode, PastCheck, Pools, Secret, Shift, Status,
    Story,
};
use crate::relay::{Controls, PoolControls};

/// Where the predecessor answers. Not one of the names that the configuration reads.
pub(in crate::balancer) const PREDECESSOR: &str = "_EVENLY_PREDECESSOR";
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The longest answer: at most 5 KB for each backend, its past included, and usually a fifth of
/// that.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The process to succeed, and what it has handed over.
pub(in crate::balancer) struct Predecessor {
    pub(in crate::balancer) socket: PathBuf,
    /// When it had told all that it knows.
    asked: Instant,
    listeners: Vec<Listener>,
    facts: Value,
    /// Where among the backends of `facts` each of them is, by its name.
    places: HashMap<String, usize>,
}

/// What a successor is told: how each backend stands and stood, for how long requests are held, and
/// the secret that was `drawn` for sticky cookies.
pub(in crate::balancer) fn handover(
    sockets: Vec<OwnedFd>,
    controls: &Controls,
    drawn: Option<Secret>,
) -> Handover {
    let (pools, now) = (controls.pools(), controls.now());
    let backend = |(one, (status, story)): (&Backend, (Status, Story))| {
        let Ejection { count, until_ms } = one.ejection();
        let (name, mode) = (status.backend, status.mode.to_string());
        json!({
            "name": name, "host": one.host(), "address": status.address, "mode": mode,
            "is_up": status.is_up, "why": status.why,
            "ejection": { "count": count, "until_ms": until_ms },
            "shifts": story.shifts.iter().map(shift_told).collect::<Vec<_>>(),
            "checks": status.checks.iter().map(check_told).collect::<Vec<_>>(),
        })
    };
    let known = pools.statuses(now).zip(pools.stories(now));
    let backends: Vec<Value> = pools.backends().zip(known).map(backend).collect();
    let pause = |one: &PoolControls| {
        Some((one.pool().name().to_owned(), one.paused_for()?.as_millis() as u64))
    };
    let pauses: Vec<(String, u64)> = controls.each_pool().iter().filter_map(pause).collect();
    let drawn = drawn.map(Secret::bits);
    let epoch_us = monotonic().saturating_sub(controls.now()).as_micros() as u64;
    let facts = json!({
        "backends": backends, "pauses": pauses, "drawn": drawn, "epoch_us": epoch_us,
    });
    Handover { sockets, facts: facts.to_string() }
}

/// The machine's clock, which all its processes share, and that [`Instant`]s come from.
fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn shift_told(shift: &Shift) -> Value {
    let Shift { at, standing, reason } = shift;
    json!({ "at_us": at.as_micros() as u64, "standing": standing.to_string(), "reason": reason })
}

fn check_told(check: &PastCheck) -> Value {
    let PastCheck { at, outcome: CheckOutcome { took, passed, asks_drain, seen } } = check;
    let [at_us, took_us] = [at, took].map(|time| time.as_micros() as u64);
    json!({
        "at_us": at_us, "took_us": took_us, "passed": passed, "asks_drain": asks_drain, "seen": seen
    })
}

/// Takes the places of the endpoint for operators, named after the address where clients will be
/// served; they are those of the user that this process will be.
pub(in crate::balancer) fn bind(
    config: &Config,
    address: SocketAddr,
    predecessor: Option<&Predecessor>,
) -> Result<Bound, CannotStart> {
    let taken = predecessor.map(|before| before.socket.as_path());
    let bound = Bound::bind(config, address.port(), taken).map_err(CannotStart::System)?;
    let given = chosen(&config.server).map_or(Ok(()), |user| bound.give_to(user));
    given.map_err(failed("cannot give the admin socket to server.user"))?;
    Ok(bound)
}

/// Tells the process that started this one, if it is to be succeeded, why it will not be.
pub fn tell_predecessor(why: &str) {
    if let Some(socket) = named() {
        let (path, body) = ("/handover/failed", why.as_bytes());
        let _ = At::Socket(socket).ask(&Question { method: "POST", path, body, within: ANSWER });
    }
}

fn named() -> Option<PathBuf> {
    env::var_os(PREDECESSOR).filter(|it| *it != OsString::new()).map(PathBuf::from)
}

impl Predecessor {
    /// The one that started this process to be succeeded; none if another did.
    pub(in crate::balancer) fn find() -> Result<Option<Self>, CannotStart> {
        let Some(socket) = named() else { return Ok(None) };
        let asked = connect(&socket).and_then(|it| converse(it, "GET /handover HTTP/1.1\r\n"));
        let handed = asked.and_then(|(facts, sockets)| {
            let listeners = sockets.into_iter().map(Listener::of).collect::<Result<_, _>>()?;
            Ok((listeners, serde_json::from_str(&facts)?))
        });
        let failed = |error| {
            let at = socket.display();
            CannotStart::System(format!("nothing was handed over at {at}: {error}"))
        };
        let (listeners, facts): (_, Value) = handed.map_err(failed)?;
        let asked = Instant::now();
        let name = |(at, known): (usize, &Value)| Some((known["name"].as_str()?.to_owned(), at));
        let places = listed(&facts).iter().enumerate().filter_map(name).collect();
        Ok(Some(Self { socket, asked, listeners, facts, places }))
    }

    /// The socket that listens at `address`, if it has one.
    pub(in crate::balancer) fn listener(&mut self, address: SocketAddr) -> Option<Listener> {
        let is_it = |own: SocketAddr| match address.port() {
            0 => own.ip() == address.ip(),
            _ => own == address,
        };
        let place = self.listeners.iter().position(|listener| is_it(listener.address()))?;
        Some(self.listeners.swap_remove(place))
    }

    /// The zero of its clock, from which this process counts on: a time in the one is the same time
    /// in the other. One of an older version does not say; then this process begins anew.
    pub(in crate::balancer) fn epoch(&self) -> Instant {
        let age = time(&self.facts, "epoch_us").and_then(|zero| monotonic().checked_sub(zero));
        age.and_then(|age| Instant::now().checked_sub(age)).unwrap_or(self.asked)
    }

    /// Names lead where they led there too: one that does not resolve now, and one of whose
    /// addresses some were not told this time. Those go when the next answers are without them.
    pub(in crate::balancer) fn tell_names(&self, answers: &mut Answers) {
        let mut led: BTreeMap<(&str, u16), BTreeSet<SocketAddr>> = BTreeMap::new();
        for known in listed(&self.facts) {
            let [host, address] = ["host", "address"].map(|key| known[key].as_str());
            if let (Some(host), Some(Ok(address))) = (host, address.map(str::parse::<SocketAddr>)) {
                led.entry((host, address.port())).or_default().insert(address);
            }
        }
        for ((host, port), answer) in answers {
            if let Some(known) = led.get_mut(&(host.as_str(), *port)) {
                known.extend(answer.iter().flatten());
                *answer = Ok(known.iter().copied().collect());
            }
        }
    }

    /// Backends that it knows to be down begin as such here, and are checked before they are used.
    pub(in crate::balancer) fn tell_health(&self, config: &mut Config) {
        config.pools.iter_mut().for_each(|pool| self.tell_health(pool));
        if config.health.interval.is_none() {
            return;
        }
        for spec in &mut config.applications {
            if let Some(known) = self.backend(&spec.name, &spec.place()) {
                spec.alive = known["is_up"] == true;
            }
        }
    }

    /// What operators want of backends goes on, and so does where each stands: why, since when, and
    /// where it stood before. `epoch` is the zero of the pool's clock.
    pub(in crate::balancer) fn tell_standings(&self, pools: &Pools, epoch: Instant) {
        let began = self.asked.saturating_duration_since(epoch);
        for (place, backend) in pools.backends().enumerate() {
            let (pool, index) = pools.at(place);
            let of = |name| self.backend_named(name)?["mode"].as_str();
            let word = of(backend.name()).or_else(|| of(backend.application()));
            if let Some(Ok(mode @ (Mode::Drain | Mode::Maint))) = word.map(str::parse) {
                // By force: it was by force there, if it had to be.
                let _ = pool.set_mode(index, mode, true, epoch.elapsed());
            }
            let known = self.backend(backend.name(), &backend.place());
            pool.inherit(index, known.and_then(inheritance), began);
        }
    }

    /// The secret that it had drawn for sticky cookies, which go on to lead where they led.
    pub(in crate::balancer) fn drawn(&self) -> Option<Secret> {
        let half = |index: usize| self.facts["drawn"][index].as_u64();
        Some(Secret::drawn([half(0)?, half(1)?]))
    }

    /// The pools whose requests are held, and for how much longer.
    pub(in crate::balancer) fn pauses(&self) -> Vec<(String, Duration)> {
        let pause = |told: &Value| {
            let (name, left) = (told[0].as_str()?.to_owned(), told[1].as_u64()?);
            (left > 0).then(|| (name, Duration::from_millis(left)))
        };
        self.facts["pauses"].as_array().into_iter().flatten().filter_map(pause).collect()
    }

    /// Tells it that its work is done here. Its socket's place is taken meanwhile: who connects
    /// afterwards does not reach it any more. What its alerts have told.
    pub(in crate::balancer) fn release(
        &self,
        take: impl FnOnce() -> io::Result<()>,
    ) -> Result<Value, String> {
        let told = || {
            let line = connect(&self.socket)?;
            take()?;
            converse(line, "POST /handover/done HTTP/1.1\r\nX-Evenly: 1\r\nContent-Length: 0\r\n")
        };
        let (answer, _) = told().map_err(|error| error.to_string())?;
        // One of another version may say less.
        let facts: Value = serde_json::from_str(&answer).unwrap_or_default();
        Ok(facts["alerts"].clone())
    }

    fn backend(&self, name: &str, address: &str) -> Option<&Value> {
        self.backend_named(name).filter(|known| known["address"] == address)
    }

    fn backend_named(&self, name: &str) -> Option<&Value> {
        listed(&self.facts).get(*self.places.get(name)?)
    }
}

/// The backends that are told of.
fn listed(facts: &Value) -> &[Value] {
    facts["backends"].as_array().map_or(&[], Vec::as_slice)
}

/// What is told of one backend's past; none by an older version.
fn inheritance(told: &Value) -> Option<Inheritance> {
    let shift = |it: &Value| {
        let (at, reason) = (time(it, "at_us")?, it["reason"].as_str()?.into());
        Some(Shift { at, standing: it["standing"].as_str()?.parse().ok()?, reason })
    };
    let check = |it: &Value| {
        let (at, took) = (time(it, "at_us")?, time(it, "took_us")?);
        let outcome = CheckOutcome {
            took,
            passed: it["passed"] == true,
            asks_drain: it["asks_drain"] == true,
            seen: it["seen"].as_str()?.into(),
        };
        Some(PastCheck { at, outcome })
    };
    let ejection = &told["ejection"];
    Some(Inheritance {
        ejection: Ejection {
            count: ejection["count"].as_u64().unwrap_or_default() as u8,
            until_ms: ejection["until_ms"].as_u64().unwrap_or_default(),
        },
        why: told["why"].as_str()?.to_owned(),
        shifts: told["shifts"].as_array()?.iter().filter_map(shift).collect(),
        checks: told["checks"].as_array()?.iter().filter_map(check).collect(),
    })
}

fn time(told: &Value, name: &str) -> Option<Duration> {
    told[name].as_u64().map(Duration::from_micros)
}

fn connect(socket: &Path) -> io::Result<UnixStream> {
    // Which is how long a write may take there, too.
    socket::connect(socket, ANSWER).map(UnixStream::from)
}

/// One question, its answer within [`ANSWER`], and the descriptors that come with that.
fn converse(mut stream: UnixStream, question: &str) -> io::Result<(String, Vec<OwnedFd>)> {
    write!(stream, "{question}Host: localhost\r\nConnection: close\r\n\r\n")?;
    let (mut answer, mut sockets) = (Vec::new(), Vec::new());
    let mut piece = [0; 16 * 1024];
    let until = Instant::now() + ANSWER;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // No time at all would be none to the socket: a wait without end.
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(HANDED_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let into = &mut [IoSliceMut::new(&mut piece)];
        let bytes = recvmsg(&stream, into, &mut control, RecvFlags::CMSG_CLOEXEC)?.bytes;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(handed) = message {
                sockets.extend(handed);
            }
        }
        answer.extend_from_slice(&piece[..bytes]);
        if bytes == 0 || answer.len() > ANSWER_BYTES_MAX {
            break;
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(ErrorKind::UnexpectedEof)?;
    match head.starts_with("HTTP/1.1 200 ") {
        true => Ok((body.to_owned(), sockets)),
        false => Err(io::Error::other(body.trim().to_owned())),
    }
}
