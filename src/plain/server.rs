//! A plain server: a thread accepts, and each connection has a thread of its own for its life.
//! Plain on purpose: blocking reads and writes, each with a timeout; a bounded number of threads,
//! beyond which connections wait in the kernel's backlog. What is answered is the handler's affair.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Scope};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::connection::Conversation;
use super::handler::Handler;

/// Connections at a time.
const CONNECTIONS_MAX: usize = 1024;
/// Connections that may wait in the kernel; std asks for 128, too few for a burst.
const BACKLOG: i32 = 4096;
/// A connection's stack: a head's slots are 8 KiB, the rest is shallow.
const STACK_BYTES: usize = 128 * 1024;
/// The rest after an accept that failed, most likely for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// Silence after which a connection is closed, in reading and in writing.
const IDLE: Duration = Duration::from_secs(60);

/// A listening socket that is being served. It stops when it is dropped.
pub struct PlainServer {
    address: SocketAddr,
    shared: Arc<Serving>,
    /// Dropped to cut short what a handler waits for.
    going: Option<Sender<Infallible>>,
    acceptor: Option<JoinHandle<()>>,
}

struct Serving {
    listener: TcpListener,
    handler: Arc<dyn Handler>,
    open: Mutex<OpenSockets>,
    /// A connection ended, or the server stops.
    room: Condvar,
    stopped: Receiver<Infallible>,
}

/// The sockets that are open, for `stop` to shut. Its lock is never held across I/O that waits.
#[derive(Default)]
struct OpenSockets {
    stopping: bool,
    next: u64,
    sockets: HashMap<u64, Arc<TcpStream>>,
}

impl PlainServer {
    /// Serves the socket from now on.
    ///
    /// # Errors
    /// It does not listen, or there is no thread for it.
    pub fn start(listener: TcpListener, handler: Arc<dyn Handler>) -> io::Result<PlainServer> {
        rustix::net::listen(&listener, BACKLOG)?;
        let address = listener.local_addr()?;
        let (going, stopped) = bounded(0);
        let open = Mutex::new(OpenSockets::default());
        let shared = Arc::new(Serving { listener, handler, open, room: Condvar::new(), stopped });
        let serving = shared.clone();
        let name = format!("accept {}", address.port());
        let acceptor = thread::Builder::new()
            .name(name)
            .spawn(move || thread::scope(|scope| serving.accept(scope)))?;
        Ok(PlainServer { address, shared, going: Some(going), acceptor: Some(acceptor) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has every thread end; `drop` waits for them.
    pub fn stop(&mut self) {
        self.going = None;
        let mut open = self.shared.open();
        open.stopping = true;
        for socket in open.sockets.values() {
            // Fails when the client was faster, which is as good.
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
        drop(open);
        self.shared.room.notify_all();
        // Ends an accept that waits, and needs no descriptor for it. What is in the backlog is
        // reset.
        let _ = rustix::net::shutdown(&self.shared.listener, rustix::net::Shutdown::Both);
    }
}

impl Drop for PlainServer {
    fn drop(&mut self) {
        self.stop();
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join(); // an error is its panic, which was printed
        }
    }
}

impl Serving {
    fn accept<'s>(&'s self, scope: &'s Scope<'s, '_>) {
        while self.wait_for_room() {
            match self.listener.accept() {
                Ok((socket, _)) => self.serve(scope, socket),
                Err(_) => {
                    let _ = self.stopped.recv_timeout(ACCEPT_PAUSE);
                }
            }
        }
    }

    /// False when the server stops.
    fn wait_for_room(&self) -> bool {
        let mut open = self.open();
        while !open.stopping && open.sockets.len() >= CONNECTIONS_MAX {
            open = self.room.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
        !open.stopping
    }

    fn serve<'s>(&'s self, scope: &'s Scope<'s, '_>, socket: TcpStream) {
        let socket = Arc::new(socket);
        let mut open = self.open();
        if open.stopping {
            return;
        }
        open.next += 1;
        let id = open.next;
        open.sockets.insert(id, socket.clone());
        drop(open);
        let begun = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, move || {
            // An error is a client that left or was too slow: nothing to report.
            let _ = self.converse(&socket);
            self.forget(id);
        });
        if begun.is_err() {
            self.forget(id);
            let _ = self.stopped.recv_timeout(ACCEPT_PAUSE);
        }
    }

    fn converse(&self, socket: &TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(IDLE))?;
        socket.set_write_timeout(Some(IDLE))?;
        Conversation::new(socket, &*self.handler, &self.stopped).run();
        Ok(())
    }

    fn forget(&self, id: u64) {
        self.open().sockets.remove(&id);
        self.room.notify_one();
    }

    fn open(&self) -> MutexGuard<'_, OpenSockets> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
