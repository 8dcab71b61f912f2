//! The board for Grafana that is shipped: well formed, and each of its queries answered by a real
//! Prometheus that asks a real balancer.

use crate::harness::{Backend, Certs, Keyed, Proxy, has};
use crate::prometheus::Prometheus;
use serde_json::Value;
use std::collections::BTreeSet;

const BOARD: &str = include_str!("../../deploy/grafana/evenly.json");

/// Queries that come to nothing while all is well, by what is in them.
const QUIET: [&str; 3] = [
    "evenly_alerts_total", // no channel is configured
    "evenly_pool_paused",  // nobody has paused it
    "evenly_config_last_reload_successful{job=~\"evenly\", instance=~\".*\"} - 1",
];

/// Units as Grafana names them, of those that the board has a use for.
const UNITS: [&str; 7] = ["short", "none", "s", "reqps", "percentunit", "bytes", "Bps"];

fn board() -> Value {
    serde_json::from_str(BOARD).unwrap()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// With what Grafana puts in the place of its variables.
fn filled(expression: &str) -> String {
    let values =
        [("$__rate_interval", "30s"), ("$job", "evenly"), ("$instance", ".*"), ("$pool", ".*")];
    let fill = |text: String, (name, value): (&str, &str)| text.replace(name, value);
    let filled = values.into_iter().fold(expression.to_owned(), fill);
    assert!(!filled.contains('$'), "a variable that is not known: {filled}");
    filled
}

/// The labels that a name of series is made of: `{{file}}: {{names}}`.
fn labels(legend: &str) -> Vec<String> {
    let parts = legend.split("{{").skip(1);
    parts.map(|part| part.split_once("}}").expect("closed").0.trim().to_owned()).collect()
}

/// All queries: of panels, variables and annotations; and the labels that their answers are shown
/// with.
fn queries() -> Vec<(String, Vec<String>)> {
    let board = board();
    let panels = list(&board, "panels").iter().flat_map(|panel| list(panel, "targets"));
    let annotations = list(&board["annotations"], "list").iter();
    let asked = panels.chain(annotations).filter_map(|it| {
        let legend = it["legendFormat"].as_str().or(it["textFormat"].as_str()).unwrap_or_default();
        Some((filled(it["expr"].as_str()?), labels(legend)))
    });
    let variables = list(&board["templating"], "list").iter();
    let series = variables.filter_map(|variable| {
        let values = variable["query"]["query"].as_str()?.strip_prefix("label_values(")?;
        let (series, label) = values.strip_suffix(')').unwrap().rsplit_once(", ").unwrap();
        Some((filled(series), vec![label.to_owned()]))
    });
    asked.chain(series).collect()
}

#[test]
fn the_board_is_well_formed() {
    let board = board();
    assert_eq!(board["uid"], "evenly");
    assert!(board["id"].is_null() && board["schemaVersion"].as_u64() >= Some(39));
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in list(&board, "panels") {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is another's");
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{title} is wider than the page");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{title} lies over another");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        let known = ["timeseries", "stat", "heatmap", "state-timeline", "bargauge"];
        assert!(known.contains(&panel["type"].as_str().unwrap()), "{title}");
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = list(panel, "targets");
        let names: BTreeSet<_> = targets.iter().map(|it| it["refId"].as_str().unwrap()).collect();
        assert!(!targets.is_empty() && names.len() == targets.len(), "{title}");
        for target in targets {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
        let unit = &panel["fieldConfig"]["defaults"]["unit"];
        assert!(unit.is_null() || UNITS.contains(&unit.as_str().unwrap()), "{title}: {unit}");
        for matcher in list(&panel["fieldConfig"], "overrides").iter().map(|it| &it["matcher"]) {
            assert!(names_a_series(matcher, targets), "{title}: {matcher} matches nothing");
        }
    }
    let variables = list(&board["templating"], "list");
    let datasource = variables.iter().find(|it| it["name"] == "datasource").unwrap();
    assert_eq!([&datasource["type"], &datasource["query"]], ["datasource", "prometheus"]);
}

/// True if a series of these could be the one whose look is set apart.
fn names_a_series(matcher: &Value, targets: &[Value]) -> bool {
    let option = matcher["options"].as_str().unwrap();
    let mut legends = targets.iter().filter_map(|target| target["legendFormat"].as_str());
    match matcher["id"].as_str() {
        Some("byName") => legends.any(|legend| legend == option || legend == "{{code}}"),
        Some("byRegexp") => {
            let end = option.strip_prefix(".*").and_then(|rest| rest.strip_suffix('$')).unwrap();
            legends.any(|legend| legend.ends_with(end) || legend.ends_with("{{result}}"))
        }
        other => panic!("a matcher that is not known: {other:?}"),
    }
}

#[test]
fn the_board_asks_for_no_family_that_there_is_not() {
    let page = include_str!("../../docs/metrics.md");
    let mut all = BTreeSet::new();
    for (query, _) in queries() {
        let words = query.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_'));
        all.extend(words.filter(|word| word.starts_with("evenly_")).map(str::to_owned));
    }
    assert!(all.len() > 20, "{all:?}");
    for name in all {
        let family = name.strip_suffix("_bucket").unwrap_or(&name);
        let listed = [format!("| `{family}`"), format!("| `{family}{{")];
        assert!(listed.iter().any(|row| page.contains(row)), "{name} is not in docs/metrics.md");
    }
}

/// Answers 500 to `/error`, and 200 to all else.
fn failing_at_times() -> Backend {
    Backend::every(|wire| {
        while let Some(request) = wire.request() {
            let status = if request.target() == "/error" { "500 Sorry" } else { "200 OK" };
            if !wire.offer(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")) {
                return;
            }
        }
    })
}

#[test]
fn every_query_of_the_board_is_answered_with_data() {
    if !has("prometheus") {
        return;
    }
    let certs = Certs::make();
    let backends = [failing_at_times(), failing_at_times()];
    let limited = Keyed(&backends[1], "max_connections = 9");
    let settings =
        "admin.listen = \"127.0.0.1:0\"\nhealth.interval = \"1s\"\nhealth.timeout = \"1s\"";
    let proxy = Proxy::secure(&certs, &[&backends[0], &limited], settings);
    let line = proxy.process.said.wait("admin endpoint at ");
    let address = line.rsplit("http://").next().unwrap().parse().unwrap();
    // No token is asked for here, and one that is shown harms nobody.
    let prometheus = Prometheus::asking(address, "none");
    prometheus.awaits("evenly_requests_total{code=\"2xx\"} == 0");
    (0..4).for_each(|_| drop(proxy.get("/")));
    (0..4).for_each(|_| drop(proxy.get("/error")));
    assert_eq!(proxy.ask("GET / HTTP/1.1\r\n\r\n").status(), 400);
    prometheus.awaits("sum(rate(evenly_requests_total{code=\"5xx\"}[30s])) > 0");
    prometheus.awaits("count_over_time(up{job=\"evenly\"}[30s]) > 4");
    for (query, shown) in queries() {
        let found = prometheus.query(&query);
        let quiet = QUIET.iter().any(|part| query.contains(part));
        assert!(quiet || !found.is_empty(), "no data: {query}");
        let odd = found.iter().find(|one| one.value.is_nan());
        for name in &shown {
            let is_there = |one: &Value| one[name].is_string();
            let nameless = found.iter().find(|one| !is_there(&one.labels));
            assert!(nameless.is_none(), "no label {name}: {nameless:?}: {query}");
        }
        // Nobody but these two has answered anything, so there is no quantile of the rest.
        let nobody = |labels: &Value| labels["backend"].is_null();
        assert!(odd.is_none_or(|one| nobody(&one.labels)), "{odd:?}: {query}");
    }
    let [up, usable] = ["evenly_backend_state{state=\"up\"}", "evenly_pool_usable_backends"];
    assert_eq!(prometheus.query(up).len(), 2);
    assert_eq!(prometheus.query(usable)[0].value, 2.0);
}
