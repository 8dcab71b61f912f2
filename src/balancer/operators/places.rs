//! Whether operators could ask where the file says. Called by the trial, which takes nothing.

use std::io::ErrorKind;

use crate::admin::socket::UnixSocket;
use crate::admin::{cannot_bind, cannot_listen};
use crate::config::{AdminSocket, Config};
use crate::engine::Listener;

/// What of the places cannot be had: those that somebody has, most often the very balancer that
/// this is of, and what is wrong with others. A sentence each.
pub(in crate::balancer) fn try_places(config: &Config) -> (Vec<String>, Vec<String>) {
    let (mut taken, mut faults) = (Vec::new(), Vec::new());
    if let Some(address) = config.admin.listen {
        match Listener::try_bind(address) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let what = format!("{address} is in use");
                taken.push(config.wrong(&["admin.listen"], &address.to_string(), what).to_string());
            }
            Err(error) => faults.push(cannot_listen(config, address, &error)),
        }
    }
    // Where there is no place by default, the balancer starts without.
    if let AdminSocket::At(path) = &config.admin.socket {
        let said = path.display().to_string();
        match UnixSocket::try_bind(path) {
            Ok(()) => {}
            Err(why) if why.is_taken => {
                let what = format!("{said} is in use");
                taken.push(config.wrong(&["admin.socket"], &said, what).to_string());
            }
            Err(why) => faults.push(cannot_bind(config, &said, &why)),
        }
    }
    (taken, faults)
}
