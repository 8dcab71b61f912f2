//! How one balancer stands, as lines: one sentence, what else is out of order, the process, and the
//! backends with those first that are not up.

use super::table::{Row, Table};
use super::view::{BackendView, PoolView, View};
use crate::cmd::words::{count, latency, plural, share, short, spoken, wrap};

/// Backends that the sentence names; the table names all.
const NAMED_MAX: usize = 2;
/// A certificate that has fewer days left is out of order.
const DAYS_MIN: i64 = 14;
/// Lines for one thing that is out of order.
const LINES_MAX: usize = 4;

/// All of it, at most so wide.
pub(super) fn lines(view: &View, columns: usize) -> Vec<String> {
    let mut words = vec![sentence(view)];
    words.extend(troubles(view));
    words.extend([process(view), traffic(view)]);
    let mut lines: Vec<_> =
        words.iter().flat_map(|words| wrap(words, "", columns, LINES_MAX)).collect();
    for pool in &view.pools {
        lines.push(String::new());
        if view.pools.len() > 1 {
            let PoolView { name, policy, .. } = pool;
            lines.extend(wrap(&format!("pool {name}: {policy}"), "", columns, 1));
        }
        lines.extend(table(pool, columns));
    }
    lines
}

/// How things stand, in one sentence.
pub(super) fn sentence(view: &View) -> String {
    let backends = || view.pools.iter().flat_map(|pool| &pool.backends);
    let (total, up) = (backends().count(), backends().filter(|it| it.is_up()).count());
    let mut others: Vec<_> = backends().filter(|it| !it.is_up()).collect();
    others.sort_by_key(|backend| backend.rank());
    let mut sentence = match view.state.as_str() {
        "serving" | "" => String::new(),
        "starting" => "starting, the first checks are under way; ".to_owned(),
        "draining" => "draining, about to end; ".to_owned(),
        state => format!("{state}; "),
    };
    let is_lost = |pool: &&PoolView| !pool.backends.iter().any(BackendView::is_up);
    let lost: Vec<&str> = view.pools.iter().filter(is_lost).map(|pool| &*pool.name).collect();
    match lost[..] {
        [] => {}
        _ if up == 0 => sentence.push_str("NO BACKEND IS UP: "),
        ref pools => {
            let of = if pools.len() == 1 { "pool" } else { "pools" };
            sentence.push_str(&format!("NO BACKEND IS UP in {of} {}: ", pools.join(", ")));
        }
    }
    sentence.push_str(&format!("{up} of {total} up"));
    for (index, backend) in others.iter().take(NAMED_MAX).enumerate() {
        sentence.push_str(if index == 0 { "; " } else { ", " });
        let BackendView { name, why, since_s, .. } = backend;
        sentence.push_str(&format!("{name} {} for {}", verb(backend), spoken(*since_s)));
        if others.len() == 1 && !why.is_empty() {
            sentence.push_str(&format!(": {why}"));
        }
    }
    if others.len() > NAMED_MAX {
        sentence.push_str(&format!(", and {} more not up", others.len() - NAMED_MAX));
    }
    sentence
}

fn verb(backend: &BackendView) -> &str {
    match backend.standing.as_str() {
        "drain" => "draining",
        "maint" => "in maintenance",
        other => other,
    }
}

/// What is out of order besides backends.
fn troubles(view: &View) -> Vec<String> {
    let mut troubles = Vec::new();
    for PoolView { name, paused_for_s, waiting, .. } in &view.pools {
        let (length, max) = waiting;
        let waits = format!("{} of {} places in the queue taken", count(*length), count(*max));
        match paused_for_s {
            Some(left) => {
                troubles.push(format!("pool {name} paused for {} more; {waits}", spoken(*left)));
            }
            None if *length > 0 => troubles.push(format!("pool {name}: {waits}")),
            None => {}
        }
    }
    for (name, max) in &view.full {
        let places = plural(*max, "place");
        troubles.push(format!("listener {name} is full: {places}, all taken; who comes now waits"));
    }
    if let Some(words) = &view.failed_reload {
        troubles.push(format!("the last reload failed: {words}"));
    }
    for (name, why) in &view.undelivered {
        troubles.push(format!("alert {name}: its last message was not delivered: {why}"));
    }
    for (name, days) in view.certificates.iter().filter(|(_, days)| *days < DAYS_MIN) {
        troubles.push(match days {
            ..0 => format!("the certificate for {name} has expired"),
            0 => format!("the certificate for {name} expires within a day"),
            days => {
                format!("the certificate for {name} expires in {}", plural(*days as u64, "day"))
            }
        });
    }
    if view.lines_dropped > 0 {
        troubles.push(format!("{} lines of the log were dropped", count(view.lines_dropped)));
    }
    troubles
}

fn process(view: &View) -> String {
    let View { version, pid, uptime_s, listeners, file, file_age_s, reloads, .. } = view;
    let mut words = format!("evenly {version}, pid {pid}, up {}", short(*uptime_s));
    if !listeners.is_empty() {
        words.push_str(&format!(", on {}", listeners.join(", ")));
    }
    if let Some(file) = file {
        words.push_str(&format!("; {file} read {} ago", short(*file_age_s)));
    }
    if *reloads > 0 {
        words.push_str(&format!(", {}", plural(*reloads, "reload")));
    }
    if let Some(days) = view.certificates.iter().map(|(_, days)| *days).min() {
        let many = view.certificates.len() as u64;
        let left = match days {
            ..0 => "one has expired".to_owned(),
            days => format!("{} left", plural(days as u64, "day")),
        };
        words.push_str(&format!("; {}, {left}", plural(many, "certificate")));
    }
    words
}

fn traffic(view: &View) -> String {
    let in_flight: u64 = view.pools.iter().map(|pool| pool.in_flight).sum();
    let (clients, clients_max) = view.clients;
    let tcp = match view.tcp {
        (0, _) => String::new(),
        (ended, failed) => {
            format!(", TCP connections ended {}, errors {}", count(ended), count(failed))
        }
    };
    format!(
        "clients {} of {}, in flight {}, answered {}, errors {}, retried {}{tcp}",
        count(clients),
        count(clients_max),
        count(in_flight),
        count(view.answered),
        errors(view.errors_ours, view.errors_theirs),
        count(view.retries),
    )
}

fn errors(ours: u64, theirs: u64) -> String {
    match ours + theirs {
        0 => "0".to_owned(),
        all => {
            let whose = [(ours, "ours"), (theirs, "the applications'")];
            let whose = whose.into_iter().filter(|(many, _)| *many > 0);
            let whose: Vec<_> = whose.map(|(many, by)| format!("{} {by}", count(many))).collect();
            format!("{} ({})", count(all), whose.join(", "))
        }
    }
}

fn table(pool: &PoolView, columns: usize) -> Vec<String> {
    let head = ["backend", "state", "since", "tries", "share", "busy", "failed", "p99", "check"];
    let mut table = Table::new(&head);
    let total: u64 = pool.backends.iter().map(|backend| backend.tries).sum();
    let mut backends: Vec<_> = pool.backends.iter().collect();
    backends.sort_by_key(|backend| backend.rank());
    for backend in backends {
        let cells = vec![
            backend.name.clone(),
            backend.standing.clone(),
            short(backend.since_s),
            count(backend.tries),
            share(backend.tries, total),
            count(backend.in_flight),
            count(backend.failures),
            backend.p99_ms.map(latency).unwrap_or_default(),
            checked(backend),
        ];
        let is_plain = backend.is_up() || backend.why.is_empty();
        let below = if is_plain { Vec::new() } else { vec![backend.why.clone()] };
        table.push(Row { cells, below });
    }
    table.lines(columns)
}

/// How long ago, and whether the last have failed. One that is down says so below.
fn checked(backend: &BackendView) -> String {
    let ago = backend.checked_s.map(short).unwrap_or_default();
    match backend.checks_failed {
        0 => ago,
        _ if backend.standing == "down" => ago,
        many => format!("{ago}, {many} failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::words::{COLUMNS, width};

    fn backend(name: &str, standing: &str, why: &str) -> BackendView {
        let [name, standing, why] = [name, standing, why].map(str::to_owned);
        BackendView { name, standing, why, since_s: 40.5, ..BackendView::default() }
    }

    fn view(backends: Vec<BackendView>) -> View {
        let pool = PoolView { name: "default".into(), backends, ..PoolView::default() };
        View { state: "serving".into(), pools: vec![pool], ..View::default() }
    }

    #[test]
    fn one_sentence_says_how_things_stand() {
        let up = || backend("A", "up", "checks pass");
        let down = || backend("B", "down", "status 503 three times");
        let said = |backends| sentence(&view(backends));
        assert_eq!(said(vec![up(), up()]), "2 of 2 up");
        assert_eq!(said(vec![up(), down()]), "1 of 2 up; B down for 40 s: status 503 three times");
        let drain = backend("C", "drain", "as the operator wants it");
        let two = "NO BACKEND IS UP: 0 of 2 up; B down for 40 s, C draining for 40 s";
        assert_eq!(said(vec![drain.clone(), down()]), two);
        let four =
            said(vec![drain, down(), backend("D", "maint", ""), backend("E", "ejected", "")]);
        assert!(
            four.ends_with("0 of 4 up; B down for 40 s, E ejected for 40 s, and 2 more not up")
        );
        let starting = View { state: "starting".into(), ..view(vec![up()]) };
        assert_eq!(sentence(&starting), "starting, the first checks are under way; 1 of 1 up");
    }

    #[test]
    fn the_figures_are_of_requests_as_clients_saw_them() {
        let mut view = View { answered: 17, retries: 3, clients: (1, 10_000), ..View::default() };
        let clients = "clients 1 of 10,000, in flight 0, answered";
        assert_eq!(traffic(&view), format!("{clients} 17, errors 0, retried 3"));
        view.errors_theirs = 1;
        let errors = "errors 1 (1 the applications')";
        assert_eq!(traffic(&view), format!("{clients} 17, {errors}, retried 3"));
        view.errors_ours = 2;
        let errors = "errors 3 (2 ours, 1 the applications')";
        assert_eq!(traffic(&view), format!("{clients} 17, {errors}, retried 3"));
        view.tcp = (1200, 4);
        let tcp = "TCP connections ended 1,200, errors 4";
        assert_eq!(traffic(&view), format!("{clients} 17, {errors}, retried 3, {tcp}"));
    }

    #[test]
    fn what_is_out_of_order_stands_above_what_is_not() {
        let mut view = view(vec![backend("A", "up", ""), backend("B", "down", "refused")]);
        view.pools[0].paused_for_s = Some(12.3);
        view.pools[0].waiting = (3, 1000);
        view.failed_reload = Some("applications.toml:3:1: unknown key".into());
        view.certificates =
            vec![("a.test".into(), 12), ("b.test".into(), 80), ("c.test".into(), -1)];
        view.undelivered = vec![("night".into(), "connection refused".into())];
        view.lines_dropped = 7;
        view.full = vec![("db".into(), 2)];
        let lines = lines(&view, COLUMNS);
        let expected = [
            "1 of 2 up; B down for 40 s: refused",
            "pool default paused for 12 s more; 3 of 1,000 places in the queue taken",
            "listener db is full: 2 places, all taken; who comes now waits",
            "the last reload failed: applications.toml:3:1: unknown key",
            "alert night: its last message was not delivered: connection refused",
            "the certificate for a.test expires in 12 days",
            "the certificate for c.test has expired",
            "7 lines of the log were dropped",
        ];
        assert_eq!(lines[..expected.len()], expected);
        let backends: Vec<_> = lines.iter().skip_while(|it| !it.starts_with("backend")).collect();
        assert!(backends[1].starts_with("B ") && backends[2] == "  refused", "{lines:#?}");
        assert!(backends[3].starts_with("A "), "{lines:#?}");
        assert!(process(&view).ends_with("; 3 certificates, one has expired"), "{view:#?}");
        view.certificates = vec![("a.test".into(), 1)];
        assert!(process(&view).ends_with("; 1 certificate, 1 day left"), "{view:#?}");
    }

    #[test]
    fn thirty_backends_with_the_largest_figures_fit_eighty_columns() {
        let busiest = |index: u64| BackendView {
            tries: 999_999 + index,
            failures: u64::MAX >> 20,
            in_flight: 99_999,
            p99_ms: Some(59_999.0),
            checked_s: Some(5e6),
            since_s: 4e7,
            ..backend(
                &format!("backend-{index:03}.rack-{index}.example.org:8080"),
                "ejected",
                "why",
            )
        };
        let lines = lines(&view((0..30).map(busiest).collect()), COLUMNS);
        assert!(lines.iter().all(|line| width(line) <= COLUMNS), "{lines:#?}");
        assert_eq!(lines.iter().filter(|line| line.contains("example.org:8080")).count(), 32);
    }

    #[test]
    fn checks_that_fail_are_seen_before_they_have_taken_it_down() {
        let failing = |standing| {
            let checked_s = Some(0.4);
            BackendView { checked_s, checks_failed: 2, ..backend("A", standing, "") }
        };
        let row = |standing| lines(&view(vec![failing(standing)]), COLUMNS).pop().unwrap();
        assert!(row("up").ends_with("  0s, 2 failed"), "{}", row("up"));
        assert!(row("down").ends_with("  0s"), "{}", row("down"));
    }

    #[test]
    fn a_backends_words_cannot_move_the_cursor() {
        let hostile = backend("\u{1b}[2J", "down\n", "\u{202e}\r\u{9b}1m");
        let lines = lines(&view(vec![hostile]), COLUMNS);
        let shown = lines.concat();
        assert!(!shown.contains(|char: char| !crate::text::is_printable(char)), "{shown:?}");
    }
}
