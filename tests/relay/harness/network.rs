//! A network of a test's own, in which local ports are few.

use rustix::io::Errno;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

/// Set inside, so that the test knows where it is.
const INSIDE: &str = "EVENLY_TEST_NETWORK";

/// Runs the calling test, of this full name, once more in a network with 32 local ports; true in
/// there. Where the system grants no such network, the test is left out and says so.
pub fn has_few_ports(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let prepare = "ip link set lo up && echo 40000 40031 > /proc/sys/net/ipv4/ip_local_port_range";
    let within = |flag: &str, script: &str| {
        let mut command = Command::new("unshare");
        command.args([flag, "sh", "-c", script]).arg(std::env::current_exe().unwrap()).arg(test);
        command
    };
    let may = |flag: &&str| within(flag, prepare).output().is_ok_and(|out| out.status.success());
    let Some(flag) = ["-n", "-rn"].into_iter().find(may) else {
        let why = "`unshare -rn` or `ip` is not to be had here";
        let _ = writeln!(std::io::stderr(), "{test} is skipped: {why}");
        return false;
    };
    let script = format!("{prepare} && {INSIDE}=1 exec \"$0\" --exact \"$1\" --nocapture");
    let status = within(flag, &script).status().unwrap();
    assert!(status.success(), "{test}, in a network of its own: {status}");
    false
}

/// A place that takes connections and answers none, and to which no port is left.
pub struct Overrun {
    listener: TcpListener,
    held: Vec<TcpStream>,
}

impl Overrun {
    pub fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap(), held: Vec::new() }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Takes every local port towards it. Listeners find none after that.
    pub fn take_all_ports(&mut self) {
        let error = loop {
            match TcpStream::connect(self.address()) {
                Ok(stream) => self.held.push(stream),
                Err(error) => break error,
            }
        };
        assert_eq!(Errno::from_io_error(&error), Some(Errno::ADDRNOTAVAIL), "{error}");
        assert!(!self.held.is_empty());
    }
}
