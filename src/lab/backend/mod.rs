//! The demo backend: a small JSON API in as many instances as asked for, to put behind a balancer.
//! `evenly backend`, `evenly demo` and tests start it.
//!
//! | request                    | answer                                                         |
//! |----------------------------|----------------------------------------------------------------|
//! | GET `/`                    | 200 `{"Result":true,"Message":"This is API: API01"}`           |
//! | GET `/health`              | 200 `{"Result":true,"Message":"OK"}`, or 503 with Result false |
//! | GET or POST `/health/flip` | 200, and health is turned; Result is the new state             |
//! | POST anywhere else         | 200 and the JSON it was given, under the content type it had   |
//! | anything else              | 404, or 405 with Allow                                         |
//!
//! HEAD goes where GET goes, flipping apart. It is served plainly: one thread a connection,
//! blocking reads (`plain::server`). It must never stand in for the proxy's engine, nor grow into a
//! web server.

mod answer;
mod pattern;

#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use crate::http::HeadLimits;
use crate::plain::handler::ServerLimits;
use crate::plain::server::PlainServer;
use answer::Api;
use pattern::Pattern;

pub use pattern::Nature;

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoOptions {
    /// Where the first instance listens; the others take the ports that follow. With port 0 each
    /// instance takes a free port.
    pub listen: SocketAddr,
    /// The first instance's name; the others count on from it: `API01`, `API02`, ...
    pub name: String,
    /// How many to start.
    pub instances: u16,
    /// Not 0: each instance has the fixed pattern that this seed gives it: a latency of its own, 1
    /// to 20 ms and up to half as much again, and 0 to 5 % of 500s. Health is exempt. See
    /// `pattern`.
    pub seed: u64,
    /// Begin with health off.
    pub unhealthy: bool,
}

impl Default for DemoOptions {
    fn default() -> DemoOptions {
        DemoOptions {
            listen: ([127, 0, 0, 1], 9001).into(),
            name: "API01".into(),
            instances: 1,
            seed: 0,
            unhealthy: false,
        }
    }
}

impl DemoOptions {
    /// What the instance at this index is like, from 0; `None` without a seed.
    pub fn nature(&self, index: u16) -> Option<Nature> {
        Pattern::new(self.seed, index).map(|pattern| pattern.nature())
    }
}

/// Running instances; they stop when it is dropped.
pub struct Demo(Vec<DemoInstance>);

struct DemoInstance {
    api: Arc<Api>,
    address: SocketAddr,
    /// Serves until it is dropped.
    _server: PlainServer,
}

impl Demo {
    /// Opens all ports, then serves them. An error names the address that could not be had.
    pub fn start(options: &DemoOptions) -> io::Result<Demo> {
        let listeners: Vec<TcpListener> = (0..options.instances)
            .map(|index| bind(nth_address(options.listen, index)?))
            .collect::<io::Result<_>>()?;
        let mut instances = Vec::new();
        for (listener, index) in listeners.into_iter().zip(0..) {
            let name = nth_name(&options.name, index);
            let api = Arc::new(Api::new(&name, options.seed, index, !options.unhealthy));
            let address = listener.local_addr()?;
            let name = format!("accept {}", address.port());
            let server = PlainServer::start(listener, &name, limits(), api.clone())?;
            instances.push(DemoInstance { api, address, _server: server });
        }
        Ok(Demo(instances))
    }

    /// Where the instances listen, in order.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|instance| instance.address).collect()
    }

    /// What the instances are called, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|instance| instance.api.name())
    }

    /// Turns the health of an instance; returns the new state. Panics when there is no such
    /// instance.
    pub fn flip(&self, index: usize) -> bool {
        self.0[index].api.flip()
    }

    /// Closes every connection and port; returns when the last thread has ended.
    pub fn stop(self) {
        drop(self);
    }
}

/// What a client of the demo may take: far more than any needs that is not meant to try it.
fn limits() -> ServerLimits {
    let minute = Duration::from_secs(60);
    ServerLimits {
        connections_max: 1024,
        backlog: 4096, // std asks for 128, too few for a burst
        idle_give_way: false,
        spare_descriptors: 0,
        head: HeadLimits::default(),
        body_bytes_max: 1024 * 1024,
        idle: minute,
        request: minute,
        answer: minute,
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AddrInUse => "end the program that uses it, or choose another with --listen",
            _ => "choose another with --listen",
        };
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}; {remedy}"))
    })
}

fn nth_address(first: SocketAddr, index: u16) -> io::Result<SocketAddr> {
    let port = match first.port() {
        0 => Some(0),
        port => port.checked_add(index),
    };
    let port = port.ok_or_else(|| {
        let text = format!("no port is left for instance {} after {first}", index + 1);
        io::Error::new(ErrorKind::InvalidInput, text)
    })?;
    Ok(SocketAddr::new(first.ip(), port))
}

/// `API01`, `API02`, ..., `API10`; a name without a number goes on with 2.
fn nth_name(first: &str, index: u16) -> String {
    if index == 0 {
        return first.into();
    }
    let stem = first.trim_end_matches(|char: char| char.is_ascii_digit());
    let digits = &first[stem.len()..];
    let number = digits.parse::<u64>().unwrap_or(1).saturating_add(index.into());
    format!("{stem}{number:0width$}", width = digits.len())
}
