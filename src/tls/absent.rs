//! The room in a build without TLS: nothing of it can come to be, and what asks for it is refused.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::SystemTime;

use super::Remedy;
use crate::config::{Config, Errors};
use crate::pool::Trust;

const ABSENT: &str = "this build of evenly has no TLS; use one with the feature tls";

/// What a listener would prove to clients.
#[derive(Clone, Debug)]
pub enum Acceptor {}

/// How a backend would be reached.
#[derive(Clone, Debug)]
pub enum Connector {}

/// A certificate that would be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {}

/// The TLS of one connection.
pub enum Session {}

impl Acceptor {
    pub(super) fn load(
        config: &Config,
        _now: SystemTime,
        _shown: &mut Vec<Shown>,
    ) -> Result<Option<Self>, Errors> {
        match config.tls.certificates.first() {
            None => Ok(None),
            Some(first) => Err(config.wrong(&["tls.certificates"], first, ABSENT)),
        }
    }

    /// Never called.
    pub fn shows(&self, _asked: Option<&str>) -> bool {
        match *self {}
    }

    /// Never called.
    pub fn session(&self) -> Session {
        match *self {}
    }
}

impl Connector {
    /// Never called.
    pub fn trust(&self) -> u64 {
        match *self {}
    }

    pub(super) fn load(
        config: &Config,
        _shown: &mut Vec<Shown>,
    ) -> Result<Vec<Option<Self>>, Errors> {
        match config.applications.iter().any(|spec| spec.tls.is_some()) {
            false => Ok(vec![None; config.applications.len()]),
            true => Err(config.wrong(&["applications.tls"], "true", ABSENT)),
        }
    }

    /// Refused.
    pub fn nameless(name: &str, trust: &Trust, remedy: Remedy) -> Result<Self, Errors> {
        Self::new(name, trust, remedy)
    }

    /// Refused.
    pub fn new(_name: &str, _trust: &Trust, _: Remedy) -> Result<Self, Errors> {
        Err(Errors::of("tls", ABSENT.to_owned()))
    }

    /// Never called.
    pub fn session(&self) -> io::Result<Session> {
        match *self {}
    }
}

impl Shown {
    /// Never called.
    pub fn file(&self) -> &str {
        match *self {}
    }

    /// Never called.
    pub fn expires(&self) -> SystemTime {
        match *self {}
    }

    /// Never called.
    pub fn names(&self) -> &[String] {
        match *self {}
    }

    pub(super) fn warnings(&self, _now: SystemTime) -> Option<String> {
        match *self {}
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// None of these is ever called.
#[allow(missing_docs)]
impl Session {
    pub fn handshake(&mut self, _socket: &mut (impl Read + Write)) -> io::Result<bool> {
        match *self {}
    }

    pub fn is_handshaking(&self) -> bool {
        match *self {}
    }

    pub fn awaits_handshake(&self) -> bool {
        match *self {}
    }

    pub fn is_plain_spoken(&self) -> bool {
        match *self {}
    }

    pub fn into_received(self) -> Vec<u8> {
        match self {}
    }

    pub fn holds_plain(&self) -> bool {
        match *self {}
    }

    pub fn is_drained(&self) -> bool {
        match *self {}
    }

    pub fn read(&mut self, _: &mut (impl Read + Write), _into: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub fn write(
        &mut self,
        _socket: &mut (impl Read + Write),
        _bytes: &[u8],
        _last: bool,
    ) -> io::Result<usize> {
        match *self {}
    }

    pub fn close(&mut self, _socket: &mut (impl Read + Write)) -> bool {
        match *self {}
    }
}
