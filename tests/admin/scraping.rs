//! A real Prometheus asks a running balancer, and sees what happens there; the rules that are
//! shipped hold.

use crate::harness::{Backend, has};
use crate::panel::Panel;
use crate::prometheus::{Prometheus, shipped};
use std::process::Command;

const TOKEN: &str = "the-token-of-ours";

/// Runs promtool there and returns what it says.
fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).current_dir(shipped()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}

#[test]
fn the_rules_that_are_shipped_hold_and_are_tried_both_ways() {
    if !has("promtool") {
        return;
    }
    promtool(&["check", "rules", "--lint-fatal", "evenly.rules.yml"]);
    promtool(&["check", "config", "--syntax-only", "prometheus.yml"]);
    promtool(&["test", "rules", "evenly.rules.test.yml"]);
    let read = |name: &str| std::fs::read_to_string(shipped().join(name)).unwrap();
    let (rules, tests) = (read("evenly.rules.yml"), read("evenly.rules.test.yml"));
    let tries: Vec<_> = tests.split("        alertname: ").skip(1).collect();
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let of_it = || tries.iter().filter(|text| text.lines().next() == Some(alert));
        let is_calm = |text: &&&str| text.lines().nth(1).unwrap().ends_with("exp_alerts: []");
        let calm = of_it().filter(is_calm).count();
        let fired = of_it().count() - calm;
        assert!(calm > 0 && fired > 0, "{alert} is not tried both ways");
    }
    for recorded in rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")) {
        assert!(tests.contains(recorded), "{recorded} is not tried");
    }
}

#[test]
fn a_prometheus_sees_traffic_a_drain_a_dead_backend_and_reloads() {
    if !has("prometheus") {
        return;
    }
    let [a, b, c] = [Backend::plain(), Backend::plain(), Backend::plain()];
    let settings =
        format!("admin.token = \"{TOKEN}\"\nhealth.interval = \"100ms\"\nhealth.timeout = \"2s\"");
    let panel = Panel::with(&[&a, &b], &settings);
    let prometheus = Prometheus::asking(panel.address, TOKEN);
    prometheus.awaits("up{job=\"evenly\"} == 1");
    let build = &prometheus.awaits("evenly_build_info")[0];
    assert_eq!(build.labels["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(build.value, 1.0);
    prometheus.awaits("evenly_requests_total{code=\"2xx\", backend=\"A\"} == 0");

    (0..10).for_each(|_| drop(panel.proxy.get("/")));
    prometheus.awaits("sum(evenly_requests_total{code=\"2xx\"}) == 10");
    prometheus.awaits("increase(evenly_requests_total{code=\"2xx\", backend=\"A\"}[30s]) > 4");
    prometheus.awaits("instance_pool:evenly_requests:rate5m{pool=\"default\"} > 0");
    prometheus.awaits("instance_pool:evenly_request_first_byte_seconds:p99_5m > 0");

    panel.post("/backends/A/drain");
    prometheus.awaits("evenly_backend_state{backend=\"A\", state=\"drain\"} == 1");
    prometheus.awaits("evenly_backend_up{backend=\"A\"} == 1");
    panel.post("/backends/A/ready");
    prometheus.awaits("evenly_backend_state{backend=\"A\", state=\"up\"} == 1");

    let _vacant = b.go_down();
    prometheus.awaits("evenly_backend_up{backend=\"B\"} == 0");
    prometheus.awaits("evenly_backend_state{backend=\"B\", state=\"down\"} == 1");
    prometheus
        .awaits("increase(evenly_backend_checks_total{backend=\"B\", result=\"failed\"}[30s]) > 0");
    prometheus.awaits("ALERTS{alertname=\"EvenlyBackendDown\", alertstate=\"pending\"}");

    panel.proxy.pardon("not reloaded");
    panel.proxy.scratch.write("applications.toml", "nonsense");
    panel.proxy.hup();
    prometheus.awaits("evenly_config_last_reload_successful == 0");
    prometheus.awaits("ALERTS{alertname=\"EvenlyReloadFailed\", alertstate=\"firing\"}");

    panel.proxy.reload(&[&a, &c], &settings);
    prometheus.awaits("evenly_config_last_reload_successful == 1");
    prometheus.awaits("evenly_config_changes_total == 1");
    // It is called B, as the one before it was.
    prometheus.awaits("evenly_backend_up{backend=\"B\"} == 1");
    prometheus.awaits_none("ALERTS{alertname=\"EvenlyReloadFailed\"}");
    prometheus.awaits("sum(resets(evenly_requests_total{backend!=\"B\"}[5m])) == 0");
    prometheus.awaits("sum(resets(evenly_requests_ended_total[5m])) == 0");

    panel.proxy.reload(&[&a], &settings);
    prometheus.awaits_none("evenly_backend_up{backend=\"B\"}");
    prometheus.awaits("evenly_pool_backends == 1");
}

#[test]
fn a_prometheus_without_the_token_is_told_to_be_kept_out() {
    if !has("prometheus") {
        return;
    }
    let backend = Backend::plain();
    let panel = Panel::with(&[&backend], &format!("admin.token = \"{TOKEN}\""));
    let prometheus = Prometheus::asking(panel.address, "another token, of old");
    prometheus.awaits("up{job=\"evenly\"} == 0");
    let targets = prometheus.data("/api/v1/targets");
    let error = targets["activeTargets"][0]["lastError"].as_str().unwrap().to_owned();
    assert!(error.contains("401"), "{error}");
    panel.proxy.process.said.wait("is refused with 401");
}
