//! The teller: what everyone tells events to.

use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use super::ring::{Ring, Since};
use super::throttle::{LeftOut, Throttle};
use super::what::Event;
use crate::log::Log;

/// Whoever hears each event as it is told, with its time and its words, in the middle of a step: it
/// must not wait.
pub type Ear = Box<dyn Fn(&Event, SystemTime, &str) + Send + Sync>;

/// The handle through which everyone tells what happened. No call waits.
#[derive(Clone)]
pub struct Teller(Arc<Inner>);

struct Inner {
    log: Log,
    throttle: Throttle,
    /// Apart, as the log's own threads hold it too.
    ring: Arc<Ring>,
    ear: OnceLock<Ear>,
}

impl Teller {
    /// One that writes to this log, and remembers what the log has to say of itself.
    pub fn new(log: Log) -> Self {
        let ring = Arc::new(Ring::default());
        let heard = Arc::clone(&ring);
        log.on_own_event(Box::new(move |own, when| {
            heard.keep(&Event::Log(own), when, &own.to_string());
        }));
        Self(Arc::new(Inner { log, throttle: Throttle::default(), ring, ear: OnceLock::new() }))
    }

    /// Tells an event, unless one of its kind was told of the same backend a moment ago: then it is
    /// counted, and the next one says how many there were.
    pub fn tell(&self, event: Event) {
        let Inner { log, throttle, ring, ear } = &*self.0;
        let class = event.class();
        let left_out = match class.may_flood {
            true => match throttle.pass(class.word, event.subject(), Instant::now()) {
                Some(left_out) => left_out,
                None => return,
            },
            false => LeftOut::default(),
        };
        let (when, words) = (SystemTime::now(), format!("{event}{left_out}"));
        ring.keep(&event, when, &words);
        if let Some(ear) = ear.get() {
            ear(&event, when, &words);
        }
        log.event(when, class.level, format_args!("{words}"));
    }

    /// From now on `ear` hears all events but what the log says of itself. There is one ear: a
    /// second one is refused, and hears nothing.
    pub fn on_event(&self, ear: Ear) {
        let _ = self.0.ear.set(ear);
    }

    /// What was told after the event of this `number`; 0 is for all that is remembered. A number
    /// that was never given is from before a restart, and taken for 0.
    pub fn since(&self, number: u64) -> Since {
        self.0.ring.since(number)
    }

    /// For lines that are no events.
    pub fn log(&self) -> &Log {
        &self.0.log
    }
}
