//! What was decided for the last requests, for whoever asks why one of them went as it did.
//!
//! Each worker keeps its own, in a ring of fixed size: it writes one entry at the end of each
//! request, and nobody else is there but a person who asks. The lock is held to write an entry or
//! to look through a thousand of them, some microseconds; no decision is made by what is kept.
//!
//! A ring of this size is never in the cache when its next place is due: to wait for that memory
//! is most of what remembering costs. So the newest gather in a few places that stay in the cache,
//! and go to the ring together, which fetches their places at one time.

use crate::http::FirstLine;
use crate::log::Cause;
use crate::pool::{Fault, Outcome, Reason, Shards};
use crate::text::beginning;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many of its requests each worker remembers at least: 256 KB, and as much again where all went
/// wrong.
pub const TRACES_MAX: usize = 1000;
/// So many of them go to the ring together; 4 KB.
const FRESH_MAX: usize = 16;
/// Tries of one request that are told: the first ones, and the last.
pub const TRIES_TOLD_MAX: usize = 4;
/// Bytes of method and path that are kept.
const ASKED_BYTES_MAX: usize = 48;
/// Bytes of a host's name that are kept of one that went wrong.
const HOST_BYTES_MAX: usize = 63;
/// Bytes of the reason that are kept of it. The log has all.
const REASON_BYTES_MAX: usize = 120;
/// Bytes of an id that are kept. Ours have 32, a UUID has 36.
const ID_BYTES_MAX: usize = 36;

/// One request, and what was decided for it.
#[derive(Clone, Debug)]
pub struct Trace {
    /// When it came, on the pool's clock.
    pub begun: Duration,
    /// As in X-Request-Id; a long one is cut.
    pub id: Short<ID_BYTES_MAX>,
    /// Method and path, as far as there is room.
    pub asked: Short<ASKED_BYTES_MAX>,
    /// Whereto it was led, by the ledger's number.
    pub led: u16,
    /// The client, as far as it is known behind trusted proxies.
    pub client: IpAddr,
    /// As the client was told; 499 when it left before.
    pub status: u16,
    /// Why it ended.
    pub cause: Cause,
    /// More of what went wrong; none where it ended well.
    pub mishap: Option<Box<Mishap>>,
    /// A pause has kept it waiting.
    pub was_held: bool,
    /// How long it stood in line for a place at a backend.
    pub queued: Micros,
    /// Until the first byte of its answer; until its end if there was none.
    pub waited: Micros,
    /// Until its end.
    pub took: Micros,
    /// Where it has been.
    pub tries: Tried,
}

/// What is kept of a request that went wrong.
#[derive(Clone, Debug)]
pub struct Mishap {
    /// Why, in words, as far as there is room.
    pub reason: Box<str>,
    /// Whom it asked for, by Host or in the target; empty where it named none.
    pub host: Short<HOST_BYTES_MAX>,
}

/// A length of time in four bytes: to the microsecond below 35 minutes, else to the millisecond; a
/// tunnel may last for hours. After 24 days it is as long as it gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Micros(u32);

/// So many bytes at most of a text that somebody else may have chosen; 127 at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short<const N: usize> {
    /// With [`CUT`] where there was more.
    length: u8,
    bytes: [u8; N],
}

const CUT: u8 = 0x80;

/// Where a request has been.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    told: [Option<Try>; TRIES_TOLD_MAX],
    count: u16,
}

/// One backend that it was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try {
    /// The number of the backend's record.
    pub backend: u64,
    /// Why this one.
    pub reason: Reason,
    /// How long after the request had come.
    pub after: Micros,
    /// How long the backend had it.
    pub took: Micros,
    /// What came of it.
    pub end: TryEnd,
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryEnd {
    /// Nothing that was told.
    Open,
    /// It answered.
    Answered(u16),
    /// It failed.
    Failed(Fault),
    /// The client left, or the request was not for it after all.
    Abandoned,
}

/// The last traces of all workers.
#[derive(Debug, Default)]
pub(super) struct Traces(Shards<Ring>);

#[derive(Debug, Default)]
struct Ring(Mutex<Last>);

/// Those that a ring holds.
#[derive(Debug, Default)]
struct Last {
    /// The newest, which are not in the ring yet.
    fresh: Vec<Trace>,
    ring: Vec<Trace>,
    /// Where the next is written: over the oldest, once there are as many as may be.
    next: usize,
}

impl Traces {
    /// Remembers one, in place of the oldest of this worker.
    pub(super) fn keep(&self, trace: Trace) {
        self.0.own().lock().keep(trace);
    }

    /// Those of this id, as far as it is kept; a client may have used one twice.
    pub(super) fn of(&self, id: &str) -> Vec<Trace> {
        let id = Short::<ID_BYTES_MAX>::from(id.as_bytes());
        self.newest(TRACES_MAX, |one| one.id.kept() == id.kept())
    }

    /// The last ones of all that are wanted, the newest first.
    pub(super) fn newest(&self, most: usize, wanted: impl Fn(&Trace) -> bool) -> Vec<Trace> {
        let mut found = Vec::new();
        for ring in self.0.all() {
            let ring = ring.lock();
            found.extend(ring.newest_first().filter(|one| wanted(one)).take(most).cloned());
        }
        found.sort_by_key(|one| std::cmp::Reverse(one.begun));
        found.truncate(most);
        found
    }
}

impl Ring {
    fn lock(&self) -> MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Last {
    fn keep(&mut self, trace: Trace) {
        self.fresh.push(trace);
        if self.fresh.len() < FRESH_MAX {
            return;
        }
        for trace in self.fresh.drain(..) {
            match self.ring.get_mut(self.next) {
                Some(oldest) => *oldest = trace,
                None => self.ring.push(trace),
            }
            self.next = (self.next + 1) % TRACES_MAX;
        }
    }

    fn newest_first(&self) -> impl Iterator<Item = &Trace> {
        let (new, old) = self.ring.split_at(self.next);
        [old, new, &self.fresh].into_iter().flatten().rev()
    }
}

impl Tried {
    /// It was given to one more.
    pub(super) fn begin(&mut self, backend: u64, reason: Reason, after: Duration) {
        let (after, took) = (after.into(), Micros::default());
        let at = usize::from(self.count).min(TRIES_TOLD_MAX - 1);
        self.told[at] = Some(Try { backend, reason, after, took, end: TryEnd::Open });
        self.count = self.count.saturating_add(1);
    }

    /// That one has done with it, so long after the request had come.
    pub(super) fn end(&mut self, backend: u64, outcome: &Outcome, after: Duration) {
        let is_it = |one: &&mut Try| one.backend == backend && one.end == TryEnd::Open;
        if let Some(found) = self.told.iter_mut().flatten().find(is_it) {
            found.took = after.saturating_sub(found.after.time()).into();
            found.end = match *outcome {
                Outcome::Answered { status, .. } => TryEnd::Answered(status),
                Outcome::Failed(fault) => TryEnd::Failed(fault),
                // No request is merely connected.
                Outcome::Connected { .. } | Outcome::Abandoned => TryEnd::Abandoned,
            };
        }
    }

    /// In their order; and how many were left out before the last.
    pub fn told(&self) -> (impl Iterator<Item = &Try>, usize) {
        (self.told.iter().flatten(), usize::from(self.count).saturating_sub(TRIES_TOLD_MAX))
    }
}

impl Micros {
    /// Set where the other bits count milliseconds.
    const MILLIS: u32 = 1 << 31;

    /// The time that it is.
    pub fn time(self) -> Duration {
        match self.0 & Self::MILLIS {
            0 => Duration::from_micros(self.0.into()),
            _ => Duration::from_millis((self.0 & !Self::MILLIS).into()),
        }
    }
}

impl From<Duration> for Micros {
    fn from(time: Duration) -> Self {
        match u32::try_from(time.as_micros()) {
            Ok(micros) if micros < Self::MILLIS => Self(micros),
            _ => Self(time.as_millis().min(Self::MILLIS as u128 - 1) as u32 | Self::MILLIS),
        }
    }
}

impl<const N: usize> From<&[u8]> for Short<N> {
    fn from(text: &[u8]) -> Self {
        let (length, mut bytes) = (text.len().min(N), [0; N]);
        bytes[..length].copy_from_slice(&text[..length]);
        let cut = if text.len() > N { CUT } else { 0 };
        Self { length: length as u8 | cut, bytes }
    }
}

impl Short<ASKED_BYTES_MAX> {
    /// What was asked for by a head that is refused, as far as it can be told.
    pub(super) fn asked(first: &FirstLine<'_>) -> Self {
        let parts =
            [first.method, first.target].map(|part| &part[..part.len().min(ASKED_BYTES_MAX)]);
        let gap: &[u8] = if first.method.is_empty() { b"" } else { b" " };
        Self::until(&[parts[0], gap, parts[1]].concat(), b'?')
    }
}

impl Mishap {
    pub(super) fn of(reason: &str, host: &[u8]) -> Box<Self> {
        let reason = beginning(reason, REASON_BYTES_MAX).into();
        Box::new(Self { reason, host: Short::from(host) })
    }
}

impl<const N: usize> Short<N> {
    /// What stands before the first `end`, as far as there is room: no further is it looked for.
    pub(super) fn until(text: &[u8], end: u8) -> Self {
        let start = &text[..text.len().min(N + 1)];
        Self::from(start.split(|byte| *byte == end).next().unwrap_or(start))
    }

    /// With whatever is no text shown as such.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.kept()).into_owned()
    }

    /// True if there was more of it.
    pub fn is_cut(&self) -> bool {
        self.length & CUT != 0
    }

    fn kept(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length & !CUT)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn trace(id: &str, begun_ms: u64) -> Trace {
        Trace {
            begun: Duration::from_millis(begun_ms),
            id: Short::from(id.as_bytes()),
            asked: Short::from(&b"GET /"[..]),
            led: 0,
            client: Ipv4Addr::LOCALHOST.into(),
            status: 200,
            cause: Cause::Done,
            mishap: None,
            was_held: false,
            queued: Micros::default(),
            waited: Micros::default(),
            took: Micros::default(),
            tries: Tried::default(),
        }
    }

    #[test]
    fn sixteen_workers_remember_within_four_megabytes() {
        let all = |each: usize| each * (TRACES_MAX + FRESH_MAX) * 16;
        let mishap = size_of::<Mishap>() + REASON_BYTES_MAX;
        assert!(all(size_of::<Trace>()) <= 4 << 20, "{}", size_of::<Trace>());
        assert!(all(mishap) <= 4 << 20, "as much again where all went wrong: {mishap}");
    }

    #[test]
    fn of_a_head_that_is_refused_what_can_be_told_is_kept_without_its_query() {
        let asked = |head: &str| Short::asked(&FirstLine::of(head.as_bytes())).text();
        let heads = ["GET /a?b HTTP/1.1\r\nX", "GET /a b HTTP/1.1\r\n", "\u{16}\u{3} x?y", ""];
        assert_eq!(heads.map(asked), ["GET /a", "GET /a b", "\u{16}\u{3} x", ""]);
        assert_eq!(asked(&format!("GET /{} HTTP/1.1", "a".repeat(900))).len(), ASKED_BYTES_MAX);
    }

    #[test]
    fn the_last_thousand_are_found_by_their_id_and_the_newest_come_first() {
        let traces = Traces::default();
        (0..1500).for_each(|n| traces.keep(trace(&format!("id-{n}"), n)));
        traces.keep(trace("id-700", 9000));
        let begun = |id| traces.of(id).iter().map(|one| one.begun.as_millis()).collect::<Vec<_>>();
        assert_eq!((begun("id-400"), begun("id-501")), (vec![], vec![501]));
        assert_eq!(begun("id-700"), [9000, 700]);
        let last = traces.newest(2, |one| one.begun < Duration::from_secs(9));
        assert_eq!(
            last.iter().map(|one| one.id.text()).collect::<Vec<_>>(),
            ["id-1499", "id-1498"]
        );
    }

    #[test]
    fn each_is_seen_at_once_and_until_a_thousand_have_followed() {
        let traces = Traces::default();
        for n in 0..3 * TRACES_MAX {
            traces.keep(trace("", n as u64));
            let seen = traces.newest(usize::MAX, |_| true);
            assert!(seen.len() >= TRACES_MAX.min(n + 1) && seen.len() < TRACES_MAX + FRESH_MAX);
            let newest_first = (0..=n).rev().map(|n| Duration::from_millis(n as u64));
            assert!(seen.iter().map(|one| one.begun).eq(newest_first.take(seen.len())));
        }
    }

    #[test]
    fn a_long_id_is_found_by_its_beginning_and_by_all_of_it() {
        let (traces, long) = (Traces::default(), "x".repeat(100));
        traces.keep(trace(&long, 1));
        assert_eq!(traces.of(&long).len(), 1);
        assert!(traces.of(&long)[0].id.is_cut() && traces.of("x").is_empty());
    }

    #[test]
    fn what_is_asked_for_is_kept_without_its_query() {
        let kept = |text: &str| Short::<10>::until(text.as_bytes(), b'?').text();
        assert_eq!(
            ["GET /a?b?c", "GET /a", "GET /?", ""].map(kept),
            ["GET /a", "GET /a", "GET /", ""]
        );
        assert_eq!(kept("GET /aaaaaaaaaaa?b"), "GET /aaaaa");
    }

    #[test]
    fn a_long_tunnel_is_told_with_its_whole_length() {
        let kept = |time: Duration| Micros::from(time).time();
        let (us, ms, day) = (Duration::from_micros, Duration::from_millis, 24 * 3600);
        for time in [us(0), us(7), us((1 << 31) - 1), ms(36 * 60_000 + 1), ms(20 * 1000 * day)] {
            assert_eq!(kept(time), time);
        }
        assert_eq!(kept(us(1 << 31)), ms(2_147_483));
        assert_eq!(kept(Duration::MAX), ms((1 << 31) - 1));
    }

    #[test]
    fn of_many_tries_the_first_are_told_and_the_last() {
        let (mut tried, ms) = (Tried::default(), Duration::from_millis);
        for backend in 1..=6 {
            tried.begin(backend, Reason::Retry, ms(backend * 10));
            tried.end(backend, &Outcome::Failed(Fault::Connect), ms(backend * 10 + 4));
        }
        let (told, left_out) = tried.told();
        let told: Vec<_> = told.map(|one| (one.backend, one.took.time(), one.end)).collect();
        let failed = |backend| (backend, ms(4), TryEnd::Failed(Fault::Connect));
        assert_eq!((told, left_out), ([1, 2, 3, 6].map(failed).to_vec(), 2));
    }
}
