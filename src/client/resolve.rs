//! Where the backends are, found out once at the start. A look-up may block for as long as the
//! resolver likes, so each name has a thread, and nobody waits for one that is late.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use super::vigil::Vigil;
use crate::pool::Spec;
use crate::thread;

/// The address of a backend whose name has not resolved: nothing can be there, for the port is 0.
/// The watch looks the name up again.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// True if a backend of this address is yet to be found.
pub(super) fn is_nowhere(address: SocketAddr) -> bool {
    address.port() == 0
}

/// The address of each backend, found within `patience`.
pub(super) fn addresses(specs: &[Spec], patience: Duration, vigil: &Vigil) -> Vec<SocketAddr> {
    let until = Instant::now() + patience;
    let (sender, found) = bounded(specs.len());
    let mut addresses: Vec<SocketAddr> = specs.iter().map(literal).collect();
    for (index, spec) in specs.iter().enumerate().filter(|(index, _)| is_nowhere(addresses[*index]))
    {
        vigil.note(&spec.name, &format!("{} did not resolve in time", spec.host));
        if let Err(error) = look_up(index, spec, sender.clone()) {
            vigil.note(&spec.name, &format!("{} was not looked up: {error}", spec.host));
        }
    }
    // Ends as well when the last look-up has.
    drop(sender);
    while let Ok((index, result)) = found.recv_deadline(until) {
        let Spec { name, host, .. } = &specs[index];
        match result {
            Ok(address) => {
                addresses[index] = address;
                vigil.forget(name);
            }
            Err(why) => vigil.note(name, &format!("{host} did not resolve: {why}")),
        }
    }
    addresses
}

fn literal(spec: &Spec) -> SocketAddr {
    spec.host.parse().map_or(NOWHERE, |ip: IpAddr| SocketAddr::new(ip, spec.port))
}

type Found = (usize, Result<SocketAddr, String>);

fn look_up(index: usize, spec: &Spec, found: Sender<Found>) -> std::io::Result<()> {
    let (host, port) = (spec.host.clone(), spec.port);
    let duty = move || {
        let first = (host.as_str(), port).to_socket_addrs().map(|mut all| all.next());
        let result = match first {
            Ok(Some(address)) => Ok(address),
            Ok(None) => Err("it has no address".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        // Too late is no error: the watch will look again.
        let _ = found.send((index, result));
    };
    thread::spawn("look-up", duty).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::spec;

    fn found(host: &str) -> (SocketAddr, Option<String>) {
        let vigil = Vigil::new(None);
        let specs = [Spec { host: host.into(), ..spec("a") }];
        let addresses = addresses(&specs, Duration::from_secs(60), &vigil);
        (addresses[0], vigil.why("a"))
    }

    #[test]
    fn addresses_and_names_are_found() {
        assert_eq!(found("::1"), ("[::1]:8001".parse().unwrap(), None));
        let (address, why) = found("localhost");
        assert!(address.ip().is_loopback() && address.port() == 8001 && why.is_none());
    }

    #[test]
    fn a_name_that_does_not_resolve_is_nowhere_and_that_is_said() {
        // 64 letters in a row are one more than a label of a name has room for (RFC 1035 2.3.4).
        let (address, why) = found(&"a".repeat(64));
        assert!(is_nowhere(address));
        assert!(why.is_some_and(|why| why.contains("did not resolve: ")));
    }
}
