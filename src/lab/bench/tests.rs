//! The load generator against real servers: the demo backend, and ones that follow a script.

mod answers;
mod connections;
mod faults;
mod pace;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Enough for any event on a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// A server that gives each connection to a script; it ends when dropped.
struct Scripted {
    address: SocketAddr,
    stopping: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
    acceptor: Option<JoinHandle<()>>,
}

/// One connection of it.
struct Peer(BufReader<TcpStream>);

impl Scripted {
    fn start(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stopping, connections) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (stop, count) = (Arc::clone(&stopping), Arc::clone(&connections));
        let accept = move || {
            thread::scope(|scope| {
                for socket in listener.incoming() {
                    if stop.load(Ordering::SeqCst) > 0 {
                        break;
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                    let (socket, script) = (socket.unwrap(), &script);
                    socket.set_read_timeout(Some(LONG)).unwrap();
                    socket.set_nodelay(true).unwrap();
                    scope.spawn(move || script(&mut Peer(BufReader::new(socket))));
                }
            });
        };
        Scripted { address, stopping, connections, acceptor: Some(thread::spawn(accept)) }
    }

    /// Says these bytes to every request, over and over.
    fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Scripted::start(move |peer| {
            while peer.request().is_some() {
                peer.say(&answer);
            }
        })
    }

    /// Says these bytes to the first request of a connection and closes it.
    fn closing_after(answer: &'static str) -> Self {
        Scripted::start(move |peer| {
            if peer.request().is_some() {
                peer.say(answer.as_bytes());
            }
        })
    }

    fn plan(&self) -> LoadPlan {
        plan(self.address)
    }

    fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stopping.store(1, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take()
            && let (Err(panic), false) = (acceptor.join(), thread::panicking())
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Peer {
    /// The next request, body included; none when the client has closed.
    fn request(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(self.0.read_line(&mut head), Ok(1..)) {
                return None;
            }
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        std::io::Read::read_exact(&mut self.0, &mut body).ok()?;
        Some(head + &String::from_utf8(body).unwrap())
    }

    /// A client that has given up is no error.
    fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.get_mut().write_all(bytes.as_ref());
    }
}

fn plan(address: SocketAddr) -> LoadPlan {
    let url = format!("http://{address}/").parse().unwrap();
    LoadPlan { workers: 1, requests: Some(3), duration: None, timeout: LONG, ..LoadPlan::to(url) }
}

fn tally(plan: &LoadPlan) -> LoadTally {
    run(plan).unwrap()
}

/// The only fault of a run of which nothing succeeded, with an example.
fn fault(plan: &LoadPlan) -> (LoadFault, String) {
    let tally = tally(plan);
    assert_eq!((tally.answers(), tally.faults.len()), (0, 1), "{tally:?}");
    assert_eq!(Some(tally.failures()), plan.requests);
    let (fault, failures) = tally.faults.into_iter().next().unwrap();
    (fault, failures.example)
}

/// The figures of a run in which everything succeeded.
fn sound(plan: &LoadPlan) -> LoadTally {
    let tally = tally(plan);
    assert_eq!(Some((tally.ok(), 0)), plan.requests.map(|n| (n, tally.failures())), "{tally:?}");
    assert_eq!(tally.latency.len(), tally.answers());
    tally
}
