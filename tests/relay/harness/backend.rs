//! A backend in the test's own process: a raw listener whose connections follow a script. It
//! records the requests it was sent, and every byte.

use super::places::{Place, Vacant};
use super::{DEADLINE, Gate, Message, Wire};
use std::collections::HashMap;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

/// A listening backend; dropping it closes all and fails the test if a script failed.
pub struct Backend {
    port: u16,
    listener: TcpListener,
    core: Arc<Core>,
    acceptor: Option<JoinHandle<()>>,
}

/// What arrived.
#[derive(Default)]
pub struct Notes {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    requests: Vec<Message>,
    /// What each connection carried, as far as it is worth keeping.
    tapes: Vec<Vec<u8>>,
}

struct Core {
    notes: Arc<Notes>,
    script: Box<Script>,
    open: Mutex<HashMap<usize, TcpStream>>,
    stopped: AtomicBool,
}

/// Serves a connection; told how many came before it.
type Script = dyn Fn(usize, &mut Wire) + Send + Sync;

const TAPE_BYTES_MAX: usize = 1 << 20;

/// Answers every request with 200 and what it was, as a good server does, until the peer is gone.
pub fn serve(wire: &mut Wire) {
    while let Some(request) = wire.request() {
        let (method, target) = (request.method(), request.target());
        let body = format!("{method} {target} {}\n", request.body.len());
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let body = if method == "HEAD" { "" } else { &body };
        if !wire.offer(head + body) {
            return;
        }
    }
}

impl Backend {
    /// A good server.
    pub fn plain() -> Self {
        Self::every(serve)
    }

    /// Each connection follows `script`; where it returns, the connection is closed.
    pub fn every(script: impl Fn(&mut Wire) + Send + Sync + 'static) -> Self {
        Self::scripted(move |_, wire| script(wire))
    }

    /// The first connection follows `script`, all others find a good server.
    pub fn first(script: impl Fn(&mut Wire) + Send + Sync + 'static) -> Self {
        Self::scripted(move |visit, wire| if visit == 0 { script(wire) } else { serve(wire) })
    }

    /// Answers the first request with these bytes and closes; then it is a good server.
    pub fn says(answer: impl AsRef<[u8]>) -> Self {
        let answer = answer.as_ref().to_vec();
        Self::first(move |wire| {
            if wire.request().is_some() {
                wire.offer(&answer);
            }
        })
    }

    /// Answers every request with these bytes.
    pub fn repeating(answer: impl AsRef<[u8]>) -> Self {
        let answer = answer.as_ref().to_vec();
        Self::every(move |wire| while wire.request().is_some() && wire.offer(&answer) {})
    }

    /// Answers every request with this status, and no body.
    pub fn answering(status: u16) -> Self {
        Self::repeating(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))
    }

    /// Reads each request and never answers.
    pub fn silent() -> Self {
        Self::every(|wire| while wire.request().is_some() {})
    }

    /// Answers at once, but `/held` only once the gate is open.
    pub fn holding(gate: &Gate) -> Self {
        let gate = gate.clone();
        Self::every(move |wire| {
            while let Some(request) = wire.request() {
                if request.target() == "/held" {
                    gate.pass();
                }
                if !wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") {
                    return;
                }
            }
        })
    }

    /// Answers the first request with this text once the gate is open, and closes; then it is a
    /// good server.
    pub fn held(gate: &Gate, text: &str) -> Self {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        let gate = gate.clone();
        Self::first(move |wire| {
            wire.request();
            gate.pass();
            wire.offer(&answer);
        })
    }

    /// Each connection follows `script`, which is told how many came before.
    pub fn scripted(script: impl Fn(usize, &mut Wire) + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    /// A good server there, such as `[::1]:0`; none where the machine lacks that address.
    pub fn at(address: &str) -> Option<Self> {
        Self::at_with(address, serve)
    }

    /// One there that does otherwise.
    pub fn at_with(
        address: &str,
        script: impl Fn(&mut Wire) + Send + Sync + 'static,
    ) -> Option<Self> {
        let listener = TcpListener::bind(address).ok()?;
        Some(Self::on(listener, move |_, wire| script(wire)))
    }

    pub(super) fn on(
        listener: TcpListener,
        script: impl Fn(usize, &mut Wire) + Send + Sync + 'static,
    ) -> Self {
        let core = Arc::new(Core {
            notes: Arc::default(),
            script: Box::new(script),
            open: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let port = listener.local_addr().unwrap().port();
        let (theirs, accepting) = (Arc::clone(&core), listener.try_clone().unwrap());
        let acceptor = thread::spawn(move || theirs.accept(&accepting));
        Self { port, listener, core, acceptor: Some(acceptor) }
    }

    /// Whole requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<Message> {
        self.core.notes.inner.lock().unwrap().requests.clone()
    }

    /// Waits for `count` whole requests and returns all.
    pub fn wait_requests(&self, count: usize) -> Vec<Message> {
        let notes = &self.core.notes;
        let few = |inner: &mut Inner| inner.requests.len() < count;
        let inner = notes.inner.lock().unwrap();
        let (inner, _) = notes.changed.wait_timeout_while(inner, DEADLINE, few).unwrap();
        assert!(inner.requests.len() >= count, "{} of {count} requests", inner.requests.len());
        inner.requests.clone()
    }

    /// Waits for a whole request for that target: where checks come too, which a count takes in.
    pub fn wait_target(&self, target: &str) {
        let notes = &self.core.notes;
        let is_awaited =
            |inner: &mut Inner| !inner.requests.iter().any(|seen| seen.target() == target);
        let inner = notes.inner.lock().unwrap();
        let (_inner, wait) = notes.changed.wait_timeout_while(inner, DEADLINE, is_awaited).unwrap();
        assert!(!wait.timed_out(), "no request for {target}");
    }

    /// Every byte received so far, one text a connection.
    pub fn tapes(&self) -> Vec<Vec<u8>> {
        self.core.notes.inner.lock().unwrap().tapes.clone()
    }

    /// Connections so far.
    pub fn visits(&self) -> usize {
        self.core.notes.inner.lock().unwrap().tapes.len()
    }

    /// Connections now.
    pub fn connections(&self) -> usize {
        self.core.open.lock().unwrap().len()
    }

    /// Closes the listener and every connection; the port stays reserved.
    pub fn go_down(self) -> Vacant {
        let port = self.port;
        drop(self);
        Vacant::at(port)
    }

    fn close(&self) {
        self.core.stopped.store(true, Ordering::SeqCst);
        // Ends the blocking accept, which returns an error then.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        for stream in self.core.open.lock().unwrap().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Place for Backend {
    fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.close();
        // A test that has failed leaves scripts behind that wait for it in vain.
        if !thread::panicking() {
            let fine = self.acceptor.take().is_none_or(|acceptor| acceptor.join().is_ok());
            assert!(fine, "a backend's script failed");
        }
    }
}

impl Core {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        let mut visits: Vec<JoinHandle<()>> = Vec::new();
        while let Ok((stream, _)) = listener.accept() {
            let visit = self.notes.open_tape();
            let mut open = self.open.lock().unwrap();
            if self.stopped.load(Ordering::SeqCst) {
                break;
            }
            open.insert(visit, stream.try_clone().unwrap());
            let core = Arc::clone(self);
            visits.push(thread::spawn(move || core.serve(visit, stream)));
        }
        let results: Vec<_> = visits.into_iter().map(JoinHandle::join).collect();
        assert!(results.iter().all(Result::is_ok), "a script failed");
    }

    fn serve(&self, visit: usize, stream: TcpStream) {
        let mut wire = Wire::of(stream).noted(&self.notes, visit);
        (self.script)(visit, &mut wire);
        // The last copy goes while it is still counted: whoever counts none finds it closed.
        drop(wire);
        let mut open = self.open.lock().unwrap();
        drop(open.remove(&visit));
    }
}

impl Notes {
    pub(super) fn add(&self, request: Message) {
        self.inner.lock().unwrap().requests.push(request);
        self.changed.notify_all();
    }

    pub(super) fn record(&self, visit: usize, bytes: &[u8]) {
        let tape = &mut self.inner.lock().unwrap().tapes[visit];
        let room = TAPE_BYTES_MAX.saturating_sub(tape.len());
        tape.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn open_tape(&self) -> usize {
        let tapes = &mut self.inner.lock().unwrap().tapes;
        tapes.push(Vec::new());
        tapes.len() - 1
    }
}
