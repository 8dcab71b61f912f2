//! One backend of a pool: what the file says of it, and the [`Record`] of what is known of it.
//!
//! Owned by the pool, read by everyone, from any thread. The pool goes with the next change of the
//! file, the record stays. Never decides for the pool: it does not know of its neighbours.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::policy::Memory;
use super::record::Record;
use super::spec::{Found, Spec, origin};
use super::tally::Tally;
use super::{Counts, Ejection, End, Mode, Standing};
use crate::preface::Version;

/// One backend of a pool. Small, so that a pick which looks at many finds the next one near; what
/// it asks of the file stands beside the record.
pub struct Backend {
    pub(super) record: Arc<Record>,
    max_connections: u32,
    weight: u32,
    /// How often it had moved when it came to where this file has it.
    moves: u32,
    is_backup: bool,
    file: Box<File>,
}

/// What the file says.
struct File {
    spec: Spec,
    origin: String,
    address: Found,
}

impl Backend {
    /// One that nothing is known of yet.
    pub(super) fn new(spec: Spec, now: Duration) -> Self {
        let record = Record::new(spec.alive, spec.address().is_ok(), now);
        Self::of(spec, Arc::new(record))
    }

    /// The same backend as the next file has it, with its record.
    pub(super) fn followed_by(&self, spec: Spec, now: Duration) -> Self {
        let (record, is_found) = (Arc::clone(&self.record), spec.address().is_ok());
        match self.is_at(&spec) {
            true => record.stay(spec.alive, now),
            false => record.move_to(spec.alive, is_found, now),
        }
        Self::of(spec, record)
    }

    fn of(spec: Spec, record: Arc<Record>) -> Self {
        let Spec { max_connections, weight, backup: is_backup, .. } = spec;
        let (moves, origin, address) = (record.moves(), origin(&spec), spec.address());
        Self {
            record,
            max_connections,
            weight,
            moves,
            is_backup,
            file: Box::new(File { spec, origin, address }),
        }
    }

    /// What the policy remembers of it.
    pub(super) fn memory(&self) -> &Memory {
        &self.record.memory
    }

    /// As the file has it.
    pub(super) fn spec(&self) -> &Spec {
        &self.file.spec
    }

    /// True if that is where it is.
    pub fn is_at(&self, spec: &Spec) -> bool {
        self.file.spec.is_at(spec)
    }

    /// True unless a newer file has it at another host or port.
    pub(super) fn is_current(&self) -> bool {
        self.moves == self.record.moves()
    }

    /// True if both are one backend at one place, in whatever files.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.record, &other.record) && self.moves == other.moves
    }

    /// Checks call it up, or the file while none has spoken; whatever an operator wants of it.
    pub fn is_called_up(&self) -> bool {
        self.record.health.is_up()
    }

    /// That of its record: no other has it in this process, nor had it before.
    pub fn number(&self) -> u64 {
        self.record.number()
    }

    /// Its unique name.
    pub fn name(&self) -> &str {
        &self.file.spec.name
    }

    /// Address or host name as configured, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.file.spec.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.file.spec.port
    }

    /// Host and port as URLs and the Host field want them: [`Spec::authority`].
    pub fn authority(&self) -> String {
        self.file.spec.authority()
    }

    /// The port of its checks, if they have one of their own.
    pub fn health_port(&self) -> Option<u16> {
        self.file.spec.health_port
    }

    /// The name that its certificate must be for, if that is not its host.
    pub fn tls_name(&self) -> Option<&str> {
        self.file.spec.tls.as_ref()?.name.as_deref()
    }

    /// How each connection to it begins, if with the PROXY protocol.
    pub fn preface(&self) -> Option<Version> {
        self.file.spec.preface
    }

    /// Share under a weighted policy.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Used only when no other is usable.
    pub fn is_backup(&self) -> bool {
        self.is_backup
    }

    /// Most requests at once; 0 is no limit.
    pub fn max_connections(&self) -> u32 {
        self.max_connections
    }

    /// Where clients reach it themselves: scheme and authority, no path.
    pub fn origin(&self) -> &str {
        &self.file.origin
    }

    /// Where to connect; or why there is no address.
    pub fn address(&self) -> Result<SocketAddr, &str> {
        self.file.address.as_ref().copied().map_err(String::as_str)
    }

    /// Where it is, for people: [`Spec::place`].
    pub fn place(&self) -> String {
        self.file.spec.place()
    }

    /// Its name without the address: [`Spec::application`].
    pub fn application(&self) -> &str {
        self.file.spec.application()
    }

    /// Its address may be of yesterday: it failed there.
    pub fn doubt(&self) {
        self.record.doubted.store(true, Relaxed);
    }

    /// True once after it was doubted.
    pub fn take_doubt(&self) -> bool {
        let doubted = &self.record.doubted;
        doubted.load(Relaxed) && doubted.swap(false, Relaxed)
    }

    /// What it has done.
    pub fn counts(&self) -> Counts {
        self.record.counts()
    }

    /// A request has ended here.
    pub fn count_end(&self, end: &End) {
        self.tally().ended(end);
    }

    /// So many more bytes have gone each way on a connection that is passed on unread.
    pub fn count_carried(&self, bytes_up: u64, bytes_down: u64) {
        self.tally().carried(bytes_up, bytes_down);
    }

    /// An answer of it broke a rule and was mended.
    pub fn count_repaired(&self) {
        self.tally().repaired.fetch_add(1, Relaxed);
    }

    /// What the calling thread counts of it.
    pub(super) fn tally(&self) -> &Tally {
        self.record.tallies.own()
    }

    /// Requests it is busy with.
    pub fn in_use(&self) -> u32 {
        self.record.in_use()
    }

    /// What an operator wants of it.
    pub fn mode(&self) -> Mode {
        self.record.wish.mode()
    }

    /// The last time that it was taken out for a while.
    pub fn ejection(&self) -> Ejection {
        self.record.health.ejection()
    }

    /// Where it stands at `now`. An ejection ends by itself when its time is up.
    pub fn standing(&self, now: Duration) -> Standing {
        self.record.standing(now)
    }

    /// True while checks speak against its state, too few to turn it yet.
    pub fn is_changing(&self) -> bool {
        self.record.health.is_changing()
    }

    /// True once it has been in maintenance for so long that whatever is in flight there is to end.
    pub fn is_cut(&self) -> bool {
        self.record.wish.is_cut()
    }

    /// True if every place under `max_connections` is taken.
    pub fn is_full(&self) -> bool {
        self.max_connections != 0 && self.in_use() >= self.max_connections
    }

    /// Takes a place, unless all are taken. Two threads never share the last one.
    pub(super) fn occupy(&self) -> bool {
        self.record.occupy(self.max_connections)
    }

    /// Gives a place back.
    pub(super) fn vacate(&self) {
        self.record.vacate();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;
    use crate::pool::health::Effect;
    use crate::pool::testing::{spec, together};
    use crate::pool::{CheckRules, PassiveRules, Trust};

    const NOW: Duration = Duration::ZERO;

    fn backend(max_connections: u32) -> Backend {
        Backend::new(Spec { max_connections, ..spec("a") }, NOW)
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
        let effect = backend.record.health.failed(None, now, &passive);
        assert_eq!(effect, Effect::Eject { is_news: true });
        backend.record.health.eject(now, &passive);
        assert_eq!(backend.standing(now), Standing::Ejected);
        assert_eq!(backend.standing(now + passive.eject), Standing::Up);
        backend.record.health.checked(false, &CheckRules::default());
        assert_eq!(backend.standing(now), Standing::Down);
        backend.record.wish.set_mode(Mode::Drain);
        assert_eq!(backend.standing(now), Standing::Drain);
        backend.record.wish.set_mode(Mode::Maint);
        assert_eq!(backend.standing(now), Standing::Maint);
        backend.record.wish.set_mode(Mode::Ready);
        assert_eq!(backend.standing(now), Standing::Down);
    }

    #[test]
    fn a_failure_is_cause_for_doubt_once() {
        let backend = backend(0);
        assert!(!backend.take_doubt());
        backend.doubt();
        assert!(backend.take_doubt() && !backend.take_doubt());
    }

    #[test]
    fn without_an_address_it_is_down_whatever_checks_say() {
        let nowhere = Spec { found: Some(Err("a does not resolve".into())), ..spec("a") };
        let backend = Backend::new(nowhere, NOW);
        assert_eq!(backend.standing(NOW), Standing::Down);
        let found = Spec { found: Some(Ok(([127, 0, 0, 2], 8001).into())), ..spec("a") };
        assert_eq!(backend.followed_by(found, NOW).standing(NOW), Standing::Up);
    }

    #[test]
    fn clients_reach_it_at_its_public_address_or_at_the_one_of_the_file() {
        let origin = |host: &str, public: Option<&str>| {
            let spec = Spec { host: host.into(), public: public.map(Into::into), ..spec("a") };
            Backend::new(spec, NOW).origin().to_owned()
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
            Backend::new(spec, NOW).origin().to_owned()
        };
        assert_eq!(origin("api.test", None), "https://api.test:8001");
        assert_eq!(origin("::1", None), "https://[::1]:8001");
        assert_eq!(origin("api.test", Some("http://a.test")), "http://a.test");
    }
}
