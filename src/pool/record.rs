//! What is known of one backend and what it has done: whatever outlives a change of the
//! configuration.
//!
//! Held by the backends of all pools of a family that stand for it, and through them by every
//! lease; so it lives for as long as anybody uses the backend, in the newest file or not. All of it
//! is atomic but its past, which people read.
//! Never decides for the pool: it does not know of its neighbours.
//!
//! What is kept when the file changes, with the same name, or with another at the same host and
//! port:
//!
//! | | at the same host and port | at another | under another policy |
//! |---|---|---|---|
//! | places in use, counters, latencies, mode | kept | kept | kept |
//! | checks' verdict, failures in a row, ejection, slow start, past | kept | begin anew | kept |
//! | what the policy remembers | kept | begins anew | begins anew |

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::health::Health;
use super::past::Past;
use super::policy::Memory;
use super::shards::Shards;
use super::tally::Tally;
use super::wish::{Plea, Wish};
use super::{Counts, Mode, Standing};

/// The number of the next record.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// No time is up.
pub(super) const NEVER: u64 = u64::MAX;

/// One backend's record. The fields keep this order in memory, and begin with a line of the cache:
/// that one line holds all that a pick looks at, which is what a look at a hundred backends costs.
#[repr(C, align(64))]
pub(super) struct Record {
    pub(super) health: Health,
    in_use: AtomicU32,
    /// How often it has moved to another host or port. What is reported of a place that it has left
    /// is not believed of the new one.
    moves: AtomicU32,
    pub(super) wish: Wish,
    /// It has an address.
    is_found: AtomicBool,
    /// Where it stood when that was last told, as a [`Standing`]'s discriminant. Changed under the
    /// family's `turn`.
    told: AtomicU8,
    pub(super) memory: Memory,
    pub(super) tallies: Shards<Tally>,
    pub(super) checks: Checks,
    pub(super) past: Past,
    /// In maintenance: when whatever is in flight there is to end; else [`NEVER`]. Changed under
    /// the family's `turn`.
    due_ms: AtomicU64,
    /// When it came back from being down or out of service, in ms; 0 if it never did.
    back_ms: AtomicU64,
    /// It failed where it is, since its name was looked up.
    pub(super) doubted: AtomicBool,
    number: u64,
}

/// Checks, since the start. Few threads count them, and seldom.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) passed: AtomicU64,
    pub(super) failed: AtomicU64,
}

impl Record {
    /// Of a backend that nothing is known of but what the file says, and whether it has an
    /// address.
    pub(super) fn new(alive: bool, is_found: bool, now: Duration) -> Self {
        Self {
            told: AtomicU8::new(begins_at(alive, is_found) as u8),
            past: Past::new(begins_at(alive, is_found), now),
            health: Health::new(alive),
            is_found: AtomicBool::new(is_found),
            doubted: AtomicBool::new(false),
            in_use: AtomicU32::new(0),
            moves: AtomicU32::new(0),
            wish: Wish::default(),
            due_ms: AtomicU64::new(NEVER),
            back_ms: AtomicU64::new(0),
            memory: Memory::default(),
            tallies: Shards::default(),
            checks: Checks::default(),
            number: NEXT.fetch_add(1, Relaxed),
        }
    }

    /// The file has changed, and it is where it was. What the file believes counts only as long as
    /// no check has spoken.
    pub(super) fn stay(&self, alive: bool, now: Duration) {
        if self.health.believe(alive) {
            self.begin(begins_at(alive, self.is_found()), now);
        }
    }

    /// It is somewhere else now, if `is_found`: what was known of the old place is forgotten. As
    /// with a new one, what the file believes counts until the first check.
    pub(super) fn move_to(&self, alive: bool, is_found: bool, now: Duration) {
        self.moves.fetch_add(1, Relaxed);
        self.begin(begins_at(alive, is_found), now);
        self.wish.set_plea(Plea::None);
        self.back_ms.store(0, Relaxed);
        self.health.begin_anew(alive);
        self.memory.forget();
        self.is_found.store(is_found, Relaxed);
        self.doubted.store(false, Relaxed);
    }

    /// The file alone says where it stands.
    fn begin(&self, standing: Standing, now: Duration) {
        self.told.store(standing as u8, Relaxed);
        self.past.begin_anew(standing, now);
    }

    pub(super) fn is_found(&self) -> bool {
        self.is_found.load(Relaxed)
    }

    /// No other has it in this process, nor had it before.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// How often it has moved.
    pub(super) fn moves(&self) -> u32 {
        self.moves.load(Relaxed)
    }

    pub(super) fn in_use(&self) -> u32 {
        self.in_use.load(Relaxed)
    }

    /// Sets what an operator wants. In maintenance, whatever is in flight may take `patience`.
    pub(super) fn set_mode(&self, mode: Mode, now: Duration, patience: Duration) {
        // Rounded up: nobody is cut off before the time is over.
        let due = ((now + patience).as_nanos() as u64).div_ceil(1_000_000);
        self.due_ms.store(if mode == Mode::Maint { due } else { NEVER }, Relaxed);
        self.wish.set_mode(mode);
    }

    /// When whatever is in flight there is to end, in ms; [`NEVER`] unless it is in maintenance.
    pub(super) fn due_ms(&self) -> u64 {
        self.due_ms.load(Relaxed)
    }

    /// What it has done.
    pub(super) fn counts(&self) -> Counts {
        let Checks { passed, failed } = &self.checks;
        let [checks_passed, checks_failed] = [passed, failed].map(|count| count.load(Relaxed));
        Counts { checks_passed, checks_failed, ..Counts::of(&self.tallies) }
    }

    pub(super) fn standing(&self, now: Duration) -> Standing {
        self.wish.standing().unwrap_or_else(|| self.standing_by_health(now))
    }

    /// Where it would stand if nobody wanted anything of it.
    pub(super) fn standing_by_health(&self, now: Duration) -> Standing {
        match self.health.is_up() && self.is_found() {
            false => Standing::Down,
            true if self.health.is_ejected(now) => Standing::Ejected,
            true => Standing::Up,
        }
    }

    /// Takes note that people are told where it stands; true if they were told otherwise before.
    pub(super) fn tell(&self, standing: Standing) -> bool {
        self.told.swap(standing as u8, Relaxed) != standing as u8
    }

    /// True if people take it for ejected still, though it is up: an ejection ends by itself.
    pub(super) fn is_back_untold(&self, now: Duration) -> bool {
        let is_told = self.told.load(Relaxed) == Standing::Ejected as u8;
        is_told && self.standing(now) == Standing::Up
    }

    /// It is up again from now on.
    pub(super) fn came_back(&self, now: Duration) {
        self.back_ms.store(now.as_millis() as u64, Relaxed);
    }

    /// When it last came back: a check or an operator said so, or an ejection ended. `None` if it
    /// was never away.
    pub(super) fn back_at(&self) -> Option<Duration> {
        let back = Duration::from_millis(self.back_ms.load(Relaxed));
        let back = back.max(self.health.last_ejection_ends());
        (!back.is_zero()).then_some(back)
    }

    /// Takes a place, unless so many are taken; 0 is no limit. Two threads never share the last
    /// one.
    pub(super) fn occupy(&self, places: u32) -> bool {
        if places == 0 {
            self.in_use.fetch_add(1, Relaxed);
            return true;
        }
        let next = |taken| (taken < places).then_some(taken + 1);
        self.in_use.fetch_update(Relaxed, Relaxed, next).is_ok()
    }

    /// Gives a place back.
    pub(super) fn vacate(&self) {
        self.in_use.fetch_sub(1, Relaxed);
    }
}

/// Where one stands at first. Nobody needs to be told.
fn begins_at(alive: bool, is_found: bool) -> Standing {
    if alive && is_found { Standing::Up } else { Standing::Down }
}
