//! One check under way: a connection to a backend, and how far it has come.
//!
//! Begun and stepped by the checks thread. A step never waits: it goes on until the socket would
//! block. Connecting, the TLS handshake, sending and reading share one deadline, which the schedule
//! keeps; a check knows what it was at when that is over.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::http::Request;

use super::transport::{self, CheckAnswer, HowFar, Incoming};
use crate::blame::Blame;
use crate::dial;
use crate::preface::{self, Ends, Version};
use crate::tls::{Connector, Stream};

/// A check under way. Dropped, its connection closes.
pub(super) struct Probe {
    began: Instant,
    address: SocketAddr,
    /// Where else the backend may be, if there is no connection to be had here.
    others: VecDeque<SocketAddr>,
    connector: Option<Connector>,
    /// How the connection begins, if with the PROXY protocol.
    preface: Option<Version>,
    stage: Stage,
    stream: Stream,
    request: Request<()>,
    /// The request as bytes, and how many of them are sent.
    written: Vec<u8>,
    sent: usize,
    incoming: Incoming,
}

/// What a check is at. The stages follow each other in this order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    /// Nothing to do without one.
    Preface,
    /// Nothing to do in the clear.
    Handshake,
    Sending,
    Reading,
}

impl Probe {
    /// Begins to connect to the first of `addresses`; it will send `request` to the first of them
    /// that takes the connection.
    pub(super) fn begin(
        addresses: impl IntoIterator<Item = SocketAddr>,
        connector: Option<Connector>,
        preface: Option<Version>,
        request: Request<()>,
    ) -> io::Result<Self> {
        let began = Instant::now();
        let written = transport::write(&request).map_err(Error::into_io)?;
        let mut others: VecDeque<SocketAddr> = addresses.into_iter().collect();
        let (address, stream) = connect(&mut others, connector.as_ref())?;
        let (stage, incoming, sent) = (Stage::Connecting, Incoming::default(), 0);
        Ok(Self {
            began,
            address,
            others,
            connector,
            preface,
            stage,
            stream,
            request,
            written,
            sent,
            incoming,
        })
    }

    /// How much of the time that is left may be spent on what the check is at. While there is no
    /// connection, the addresses that were not tried yet get their share of it.
    pub(super) fn patience(&self, left: Duration) -> Duration {
        match self.stage {
            Stage::Connecting | Stage::Preface | Stage::Handshake => {
                left / (1 + self.others.len() as u32)
            }
            _ => left,
        }
    }

    /// True if there is no connection yet, and another address to be tried.
    pub(super) fn can_go_elsewhere(&self) -> bool {
        let is_unconnected = !matches!(self.stage, Stage::Sending | Stage::Reading);
        is_unconnected && !self.others.is_empty()
    }

    /// Begins anew at the next address. The old socket is closed before the new one is opened,
    /// because its descriptor may be the only one that is to be had.
    pub(super) fn elsewhere(mut self) -> io::Result<Self> {
        drop(self.stream);
        let (address, stream) = connect(&mut self.others, self.connector.as_ref())?;
        Ok(Self { address, stage: Stage::Connecting, stream, ..self })
    }

    /// The address that is asked.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to wait for.
    pub(super) fn socket(&self) -> &Arc<TcpStream> {
        self.stream.socket()
    }

    /// How long it has been under way.
    pub(super) fn took(&self) -> Duration {
        self.began.elapsed()
    }

    /// Goes on until the socket would block. None while the check is still under way.
    pub(super) fn step(&mut self) -> Option<io::Result<CheckAnswer>> {
        match self.go_on() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            outcome => Some(outcome),
        }
    }

    fn go_on(&mut self) -> io::Result<CheckAnswer> {
        loop {
            self.stage = match self.stage {
                Stage::Connecting => {
                    self.connected()?;
                    Stage::Preface
                }
                Stage::Preface => {
                    self.introduce()?;
                    Stage::Handshake
                }
                Stage::Handshake => {
                    self.stream.handshake()?;
                    Stage::Sending
                }
                Stage::Sending => {
                    self.send()?;
                    Stage::Reading
                }
                Stage::Reading => return self.read(),
            }
        }
    }

    /// A socket that has neither an error nor a peer is still connecting.
    fn connected(&self) -> io::Result<()> {
        let socket = self.stream.socket();
        match (socket.take_error()?, socket.peer_addr()) {
            (Some(error), _) => Err(error),
            (None, Ok(_)) => Ok(()),
            (None, Err(_)) => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Says that this is nobody's request: LOCAL in version 2. Version 1 has a word for it that
    /// some refuse; the specification has senders name the two ends of the check itself instead.
    fn introduce(&mut self) -> io::Result<()> {
        let Some(version) = self.preface else { return Ok(()) };
        let mut socket: &TcpStream = self.stream.socket();
        let own = || Some(Ends { from: socket.local_addr().ok()?, to: socket.peer_addr().ok()? });
        let written = preface::write(version, if version == Version::V1 { own() } else { None });
        // A connection that has just come about takes some hundred bytes at once.
        match socket.write(&written)? {
            sent if sent == written.len() => Ok(()),
            _ => Err(ErrorKind::WriteZero.into()),
        }
    }

    fn send(&mut self) -> io::Result<()> {
        while self.sent < self.written.len() {
            match self.stream.write(&self.written[self.sent..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                sent => self.sent += sent?,
            }
        }
        Ok(())
    }

    fn read(&mut self) -> io::Result<CheckAnswer> {
        loop {
            if let Some(answer) = self.incoming.answer(&self.request)? {
                return Ok(answer);
            }
            self.incoming.take(&mut self.stream, self.request.method().as_str())?;
        }
    }

    /// What did not come within `timeout`.
    pub(super) fn lateness(&self, timeout: Duration) -> String {
        match (self.stage, self.incoming.how_far()) {
            (Stage::Connecting, _) => format!("connect timed out after {timeout:?}"),
            (Stage::Preface, _) => format!("the preface was not taken after {timeout:?}"),
            (Stage::Handshake, _) => format!("the TLS handshake was not over after {timeout:?}"),
            (Stage::Sending, _) => format!("the request was not taken after {timeout:?}"),
            (_, HowFar::Nothing) => format!("no answer within {timeout:?} of the check's start"),
            (_, HowFar::Head) => format!("the answer's head was not whole after {timeout:?}"),
            (_, HowFar::Body) => format!("the body was not whole after {timeout:?}"),
        }
    }
}

/// Begins to connect to the first of `addresses` where that is possible, and takes those up to it.
fn connect(
    addresses: &mut VecDeque<SocketAddr>,
    connector: Option<&Connector>,
) -> io::Result<(SocketAddr, Stream)> {
    let mut failed = io::Error::new(ErrorKind::NotFound, "no address");
    while let Some(address) = addresses.pop_front() {
        match dial::begin(address) {
            Ok(socket) => {
                return Ok((address, Stream::new(TcpStream::from(socket), connector)?));
            }
            Err(error) if Blame::of(&error) == Blame::Ours => return Err(error),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
