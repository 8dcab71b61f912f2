//! What the client knows of its backends beside the pool, and how its callers wait for better news.
//!
//! The watch's threads bring the news, any number of callers wait for it. All who wait share one
//! rhythm: the backends are checked at its beats, whose pauses double, so that a thousand callers
//! are no burden for a backend that is trying to come back.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event::Event;
use crate::pool::chance::{Dice, fraction};
use crate::pool::{Notice, Standing};
use crate::watch::WatchEvent;

/// The pause before the first beat.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause, if checks are not due more often than that by themselves.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The state that callers and the watch share. Its lock is held for no I/O and calls nobody.
pub(super) struct Vigil {
    state: Mutex<State>,
    changed: Condvar,
    pause_max: Duration,
}

struct State {
    /// Why a backend is not up, by name: the last that was heard.
    reasons: BTreeMap<String, String>,
    /// The thread of the watch that died. Nothing that is known of the backends can be trusted.
    died: Option<String>,
    seen: Seen,
    /// Callers that wait.
    waiting: usize,
    pause: Duration,
    beat: Instant,
    dice: Dice,
}

/// How far the news has come. Bad news is none: a caller whose own try failed would never rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Moves when a backend is up again or somewhere else, and with each beat.
    news: u64,
    /// Moves when a call is over and its place at a backend is free.
    places: u64,
}

/// What ended a caller's rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// Something may have changed.
    News,
    /// It is time to check the backends; this caller is the one to do so.
    Beat,
    /// The time to wait is over.
    Late,
}

impl Vigil {
    /// With checks every `interval`, which no beat needs to outlast.
    pub(super) fn new(interval: Option<Duration>) -> Self {
        let state = State {
            reasons: BTreeMap::new(),
            died: None,
            seen: Seen::default(),
            waiting: 0,
            pause: PAUSE_MIN,
            beat: Instant::now(),
            dice: Dice::new(RandomState::new().hash_one(0)),
        };
        let pause_max = interval.unwrap_or(PAUSE_MAX).min(PAUSE_MAX);
        Self { state: Mutex::new(state), changed: Condvar::new(), pause_max }
    }

    /// Hears of the watch.
    pub(super) fn hear(&self, event: WatchEvent) {
        match event {
            WatchEvent::Noticed(notice) => self.notice(notice),
            WatchEvent::Other(Event::Died { thread }) => {
                self.lock().died = Some(thread.to_owned());
                self.wake();
            }
            // An address that is another is news.
            WatchEvent::Other(Event::Moved { .. }) => self.wake(),
            WatchEvent::Other(_) => {}
        }
    }

    /// A backend's standing changed.
    pub(super) fn notice(&self, notice: &Notice) {
        let Some(change) = notice.change() else { return };
        match change.to {
            Standing::Up => {
                self.forget(&change.backend);
                self.wake();
            }
            _ => self.note(&change.backend, &change.reason),
        }
    }

    /// The backend is not up, and why.
    pub(super) fn note(&self, backend: &str, why: &str) {
        self.lock().reasons.insert(backend.to_owned(), why.to_owned());
    }

    /// These are all that there are now.
    pub(super) fn keep(&self, names: &[&str]) {
        self.lock().reasons.retain(|name, _| names.contains(&name.as_str()));
    }

    /// The backend is up.
    pub(super) fn forget(&self, backend: &str) {
        self.lock().reasons.remove(backend);
    }

    /// Why the backend is not up, if that was heard.
    pub(super) fn why(&self, backend: &str) -> Option<String> {
        self.lock().reasons.get(backend).cloned()
    }

    /// The thread of the watch that died, if one has.
    pub(super) fn died(&self) -> Option<String> {
        self.lock().died.clone()
    }

    /// A call is over, so that a place may be free.
    pub(super) fn freed(&self) {
        self.tell(|seen| seen.places += 1);
    }

    /// To be read before a look at the pool: no news between the look and the rest is missed.
    pub(super) fn seen(&self) -> Seen {
        self.lock().seen
    }

    /// One more caller waits. The first one begins the rhythm anew.
    pub(super) fn join(&self, now: Instant) -> Waiting<'_> {
        let mut state = self.lock();
        if state.waiting == 0 {
            state.pause = PAUSE_MIN.min(self.pause_max);
            state.set_beat(now);
        }
        state.waiting += 1;
        Waiting(self)
    }

    fn wake(&self) {
        self.tell(|seen| seen.news += 1);
    }

    fn tell(&self, what: impl FnOnce(&mut Seen)) {
        let mut state = self.lock();
        what(&mut state.seen);
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A pause from now, a quarter more or less: clients that lost the same backends at the same
    /// time do not come back at the same time.
    fn set_beat(&mut self, now: Instant) {
        self.beat = now + self.pause.mul_f64(0.75 + 0.5 * fraction(self.dice.roll()));
    }
}

/// One caller that waits; dropped, it waits no more.
pub(super) struct Waiting<'v>(&'v Vigil);

impl Waiting<'_> {
    /// Rests until there is more news than was `seen`, for a place too if that is what it needs, or
    /// something to do; at most until `until`.
    pub(super) fn rest(&self, seen: Seen, needs_place: bool, until: Instant) -> Woken {
        let Self(vigil) = self;
        let mut state = vigil.lock();
        loop {
            let now = Instant::now();
            let is_free = needs_place && state.seen.places != seen.places;
            if is_free || state.seen.news != seen.news {
                return Woken::News;
            }
            if now >= until {
                return Woken::Late;
            }
            if now >= state.beat {
                state.pause = (state.pause * 2).min(vigil.pause_max);
                state.set_beat(now);
                state.seen.news += 1;
                vigil.changed.notify_all();
                return Woken::Beat;
            }
            let left = until.min(state.beat) - now;
            let woken = vigil.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Change;

    fn change(to: Standing) -> Notice {
        let (backend, reason) = ("a".into(), "check failed: status 503".into());
        let from = Standing::Up;
        Notice::Changed(Change {
            pool: None,
            backend,
            from,
            to,
            reason,
            usable: 0,
            total: 1,
            roll: String::new(),
        })
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn the_last_reason_is_kept_until_the_backend_is_up() {
        let vigil = Vigil::new(None);
        vigil.notice(&change(Standing::Down));
        assert_eq!(vigil.why("a").as_deref(), Some("check failed: status 503"));
        vigil.notice(&change(Standing::Up));
        assert_eq!(vigil.why("a"), None);
    }

    #[test]
    fn news_wakes_whoever_waits_and_is_never_missed() {
        let vigil = Vigil::new(None);
        let (waiting, seen) = (vigil.join(later()), vigil.seen());
        vigil.notice(&change(Standing::Up));
        assert_eq!(waiting.rest(seen, false, later()), Woken::News);
        assert_eq!(waiting.rest(vigil.seen(), false, Instant::now()), Woken::Late, "once");
    }

    #[test]
    fn bad_news_wakes_nobody_and_a_free_place_only_those_who_need_one() {
        let vigil = Vigil::new(None);
        let (waiting, seen) = (vigil.join(later()), vigil.seen());
        vigil.notice(&change(Standing::Down));
        vigil.freed();
        assert_eq!(waiting.rest(seen, false, Instant::now()), Woken::Late);
        assert_eq!(waiting.rest(seen, true, later()), Woken::News);
    }

    #[test]
    fn one_of_those_who_wait_is_told_to_check_and_all_look_again() {
        let vigil = Vigil::new(None);
        let (one, other, seen) = (vigil.join(later()), vigil.join(later()), vigil.seen());
        vigil.lock().beat = Instant::now();
        let woken = (one.rest(seen, false, later()), other.rest(seen, false, later()));
        assert_eq!(woken, (Woken::Beat, Woken::News));
    }

    #[test]
    fn pauses_double_up_to_the_interval_and_begin_anew_with_the_next_wait() {
        let vigil = Vigil::new(Some(Duration::from_millis(250)));
        let pause = || vigil.lock().pause.as_millis();
        let waiting = vigil.join(Instant::now());
        let mut pauses = vec![pause()];
        for _ in 0..3 {
            vigil.lock().beat = Instant::now();
            assert_eq!(waiting.rest(vigil.seen(), false, later()), Woken::Beat);
            pauses.push(pause());
        }
        assert_eq!(pauses, [100, 200, 250, 250]);
        drop(waiting);
        let _waiting = vigil.join(Instant::now());
        assert_eq!(pause(), 100);
    }

    #[test]
    fn a_thread_that_died_is_not_forgotten() {
        let vigil = Vigil::new(None);
        vigil.hear(WatchEvent::Other(Event::Died { thread: "checks" }));
        assert_eq!(vigil.died().as_deref(), Some("checks"));
    }
}
