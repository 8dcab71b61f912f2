//! The desk: one thread that takes in what is heard, asks each alert's book what is to be told, and
//! hands messages to the alert's own thread. It waits for none of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::handed::Handed;
use super::hearing::Hearing;
use super::heartbeat;
use super::incident::Book;
use super::line::{Last, Line, Shared, Tally};
use super::news::{News, What};
use super::scene::Scene;
use super::ways::{Opened, Ways};
use super::{Message, words};
use crate::config::{Alert, Occasion};
use crate::event::{Event, Teller};
use crate::thread;

/// The longest that the desk rests. Where something was missed there is more to be heard.
const LOOK: Duration = Duration::from_secs(60);
/// How long a try that is under way at an upgrade may take until its message is handed over though
/// it may arrive yet.
const LAST_TRY: Duration = Duration::from_secs(1);
/// What of the time for the end is left for programs that run to be killed.
const KILL_MARGIN: Duration = Duration::from_millis(200);
/// The most that is handed over in messages. Hundreds have room; what has none is told as lost.
const HANDED_BYTES_MAX: usize = 4 << 20;
/// Stands below a message that goes out before its time.
const STOPPED: &str =
    "\nevenly is being stopped, so this is told now, and no more follows from it.\n";

/// Whoever is told what happens. Shared by all who ask or steer it.
pub struct Notify {
    clerk: Clerk,
    /// Wakes the desk after a change.
    wake: Sender<()>,
    /// Closed when all is over.
    stop: Mutex<Option<Sender<()>>>,
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
    /// Of alerts that have left the file: they deliver what waited.
    left: Vec<Weak<Shared>>,
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
        let state =
            Arc::new(Mutex::new(State { turn, desks: Vec::new(), left: Vec::new(), beat: None }));
        let notify = Arc::new(Self {
            clerk: Clerk { state, scene, author, started },
            wake,
            stop: Mutex::new(Some(stop)),
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
                None => match Line::start(&alert.name, alert.timeout, way, self.teller.clone()) {
                    Ok(line) => {
                        let book = Book::new(&alert);
                        state.desks.push(Desk { alert, book, line });
                    }
                    Err(error) => outcome = Err(error),
                },
            }
        }
        state.left.retain(|line| line.strong_count() > 0);
        state.left.extend(before.iter().map(|desk| Arc::downgrade(&desk.line.shared())));
        let tally = state.beat.take().map(|beating| beating.tally).unwrap_or_default();
        if let Some(beat) = ways.beat {
            let (until, stop) = bounded(0);
            let scene = Arc::clone(&self.clerk.scene);
            let begun = beat.start(Arc::clone(&tally), self.teller.clone(), scene, stop);
            outcome = outcome.and(begun);
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

    /// Tells what waits for its time, delivers what is on its way, for so long at the most, then
    /// ends. What is stuck holds up nobody.
    pub fn stop(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let lines: Vec<Arc<Shared>> = {
            let mut state = self.clerk.state();
            self.clerk.hasten(&mut state, STOPPED);
            state.turn = Turn::Over;
            let left = state.left.iter().filter_map(Weak::upgrade);
            state.desks.iter().map(|desk| desk.line.shared()).chain(left).collect()
        };
        lines.iter().for_each(|line| line.wait_until_empty(until - KILL_MARGIN.min(patience)));
        lines.iter().for_each(|line| line.end());
        lines.iter().for_each(|line| line.wait_for_the_try(until));
        lock(&self.stop).take();
    }

    /// Tells no more from now on: another process does, which is to begin with this. What is not
    /// delivered yet is part of it.
    pub fn hand_over(&self) -> Vec<Handed> {
        let key = &self.clerk.author.key;
        let mut state = self.clerk.state();
        self.clerk.hasten(&mut state, "");
        state.turn = Turn::Over;
        let handed = |Desk { alert, book, line }: &Desk| {
            let messages = line.hand_over();
            let (open, singles) = (book.hand_over(key), book.hand_over_singles(key));
            (Handed { alert: alert.name.clone(), open, singles, messages }, line.shared())
        };
        let all: Vec<_> = state.desks.iter().map(handed).collect();
        drop(state);
        let (until, mut room) = (Instant::now() + LAST_TRY, HANDED_BYTES_MAX);
        let complete = |(mut handed, line): (Handed, Arc<Shared>)| {
            let messages = line.take_under_way(until).into_iter().chain(handed.messages);
            handed.messages = messages.collect();
            let lost = handed.keep_within(&mut room);
            if lost > 0 {
                line.lose(lost, "the process that takes over has no room for it");
            }
            handed
        };
        all.into_iter().map(complete).collect()
    }

    /// Tells from now on, and goes on where the process before has ended. Where that is not known,
    /// and of an alert that it had not, whoever is out is taken to have been told.
    pub fn take_over(&self, handed: &[Handed]) {
        let (now, when) = (self.clerk.started.elapsed(), SystemTime::now());
        let all = self.clerk.scene.look();
        let mut state = self.clerk.state();
        for Desk { alert, book, line } in &mut state.desks {
            match handed.iter().find(|one| one.alert == alert.name) {
                Some(Handed { open, singles, messages, .. }) => {
                    messages.iter().for_each(|message| line.send(message.clone()));
                    open.iter().for_each(|open| book.succeed(open, &all, now));
                    book.succeed_singles(singles, when, now);
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
        let is_here = |one: &&Handed| state.desks.iter().any(|desk| desk.alert.name == one.alert);
        let (_, gone): (Vec<_>, Vec<_>) = handed.iter().partition(is_here);
        drop(state);
        let _ = self.wake.try_send(());
        for Handed { alert, messages, .. } in gone {
            for Message { subject, .. } in messages {
                let why = format!("this alert is no longer in the file; not sent: {subject}");
                self.teller.tell(Event::Undelivered { alert, why: &why });
            }
        }
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
            self.make_up_for_what_was_missed(hearing);
            self.tell(&mut self.state(), "");
        }
    }

    /// All that waits is older than what a look shows: heard after it, it would undo it.
    fn make_up_for_what_was_missed(&self, hearing: &Hearing) {
        let missed = hearing.missed();
        if missed > 0 {
            hearing.waiting().for_each(|news| self.hear(&news));
            self.align(missed);
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
        // Another file may have other backends, and an operator may take out the last of a pool.
        let is_more = match news.what {
            What::Others | What::Over(Occasion::ReloadFailed, _) => true,
            What::Backend { is_wanted, .. } => is_wanted,
            _ => false,
        };
        if is_more {
            self.align(0);
        }
    }

    fn align(&self, missed: u64) {
        let (all, when, now) = (self.scene.look(), SystemTime::now(), self.started.elapsed());
        for desk in &mut self.state().desks {
            desk.book.align(missed, &all, when, now);
        }
    }

    fn tell(&self, state: &mut State, below: &str) {
        if state.turn != Turn::Now {
            return;
        }
        let (mut all, now) = (None, self.started.elapsed());
        for desk in &mut state.desks {
            for notice in desk.book.tell(now) {
                let all = all.get_or_insert_with(|| self.scene.look());
                let mut message = self.author.message(&notice, all, SystemTime::now());
                message.text.push_str(below);
                desk.line.send(message);
            }
        }
    }

    /// Tells what waits for its time, now.
    fn hasten(&self, state: &mut State, below: &str) {
        let now = self.started.elapsed();
        state.desks.iter_mut().for_each(|desk| desk.book.hasten(now));
        self.tell(state, below);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::channel::{Deliver, Over, Undelivered};
    use super::super::hearing::HEARD_MAX;
    use super::super::notice::Aside;
    use super::super::scene::Sight;
    use super::super::tests::{alert, sight};
    use super::*;
    use crate::event::{By, Shift};

    /// How all stands.
    struct Seen(Vec<Sight>);

    impl Scene for Seen {
        fn look(&self) -> Vec<Sight> {
            self.0.clone()
        }

        fn is_well(&self) -> bool {
            true
        }
    }

    struct Nowhere;

    impl Deliver for Nowhere {
        fn deliver(
            &mut self,
            _: &Message,
            _: Duration,
            _: Over<'_>,
        ) -> Result<String, Undelivered> {
            Ok(String::new())
        }
    }

    fn clerk(all: Vec<Sight>, teller: Teller) -> Clerk {
        let line = Line::start("a", Duration::from_secs(1), Box::new(Nowhere), teller).unwrap();
        let desks = vec![Desk { alert: alert(), book: Book::new(&alert()), line }];
        let state = State { turn: Turn::Now, desks, left: Vec::new(), beat: None };
        let author = words::Teller { host: "lb".into(), address: "a:1".into(), key: "k".into() };
        let (state, started) = (Arc::new(Mutex::new(state)), Instant::now());
        Clerk { state, scene: Arc::new(Seen(all)), author, started }
    }

    fn move_to(shift: Shift, backend: &str, teller: &Teller) {
        let (is_fault, why) = (shift != Shift::Up, "status 503");
        let (pool, by, words) = (None, By::Sight, &"");
        teller.tell(Event::Standing { backend, pool, shift, by, is_fault, why, words });
    }

    #[test]
    fn after_a_flood_all_are_as_they_are_and_not_as_they_were() {
        let teller = Teller::new(crate::log::Log::start(None).unwrap());
        let hearing = Hearing::begin(&teller);
        ["b", "a"].iter().for_each(|name| move_to(Shift::Out, name, &teller));
        for turn in 2..HEARD_MAX {
            move_to([Shift::Up, Shift::Out][turn % 2], "b", &teller);
        }
        // There is no room for that.
        move_to(Shift::Up, "a", &teller);
        let clerk = clerk(vec![sight("a", false), sight("b", true)], teller);
        clerk.hear(&hearing.news.recv().unwrap());
        clerk.make_up_for_what_was_missed(&hearing);
        assert!(hearing.news.is_empty());
        let book = &mut clerk.state().desks[0].book;
        let told = book.tell(clerk.started.elapsed() + alert().wait);
        let names: Vec<_> = told[0].items.iter().map(|item| item.backend.as_deref()).collect();
        assert_eq!((names, told[0].missed), (vec![Some("b")], 1), "a is up by now");
    }

    #[test]
    fn however_many_are_found_down_at_the_start_each_is_told_as_that() {
        let teller = Teller::new(crate::log::Log::start(None).unwrap());
        let hearing = Hearing::begin(&teller);
        let names: Vec<String> = (0..HEARD_MAX).map(|n| format!("b{n}")).collect();
        names.iter().for_each(|name| move_to(Shift::Out, name, &teller));
        move_to(Shift::Out, "b0", &teller);
        let clerk = clerk(names.iter().map(|name| sight(name, true)).collect(), teller);
        clerk.hear(&hearing.news.recv().unwrap());
        clerk.make_up_for_what_was_missed(&hearing);
        let book = &mut clerk.state().desks[0].book;
        let told = book.tell(clerk.started.elapsed() + alert().wait);
        assert!(told[0].items.iter().all(|item| item.aside == Aside::AtStart), "{told:?}");
    }
}
