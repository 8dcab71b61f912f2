//! What the metrics show, read once: all families of one answer tell of one moment, as far as
//! counting that goes on allows. The one place that knows where a number comes from.

use std::time::{Duration, SystemTime};

use crate::admin::process::{Body, Descriptors, descriptors, processor_time};
use crate::admin::{Life, State, Steered};
use crate::log::Cause;
#[cfg(feature = "alerts")]
use crate::notify::AlertStatus;
use crate::pool::buckets::BUCKETS;
use crate::pool::{Counts, Ends, NO_POOL, Standing, Status};
use crate::relay::{Listening, PoolControls, Totals};
use crate::text::since_epoch;

/// All that is shown.
pub(super) struct Snapshot {
    pub(super) pools: Vec<PoolNow>,
    /// Requests that no pool is for, where there are several.
    pub(super) astray: Option<PoolNow>,
    pub(super) process: ProcessNow,
    pub(super) listeners: Vec<Listening>,
    pub(super) certificates: Vec<CertificateNow>,
    pub(super) alerts: Vec<AlertNow>,
}

/// A pool and the line in front of it.
pub(super) struct PoolNow {
    pub(super) name: String,
    pub(super) backends: Vec<BackendNow>,
    pub(super) usable: u64,
    pub(super) in_flight: u64,
    pub(super) waiting: u64,
    pub(super) waiting_max: u64,
    pub(super) is_paused: bool,
    /// Requests that no backend was tried for.
    pub(super) unserved: Ends,
    /// How long clients waited for the first byte, by bucket, and all of them together.
    pub(super) waits: ([u64; BUCKETS], Duration),
    /// Requests, by the word for why they ended.
    pub(super) causes: Vec<(&'static str, u64)>,
    /// Connections of TCP clients, likewise.
    pub(super) passages: Vec<(&'static str, u64)>,
    /// Errors, by the word for whose they are.
    pub(super) errors: [(&'static str, u64); 2],
}

/// A backend, and what it has done since the start of the process or since it was added.
pub(super) struct BackendNow {
    pub(super) name: String,
    pub(super) standing: Standing,
    /// What checks and requests say, whatever an operator wants of it.
    pub(super) is_healthy: bool,
    pub(super) in_flight: u64,
    /// None is no limit.
    pub(super) in_flight_max: Option<u64>,
    pub(super) weight: u64,
    pub(super) counts: Counts,
}

/// What there is one of.
pub(super) struct ProcessNow {
    pub(super) is_ready: bool,
    pub(super) workers: u64,
    pub(super) clients: u64,
    pub(super) clients_max: u64,
    pub(super) lines_dropped: u64,
    pub(super) lines_lost: u64,
    pub(super) reload_succeeded: bool,
    /// Of the last attempt; where there was none, of the start.
    pub(super) reload_tried: Duration,
    pub(super) loaded: Duration,
    pub(super) reloads: u64,
    pub(super) started: Duration,
    pub(super) processor_time: Duration,
    pub(super) body: Body,
    pub(super) descriptors: Descriptors,
}

/// A certificate that is shown to anybody.
pub(super) struct CertificateNow {
    pub(super) file: String,
    pub(super) names: String,
    /// Since 1970.
    pub(super) expires: Duration,
}

/// What became of the messages of one channel of alerts.
pub(super) struct AlertNow {
    pub(super) name: String,
    /// By the word for it.
    pub(super) results: [(&'static str, u64); 3],
}

impl Snapshot {
    /// All that requests are counted by.
    pub(super) fn counted(&self) -> impl Iterator<Item = &PoolNow> {
        self.pools.iter().chain(&self.astray)
    }

    pub(super) fn take(steered: &dyn Steered) -> Self {
        let life = steered.life();
        Self {
            pools: PoolNow::take(steered),
            astray: PoolNow::astray(steered),
            process: ProcessNow::take(steered, &life),
            listeners: steered.controls().listening(),
            certificates: certificates(&life),
            alerts: alerts(steered),
        }
    }
}

impl PoolNow {
    fn take(steered: &dyn Steered) -> Vec<Self> {
        let controls = steered.controls();
        let now = controls.now();
        controls.each_pool().into_iter().map(|one| Self::of(&one, now)).collect()
    }

    fn astray(steered: &dyn Steered) -> Option<Self> {
        let totals = steered.controls().astray()?;
        Some(Self::counted(NO_POOL, &totals))
    }

    fn of(one: &PoolControls, now: Duration) -> Self {
        let (pool, (waiting, waiting_max)) = (one.pool(), one.waiting());
        let backends =
            (0..pool.backends().len()).map(|index| BackendNow::of(pool.status(index, now)));
        Self {
            backends: backends.collect(),
            usable: pool.usable(now) as u64,
            in_flight: pool.in_flight() as u64,
            waiting: waiting as u64,
            waiting_max: waiting_max as u64,
            is_paused: one.paused_for().is_some(),
            ..Self::counted(pool.name(), &one.totals())
        }
    }

    fn counted(name: &str, totals: &Totals) -> Self {
        Self {
            name: name.to_owned(),
            backends: Vec::new(),
            usable: 0,
            in_flight: 0,
            waiting: 0,
            waiting_max: 0,
            is_paused: false,
            causes: Cause::ALL.iter().map(|it| it.word()).zip(totals.causes).collect(),
            passages: Cause::ALL.iter().map(|it| it.word()).zip(totals.passages).collect(),
            errors: [("evenly", totals.errors_ours), ("application", totals.errors_theirs)],
            waits: (totals.waits, totals.waited),
            unserved: totals.without_backend.clone(),
        }
    }
}

impl BackendNow {
    fn of(status: Status) -> Self {
        Self {
            name: status.backend,
            standing: status.standing,
            is_healthy: status.is_up && status.ejected_for.is_none(),
            in_flight: status.in_use.into(),
            in_flight_max: (status.max_connections > 0).then_some(status.max_connections.into()),
            weight: status.weight.into(),
            counts: status.counts,
        }
    }
}

impl ProcessNow {
    fn take(steered: &dyn Steered, life: &Life) -> Self {
        let (controls, log) = (steered.controls(), steered.teller().log());
        let (clients, clients_max) = controls.clients();
        let last = life.last_reload.as_ref();
        Self {
            is_ready: life.state == State::Serving,
            workers: controls.workers() as u64,
            clients: clients as u64,
            clients_max: clients_max as u64,
            lines_dropped: log.dropped(),
            lines_lost: log.lost(),
            reload_succeeded: last.is_none_or(|(_, result)| result.is_ok()),
            reload_tried: since_epoch(last.map_or(life.started, |(at, _)| *at)),
            loaded: since_epoch(life.loaded),
            reloads: life.reloads,
            started: since_epoch(life.started),
            processor_time: processor_time(),
            body: Body::now(),
            descriptors: descriptors(),
        }
    }
}

/// One file is shown by several, and must not be there twice: then nothing could be read.
fn certificates(life: &Life) -> Vec<CertificateNow> {
    let mut all: Vec<CertificateNow> = Vec::new();
    for shown in &life.certificates {
        let (file, names) = (shown.file().to_owned(), shown.names().join(", "));
        let expires: SystemTime = shown.expires();
        if !all.iter().any(|it| (&it.file, &it.names) == (&file, &names)) {
            all.push(CertificateNow { file, names, expires: since_epoch(expires) });
        }
    }
    all
}

/// An alert may be called as the heartbeat is; then they are one.
#[cfg(feature = "alerts")]
fn alerts(steered: &dyn Steered) -> Vec<AlertNow> {
    let mut all: Vec<AlertNow> = Vec::new();
    for AlertStatus { name, sent, failed, held_back, .. } in steered.alerts() {
        let results = [("sent", sent), ("failed", failed), ("held-back", held_back)];
        match all.iter_mut().find(|one| one.name == name) {
            Some(one) => one.results.iter_mut().zip(results).for_each(|(it, more)| it.1 += more.1),
            None => all.push(AlertNow { name, results }),
        }
    }
    all
}

#[cfg(not(feature = "alerts"))]
fn alerts(_: &dyn Steered) -> Vec<AlertNow> {
    Vec::new()
}
