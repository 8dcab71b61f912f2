//! The thread of one alert: takes messages from a bounded queue and delivers them, one after the
//! other, each tried again for a while. What it cannot deliver it tells, and counts: never silence,
//! and never a message about a message.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, select};

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
pub(super) struct Line {
    queue: Sender<Message>,
    /// Its end is how the thread knows.
    _kept: Sender<()>,
    shared: Arc<Shared>,
    teller: Teller,
}

struct Shared {
    name: String,
    /// How long one try may take.
    timeout: Mutex<Duration>,
    /// The way as the file has it now, once the one in use is through with its try.
    next_way: Mutex<Option<Box<dyn Deliver>>>,
    tally: Mutex<Tally>,
    /// Messages that are not through yet.
    waiting: AtomicUsize,
}

/// What was sent so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: u64,
    pub(super) failed: u64,
    pub(super) last: Option<Last>,
}

impl Line {
    /// Starts the thread. It rests at `stop`, which nobody sends to: all is over when that closes.
    pub(super) fn start(
        name: &str,
        timeout: Duration,
        way: Box<dyn Deliver>,
        teller: Teller,
        stop: Receiver<()>,
    ) -> std::io::Result<Self> {
        let (queue, waiting) = bounded(WAITING_MAX);
        let (kept, left) = bounded(0);
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            timeout: Mutex::new(timeout),
            next_way: Mutex::new(None),
            tally: Mutex::default(),
            waiting: AtomicUsize::new(0),
        });
        let mut carrier =
            Carrier { shared: Arc::clone(&shared), way, teller: teller.clone(), stop, left };
        let work = move || waiting.iter().for_each(|message| carrier.carry(&message));
        // Its panic would be no reason to serve nobody: what it leaves undelivered is told.
        thread::start("alert", Box::new(work))?;
        Ok(Self { queue, _kept: kept, shared, teller })
    }

    /// Delivers by this from now on.
    pub(super) fn follow(&self, timeout: Duration, way: Box<dyn Deliver>) {
        *lock(&self.shared.timeout) = timeout;
        *lock(&self.shared.next_way) = Some(way);
    }

    /// Never waits: where too many wait already, that is told.
    pub(super) fn send(&self, message: Message) {
        self.shared.waiting.fetch_add(1, SeqCst);
        if let Err(refused) = self.queue.try_send(message) {
            self.shared.waiting.fetch_sub(1, SeqCst);
            let subject = refused.into_inner().subject;
            let why = format!("{WAITING_MAX} messages wait already; left out: {subject}");
            self.shared.lose(&self.teller, &why);
        }
    }

    /// Tells what is not through yet, as all is over.
    pub(super) fn end(&self) {
        let waiting = self.waiting();
        if waiting > 0 {
            let why = format!("evenly ends with {waiting} of its messages on their way");
            self.shared.lose(&self.teller, &why);
        }
    }

    pub(super) fn tally(&self) -> Tally {
        lock(&self.shared.tally).clone()
    }

    /// Messages that are not through yet.
    pub(super) fn waiting(&self) -> usize {
        self.shared.waiting.load(SeqCst)
    }
}

impl Shared {
    fn lose(&self, teller: &Teller, why: &str) {
        let mut tally = lock(&self.tally);
        tally.failed += 1;
        tally.last = Some((SystemTime::now(), false, why.to_owned()));
        drop(tally);
        teller.tell(Event::Undelivered { alert: &self.name, why });
    }
}

/// What the thread has for itself.
struct Carrier {
    shared: Arc<Shared>,
    way: Box<dyn Deliver>,
    teller: Teller,
    stop: Receiver<()>,
    /// Closed once nobody sends by this any more.
    left: Receiver<()>,
}

impl Carrier {
    fn carry(&mut self, message: &Message) {
        let (until, mut rest) = (Instant::now() + TRIED_FOR, REST);
        let mut tries = 0;
        let lost = loop {
            tries += 1;
            let Undelivered { words, may_retry } = match self.try_once(message) {
                Ok(words) => break self.deliver(&words),
                Err(undelivered) => undelivered,
            };
            let is_left = self.left.try_recv() == Err(TryRecvError::Disconnected);
            if !may_retry || is_left || Instant::now() + rest >= until {
                let tries = if tries == 1 { String::new() } else { format!(" ({tries} tries)") };
                break Some(format!("{words}{tries}; left out: {}", message.subject));
            }
            if tries == 1 {
                let tried = Took(TRIED_FOR);
                let why = format!("{words}; tried again for {tried}");
                self.teller.tell(Event::Delayed { alert: &self.shared.name, why: &why });
            }
            lock(&self.shared.tally).last = Some((SystemTime::now(), false, words.clone()));
            select! {
                recv(self.stop) -> _ => return, // whoever ends it has told what is left
                recv(self.left) -> _ => {}
                default(rest) => {}
            }
            rest = (rest * 2).min(REST_MAX);
        };
        if let Some(why) = lost {
            self.shared.lose(&self.teller, &why);
        }
        self.shared.waiting.fetch_sub(1, SeqCst);
    }

    fn try_once(&mut self, message: &Message) -> Result<String, Undelivered> {
        if let Some(way) = lock(&self.shared.next_way).take() {
            self.way = way;
        }
        let timeout = *lock(&self.shared.timeout);
        self.way.deliver(message, timeout)
    }

    fn deliver(&self, words: &str) -> Option<String> {
        let mut tally = lock(&self.shared.tally);
        tally.sent += 1;
        tally.last = Some((SystemTime::now(), true, words.to_owned()));
        None
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dead;

    impl Deliver for Dead {
        fn deliver(&mut self, _: &Message, _: Duration) -> Result<String, Undelivered> {
            Err(Undelivered { words: "connection refused".to_owned(), may_retry: true })
        }
    }

    #[test]
    fn an_alert_that_has_left_the_file_keeps_no_thread_and_its_messages_are_told() {
        let (teller, (_running, stop)) =
            (Teller::new(crate::log::Log::start(None).unwrap()), bounded(0));
        let way = Box::new(Dead);
        let line = Line::start("gone", Duration::from_secs(1), way, teller, stop).unwrap();
        let shared = Arc::downgrade(&line.shared);
        let [subject, text, key] = ["down", "", ""].map(str::to_owned);
        line.send(Message { subject, text, key, kind: "down", facts: Vec::new() });
        drop(line);
        let until = Instant::now() + Duration::from_secs(20);
        while shared.strong_count() > 0 {
            assert!(Instant::now() < until, "the thread is there still");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}
