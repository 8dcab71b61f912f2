//! The thread of one alert: takes messages from a bounded queue and delivers them, one after the
//! other, each tried again for a while. What it cannot deliver it tells, and counts: never silence,
//! and never a message about a message.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::{Deliver, Message, Undelivered};
use crate::event::{Event, Teller};
use crate::text::Took;
use crate::thread;

/// Messages that wait for the one that is being delivered.
const WAITING_MAX: usize = 32;
/// How long one message is tried. A mail server may be restarted meanwhile.
const TRIED_FOR: Duration = Duration::from_secs(600);
/// The rest after the first try that failed; each is twice as long as the one before.
const REST: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(60);

/// What came of the last message: when, whether it was delivered, and in whose words.
pub type Last = (SystemTime, bool, String);

/// The thread, as whoever sends by it knows it. Dropped, it tries once more what waits, and ends:
/// an alert that has left the file is to keep no thread.
pub(super) struct Line(Arc<Shared>);

/// What the thread shares with those who send by it, and with whoever ends it.
pub(super) struct Shared {
    name: String,
    teller: Teller,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    phase: Phase,
    waiting: VecDeque<Message>,
    /// The one that is being tried, or rests before its next try; none once somebody else has it.
    under_way: Option<Message>,
    /// A try is not over yet.
    is_trying: bool,
    /// How long one try may take.
    timeout: Duration,
    /// The way as the file has it now, once the one in use is through with its try.
    next_way: Option<Box<dyn Deliver>>,
    tally: Tally,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    On,
    /// Nobody sends by it any more: each message gets one try more.
    Left,
    /// Another process delivers what is left.
    Handed,
    /// What is left was told as lost.
    Over,
}

/// What was sent so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: u64,
    pub(super) failed: u64,
    pub(super) last: Option<Last>,
}

impl Line {
    /// Starts the thread.
    pub(super) fn start(
        name: &str,
        timeout: Duration,
        way: Box<dyn Deliver>,
        teller: Teller,
    ) -> std::io::Result<Self> {
        let state = State {
            phase: Phase::On,
            waiting: VecDeque::new(),
            under_way: None,
            is_trying: false,
            timeout,
            next_way: None,
            tally: Tally::default(),
        };
        let (name, state, changed) = (name.to_owned(), Mutex::new(state), Condvar::new());
        let shared = Arc::new(Shared { name, teller, state, changed });
        let mut carrier = Carrier { shared: Arc::clone(&shared), way };
        let work = move || {
            while let Some(message) = carrier.shared.next() {
                carrier.carry(&message);
            }
        };
        // Its panic would be no reason to serve nobody: what it leaves undelivered is told.
        thread::start("alert", Box::new(work))?;
        Ok(Self(shared))
    }

    /// Delivers by this from now on.
    pub(super) fn follow(&self, timeout: Duration, way: Box<dyn Deliver>) {
        let mut state = self.0.state();
        (state.timeout, state.next_way) = (timeout, Some(way));
    }

    /// Never waits: where too many wait already, that is told.
    pub(super) fn send(&self, message: Message) {
        let mut state = self.0.state();
        if state.waiting.len() < WAITING_MAX {
            state.waiting.push_back(message);
            self.0.changed.notify_all();
            return;
        }
        drop(state);
        let subject = message.subject;
        let why = format!("{WAITING_MAX} messages wait already; left out: {subject}");
        self.0.lose(1, &why);
    }

    /// Delivers nothing more, as another process does: what waits, the oldest first. What is under
    /// way is had by [`Shared::take_under_way`].
    pub(super) fn hand_over(&self) -> Vec<Message> {
        let mut state = self.0.state();
        state.phase = Phase::Handed;
        self.0.changed.notify_all();
        mem::take(&mut state.waiting).into()
    }

    pub(super) fn tally(&self) -> Tally {
        self.0.state().tally.clone()
    }

    /// Messages that are not through yet.
    pub(super) fn waiting(&self) -> usize {
        self.0.state().left()
    }

    /// For whoever waits for it, or ends it.
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if state.phase == Phase::On {
            state.phase = Phase::Left;
        }
        self.0.changed.notify_all();
    }
}

impl Shared {
    /// Waits until all is through, until then at the most.
    pub(super) fn wait_until_empty(&self, until: Instant) {
        drop(self.wait(until, |state| state.left() > 0));
    }

    /// Waits until no try is under way, until then at the most.
    pub(super) fn wait_for_the_try(&self, until: Instant) {
        drop(self.wait(until, |state| state.is_trying));
    }

    /// The message that is under way, for another process to deliver: once its try has failed, or
    /// then, if that is not over. A try that goes on may still deliver it.
    pub(super) fn take_under_way(&self, until: Instant) -> Option<Message> {
        self.wait(until, |state| state.is_trying).under_way.take()
    }

    /// All is over: tells what is not through yet. A program that runs is killed soon after.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.phase = Phase::Over;
        self.changed.notify_all();
        let waiting = mem::take(&mut state.waiting);
        let lost: Vec<Message> = state.under_way.take().into_iter().chain(waiting).collect();
        drop(state);
        if let Some(first) = lost.first() {
            let what = match lost.len() {
                1 => String::new(),
                all => format!(" and {} more", all - 1),
            };
            let why = format!("evenly ends before it is; left out: {}{what}", first.subject);
            self.lose(lost.len() as u64, &why);
        }
    }

    /// Tells of so many that nobody gets them.
    pub(super) fn lose(&self, messages: u64, why: &str) {
        let mut state = self.state();
        state.tally.failed += messages;
        state.tally.last = Some((SystemTime::now(), false, why.to_owned()));
        drop(state);
        self.teller.tell(Event::Undelivered { alert: &self.name, why });
    }

    /// The next one to be delivered; none once there is nothing more to do.
    fn next(&self) -> Option<Message> {
        let waits = |state: &mut State| state.phase == Phase::On && state.waiting.is_empty();
        let waited = self.changed.wait_while(self.state(), waits);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        // What is under way then is for another process.
        if matches!(state.phase, Phase::On | Phase::Left) {
            state.under_way = state.waiting.pop_front();
            return state.under_way.clone();
        }
        None
    }

    /// Rests until the next try is due; false if there is none.
    fn rest(&self, rest: Duration) -> bool {
        let state = self.wait(Instant::now() + rest, |state| state.phase == Phase::On);
        matches!(state.phase, Phase::On | Phase::Left)
    }

    fn is_over(&self) -> bool {
        self.state().phase == Phase::Over
    }

    fn wait(&self, until: Instant, waits: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let left = until.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(self.state(), left, |state| waits(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn left(&self) -> usize {
        self.waiting.len() + usize::from(self.under_way.is_some())
    }
}

/// What the thread has for itself.
struct Carrier {
    shared: Arc<Shared>,
    way: Box<dyn Deliver>,
}

impl Carrier {
    fn carry(&mut self, message: &Message) {
        let (until, mut rest) = (Instant::now() + TRIED_FOR, REST);
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self.try_once(message);
            let mut state = self.shared.state();
            state.is_trying = false;
            self.shared.changed.notify_all();
            let Undelivered { words, may_retry } = match outcome {
                Ok(words) => {
                    state.under_way = None;
                    state.tally.sent += 1;
                    state.tally.last = Some((SystemTime::now(), true, words));
                    return;
                }
                Err(undelivered) => undelivered,
            };
            state.tally.last = Some((SystemTime::now(), false, words.clone()));
            let is_for_another = matches!(state.phase, Phase::Handed | Phase::Over);
            if state.under_way.is_none() || is_for_another && may_retry {
                return;
            }
            let is_late = Instant::now() + rest >= until;
            if !may_retry || state.phase == Phase::Left || is_late {
                state.under_way = None;
                drop(state);
                let tries = if tries == 1 { String::new() } else { format!(" ({tries} tries)") };
                let why = format!("{words}{tries}; left out: {}", message.subject);
                return self.shared.lose(1, &why);
            }
            drop(state);
            if tries == 1 {
                let why = format!("{words}; tried again for {}", Took(TRIED_FOR));
                let Shared { name, teller, .. } = &*self.shared;
                teller.tell(Event::Delayed { alert: name, why: &why });
            }
            if !self.shared.rest(rest) {
                return;
            }
            rest = (rest * 2).min(REST_MAX);
        }
    }

    fn try_once(&mut self, message: &Message) -> Result<String, Undelivered> {
        let mut state = self.shared.state();
        if let Some(way) = state.next_way.take() {
            self.way = way;
        }
        state.is_trying = true;
        let timeout = state.timeout;
        drop(state);
        self.way.deliver(message, timeout, &|| self.shared.is_over())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Over;
    use super::*;

    struct Dead;

    impl Deliver for Dead {
        fn deliver(
            &mut self,
            _: &Message,
            _: Duration,
            _: Over<'_>,
        ) -> Result<String, Undelivered> {
            Err(Undelivered { words: "connection refused".to_owned(), may_retry: true })
        }
    }

    fn message(subject: &str) -> Message {
        let [subject, text, key] = [subject, "", ""].map(str::to_owned);
        Message { subject, text, key, kind: "down".into(), facts: Vec::new() }
    }

    #[test]
    fn what_is_left_at_the_end_counts_as_that_many_and_what_another_has_does_not() {
        let teller = Teller::new(crate::log::Log::start(None).unwrap());
        let start = || {
            let way = Box::new(Dead);
            let line = Line::start("a", Duration::from_secs(1), way, teller.clone()).unwrap();
            ["one", "two", "three"].iter().for_each(|subject| line.send(message(subject)));
            let until = Instant::now() + Duration::from_secs(20);
            // The first rests after its try.
            let state = line.0.wait(until, |state| state.tally.last.is_none());
            assert!(state.tally.last.is_some(), "nothing was tried");
            drop(state);
            line
        };
        let line = start();
        line.shared().end();
        assert_eq!((line.tally().failed, line.waiting()), (3, 0));
        let line = start();
        let waiting = line.hand_over();
        let thread = Arc::downgrade(&line.0);
        let until = Instant::now() + Duration::from_secs(20);
        // Its end takes no message away: the line alone holds what it shared.
        while thread.strong_count() > 1 {
            assert!(Instant::now() < until, "the thread is there still");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let first = line.shared().take_under_way(Instant::now() + Duration::from_secs(20));
        let all: Vec<Message> = first.into_iter().chain(waiting).collect();
        assert_eq!(all, ["one", "two", "three"].map(message));
        line.shared().end();
        assert_eq!((line.tally().failed, line.waiting()), (0, 0));
    }

    #[test]
    fn an_alert_that_has_left_the_file_keeps_no_thread_and_its_messages_are_told() {
        let teller = Teller::new(crate::log::Log::start(None).unwrap());
        let line = Line::start("gone", Duration::from_secs(1), Box::new(Dead), teller).unwrap();
        let shared = Arc::downgrade(&line.0);
        line.send(message("down"));
        drop(line);
        let until = Instant::now() + Duration::from_secs(20);
        while shared.strong_count() > 0 {
            assert!(Instant::now() < until, "the thread is there still");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}
