//! From a mail server's name to a connection, by a deadline that the system's resolver cannot hold
//! up. Called by `email`.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::notify::Undelivered;
use crate::thread;

/// The addresses of a name, or why there are none.
type Found = io::Result<Vec<SocketAddr>>;

/// Asks the system for the addresses of a name: the one thing here that no deadline holds.
type Resolve = fn(&str, u16) -> Found;

/// Where the server of one channel is.
pub(super) struct Place {
    resolve: Resolve,
    /// A look-up that is under way, maybe from a try before this: the system's resolver takes as
    /// long as it likes, so each has a thread, which is left behind where it is late. A channel
    /// has one at most.
    look_up: Option<Receiver<Found>>,
}

impl Default for Place {
    fn default() -> Self {
        Self { resolve: system, look_up: None }
    }
}

impl Place {
    /// Connects to the first of the addresses that can be reached. The time for it is shared evenly
    /// between those that are left.
    pub(super) fn connect(
        &mut self,
        host: &str,
        port: u16,
        until: Instant,
    ) -> Result<TcpStream, Undelivered> {
        let addresses = self.addresses(host, port, until)?;
        let mut last = format!("{host} has no address");
        for (index, address) in addresses.iter().enumerate() {
            let left = until.saturating_duration_since(Instant::now());
            let share = left / (addresses.len() - index) as u32;
            if share.is_zero() {
                break;
            }
            match TcpStream::connect_timeout(address, share) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = format!("no connection to {address}: {error}"),
            }
        }
        Err(Undelivered { words: last, may_retry: true })
    }

    fn addresses(
        &mut self,
        host: &str,
        port: u16,
        until: Instant,
    ) -> Result<Vec<SocketAddr>, Undelivered> {
        let failed = |words| Undelivered { words, may_retry: true };
        if let Ok(ip) = host.parse() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let look_up = match self.look_up.take() {
            Some(look_up) => look_up,
            None => begin(self.resolve, host, port).map_err(|error| failed(error.to_string()))?,
        };
        match look_up.recv_deadline(until) {
            Ok(found) => found.map_err(|error| failed(format!("{host} does not resolve: {error}"))),
            Err(RecvTimeoutError::Timeout) => {
                self.look_up = Some(look_up);
                Err(failed(format!("{host} does not resolve: no answer in time")))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(failed(format!("{host} does not resolve: the look-up has failed")))
            }
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
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    const SHORT: Duration = Duration::from_millis(50);
    const AMPLE: Duration = Duration::from_secs(20);

    fn connect(place: &mut Place, port: u16, within: Duration) -> Result<TcpStream, Undelivered> {
        place.connect("mail.test", port, Instant::now() + within)
    }

    #[test]
    fn a_resolver_that_hangs_is_left_in_time_and_asked_once() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let resolve = |_: &str, _| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            std::thread::park_timeout(AMPLE);
            Ok(Vec::new())
        };
        let mut place = Place { resolve, look_up: None };
        for _ in 0..3 {
            let began = Instant::now();
            let why = connect(&mut place, 25, SHORT).unwrap_err();
            assert_eq!(why.words, "mail.test does not resolve: no answer in time");
            assert!(why.may_retry && began.elapsed() < AMPLE / 4);
        }
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_a_late_resolver_says_is_of_use_to_the_next_try() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let resolve = |_: &str, port| {
            std::thread::park_timeout(2 * SHORT);
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
        };
        let mut place = Place { resolve, look_up: None };
        let port = listener.local_addr().unwrap().port();
        assert!(connect(&mut place, port, Duration::ZERO).is_err());
        assert!(connect(&mut place, port, AMPLE).is_ok());
    }

    #[test]
    fn the_next_address_is_tried_where_one_cannot_be_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Nobody listens at the second address of this machine.
        let resolve = |_: &str, port| {
            Ok([2, 1].map(|last| SocketAddr::from(([127, 0, 0, last], port))).to_vec())
        };
        let mut place = Place { resolve, look_up: None };
        let port = listener.local_addr().unwrap().port();
        assert!(connect(&mut place, port, AMPLE).is_ok());
        drop(listener);
        let why = connect(&mut place, port, AMPLE).unwrap_err();
        assert!(why.words.starts_with("no connection to 127.0.0.1:"), "{why:?}");
    }
}
