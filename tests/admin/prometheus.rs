//! A Prometheus as it is shipped, with the configuration and the rules that Evenly ships, which
//! asks an endpoint each second.

use crate::harness::{Process, Scratch, Wire};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// It asks once a second, and may have other things to do.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running one with data of its own; it is ended when dropped.
pub struct Prometheus {
    _process: Process,
    address: SocketAddr,
    _scratch: Scratch,
}

/// A series and its value, as an answer has them.
#[derive(Clone, Debug)]
pub struct Answered {
    pub labels: Value,
    pub value: f64,
}

/// What is shipped in `deploy/prometheus`.
pub fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus")
}

impl Prometheus {
    /// Which asks at that address, with this token.
    pub fn asking(target: SocketAddr, token: &str) -> Self {
        let scratch = Scratch::new();
        let read = |name: &str| std::fs::read_to_string(shipped().join(name)).unwrap();
        let mut file = read("prometheus.yml");
        for (shipped, ours) in
            [("10.0.0.5:9900\n", format!("{target}\n")), (": 15s", ": 1s".into())]
        {
            assert!(file.contains(shipped), "{shipped:?} is in prometheus.yml");
            file = file.replace(shipped, &ours);
        }
        let file = scratch.write("prometheus.yml", file);
        scratch.write("evenly.rules.yml", read("evenly.rules.yml"));
        scratch.write("evenly.token", token);
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display())).args([
            "--storage.tsdb.path=data",
            "--web.listen-address=127.0.0.1:0",
            "--log.level=info",
        ]);
        let process = Process::start(&mut command, scratch.path());
        let line = process.said.wait("msg=\"Listening on\"");
        let address = line.rsplit("address=").next().unwrap().trim().parse().unwrap();
        let own = Self { _process: process, address, _scratch: scratch };
        own.until("it is ready", || Wire::connect(address).get("/-/ready").status() == 200);
        own
    }

    /// What the expression comes to now; an error of the query is a failure.
    pub fn query(&self, expression: &str) -> Vec<Answered> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let data = self.data(&format!("/api/v1/query?query={encoded}"));
        if data["resultType"] == "scalar" {
            return vec![Answered { labels: Value::Null, value: number(&data["result"][1]) }];
        }
        let series = data["result"].as_array().unwrap();
        let answered = |one: &Value| Answered {
            labels: one["metric"].clone(),
            value: number(&one["value"][1]),
        };
        series.iter().map(answered).collect()
    }

    /// What is at this path of its interface.
    pub fn data(&self, target: &str) -> Value {
        let answer = Wire::connect(self.address).get(target);
        let whole: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(whole["status"], "success", "{target}: {whole}");
        whole["data"].clone()
    }

    /// Waits until the expression comes to anything.
    pub fn awaits(&self, expression: &str) -> Vec<Answered> {
        let mut found = Vec::new();
        self.until(expression, || {
            found = self.query(expression);
            !found.is_empty()
        });
        found
    }

    /// Waits until it comes to nothing.
    pub fn awaits_none(&self, expression: &str) {
        self.until(expression, || self.query(expression).is_empty());
    }

    fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !done() {
            let targets = || Wire::connect(self.address).get("/api/v1/targets").text();
            assert!(Instant::now() < deadline, "in vain: {what}; {}", targets());
            thread::park_timeout(Duration::from_millis(50));
        }
    }
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}
