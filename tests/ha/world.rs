//! A world for one test: networks, process numbers and folders of its own, in which each machine is
//! a network namespace with a cable to one switch. All of it ends with the test, however that ends.

use crate::harness::{Process, eventually};
use rustix::process::geteuid;
use std::io::{ErrorKind, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Set inside, so that the test knows where it is.
const INSIDE: &str = "EVENLY_TEST_HA";

/// The test itself is on the switch: the clients, and the router of those that want one.
const PREPARE: &str = "mount -t tmpfs tmpfs /run && mkdir /run/bird && \
     mount -t tmpfs tmpfs /usr/local/bin && touch /usr/local/bin/evenly && \
     mount --bind \"$0\" /usr/local/bin/evenly && mount -t tmpfs tmpfs /mnt && \
     ip link set lo up && ip link add lan type bridge && \
     ip address add 192.0.2.1/24 dev lan && ip link set lan up";

/// Runs the calling test, of this full name, once more in a world of its own; true in there. Where
/// the system grants none, or lacks one of these programs, the test is left out and says so.
pub fn is_inside(test: &str, programs: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let within = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-mnp", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script]);
        command.arg(env!("CARGO_BIN_EXE_evenly")).env("PATH", path());
        command
    };
    // Not as root of a user namespace: there keepalived cannot become anybody, and runs no check.
    let may =
        geteuid().is_root() && within(PREPARE).output().is_ok_and(|output| output.status.success());
    let missing: Vec<_> = programs.iter().filter(|program| !is_there(program)).collect();
    if !may || !missing.is_empty() {
        let why = format!("it needs root, `unshare -mnp` and `ip`; not found: {missing:?}");
        assert!(std::env::var_os("CI").is_none(), "{why}");
        let _ = writeln!(std::io::stderr(), "{test} is skipped: {why}");
        return false;
    }
    // The shell stays, as the process that adopts orphans and lets them go.
    let script = format!("{PREPARE} && \"$1\" --exact \"$2\" --nocapture; exit $?");
    let mut command = within(&script);
    command.arg(std::env::current_exe().unwrap()).arg(test).env(INSIDE, "1").env("TMPDIR", "/mnt");
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    // A name that is no test's would be no failure.
    let is_well = output.status.success() && said.contains("test result: ok. 1 passed");
    assert!(is_well, "{test}, in a world of its own: {}: {said}", output.status);
    false
}

/// A machine with one cable.
pub struct Machine {
    pub name: &'static str,
    /// In whose networks and folders it is.
    holder: Process,
}

impl Machine {
    pub fn new(name: &'static str, addresses: &[&str]) -> Self {
        let script = "mount -t tmpfs tmpfs /run && mkdir /run/evenly /run/bird && \
                      ip link set lo up && echo ready && exec sleep 1000";
        let mut command = Command::new("unshare");
        let holder = Process::start(command.args(["-mn", "sh", "-c", script]), Path::new("/"));
        holder.printed.wait("ready");
        let pid = holder.id();
        run(Command::new("sh").arg("-c").arg(format!(
            "ip link add {name} type veth peer name eth0 netns {pid} && \
             ip link set {name} master lan up"
        )));
        let machine = Self { name, holder };
        for address in addresses {
            machine.run(&format!("ip address add {address}/24 dev eth0"));
        }
        machine.run("ip link set eth0 up");
        for address in addresses {
            let place = (address.parse::<Ipv4Addr>().unwrap(), 1).into();
            eventually(&format!("{name} is reached"), || {
                let reached = TcpStream::connect_timeout(&place, Duration::from_millis(100));
                reached.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
            });
        }
        machine
    }

    /// A program on this machine.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-n", "-m", program]);
        command.env("PATH", path()).env("EVENLY_ADMIN_SOCKET", "auto");
        command
    }

    /// One that goes on.
    pub fn start(&self, program: &str, arguments: &[&str]) -> Process {
        Process::start(self.command(program).args(arguments), Path::new("/"))
    }

    /// What a line of shell prints, which is to succeed.
    pub fn run(&self, line: &str) -> String {
        run(self.command("sh").args(["-c", line]))
    }

    pub fn has(&self, address: Ipv4Addr) -> bool {
        !self.run(&format!("ip -oneline address show to {address}")).is_empty()
    }

    pub fn awaits(&self, address: Ipv4Addr) {
        eventually(&format!("{} has {address}", self.name), || self.has(address));
    }

    /// Its end of the cable is told that the other end is gone, or back.
    pub fn cable(&self, state: &str) {
        run(Command::new("ip").args(["link", "set", self.name, state]));
    }

    /// Packets go no further than the switch, and nobody is told.
    pub fn partition(&self, is_on: bool) {
        let master = if is_on { vec!["nomaster"] } else { vec!["master", "lan"] };
        run(Command::new("ip").args(["link", "set", self.name]).args(master));
    }
}

/// What a command prints, which is to succeed.
pub fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.env("PATH", path()).output().unwrap();
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {status}: {said}");
    String::from_utf8(stdout).unwrap()
}

/// A file of deploy/ha.
pub fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/ha").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn path() -> String {
    std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin"
}

fn is_there(program: &str) -> bool {
    path().split(':').any(|folder| Path::new(folder).join(program).exists())
}
