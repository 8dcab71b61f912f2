//! From a server's name to its addresses, by a deadline that the system's resolver cannot hold up.
//! Called by whatever connects: email, webhooks and the heartbeat.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::Undelivered;
use crate::thread;

/// The addresses of a name, or why there are none.
type Found = io::Result<Vec<SocketAddr>>;

/// Asks the system for the addresses of a name: the one thing here that no deadline holds.
type Resolve = fn(&str, u16) -> Found;

/// Where the server of one channel is.
pub(super) struct LookUp {
    resolve: Resolve,
    /// One that is under way, maybe from a try before this: the system's resolver takes as long as
    /// it likes, so each has a thread, which is left behind where it is late. A channel has one at
    /// most.
    under_way: Option<Receiver<Found>>,
}

impl Default for LookUp {
    fn default() -> Self {
        Self::by(system)
    }
}

impl LookUp {
    fn by(resolve: Resolve) -> Self {
        Self { resolve, under_way: None }
    }

    /// The addresses of the one host that this is asked for; none are an error.
    pub(super) fn addresses(
        &mut self,
        host: &str,
        port: u16,
        until: Instant,
    ) -> Result<Vec<SocketAddr>, Undelivered> {
        let failed = |why: &str| Undelivered {
            words: format!("{host} does not resolve: {why}"),
            may_retry: true,
        };
        if let Ok(ip) = host.parse() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let under_way = match self.under_way.take() {
            Some(under_way) => under_way,
            None => begin(self.resolve, host, port).map_err(|error| failed(&error.to_string()))?,
        };
        match under_way.recv_deadline(until) {
            Ok(Ok(found)) if found.is_empty() => Err(failed("it has no address")),
            Ok(found) => found.map_err(|error| failed(&error.to_string())),
            Err(RecvTimeoutError::Timeout) => {
                self.under_way = Some(under_way);
                Err(failed("no answer in time"))
            }
            Err(RecvTimeoutError::Disconnected) => Err(failed("the look-up has failed")),
        }
    }
}

fn begin(resolve: Resolve, host: &str, port: u16) -> io::Result<Receiver<Found>> {
    let (tell, look_up) = bounded(1);
    let host = host.to_owned();
    // Too late is no error: nobody listens then.
    let duty = move || drop(tell.try_send(resolve(&host, port)));
    thread::start("look-up", Box::new(duty))?;
    Ok(look_up)
}

fn system(host: &str, port: u16) -> Found {
    Ok((host, port).to_socket_addrs()?.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    const SHORT: Duration = Duration::from_millis(50);
    const AMPLE: Duration = Duration::from_secs(20);

    fn ask(look_up: &mut LookUp, within: Duration) -> Result<Vec<SocketAddr>, Undelivered> {
        look_up.addresses("mail.test", 25, Instant::now() + within)
    }

    #[test]
    fn a_resolver_that_hangs_is_left_in_time_and_asked_once() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let mut look_up = LookUp::by(|_, _| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            std::thread::park_timeout(AMPLE);
            Ok(Vec::new())
        });
        for _ in 0..3 {
            let began = Instant::now();
            let why = ask(&mut look_up, SHORT).unwrap_err();
            assert_eq!(why.words, "mail.test does not resolve: no answer in time");
            assert!(why.may_retry && began.elapsed() < AMPLE / 4);
        }
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_a_late_resolver_says_is_of_use_to_the_next_try() {
        let mut look_up = LookUp::by(|_, port| {
            std::thread::park_timeout(2 * SHORT);
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
        });
        assert!(ask(&mut look_up, Duration::ZERO).is_err());
        assert_eq!(ask(&mut look_up, AMPLE).unwrap().len(), 1);
    }

    #[test]
    fn a_name_without_an_address_is_told_as_that() {
        let why = ask(&mut LookUp::by(|_, _| Ok(Vec::new())), AMPLE).unwrap_err();
        assert_eq!(why.words, "mail.test does not resolve: it has no address");
    }
}
