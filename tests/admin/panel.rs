//! A balancer with its endpoint, and whoever asks there.

use crate::harness::{Message, Place, Proxy, Wire};
use serde_json::Value;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// A running balancer whose endpoint is at `admin.sock` in its folder, and at a port of 127.0.0.1.
pub struct Panel {
    pub proxy: Proxy,
    pub address: SocketAddr,
}

impl Panel {
    pub fn over(backends: &[&dyn Place]) -> Self {
        Self::with(backends, "")
    }

    /// With these settings, one a line.
    pub fn with(backends: &[&dyn Place], settings: &str) -> Self {
        Self::within("", backends, settings)
    }

    /// The same where a shell has first run `limits`.
    pub fn within(limits: &str, backends: &[&dyn Place], settings: &str) -> Self {
        let variables = "export EVENLY_ADMIN_SOCKET=./admin.sock EVENLY_ADMIN_LISTEN=127.0.0.1:0";
        let proxy = Proxy::within(&format!("{limits}\n{variables}"), backends, settings);
        let line = proxy.process.said.wait("admin endpoint at ");
        let address = line.rsplit("http://").next().unwrap().parse().unwrap();
        Self { proxy, address }
    }

    pub fn socket(&self) -> PathBuf {
        self.proxy.scratch.path().join("admin.sock")
    }

    /// A connection of our own user.
    pub fn open(&self) -> Wire {
        open(&self.socket())
    }

    /// A connection over the network.
    pub fn connect(&self) -> Wire {
        Wire::connect(self.address)
    }

    pub fn get(&self, target: &str) -> Message {
        self.open().ask(format!("GET {target} HTTP/1.1\r\nHost: evenly\r\n\r\n"))
    }

    pub fn post(&self, target: &str) -> Message {
        self.open().ask(post(target, "evenly", "X-Evenly: 1\r\n"))
    }

    pub fn status(&self) -> Value {
        json(&self.get("/status"))
    }

    /// What the status says of the backend at `index`.
    pub fn backend(&self, index: usize) -> Value {
        self.status()["pools"][0]["backends"][index].clone()
    }

    /// The mode of the first backend, whom every attack is after.
    pub fn mode(&self) -> String {
        self.backend(0)["mode"].as_str().unwrap().to_owned()
    }
}

pub fn open(path: &std::path::Path) -> Wire {
    let stream = UnixStream::connect(path).unwrap();
    // To the kernel a stream is a stream.
    Wire::of(TcpStream::from(OwnedFd::from(stream)))
}

pub fn post(target: &str, host: &str, fields: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n{fields}\r\n")
}

pub fn json(answer: &Message) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("no JSON: {}", answer.text()))
}

/// The sentence of a refusal.
pub fn error(answer: &Message) -> String {
    json(answer)["error"].as_str().unwrap().to_owned()
}
