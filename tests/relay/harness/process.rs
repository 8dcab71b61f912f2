//! A program under test as a process: started, watched, signalled, and never left behind.

use super::{Lines, eventually, timed};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A running program; dropping it kills it.
pub struct Process {
    child: Child,
    /// What it writes to stdout and to stderr.
    pub printed: Lines,
    pub said: Lines,
}

impl Process {
    /// Evenly itself, in `directory`, without the variables of whoever runs the tests.
    pub fn evenly(arguments: &[&str], directory: &Path) -> Self {
        Self::start(Command::new(env!("CARGO_BIN_EXE_evenly")).args(arguments), directory)
    }

    pub fn start(command: &mut Command, directory: &Path) -> Self {
        Self::between(command, directory, Stdio::null(), Stdio::piped())
    }

    /// With this as its input and output.
    pub fn between(
        command: &mut Command,
        directory: &Path,
        input: impl Into<Stdio>,
        output: impl Into<Stdio>,
    ) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // A test that is about the endpoint for operators sets its own.
        let set =
            |(key, value): (&OsStr, Option<&OsStr>)| Some((key.to_owned(), value?.to_owned()));
        let own: Vec<_> = command.get_envs().filter_map(set).collect();
        command.env_clear().env("PATH", path).env("EVENLY_ADMIN_SOCKET", "off").envs(own);
        command.current_dir(directory);
        command.stdin(input).stdout(output).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let printed = child.stdout.take().map(Lines::of).unwrap_or_default();
        let said = Lines::of(child.stderr.take().unwrap());
        Self { child, printed, said }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Expects a good end as soon as it hears this.
    pub fn ends_at_once_on(&mut self, signal: Signal) {
        let (status, took) = timed(|| {
            self.signal(signal);
            self.wait()
        });
        assert_eq!(status.code(), Some(0));
        assert!(took < Duration::from_secs(2), "{took:?}");
    }

    /// Waits for the end. The exit code is none when a signal was the end of it.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.expect("eventually returns once there is a status")
    }

    /// Runs to its end and returns the exit code; the lines are complete then.
    pub fn finish(mut self) -> (Option<i32>, String, String) {
        let status = self.wait();
        (status.code(), self.printed.complete().join("\n"), self.said.complete().join("\n"))
    }

    /// Allows it new descriptors below this number alone; returns the limit that was before.
    pub fn limit_descriptors(&self, below: Option<u64>) -> Option<u64> {
        let pid = Pid::from_raw(i32::try_from(self.id()).unwrap());
        let limit = Rlimit { current: below, ..getrlimit(Resource::Nofile) };
        prlimit(pid, Resource::Nofile, limit).unwrap().current
    }

    /// Open descriptors now.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.id())).map_or(0, Iterator::count)
    }

    /// Time on a processor so far, in steps of 10 ms.
    pub fn cpu_ms(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let behind_name = stat.rsplit(") ").next().unwrap();
        // Fields 14 and 15: user and system time in ticks, of which Linux shows 100 a second.
        let ticks =
            behind_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
        ticks.sum::<u64>() * 10
    }

    /// A figure of /proc/PID/status in KiB, such as `VmHWM`, the most memory ever held.
    pub fn memory_kib(&self, name: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
