//! Looking names up, with a deadline.
//!
//! The system's resolver blocks for as long as it likes: 10 s and more where a DNS server is
//! silent. So each look-up has a thread, and nobody waits for one that is late: it ends by itself.
//! Used by the names thread, and at the start by whoever makes a pool.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::blame::Blame;
use crate::config::{Answer, Answers};
use crate::pool::Spec;
use crate::text::Took;
use crate::thread;

/// Most look-ups at once, and threads for them. One that hangs takes none of the others' time until
/// so many hang.
const LOOK_UPS_MAX: usize = 16;
/// How long a program of this very machine may take to accept.
const NEAR: Duration = Duration::from_millis(500);

/// Asks the system for the addresses of a name, with this port: it blocks.
pub(super) type Resolve = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// A host and port.
pub(super) type Named = (String, u16);

/// What that came to.
pub(super) type Resolved = (Named, Answer);

/// Look-ups under way, each on its thread, and those that wait for one.
pub(super) struct LookUps {
    resolve: Resolve,
    waiting: VecDeque<Named>,
    under_way: usize,
    tell: Sender<Resolved>,
    /// To be handed to `over` one by one.
    pub(super) resolved: Receiver<Resolved>,
}

/// Where those of `specs` are that are named, but for what is `known` already, found within
/// `patience`. A name that is known to lead nowhere is asked for anew.
pub fn look_up_all(specs: &[Spec], known: &Answers, patience: Duration) -> Answers {
    let until = Instant::now() + patience;
    let named = specs.iter().filter(|spec| spec.is_named());
    let mut answers: Answers = named
        .map(|Spec { host, port, .. }| {
            let key = (host.clone(), *port);
            let answer = known.get(&key).filter(|known| known.is_ok()).cloned();
            (key, answer.unwrap_or_else(|| Err(late(host, patience))))
        })
        .collect();
    let mut lookups = LookUps::new(system);
    let unknown = answers.iter().filter(|(_, answer)| answer.is_err());
    unknown.for_each(|(named, _)| lookups.begin(named));
    while lookups.under_way > 0
        && let Ok((named, answer)) = lookups.resolved.recv_deadline(until)
    {
        lookups.over();
        answers.insert(named, answer);
    }
    answers
}

/// True for an address of this very machine: what is sent there comes from there. Nothing is sent.
///
/// # Errors
/// If that cannot be told now, for want of a descriptor.
pub fn is_local(ip: IpAddr) -> io::Result<bool> {
    match way_to(ip) {
        Err(error) if is_ours(&error) => Err(error),
        way => Ok(way.is_ok_and(|from| from == ip)),
    }
}

/// That a descriptor is wanting says nothing of the way.
fn is_ours(error: &io::Error) -> bool {
    Blame::of(error) == Blame::Ours
}

/// The address from which the kernel would send there; an error where there is no way.
fn way_to(ip: IpAddr) -> io::Result<IpAddr> {
    let any = match ip {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((ip, 9))?; // any port: no packet leaves
    Ok(socket.local_addr()?.ip())
}

/// Asks the system. What this machine has no way to, as IPv6 in many a container, is left out where
/// there is something else; and of `localhost` what nobody listens at.
pub(super) fn system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let mut found: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    found.sort_unstable();
    found.dedup();
    keep_any(&mut found, |at| way_to(at.ip()).err().is_none_or(|error| is_ours(&error)));
    if found.len() > 1 && found.iter().all(|at| is_localhost(at.ip())) {
        keep_any(&mut found, |at| TcpStream::connect_timeout(at, NEAR).is_ok());
    }
    Ok(found)
}

fn is_localhost(ip: IpAddr) -> bool {
    ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST
}

/// Keeps those that do, or all if none does.
fn keep_any(all: &mut Vec<SocketAddr>, will_do: impl Fn(&SocketAddr) -> bool) {
    let kept: Vec<SocketAddr> = all.iter().copied().filter(will_do).collect();
    if !kept.is_empty() {
        *all = kept;
    }
}

fn late(host: &str, patience: Duration) -> String {
    format!("{host} does not resolve: no answer within {}", Took(patience))
}

impl LookUps {
    pub(super) fn new(resolve: Resolve) -> Self {
        let (tell, resolved) = bounded(LOOK_UPS_MAX);
        Self { resolve, waiting: VecDeque::new(), under_way: 0, tell, resolved }
    }

    /// Looks it up as soon as there is a thread for it.
    pub(super) fn begin(&mut self, named: &Named) {
        self.waiting.push_back(named.clone());
        self.go_on();
    }

    /// One was taken from `resolved`: its thread is free for the next.
    pub(super) fn over(&mut self) {
        self.under_way -= 1;
        self.go_on();
    }

    fn go_on(&mut self) {
        while self.under_way < LOOK_UPS_MAX
            && let Some(named) = self.waiting.pop_front()
        {
            self.under_way += 1;
            let (resolve, tell, of) = (self.resolve, self.tell.clone(), named.clone());
            // There is a place for each that is under way. Too late is no error: nobody listens.
            let duty = move || drop(tell.try_send((of.clone(), ask(resolve, &of))));
            if let Err(error) = thread::spawn("look-up", duty) {
                let host = &named.0;
                let why = format!("{host} was not looked up, for want of a thread: {error}");
                let _ = self.tell.try_send((named, Err(why)));
            }
        }
    }
}

fn ask(resolve: Resolve, (host, port): &Named) -> Answer {
    let why = match resolve(host, *port) {
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

    fn named(host: &str, port: u16) -> Spec {
        Spec { host: host.into(), port, ..spec("a") }
    }

    #[test]
    fn names_are_found_with_their_ports_and_addresses_need_no_look_up() {
        let specs = [named("::1", 1), named("localhost", 2), named("localhost", 3)];
        let found = look_up_all(&specs, &Answers::new(), PATIENCE);
        let keys: Vec<u16> = found.keys().map(|(_, port)| *port).collect();
        assert_eq!(keys, [2, 3]);
        for ((_, port), found) in &found {
            let found = found.as_ref().unwrap();
            assert!(found.iter().all(|one| one.ip().is_loopback() && one.port() == *port));
        }
    }

    #[test]
    fn what_is_known_is_not_asked_anew() {
        let known: Vec<SocketAddr> = vec!["10.0.0.1:2".parse().unwrap()];
        let before = Answers::from([(("localhost".into(), 2), Ok(known.clone()))]);
        let found = look_up_all(&[named("localhost", 2)], &before, PATIENCE);
        assert_eq!(found[&("localhost".into(), 2)], Ok(known));
        let before = Answers::from([(("localhost".into(), 2), Err("nowhere".into()))]);
        let found = look_up_all(&[named("localhost", 2)], &before, PATIENCE);
        assert!(found[&("localhost".into(), 2)].is_ok(), "an error is no knowledge");
    }

    #[test]
    fn of_localhost_it_is_where_somebody_listens() {
        let listener = std::net::TcpListener::bind("[::1]:0").unwrap();
        let at = listener.local_addr().unwrap();
        let both = system("localhost", at.port()).unwrap();
        let has_both = ("localhost", 0).to_socket_addrs().unwrap().any(|one| one.is_ipv6());
        assert!(!has_both || both == [at], "{both:?}");
    }

    #[test]
    fn an_address_of_this_machine_is_known_for_one() {
        let is_local = |ip: [u8; 4]| is_local(ip.into()).unwrap();
        assert!(is_local([127, 0, 0, 1]) && !is_local([192, 0, 2, 1]));
    }

    #[test]
    fn a_name_without_an_address_is_no_error_of_the_others() {
        // 64 letters in a row are one more than a label of a name has room for (RFC 1035 2.3.4).
        let host = "a".repeat(64);
        let specs = [named(&host, 80), named("localhost", 80)];
        let found = look_up_all(&specs, &Answers::new(), PATIENCE);
        let why = found[&(host.clone(), 80)].as_ref().unwrap_err();
        assert!(why.starts_with(&format!("{host} does not resolve: ")), "{why}");
        assert!(!why.contains("failed to lookup"), "{why}");
        assert!(found[&("localhost".into(), 80)].is_ok());
    }

    #[test]
    fn one_that_hangs_is_not_waited_for_and_holds_up_no_other() {
        let mut lookups = LookUps::new(|host, _| {
            if host == "silent" {
                std::thread::park_timeout(PATIENCE);
            }
            Ok(vec![([127, 0, 0, 1], 0).into()])
        });
        lookups.begin(&("silent".into(), 80));
        for number in 0..2 * LOOK_UPS_MAX {
            lookups.begin(&(format!("name{number}"), 80));
            let ((host, _), found) = lookups.resolved.recv_timeout(PATIENCE).unwrap();
            lookups.over();
            assert!(host.starts_with("name") && found.is_ok());
        }
    }
}
