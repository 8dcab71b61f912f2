//! A connection to the first of a mail server's addresses that can be reached. Called by `email`.

use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::notify::Undelivered;

/// The time for it is shared evenly between those that are left.
pub(super) fn connect(addresses: &[SocketAddr], until: Instant) -> Result<TcpStream, Undelivered> {
    let mut last = "no time was left to connect".to_owned();
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::Duration;

    const AMPLE: Duration = Duration::from_secs(20);

    #[test]
    fn the_next_address_is_tried_where_one_cannot_be_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // Nobody listens at the second address of this machine.
        let all = [2, 1].map(|last| SocketAddr::from(([127, 0, 0, last], port)));
        assert!(connect(&all, Instant::now() + AMPLE).is_ok());
        drop(listener);
        let why = connect(&all, Instant::now() + AMPLE).unwrap_err();
        assert!(why.words.starts_with("no connection to 127.0.0.1:"), "{why:?}");
    }
}
