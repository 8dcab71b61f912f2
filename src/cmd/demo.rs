//! `evenly demo`: three demo backends and the balancer over them, in one process.

use super::Failure;
use super::balancer::Balancer;
use super::signals::Signals;
use crate::config::{Config, Overrides};
use crate::lab::backend::{Demo, Options};
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// The balancer listens where the documentation says; the backends take any free ports.
const SERVER: &str = "[server]\nlisten = \"127.0.0.1:8080\"\nserved_by = true\nrequest_id = true\n";

/// Runs the demo in the foreground. Fails if a port is taken or an override is wrong.
pub fn run(overrides: &Overrides) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let listen = ([127, 0, 0, 1], 0).into();
    let demo = Demo::start(&Options { listen, instances: 3, ..Options::default() })
        .map_err(|error| Failure::Run(error.to_string()))?;
    let mut text = String::from(SERVER);
    for (name, address) in demo.names().zip(demo.addresses()) {
        let (ip, port) = (address.ip(), address.port());
        let _ = write!(text, "[[applications]]\nname = \"{name}\"\nip = \"{ip}\"\nport = {port}\n");
    }
    let balancer = Balancer::start(Config::read(&text, "demo", overrides)?, signals)?;
    let at = balancer.address();
    // A closed stdout is no reason not to serve.
    let _ = writeln!(
        io::stdout(),
        "Three demo backends and a balancer on http://{at}. In another terminal, a few times:\n\
         \n    curl -i http://{at}/\n\n\
         X-Served-By names the backend that answered. Ctrl-C ends the demo."
    );
    balancer.run();
    demo.stop();
    Ok(())
}
