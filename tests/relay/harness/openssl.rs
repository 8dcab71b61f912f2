//! `openssl s_client`, which nobody here wrote: its bytes as a raw connection, or all that it
//! prints.

use super::certs::Certs;
use super::{DEADLINE, Process, Wire};
use std::io::{PipeWriter, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// A connection whose TLS is spoken by openssl.
pub struct OpenSsl {
    pub process: Process,
    /// What goes in and out of it, in the clear.
    pub wire: Wire,
}

impl OpenSsl {
    /// A client that trusts this authority.
    pub fn connect(address: SocketAddr, certs: &Certs, arguments: &[&str]) -> Self {
        let (ours, theirs) = pair();
        let input = OwnedFd::from(theirs.try_clone().unwrap());
        let mut command = command(address, certs);
        command.args(["-quiet", "-verify_return_error"]).args(arguments);
        let directory = certs.dir();
        let process = Process::between(&mut command, directory, input, OwnedFd::from(theirs));
        Self { process, wire: Wire::of(ours) }
    }

    /// A client that is told this, and its input, to be held open: a line that begins with `R`
    /// makes it negotiate anew.
    pub fn interactive(
        address: SocketAddr,
        certs: &Certs,
        arguments: &[&str],
        input: &str,
    ) -> (Process, PipeWriter) {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut command = command(address, certs);
        command.args(arguments);
        let process = Process::between(&mut command, certs.dir(), reader, Stdio::piped());
        writer.write_all(input.as_bytes()).unwrap();
        (process, writer)
    }

    /// Waits for its end, and says what it thought of that of the connection.
    pub fn verdict(mut self) -> String {
        self.process.wait();
        self.process.said.complete().join("\n")
    }
}

/// Runs a client that sends this and waits until the server closes: what it printed and said.
pub fn probe(address: SocketAddr, certs: &Certs, arguments: &[&str], input: &str) -> String {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut command = command(address, certs);
    command.arg("-ign_eof").args(arguments);
    let process = Process::between(&mut command, certs.dir(), reader, Stdio::piped());
    // Not more than a pipe holds, so that this never waits for openssl.
    writer.write_all(input.as_bytes()).unwrap();
    drop(writer);
    let (_, printed, said) = process.finish();
    format!("{printed}\n{said}")
}

fn command(address: SocketAddr, certs: &Certs) -> Command {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string(), "-CAfile"]).arg(&certs.ca);
    command
}

/// Two ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ours = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
    (ours, listener.accept().unwrap().0)
}
