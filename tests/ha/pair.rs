//! Two machines with Evenly and keepalived, by the files of deploy/ha, in front of one with three
//! applications.

use crate::harness::{Process, Scratch, eventually};
use crate::world::{Machine, shipped};
use rustix::process::{Pid, Signal};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;

pub const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
pub const ONE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);
pub const TWO: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 12);
const APPLICATIONS: [&str; 3] = ["192.0.2.21", "192.0.2.22", "192.0.2.23"];
/// What a test of one of these pairs cannot do without.
pub const PROGRAMS: [&str; 3] = ["keepalived", "nsenter", "ip"];

/// The applications and two balancers, without keepalived.
pub struct Balancers {
    pub one: Side,
    pub two: Side,
    pub scratch: Scratch,
    _applications: (Machine, Vec<Process>),
}

/// One machine of the two.
pub struct Side {
    pub machine: Machine,
    pub evenly: Process,
    pub keepalived: Option<Process>,
    file: PathBuf,
}

impl Balancers {
    pub fn new() -> Self {
        Self::with("")
    }

    /// With more settings, which come first in the file.
    pub fn with(settings: &str) -> Self {
        let scratch = Scratch::new();
        let file =
            scratch.write("applications.toml", settings.to_owned() + &shipped("applications.toml"));
        let machine = Machine::new("apps", &APPLICATIONS);
        let application = |(ip, number): (&&str, u8)| {
            let listen = format!("{ip}:8001");
            let name = format!("APP{number}");
            let process =
                machine.start("evenly", &["backend", "--listen", &listen, "--name", &name]);
            process.printed.wait("listens on");
            process
        };
        let applications = APPLICATIONS.iter().zip(1..).map(application).collect();
        let one = Side::new("one", ONE, file.clone());
        let two = Side::new("two", TWO, file);
        Self { one, two, scratch, _applications: (machine, applications) }
    }

    /// The same with keepalived on both, once the first has the address.
    pub fn floating() -> Self {
        let mut pair = Self::new();
        pair.one.keepalived(&pair.scratch, &shipped("keepalived-one.conf"));
        pair.one.machine.awaits(FLOATING);
        pair.two.keepalived(&pair.scratch, &shipped("keepalived-two.conf"));
        eventually("the second would take it over", || pair.two.told("Entering BACKUP STATE") > 0);
        pair
    }
}

impl Side {
    fn new(name: &'static str, address: Ipv4Addr, file: PathBuf) -> Self {
        let machine = Machine::new(name, &[&address.to_string()]);
        let evenly = serving(&machine, &file);
        Self { machine, evenly, keepalived: None, file }
    }

    /// Evenly once more, after the one before has ended.
    pub fn again(&mut self) {
        self.evenly.wait();
        self.evenly = serving(&self.machine, &self.file);
    }

    pub fn kill(&mut self) {
        self.evenly.signal(Signal::KILL);
        self.evenly.wait();
    }

    /// Starts keepalived with this file.
    pub fn keepalived(&mut self, scratch: &Scratch, text: &str) {
        let file = scratch.write(&format!("keepalived-{}.conf", self.machine.name), text);
        let file = file.to_str().unwrap();
        let arguments = ["--dont-fork", "--log-console", "--log-detail", "--use-file", file];
        self.keepalived = Some(self.machine.start("keepalived", &arguments));
    }

    /// What keepalived has said so far with this in it.
    pub fn told(&self, part: &str) -> usize {
        let keepalived = self.keepalived.as_ref().unwrap();
        keepalived.said.count(part) + keepalived.printed.count(part)
    }

    /// The process of keepalived that holds the address: a child of the one that was started.
    pub fn vrrp(&self) -> Pid {
        let parent = self.keepalived.as_ref().unwrap().id();
        let children = format!("/proc/{parent}/task/{parent}/children");
        let child = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
        Pid::from_raw(child).unwrap()
    }
}

fn serving(machine: &Machine, file: &std::path::Path) -> Process {
    let process = machine.start("evenly", &["serve", "-c", file.to_str().unwrap()]);
    process.said.wait("listening on 0.0.0.0:80");
    process
}

impl Drop for Side {
    /// keepalived takes its address along.
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(keepalived) = &self.keepalived
        {
            let name = self.machine.name;
            let log = [keepalived.printed.all(), keepalived.said.all()].concat().join("\n");
            let evenly = self.evenly.said.all().join("\n");
            let said = format!("---- keepalived on {name}\n{log}\n---- evenly on {name}\n{evenly}");
            let _ = writeln!(std::io::stderr(), "{said}");
        }
        if let Some(keepalived) = &mut self.keepalived
            && keepalived.is_running()
        {
            keepalived.signal(Signal::TERM);
        }
    }
}
