//! Looking names up, with a deadline.
//!
//! The system's resolver blocks for as long as it likes: 10 s and more where a DNS server is
//! silent. So each look-up has a thread, and nobody waits for one that is late: it ends by itself.
//! Used by the names thread, and at the start by whoever makes a pool.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::pool::{Found, Spec};
use crate::text::Took;
use crate::thread;

/// Most look-ups at once, and threads for them. One that hangs takes none of the others' time until
/// so many hang.
const LOOK_UPS_MAX: usize = 16;

/// Asks the system for the addresses of a name: the one thing here that blocks.
pub(super) type Resolve = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// A host, and what it came to; port 0.
pub(super) type Resolved = (String, Found);

/// Look-ups under way, each on its thread, and those that wait for one.
pub(super) struct LookUps {
    resolve: Resolve,
    waiting: VecDeque<String>,
    under_way: usize,
    tell: Sender<Resolved>,
    /// To be handed to `over` one by one.
    pub(super) resolved: Receiver<Resolved>,
}

/// Where each of `specs` is, found within `patience`.
pub fn look_up_all(specs: &[Spec], patience: Duration) -> Vec<Found> {
    let until = Instant::now() + patience;
    let mut names: Vec<&str> = specs.iter().map(|spec| spec.host.as_str()).collect();
    names.retain(|host| is_name(host));
    names.sort_unstable();
    names.dedup();
    let mut lookups = LookUps::new(system);
    names.iter().for_each(|name| lookups.begin(name));
    let mut resolved: Vec<Resolved> = Vec::new();
    while lookups.under_way > 0
        && let Ok(one) = lookups.resolved.recv_deadline(until)
    {
        lookups.over();
        resolved.push(one);
    }
    let found = |host: &str| resolved.iter().find(|(name, _)| name == host).map(|(_, found)| found);
    let of = |Spec { host, port, .. }: &Spec| match host.parse() {
        Ok(ip) => Ok(vec![SocketAddr::new(ip, *port)]),
        Err(_) => found(host).map_or_else(|| Err(late(host, patience)), |it| at(it, *port)),
    };
    specs.iter().map(of).collect()
}

/// The same addresses with this port.
pub(super) fn at(found: &Found, port: u16) -> Found {
    let with = |address: &SocketAddr| {
        let mut address = *address; // of IPv6, the zone is kept
        address.set_port(port);
        address
    };
    found.as_ref().map(|list| list.iter().map(with).collect()).map_err(String::clone)
}

/// True for what must be looked up.
pub(super) fn is_name(host: &str) -> bool {
    host.parse::<IpAddr>().is_err()
}

/// Asks the system.
pub(super) fn system(host: &str) -> io::Result<Vec<SocketAddr>> {
    Ok((host, 0).to_socket_addrs()?.collect())
}

fn late(host: &str, patience: Duration) -> String {
    format!("{host} does not resolve: no answer within {}", Took(patience))
}

impl LookUps {
    pub(super) fn new(resolve: Resolve) -> Self {
        let (tell, resolved) = bounded(LOOK_UPS_MAX);
        Self { resolve, waiting: VecDeque::new(), under_way: 0, tell, resolved }
    }

    /// Looks `host` up as soon as there is a thread for it.
    pub(super) fn begin(&mut self, host: &str) {
        self.waiting.push_back(host.to_owned());
        self.go_on();
    }

    /// One was taken from `resolved`: its thread is free for the next.
    pub(super) fn over(&mut self) {
        self.under_way -= 1;
        self.go_on();
    }

    fn go_on(&mut self) {
        while self.under_way < LOOK_UPS_MAX
            && let Some(host) = self.waiting.pop_front()
        {
            self.under_way += 1;
            let (resolve, tell, name) = (self.resolve, self.tell.clone(), host.clone());
            // There is a place for each that is under way. Too late is no error: nobody listens.
            let duty = move || drop(tell.try_send((name.clone(), ask(resolve, &name))));
            if let Err(error) = thread::spawn("look-up", duty) {
                let why = format!("{host} was not looked up, for want of a thread: {error}");
                let _ = self.tell.try_send((host, Err(why)));
            }
        }
    }
}

fn ask(resolve: Resolve, host: &str) -> Found {
    let why = match resolve(host) {
        Ok(found) if !found.is_empty() => return Ok(found),
        Ok(_) => "it has no address".to_owned(),
        // The standard library says first what the sentence says already.
        Err(error) => error.to_string().replace("failed to lookup address information: ", ""),
    };
    Err(format!("{host} does not resolve: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::spec;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn addresses_and_names_are_found_with_their_ports() {
        let named = |host: &str, port| Spec { host: host.into(), port, ..spec("a") };
        let specs = [named("::1", 1), named("localhost", 2), named("localhost", 3)];
        let found = look_up_all(&specs, PATIENCE);
        assert_eq!(found[0], Ok(vec!["[::1]:1".parse().unwrap()]));
        for (found, port) in found[1..].iter().zip(2..) {
            let found = found.as_ref().unwrap();
            assert!(found.iter().all(|one| one.ip().is_loopback() && one.port() == port));
        }
    }

    #[test]
    fn a_name_without_an_address_is_no_error_of_the_others() {
        // 64 letters in a row are one more than a label of a name has room for (RFC 1035 2.3.4).
        let host = "a".repeat(64);
        let specs = [Spec { host: host.clone(), ..spec("a") }, spec("b")];
        let found = look_up_all(&specs, PATIENCE);
        let why = found[0].as_ref().unwrap_err();
        assert!(why.starts_with(&format!("{host} does not resolve: ")), "{why}");
        assert!(!why.contains("failed to lookup"), "{why}");
        assert!(found[1].is_ok());
    }

    #[test]
    fn one_that_hangs_is_not_waited_for_and_holds_up_no_other() {
        let mut lookups = LookUps::new(|host| {
            if host == "silent" {
                std::thread::park_timeout(PATIENCE);
            }
            Ok(vec![([127, 0, 0, 1], 0).into()])
        });
        lookups.begin("silent");
        for number in 0..2 * LOOK_UPS_MAX {
            lookups.begin(&format!("name{number}"));
            let (host, found) = lookups.resolved.recv_timeout(PATIENCE).unwrap();
            lookups.over();
            assert!(host.starts_with("name") && found.is_ok());
        }
    }
}
