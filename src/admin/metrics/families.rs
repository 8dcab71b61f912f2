//! The families by name: what each means, and where its value is. docs/metrics.md has them too, and
//! a test holds the two together. A name that is here stays: rules and boards of others go by it.

use super::exposition::Value::{self, Seconds, Unlimited, Whole};
use super::exposition::{Family, Kind};
use super::snapshot::{BackendNow, PoolNow, ProcessNow};

use crate::relay::Listening;

/// A family, and where in such a thing its value is.
type Of<T, V> = (Family, fn(&T) -> V);

pub(super) const REQUESTS: Family =
    counter("evenly_requests_total", "Requests as clients were answered, by class of status.");

pub(super) const DURATIONS: Family = Family {
    name: "evenly_request_duration_seconds",
    kind: Kind::Histogram,
    help: "From a request's arrival to the end of its answer.",
};

pub(super) const WAITS: Family = Family {
    name: "evenly_request_first_byte_seconds",
    kind: Kind::Histogram,
    help: "From a request's arrival to the first byte of its answer.",
};

pub(super) const ENDS: Family =
    counter("evenly_requests_ended_total", "Requests, by why they ended.");

pub(super) const ERRORS: Family =
    counter("evenly_request_errors_total", "Requests that came to nothing good, by whose fault.");

pub(super) const PASSAGES: Family = counter(
    "evenly_tcp_connections_total",
    "Connections of clients at listeners of mode tcp that have ended, by why.",
);

pub(super) const STATES: Family =
    gauge("evenly_backend_state", "1 in the state where mode and health lead, 0 in the others.");

pub(super) const CHECKS: Family = counter("evenly_backend_checks_total", "Checks, by result.");

/// One series a listener.
pub(super) const OF_LISTENERS: &[Of<Listening, Value>] = &[
    (gauge("evenly_listener_connections", "Connections of clients that came in there."), |one| {
        Whole(one.clients as u64)
    }),
    (
        gauge(
            "evenly_listener_connections_limit",
            "Connections that there may be; +Inf where only evenly_connections_limit counts.",
        ),
        |one| one.clients_max.map_or(Value::Unlimited, |most| Whole(most.into())),
    ),
];

pub(super) const CERTIFICATES: Family = gauge(
    "evenly_tls_certificate_expiry_timestamp_seconds",
    "When a certificate that is shown is good no more.",
);

pub(super) const ALERTS: Family =
    counter("evenly_alerts_total", "Messages of a channel of alerts, by what became of them.");

pub(super) const BUILD: Family = gauge("evenly_build_info", "1, with the version of the program.");

/// One series a pool.
pub(super) const OF_POOLS: &[Of<PoolNow, Value>] = &[
    (gauge("evenly_pool_backends", "Backends in the configuration."), |pool| {
        Whole(pool.backends.len() as u64)
    }),
    (gauge("evenly_pool_usable_backends", "Backends that take requests."), |pool| {
        Whole(pool.usable)
    }),
    (gauge("evenly_pool_requests_in_flight", "Requests that backends are busy with."), |pool| {
        Whole(pool.in_flight)
    }),
    (gauge("evenly_pool_paused", "1 while an operator holds new requests."), |pool| {
        Whole(pool.is_paused.into())
    }),
    (gauge("evenly_queue_length", "Requests that wait for a place at a backend."), |pool| {
        Whole(pool.waiting)
    }),
    (gauge("evenly_queue_limit", "Requests that may wait."), |pool| Whole(pool.waiting_max)),
];

/// One series a backend.
pub(super) const OF_BACKENDS: &[Of<BackendNow, Value>] = &[
    (
        gauge("evenly_backend_up", "1 while checks and requests find it well, in use or not."),
        |backend| Whole(backend.is_healthy.into()),
    ),
    (gauge("evenly_backend_requests_in_flight", "Requests that it is busy with."), |backend| {
        Whole(backend.in_flight)
    }),
    (
        gauge("evenly_backend_requests_limit", "Requests it gets at once; +Inf without a limit."),
        |backend| backend.in_flight_max.map_or(Unlimited, Whole),
    ),
    (
        gauge("evenly_backend_weight", "Its share beside those of the others, as configured."),
        |backend| Whole(backend.weight),
    ),
    (
        counter("evenly_backend_picks_total", "Times it was picked, retries among them."),
        |backend| Whole(backend.counts.requests),
    ),
    (counter("evenly_backend_failures_total", "Tries that failed by its fault."), |backend| {
        Whole(backend.counts.failures)
    }),
    (
        counter("evenly_retries_total", "Times it was picked after another failed the request."),
        |backend| Whole(backend.counts.retries),
    ),
    (
        counter("evenly_backend_mended_answers_total", "Answers that broke a rule of HTTP."),
        |backend| Whole(backend.counts.repaired),
    ),
    (
        counter("evenly_backend_sent_bytes_total", "Bytes of bodies and of TCP sent to it."),
        |backend| Whole(backend.counts.bytes_up),
    ),
    (
        counter("evenly_backend_received_bytes_total", "Bytes of bodies and of TCP that came."),
        |backend| Whole(backend.counts.bytes_down),
    ),
];

/// What there is one of. What the system does not say is left out.
pub(super) const OF_THE_PROCESS: &[Of<ProcessNow, Option<Value>>] = &[
    (
        gauge("evenly_ready", "1 while it serves and is not about to stop, as GET /ready says."),
        |process| Some(Whole(process.is_ready.into())),
    ),
    (gauge("evenly_workers", "Threads that serve."), |process| Some(Whole(process.workers))),
    (gauge("evenly_connections", "Connections of clients."), |process| {
        Some(Whole(process.clients))
    }),
    (gauge("evenly_connections_limit", "Connections of clients that there may be."), |process| {
        Some(Whole(process.clients_max))
    }),
    (
        gauge(
            "evenly_config_last_reload_successful",
            "0 if the last reload changed nothing as the \
            file is wrong.",
        ),
        |process| Some(Whole(process.reload_succeeded.into())),
    ),
    (
        gauge(
            "evenly_config_last_reload_timestamp_seconds",
            "When a reload was last tried; if \
            never, the start.",
        ),
        |process| Some(Seconds(process.reload_tried)),
    ),
    (
        gauge(
            "evenly_config_in_force_timestamp_seconds",
            "Since when the configuration is in \
            force.",
        ),
        |process| Some(Seconds(process.loaded)),
    ),
    (
        counter("evenly_config_changes_total", "Reloads that changed the configuration."),
        |process| Some(Whole(process.reloads)),
    ),
    (
        counter("evenly_log_lines_dropped_total", "Lines of the log dropped: too many waited."),
        |process| Some(Whole(process.lines_dropped)),
    ),
    (
        counter("evenly_log_lines_lost_total", "Lines of the log that could not be written."),
        |process| Some(Whole(process.lines_lost)),
    ),
    (counter("process_cpu_seconds_total", "Time on a processor."), |process| {
        Some(Seconds(process.processor_time))
    }),
    (gauge("process_resident_memory_bytes", "Memory that it has."), |process| {
        process.body.resident.map(Whole)
    }),
    (gauge("process_virtual_memory_bytes", "Addresses that it has a claim to."), |process| {
        process.body.reserved.map(Whole)
    }),
    (gauge("process_threads", "Threads."), |process| process.body.threads.map(Whole)),
    (gauge("process_open_fds", "Descriptors that are open."), |process| {
        process.descriptors.open.map(Whole)
    }),
    (gauge("process_max_fds", "Descriptors that it may have."), |process| {
        Some(process.descriptors.limit.map_or(Unlimited, Whole))
    }),
    (gauge("process_start_time_seconds", "When it started."), |process| {
        Some(Seconds(process.started))
    }),
];

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, help }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn all() -> Vec<&'static Family> {
        let alone = [
            &REQUESTS,
            &DURATIONS,
            &WAITS,
            &ENDS,
            &ERRORS,
            &PASSAGES,
            &STATES,
            &CHECKS,
            &CERTIFICATES,
            &ALERTS,
            &BUILD,
        ];
        let pools = OF_POOLS.iter().map(|(family, _)| family);
        let backends = OF_BACKENDS.iter().map(|(family, _)| family);
        let listeners = OF_LISTENERS.iter().map(|(family, _)| family);
        let process = OF_THE_PROCESS.iter().map(|(family, _)| family);
        let all = alone.into_iter().chain(pools).chain(backends);
        all.chain(listeners).chain(process).collect()
    }

    #[test]
    fn each_name_is_there_once_and_each_help_is_one_plain_line() {
        let names: BTreeSet<_> = all().iter().map(|family| family.name).collect();
        assert_eq!(names.len(), all().len());
        for Family { name, kind, help } in all() {
            let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\';
            assert!(help.bytes().all(plain) && help.ends_with('.'), "{name}: {help:?}");
            let [word, total] = [
                name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'),
                name.ends_with("_total"),
            ];
            assert!(word && total == (*kind == Kind::Counter), "{name}");
        }
    }
}
