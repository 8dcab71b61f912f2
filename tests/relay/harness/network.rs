//! A test in a world of its own: a network in which local ports are few, or sockets small, or a
//! machine that knows its own names.

use rustix::io::Errno;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;

/// Set inside, so that the test knows where it is.
const INSIDE: &str = "EVENLY_TEST_WORLD";

/// Runs the calling test, of this full name, once more in a network with 32 local ports; true in
/// there. Where the system grants no such network, the test is left out and says so.
pub fn has_few_ports(test: &str) -> bool {
    let few = "echo 40000 40031 > /proc/sys/net/ipv4/ip_local_port_range";
    is_inside(test, &["-n", "-rn"], few)
}

/// The same where each socket takes 4 KiB or so and then no more, until some of that is read.
pub fn has_small_sockets(test: &str) -> bool {
    let small = "for way in r w; do \
                 echo 4096 4096 4096 > /proc/sys/net/ipv4/tcp_${way}mem || exit 1; done";
    is_inside(test, &["-n", "-rn"], small)
}

/// The same where /etc/hosts is the test's own, for [`names`] to write, and nothing but it tells
/// where a name is: the DNS server is at 127.0.0.1, where nobody is unless a [`SilentDns`] is.
pub fn has_own_names(test: &str) -> bool {
    let own = "mount -t tmpfs none /mnt && touch /mnt/hosts && \
               echo nameserver 127.0.0.1 > /mnt/resolv.conf && echo multi on > /mnt/host.conf && \
               for file in hosts resolv.conf host.conf; do \
               touch /etc/$file && mount --bind /mnt/$file /etc/$file || exit 1; done";
    is_inside(test, &["-mn", "-rmn"], own)
}

/// The same where `unshare` has made what one of these flags says, the first that is granted, and
/// this script prepared it.
pub fn is_inside(test: &str, flags: &[&str], prepare: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let prepare = format!("ip link set lo up && {prepare}");
    let within = |flag: &str, script: &str| {
        let mut command = Command::new("unshare");
        command.args([flag, "sh", "-c", script]).arg(std::env::current_exe().unwrap()).arg(test);
        command
    };
    let may = |flag: &&str| within(flag, &prepare).output().is_ok_and(|out| out.status.success());
    let Some(flag) = flags.iter().copied().find(may) else {
        let why = format!("`unshare {}` or `ip` is not to be had here", flags.join("` or `"));
        let _ = writeln!(std::io::stderr(), "{test} is skipped: {why}");
        return false;
    };
    let script = format!("{prepare} && {INSIDE}=1 exec \"$0\" --exact \"$1\" --nocapture");
    let status = within(flag, &script).status().unwrap();
    assert!(status.success(), "{test}, in a world of its own: {status}");
    false
}

/// From now on names are where these lines of /etc/hosts say, and nowhere else.
pub fn names(lines: &str) {
    assert!(std::env::var_os(INSIDE).is_some(), "this would change the machine");
    std::fs::write("/etc/hosts", format!("127.0.0.1 localhost\n{lines}\n")).unwrap();
}

/// True once the other end of a connection, on this machine and of version 4, is with its program
/// and all that was sent there has been read; or it is gone. By the kernel's own list, proc(5).
pub fn is_read(stream: &TcpStream) -> bool {
    let place = |at: SocketAddr| match at.ip() {
        IpAddr::V4(ip) => format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), at.port()),
        IpAddr::V6(_) => panic!("{at} is not of version 4"),
    };
    let [theirs, ours] = [stream.peer_addr(), stream.local_addr()].map(|at| place(at.unwrap()));
    let list = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let is_it = |line: &Vec<&str>| line.len() > 9 && line[1] == theirs && line[2] == ours;
    let Some(line) = list.lines().map(|line| line.split_whitespace().collect()).find(is_it) else {
        return true;
    };
    let unread = u32::from_str_radix(line[4].rsplit(':').next().unwrap(), 16).unwrap();
    // An end that has come counts as a byte. What waits in a backlog is no file's yet.
    let has_ended = line[3] == "08";
    line[9] != "0" && unread <= u32::from(has_ended)
}

/// A DNS server that hears every question and never answers.
pub struct SilentDns(#[expect(dead_code, reason = "it is there to be bound")] UdpSocket);

impl SilentDns {
    pub fn new() -> Self {
        Self(UdpSocket::bind("127.0.0.1:53").unwrap())
    }
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
