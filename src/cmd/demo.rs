//! `evenly demo`: three demo backends and the balancer over them, in one process.

use super::Failure;
use crate::balancer::{Balancer, Signals};
use crate::config::{Config, Overrides};
use crate::engine::Listener;
use crate::lab::backend::{Demo, DemoOptions};
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

/// Where the balancer listens. The README says so, as it does of the backends, which are those of
/// the applications.toml at the top of the repository.
const BALANCER_PORT: u16 = 8080;
const BACKENDS_PORT: u16 = 9001;
/// Where its dashboard is.
const DASHBOARD_PORT: u16 = 9900;
/// How many ports are tried, from the usual one on.
const PORTS_TRIED: u16 = 100;

/// Runs the demo in the foreground. Fails if an override is wrong, or names a port that is taken.
pub fn run(overrides: &Overrides) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let demo = start_backends().map_err(|error| Failure::Run(error.to_string()))?;
    let listen = free_address(BALANCER_PORT);
    let mut text =
        format!("[server]\nlisten = \"{listen}\"\nserved_by = true\nrequest_id = true\n");
    if cfg!(feature = "admin") {
        let _ = writeln!(text, "[admin]\nlisten = \"{}\"", free_address(DASHBOARD_PORT));
    }
    for (name, address) in demo.names().zip(demo.addresses()) {
        let (ip, port) = (address.ip(), address.port());
        let _ = write!(text, "[[applications]]\nname = \"{name}\"\nip = \"{ip}\"\nport = {port}\n");
    }
    let (config, warnings) = Config::default().read_telling(&text, "demo", overrides)?;
    let balancer = Balancer::start(config, None, signals)?;
    warnings.iter().for_each(|warning| balancer.warn(warning));
    let at = balancer.address();
    let is_moved = listen.port() != BALANCER_PORT && !overrides.has("server.listen");
    // A closed stdout is no reason not to serve.
    let _ = writeln!(
        io::stdout(),
        "Three demo backends {}and a balancer on http://{at}{}. In another terminal, a few times:\n\
         \n    curl -i http://{at}/\n\n\
         X-Served-By names the backend that answered. {}Ctrl-C ends the demo.",
        whereabouts(&demo),
        if is_moved { format!(" ({BALANCER_PORT} is taken)") } else { String::new() },
        to_look_at(&balancer),
    );
    balancer.run();
    demo.stop();
    Ok(())
}

/// Three in a row, at the first ports that are free.
fn start_backends() -> io::Result<Demo> {
    let mut port = BACKENDS_PORT;
    loop {
        let listen = (Ipv4Addr::LOCALHOST, port).into();
        match Demo::start(&DemoOptions { listen, instances: 3, ..DemoOptions::default() }) {
            Err(error)
                if error.kind() == ErrorKind::AddrInUse && port < BACKENDS_PORT + PORTS_TRIED =>
            {
                port += 1;
            }
            other => return other,
        }
    }
}

/// The first that is free from the usual one on; that itself if none is, so that the failure names
/// it.
fn free_address(usual: u16) -> SocketAddr {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut ports = usual..usual + PORTS_TRIED;
    let is_free = |port: &u16| Listener::try_bind(at(*port)).is_ok();
    at(ports.find(is_free).unwrap_or(usual))
}

/// Where the dashboard is, and what makes it move.
#[cfg(feature = "admin")]
fn to_look_at(balancer: &Balancer) -> String {
    let Some(endpoint) = balancer.endpoint() else { return String::new() };
    let clients = balancer.address();
    format!(
        "Look at\n\n    http://{endpoint}/\n\nwhile there is something to see:\n\n    \
         evenly bench http://{clients}/ --rate 200 --duration 5m\n\n"
    )
}

#[cfg(not(feature = "admin"))]
fn to_look_at(_: &Balancer) -> String {
    String::new()
}

/// Where the backends are, and why, if that is not where they usually are.
fn whereabouts(demo: &Demo) -> String {
    let ports: Vec<u16> = demo.addresses().iter().map(SocketAddr::port).collect();
    let (first, last) = (ports[0], ports[ports.len() - 1]);
    let usual = BACKENDS_PORT..=BACKENDS_PORT + 2;
    let why = if usual.contains(&first) && usual.contains(&last) {
        String::new()
    } else {
        format!("; not all of {} to {} are free", usual.start(), usual.end())
    };
    format!("(127.0.0.1, ports {first} to {last}{why}) ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_what_the_file_of_the_repository_is_about() {
        let file = Config::parse(include_str!("../../applications.toml"), "f").unwrap();
        let named = |index: u16| (format!("API0{}", index + 1), BACKENDS_PORT + index);
        let found = file.applications.into_iter().map(|spec| (spec.name, spec.port));
        assert!(found.eq((0..3).map(named)));
        assert_eq!(file.server.listen.port(), BALANCER_PORT);
    }
}
