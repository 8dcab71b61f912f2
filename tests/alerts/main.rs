//! Alerts through real sockets, a real web server and real programs: who is told what, and that
//! nothing of a stranger's gets out of its place.

#![cfg(feature = "alerts")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, unused_imports, reason = "the relay's tests use the rest of it")]
#[path = "../relay/harness/mod.rs"]
mod harness;

mod commands;
mod hostile;
mod night;
mod trials;
mod webhooks;

use harness::{Backend, Message, Process, Scratch};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// Checks as often as a test can wait for.
const OFTEN: &str = "health.interval = \"50ms\"\nhealth.rise = 1\nhealth.fall = 1\n";

/// An application whose checks are answered with a status that the test can change.
struct App {
    status: Arc<AtomicU16>,
    server: Backend,
}

impl App {
    fn new() -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let own = Arc::clone(&status);
        let server = Backend::every(move |wire| {
            while let Some(request) = wire.request() {
                let status = match request.target() {
                    "/health" => own.load(Relaxed),
                    _ => 200,
                };
                if !wire.offer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")) {
                    return;
                }
            }
        });
        Self { status, server }
    }

    fn turn(&self, status: u16) {
        self.status.store(status, Relaxed);
    }
}

/// A webhook to this server, with more keys.
fn hook(to: &Backend, keys: &str) -> String {
    use harness::Place;
    let url = format!("http://127.0.0.1:{}/hook", to.port());
    format!("{{kind = \"webhook\", url = \"{url}\"{keys}}}")
}

fn json(message: &Message) -> Value {
    serde_json::from_slice(&message.body).unwrap_or_else(|why| panic!("{why}: {message:?}"))
}

/// What a field of each message says.
fn each(messages: &[Message], field: &str) -> Vec<String> {
    messages.iter().map(|message| json(message)[field].as_str().unwrap().to_owned()).collect()
}

/// Runs `alert-test` with this list of alerts.
fn alert_test(
    scratch: &Scratch,
    alerts: &str,
    arguments: &[&str],
) -> (Option<i32>, String, String) {
    let text = format!("alerts = [{alerts}]\n[[applications]]\nip = \"192.0.2.1\"\nport = 80\n");
    scratch.write("applications.toml", text);
    run(scratch.path(), &[&["alert-test"], arguments].concat())
}

fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    Process::evenly(arguments, directory).finish()
}
