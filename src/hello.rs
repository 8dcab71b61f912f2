//! A TLS ClientHello: whom it asks for, read from the first bytes of a connection without a key
//! (RFC 8446 section 4.1.2, server_name as in RFC 6066 section 3).
//!
//! Called by the relay where TLS is passed on as it is, with all that has come so far. Pure: bytes
//! in, an answer out. A hello may be cut into many records, and is put together here; nothing else
//! of TLS is understood. Strict where two readers could see two names: more than one server_name
//! extension, more than one name in it, bytes that are left over.

/// The most that a hello may take, with the headers of its records: post-quantum keys make one of
/// some 2 KiB, and nobody sends more than a few.
pub const BYTES_MAX: usize = 16 * 1024;

/// A record's header: type, version, length.
const RECORD_HEADER: usize = 5;
/// The most that a record holds in the clear (RFC 8446 section 5.1).
const RECORD_MAX: usize = 1 << 14;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
/// DNS allows 253 characters, without the dot at the end that is not to be sent.
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// What the first bytes of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// The beginning of a hello, as far as that goes.
    Partial,
    /// A whole hello: the name that it asks for, in lower case, if it asks for one.
    Whole(Option<String>),
    /// No hello, or not one that can be read in one way only.
    Malformed(&'static str),
}

/// Reads a hello from all that has come of a connection so far.
pub fn read(bytes: &[u8]) -> Hello {
    match Message::of(bytes).and_then(|message| message.map(|body| name(&body)).transpose()) {
        Ok(Some(name)) => Hello::Whole(name),
        Ok(None) if bytes.len() >= BYTES_MAX => Hello::Malformed("its ClientHello is too long"),
        Ok(None) => Hello::Partial,
        Err(why) => Hello::Malformed(why),
    }
}

type Read<T> = Result<T, &'static str>;

/// The first message of the handshake, taken out of its records.
struct Message;

impl Message {
    /// The body of the ClientHello; none until it has come whole.
    fn of(mut bytes: &[u8]) -> Read<Option<Vec<u8>>> {
        let mut message = Vec::new();
        loop {
            if let Some(body) = Self::whole(&message)? {
                return Ok(Some(body));
            }
            let Some((fragment, rest)) = record(bytes)? else { return Ok(None) };
            message.extend_from_slice(fragment);
            bytes = rest;
        }
    }

    fn whole(message: &[u8]) -> Read<Option<Vec<u8>>> {
        let [kind, a, b, c, body @ ..] = message else {
            return match message.first() {
                Some(kind) if *kind != CLIENT_HELLO => Err(NOT_HELLO),
                _ => Ok(None),
            };
        };
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        match body.get(..length) {
            _ if *kind != CLIENT_HELLO => Err(NOT_HELLO),
            _ if length > BYTES_MAX => Err("its ClientHello is too long"),
            whole => Ok(whole.map(<[u8]>::to_vec)),
        }
    }
}

const NOT_HELLO: &str = "it begins with no ClientHello";
const NOT_TLS: &str = "it begins with no TLS";

/// What has come of the next record, if anything, and what is behind it. A record that goes on is
/// as good as its part: the message is not whole then.
fn record(bytes: &[u8]) -> Read<Option<(&[u8], &[u8])>> {
    let is = |at: usize, expected: u8| bytes.get(at).is_none_or(|byte| *byte == expected);
    if !is(0, HANDSHAKE) || !is(1, 3) {
        return Err(NOT_TLS);
    }
    let Some((header, rest)) = bytes.split_at_checked(RECORD_HEADER) else { return Ok(None) };
    // 3.0 to 3.4: some say what they speak, most say 3.1 or 3.3 (RFC 8446 appendix D).
    if header[2] > 4 {
        return Err(NOT_TLS);
    }
    match usize::from(header[3]) << 8 | usize::from(header[4]) {
        0 => Err("it sends an empty record"),
        length if length > RECORD_MAX => Err(NOT_TLS),
        _ if rest.is_empty() => Ok(None),
        length => Ok(Some(rest.split_at(length.min(rest.len())))),
    }
}

/// The name in a hello's body.
fn name(body: &[u8]) -> Read<Option<String>> {
    let mut hello = Bytes(body);
    let [major, _] = hello.take::<2>()?;
    if major != 3 {
        return Err(NOT_HELLO);
    }
    hello.take::<32>()?; // random
    let session = hello.vector::<1>()?;
    let suites = hello.vector::<2>()?;
    let compressions = hello.vector::<1>()?;
    if session.len() > 32 || suites.len() < 2 || suites.len() % 2 != 0 || compressions.is_empty() {
        return Err(BROKEN);
    }
    if hello.0.is_empty() {
        return Ok(None); // TLS 1.2 allows a hello without extensions
    }
    let mut extensions = Bytes(hello.vector::<2>()?);
    if !hello.0.is_empty() {
        return Err(BROKEN);
    }
    let mut named = None;
    while !extensions.0.is_empty() {
        let kind = u16::from_be_bytes(extensions.take()?);
        let content = extensions.vector::<2>()?;
        if kind == SERVER_NAME && named.replace(content).is_some() {
            return Err("it asks for a name twice");
        }
    }
    named.map(host).transpose()
}

/// The one host of a server_name extension.
fn host(content: &[u8]) -> Read<String> {
    let mut content = Bytes(content);
    let mut names = Bytes(content.vector::<2>()?);
    let [kind] = names.take()?;
    let name = names.vector::<2>()?;
    if kind != HOST_NAME || !names.0.is_empty() || !content.0.is_empty() {
        return Err("it asks for more than one name, or for none");
    }
    match is_host(name) {
        true => Ok(String::from_utf8_lossy(name).to_ascii_lowercase()),
        false => Err("the name that it asks for is no host name"),
    }
}

/// A host in ASCII, without a dot at its end, and no address. Underscores are no part of host
/// names, but of names in use, and mean one thing to everybody.
fn is_host(name: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &[u8]| {
        (1..=LABEL_MAX).contains(&label.len()) && label.iter().all(fits) && label[0] != b'-'
    };
    let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let is_address = last.iter().all(u8::is_ascii_digit);
    name.len() <= NAME_MAX && name.split(|byte| *byte == b'.').all(is_label) && !is_address
}

const BROKEN: &str = "its ClientHello is broken";

/// Bytes that are used up from the front.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(BROKEN)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// Bytes behind their length, which takes `N` bytes.
    fn vector<const N: usize>(&mut self) -> Read<&'b [u8]> {
        let length = self.take::<N>()?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let (taken, rest) = self.0.split_at_checked(length).ok_or(BROKEN)?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests;
