//! A command: one run of a program a message. It gets the message in variables and as JSON on its
//! standard input, has a process group of its own, and is killed with all of that when its time is
//! up, or when this process ends. There is no shell in between: what a backend says is never a word
//! of a command line.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::fault::Fault;
use super::{Deliver, Message, Over, Undelivered, payload};
use crate::children::Own;
use crate::text::{Escaped, Took};

/// What is kept of what it prints, from the beginning of each of its two outputs.
const PRINTED_BYTES_MAX: usize = 1024;
/// How often it is looked whether it has ended, which no descriptor tells.
const LOOK: Duration = Duration::from_millis(20);
/// Read at once, and in one turn: who prints without end must not keep the deadline from coming.
const READ_BYTES: usize = 16 * 1024;
/// The bits of a file's mode by which somebody may execute it.
const EXECUTABLE: u32 = 0o111;
/// Variables that are between this process and whoever started it. Ours may hold secrets.
const OWN_PREFIX: &str = "EVENLY_";
const OWN: [&str; 6] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
];

pub(super) struct Program {
    argv: Vec<String>,
}

impl Program {
    /// Tries nothing but whether there is such a file.
    pub(super) fn open(argv: &[String]) -> Result<Self, Fault> {
        let path = argv.first().map(String::as_str).unwrap_or_default();
        let why = match std::fs::metadata(path) {
            Ok(file) if file.is_file() && file.permissions().mode() & EXECUTABLE == 0 => {
                format!("nobody is allowed to run {path}; chmod +x it")
            }
            Ok(file) if file.is_file() => return Ok(Self { argv: argv.to_vec() }),
            Ok(_) => format!("{path} is no file; name the program"),
            Err(error) => format!("{path}: {error}; name a program that is there"),
        };
        Err(Fault::new("command", path, why))
    }

    fn start(&self, message: &Message) -> io::Result<Child> {
        let mut command = Command::new(&self.argv[0]);
        command.args(&self.argv[1..]).process_group(0);
        for (name, _) in std::env::vars_os() {
            let word = name.to_string_lossy();
            if word.starts_with(OWN_PREFIX) || OWN.contains(&word.as_ref()) {
                command.env_remove(&name);
            }
        }
        let fields = [
            ("kind", &*message.kind),
            ("key", &message.key),
            ("subject", &message.subject),
            ("text", &message.text),
        ];
        let facts = message.facts.iter().map(|(name, value)| (&**name, value.as_str()));
        for (name, value) in fields.into_iter().chain(facts) {
            // No variable can hold a zero byte.
            let name = format!("{OWN_PREFIX}{}", name.to_ascii_uppercase());
            command.env(name, value.replace('\0', ""));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }
}

impl Deliver for Program {
    fn deliver(
        &mut self,
        message: &Message,
        within: Duration,
        is_over: Over<'_>,
    ) -> Result<String, Undelivered> {
        let until = Instant::now() + within;
        let path = &self.argv[0];
        let fail = |words| Err(Undelivered { words, may_retry: true });
        let own = Own::one();
        let child = match self.start(message) {
            Ok(child) => child,
            Err(error) => return fail(format!("{path}: {error}")),
        };
        let mut run = match Run::of(child, payload::object(message), own) {
            Ok(run) => run,
            Err(error) => return fail(format!("{path}: {error}")),
        };
        let ended = run.attend(until, is_over);
        let printed = run.printed();
        let colon = if printed.is_empty() { "" } else { ": " };
        match ended {
            Ok(Some(status)) if status.success() => Ok(format!("exit 0{colon}{printed}")),
            Ok(Some(status)) => fail(format!("{path}: {}{colon}{printed}", word(status))),
            Ok(None) if Instant::now() < until => {
                fail(format!("{path}: was killed, as evenly ends{colon}{printed}"))
            }
            Ok(None) => fail(format!(
                "{path}: was not over after {}, and was killed{colon}{printed}",
                Took(within)
            )),
            Err(error) => fail(format!("{path}: {error}{colon}{printed}")),
        }
    }
}

fn word(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
    }
}

/// A program that runs. Dropped, it is killed with its group, and reaped.
struct Run {
    child: Child,
    /// None once it has all, or takes no more.
    stdin: Option<ChildStdin>,
    input: Vec<u8>,
    written: usize,
    outputs: [Output; 2],
    is_reaped: bool,
    /// Dropped last: nobody else may reap the child before.
    _own: Own,
}

/// One of its two outputs, as long as that is open.
struct Output {
    pipe: Option<Box<dyn Pipe>>,
    kept: Vec<u8>,
}

trait Pipe: Read + AsFd + Send {}
impl<T: Read + AsFd + Send> Pipe for T {}

impl Run {
    fn of(mut child: Child, input: Vec<u8>, own: Own) -> io::Result<Self> {
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Pipe>);
        let stderr = child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Pipe>);
        let outputs = [stdout, stderr].map(|pipe| Output { pipe, kept: Vec::new() });
        let run = Self { child, stdin, input, written: 0, outputs, is_reaped: false, _own: own };
        run.stdin.iter().try_for_each(|pipe| never_wait(pipe.as_fd()))?;
        let mut pipes = run.outputs.iter().filter_map(|output| output.pipe.as_ref());
        pipes.try_for_each(|pipe| never_wait(pipe.as_fd()))?;
        Ok(run)
    }

    /// Feeds and reads it until it ends; none if it has not by then, or when all is over.
    fn attend(&mut self, until: Instant, is_over: Over<'_>) -> io::Result<Option<ExitStatus>> {
        loop {
            self.feed();
            self.outputs.iter_mut().for_each(Output::read);
            if self.has_ended()? {
                self.outputs.iter_mut().for_each(Output::read);
                return self.reap().map(Some);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || is_over() {
                self.reap()?;
                return Ok(None);
            }
            self.wait(left.min(LOOK));
        }
    }

    /// It may have read nothing and have closed it.
    fn feed(&mut self) {
        while let Some(stdin) = &mut self.stdin {
            match stdin.write(&self.input[self.written..]) {
                Ok(0) => self.stdin = None,
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.stdin = None,
            }
            if self.written == self.input.len() {
                self.stdin = None;
            }
        }
    }

    /// Until there is something to read or to write, or for so long.
    fn wait(&self, most: Duration) {
        let stdin = self.stdin.iter().map(|pipe| PollFd::new(pipe, PollFlags::OUT));
        let pipes = self.outputs.iter().filter_map(|output| output.pipe.as_ref());
        let outputs = pipes.map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
        let mut all: Vec<PollFd<'_>> = stdin.chain(outputs).collect();
        let most = Timespec { tv_sec: 0, tv_nsec: i64::from(most.subsec_nanos()) };
        let _ = poll(&mut all, Some(&most));
    }

    /// Without reaping it: as long as it is not, nobody else has its number.
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.pid()), options)?.is_some())
    }

    /// Ends whatever is left of its group, then itself.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        let _ = kill_process_group(self.pid(), Signal::KILL);
        self.is_reaped = true;
        self.child.wait()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn printed(&self) -> String {
        let bytes = self.outputs.iter().map(|output| output.kept.as_slice());
        let bytes = bytes.collect::<Vec<_>>().concat();
        Escaped(String::from_utf8_lossy(&bytes).trim()).to_string()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.is_reaped {
            let _ = self.reap();
        }
    }
}

impl Output {
    /// What is there now, as far as one turn goes. What is not kept is thrown away, so that it may
    /// go on.
    fn read(&mut self) {
        let mut chunk = [0; READ_BYTES];
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.read(&mut chunk) {
            Ok(0) => self.pipe = None,
            Ok(read) => {
                let room = PRINTED_BYTES_MAX - self.kept.len();
                self.kept.extend_from_slice(&chunk[..read.min(room)]);
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.pipe = None,
        }
    }
}

fn never_wait(pipe: BorrowedFd<'_>) -> io::Result<()> {
    Ok(ioctl_fionbio(pipe, true)?)
}
