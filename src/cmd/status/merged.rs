//! How several balancers stand, as one table: what they count is added up, and wherever they say
//! different things of what should be the same is said by whom.

use super::report;
use super::table::{Row, Table};
use super::view::{BackendView, PoolView, View};
use crate::cmd::words::{count, latency, share, short, wrap};

/// Lines for one difference.
const LINES_MAX: usize = 4;

type Named<T> = (String, T);
/// One thing that a backend is, in a word.
type Told = fn(&BackendView) -> String;

/// All of it, for at least two, at most so wide.
pub(super) fn lines(views: &[Named<Result<View, String>>], columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut asked = Vec::new();
    for (name, view) in views {
        let words = match view {
            Ok(view) => {
                asked.push((name.as_str(), view));
                report::sentence(view)
            }
            Err(why) => why.clone(),
        };
        lines.extend(wrap(&format!("{name}: {words}"), "", columns, LINES_MAX));
    }
    if asked.is_empty() {
        return lines;
    }
    let pools = pools(&asked);
    for pool in &pools {
        lines.push(String::new());
        if pools.len() > 1 {
            lines.extend(wrap(&pool.heading(), "", columns, 1));
        }
        lines.extend(table(&pool.rows, columns));
    }
    let differences = differences(&asked, &pools);
    if !differences.is_empty() {
        lines.push(String::new());
        lines.push("They disagree:".to_owned());
        lines.extend(differences.iter().flat_map(|it| wrap(it, "  ", columns, LINES_MAX)));
    }
    lines
}

/// One pool, as each balancer that has it sees it.
struct Pool<'v> {
    name: &'v str,
    seen: Vec<Named<&'v PoolView>>,
    rows: Vec<Merged<'v>>,
}

/// One backend, as each balancer that knows it sees it.
struct Merged<'v> {
    name: &'v str,
    seen: Vec<Named<&'v BackendView>>,
}

/// In the order in which they are first met: pools are the same that have one name, and backends
/// that have one name in one pool.
fn pools<'v>(asked: &[(&str, &'v View)]) -> Vec<Pool<'v>> {
    let mut pools: Vec<Pool<'v>> = Vec::new();
    for (balancer, view) in asked {
        for seen in &view.pools {
            let known = pools.iter().position(|pool| pool.name == seen.name);
            let place = known.unwrap_or(pools.len());
            if known.is_none() {
                pools.push(Pool { name: &seen.name, seen: Vec::new(), rows: Vec::new() });
            }
            pools[place].see(balancer, seen);
        }
    }
    pools
}

impl<'v> Pool<'v> {
    fn see(&mut self, balancer: &str, pool: &'v PoolView) {
        self.seen.push((balancer.to_owned(), pool));
        for backend in &pool.backends {
            let seen = (balancer.to_owned(), backend);
            match self.rows.iter_mut().find(|row| row.name == backend.name) {
                Some(row) => row.seen.push(seen),
                None => self.rows.push(Merged { name: &backend.name, seen: vec![seen] }),
            }
        }
    }

    /// As one balancer's status has it; whoever says otherwise is named among the differences.
    fn heading(&self) -> String {
        let mut policies: Vec<&str> = Vec::new();
        for (_, pool) in &self.seen {
            if !policies.contains(&&*pool.policy) {
                policies.push(&pool.policy);
            }
        }
        format!("pool {}: {}", self.name, policies.join(" or "))
    }

    /// The others of these.
    fn strangers(&self, asked: &[(&str, &View)]) -> Option<String> {
        missing(asked.iter().map(|(by, _)| *by), &self.seen)
    }
}

impl Merged<'_> {
    fn sum(&self, figure: fn(&BackendView) -> u64) -> u64 {
        self.seen.iter().map(|(_, backend)| figure(backend)).sum()
    }

    /// Whoever sees it in the worst state.
    fn worst(&self) -> &BackendView {
        let seen = self.seen.iter().map(|(_, backend)| *backend);
        seen.min_by_key(|backend| backend.rank()).expect("it was met somewhere")
    }
}

fn table(rows: &[Merged<'_>], columns: usize) -> Vec<String> {
    let head = ["backend", "state", "since", "tries", "share", "busy", "failed", "p99"];
    let mut table = Table::new(&head);
    let total: u64 = rows.iter().map(|row| row.sum(|it| it.tries)).sum();
    let mut sorted: Vec<_> = rows.iter().collect();
    sorted.sort_by_key(|row| row.worst().rank());
    for row in sorted {
        let worst = row.worst();
        let tries = row.sum(|it| it.tries);
        let latest = row.seen.iter().filter_map(|(_, it)| it.p99_ms).fold(f64::NAN, f64::max);
        let cells = vec![
            row.name.to_owned(),
            worst.standing.clone(),
            short(worst.since_s),
            count(tries),
            share(tries, total),
            count(row.sum(|it| it.in_flight)),
            count(row.sum(|it| it.failures)),
            if latest.is_nan() { String::new() } else { latency(latest) },
        ];
        let is_plain = worst.is_up() || worst.why.is_empty();
        let below = if is_plain { Vec::new() } else { vec![worst.why.clone()] };
        table.push(Row { cells, below });
    }
    table.lines(columns)
}

/// A sentence for each thing of which they say different things.
fn differences(asked: &[(&str, &View)], pools: &[Pool<'_>]) -> Vec<String> {
    let mut found = Vec::new();
    for pool in pools {
        // The only pool needs no name.
        let (of, within) = match pools.len() {
            1 => (String::new(), String::new()),
            _ => (format!("pool {} ", pool.name), format!(" in pool {}", pool.name)),
        };
        if let Some(strangers) = pool.strangers(asked) {
            found.push(format!("pool {}: not known to {strangers}", pool.name));
        }
        for row in &pool.rows {
            for (what, value) in COMPARED {
                let said = row.seen.iter().map(|(by, it)| (by.clone(), value(it))).collect();
                found.extend(difference(&format!("{}{within}{what}", row.name), said));
            }
            if let Some(strangers) = missing(pool.seen.iter().map(|(by, _)| &**by), &row.seen) {
                found.push(format!("{}{within}: not known to {strangers}", row.name));
            }
        }
        let each = |value: fn(&PoolView) -> String| {
            pool.seen.iter().map(|(by, it)| (by.clone(), value(it))).collect()
        };
        found.extend(difference(&format!("{of}policy"), each(|it| it.policy.clone())));
        let pause = |it: &PoolView| match it.paused_for_s {
            Some(_) => "paused".to_owned(),
            None => "not paused".to_owned(),
        };
        found.extend(difference(&format!("{of}pause"), each(pause)));
    }
    let each = |value: fn(&View) -> String| {
        asked.iter().map(|(by, view)| ((*by).to_owned(), value(view))).collect()
    };
    found.extend(difference("version", each(|view| view.version.clone())));
    found.extend(difference("state", each(|view| view.state.clone())));
    found
}

/// Those of `all` that are not among who has seen it, if there are any.
fn missing<'a, T>(all: impl Iterator<Item = &'a str>, seen: &[Named<T>]) -> Option<String> {
    let without: Vec<_> = all.filter(|by| !seen.iter().any(|(seen_by, _)| seen_by == by)).collect();
    (!without.is_empty()).then(|| without.join(", "))
}

/// What balancers of one file should say alike of a backend, and what it is called.
const COMPARED: [(&str, Told); 6] = [
    ("", |it| it.standing.clone()),
    (" mode", |it| it.mode.clone()),
    (" address", |it| it.address.clone()),
    (" weight", |it| it.weight.to_string()),
    (" max_connections", |it| it.max_connections.to_string()),
    (" backup", |it| it.is_backup.to_string()),
];

/// `API02: down at lb1, up at lb2`, unless all say the same.
fn difference(what: &str, said: Vec<Named<String>>) -> Option<String> {
    let (_, first) = said.first()?;
    if said.iter().all(|(_, value)| value == first) {
        return None;
    }
    let parts: Vec<_> = said.iter().map(|(by, value)| format!("{value} at {by}")).collect();
    Some(format!("{what}: {}", parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::words::{COLUMNS, width};

    /// Name, standing and weight of a backend.
    type Backend = (&'static str, &'static str, u64);

    fn view(backends: &[Backend]) -> View {
        let one = |&(name, standing, weight): &Backend| BackendView {
            name: name.to_owned(),
            standing: standing.to_owned(),
            why: if standing == "up" { String::new() } else { "status 503".to_owned() },
            weight,
            tries: 5,
            in_flight: 1,
            ..BackendView::default()
        };
        let backends = backends.iter().map(one).collect();
        let pool = PoolView { name: "default".into(), backends, ..PoolView::default() };
        View { pools: vec![pool], ..View::default() }
    }

    /// The backends of each pool, all of the same policy.
    fn pooled(pools: &[(&str, &[Backend])]) -> View {
        let one = |&(name, backends): &(&str, &[Backend])| PoolView {
            name: name.to_owned(),
            policy: "round-robin".to_owned(),
            ..view(backends).pools.remove(0)
        };
        View { pools: pools.iter().map(one).collect(), ..View::default() }
    }

    fn shown(views: Vec<Result<View, String>>) -> Vec<String> {
        let named = views.into_iter().zip(1..).map(|(it, n)| (format!("lb{n}"), it));
        lines(&named.collect::<Vec<_>>(), COLUMNS)
    }

    #[test]
    fn what_is_alike_is_added_up_and_shown_once() {
        let lines = shown(vec![Ok(view(&[("A", "up", 1)])), Ok(view(&[("A", "up", 1)]))]);
        let expected = [
            "lb1: 1 of 1 up",
            "lb2: 1 of 1 up",
            "",
            "backend  state  since  tries  share  busy  failed  p99",
            "A        up        0s     10   100%     2       0",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn the_worst_is_first_and_each_difference_says_who_sees_what() {
        let mut other = view(&[("A", "down", 2), ("C", "up", 1)]);
        other.version = "0.2.0".into();
        let gone = "no balancer answers at http://lb3:9900 (nobody listens there)";
        let mut first = view(&[("B", "up", 1), ("A", "up", 1)]);
        first.version = "0.1.0".into();
        let lines = shown(vec![Ok(first), Ok(other), Err(gone.to_owned())]);
        assert_eq!(lines[2], format!("lb3: {gone}"));
        assert!(lines[5].starts_with("A        down ") && lines[6] == "  status 503", "{lines:#?}");
        let disagree: Vec<_> = lines.iter().skip_while(|it| *it != "They disagree:").collect();
        let expected = [
            "They disagree:",
            "  B: not known to lb2",
            "  A: up at lb1, down at lb2",
            "  A weight: 1 at lb1, 2 at lb2",
            "  C: not known to lb1",
            "  version: 0.1.0 at lb1, 0.2.0 at lb2",
        ];
        assert_eq!(disagree, expected);
        assert!(lines.iter().all(|line| width(line) <= COLUMNS), "{lines:#?}");
    }

    #[test]
    fn each_pool_has_a_table_of_its_own_and_shares_are_of_it() {
        let mut other = pooled(&[("web", &[("A", "up", 1)]), ("api", &[("B", "up", 1)])]);
        other.pools[1].policy = "hash".to_owned();
        other.pools[0].backends[0].tries = 7;
        let one = pooled(&[("web", &[("A", "up", 1)]), ("api", &[("B", "up", 1), ("C", "up", 1)])]);
        let lines = shown(vec![Ok(one), Ok(other)]);
        let expected = [
            "lb1: 3 of 3 up",
            "lb2: 2 of 2 up",
            "",
            "pool web: round-robin",
            "backend  state  since  tries  share  busy  failed  p99",
            "A        up        0s     12   100%     2       0",
            "",
            "pool api: round-robin or hash",
            "backend  state  since  tries  share  busy  failed  p99",
            "B        up        0s     10    67%     2       0",
            "C        up        0s      5    33%     1       0",
            "",
            "They disagree:",
            "  C in pool api: not known to lb2",
            "  pool api policy: round-robin at lb1, hash at lb2",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_pool_that_one_of_them_lacks_is_named_once_and_its_backends_are_not() {
        let one = pooled(&[("web", &[("A", "up", 1)]), ("api", &[("B", "up", 1)])]);
        let lines = shown(vec![Ok(one), Ok(pooled(&[("web", &[("A", "up", 1)])]))]);
        let at = lines.iter().position(|line| line == "They disagree:").unwrap();
        assert_eq!(lines[at + 1..], ["  pool api: not known to lb2"]);
    }

    #[test]
    fn where_none_answers_there_is_no_table() {
        let gone = || Err("no balancer answers".to_owned());
        assert_eq!(shown(vec![gone(), gone()]).len(), 2);
    }
}
