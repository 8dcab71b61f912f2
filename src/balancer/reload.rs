//! Reload: the file is read anew, and what it says takes the place of what is in force.
//!
//! Whatever may fail or take time comes first, beside what serves: reading, names, certificates,
//! another address, the first checks of those who are new. Then all is swapped at once, and nothing
//! of that can fail. So a reload that fails has changed nothing.
//!
//! Called on HUP, from a thread of its own, so that the end is heard meanwhile; and by operators.

use super::build::{
    NAMES_PATIENCE, Own, at_listen, cannot_listen, draw, drawn, fit_descriptors, open_files,
    policy_of, rules, watched,
};
use super::newcomers::Newcomers;
use super::pools::{carry_modes, heirs, with_none};
use super::{CannotStart, Prepared, Running, failed, operators};
#[cfg(feature = "tls")]
use crate::config::Errors;
use crate::config::{Answers, Changes, Config, Health};
use crate::engine::Listener;
use crate::event::{Event, Teller};
use crate::pool::{Notice, Pool, Pools, Spec};
use crate::thread;
use crate::tls::{self, Tls};
use crate::watch::look_up_all;
use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use std::io::ErrorKind::AddrInUse;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long one reload waits for another. More than one takes with a silent resolver and silent
/// backends, 13 s, and a change of names that comes in between, 10 s.
const TURN_PATIENCE: Duration = Duration::from_secs(30);
/// The longest wait until it is seen that files are to be looked at from now on.
const LOOK_MAX: Duration = Duration::from_secs(60);
/// How long an address may still be ours from the file before: a door that closes looks around ten
/// times a second.
const LETTING_GO: Duration = Duration::from_millis(300);
const LETTING_GO_LOOK: Duration = Duration::from_millis(20);
/// Changes that an event names; how many more there are, it counts.
const TOLD_MAX: usize = 8;

const NO_FILE: &str = "the configuration came from no file; start it with evenly serve -c FILE";
const STOPPING: &str = "it is about to stop";
const BUSY: &str = "another reload is under way; try again";
pub(super) const NOTHING: &str = "nothing changes";

/// For a file that was there at the start.
fn gone(path: &Path) -> String {
    let path = path.display();
    format!("{path} is not there any more; put it back, or serve another with evenly serve -c FILE")
}

/// What is in force.
#[derive(Clone)]
pub(super) struct InForce {
    /// As it was written: what it asks for may have been lowered.
    pub(super) written: Config,
    /// The same with an application for each address of a name.
    pub(super) config: Config,
    /// What of those addresses was left out, and why.
    pub(super) left_out: Vec<String>,
    pub(super) tls: Tls,
    /// What did not do of the files of certificates when they were looked at last.
    #[cfg(feature = "tls")]
    pub(super) faults: Vec<Errors>,
    /// What was said of certificates that are near their end.
    #[cfg(feature = "tls")]
    pub(super) warned: Vec<String>,
}

/// Whoever changes what is in force has the turn. No lock in itself, as nobody waits for one with a
/// deadline.
#[derive(Default)]
pub(super) struct Turn {
    is_taken: Mutex<bool>,
    free: Condvar,
}

/// Held by whoever has it.
pub(super) struct Taken<'t>(&'t Turn);

/// What another configuration would come to.
pub(super) struct Plan {
    pub(super) next: InForce,
    pub(super) answers: Answers,
    /// None where no file was read: those that there are go on.
    pub(super) alerts: Option<Prepared>,
    /// What should be known of it.
    pub(super) warnings: Vec<String>,
    /// Which of the backends each application is.
    pub(super) heirs: Vec<Option<usize>>,
    pub(super) changes: Changes,
}

/// Starts the thread that reloads each time that it is asked to, follows names when `names` says
/// so, and looks after the files of certificates. It ends when nobody can ask any more. Asked while
/// it reloads, however often, it does so once more.
pub(super) fn stand_by(
    running: &Arc<Running>,
    names: Receiver<()>,
) -> Result<Sender<()>, CannotStart> {
    let ((ask, asked), running) = (bounded(1), Arc::clone(running));
    let attend = move || running.attend(&asked, names);
    thread::spawn("reloads", attend).map_err(failed("cannot hear of reloads"))?;
    Ok(ask)
}

impl InForce {
    /// `spread` is what `written` has come to, and what was left out of that.
    pub(super) fn new(written: Config, spread: (Config, Vec<String>), tls: Tls) -> Self {
        let (config, left_out) = spread;
        Self {
            written,
            config,
            left_out,
            #[cfg(feature = "tls")]
            warned: tls.warnings().collect(),
            tls,
            #[cfg(feature = "tls")]
            faults: Vec::new(),
        }
    }
}

impl Turn {
    /// Waits for it; none if that takes too long.
    pub(super) fn take(&self) -> Option<Taken<'_>> {
        let is_taken = self.is_taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.free.wait_timeout_while(is_taken, TURN_PATIENCE, |is_taken| *is_taken);
        let (mut is_taken, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        *is_taken = true;
        (!waited.timed_out()).then(|| Taken(self))
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.is_taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.free.notify_one();
    }
}

impl Running {
    fn attend(&self, asked: &Receiver<()>, mut names: Receiver<()>) {
        let mut looked = Instant::now();
        loop {
            let every = self.in_force().config.tls.watch;
            let next = every.unwrap_or(LOOK_MAX).saturating_sub(looked.elapsed());
            select! {
                recv(asked) -> asked => match asked {
                    Ok(()) => drop(self.reload()),
                    Err(_) => return,
                },
                recv(names) -> asked => match asked {
                    Ok(()) => self.follow_names(),
                    // The watch is over, and whoever is told so goes on for a while.
                    Err(_) => names = never(),
                },
                default(next.min(LOOK_MAX)) => {}
            }
            if looked.elapsed() >= every.unwrap_or(LOOK_MAX) {
                looked = Instant::now();
                #[cfg(feature = "tls")]
                if every.is_some() {
                    self.look_at_files();
                }
                #[cfg(feature = "tls")]
                self.look_at_dates();
            }
        }
    }

    /// Reads the file anew and serves by it: what changed, a line each; or why nothing did.
    pub(super) fn reload(&self) -> Result<String, String> {
        self.supervisor.reloading();
        let outcome = match self.turn.take() {
            Some(_turn) => self.plan(None).and_then(|plan| self.carry_out(plan)),
            None => Err(BUSY.to_owned()),
        };
        self.supervisor.ready();
        self.operators.note(&outcome);
        match &outcome {
            Ok(words) => self.teller.tell(Event::Reloaded(&brief(words))),
            Err(why) => self.teller.tell(Event::NotReloaded(&brief(why))),
        }
        outcome
    }

    /// What the file would come to, or `text` in its place. The error says what will not do.
    pub(super) fn plan(&self, text: Option<&str>) -> Result<Plan, String> {
        let source = self.source.as_ref().ok_or(NO_FILE)?;
        let read = match text {
            Some(text) => Config::default().read_telling(text, "(given)", &source.overrides),
            None if matches!(source.path.try_exists(), Ok(false)) => {
                return Err(gone(&source.path));
            }
            None => source.load(),
        };
        let (written, warnings) = read.map_err(|errors| errors.to_string())?;
        let answers = look_up_all(&written.applications, &self.watch.answers(), NAMES_PATIENCE);
        let own = Own::default();
        let (mut config, left_out) = written.spread(&answers, &|ip| own.has(ip));
        own.sure()?;
        let (tls, alerts) = open_files(&config).map_err(|errors| errors.to_string())?;
        let heirs = heirs(&self.server.controls().pools(), &config);
        let mut now = self.in_force();
        let mut changes = now.config.changes(&mut config, &heirs);
        changes.lines.extend(tls.news(&now.tls, &heirs, &config));
        changes.lines.extend(operators::consequences(&now.config, &config, &heirs));
        drop(now);
        let (next, alerts) = (InForce::new(written, (config, left_out), tls), Some(alerts));
        Ok(Plan { next, answers, alerts, warnings, heirs, changes })
    }

    fn carry_out(&self, mut plan: Plan) -> Result<String, String> {
        if !plan.changes.refused.is_empty() {
            return Err(plan.changes.refused.join("\n"));
        }
        if plan.changes.lines.is_empty() {
            // What their secrets are is in no line of the file.
            plan.alerts.into_iter().for_each(|alerts| self.follow_alerts(alerts));
            return Ok(NOTHING.to_owned());
        }
        let InForce { config, tls, .. } = &plan.next;
        let (fitting, lowered) = self.fitting(config)?;
        let listeners = self.next_listeners(config)?;
        let before = self.server.controls().pools();
        let mut newcomers = Newcomers::of(&before, &config.applications, &plan.heirs);
        let news = newcomers.try_out(config, tls, &self.teller);
        plan.changes.lines.extend(news);
        if self.server.is_ending() {
            return Err(STOPPING.to_owned());
        }
        let places = self.places();
        let opened = self.server.open(listeners, &fitting, tls);
        opened.map_err(|error| error.to_string())?;
        let mut words = plan.changes.lines.join("\n");
        let had_none = with_none(&before, self.server.controls().now());
        self.swap(plan, fitting, &before, newcomers);
        self.tell_of_listeners(&places);
        for lost in self.tell_of_losses(&had_none) {
            words.push_str(&format!("\nNO BACKEND IS UP{lost} by this file"));
        }
        lowered.iter().for_each(|text| self.teller.tell(Event::Lowered(text)));
        Ok(words)
    }

    /// The same, promising no more than fits, and what that lowered.
    pub(super) fn fitting(&self, config: &Config) -> Result<(Config, Option<String>), String> {
        let mut fitting = config.clone();
        let lowered = fit_descriptors(&mut fitting.server).map_err(|why| why.to_string())?;
        Ok((fitting, lowered))
    }

    /// Puts all of it into force. Nothing here can fail.
    pub(super) fn swap(&self, plan: Plan, fitting: Config, before: &Pools, newcomers: Newcomers) {
        let Plan { next, answers, alerts, warnings, heirs, .. } = plan;
        let InForce { config, tls, .. } = &next;
        let is_answered = |spec: &Spec| answers.contains_key(&(spec.host.clone(), spec.port));
        let mut named = next.written.applications.iter().filter(|spec| spec.is_named());
        debug_assert!(named.all(is_answered), "what has no answer is never looked up again");
        let mut now = self.in_force();
        let at = self.server.controls().now();
        let drawn = drawn(&now.config, before).unwrap_or_else(draw);
        let mut all = newcomers.among(&fitting, before, &heirs).into_iter();
        let follow = |part: &Config| {
            let specs: Vec<_> = all.by_ref().take(part.applications.len()).collect();
            let (policy, rules) = (policy_of(part, &specs), rules(part, drawn));
            match before.called(part.pool_name()) {
                Some(before) => Pool::succeeding(before, specs, policy, rules, at),
                None => Pool::beginning(at, specs, policy, rules),
            }
        };
        let pools = Pools::of(fitting.parts().iter().map(follow).collect());
        carry_modes(before, &pools, &heirs, at);
        self.serve_by(fitting, tls, &pools, answers);
        let left_out = next.left_out.iter().filter(|text| !now.left_out.contains(text));
        left_out.chain(&warnings).for_each(|text| self.teller.tell(Event::Configuration(text)));
        if let Some(alerts) = alerts {
            self.follow_alerts(alerts);
            forget(&pools, &now.config, config, at, &self.teller);
            warn(&next.written, tls, &self.teller);
            self.operators.replaced();
        }
        *now = next;
    }

    /// Where there is no thread for one that is new, the others go on.
    fn follow_alerts(&self, alerts: Prepared) {
        if let Err(error) = self.alerts.follow(alerts) {
            let doing = "starting an alert";
            self.teller.tell(Event::Exhausted { doing, error: &error });
        }
    }

    pub(super) fn serve_by(&self, config: Config, tls: &Tls, pools: &Pools, answers: Answers) {
        self.watch.replace(watched(&config, tls, pools, answers));
        self.server.replace(config, tls.clone(), pools.all());
    }

    /// Listens where clients are to be served, and are not yet.
    fn next_listeners(&self, config: &Config) -> Result<Vec<Listener>, String> {
        self.server.missing(config).into_iter().map(|listen| self.bind(config, listen)).collect()
    }

    fn bind(&self, config: &Config, listen: SocketAddr) -> Result<Listener, String> {
        // Both cannot be bound at once where one is a part of the other.
        let open = self.server.listening();
        let beside = open.iter().find(|open| open.address.port() == listen.port());
        let remedy = "choose another port, or restart";
        let why = |error| match beside {
            Some(open) => {
                let open = open.address;
                let what = format!("cannot listen on {listen} beside {open}: {error}; {remedy}");
                at_listen(config, listen, what)
            }
            None => cannot_listen(config, listen, &error).to_string(),
        };
        let until = Instant::now() + LETTING_GO;
        loop {
            match Listener::bind(listen) {
                Err(error) if error.kind() == AddrInUse && Instant::now() < until => {
                    std::thread::park_timeout(LETTING_GO_LOOK);
                }
                bound => return bound.map_err(why),
            }
        }
    }
}

/// What an operator should know of it, at each start and each change.
pub(super) fn warn(config: &Config, tls: &Tls, teller: &Teller) {
    tls.warnings().for_each(|text| teller.tell(Event::Certificate(&text)));
    let unverified = tls::unverified(&config.applications);
    unverified.for_each(|text| teller.tell(Event::Configuration(&text)));
}

/// What checks have said and none will take back any more: whoever they called down, or who asked
/// them to be drained, would be out for ever.
fn forget(pools: &Pools, before: &Config, config: &Config, now: Duration, teller: &Teller) {
    for (part, pool) in config.parts().iter().zip(pools.all()) {
        let is_it = |old: &&Config| old.pool_name() == part.pool_name();
        if let Some(old) = before.parts().iter().find(is_it) {
            forget_checks(pool, &old.health, &part.health, now, teller);
        }
    }
}

fn forget_checks(pool: &Pool, was: &Health, is: &Health, now: Duration, teller: &Teller) {
    let is_unchecked = was.interval.is_some() && is.interval.is_none();
    let is_unheard = !was.drain.is_empty() && is.drain.is_empty();
    let forget = |index| match (is_unchecked, is_unheard) {
        (true, _) => pool.leave_unchecked(index, now),
        (false, true) => pool.forget_plea(index, now),
        (false, false) => None,
    };
    let changes = (0..pool.backends().len()).filter_map(forget);
    changes.for_each(|change| teller.tell(Event::from(&Notice::Changed(change))));
}

/// Lines as one, for an event.
pub(super) fn brief(words: &str) -> String {
    let lines: Vec<&str> = words.lines().collect();
    let (told, more) = lines.split_at(lines.len().min(TOLD_MAX));
    let told = told.join("; ");
    if more.is_empty() { told } else { format!("{told}; and {} more", more.len()) }
}
