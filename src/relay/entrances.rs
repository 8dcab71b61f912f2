//! The entrances of a server: a door at each listener, with what becomes of those who come in.

use super::Shared;
use super::entrance::{Entrance, Listening};
use super::greeter::ClientGreeter;
use super::task::ClientTask;
use crate::config::{self, Config};
use crate::engine::{Latch, Listener, Lot, open_doorway};
use crate::pool::Snapshot;
use crate::thread::spawn;
use crate::tls::Tls;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// In the order of the file. The first is the one that the server is known by.
#[derive(Default)]
pub(super) struct Entrances(Mutex<Vec<Open>>);

/// One whose door is open.
struct Open {
    address: SocketAddr,
    entrance: Arc<Snapshot<Entrance>>,
    latch: Latch,
}

impl Open {
    /// A door of `shared` at `socket`, kept by a thread of its own.
    fn at(
        socket: Listener,
        entrance: Arc<Entrance>,
        lot: &Arc<Lot<ClientTask>>,
        shared: &Arc<Shared>,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> io::Result<Self> {
        let (address, limit) = (socket.address(), entrance.limit());
        let entrance = Snapshot::new(entrance);
        let greeter = ClientGreeter { shared: Arc::clone(shared), entrance: Arc::clone(&entrance) };
        let pulse = shared.pulses.of("door");
        let (latch, keeper) = open_doorway(&shared.door, (socket, limit), lot, greeter, pulse);
        threads.push(spawn("door", keeper)?);
        Ok(Self { address, entrance, latch })
    }

    /// True where clients are served that are to come in at `listen`, written or real.
    fn is_at(&self, listen: SocketAddr) -> bool {
        self.address == listen || self.entrance.current().is_for(listen)
    }
}

impl Entrances {
    /// Lets clients in at `sockets` as well, each as `config` has the listener of its place among
    /// those that are [missing](Self::missing). Fails when the process is out of threads, and has
    /// opened none then.
    pub(super) fn open(
        &self,
        sockets: Vec<Listener>,
        (config, tls): (&Config, &Tls),
        lot: &Arc<Lot<ClientTask>>,
        shared: &Arc<Shared>,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> io::Result<()> {
        let mut opened = Vec::new();
        for (listener, socket) in self.missing(config).into_iter().zip(sockets) {
            let entrance = Entrance::new(listener, config, tls);
            match Open::at(socket, entrance, lot, shared, threads) {
                Ok(open) => opened.push(open),
                Err(error) => {
                    opened.iter().for_each(|open| open.latch.close());
                    return Err(error);
                }
            }
        }
        self.lock().extend(opened);
        Ok(())
    }

    /// The listeners of `config` that have no door yet.
    pub(super) fn missing(&self, config: &Config) -> Vec<config::Listener> {
        let (open, mut missing) = (self.lock(), Vec::new());
        let mut left: Vec<&Open> = open.iter().collect();
        for listener in config.listening() {
            match left.iter().position(|open| open.is_at(listener.listen)) {
                Some(place) => _ = left.remove(place),
                None => missing.push(listener),
            }
        }
        missing
    }

    /// Has who comes in from now on come in by `config`, for which all doors are open. One that it
    /// does not have closes: who waits there is still let in, and who came in there stays.
    pub(super) fn follow(&self, config: &Config, tls: &Tls) {
        let mut open = self.lock();
        let mut left = std::mem::take(&mut *open);
        for listener in config.listening() {
            if let Some(place) = left.iter().position(|open| open.is_at(listener.listen)) {
                let one = left.remove(place);
                let entrance = Entrance::new(listener, config, tls);
                one.latch.resize(entrance.limit());
                one.entrance.replace(entrance);
                open.push(one);
            }
        }
        left.iter().for_each(|gone| gone.latch.close());
    }

    /// Where clients come in.
    pub(super) fn all(&self) -> Vec<Listening> {
        let listening =
            |open: &Open| open.entrance.current().listening(open.address, open.latch.taken());
        self.lock().iter().map(listening).collect()
    }

    /// Another descriptor of each socket, for another process.
    pub(super) fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        self.lock().iter().map(|open| open.latch.socket()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
