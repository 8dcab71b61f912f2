//! One connection's TLS: plain bytes on one side, records on the other (RFC 8446, RFC 5246).
//!
//! Called by whoever owns a socket, blocking or not, which it is handed for each call. It holds
//! only what it cannot let go: a part of a record that came, records that the socket did not
//! take, and plain bytes that the caller had no room for. So an idle connection costs no buffer.
//! Records are made and opened in the thread's own [`SCRATCH`].

mod alert;
mod hello;
mod side;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};

use super::{Remedy, fault};
use side::{Records, Sealed, Side};

/// The most plain bytes in one record (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 16 * 1024;
/// Plain bytes that are sealed before they are sent: one system call for four records.
const BATCH_BYTES: usize = 4 * RECORD_BYTES;
/// What sealing adds to so many bytes, at the most: each record has a head, a nonce, a tag and
/// room for padding (RFC 5246 section 6.2.3).
const SEAL_BYTES: usize = 5 * 256;
/// Room for a batch behind what waits already, or for what is received at once.
const SCRATCH_BYTES: usize = 2 * BATCH_BYTES + SEAL_BYTES;

thread_local! {
    /// Records on their way in or out, as a worker has a buffer for plain bytes. Holds nothing
    /// between two calls.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// The TLS of one connection.
pub struct Session {
    side: Side,
    /// For a client that had better choose the cipher itself; until it has spoken.
    theirs: Option<Arc<ServerConfig>>,
    /// Received, and not whole: a part of a record, or of a message that has several.
    received: Vec<u8>,
    /// Opened, and not handed out yet.
    plain: Held,
    /// Sealed, and not sent yet.
    unsent: Held,
    /// The last plain byte in `unsent` has not been counted as written.
    owes_last: bool,
    /// Anything was received.
    heard: bool,
    /// The first byte was one that begins a request, not a handshake.
    plain_spoken: bool,
    /// The peer has said that it sends no more.
    ended: bool,
    /// We have said so.
    closed: bool,
    /// For a certificate of the peer's that will not do.
    remedy: Remedy,
}

/// Bytes that are used up from the front. Empty, it holds no memory.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    at: usize,
}

impl Session {
    /// That of a client which was accepted: by `ours`, in which we choose the cipher, or else by
    /// `theirs`, in which the client does.
    pub(super) fn server(ours: &Arc<ServerConfig>, theirs: &Arc<ServerConfig>) -> Self {
        Self { theirs: Some(Arc::clone(theirs)), ..Self::new(Side::server(ours)) }
    }

    /// That of a backend by this name.
    pub(super) fn client(
        config: &Arc<ClientConfig>,
        name: ServerName<'static>,
        remedy: Remedy,
    ) -> io::Result<Self> {
        let mut session = Self { remedy, ..Self::new(Side::client(config, name, remedy)?) };
        // The client speaks first.
        session.open(&mut [], &mut [])?;
        Ok(session)
    }

    fn new(side: Side) -> Self {
        Self {
            side,
            theirs: None,
            received: Vec::new(),
            plain: Held::default(),
            unsent: Held::default(),
            owes_last: false,
            heard: false,
            plain_spoken: false,
            ended: false,
            closed: false,
            remedy: Remedy::APPLICATION,
        }
    }

    /// Goes on with the handshake until the socket would block; true once it is done. Our last
    /// message of it is not sent at once: it goes out with the next write or read, in one packet.
    pub fn handshake(&mut self, socket: &mut (impl Read + Write)) -> io::Result<bool> {
        while self.is_handshaking() {
            match self.receive(socket, &mut []) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// True until both sides have proved what they must.
    pub fn is_handshaking(&self) -> bool {
        self.side.is_handshaking()
    }

    /// True while it is the peer's turn to go on with the handshake.
    pub fn awaits_handshake(&self) -> bool {
        self.is_handshaking() && self.unsent.is_empty()
    }

    /// True when the peer began with a request in the clear.
    pub fn is_plain_spoken(&self) -> bool {
        self.plain_spoken
    }

    /// What was received and not opened, such as the beginning of that request.
    pub fn into_received(self) -> Vec<u8> {
        self.received
    }

    /// True when there are plain bytes that no read has brought yet.
    pub fn holds_plain(&self) -> bool {
        !self.plain.is_empty()
    }

    /// True when nothing of the peer's is left: not even a part of a record.
    pub fn is_drained(&self) -> bool {
        self.plain.is_empty() && self.received.is_empty()
    }

    /// Reads plain bytes. 0 is the peer's word that it sends no more; a connection that ends
    /// without it may have been cut by anybody, and is an error (RFC 8446 section 6.1).
    pub fn read(&mut self, socket: &mut (impl Read + Write), into: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.plain.is_empty() {
                return Ok(self.hand_out(into));
            }
            if self.ended {
                return Ok(0);
            }
            let opened = self.receive(socket, into)?;
            if opened > 0 {
                return Ok(opened);
            }
        }
    }

    /// Writes plain bytes; returns how many are done with. Fewer than all means that the socket
    /// took no more, and that the rest is to be offered again as it is.
    ///
    /// What has been sealed into a record can be taken back no more, though the socket may not have
    /// taken it yet. Of such bytes all but the last count as written at once, the last one when all
    /// have gone out. So the caller sees that it has begun, and does not send the request again
    /// elsewhere; and it does not believe to be done, and drop the connection with bytes unsent.
    ///
    /// `last` says that nothing will follow, and the peer is told so.
    pub fn write(
        &mut self,
        socket: &mut (impl Read + Write),
        bytes: &[u8],
        last: bool,
    ) -> io::Result<usize> {
        if !self.handshake(socket)? {
            return Ok(0);
        }
        let mut taken = 0;
        if self.owes_last {
            if !self.flush(socket)? {
                return Ok(0);
            }
            self.owes_last = false;
            taken = bytes.len().min(1);
        }
        while taken < bytes.len() && self.make_room(socket)? {
            let batch = &bytes[taken..bytes.len().min(taken + BATCH_BYTES)];
            let closes = last && taken + batch.len() == bytes.len();
            if !self.send(socket, batch, closes)? {
                self.owes_last = true;
                return Ok(taken + batch.len() - 1);
            }
            taken += batch.len();
        }
        Ok(taken)
    }

    /// Tells the peer that nothing will follow, if that may be said; false while the socket does
    /// not take all of it.
    pub fn close(&mut self, socket: &mut (impl Read + Write)) -> bool {
        let is_out = if self.closed {
            self.flush(socket)
        } else if self.is_handshaking() || self.owes_last {
            return true;
        } else {
            self.make_room(socket).and_then(|fits| Ok(fits && self.send(socket, &[], true)?))
        };
        // An error means that the peer knows already.
        is_out.unwrap_or(true)
    }

    /// Receives once, and opens what came; returns how many plain bytes are in `into`. What it has
    /// no room for goes to `self.plain`.
    fn receive(&mut self, socket: &mut (impl Read + Write), into: &mut [u8]) -> io::Result<usize> {
        SCRATCH.with_borrow_mut(|scratch| {
            // If sending fails, the peer may have closed with an alert that says why: so what came
            // is read before the error counts.
            let _ = self.flush(socket);
            let held = self.received.len();
            if held >= self.side.held_bytes_max() {
                return Err(io::Error::new(ErrorKind::InvalidData, "TLS: a message without end"));
            }
            // Not more than the caller has room for, but a whole record at least.
            let room = (held + into.len().max(RECORD_BYTES)).min(SCRATCH_BYTES);
            let read = loop {
                match socket.read(&mut scratch[held..room]) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    other => break other?,
                }
            };
            if read == 0 {
                let what = if self.is_handshaking() { CUT_HANDSHAKE } else { CUT };
                return Err(io::Error::new(ErrorKind::UnexpectedEof, what));
            }
            scratch[..held].copy_from_slice(&self.received);
            if !std::mem::replace(&mut self.heard, true) {
                self.plain_spoken = scratch[0].is_ascii_uppercase();
                if self.plain_spoken {
                    self.received = scratch[..read].to_vec();
                    // An alert is not sent to a client that spoke plain HTTP: it would stand in
                    // front of the plain answer that tells it so.
                    return Err(io::Error::new(ErrorKind::InvalidData, "speaks no TLS"));
                }
                self.choose(&scratch[..read]);
            }
            let (opened, used) = match self.open(&mut scratch[..held + read], into) {
                Ok(opened) => opened,
                Err(error) => {
                    // The alert that tells the peer why, if the socket takes it.
                    let _ = self.flush(socket);
                    return Err(error);
                }
            };
            self.received = scratch[used..held + read].to_vec();
            Ok(opened)
        })
    }

    /// Leaves the choice of the cipher to a client that prefers ChaCha20.
    fn choose(&mut self, first: &[u8]) {
        let prefers = |config: &Arc<ServerConfig>| {
            hello::prefers_chacha(first, &config.crypto_provider().cipher_suites)
        };
        if let Some(theirs) = self.theirs.take().filter(prefers) {
            self.side = Side::server(&theirs);
        }
    }

    /// Opens all records that are whole; returns how many plain bytes are in `into`, and how many
    /// bytes of `records` are done with.
    fn open(&mut self, records: &mut [u8], into: &mut [u8]) -> io::Result<(usize, usize)> {
        let (mut opened, mut used) = (0, 0);
        let (unsent, plain) = (&mut self.unsent.bytes, &mut self.plain.bytes);
        let mut take = |payload: &[u8]| {
            let fits = if plain.is_empty() { payload.len().min(into.len() - opened) } else { 0 };
            into[opened..opened + fits].copy_from_slice(&payload[..fits]);
            plain.extend_from_slice(&payload[fits..]);
            opened += fits;
        };
        loop {
            let (done, found) = self.side.look(&mut records[used..], unsent, &mut take);
            used += done;
            match found {
                Ok(Records::More) => {}
                Ok(Records::Nothing) => return Ok((opened, used)),
                Ok(Records::End) => self.ended = true,
                Err(error) => {
                    self.closed = true;
                    self.side.word_alert(&mut records[used..], unsent);
                    if matches!(self.side, Side::Server(_)) {
                        alert::correct(unsent, &error, records);
                    }
                    return Err(fault::error(error, self.remedy));
                }
            }
        }
    }

    /// Hands out what did not fit before.
    fn hand_out(&mut self, into: &mut [u8]) -> usize {
        let length = self.plain.rest().len().min(into.len());
        into[..length].copy_from_slice(&self.plain.rest()[..length]);
        self.plain.use_up(length);
        length
    }

    /// Sends what waits; true when nothing does any more.
    fn flush(&mut self, socket: &mut (impl Read + Write)) -> io::Result<bool> {
        if self.unsent.is_empty() {
            return Ok(true);
        }
        let sent = write_all(socket, self.unsent.rest())?;
        self.unsent.use_up(sent);
        Ok(self.unsent.is_empty())
    }

    /// True when a batch fits behind what waits, as it usually does: only a handshake with a chain
    /// of many certificates leaves so much.
    fn make_room(&mut self, socket: &mut (impl Read + Write)) -> io::Result<bool> {
        let fits = SCRATCH_BYTES - BATCH_BYTES - SEAL_BYTES;
        Ok(self.unsent.rest().len() <= fits || self.flush(socket)?)
    }

    /// Seals a batch behind what waits already, for which there is room, and sends both; true when
    /// all of it went out. What did not is kept.
    fn send(
        &mut self,
        socket: &mut (impl Read + Write),
        batch: &[u8],
        closes: bool,
    ) -> io::Result<bool> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut filled = self.unsent.rest().len();
            scratch[..filled].copy_from_slice(self.unsent.rest());
            filled += self.seal(batch, closes, &mut scratch[filled..])?;
            let sent = write_all(socket, &scratch[..filled])?;
            self.unsent = Held { bytes: scratch[sent..filled].to_vec(), at: 0 };
            Ok(self.unsent.is_empty())
        })
    }

    /// Seals a batch, and the word that it was the last if it was; how long that is.
    fn seal(&mut self, batch: &[u8], closes: bool, into: &mut [u8]) -> io::Result<usize> {
        let mut length = 0;
        loop {
            // rustls needs to see what it has begun to read, though there is nothing new in it.
            let sealed = self.side.seal(&mut self.received, batch, closes, &mut into[length..])?;
            match sealed {
                Sealed::Message(sealed) => length += sealed,
                Sealed::Batch(sealed) => {
                    self.closed |= closes;
                    return Ok(length + sealed);
                }
            }
        }
    }
}

impl Held {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn use_up(&mut self, length: usize) {
        self.at += length;
        if self.is_empty() {
            *self = Self::default();
        }
    }
}

const CUT: &str = "the connection ended without the end of its TLS";
const CUT_HANDSHAKE: &str = "closed during the TLS handshake";

/// Writes until all is out or the socket takes no more; how much it took.
fn write_all(socket: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match socket.write(&bytes[sent..]) {
            Ok(0) => break,
            Ok(written) => sent += written,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}
