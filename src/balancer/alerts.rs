//! Whoever is told what happens, as the balancer starts, feeds and ends it: `notify` knows no pool,
//! and is shown how all stands from here. In a build without alerts, `untold.rs` is in its place.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::config::{Config, Errors};
use crate::event::Teller;
use crate::notify::scene::{Scene, Sight, SightCheck};
#[cfg(feature = "admin")]
use crate::notify::{AlertStatus, Handed, Open};
use crate::notify::{Hearing, Notify, Ways, words};
use crate::pool::{PastCheck, Standing, Status};
use crate::relay::Controls;
#[cfg(feature = "admin")]
use serde_json::{Value, json};

/// Where the kernel says what the machine is called.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Those that are told.
pub(super) struct Alerts(Arc<Notify>);

/// The same before they are: their secrets and authorities are read.
pub(super) struct Prepared(Ways);

/// What is heard until they start.
pub(super) struct Heard(Hearing);

impl Prepared {
    pub(super) fn of(config: &Config) -> Result<Self, Errors> {
        crate::notify::open(config).map(Self)
    }

    /// `inherits` says that a process before this one has told who is out.
    pub(super) fn start(
        self,
        heard: Heard,
        controls: Controls,
        teller: &Teller,
        inherits: bool,
    ) -> io::Result<Alerts> {
        let author = author(&controls.address().to_string());
        let scene = Arc::new(View(controls));
        Notify::start(self.0, heard.0, scene, author, teller.clone(), inherits).map(Alerts)
    }
}

impl Heard {
    pub(super) fn begin(teller: &Teller) -> Self {
        Self(Hearing::begin(teller))
    }
}

impl Alerts {
    pub(super) fn follow(&self, prepared: Prepared) -> io::Result<()> {
        self.0.follow(prepared.0)
    }

    #[cfg(feature = "admin")]
    pub(super) fn status(&self) -> Vec<AlertStatus> {
        self.0.status()
    }

    /// Tells no more from now on: what the one who does is to know.
    #[cfg(feature = "admin")]
    pub(super) fn hand_over(&self) -> Value {
        let out = |(name, since): &(String, SystemTime)| json!([name, ms_of(*since)]);
        let open = |Open { key, began, none_up, out: all }: Open| {
            let all: Value = all.iter().map(out).collect();
            json!({ "key": key, "began_ms": ms_of(began), "none_up": none_up, "out": all })
        };
        let alert =
            |Handed { alert, open: is }: Handed| json!({ "alert": alert, "open": is.map(open) });
        self.0.hand_over().into_iter().map(alert).collect()
    }

    /// Tells from now on, and goes on from this.
    #[cfg(feature = "admin")]
    pub(super) fn take_over(&self, handed: &Value) {
        let out = |pair: &Value| Some((pair[0].as_str()?.to_owned(), time_of(&pair[1])?));
        let open = |is: &Value| {
            Some(Open {
                key: is["key"].as_str()?.to_owned(),
                began: time_of(&is["began_ms"])?,
                none_up: is["none_up"] == true,
                out: is["out"].as_array()?.iter().filter_map(out).collect(),
            })
        };
        let alert = |one: &Value| {
            Some(Handed { alert: one["alert"].as_str()?.to_owned(), open: open(&one["open"]) })
        };
        let handed = handed.as_array().map_or(&[][..], Vec::as_slice).iter();
        self.0.take_over(&handed.filter_map(alert).collect::<Vec<_>>());
    }

    pub(super) fn stop(&self, patience: Duration) {
        self.0.stop(patience);
    }
}

/// Who tells it: this machine and process, and where clients are served.
pub fn author(address: &str) -> words::Teller {
    let host = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
    let host = match host.trim() {
        "" => "unknown".to_owned(),
        host => host.to_owned(),
    };
    let key = words::key_of(&host, SystemTime::now());
    words::Teller { host, address: address.to_owned(), key }
}

#[cfg(feature = "admin")]
fn ms_of(when: SystemTime) -> u64 {
    let since = when.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(feature = "admin")]
fn time_of(ms: &Value) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms.as_u64()?))
}

/// How all stands.
struct View(Controls);

impl Scene for View {
    fn look(&self) -> Vec<Sight> {
        let (pool, now) = (self.0.pool(), self.0.now());
        (0..pool.backends().len()).map(|index| sight(pool.status(index, now), now)).collect()
    }
}

fn sight(status: Status, now: Duration) -> Sight {
    let check = |PastCheck { at, took, passed, seen }| SightCheck {
        ago: now.saturating_sub(at),
        took,
        passed,
        seen,
    };
    Sight {
        name: status.backend,
        address: status.address,
        standing: status.standing.to_string(),
        is_up: status.standing == Standing::Up,
        is_out: matches!(status.standing, Standing::Down | Standing::Ejected),
        stood_for: now.saturating_sub(status.since),
        why: status.why,
        checks: status.checks.into_iter().map(check).collect(),
    }
}
