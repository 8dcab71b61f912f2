//! What systemd hears of the process, if it asked to (`Type=notify`): datagrams to the socket that
//! it names in NOTIFY_SOCKET, as in sd_notify(3). Without that variable it hears nothing.
//!
//! A thread of its own looks whether every thread that clients depend on moves on. While one does
//! not, such as a worker caught in one step, neither the watchdog is fed, and systemd starts the
//! process anew, nor a heartbeat sent: whoever waits for it raises the alarm. None of
//! these variables is for children, but for a successor, which is to be the main process.

use crate::engine::Stop;
use crate::event::{Event, Teller};
use crate::relay::Controls;
use crate::thread;
use rustix::time::{ClockId, clock_gettime};
use std::env;
use std::io;
use std::mem;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where notices go.
const NOTIFY: &str = "NOTIFY_SOCKET";
/// How often the watchdog wants to hear, in microseconds, and of which process.
const WATCHDOG: [&str; 2] = ["WATCHDOG_USEC", WATCHDOG_PID];
pub(super) const WATCHDOG_PID: &str = "WATCHDOG_PID";

/// How often it is looked whether threads move on, and how many backends are up.
const LOOK: Duration = Duration::from_secs(1);
/// Looks that find a thread at the same work until it counts as stuck: a step takes milliseconds,
/// but a machine may be so short of processors that one takes seconds.
const STUCK_LOOKS: u32 = 10;
/// How long a look is believed: so short of processors may a machine be.
#[cfg(feature = "alerts")]
const LOOKED_AT: Duration = Duration::from_secs(10);
/// How long systemd may take to hear a notice.
const HEARING: Duration = Duration::from_secs(1);
/// Beyond what the end is allowed to take, what it takes besides.
const END_MARGIN: Duration = Duration::from_secs(5);

/// The line to systemd, if there is one.
pub(super) struct Supervisor {
    line: Option<(UnixDatagram, SocketAddr)>,
    /// How often the watchdog wants to hear.
    watchdog: Option<Duration>,
    /// When all threads were last seen to move on; none once one is stuck.
    well: Mutex<Option<Instant>>,
    stop: Stop,
}

impl Supervisor {
    /// As the environment says.
    pub(super) fn of_environment() -> Arc<Self> {
        let [every, whom] = WATCHDOG.map(|name| env::var(name).ok());
        let is_for_us = whom.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let every = every.filter(|_| is_for_us).and_then(|us| us.parse().ok());
        let line = env::var(NOTIFY).ok().and_then(|to| line(&to).ok());
        let watchdog = every.map(Duration::from_micros).filter(|every| !every.is_zero());
        let well = Mutex::new(Some(Instant::now()));
        Arc::new(Self { line, watchdog, well, stop: Stop::default() })
    }

    /// Clients are served, or served again by what was read anew.
    pub(super) fn ready(&self) {
        self.say("READY=1");
    }

    /// A new configuration is read; [`ready`](Self::ready) must follow, whatever comes of it.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let us = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={us}"));
    }

    /// Another process is the main one from now on, and speaks for the service.
    #[cfg(feature = "admin")]
    pub(super) fn succeeded_by(&self, pid: u32) {
        self.leave();
        self.say(&format!("MAINPID={pid}"));
    }

    /// The end has begun and may take so long: longer, maybe, than the unit's TimeoutStopSec.
    pub(super) fn stopping(&self, patience: Duration) {
        let s = (patience + END_MARGIN).as_secs();
        let status = "STATUS=finishing what is in flight";
        self.say(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={s}000000\n{status}"));
    }

    /// From now on, and until [`leave`](Self::leave), looks whether threads move on, feeds the
    /// watchdog, and says how many backends are up, each time that it is another number.
    pub(super) fn attend(self: &Arc<Self>, controls: Controls, teller: Teller) -> io::Result<()> {
        let own = Arc::clone(self);
        thread::spawn("supervisor", move || own.watch_over(&controls, &teller)).map(drop)
    }

    /// True if all threads that clients depend on were seen to move on a moment ago. Once nobody
    /// looks any more, that is not known.
    #[cfg(feature = "alerts")]
    pub(super) fn is_well(&self) -> bool {
        self.well().is_some_and(|at| at.elapsed() < LOOKED_AT)
    }

    /// Ends what [`attend`](Self::attend) began.
    pub(super) fn leave(&self) {
        self.stop.set();
    }

    fn watch_over(&self, controls: &Controls, teller: &Teller) {
        let half = self.watchdog.map(|every| every / 2);
        let look = half.map_or(LOOK, |half| half.min(LOOK));
        let (mut told, mut fed, mut is_well) = (None, None::<Instant>, true);
        while !self.stop.wait(look) {
            let pools = controls.pools();
            let usable = (pools.usable(controls.now()), pools.len());
            if told != Some(usable) {
                told = Some(usable);
                self.say(&format!("STATUS={} of {} applications up", usable.0, usable.1));
            }
            let stuck = controls.stuck(STUCK_LOOKS);
            let was_well = mem::replace(&mut is_well, stuck.is_none());
            *self.well() = is_well.then(Instant::now);
            if let (true, Some(thread)) = (was_well, &stuck) {
                teller.tell(Event::Stuck { thread });
            }
            // A look that is a little early must not leave the next one late.
            let is_due = |half| fed.is_none_or(|fed| fed.elapsed() + look / 2 >= half);
            if is_well && half.is_some_and(is_due) {
                fed = Some(Instant::now());
                self.say("WATCHDOG=1");
            }
        }
    }

    fn well(&self) -> MutexGuard<'_, Option<Instant>> {
        self.well.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody can be told that it failed but systemd, which notices by itself.
    fn say(&self, words: &str) {
        if let Some((socket, to)) = &self.line {
            let _ = socket.send_to_addr(words.as_bytes(), to);
        }
    }
}

/// A socket for notices, and where they go: a path, or with an `@` a name that is in no directory.
fn line(to: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match to.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(to)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(HEARING))?;
    Ok((socket, address))
}

#[cfg(all(test, feature = "alerts"))]
mod tests {
    use super::*;

    #[test]
    fn it_is_well_only_as_long_as_somebody_has_just_seen_so() {
        let supervisor = Supervisor::of_environment();
        assert!(supervisor.is_well());
        *supervisor.well() = Instant::now().checked_sub(LOOKED_AT);
        assert!(!supervisor.is_well(), "nobody has looked");
        *supervisor.well() = None;
        assert!(!supervisor.is_well(), "one is stuck");
    }
}
