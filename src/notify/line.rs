//! The thread of one alert: takes messages from a bounded queue and delivers them, one after the
//! other, each tried again for a while. What it cannot deliver it tells, and counts: never silence,
//! and never a message about a message.
//!
//! That no backend is up is tried before whatever waits or rests between its tries. What it has
//! overtaken follows in its order, says that it is from before, and ends no incident that this is
//! of.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::parcel::Parcel;
use super::{Deliver, Message, Undelivered};
use crate::event::{Event, Teller};
use crate::text::Roughly;
use crate::thread;

/// Messages that wait for the one that is being delivered. What is urgent has a place besides.
const WAITING_MAX: usize = 32;
/// The longest rest between two tries.
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
    waiting: VecDeque<Parcel>,
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
            while let Some(parcel) = carrier.shared.next() {
                carrier.carry(parcel);
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
        let parcel = Parcel::new(message);
        if state.waiting.len() < WAITING_MAX + usize::from(parcel.is_urgent()) {
            state.put(parcel);
            self.0.changed.notify_all();
            return;
        }
        drop(state);
        let subject = parcel.message.subject;
        let why = format!("{WAITING_MAX} messages wait already; not sent: {subject}");
        self.0.lose(1, &why);
    }

    /// Delivers nothing more, as another process does: what waits, the oldest first. What is under
    /// way is had by [`Shared::take_under_way`].
    pub(super) fn hand_over(&self) -> Vec<Message> {
        let mut state = self.0.state();
        state.phase = Phase::Handed;
        self.0.changed.notify_all();
        mem::take(&mut state.waiting).into_iter().map(|parcel| parcel.message).collect()
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
        let waiting = waiting.into_iter().map(|parcel| parcel.message);
        let lost: Vec<Message> = state.under_way.take().into_iter().chain(waiting).collect();
        drop(state);
        if let Some(first) = lost.first() {
            let what = match lost.len() {
                1 => String::new(),
                all => format!(" and {} more", all - 1),
            };
            let why = format!("evenly ends before it is; not sent: {}{what}", first.subject);
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
    fn next(&self) -> Option<Parcel> {
        let waits = |state: &mut State| state.phase == Phase::On && state.waiting.is_empty();
        let waited = self.changed.wait_while(self.state(), waits);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        // What is under way then is for another process.
        if matches!(state.phase, Phase::On | Phase::Left) {
            return state.take_next();
        }
        None
    }

    /// Rests until the next try is due: of this one, or of another that goes before it, and then at
    /// once. None if there is no try more.
    fn rest(&self, mut parcel: Parcel) -> Option<Parcel> {
        let until = Instant::now() + parcel.rest;
        parcel.rest = (parcel.rest * 2).min(REST_MAX);
        let waits = |state: &State| state.phase == Phase::On && !state.has_overtaken(&parcel);
        let mut state = self.wait(until, waits);
        match state.phase {
            Phase::Handed | Phase::Over => None,
            Phase::On if state.has_overtaken(&parcel) => {
                let next = state.take_next();
                state.put_back(parcel, next.as_ref());
                next
            }
            Phase::On | Phase::Left => Some(parcel),
        }
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

    /// The first that waits is under way now.
    fn take_next(&mut self) -> Option<Parcel> {
        let parcel = self.waiting.pop_front();
        self.under_way = parcel.as_ref().map(|parcel| parcel.message.clone());
        parcel
    }

    fn put(&mut self, parcel: Parcel) {
        let is_before = |one: &Parcel| !parcel.goes_before(one);
        let place = self.waiting.iter().rposition(is_before).map_or(0, |last| last + 1);
        self.waiting.range_mut(place..).for_each(|one| one.fall_behind(&parcel));
        self.waiting.insert(place, parcel);
    }

    /// It was under way, so it goes before all but what has overtaken it, as `next` has.
    fn put_back(&mut self, mut parcel: Parcel, next: Option<&Parcel>) {
        next.iter().for_each(|next| parcel.fall_behind(next));
        let place = self.waiting.iter().take_while(|one| one.goes_before(&parcel)).count();
        self.waiting.insert(place, parcel);
    }

    fn has_overtaken(&self, parcel: &Parcel) -> bool {
        self.waiting.front().is_some_and(|first| first.goes_before(parcel))
    }
}

/// What the thread has for itself.
struct Carrier {
    shared: Arc<Shared>,
    way: Box<dyn Deliver>,
}

impl Carrier {
    fn carry(&mut self, parcel: Parcel) {
        let mut next = Some(parcel);
        while let Some(parcel) = next {
            next = self.try_parcel(parcel).and_then(|parcel| self.shared.rest(parcel));
        }
    }

    /// Gives it back if it is to be tried again.
    fn try_parcel(&mut self, mut parcel: Parcel) -> Option<Parcel> {
        let tried_for = parcel.tried_for();
        let until = *parcel.until.get_or_insert_with(|| Instant::now() + tried_for);
        parcel.tries += 1;
        let outcome = self.try_once(&parcel.message);
        let mut state = self.shared.state();
        state.is_trying = false;
        self.shared.changed.notify_all();
        let Undelivered { words, may_retry } = match outcome {
            Ok(words) => {
                state.under_way = None;
                state.tally.sent += 1;
                state.tally.last = Some((SystemTime::now(), true, words.clone()));
                drop(state);
                self.tell_of_delay(&parcel, &words);
                return None;
            }
            Err(undelivered) => undelivered,
        };
        state.tally.last = Some((SystemTime::now(), false, words.clone()));
        let is_for_another = matches!(state.phase, Phase::Handed | Phase::Over);
        if state.under_way.is_none() || is_for_another && may_retry {
            return None;
        }
        let Parcel { message, tries, rest, .. } = &parcel;
        let is_late = Instant::now() + *rest >= until;
        if !may_retry || state.phase == Phase::Left || is_late {
            state.under_way = None;
            drop(state);
            let tries = if *tries == 1 { String::new() } else { format!(" ({tries} tries)") };
            let why = format!("{words}{tries}; not sent: {}", message.subject);
            self.shared.lose(1, &why);
            return None;
        }
        drop(state);
        if *tries == 1 {
            let why = format!("{words}; it is tried again for {}", Roughly(tried_for));
            let Shared { name, teller, .. } = &*self.shared;
            teller.tell(Event::Delayed { alert: name, why: &why });
        }
        Some(parcel)
    }

    /// Whoever has read that it was not delivered yet reads that it is.
    fn tell_of_delay(&self, parcel: &Parcel, words: &str) {
        let Parcel { message, tries, .. } = parcel;
        if *tries > 1 {
            let how = format!("{words} ({tries} tries); sent: {}", message.subject);
            let Shared { name, teller, .. } = &*self.shared;
            teller.tell(Event::Delivered { alert: name, how: &how });
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
    use std::sync::atomic::{AtomicBool, Ordering};

    use crossbeam_channel::{Sender, bounded};

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

    /// Takes no message of other kinds than this until it is asked to.
    struct Fussy {
        takes: &'static str,
        has_opened: Arc<AtomicBool>,
        taken: Sender<Message>,
    }

    impl Deliver for Fussy {
        fn deliver(
            &mut self,
            message: &Message,
            _: Duration,
            _: Over<'_>,
        ) -> Result<String, Undelivered> {
            if message.kind != self.takes && !self.has_opened.load(Ordering::Acquire) {
                return Err(Undelivered { words: "status 500".to_owned(), may_retry: true });
            }
            let _ = self.taken.send(message.clone());
            Ok("status 200".to_owned())
        }
    }

    #[test]
    fn no_backend_up_overtakes_what_is_tried_again_and_what_waits_and_none_of_it_is_lost() {
        let (taken, told) = bounded(10);
        let has_opened = Arc::new(AtomicBool::new(false));
        let opened = Arc::clone(&has_opened);
        let way = Box::new(Fussy { takes: "all-down", has_opened: opened, taken });
        let teller = Teller::new(crate::log::Log::start(None).unwrap());
        let line = Line::start("a", Duration::from_secs(1), way, teller).unwrap();
        let of = |kind: &'static str, key: &str| Message {
            kind: kind.into(),
            key: key.to_owned(),
            facts: vec![("action".into(), "resolve".to_owned())],
            ..message(kind)
        };
        line.send(of("down", "k"));
        let state = line
            .0
            .wait(Instant::now() + Duration::from_secs(20), |state| state.tally.last.is_none());
        assert!(state.tally.last.is_some(), "nothing was tried");
        drop(state);
        line.send(of("recovered", "k"));
        line.send(of("recovered", "other"));
        line.send(of("all-down", "k"));
        let next = || told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(next().subject, "all-down");
        let state =
            line.0.wait(Instant::now() + Duration::from_secs(20), |state| state.tally.sent == 0);
        assert_eq!(state.tally.sent, 1);
        drop(state);
        assert_eq!(line.waiting(), 3);
        has_opened.store(true, Ordering::Release);
        let rest = [(); 3].map(|()| {
            let message = next();
            let action = message.fact("action").unwrap().to_owned();
            (message.subject, message.key, action)
        });
        let expected = [
            ("earlier: down", "k", "trigger"),
            ("earlier: recovered", "k", "trigger"),
            ("earlier: recovered", "other", "resolve"),
        ];
        assert_eq!(rest, expected.map(|(one, two, three)| (one.into(), two.into(), three.into())));
        line.shared().wait_until_empty(Instant::now() + Duration::from_secs(20));
        assert_eq!((line.tally().sent, line.tally().failed), (4, 0));
    }

    #[test]
    fn that_no_backend_is_up_is_tried_for_longer_than_the_rest() {
        for (kind, words) in
            [("down", "tried again for 10 min"), ("all-down", "tried again for 1 h")]
        {
            let teller = Teller::new(crate::log::Log::start(None).unwrap());
            let (told, heard) = bounded(10);
            teller.on_event(Box::new(move |_, _, words| _ = told.send(words.to_owned())));
            let line = Line::start("a", Duration::from_secs(1), Box::new(Dead), teller).unwrap();
            line.send(Message { kind: kind.into(), ..message("s") });
            let said = heard.recv_timeout(Duration::from_secs(20)).unwrap();
            assert!(said.ends_with(words), "{said}");
            line.shared().end();
        }
    }

    #[test]
    fn a_full_line_has_a_place_for_what_is_urgent() {
        let teller = Teller::new(crate::log::Log::start(None).unwrap());
        let line = Line::start("a", Duration::from_secs(1), Box::new(Dead), teller).unwrap();
        // One of them is under way, and more than the rest have room.
        (0..WAITING_MAX + 5).for_each(|_| line.send(message("down")));
        let failed = line.tally().failed;
        line.send(Message { kind: "all-down".into(), ..message("none") });
        assert_eq!(line.tally().failed, failed, "it had no place");
        line.shared().end();
    }
}
