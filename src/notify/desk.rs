//! The desk: one thread that takes in what is heard, asks each alert's book what is to be told, and
//! hands messages to the alert's own thread. It waits for none of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::handed::Handed;
use super::hearing::Hearing;
use super::heartbeat;
use super::incident::Book;
use super::line::{Last, Line, Tally};
use super::news::{News, What};
use super::scene::Scene;
use super::ways::{Opened, Ways};
use super::words;
use crate::config::{Alert, Occasion};
use crate::event::{Event, Teller};
use crate::thread;

/// The longest that the desk rests. Where something was missed there is more to be heard.
const LOOK: Duration = Duration::from_secs(60);
/// How often it is looked whether all is delivered, at the end.
const END_LOOK: Duration = Duration::from_millis(10);

/// Whoever is told what happens. Shared by all who ask or steer it.
pub struct Notify {
    clerk: Clerk,
    /// Wakes the desk after a change.
    wake: Sender<()>,
    /// Closed when all is over.
    stop: Mutex<Option<Sender<()>>>,
    stopped: Receiver<()>,
    teller: Teller,
}

/// How an alert fares.
#[derive(Clone, Debug)]
pub struct AlertStatus {
    /// Its name.
    pub name: String,
    /// `email`, `webhook`, `command` or `heartbeat`.
    pub kind: &'static str,
    /// What it is told of.
    pub on: Vec<Occasion>,
    /// Messages delivered.
    pub sent: u64,
    /// Messages given up.
    pub failed: u64,
    /// Messages that the hourly cap held back.
    pub held_back: u64,
    /// Messages that are not through yet.
    pub waiting: usize,
    /// What came of the last try.
    pub last: Option<Last>,
}

struct State {
    turn: Turn,
    desks: Vec<Desk>,
    beat: Option<Beating>,
}

/// Whether this process tells anybody. Of two of which one succeeds the other, one does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Another one does yet: what is heard is kept.
    ToCome,
    Now,
    /// Another one does.
    Over,
}

/// One alert.
struct Desk {
    alert: Alert,
    book: Book,
    line: Line,
}

struct Beating {
    tally: Arc<Mutex<Tally>>,
    /// Dropped, it beats no more.
    _until: Sender<()>,
}

impl Notify {
    /// Starts the desk, and a thread for each alert. `inherits` says that another process tells
    /// until [`Notify::take_over`].
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(
        ways: Ways,
        hearing: Hearing,
        scene: Arc<dyn Scene>,
        author: words::Teller,
        teller: Teller,
        inherits: bool,
    ) -> std::io::Result<Arc<Self>> {
        let (stop, stopped) = bounded(0);
        let (wake, woken) = bounded(1);
        let started = Instant::now();
        let turn = if inherits { Turn::ToCome } else { Turn::Now };
        let state = Arc::new(Mutex::new(State { turn, desks: Vec::new(), beat: None }));
        let notify = Arc::new(Self {
            clerk: Clerk { state, scene, author, started },
            wake,
            stop: Mutex::new(Some(stop)),
            stopped: stopped.clone(),
            teller,
        });
        notify.follow(ways)?;
        let clerk = notify.clerk.clone();
        thread::spawn("alerts", move || clerk.attend(&hearing, &woken, &stopped))?;
        Ok(notify)
    }

    /// Goes by another file from now on. An alert that keeps its name keeps what it has heard, told
    /// and counted; one that is gone delivers what waits.
    ///
    /// # Errors
    /// The system has no thread left; those that there were go on.
    pub fn follow(&self, ways: Ways) -> std::io::Result<()> {
        let mut state = self.clerk.state();
        let mut before = std::mem::take(&mut state.desks);
        let mut outcome = Ok(());
        for Opened { alert, way } in ways.alerts {
            let known = before.iter().position(|desk| desk.alert.name == alert.name);
            match known.map(|at| before.swap_remove(at)) {
                Some(mut desk) => {
                    desk.line.follow(alert.timeout, way);
                    desk.book.follow(&alert);
                    state.desks.push(Desk { alert, ..desk });
                }
                None => {
                    let (teller, stop) = (self.teller.clone(), self.stopped.clone());
                    match Line::start(&alert.name, alert.timeout, way, teller, stop) {
                        Ok(line) => {
                            let book = Book::new(&alert);
                            state.desks.push(Desk { alert, book, line });
                        }
                        Err(error) => outcome = Err(error),
                    }
                }
            }
        }
        let tally = state.beat.take().map(|beating| beating.tally).unwrap_or_default();
        if let Some(beat) = ways.beat {
            let (until, stop) = bounded(0);
            outcome = outcome.and(beat.start(Arc::clone(&tally), self.teller.clone(), stop));
            state.beat = Some(Beating { tally, _until: until });
        }
        drop(state);
        let _ = self.wake.try_send(());
        outcome
    }

    /// How all alerts fare, in the order of the file, and the heartbeat last.
    #[must_use]
    pub fn status(&self) -> Vec<AlertStatus> {
        let state = self.clerk.state();
        let mut all: Vec<AlertStatus> = state.desks.iter().map(Desk::status).collect();
        all.extend(state.beat.as_ref().map(|beating| {
            let Tally { sent, failed, last } = lock(&beating.tally).clone();
            let (name, kind) = (heartbeat::NAME.to_owned(), heartbeat::NAME);
            AlertStatus { name, kind, on: vec![], sent, failed, held_back: 0, waiting: 0, last }
        }));
        all
    }

    /// Delivers what is on its way for so long at the most, then ends. What is stuck holds up
    /// nobody.
    pub fn stop(&self, patience: Duration) {
        self.own_up();
        let until = Instant::now() + patience;
        let waits = || self.clerk.state().desks.iter().any(|desk| desk.line.waiting() > 0);
        while waits() && Instant::now() < until {
            std::thread::park_timeout(END_LOOK);
        }
        self.clerk.state().desks.iter().for_each(|desk| desk.line.end());
        lock(&self.stop).take();
    }

    /// Says in the log what is still waiting for its time, and will be told by nobody.
    fn own_up(&self) {
        let (all, now) = (self.clerk.scene.look(), self.clerk.started.elapsed());
        let mut untold = Vec::new();
        {
            let mut state = self.clerk.state();
            let is_ours = state.turn == Turn::Now;
            for Desk { alert, book, .. } in state.desks.iter_mut().filter(|_| is_ours) {
                book.hasten(now);
                let message = |notice| self.clerk.author.message(&notice, &all, SystemTime::now());
                let notices = book.tell(now).into_iter();
                untold.extend(notices.map(|it| (alert.name.clone(), message(it).subject)));
            }
        }
        for (alert, subject) in untold {
            let why = format!("evenly ends before `wait` is over, and tells nobody: {subject}");
            self.teller.tell(Event::Delayed { alert: &alert, why: &why });
        }
    }

    /// Tells what waits, and no more from now on: another process does, which is to begin with
    /// this.
    pub fn hand_over(&self) -> Vec<Handed> {
        let now = self.clerk.started.elapsed();
        let mut state = self.clerk.state();
        state.desks.iter_mut().for_each(|desk| desk.book.hasten(now));
        self.clerk.tell(&mut state);
        state.turn = Turn::Over;
        let key = &self.clerk.author.key;
        let handed =
            |desk: &Desk| Handed { alert: desk.alert.name.clone(), open: desk.book.hand_over(key) };
        state.desks.iter().map(handed).collect()
    }

    /// Tells from now on, and goes on where the process before has ended. Where that is not known,
    /// and of an alert that it had not, whoever is out is taken to have been told.
    pub fn take_over(&self, handed: &[Handed]) {
        let (now, when) = (self.clerk.started.elapsed(), SystemTime::now());
        let all = self.clerk.scene.look();
        let mut state = self.clerk.state();
        for Desk { alert, book, .. } in &mut state.desks {
            match handed.iter().find(|one| one.alert == alert.name) {
                Some(Handed { open, .. }) => {
                    open.iter().for_each(|open| book.succeed(open, &all, now));
                    book.align(0, &all, when, now);
                }
                None => {
                    for sight in all.iter().filter(|sight| sight.is_out) {
                        let since = when.checked_sub(sight.stood_for).unwrap_or(when);
                        book.inherit(&sight.name, &sight.why, since, now);
                    }
                }
            }
        }
        state.turn = Turn::Now;
        drop(state);
        let _ = self.wake.try_send(());
    }
}

impl Desk {
    fn status(&self) -> AlertStatus {
        let Tally { sent, failed, last } = self.line.tally();
        AlertStatus {
            name: self.alert.name.clone(),
            kind: self.alert.kind.word(),
            on: self.alert.on.clone(),
            sent,
            failed,
            held_back: self.book.held_back(),
            waiting: self.line.waiting(),
            last,
        }
    }
}

/// What the desk's thread has.
#[derive(Clone)]
struct Clerk {
    state: Arc<Mutex<State>>,
    scene: Arc<dyn Scene>,
    author: words::Teller,
    started: Instant,
}

impl Clerk {
    fn attend(&self, hearing: &Hearing, woken: &Receiver<()>, stopped: &Receiver<()>) {
        loop {
            let next = self.next();
            let wait = next.map_or(LOOK, |at| at.saturating_sub(self.started.elapsed()).min(LOOK));
            select! {
                recv(hearing.news) -> news => match news {
                    Ok(news) => self.hear(&news),
                    Err(_) => return, // nobody is left to tell anything
                },
                recv(woken) -> _ => {},
                recv(stopped) -> _ => return,
                default(wait) => {},
            }
            let missed = hearing.missed();
            if missed > 0 {
                self.align(missed);
            }
            self.tell(&mut self.state());
        }
    }

    /// When there is something to tell.
    fn next(&self) -> Option<Duration> {
        let state = self.state();
        let is_now = state.turn == Turn::Now;
        let desks = state.desks.iter().filter(|_| is_now);
        desks.filter_map(|desk| desk.book.next()).min()
    }

    fn hear(&self, news: &News) {
        let now = self.started.elapsed();
        self.state().desks.iter_mut().for_each(|desk| desk.book.hear(news, now));
        // Another file may have other backends.
        if matches!(news.what, What::Over(Occasion::ReloadFailed, _)) {
            self.align(0);
        }
    }

    fn align(&self, missed: u64) {
        let (all, when, now) = (self.scene.look(), SystemTime::now(), self.started.elapsed());
        for desk in &mut self.state().desks {
            desk.book.align(missed, &all, when, now);
        }
    }

    fn tell(&self, state: &mut State) {
        if state.turn != Turn::Now {
            return;
        }
        let (mut all, now) = (None, self.started.elapsed());
        for desk in &mut state.desks {
            for notice in desk.book.tell(now) {
                let all = all.get_or_insert_with(|| self.scene.look());
                desk.line.send(self.author.message(&notice, all, SystemTime::now()));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
