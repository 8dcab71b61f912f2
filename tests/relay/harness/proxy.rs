//! Evenly between its backends, and the rules that every test of it ends with: it is alive, a fresh
//! GET is answered, its descriptors are back, it has logged no error, and TERM ends it with 0.

use super::{Certs, Message, Pem, Place, Process, Scratch, Trusting, Wire, eventually};
use rustix::process::Signal;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::thread;

/// A running proxy; dropping it holds it to the rules.
pub struct Proxy {
    pub process: Process,
    pub address: SocketAddr,
    /// Where it runs; its files are here.
    pub scratch: Scratch,
    /// How it is spoken to, where not in the clear.
    trusting: Option<Trusting>,
    /// Descriptors when it had just started.
    descriptors: usize,
    farewell: Cell<Option<u16>>,
    /// What each connection begins with, before TLS.
    ahead: RefCell<Vec<u8>>,
    pardoned: RefCell<Vec<String>>,
    ended: bool,
}

/// What a test need not say. Checks are off, as most tests count what backends receive; idle
/// connections to backends go soon, so that descriptors come back.
const DEFAULTS: [(&str, &str); 5] = [
    ("server.listen", "\"127.0.0.1:0\""),
    ("server.workers", "2"),
    ("health.interval", "\"off\""),
    ("timeouts.upstream_keep_alive", "\"50ms\""),
    ("timeouts.drain", "\"5s\""),
];

impl Proxy {
    /// In front of these backends, which it calls A, B, C and so on.
    pub fn over(backends: &[&dyn Place]) -> Self {
        Self::with(backends, "")
    }

    /// The same with more settings, one a line: `timeouts.response = "1s"`.
    pub fn with(backends: &[&dyn Place], settings: &str) -> Self {
        Self::within("", backends, settings)
    }

    /// The same for clients that speak TLS to `localhost` and trust this authority.
    pub fn secure(certs: &Certs, backends: &[&dyn Place], settings: &str) -> Self {
        Self::showing(certs, &[&certs.leaf("localhost")], backends, settings)
    }

    /// Which shows these certificates, of this authority.
    pub fn showing(
        certs: &Certs,
        leaves: &[&Pem],
        backends: &[&dyn Place],
        settings: &str,
    ) -> Self {
        let certificates: Vec<_> = leaves.iter().map(|leaf| &leaf.0).collect();
        let keys: Vec<_> = leaves.iter().map(|leaf| &leaf.1).collect();
        let shown = format!("tls.certificates = {certificates:?}\ntls.keys = {keys:?}\n");
        let mut proxy = Self::with(backends, &(shown + settings));
        proxy.trusting = Some(Trusting::of(certs));
        proxy
    }

    /// The same where a shell has first run `limits`, such as `ulimit -n 64`.
    pub fn within(limits: &str, backends: &[&dyn Place], settings: &str) -> Self {
        let scratch = Scratch::new();
        let file = scratch.write("applications.toml", configuration(backends, settings));
        let mut command = Command::new("sh");
        let script = format!("{limits}\nexec \"$0\" serve -c \"$1\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_evenly")]).arg(file);
        let process = Process::start(&mut command, scratch.path());
        Self::watch(process, scratch)
    }

    fn watch(process: Process, scratch: Scratch) -> Self {
        let line = process.said.wait("listening on ");
        Self {
            address: address(&line),
            descriptors: process.descriptors(),
            process,
            scratch,
            trusting: None,
            farewell: Cell::new(Some(200)),
            ahead: RefCell::default(),
            pardoned: RefCell::default(),
            ended: false,
        }
    }

    /// A connection as a client has it: through TLS, where that is spoken.
    pub fn connect(&self) -> Wire {
        let mut wire = self.connect_raw();
        wire.send_raw(&self.ahead.borrow());
        if let Some(trusting) = &self.trusting {
            wire.secure(trusting.to("localhost"));
        }
        wire
    }

    /// A connection in the clear, whatever is spoken.
    pub fn connect_raw(&self) -> Wire {
        Wire::connect(self.address)
    }

    /// A connection of the client at 127.0.0.`number`; all others are at 127.0.0.1.
    pub fn connect_as(&self, number: u8) -> Wire {
        Wire::connect_from(Ipv4Addr::new(127, 0, 0, number), self.address)
    }

    /// A GET on a connection of its own.
    pub fn get(&self, target: &str) -> Message {
        self.ask(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"))
    }

    /// A client that has asked for this, and waits for its answer.
    pub fn asking(&self, target: &str) -> Wire {
        let mut client = self.connect();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        client
    }

    /// A request on a connection of its own.
    pub fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        self.connect().ask(request)
    }

    /// What the access log, in JSON, says of the request for `target`.
    pub fn record(&self, target: &str) -> Value {
        let line = self.process.printed.wait(&format!("\"target\":\"{target}\""));
        serde_json::from_str(&line).unwrap()
    }

    /// Event lines so far that contain `part`.
    pub fn said(&self, part: &str) -> usize {
        self.process.said.count(part)
    }

    /// Where it listens besides, at its `nth` listener from 1.
    pub fn listener(&self, nth: usize) -> SocketAddr {
        address(&self.process.said.wait_nth("listening on ", nth))
    }

    /// What the last GET is to be answered with, where the backends are not in order.
    pub fn farewell(&self, status: u16) {
        self.farewell.set(Some(status));
    }

    /// Each connection is to begin with these bytes, whatever is spoken on it.
    pub fn begin_with(&self, ahead: impl AsRef<[u8]>) {
        self.ahead.replace(ahead.as_ref().to_vec());
    }

    /// No last GET: nobody would answer it in time.
    pub fn no_farewell(&self) {
        self.farewell.set(None);
    }

    /// ERROR lines that contain `part` are what the test is about.
    pub fn pardon(&self, part: &str) {
        self.pardoned.borrow_mut().push(part.to_owned());
    }

    /// Puts another configuration in the place of its file, which it does not read by itself.
    pub fn rewrite(&self, backends: &[&dyn Place], settings: &str) {
        let next = self.scratch.write("next.toml", configuration(backends, settings));
        fs::rename(next, self.scratch.path().join("applications.toml")).unwrap();
    }

    /// Has it read its file again: the line that says what came of it.
    pub fn hup(&self) -> String {
        let before = self.said(" reloaded");
        self.process.signal(Signal::HUP);
        self.process.said.wait_nth(" reloaded", before + 1)
    }

    /// Puts another configuration into force.
    pub fn reload(&self, backends: &[&dyn Place], settings: &str) -> String {
        self.rewrite(backends, settings);
        self.hup()
    }

    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits for the end and returns the exit code; the rules that need it alive are off then.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.ended = true;
        let code = self.process.wait().code();
        self.hold_to_silence();
        code
    }

    fn hold_to_the_rules(&mut self) {
        assert!(self.process.is_running(), "it has ended");
        if let Some(status) = self.farewell.get() {
            let answer = self.get("/farewell");
            assert_eq!(answer.status(), status, "the last GET: {}", answer.text());
        }
        let allowed = self.descriptors;
        let process = &self.process;
        eventually("descriptors are back", || process.descriptors() <= allowed);
        self.terminate();
        assert_eq!(self.exit_code(), Some(0));
    }

    fn hold_to_silence(&self) {
        let pardoned = self.pardoned.borrow();
        for line in self.process.said.complete() {
            let error = line.contains(" ERROR ") || line.contains("panicked");
            let pardon = pardoned.iter().any(|part| line.contains(part));
            assert!(!error || pardon, "{line}");
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if !self.ended && !thread::panicking() {
            self.hold_to_the_rules();
        }
        if thread::panicking() {
            let name = thread::current().name().unwrap_or_default().to_owned();
            let log = self.process.said.all().join("\n");
            let _ = writeln!(std::io::stderr(), "---- what evenly said in {name} ----\n{log}");
        }
    }
}

/// Where it listens, by such a line.
fn address(line: &str) -> SocketAddr {
    let rest = line.split("listening on ").nth(1).unwrap_or_default();
    let address = rest.split([' ', ',']).next().unwrap_or_default().trim_end_matches(':');
    let address = address.trim_start_matches("http://").parse();
    address.unwrap_or_else(|_| panic!("no address in {line:?}"))
}

fn configuration(backends: &[&dyn Place], settings: &str) -> String {
    let mut text = String::new();
    // Then they say where it listens.
    let has_listeners = settings.contains("[[listeners]]");
    for (key, value) in DEFAULTS {
        if has_listeners && key == "server.listen" {
            continue;
        }
        if !settings.lines().any(|line| line.trim_start().starts_with(key)) {
            writeln!(text, "{key} = {value}").unwrap();
        }
    }
    writeln!(text, "{settings}").unwrap();
    let letters = ('A'..='Z').map(String::from);
    let names = letters.chain((26..).map(|number| format!("N{number}")));
    for (name, backend) in names.zip(backends) {
        let (host, port, keys) = (backend.host(), backend.port(), backend.keys());
        let table = format!("name = \"{name}\"\nip = \"{host}\"\nport = \"{port}\"\n{keys}");
        // Settings with pools say where each of them is.
        let place = format!("<{name}>");
        match text.contains(&place) {
            true => text = text.replace(&place, &format!("[[pools.applications]]\n{table}")),
            false => writeln!(text, "[[applications]]\n{table}").unwrap(),
        }
    }
    text
}
