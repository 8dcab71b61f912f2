//! One check under way: a connection to a backend, and how far it has come.
//!
//! Begun and stepped by the checks thread. A step never waits: it goes on until the socket would
//! block. Connecting, the TLS handshake, sending and reading share one deadline, which the schedule
//! keeps; a check knows what it was at when that is over.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{CheckAnswer, HowFar, Incoming};
use super::question::CheckRequest;
use crate::dial;
use crate::preface::{self, Ends, Version};
use crate::tls::{Connector, Stream};

/// A check under way. Dropped, its connection closes.
pub(super) struct Probe {
    began: Instant,
    /// How the connection begins, if with the PROXY protocol.
    preface: Option<Version>,
    stage: Stage,
    stream: Stream,
    /// None where the connection says enough.
    request: Option<CheckRequest>,
    /// Bytes of it that are sent.
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
    /// Begins to connect to `address`; it will send `request` there, if there is one.
    pub(super) fn begin(
        address: SocketAddr,
        connector: Option<&Connector>,
        preface: Option<Version>,
        request: Option<CheckRequest>,
    ) -> io::Result<Self> {
        let began = Instant::now();
        let stream = Stream::new(TcpStream::from(dial::begin(address)?), connector)?;
        let (stage, incoming, sent) = (Stage::Connecting, Incoming::default(), 0);
        Ok(Self { began, preface, stage, stream, request, sent, incoming })
    }

    /// What to wait for.
    pub(super) fn socket(&self) -> &Arc<TcpStream> {
        self.stream.socket()
    }

    /// How long it has been under way.
    pub(super) fn took(&self) -> Duration {
        self.began.elapsed()
    }

    /// Goes on until the socket would block. None while the check is still under way; without an
    /// answer where none was asked for.
    pub(super) fn step(&mut self) -> Option<io::Result<Option<CheckAnswer>>> {
        match self.go_on() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            outcome => Some(outcome),
        }
    }

    fn go_on(&mut self) -> io::Result<Option<CheckAnswer>> {
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
        let head = self.request.as_ref().map_or(&[][..], |request| &request.head);
        while self.sent < head.len() {
            match self.stream.write(&head[self.sent..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                sent => self.sent += sent?,
            }
        }
        Ok(())
    }

    fn read(&mut self) -> io::Result<Option<CheckAnswer>> {
        let Some(request) = &self.request else { return Ok(None) };
        loop {
            if let Some(answer) = self.incoming.whole()? {
                return Ok(Some(answer));
            }
            self.incoming.take(&mut self.stream, request.method)?;
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
