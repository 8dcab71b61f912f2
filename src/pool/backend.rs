//! One backend: who it is, whether it may be used, how many use it, and what it has done.
//!
//! Owned by the pool, read by everyone, from any thread. All of it is atomic but the addresses,
//! which are read once a connection. Never decides for the pool: it does not know of its
//! neighbours.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::addresses::{Addresses, Found};
use super::health::Health;
use super::spec::{Spec, origin};
use super::{Mode, Standing};

/// What a backend has done since the start. Each number stands alone: read together they may be
/// a request apart.
#[derive(Debug, Default)]
pub struct Counters {
    /// Times it was picked, retries included.
    pub requests: AtomicU64,
    /// Tries that failed by its fault: no connection, no answer, a bad one, or a failing status.
    pub failures: AtomicU64,
    /// Times it was picked after another backend had failed the request.
    pub retries: AtomicU64,
    /// Answers that broke a rule and were mended. Kept by the proxy.
    pub repaired: AtomicU64,
    /// Answers by class: 1xx to 5xx.
    pub statuses: [AtomicU64; 5],
    /// Checks that passed.
    pub checks_passed: AtomicU64,
    /// Checks that failed.
    pub checks_failed: AtomicU64,
    /// Bytes sent to it. Kept by the proxy.
    pub bytes_up: AtomicU64,
    /// Bytes received from it. Kept by the proxy.
    pub bytes_down: AtomicU64,
}

/// The number of the next record.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// One backend of a pool.
pub struct Backend {
    number: u64,
    spec: Spec,
    origin: String,
    addresses: Addresses,
    pub(super) health: Health,
    /// A [`Mode`], as its discriminant.
    mode: AtomicU8,
    /// Where it stood when that was last told, as a [`Standing`]'s discriminant. Changed under the
    /// pool's `turn`.
    told: AtomicU8,
    /// When it came back from being down or out of service, in ms; 0 if it never did.
    back_ms: AtomicU64,
    in_use: AtomicU32,
    counters: Counters,
}

impl Backend {
    pub(super) fn new(spec: Spec, found: Found) -> Self {
        let is_up = spec.alive && found.is_ok();
        Self {
            number: NEXT.fetch_add(1, Relaxed),
            health: Health::new(spec.alive),
            told: AtomicU8::new(if is_up { Standing::Up } else { Standing::Down } as u8),
            origin: origin(&spec),
            spec,
            addresses: Addresses::new(found),
            mode: AtomicU8::new(Mode::Ready as u8),
            back_ms: AtomicU64::new(0),
            in_use: AtomicU32::new(0),
            counters: Counters::default(),
        }
    }

    /// That of its record: no other has it in this process, nor had it before.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its unique name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Address or host name as configured, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.spec.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.spec.port
    }

    /// Host and port as URLs and the Host field want them: [`Spec::authority`].
    pub fn authority(&self) -> String {
        self.spec.authority()
    }

    /// The port of its checks, if they have one of their own.
    pub fn health_port(&self) -> Option<u16> {
        self.spec.health_port
    }

    /// The name that its certificate must be for, if that is not its host.
    pub fn tls_name(&self) -> Option<&str> {
        self.spec.tls.as_ref()?.name.as_deref()
    }

    /// Share under a weighted policy.
    pub fn weight(&self) -> u32 {
        self.spec.weight
    }

    /// Used only when no other is usable.
    pub fn is_backup(&self) -> bool {
        self.spec.backup
    }

    /// Most requests at once; 0 is no limit.
    pub fn max_connections(&self) -> u32 {
        self.spec.max_connections
    }

    /// Where clients reach it themselves: scheme and authority, no path.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Where to connect, the one to ask first in front; or why there is no address.
    pub fn addresses(&self) -> Found {
        self.addresses.all()
    }

    /// True once its name has come to an address.
    pub fn is_found(&self) -> bool {
        self.addresses.any()
    }

    /// Where to connect next, when these have failed, and how many addresses are left with it.
    pub fn address_besides(&self, failed: &[SocketAddr]) -> Option<(SocketAddr, u32)> {
        self.addresses.besides(failed)
    }

    /// There was no connection at `address`: others are asked before it, and the name is looked up.
    pub fn avoid(&self, address: SocketAddr) {
        self.addresses.avoid(address);
    }

    /// Its addresses may be of yesterday.
    pub(super) fn doubt(&self) {
        self.addresses.doubt();
    }

    /// True once after they were doubted.
    pub fn take_doubt(&self) -> bool {
        self.addresses.take_doubt()
    }

    /// Takes in what its name came to; the address to ask first, if there was none before.
    pub(super) fn relocate(&self, found: Found) -> Option<SocketAddr> {
        let was_found = self.is_found();
        self.addresses.update(found);
        let first = self.address_besides(&[]).map(|(address, _)| address);
        first.filter(|_| !was_found)
    }

    /// What it has done. Add with `Relaxed`.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Requests it is busy with.
    pub fn in_use(&self) -> u32 {
        self.in_use.load(Relaxed)
    }

    /// What an operator wants of it.
    pub fn mode(&self) -> Mode {
        match self.mode.load(Relaxed) {
            mode if mode == Mode::Drain as u8 => Mode::Drain,
            mode if mode == Mode::Maint as u8 => Mode::Maint,
            _ => Mode::Ready,
        }
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u8, Relaxed);
    }

    /// Where it stands at `now`. An ejection ends by itself when its time is up.
    pub fn standing(&self, now: Duration) -> Standing {
        match self.mode() {
            Mode::Drain => Standing::Drain,
            Mode::Maint => Standing::Maint,
            Mode::Ready if !self.health.is_up() || !self.addresses.any() => Standing::Down,
            Mode::Ready if self.health.is_ejected(now) => Standing::Ejected,
            Mode::Ready => Standing::Up,
        }
    }

    /// Takes note that people are told where it stands; true if they were told otherwise before.
    pub(super) fn tell(&self, standing: Standing) -> bool {
        self.told.swap(standing as u8, Relaxed) != standing as u8
    }

    /// True if people take it for ejected still, though it is up: an ejection ends by itself.
    pub(super) fn is_back_untold(&self, now: Duration) -> bool {
        let is_told = self.told.load(Relaxed) == Standing::Ejected as u8;
        is_told && self.standing(now) == Standing::Up
    }

    /// True while checks speak against its state, too few to turn it yet.
    pub fn is_changing(&self) -> bool {
        self.health.is_changing()
    }

    /// It is up again from now on.
    pub(super) fn came_back(&self, now: Duration) {
        self.back_ms.store(now.as_millis() as u64, Relaxed);
    }

    /// When it last came back: a check or an operator said so, or an ejection ended. `None` if it
    /// was never away.
    pub(super) fn back_at(&self) -> Option<Duration> {
        let back = Duration::from_millis(self.back_ms.load(Relaxed));
        let back = back.max(self.health.last_ejection_ends());
        (!back.is_zero()).then_some(back)
    }

    /// True if every place under `max_connections` is taken.
    pub fn is_full(&self) -> bool {
        self.spec.max_connections != 0 && self.in_use() >= self.spec.max_connections
    }

    /// Takes a place, unless all are taken. Two threads never share the last one.
    pub(super) fn occupy(&self) -> bool {
        let places = match self.spec.max_connections {
            0 => u32::MAX,
            places => places,
        };
        let next = |taken| (taken < places).then_some(taken + 1);
        self.in_use.fetch_update(Relaxed, Relaxed, next).is_ok()
    }

    /// Gives a place back.
    pub(super) fn vacate(&self) {
        self.in_use.fetch_sub(1, Relaxed);
    }
}

impl Counters {
    /// Counts one answer in its class; a status outside 100 to 599 is in none.
    pub(super) fn answered(&self, status: u16) {
        let class = usize::from(status / 100).checked_sub(1);
        if let Some(count) = class.and_then(|class| self.statuses.get(class)) {
            count.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::health::Effect;
    use crate::pool::testing::{spec, together};
    use crate::pool::{CheckRules, PassiveRules, Trust};

    fn backend(max_connections: u32) -> Backend {
        let address = ([127, 0, 0, 1], 8001).into();
        Backend::new(Spec { max_connections, ..spec("a") }, Ok(vec![address]))
    }

    #[test]
    fn the_last_place_goes_to_one_thread() {
        let (backend, inside) = (backend(1), AtomicU32::new(0));
        together(4, |_| {
            for _ in 0..100_000 {
                if backend.occupy() {
                    assert_eq!(inside.fetch_add(1, Relaxed), 0, "two are inside");
                    inside.fetch_sub(1, Relaxed);
                    backend.vacate();
                }
            }
        });
        assert_eq!(backend.in_use(), 0);
    }

    #[test]
    fn it_is_full_when_each_place_is_taken_and_no_longer() {
        let backend = backend(2);
        assert!(backend.occupy() && !backend.is_full() && backend.occupy());
        assert!(backend.is_full() && !backend.occupy());
        backend.vacate();
        assert!(!backend.is_full() && backend.occupy());
    }

    #[test]
    fn no_limit_is_never_full() {
        let backend = backend(0);
        assert!((0..1000).all(|_| backend.occupy()));
        assert!(!backend.is_full());
    }

    #[test]
    fn the_mode_outranks_health_and_checks_outrank_ejection() {
        let (backend, now) = (backend(0), Duration::ZERO);
        let passive = PassiveRules { failures: 1, ..PassiveRules::default() };
        assert_eq!(backend.standing(now), Standing::Up);
        let effect = backend.health.failed(None, now, &passive);
        assert_eq!(effect, Effect::Eject { is_news: true });
        backend.health.eject(now, &passive);
        assert_eq!(backend.standing(now), Standing::Ejected);
        assert_eq!(backend.standing(now + passive.eject), Standing::Up);
        backend.health.checked(false, &CheckRules::default());
        assert_eq!(backend.standing(now), Standing::Down);
        backend.set_mode(Mode::Drain);
        assert_eq!(backend.standing(now), Standing::Drain);
        backend.set_mode(Mode::Maint);
        assert_eq!(backend.standing(now), Standing::Maint);
        backend.set_mode(Mode::Ready);
        assert_eq!(backend.standing(now), Standing::Down);
    }

    #[test]
    fn without_an_address_it_is_down_whatever_checks_say() {
        let backend = Backend::new(spec("a"), Err("a does not resolve".into()));
        assert_eq!(backend.standing(Duration::ZERO), Standing::Down);
        backend.relocate(Ok(vec![([127, 0, 0, 2], 8001).into()]));
        assert_eq!(backend.standing(Duration::ZERO), Standing::Up);
    }

    #[test]
    fn clients_reach_it_at_its_public_address_or_at_the_one_of_the_file() {
        let origin = |host: &str, public: Option<&str>| {
            let spec = Spec { host: host.into(), public: public.map(Into::into), ..spec("a") };
            Backend::new(spec, Err(String::new())).origin().to_owned()
        };
        assert_eq!(origin("10.0.0.1", None), "http://10.0.0.1:8001");
        assert_eq!(origin("::1", None), "http://[::1]:8001");
        assert_eq!(origin("api.test", None), "http://api.test:8001");
        assert_eq!(origin("10.0.0.1", Some("https://a.test")), "https://a.test");
    }

    #[test]
    fn clients_reach_one_that_speaks_tls_by_https_unless_its_public_address_says_otherwise() {
        let origin = |host: &str, public: Option<&str>| {
            let (host, public) = (host.into(), public.map(Into::into));
            let tls = Some(Trust {
                verify: true,
                ca: None,
                name: Some("b.test".into()),
                certificate: None,
                key: None,
            });
            let spec = Spec { host, public, tls, ..spec("a") };
            Backend::new(spec, Err(String::new())).origin().to_owned()
        };
        assert_eq!(origin("api.test", None), "https://api.test:8001");
        assert_eq!(origin("::1", None), "https://[::1]:8001");
        assert_eq!(origin("api.test", Some("http://a.test")), "http://a.test");
    }

    #[test]
    fn answers_are_counted_by_class() {
        let counters = Counters::default();
        for status in [0, 99, 100, 200, 204, 404, 599, 600, 999] {
            counters.answered(status);
        }
        let counts: Vec<u64> = counters.statuses.iter().map(|count| count.load(Relaxed)).collect();
        assert_eq!(counts, [1, 2, 0, 1, 1]);
    }
}
