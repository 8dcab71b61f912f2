//! A plain server: a thread accepts, and each connection has a thread of its own for its life.
//! Plain on purpose: blocking reads and writes, each with a deadline; a bounded number of threads,
//! beyond which connections wait in the kernel's backlog. What is answered is the handler's affair.

use std::convert::Infallible;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::connection::Conversation;
use super::handler::{Handler, ServerLimits};
use super::spares::Spares;
use crate::tls::Stream;

/// A connection's stack: a head's slots are 16 KiB, and whoever asks what a reload would change has
/// some configurations on it. Of memory it takes what is used.
const STACK_BYTES: usize = 256 * 1024;
/// The rest after an accept that failed, most likely for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How often a server without a place looks whether somebody waits for one.
const LOOK: Duration = Duration::from_millis(100);
/// How long the end waits for answers that are being worked at, such as a disk that hangs.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// A listening socket that is being served. It stops when it is dropped, which waits for its
/// threads, but not for a handler that is stuck in something of its own.
pub struct PlainServer {
    serving: Arc<Serving>,
    /// Dropped to cut short what a handler waits for.
    going: Option<Sender<Infallible>>,
    /// Its other end is dropped when every thread has ended.
    ended: Receiver<Infallible>,
}

struct Serving {
    listener: OwnedFd,
    limits: ServerLimits,
    handler: Arc<dyn Handler>,
    open: Mutex<OpenSockets>,
    spares: Spares,
    /// A connection ended, or the server stops.
    room: Condvar,
    stopped: Receiver<Infallible>,
}

/// The sockets that are open, for `stop` to shut. Its lock is never held across I/O that waits.
#[derive(Default)]
struct OpenSockets {
    stopping: bool,
    next: u64,
    /// By number, which only rises.
    sockets: Vec<OpenSocket>,
}

struct OpenSocket {
    id: u64,
    socket: Arc<TcpStream>,
    is_idle: Arc<AtomicBool>,
}

/// A connection's place among the open ones: given back at its end, be that a panic of a handler.
struct OpenPlace<'s> {
    serving: &'s Serving,
    id: u64,
    is_idle: Arc<AtomicBool>,
}

impl PlainServer {
    /// Serves a listening socket of the network or of the file system from now on. `name` is that
    /// of the thread that accepts.
    ///
    /// # Errors
    /// It does not listen, or there is no thread for it.
    pub fn start(
        listener: impl Into<OwnedFd>,
        name: &str,
        limits: ServerLimits,
        handler: Arc<dyn Handler>,
    ) -> io::Result<PlainServer> {
        let listener = listener.into();
        rustix::net::listen(&listener, limits.backlog)?;
        let (going, stopped) = bounded(0);
        let (open, room) = (Mutex::new(OpenSockets::default()), Condvar::new());
        let spares = Spares::new(limits.spare_descriptors);
        spares.fill(&listener);
        let serving = Serving { listener, limits, handler, open, spares, room, stopped };
        let serving = Arc::new(serving);
        let accepting = serving.clone();
        let (all, ended) = bounded(0);
        let accept = move || {
            thread::scope(|scope| accepting.accept(scope));
            drop::<Sender<Infallible>>(all);
        };
        crate::thread::start(name, Box::new(accept))?;
        Ok(PlainServer { serving, going: Some(going), ended })
    }

    /// Has every thread end; `drop` waits for them, within reason.
    pub fn stop(&mut self) {
        self.going = None;
        let mut open = self.serving.open();
        open.stopping = true;
        for open in &open.sockets {
            // Fails when the client was faster, which is as good.
            let _ = open.socket.shutdown(Shutdown::Both);
        }
        drop(open);
        self.serving.room.notify_all();
        // Ends an accept that waits, and needs no descriptor for it. What is in the backlog is
        // reset.
        let _ = rustix::net::shutdown(&self.serving.listener, rustix::net::Shutdown::Both);
    }
}

impl Drop for PlainServer {
    fn drop(&mut self) {
        self.stop();
        let _ = self.ended.recv_timeout(LAST_ANSWER);
    }
}

impl Serving {
    fn accept<'s>(&'s self, scope: &'s Scope<'s, '_>) {
        while self.wait_for_room() {
            match rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC) {
                Ok(socket) => {
                    let is_served = self.serve(scope, socket).is_ok();
                    self.spares.fill(&self.listener);
                    self.rest(if is_served { self.handler.pause() } else { ACCEPT_PAUSE });
                }
                Err(Errno::MFILE | Errno::NFILE) => self.wait_for_a_descriptor(),
                Err(_) => self.rest(ACCEPT_PAUSE),
            }
        }
    }

    /// False when the server stops.
    fn wait_for_room(&self) -> bool {
        let mut open = self.open();
        while !open.stopping && open.sockets.len() >= self.limits.connections_max {
            if self.limits.idle_give_way {
                drop(open);
                let is_called = self.has_callers(LOOK);
                open = self.open();
                if !is_called {
                    continue;
                }
                open.end_the_oldest_idle();
            }
            let waited = self.room.wait_timeout(open, LOOK);
            open = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        !open.stopping
    }

    /// The kernel looks for a descriptor before it looks for a client: a spare one is let go when
    /// somebody is there.
    fn wait_for_a_descriptor(&self) {
        if !self.has_callers(LOOK) || !self.spares.release() {
            self.rest(ACCEPT_PAUSE);
        }
    }

    /// True if somebody waits in the backlog, or comes within that time.
    fn has_callers(&self, patience: Duration) -> bool {
        let mut asked = [PollFd::new(&self.listener, PollFlags::IN)];
        let patience = Timespec::try_from(patience).unwrap_or_default();
        poll(&mut asked, Some(&patience)).is_ok_and(|ready| ready > 0)
    }

    /// Unless the server stops.
    fn rest(&self, time: Duration) {
        if !time.is_zero() {
            let _ = self.stopped.recv_timeout(time);
        }
    }

    /// Begins a connection's thread, unless the server stops. An error is that there is none left.
    fn serve<'s>(&'s self, scope: &'s Scope<'s, '_>, socket: OwnedFd) -> io::Result<()> {
        // To the kernel a stream is a stream: all that std's type for TCP is asked for here (read,
        // write, time out, shut down), a socket of the file system does as well.
        let socket = TcpStream::from(socket);
        let _ = socket.set_nodelay(true); // a socket of the file system has no such thing
        let stream = Stream::new(socket, None)?;
        let Some(place) = self.place(stream.socket()) else { return Ok(()) };
        thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, move || {
            let is_idle = &place.is_idle; // the place outlives the stream
            Conversation::new(stream, &self.limits, &*self.handler, &self.stopped, is_idle).run();
        })?;
        Ok(())
    }

    fn place(&self, socket: &Arc<TcpStream>) -> Option<OpenPlace<'_>> {
        let mut open = self.open();
        if open.stopping {
            return None;
        }
        open.next += 1;
        let id = open.next;
        let is_idle = Arc::new(AtomicBool::new(true));
        let (socket, idle) = (Arc::clone(socket), Arc::clone(&is_idle));
        open.sockets.push(OpenSocket { id, socket, is_idle: idle });
        Some(OpenPlace { serving: self, id, is_idle })
    }

    fn open(&self) -> MutexGuard<'_, OpenSockets> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenSockets {
    /// Its thread finds it closed.
    fn end_the_oldest_idle(&self) {
        if let Some(one) = self.sockets.iter().find(|one| one.is_idle.load(Ordering::Relaxed)) {
            let _ = one.socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for OpenPlace<'_> {
    fn drop(&mut self) {
        let serving = self.serving;
        let mut open = serving.open();
        let place = open.sockets.binary_search_by_key(&self.id, |open| open.id);
        let left = place.ok().map(|place| open.sockets.remove(place));
        drop(open);
        if let Some(left) = left {
            serving.spares.keep(left.socket, &serving.listener);
        }
        serving.room.notify_one();
    }
}
