//! A container without an engine: the image's files as the root, nothing of it writable, namespaces
//! of its own, and the image's process as process 1 of it, as the image's user.

use crate::harness::{Process, Scratch, Wire, eventually, is_inside};
use crate::image::{Image, binary, libraries};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// Where the image's file listens unless it says otherwise. The network is the test's own.
pub const ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// True inside a network of the test's own, into which it is run once more; see [`is_inside`].
pub fn may_contain(test: &str) -> bool {
    if !geteuid().is_root() {
        let _ = writeln!(std::io::stderr(), "{test} is skipped: only root makes containers");
        return false;
    }
    is_inside(test, &["-mn"], "unshare --mount --pid --ipc --uts --fork true")
}

/// How one is started; the default is what the README has.
pub struct Start {
    /// The folder with applications.toml.
    pub configuration: PathBuf,
    /// None, as with `--read-only` alone: nothing at all may be written.
    pub is_socket_writable: bool,
    /// As Docker writes it; none if there is no such file.
    pub resolv_conf: Option<&'static str>,
    /// Files of the machine that are put in, with their libraries.
    pub programs: Vec<&'static str>,
    /// What is started in place of the image's command.
    pub command: Vec<String>,
    /// What starts it, as a shell's words: an init, for example.
    pub init: String,
}

pub struct Container {
    pub process: Process,
    pub image: Image,
    first: Pid,
    #[expect(dead_code, reason = "it is there as long as the container is")]
    scratch: Scratch,
}

impl Start {
    pub fn with(configuration: &Path) -> Self {
        Self {
            configuration: configuration.to_owned(),
            is_socket_writable: true,
            resolv_conf: None,
            programs: Vec::new(),
            command: Vec::new(),
            init: String::new(),
        }
    }

    pub fn begin(self) -> Container {
        let scratch = Scratch::new();
        let image = Image::below(scratch.path());
        let script = self.script(&image);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--ipc", "--uts", "--fork", "sh", "-c", &script, "sh"]);
        command.args(image.words("ENTRYPOINT"));
        match self.command.is_empty() {
            true => command.args(image.words("CMD")),
            false => command.args(&self.command),
        };
        let process = Process::start(&mut command, scratch.path());
        let children = format!("/proc/{0}/task/{0}/children", process.id());
        let mut first = None;
        eventually("there is a process 1", || {
            let list = fs::read_to_string(&children).unwrap_or_default();
            first = list.split_whitespace().next().and_then(|pid| Pid::from_raw(pid.parse().ok()?));
            first.is_some()
        });
        Container { process, image, first: first.unwrap(), scratch }
    }

    /// What an engine does: mounts, then the root, the folder, the user, and no way back to rights.
    fn script(&self, image: &Image) -> String {
        let root = image.rootfs.display().to_string();
        let mut text = format!(
            "set -e\nunset EVENLY_ADMIN_SOCKET\nroot={root}\nmount --bind $root $root\n\
             mkdir -p $root/proc $root/dev\nmount -t proc proc $root/proc\n\
             see() {{ mkdir -p $root${{2%/*}}; touch $root$2; mount --bind $1 $root$2; }}\n\
             see /dev/null /dev/null\n"
        );
        let programs = self.programs.iter().map(PathBuf::from);
        let mut files: Vec<PathBuf> = programs.collect();
        for program in files.clone().iter().chain([&binary()]) {
            files.extend(libraries(program));
        }
        files.sort();
        files.dedup();
        files.iter().for_each(|file| writeln!(text, "see {0} {0}", file.display()).unwrap());
        if let Some(lines) = self.resolv_conf {
            writeln!(text, "printf '{lines}' > $root/etc/resolv.conf").unwrap();
        }
        let folder = format!("$root{}", image.says("WORKDIR"));
        let configuration = self.configuration.display();
        writeln!(text, "mount --bind {configuration} {folder}").unwrap();
        writeln!(text, "mount -o remount,bind,ro {folder}").unwrap();
        if self.is_socket_writable {
            writeln!(text, "mount -t tmpfs -o mode=1777 none $root/run/evenly").unwrap();
        }
        let (user, group) = image.says("USER").split_once(':').unwrap();
        let (folder, init) = (image.says("WORKDIR"), &self.init);
        write!(
            text,
            "mount -o remount,bind,ro $root\n\
             exec setpriv --clear-groups --no-new-privs unshare --root $root --wd {folder} \
             --setgid {group} --setuid {user} {init} \"$@\"\n"
        )
        .unwrap();
        text
    }
}

impl Container {
    /// Over this configuration, serving.
    pub fn serving(configuration: &Scratch) -> Self {
        let container = Start::with(configuration.path()).begin();
        container.process.said.wait("listening on ");
        container
    }

    /// As the engine does: a signal that process 1 has not asked for is dropped by the kernel.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.first, signal).unwrap();
    }

    /// As the engine does at `stop`.
    pub fn stop(&self) {
        assert_eq!(self.image.says("STOPSIGNAL"), "SIGTERM");
        self.signal(Signal::TERM);
    }

    /// The exit code of the container is that of its process 1.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait()
    }

    /// Runs these words beside it, as `docker exec` does: exit code, and what it printed.
    pub fn exec(&self, words: &[impl AsRef<str>]) -> (Option<i32>, String) {
        let (user, group) = self.image.says("USER").split_once(':').unwrap();
        let first = self.first.as_raw_nonzero().to_string();
        let mut command = Command::new("timeout");
        command.args(["30", "nsenter", "--target", &first, "--mount", "--pid", "--root", "--wd"]);
        command.args(["--setgid", group, "--setuid", user]).env_clear();
        command.args(words.iter().map(AsRef::as_ref));
        let out = command.output().unwrap();
        let printed = [out.stdout, out.stderr].concat();
        (out.status.code(), String::from_utf8_lossy(&printed).trim().to_owned())
    }

    /// The image's health check.
    pub fn health(&self) -> (Option<i32>, String) {
        self.exec(&self.image.words("HEALTHCHECK"))
    }

    pub fn client(&self) -> Wire {
        Wire::connect(ADDRESS)
    }

    /// A line of /proc/PID/status of process 1, such as `Uid`.
    pub fn status(&self, name: &str) -> String {
        let path = format!("/proc/{}/status", self.first.as_raw_nonzero());
        let text = fs::read_to_string(path).unwrap();
        let value =
            |line: &str| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned());
        text.lines().find_map(value).unwrap()
    }

    /// Number and state of all that process 1 has as children, such as `Z` for a zombie.
    pub fn children(&self) -> Vec<(u32, char)> {
        let first = self.first.as_raw_nonzero().to_string();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let child = |pid: u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let mut fields = stat.rsplit(") ").next()?.split(' ');
            let state = fields.next()?.chars().next()?;
            (fields.next()? == first).then_some((pid, state))
        };
        numbers.filter_map(child).collect()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.process.is_running() {
            let _ = kill_process(self.first, Signal::KILL);
            self.process.wait();
        }
    }
}
