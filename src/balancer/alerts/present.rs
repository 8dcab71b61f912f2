//! Whoever is told what happens, as the balancer starts, feeds and ends it: `notify` knows no pool,
//! and is shown how all stands from here. In a build without alerts, `absent.rs` is in its place.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::balancer::supervisor::Supervisor;
use crate::config::{Config, Errors};
use crate::event::Teller;
#[cfg(feature = "admin")]
use crate::notify::AlertStatus;
use crate::notify::scene::{Scene, Sight, SightCheck};
use crate::notify::{Hearing, Notify, Ways, words};
use crate::pool::{PastCheck, Pool, Standing, Status};
use crate::relay::Controls;
#[cfg(feature = "admin")]
use serde_json::Value;

/// Where the kernel says what the machine is called.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Those that are told.
pub(in crate::balancer) struct Alerts(Arc<Notify>);

/// The same before they are: their secrets and authorities are read.
pub(in crate::balancer) struct Prepared(Ways);

/// What is heard until they start.
pub(in crate::balancer) struct Heard(Hearing);

impl Prepared {
    pub(in crate::balancer) fn of(config: &Config) -> Result<Self, Errors> {
        crate::notify::open(config).map(Self)
    }

    /// `inherits` says that a process before this one has told who is out.
    pub(in crate::balancer) fn start(
        self,
        heard: Heard,
        controls: Controls,
        supervisor: &Arc<Supervisor>,
        teller: &Teller,
        inherits: bool,
    ) -> io::Result<Alerts> {
        let author = author(&controls.listening()[0].address.to_string());
        let scene = Arc::new(View { controls, supervisor: Arc::clone(supervisor) });
        Notify::start(self.0, heard.0, scene, author, teller.clone(), inherits).map(Alerts)
    }
}

impl Heard {
    pub(in crate::balancer) fn begin(teller: &Teller) -> Self {
        Self(Hearing::begin(teller))
    }
}

impl Alerts {
    pub(in crate::balancer) fn follow(&self, prepared: Prepared) -> io::Result<()> {
        self.0.follow(prepared.0)
    }

    #[cfg(feature = "admin")]
    pub(in crate::balancer) fn status(&self) -> Vec<AlertStatus> {
        self.0.status()
    }

    /// Tells no more from now on: what the one who does is to know.
    #[cfg(feature = "admin")]
    pub(in crate::balancer) fn hand_over(&self) -> Value {
        super::handed::written(self.0.hand_over())
    }

    /// Tells from now on, and goes on from this.
    #[cfg(feature = "admin")]
    pub(in crate::balancer) fn take_over(&self, handed: &Value) {
        self.0.take_over(&super::handed::read(handed));
    }

    pub(in crate::balancer) fn stop(&self, patience: Duration) {
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
    let key = words::key_of(&host, address);
    words::Teller { host, address: address.to_owned(), key }
}

/// How all stands.
struct View {
    controls: Controls,
    supervisor: Arc<Supervisor>,
}

impl Scene for View {
    fn look(&self) -> Vec<Sight> {
        let (pools, now) = (self.controls.pools(), self.controls.now());
        let name = |pool: &Pool| pool.rules().pool.clone().unwrap_or_default();
        let of = |pool: &Arc<Pool>| {
            let statuses = (0..pool.backends().len()).map(|index| pool.status(index, now));
            statuses.map(|status| sight(status, name(pool), now)).collect::<Vec<_>>()
        };
        pools.all().iter().flat_map(of).collect()
    }

    fn is_well(&self) -> bool {
        self.supervisor.is_well()
    }
}

fn sight(status: Status, pool: String, now: Duration) -> Sight {
    let check = |PastCheck { at, outcome }| SightCheck {
        ago: now.saturating_sub(at),
        verdict: outcome.verdict(),
        took: outcome.took,
        seen: outcome.seen,
    };
    Sight {
        name: status.backend,
        pool,
        address: status.address,
        standing: status.standing.to_string(),
        is_up: status.standing == Standing::Up,
        is_out: matches!(status.standing, Standing::Down | Standing::Ejected),
        stood_for: now.saturating_sub(status.since),
        why: status.why,
        checks: status.checks.into_iter().map(check).collect(),
    }
}
