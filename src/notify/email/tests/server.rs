//! A mail server that follows a script, in the clear, with STARTTLS, or in TLS from the start.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a server says, unless told otherwise.
#[derive(Clone, Default)]
pub(super) struct Script {
    /// Other replies, each given once, to a line that begins with this. `GREETING` and `END` stand
    /// for the beginning and for a letter's end. A reply that is empty closes.
    pub(super) says: Vec<(&'static str, String)>,
    /// What it offers besides.
    pub(super) offers: &'static [&'static str],
    /// What it proves, if it speaks TLS.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// It begins with TLS.
    pub(super) tls_first: bool,
}

/// The lines that a server was sent.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<String>>>);

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

impl Heard {
    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn has(&self, start: &str) -> bool {
        self.all().iter().any(|line| line.starts_with(start))
    }

    fn add(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

/// A server that hands every connection to `speak`.
pub(super) fn speaks(speak: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(speak));
    address
}

impl Script {
    pub(super) fn saying(line: &'static str, reply: impl Into<String>) -> Self {
        Self { says: vec![(line, reply.into())], ..Self::default() }
    }

    /// Begins to serve.
    pub(super) fn serve(self) -> (SocketAddr, Heard) {
        let heard = Heard::default();
        let lines = heard.clone();
        let script = Mutex::new(self);
        let speak = move |socket| drop(script.lock().unwrap().talk(socket, &lines));
        (speaks(speak), heard)
    }

    fn talk(&mut self, socket: TcpStream, heard: &Heard) -> io::Result<()> {
        let mut wire: Box<dyn Wire> = Box::new(socket.try_clone()?);
        if self.tls_first {
            wire = self.secured(socket.try_clone()?);
        }
        if !self.reply(&mut wire, "GREETING", "220 mail.test")? {
            return Ok(());
        }
        loop {
            let line = line(&mut wire)?;
            heard.add(&line);
            let usual = match line.split([' ', ':']).next().unwrap() {
                "EHLO" => self.extensions(),
                "STARTTLS" => "220 go".to_owned(),
                "DATA" => "354 go".to_owned(),
                "AUTH" => "235 welcome".to_owned(),
                "QUIT" => "221 bye".to_owned(),
                _ => "250 fine".to_owned(),
            };
            if !self.reply(&mut wire, &line, &usual)? {
                return Ok(());
            }
            match &line[..] {
                "STARTTLS" => wire = self.secured(socket.try_clone()?),
                "DATA" => {
                    letter(&mut wire, heard)?;
                    if !self.reply(&mut wire, "END", "250 2.0.0 taken")? {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
    }

    fn extensions(&self) -> String {
        let lines: String = self.offers.iter().map(|line| format!("250-{line}\r\n")).collect();
        format!("250-mail.test\r\n{lines}250 HELP")
    }

    /// False where it hangs up instead.
    fn reply(&mut self, wire: &mut impl Write, line: &str, usual: &str) -> io::Result<bool> {
        let other = self.says.iter().position(|(start, _)| line.starts_with(start));
        let reply = other.map_or(usual.to_owned(), |at| self.says.remove(at).1);
        write!(wire, "{reply}{}", if reply.is_empty() { "" } else { "\r\n" })?;
        wire.flush()?;
        Ok(!reply.is_empty())
    }

    fn secured(&self, socket: TcpStream) -> Box<dyn Wire> {
        let config = self.tls.clone().expect("a server that offers TLS has a certificate");
        Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), socket))
    }
}

fn letter(wire: &mut impl Read, heard: &Heard) -> io::Result<()> {
    loop {
        let line = line(wire)?;
        heard.add(&line);
        if line == "." {
            return Ok(());
        }
    }
}

/// A line, byte by byte: what follows may be TLS.
fn line(wire: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    BufReader::with_capacity(1, wire).read_until(b'\n', &mut line)?;
    let whole = line.strip_suffix(b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(String::from_utf8_lossy(whole).into_owned())
}
