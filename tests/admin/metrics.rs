//! What `GET /metrics` says, and that those who read it understand it.

use crate::exposed::Exposed;
use crate::harness::{Backend, Gate, Keyed, Place, Vacant, Wire, eventually, has};
use crate::panel::Panel;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

const PAGE: &str = include_str!("../../docs/metrics.md");

fn text(panel: &Panel) -> String {
    let answer = panel.get("/metrics");
    assert_eq!(answer.status(), 200);
    answer.text()
}

pub fn metrics(panel: &Panel) -> Exposed {
    Exposed::read(&text(panel))
}

/// What promtool has against it.
fn lint(text: &str) {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut lint = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    lint.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = lint.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

/// The same once so many requests are counted: an answer is with its client a moment before.
pub fn counting(panel: &Panel, requests: u32) -> Exposed {
    // What is counted last of each.
    let ended = || metrics(panel).values("evenly_requests_ended_total", &[]).iter().sum::<f64>();
    eventually("all are counted", || ended() >= f64::from(requests));
    metrics(panel)
}

/// Gives the backend A this name, spelled as TOML has it.
fn rename(panel: &Panel, spelled: &str) {
    let path = panel.proxy.scratch.path().join("applications.toml");
    let file = std::fs::read_to_string(&path).unwrap();
    let renamed = file.replace("name = \"A\"", &format!("name = {spelled}"));
    std::fs::write(path, renamed).unwrap();
    panel.proxy.hup();
}

#[test]
fn the_documentation_has_each_family_with_its_labels_and_its_type() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let shown = metrics(&panel);
    let row = |line: &str| {
        let cells: Vec<_> = line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
        let name = cells[0].strip_prefix('`')?.strip_suffix('`')?;
        let (name, labels) = name.trim_end_matches('}').split_once('{').unwrap_or((name, ""));
        let labels: BTreeSet<_> =
            labels.split(", ").filter(|label| !label.is_empty()).map(str::to_owned).collect();
        Some((name.to_owned(), cells[1].to_owned(), labels))
    };
    let (_, page) = PAGE.split_once("## The families").unwrap();
    let (page, _) = page.split_once("\n## ").unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let documented: BTreeSet<_> = rows.filter_map(row).collect();
    let found: BTreeSet<_> =
        shown.families.iter().map(|it| (it.name.clone(), it.kind.clone())).collect();
    let named: BTreeSet<_> =
        documented.iter().map(|(name, kind, _)| (name.clone(), kind.clone())).collect();
    assert_eq!(found, named, "/metrics (left), docs/metrics.md (right)");
    for (name, _, labels) in documented {
        let family = shown.families.iter().find(|family| family.name == name).unwrap();
        for sample in &family.samples {
            let own: BTreeSet<_> =
                sample.labels.keys().filter(|label| *label != "le").cloned().collect();
            assert_eq!(own, labels, "{name}: /metrics (left), docs/metrics.md (right)");
        }
    }
}

#[test]
fn the_documentation_has_each_state_result_and_cause() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    for family in metrics(&panel).families {
        for label in ["state", "result", "cause", "code", "by"] {
            for sample in &family.samples {
                let Some(value) = sample.labels.get(label) else { continue };
                assert!(PAGE.contains(&format!("`{value}`")), "{}: {value}", family.name);
            }
        }
    }
}

#[test]
fn promtool_finds_nothing_to_mend() {
    if !has("promtool") {
        return;
    }
    let (backend, vacant) = (Backend::plain(), Vacant::new());
    let panel = Panel::with(&[&backend, &vacant], "health.interval = \"1h\"");
    (0..3).for_each(|_| drop(panel.proxy.get("/")));
    lint(&text(&panel));
    for spelled in [r#"'a\'"#, r#"'\n"}'"#, r##"'# HELP "a" {b="c"} 1'"##] {
        rename(&panel, spelled);
        lint(&text(&panel));
        rename_back(&panel, spelled);
    }
}

fn rename_back(panel: &Panel, spelled: &str) {
    let path = panel.proxy.scratch.path().join("applications.toml");
    let file = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, file.replace(spelled, "\"A\"")).unwrap();
    panel.proxy.hup();
}

#[test]
fn a_name_with_signs_is_read_as_it_was_given() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    panel.proxy.get("/");
    for name in [r"a\", r#""},"#, r#"\n\"#, r#"x="y",z"#, "# TYPE a b"] {
        let spelled = format!("'{name}'");
        rename(&panel, &spelled);
        let shown = metrics(&panel);
        assert_eq!(shown.value("evenly_backend_up", &[("backend", name)]), 1.0, "{name}");
        let labels = [("backend", name), ("code", "2xx")];
        assert_eq!(shown.value("evenly_requests_total", &labels), 1.0, "{name}");
        rename_back(&panel, &spelled);
    }
}

#[test]
fn it_is_text_of_the_version_that_prometheus_reads_and_head_has_no_body() {
    let backend = Backend::plain();
    let panel = Panel::with(&[&backend], "admin.token = \"a-token-of-sixteen\"");
    let answer = panel.get("/metrics");
    let content_type = Some("text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(answer.field("content-type"), content_type);
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    let mut wire = panel.open();
    wire.send("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = wire.answer_to("HEAD");
    assert_eq!((head.status(), head.field("content-type")), (200, content_type));
    assert!(head.body.is_empty() && head.field("content-length") != Some("0"));
    assert_eq!(panel.post("/metrics").status(), 405);
    assert_eq!(panel.get("/metrics?collect=some").status(), 400);
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let gzip = "Accept-Encoding: gzip\r\n";
    let asked = |field: &str| {
        let head = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n{field}\r\n", panel.address);
        panel.connect().ask(head)
    };
    let shown = asked(&format!("Authorization: Bearer a-token-of-sixteen\r\n{accept}{gzip}"));
    assert_eq!((shown.status(), shown.field("content-type")), (200, content_type));
    assert_eq!(shown.field("content-encoding"), None);
    Exposed::read(&shown.text());
    for wrong in ["", "Authorization: Bearer another\r\n"] {
        assert_eq!(asked(wrong).status(), 401, "{wrong:?}");
    }
}

#[test]
fn all_that_may_come_is_there_before_the_first_request() {
    let backends = [Backend::plain(), Backend::plain()];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    let before = metrics(&panel);
    // Two applications, and what none of them answered; a time for each of these.
    assert_eq!(before.values("evenly_requests_total", &[]), [0.0; 15]);
    assert_eq!(before.values("evenly_request_duration_seconds_count", &[]), [0.0; 3]);
    assert_eq!(before.values("evenly_backend_checks_total", &[]), [0.0; 4]);
    assert_eq!(before.value("evenly_config_last_reload_successful", &[]), 1.0);
    panel.proxy.get("/");
    panel.proxy.ask("BAD\r\n\r\n");
    panel.proxy.ask("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(metrics(&panel).series(), before.series());
}

#[test]
fn requests_are_counted_as_their_clients_were_answered() {
    let backends = [Backend::plain(), Backend::answering(404)];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    (0..4).for_each(|_| drop(panel.proxy.get("/")));
    assert_eq!(panel.proxy.ask("GET / HTTP/1.1\r\n\r\n").status(), 400);
    let shown = counting(&panel, 5);
    let count = |backend: &str, code: &str| {
        let labels = [("pool", "default"), ("backend", backend), ("code", code)];
        shown.value("evenly_requests_total", &labels)
    };
    assert_eq!([count("A", "2xx"), count("B", "4xx"), count("", "4xx")], [2.0, 2.0, 1.0]);
    assert_eq!(shown.values("evenly_requests_total", &[]).iter().sum::<f64>(), 5.0);
    let took = |backend: &str, what: &str| {
        let name = format!("evenly_request_duration_seconds{what}");
        shown.value(&name, &[("backend", backend), ("pool", "default")])
    };
    assert_eq!([took("A", "_count"), took("B", "_count"), took("", "_count")], [2.0, 2.0, 1.0]);
    assert!(took("A", "_sum") > 0.0 && took("A", "_sum") < 60.0);
    let first_byte = |what: &str| {
        shown.value(&format!("evenly_request_first_byte_seconds{what}"), &[("pool", "default")])
    };
    assert_eq!(first_byte("_count"), 5.0);
    assert!(first_byte("_sum") > 0.0 && first_byte("_sum") < 60.0);
    let ended = |cause| shown.value("evenly_requests_ended_total", &[("cause", cause)]);
    assert_eq!([ended("done"), ended("refused"), ended("no-backend")], [4.0, 1.0, 0.0]);
}

/// haproxy/haproxy #843: counters that went up and down while several threads counted.
#[test]
fn counters_only_grow_while_requests_go_on_and_each_request_is_in_them() {
    const EACH: u32 = 300;
    let backends = [(); 2].map(|()| Backend::plain());
    let panel = Panel::with(&[&backends[0], &backends[1]], "server.workers = 4");
    let sum = || metrics(&panel).values("evenly_requests_total", &[]).iter().sum::<f64>();
    std::thread::scope(|scope| {
        let address = panel.proxy.address;
        let ask = move || {
            let mut client = Wire::connect(address);
            (0..EACH).for_each(|_| assert_eq!(client.get("/").status(), 200));
        };
        let asking = [(); 3].map(|()| scope.spawn(ask));
        let mut last = sum();
        while !asking.iter().all(|one| one.is_finished()) {
            let next = sum();
            assert!(next >= last, "{last}, then {next}");
            last = next;
        }
    });
    counting(&panel, 3 * EACH);
    assert_eq!(sum(), f64::from(3 * EACH));
}

#[test]
fn whose_an_error_is_is_told() {
    let backends = [Backend::answering(500), Backend::every(|_| ())];
    let panel = Panel::with(&[&backends[0], &backends[1]], "retry.attempts = 0");
    let answers: BTreeSet<_> = (0..2).map(|_| panel.proxy.get("/").status()).collect();
    assert_eq!(answers, BTreeSet::from([500, 502]));
    let shown = counting(&panel, 2);
    let errors = |by| shown.value("evenly_request_errors_total", &[("by", by)]);
    assert_eq!([errors("application"), errors("evenly")], [1.0, 1.0]);
    panel.proxy.no_farewell();
}

#[test]
fn connections_of_tcp_clients_are_counted_and_are_no_requests() {
    let backend = Backend::every(|wire| {
        wire.expect("ping");
        wire.send("pong!");
        wire.expect_end();
    });
    let listener = "[[listeners]]\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"";
    let panel = Panel::with(&[&backend], listener);
    let mut client = panel.proxy.connect();
    client.send("ping");
    client.expect("pong!");
    let moved = || {
        let shown = metrics(&panel);
        let way = |way| format!("evenly_backend_{way}_bytes_total");
        ["sent", "received"].map(|it| shown.value(&way(it), &[("backend", "A")]))
    };
    eventually("bytes are seen before the end", || moved() == [4.0, 5.0]);
    client.finish();
    client.expect_end();
    let ended =
        |cause| metrics(&panel).value("evenly_tcp_connections_total", &[("cause", cause)]) as u64;
    eventually("it is counted", || ended("done") == 1);
    assert_eq!(ended("connect-failed"), 0);
    let shown = metrics(&panel);
    assert_eq!(shown.values("evenly_requests_total", &[]).iter().sum::<f64>(), 0.0);
    assert_eq!(shown.values("evenly_requests_ended_total", &[]).iter().sum::<f64>(), 0.0);
    assert_eq!(moved(), [4.0, 5.0]);
    panel.proxy.no_farewell();
}

#[test]
fn no_word_of_a_clients_becomes_a_label() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let before = metrics(&panel).series();
    for number in 0..50 {
        let head = format!(
            "M{number} /path{number}?q={number} HTTP/1.1\r\nHost: host{number}.test\r\n\
             User-Agent: agent{number}\r\nX-Request-Id: id{number}\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(panel.proxy.ask(head).status(), 200);
    }
    let after = metrics(&panel);
    assert_eq!(after.series(), before);
    let told =
        |word: &&str| ["M4", "path4", "host4", "agent4", "id4"].iter().any(|it| word.contains(it));
    assert_eq!(after.words().into_iter().find(told), None);
}

#[test]
fn counters_never_go_back_at_a_reload_and_what_is_gone_is_gone() {
    let backends = [Backend::plain(), Backend::plain()];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    (0..4).for_each(|_| drop(panel.proxy.get("/")));
    panel.proxy.ask("GET / HTTP/1.1\r\n\r\n");
    let before = metrics(&panel);
    panel.proxy.reload(&[&backends[0]], "balance.policy = \"two-choices\"");
    let after = metrics(&panel);
    for family in before.families.iter().filter(|family| family.kind != "gauge") {
        for old in &family.samples {
            let labels: Vec<_> =
                old.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            match labels.contains(&("backend", "B")) {
                true => assert!(after.values(&old.name, &labels).is_empty(), "{old:?} stays"),
                false => assert!(after.value(&old.name, &labels) >= old.value, "{old:?} is less"),
            }
        }
    }
    assert!(!after.words().contains("B"), "nothing is left of it");
    assert_eq!(after.value("evenly_config_changes_total", &[]), 1.0);
}

#[test]
fn states_limits_and_the_queue_are_as_they_are_now() {
    let gate = Gate::new();
    let (held, vacant) = (Backend::holding(&gate), Vacant::new());
    let limited = Keyed(&held, "max_connections = 1\nweight = 7");
    let settings = "health.interval = \"1h\"\nhealth.fall = 1\nqueue.length = 10";
    let panel = Panel::with(&[&limited, &vacant], settings);
    eventually("one is down", || panel.backend(1)["standing"] == "down");
    let mut first = panel.proxy.asking("/held");
    eventually("it is under way", || panel.backend(0)["in_flight"] == 1);
    let mut second = panel.proxy.asking("/held");
    eventually("one waits", || panel.status()["pools"][0]["queue"]["length"] == 1);
    let shown = metrics(&panel);
    let of = |name: &str, backend| shown.value(name, &[("backend", backend)]);
    let state = |backend, state| {
        shown.value("evenly_backend_state", &[("backend", backend), ("state", state)])
    };
    assert_eq!([state("A", "up"), state("A", "down"), state("B", "down")], [1.0, 0.0, 1.0]);
    assert_eq!([of("evenly_backend_up", "A"), of("evenly_backend_up", "B")], [1.0, 0.0]);
    let limits = ["A", "B"].map(|backend| of("evenly_backend_requests_limit", backend));
    assert_eq!(limits, [1.0, f64::INFINITY]);
    assert_eq!(of("evenly_backend_requests_in_flight", "A"), 1.0);
    assert_eq!(of("evenly_backend_weight", "A"), 7.0);
    let values = ["evenly_queue_length", "evenly_queue_limit", "evenly_pool_usable_backends"]
        .map(|name| shown.value(name, &[]));
    assert_eq!(values, [1.0, 10.0, 1.0]);
    assert_eq!(shown.value("evenly_connections", &[]), 2.0);
    gate.open();
    assert_eq!([first.answer().status(), second.answer().status()], [200, 200]);
    assert_eq!(panel.post("/backends/A/drain?force=1").status(), 200);
    let drained = metrics(&panel);
    assert_eq!(drained.value("evenly_backend_state", &[("backend", "A"), ("state", "drain")]), 1.0);
    assert_eq!(drained.value("evenly_backend_up", &[("backend", "A")]), 1.0, "it is well");
    panel.proxy.pardon("NO BACKEND IS UP");
    panel.post("/backends/A/ready");
}

#[test]
fn what_the_system_says_of_the_process_is_there() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let process = &panel.proxy.process;
    let first = metrics(&panel);
    let value = |name| first.value(name, &[]);
    let resident = process.memory_kib("VmRSS") as f64 * 1024.0;
    let shown = value("process_resident_memory_bytes");
    assert!((resident / 2.0..resident * 2.0).contains(&shown), "{shown}, and {resident}");
    assert!(value("process_virtual_memory_bytes") >= shown);
    let open = process.descriptors() as f64;
    assert!((open - value("process_open_fds")).abs() < 10.0, "{open}");
    assert!(value("process_max_fds") > open && value("process_threads") > 3.0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let age = now.as_secs_f64() - value("process_start_time_seconds");
    assert!((0.0..600.0).contains(&age), "{age}");
    (0..50).for_each(|_| drop(panel.proxy.get("/")));
    let later = metrics(&panel);
    let [before, after] = [&first, &later].map(|it| it.value("process_cpu_seconds_total", &[]));
    assert!(before > 0.0 && after > before, "{before}, then {after}");
}

/// A place of its own for each number; nobody is there.
struct Far(String);

impl Place for Far {
    fn port(&self) -> u16 {
        9
    }

    fn host(&self) -> &str {
        &self.0
    }
}

#[test]
fn a_thousand_backends_take_a_few_megabytes() {
    let far: Vec<_> = (0..1000).map(|it| Far(format!("127.9.{}.{}", it / 250, it % 250))).collect();
    let places: Vec<&dyn Place> = far.iter().map(|place| place as &dyn Place).collect();
    let panel = Panel::over(&places);
    panel.proxy.no_farewell();
    let before = panel.proxy.process.memory_kib("VmHWM");
    let text = text(&panel);
    let grown = panel.proxy.process.memory_kib("VmHWM") - before;
    let shown = Exposed::read(&text);
    assert_eq!(shown.values("evenly_backend_up", &[]), [1.0; 1000]);
    assert!(text.len() < 6_000_000, "{} bytes", text.len());
    assert!(grown * 1024 < 3 * text.len(), "{grown} KiB more for {} bytes", text.len());
}

#[test]
fn a_file_that_is_put_back_as_it_was_is_no_failed_reload_any_more() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let successful = || {
        let shown = metrics(&panel);
        let tried = shown.value("evenly_config_last_reload_timestamp_seconds", &[]);
        (shown.value("evenly_config_last_reload_successful", &[]), tried)
    };
    let (_, at_the_start) = successful();
    let path = panel.proxy.scratch.path().join("applications.toml");
    let file = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, "nonsense").unwrap();
    panel.proxy.pardon("not reloaded");
    assert_eq!(panel.post("/reload").status(), 422);
    let (failed, then) = successful();
    assert!(failed == 0.0 && then > at_the_start, "{failed} at {then}");
    std::fs::write(&path, file).unwrap();
    assert_eq!(panel.post("/reload").status(), 200);
    let (good, now) = successful();
    assert!(good == 1.0 && now > then, "{good} at {now}, though nothing changes");
    assert_eq!(metrics(&panel).value("evenly_config_changes_total", &[]), 0.0);
}

#[cfg(feature = "alerts")]
#[test]
fn alerts_are_counted_by_what_became_of_them() {
    let backend = Backend::plain();
    let alert = |name: &str| {
        format!(
            "[[alerts]]\nname = \"{name}\"\nkind = \"command\"\ncommand = [\"/bin/true\"]\n\
             on = [\"reload-failed\"]\nwait = \"1ms\"\n"
        )
    };
    let listener = Backend::plain();
    let beat = format!("[heartbeat]\nurl = \"http://127.0.0.1:{}/\"\n", listener.port());
    let panel = Panel::with(&[&backend], &(alert("on call") + &alert("heartbeat") + &beat));
    let count = |name: &str, result: &str| {
        let labels = [("name", name), ("result", result)];
        metrics(&panel).value("evenly_alerts_total", &labels)
    };
    assert_eq!(["sent", "failed", "held-back"].map(|it| count("on call", it)), [0.0; 3]);
    eventually("it beats", || count("heartbeat", "sent") == 1.0);
    panel.proxy.pardon("not reloaded");
    std::fs::write(panel.proxy.scratch.path().join("applications.toml"), "nonsense").unwrap();
    panel.proxy.hup();
    eventually("one was sent", || count("on call", "sent") == 1.0);
    assert_eq!(count("on call", "failed"), 0.0);
    eventually("both of one name are one", || count("heartbeat", "sent") == 2.0);
}
