//! One raw connection, from either end: bytes out as they are given, whole messages in, every wait
//! with a deadline. What a backend receives is recorded byte for byte.

use super::message::{Length, Message, fields};
use super::network::is_read;
use super::secure::Secure;
use super::{DEADLINE, backend::Notes, eventually};
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A connection, with the TLS on it if there is any, and what was read ahead from it.
pub struct Wire {
    stream: TcpStream,
    secure: Option<Box<Secure>>,
    ahead: Vec<u8>,
    notes: Option<(Arc<Notes>, usize)>,
}

/// Why a message could not be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// The peer closed, in order, before the end.
    End,
    /// The peer closed without the end of its TLS: anybody may have cut it.
    Cut,
    /// TLS failed, or the peer says that it has.
    Insecure(String),
    Reset,
    /// Nothing came in time.
    Late,
    Malformed(String),
}

type Fields = Vec<(String, String)>;

impl Wire {
    pub fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect_timeout(&address, DEADLINE).unwrap())
    }

    /// From an address of the client's own: all of 127.0.0.0/8 is this machine.
    pub fn connect_from(source: Ipv4Addr, address: SocketAddr) -> Self {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        bind(&socket, &SocketAddrV4::new(source, 0)).unwrap();
        connect(&socket, &address).unwrap();
        Self::of(socket.into())
    }

    pub fn of(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true); // a socket of the file system has no such thing
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Self { stream, secure: None, ahead: Vec::new(), notes: None }
    }

    /// From here on through TLS; the handshake comes with the first read or write.
    pub fn secure(&mut self, tls: Secure) {
        self.secure = Some(Box::new(tls));
    }

    /// Goes on with the handshake to its end.
    pub fn handshake(&mut self) -> Result<(), Broken> {
        let Some(tls) = &mut self.secure else { return Ok(()) };
        tls.handshake(&mut self.stream).map_err(|error| broken(&error))
    }

    /// What TLS has agreed on.
    pub fn agreed(&self) -> &Secure {
        self.secure.as_ref().expect("it speaks TLS")
    }

    /// Writes down what arrives in the notes of a backend.
    pub(super) fn noted(mut self, notes: &Arc<Notes>, visit: usize) -> Self {
        self.notes = Some((Arc::clone(notes), visit));
        self
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends what must go through.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.write(bytes.as_ref()).unwrap();
    }

    /// Sends what may be refused; true if the kernel took it.
    pub fn offer(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.write(bytes.as_ref()).is_ok()
    }

    /// Sends these bytes past the TLS.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.secure {
            Some(tls) => tls.write(&mut self.stream, bytes),
            None => self.stream.write_all(bytes),
        }
    }

    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match &mut self.secure {
            Some(tls) => tls.read(&mut self.stream, room),
            None => self.stream.read(room),
        }
    }

    /// Sends a request and reads its final answer.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Message {
        let method = String::from_utf8_lossy(request.as_ref());
        let method = method.split(' ').next().unwrap_or_default().to_owned();
        self.send(request);
        self.answer_to(&method)
    }

    /// A GET on this connection.
    pub fn get(&mut self, target: &str) -> Message {
        self.ask(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"))
    }

    /// The next answer, interim ones included, as a GET has it.
    pub fn answer(&mut self) -> Message {
        self.answer_to("GET")
    }

    pub fn answer_to(&mut self, method: &str) -> Message {
        self.try_answer(method).unwrap_or_else(|broken| panic!("no answer: {broken:?}"))
    }

    pub fn try_answer(&mut self, method: &str) -> Result<Message, Broken> {
        let mut message = self.head()?;
        let length = message.answer_length(method).map_err(Broken::Malformed)?;
        let mut body = Vec::new();
        message.trailers = self.body(length, &mut |data| body.extend_from_slice(data))?;
        message.body = body;
        Ok(message)
    }

    /// The next request; none when the peer is gone, even in the middle of one. One that is
    /// malformed fails the test: the proxy must never send it.
    pub fn request(&mut self) -> Option<Message> {
        let mut message = self.request_head()?;
        let length = message.request_length().unwrap();
        let mut body = Vec::new();
        message.trailers = match self.body(length, &mut |data| body.extend_from_slice(data)) {
            Ok(trailers) => trailers,
            Err(Broken::End | Broken::Cut | Broken::Reset) => return None,
            Err(broken) => panic!("a request's body: {broken:?}"),
        };
        message.body = body;
        if let Some((notes, _)) = &self.notes {
            notes.add(message.clone());
        }
        Some(message)
    }

    /// The head of the next request, its body left to be read. It is not noted.
    pub fn request_head(&mut self) -> Option<Message> {
        match self.head() {
            Ok(message) => Some(message),
            Err(Broken::End | Broken::Cut | Broken::Reset) => None,
            Err(broken) => panic!("a request: {broken:?}"),
        }
    }

    /// The next head of either kind.
    pub fn head(&mut self) -> Result<Message, Broken> {
        let end = self.find(b"\r\n\r\n")?;
        Message::parse(&self.take(end)).map_err(Broken::Malformed)
    }

    /// Reads a body piece by piece, and returns the trailers.
    pub fn body(&mut self, length: Length, on: &mut dyn FnMut(&[u8])) -> Result<Fields, Broken> {
        match length {
            Length::Bytes(bytes) => self.pieces(bytes, on)?,
            Length::Chunked => return self.chunks(on),
            Length::UntilClose => loop {
                on(&std::mem::take(&mut self.ahead));
                match self.fill() {
                    Ok(()) => {}
                    Err(Broken::End) => break,
                    Err(broken) => return Err(broken),
                }
            },
        }
        Ok(Vec::new())
    }

    fn chunks(&mut self, on: &mut dyn FnMut(&[u8])) -> Result<Fields, Broken> {
        loop {
            let size = self.chunk_size()?;
            if size == 0 {
                break;
            }
            self.pieces(size, on)?;
            if self.exactly(2)? != b"\r\n" {
                return Err(Broken::Malformed("a chunk does not end with CR LF".into()));
            }
        }
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return fields(lines.iter().map(String::as_str)).map_err(Broken::Malformed);
            }
            lines.push(line);
        }
    }

    fn chunk_size(&mut self) -> Result<u64, Broken> {
        let line = self.line()?;
        let plain = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = if plain { u64::from_str_radix(&line, 16).ok() } else { None };
        size.ok_or_else(|| Broken::Malformed(format!("a chunk's size: {line:?}")))
    }

    fn line(&mut self) -> Result<String, Broken> {
        let end = self.find(b"\r\n")?;
        let line = self.take(end);
        Ok(String::from_utf8_lossy(&line[..end - 2]).into_owned())
    }

    fn pieces(&mut self, mut bytes: u64, on: &mut dyn FnMut(&[u8])) -> Result<(), Broken> {
        while bytes > 0 {
            if self.ahead.is_empty() {
                self.fill()?;
            }
            let piece = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.ahead.len());
            on(&self.take(piece));
            bytes -= piece as u64;
        }
        Ok(())
    }

    /// So many bytes, whatever they are.
    pub fn exactly(&mut self, bytes: usize) -> Result<Vec<u8>, Broken> {
        while self.ahead.len() < bytes {
            self.fill()?;
        }
        Ok(self.take(bytes))
    }

    /// Expects these very bytes next.
    pub fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let came = self.exactly(bytes.len()).unwrap_or_else(|broken| {
            panic!("expected {:?}, got {broken:?}", String::from_utf8_lossy(bytes))
        });
        assert_eq!(String::from_utf8_lossy(&came), String::from_utf8_lossy(bytes));
    }

    /// Reads to the end and says how it came.
    pub fn ending(&mut self) -> (Vec<u8>, Broken) {
        loop {
            if let Err(broken) = self.fill() {
                return (std::mem::take(&mut self.ahead), broken);
            }
        }
    }

    /// Expects the peer to close without another byte.
    pub fn expect_end(&mut self) {
        let (rest, broken) = self.ending();
        assert_eq!((String::from_utf8_lossy(&rest).as_ref(), broken), ("", Broken::End));
    }

    /// Whether nothing comes, not even the end, for as long as this.
    pub fn is_silent_for(&mut self, while_: Duration) -> bool {
        self.stream.set_read_timeout(Some(while_)).unwrap();
        let filled = self.ahead.is_empty().then(|| self.fill());
        self.stream.set_read_timeout(Some(DEADLINE)).unwrap();
        filled == Some(Err(Broken::Late))
    }

    /// Waits until the proxy has read what was sent, and then long enough for it to be in the line,
    /// unanswered.
    pub fn stands_in_line(&mut self) {
        eventually("it is read", || is_read(&self.stream));
        let waits = self.is_silent_for(Duration::from_millis(50));
        assert!(waits, "answered: {:?}", String::from_utf8_lossy(&self.ahead));
    }

    /// No more will be sent; the other direction goes on.
    pub fn finish(&mut self) {
        if let Some(tls) = &mut self.secure {
            let _ = tls.close(&mut self.stream);
        }
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Closes with a reset.
    pub fn reset(self) {
        set_socket_linger(&self.stream, Some(Duration::ZERO)).unwrap();
    }

    fn find(&mut self, mark: &[u8]) -> Result<usize, Broken> {
        loop {
            if let Some(at) = self.ahead.windows(mark.len()).position(|bytes| bytes == mark) {
                return Ok(at + mark.len());
            }
            self.fill()?;
        }
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let rest = self.ahead.split_off(bytes);
        std::mem::replace(&mut self.ahead, rest)
    }

    fn fill(&mut self) -> Result<(), Broken> {
        let mut room = [0; 64 * 1024];
        let came = loop {
            match self.read(&mut room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match came {
            Ok(0) => Err(Broken::End),
            Ok(bytes) => {
                self.ahead.extend_from_slice(&room[..bytes]);
                if let Some((notes, visit)) = &self.notes {
                    notes.record(*visit, &room[..bytes]);
                }
                Ok(())
            }
            Err(error) => Err(broken(&error)),
        }
    }
}

fn broken(error: &io::Error) -> Broken {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Broken::Late,
        ErrorKind::UnexpectedEof => Broken::Cut,
        ErrorKind::InvalidData => Broken::Insecure(error.to_string()),
        _ => Broken::Reset,
    }
}
