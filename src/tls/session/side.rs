//! What rustls makes of records: the server's side or the client's, which differ in their types
//! alone. Called by the session; owns no buffer and knows of no socket.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use rustls::{ClientConfig, Error, ServerConfig};

use super::{RECORD_BYTES, SCRATCH_BYTES};
use crate::tls::{Remedy, fault};

/// The most that is held of what a client says, before it is whole: room for any record, and for
/// more than any first message needs.
const HELLO_BYTES_MAX: usize = 2 * RECORD_BYTES;
/// The same for a backend, whose chain of certificates may be long.
const CHAIN_BYTES_MAX: usize = SCRATCH_BYTES - RECORD_BYTES;

/// Which side we are, and what has been agreed.
pub(super) enum Side {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// What follows a look at the records that were received.
pub(super) enum Records {
    /// Something that there may be more behind.
    More,
    /// Nothing, until the peer says more.
    Nothing,
    /// The peer says no more.
    End,
}

/// What was sealed, and how long it is.
pub(super) enum Sealed {
    /// A message of TLS's own, which is to go in front.
    Message(usize),
    /// The batch.
    Batch(usize),
}

impl Side {
    pub(super) fn server(config: &Arc<ServerConfig>) -> Self {
        let side = UnbufferedServerConnection::new(Arc::clone(config));
        Self::Server(side.expect("only a size of fragments is refused, and none is set"))
    }

    pub(super) fn client(
        config: &Arc<ClientConfig>,
        name: ServerName<'static>,
        remedy: Remedy,
    ) -> io::Result<Self> {
        let side = UnbufferedClientConnection::new(Arc::clone(config), name);
        side.map(Self::Client).map_err(|error| fault::error(error, remedy))
    }

    pub(super) fn is_handshaking(&self) -> bool {
        match self {
            Self::Server(side) => side.is_handshaking(),
            Self::Client(side) => side.is_handshaking(),
        }
    }

    /// The most that may be held of what the peer says and is not whole.
    pub(super) fn held_bytes_max(&self) -> usize {
        match self {
            Self::Server(_) => HELLO_BYTES_MAX,
            Self::Client(_) => CHAIN_BYTES_MAX,
        }
    }

    /// Looks at what was received, once: plain bytes go to `take`, messages to be sent behind
    /// `unsent`. Also returns how many bytes of `records` are done with.
    pub(super) fn look(
        &mut self,
        records: &mut [u8],
        unsent: &mut Vec<u8>,
        take: &mut impl FnMut(&[u8]),
    ) -> (usize, Result<Records, Error>) {
        match self {
            Self::Server(side) => look(side.process_tls_records(records), unsent, take),
            Self::Client(side) => look(side.process_tls_records(records), unsent, take),
        }
    }

    /// After an error: the alert that tells the peer, behind what was to be said before it.
    pub(super) fn word_alert(&mut self, records: &mut [u8], unsent: &mut Vec<u8>) {
        // Each look takes one message; the error comes again once there is none left.
        while self.wants_write() {
            let (_, found) = self.look(records, unsent, &mut |_| {});
            if !matches!(found, Ok(Records::More)) {
                return;
            }
        }
    }

    fn wants_write(&self) -> bool {
        match self {
            Self::Server(side) => side.wants_write(),
            Self::Client(side) => side.wants_write(),
        }
    }

    /// Seals a batch, unless TLS has a message of its own to send first: then it seals that. `held`
    /// is what was received of a record that is not whole; rustls must be shown it again at each
    /// call, as it keeps no bytes itself.
    pub(super) fn seal(
        &mut self,
        held: &mut [u8],
        batch: &[u8],
        closes: bool,
        into: &mut [u8],
    ) -> io::Result<Sealed> {
        match self {
            Self::Server(side) => seal(side.process_tls_records(held), batch, closes, into),
            Self::Client(side) => seal(side.process_tls_records(held), batch, closes, into),
        }
    }
}

fn look<D>(
    status: UnbufferedStatus<'_, '_, D>,
    unsent: &mut Vec<u8>,
    take: &mut impl FnMut(&[u8]),
) -> (usize, Result<Records, Error>) {
    let mut done = status.discard;
    let found = match status.state {
        Ok(ConnectionState::ReadTraffic(mut records)) => loop {
            match records.next_record() {
                Some(Ok(record)) => {
                    done += record.discard;
                    take(record.payload);
                }
                Some(Err(error)) => break Err(error),
                None => break Ok(Records::More),
            }
        },
        Ok(ConnectionState::EncodeTlsData(mut message)) => {
            encode(unsent, |into| message.encode(into));
            Ok(Records::More)
        }
        // It waits in `unsent`, in front of all that follows.
        Ok(ConnectionState::TransmitTlsData(message)) => {
            message.done();
            Ok(Records::More)
        }
        Ok(ConnectionState::PeerClosed) => Ok(Records::End),
        Ok(_) => Ok(Records::Nothing),
        Err(error) => Err(error),
    };
    (done, found)
}

/// Appends a message of the handshake, however long it is.
fn encode(unsent: &mut Vec<u8>, mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) {
    let start = unsent.len();
    let mut room = 1024;
    loop {
        unsent.resize(start + room, 0);
        match encode(&mut unsent[start..]) {
            Ok(length) => return unsent.truncate(start + length),
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                room = required_size;
            }
            Err(EncodeError::AlreadyEncoded) => return unsent.truncate(start),
        }
    }
}

fn seal<D>(
    status: UnbufferedStatus<'_, '_, D>,
    batch: &[u8],
    closes: bool,
    into: &mut [u8],
) -> io::Result<Sealed> {
    let failed = |why: &dyn fmt::Display| io::Error::other(format!("TLS: {why}"));
    match status.state {
        Ok(ConnectionState::EncodeTlsData(mut message)) => {
            message.encode(into).map(Sealed::Message).map_err(|error| failed(&error))
        }
        Ok(ConnectionState::TransmitTlsData(message)) => {
            message.done();
            Ok(Sealed::Message(0))
        }
        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
            let exhausted = |error: EncryptError| failed(&error);
            let mut length = traffic.encrypt(batch, into).map_err(exhausted)?;
            if closes {
                length += traffic.queue_close_notify(&mut into[length..]).map_err(exhausted)?;
            }
            Ok(Sealed::Batch(length))
        }
        _ => Err(io::Error::new(ErrorKind::BrokenPipe, "TLS: nothing can be written any more")),
    }
}
