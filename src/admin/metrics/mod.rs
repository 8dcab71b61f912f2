//! `GET /metrics`: what Prometheus reads. docs/metrics.md has each family; what a name means must
//! never change.
//!
//! Every series that may come is there from the start, with 0, so that the first error of a night
//! is an increase. No word of a client's becomes a label: how many series there are, the
//! configuration alone decides. Counters of a backend go with it, and others never go back.

mod exposition;
mod families;
mod snapshot;

pub(super) use exposition::CONTENT_TYPE;

use super::Steered;
use exposition::{Exposition, Value};
use families::{
    ALERTS, BUILD, CERTIFICATES, CHECKS, DURATIONS, ENDS, ERRORS, OF_BACKENDS, OF_LISTENERS,
    OF_POOLS, OF_THE_PROCESS, PASSAGES, REQUESTS, STATES, WAITS,
};
use snapshot::Snapshot;

use crate::pool::buckets::{BUCKETS, OCTAVES, end_of_bucket, end_of_octave};
use crate::pool::{CLASSES, Standing};

/// The classes of statuses.
const CLASS_WORDS: [&str; CLASSES] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// What one backend takes in the text, with names of usual length.
const BACKEND_BYTES: usize = 4 * 1024;
/// What all else takes.
const REST_BYTES: usize = 16 * 1024;

/// All metrics, as text.
pub(super) fn metrics(steered: &dyn Steered) -> String {
    let snapshot = Snapshot::take(steered);
    let backends: usize = snapshot.pools.iter().map(|pool| pool.backends.len()).sum();
    let mut out = Exposition::with_room(REST_BYTES + backends * BACKEND_BYTES);
    requests(&mut out, &snapshot);
    pools(&mut out, &snapshot);
    backends_each(&mut out, &snapshot);
    process(&mut out, &snapshot);
    out.into_text()
}

/// What no backend was tried for has none as its backend.
fn requests(out: &mut Exposition, snapshot: &Snapshot) {
    let all = || {
        snapshot.counted().flat_map(|pool| {
            let served = pool.backends.iter().map(|it| (it.name.as_str(), &it.counts.ended));
            served
                .chain([("", &pool.unserved)])
                .map(|(backend, ends)| (pool.name.as_str(), backend, ends))
        })
    };
    let mut samples = out.family(&REQUESTS);
    for (pool, backend, ends) in all() {
        for (code, count) in CLASS_WORDS.iter().zip(ends.classes) {
            let labels = [("pool", pool), ("backend", backend), ("code", code)];
            samples.add(&labels, Value::Whole(count));
        }
    }
    let bounds: Vec<_> = (0..OCTAVES).map_while(end_of_octave).collect();
    let mut samples = out.family(&DURATIONS);
    for (pool, backend, ends) in all() {
        let labels = [("pool", pool), ("backend", backend)];
        samples.histogram(&labels, &bounds, &ends.octaves, ends.sum);
    }
    how_they_went(out, snapshot);
}

fn how_they_went(out: &mut Exposition, snapshot: &Snapshot) {
    let bounds: Vec<_> = (0..BUCKETS).map_while(end_of_bucket).collect();
    let mut samples = out.family(&WAITS);
    for pool in snapshot.counted() {
        let (counts, sum) = &pool.waits;
        samples.histogram(&[("pool", pool.name.as_str())], &bounds, counts, *sum);
    }
    let mut samples = out.family(&ENDS);
    for pool in snapshot.counted() {
        for (cause, count) in &pool.causes {
            samples.add(&[("pool", pool.name.as_str()), ("cause", cause)], Value::Whole(*count));
        }
    }
    let mut samples = out.family(&PASSAGES);
    for pool in snapshot.counted() {
        for (cause, count) in &pool.passages {
            samples.add(&[("pool", pool.name.as_str()), ("cause", cause)], Value::Whole(*count));
        }
    }
    let mut samples = out.family(&ERRORS);
    for pool in snapshot.counted() {
        for (by, count) in pool.errors {
            samples.add(&[("pool", pool.name.as_str()), ("by", by)], Value::Whole(count));
        }
    }
}

fn pools(out: &mut Exposition, snapshot: &Snapshot) {
    for (family, value) in OF_POOLS {
        let mut samples = out.family(family);
        for pool in &snapshot.pools {
            samples.add(&[("pool", pool.name.as_str())], value(pool));
        }
    }
}

fn backends_each(out: &mut Exposition, snapshot: &Snapshot) {
    let all = || {
        snapshot
            .pools
            .iter()
            .flat_map(|pool| pool.backends.iter().map(|it| (pool.name.as_str(), it)))
    };
    for (family, value) in OF_BACKENDS {
        let mut samples = out.family(family);
        for (pool, backend) in all() {
            samples.add(&[("pool", pool), ("backend", &backend.name)], value(backend));
        }
    }
    let states =
        [Standing::Up, Standing::Down, Standing::Ejected, Standing::Drain, Standing::Maint]
            .map(|standing| (standing, standing.to_string()));
    let mut samples = out.family(&STATES);
    for (pool, backend) in all() {
        for (standing, word) in &states {
            let labels = [("pool", pool), ("backend", &backend.name), ("state", word)];
            samples.add(&labels, Value::Whole((backend.standing == *standing).into()));
        }
    }
    let mut samples = out.family(&CHECKS);
    for (pool, backend) in all() {
        let results =
            [("passed", backend.counts.checks_passed), ("failed", backend.counts.checks_failed)];
        for (result, count) in results {
            let labels = [("pool", pool), ("backend", &backend.name), ("result", result)];
            samples.add(&labels, Value::Whole(count));
        }
    }
}

fn process(out: &mut Exposition, snapshot: &Snapshot) {
    for (family, value) in OF_THE_PROCESS {
        let mut samples = out.family(family);
        value(&snapshot.process).into_iter().for_each(|value| samples.add(&[], value));
    }
    for (family, value) in OF_LISTENERS {
        let mut samples = out.family(family);
        for one in &snapshot.listeners {
            samples.add(&[("listener", &one.name)], value(one));
        }
    }
    let mut samples = out.family(&CERTIFICATES);
    for one in &snapshot.certificates {
        samples.add(&[("file", &one.file), ("names", &one.names)], Value::Seconds(one.expires));
    }
    let mut samples = out.family(&ALERTS);
    for one in &snapshot.alerts {
        for (result, count) in &one.results {
            samples.add(&[("name", &one.name), ("result", result)], Value::Whole(*count));
        }
    }
    out.family(&BUILD).add(&[("version", env!("CARGO_PKG_VERSION"))], Value::Whole(1));
}
