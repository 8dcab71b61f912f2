//! An upgrade without a gap, from the side of the one who goes: it starts the program anew, hands
//! the listening sockets to that process, and finishes what it has once the other one serves.
//!
//! ```text
//! predecessor                          successor (`succession.rs`)
//! starts the program ----------------> reads the file
//!            <------ GET /handover --- wants what listens, and what is known
//! sockets, modes, health ------------> checks, serves at the same sockets
//!            <- POST /handover/done -- has taken the admin socket's place
//! lets the doors go, finishes          alone
//! ```
//!
//! Both serve for a moment, and a client that waits in a backlog is let in by either: the sockets
//! are the same ones. Whatever becomes of the successor before it is done, this process serves on.

use rustix::process::{Pid, Signal, kill_process};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use super::container::ends_with_us;
use super::succession::PREDECESSOR;
use crate::balancer::signals::{SUCCEEDED, Waiting};
use crate::balancer::supervisor::WATCHDOG_PID;

/// How long a successor may take until it serves: names, and a first round of checks, take 13 s.
const READY: Duration = Duration::from_secs(60);
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// The upgrades of one process, one at a time.
pub(in crate::balancer) struct Upgrade {
    /// What to start, as whoever started this process called it.
    program: PathBuf,
    /// Where a successor asks; none if there is no such place.
    socket: Mutex<Option<PathBuf>>,
    stage: Mutex<Stage>,
    /// Tells the main thread.
    signals: Arc<Waiting>,
}

/// How far it has come.
enum Stage {
    /// Nobody is to succeed.
    Alone,
    /// This one is starting.
    Starting(Child),
    /// This one could not, and said why.
    Failed(Child, String),
    /// This one serves.
    Succeeded(u32),
    /// The end has begun: there is nothing left to hand over.
    Ended,
}

impl Upgrade {
    pub(in crate::balancer) fn new(signals: Arc<Waiting>) -> Self {
        let (socket, stage) = (Mutex::default(), Mutex::new(Stage::Alone));
        Self { program: program(), socket, stage, signals }
    }

    /// Successors may ask here from now on.
    pub(in crate::balancer) fn listens_at(&self, socket: Option<&Path>) {
        *self.socket() = socket.map(Path::to_owned);
    }

    fn socket(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a successor and waits until it serves. Who serves now, in words; or why this process
    /// still does.
    pub(in crate::balancer) fn run(&self) -> Result<String, String> {
        let pid = self.start()?;
        let until = Instant::now() + READY;
        loop {
            park_timeout(LOOK);
            let mut stage = self.stage();
            let (child, words) = match &mut *stage {
                Stage::Succeeded(pid) => return Ok(format!("process {pid} serves now")),
                Stage::Starting(child) => (child, String::new()),
                Stage::Failed(child, words) => (child, format!(": {words}")),
                Stage::Alone | Stage::Ended => return Err("the end has begun".to_owned()),
            };
            match child.try_wait() {
                Ok(None) if Instant::now() < until => {}
                Ok(None) => {
                    end(child);
                    *stage = Stage::Alone;
                    return Err(format!("process {pid} did not serve within {READY:?}{words}"));
                }
                Ok(Some(status)) => {
                    *stage = Stage::Alone;
                    return Err(format!("process {pid} ended ({status}){words}"));
                }
                Err(error) => return Err(format!("process {pid} cannot be waited for: {error}")),
            }
        }
    }

    /// The process of a successor that has begun.
    fn start(&self) -> Result<u32, String> {
        if let Some(why) = ends_with_us() {
            return Err(format!("{why}; start another container instead"));
        }
        let Some(socket) = self.socket().clone() else {
            return Err("there is no admin socket to hand over by; set [admin] socket".to_owned());
        };
        let mut stage = self.stage();
        match &*stage {
            Stage::Alone => {}
            Stage::Starting(child) | Stage::Failed(child, _) => {
                return Err(format!("process {} is about to succeed already", child.id()));
            }
            Stage::Succeeded(pid) => return Err(format!("process {pid} serves already; ask that")),
            Stage::Ended => return Err("the end has begun".to_owned()),
        }
        let mut command = Command::new(&self.program);
        command.args(env::args_os().skip(1)).env(PREDECESSOR, socket).env_remove(WATCHDOG_PID);
        let child = command.stdin(Stdio::null()).spawn();
        let child =
            child.map_err(|error| format!("{} cannot start: {error}", self.program.display()))?;
        let pid = child.id();
        *stage = Stage::Starting(child);
        Ok(pid)
    }

    /// True of the process that was started to succeed. Nobody else gets a socket.
    pub(in crate::balancer) fn is_successor(&self, pid: u32) -> bool {
        matches!(&*self.stage(), Stage::Starting(child) if child.id() == pid)
    }

    /// The successor serves, and is told so by whom it succeeds: `farewell` is done first.
    pub(in crate::balancer) fn succeeded(
        &self,
        pid: u32,
        farewell: impl FnOnce(),
    ) -> Result<(), String> {
        let mut stage = self.stage();
        if !matches!(&*stage, Stage::Starting(child) if child.id() == pid) {
            return Err(format!("process {pid} was not asked to succeed, or is too late"));
        }
        farewell();
        // It goes on when this process ends, so nobody waits for it any more.
        *stage = Stage::Succeeded(pid);
        self.signals.add(SUCCEEDED);
        Ok(())
    }

    /// The successor cannot, and says why before it ends.
    pub(in crate::balancer) fn failed(&self, pid: u32, why: &str) {
        let mut stage = self.stage();
        *stage = match std::mem::replace(&mut *stage, Stage::Alone) {
            Stage::Starting(child) if child.id() == pid => Stage::Failed(child, why.to_owned()),
            other => other,
        };
    }

    /// The end begins. Who serves on, if somebody has succeeded; who was about to does not.
    pub(in crate::balancer) fn end(&self) -> Option<u32> {
        let mut stage = self.stage();
        match &mut *stage {
            // Whoever asked for it has yet to hear of it.
            Stage::Succeeded(pid) => return Some(*pid),
            Stage::Starting(child) | Stage::Failed(child, _) => end(child),
            Stage::Alone | Stage::Ended => {}
        }
        *stage = Stage::Ended;
        None
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks a process of our own to end, and does not ask twice: it serves nobody alone yet.
fn end(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
    let _ = child.wait();
}

/// The program as it was called: a name that leads to the newest version is followed when the time
/// comes, and not now. `/proc/self/exe` would lead to the file that is replaced.
fn program() -> PathBuf {
    let called = env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let found = match called.components().count() {
        0 => None,
        1 if !called.has_root() && !has_slash(&called) => in_path(&called, env::var_os("PATH")),
        _ => std::path::absolute(&called).ok(),
    };
    found.or_else(|| env::current_exe().ok()).unwrap_or(called)
}

fn has_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().contains(&b'/')
}

fn in_path(name: &Path, path: Option<OsString>) -> Option<PathBuf> {
    env::split_paths(&path?).map(|directory| directory.join(name)).find(|file| file.is_file())
}
