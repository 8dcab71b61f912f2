//! When somebody is told, and of what: news in, notices out. Pure: time is an argument, and there
//! is no I/O.
//!
//! A book remembers how each backend stands and what was last told of it; a notice is the
//! difference. So what comes and goes within `wait` is told by nobody, and what happens meanwhile
//! to others is in the same notice. Worked through, with `wait = 5 s`:
//!
//! | at | heard | told | of |
//! |---|---|---|---|
//! | 0 s | a is out | 5 s | a: down; the incident begins, and has a key |
//! | 9 s | b is out | | |
//! | 10 s | c is out, the last one | 10 s | b, c: all-down, at once |
//! | 30 s | a is back | 35 s | a: up |
//! | 40 s | b is back | | |
//! | 43 s | c is back | 45 s | b, c: recovered; the incident is over |
//!
//! Where no more may be told within an hour, what is left out is told in one notice when it may.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::cap::{Cap, Leave};
use super::known::{Backend, Outage};
use super::losses::{Loss, Losses, pools};
use super::news::{News, What};
use super::notice::{Aside, ITEMS_MAX, Item, Notice, State, blank};
use super::rules::Rules;
use super::scene::Sight;
use super::singles::Singles;
use crate::config::{Alert, Occasion};
use crate::event::Shift;

/// How long no backend is up before that is told, where the last one flaps and that was told.
const GRACE: Duration = Duration::from_secs(60);
/// Backends that a book knows.
const BACKENDS_MAX: usize = 4096;

/// What one alert has heard and told.
pub struct Book {
    pub(super) rules: Rules,
    pub(super) backends: BTreeMap<String, Backend>,
    pub(super) losses: Losses,
    pub(super) outage: Option<Outage>,
    pub(super) singles: Singles,
    /// When what was heard is to be told.
    pub(super) due: Option<Duration>,
    pub(super) incidents: u64,
    pub(super) last_began: Option<SystemTime>,
    missed: u64,
    pub(super) cap: Cap,
}

impl Book {
    /// Of an alert of which nothing was told yet.
    #[must_use]
    pub fn new(alert: &Alert) -> Self {
        Self {
            rules: Rules::of(alert),
            backends: BTreeMap::new(),
            losses: Losses::default(),
            outage: None,
            singles: Singles::default(),
            due: None,
            incidents: 0,
            last_began: None,
            missed: 0,
            cap: Cap::new(alert.hourly_max),
        }
    }

    /// Goes by another file from now on, and forgets nothing.
    pub fn follow(&mut self, alert: &Alert) {
        self.rules = Rules::of(alert);
        self.cap.set(alert.hourly_max);
    }

    /// How many notices were held back by the hourly cap.
    #[must_use]
    pub fn held_back(&self) -> u64 {
        self.cap.held_back()
    }

    /// Takes in what was heard.
    pub fn hear(&mut self, news: &News, now: Duration) {
        let when = news.when;
        match &news.what {
            What::Backend { name, pool, is_out, shift, is_wanted, reason } => {
                // That others are left may be told late, when they have gone as well.
                if *shift == Shift::Up {
                    self.regain(pool, now);
                }
                // One that is wanted again and found bad is no operator's doing.
                if *is_wanted && !*is_out {
                    return self.leave_out(name, when, now);
                }
                if self.turn(name, *is_out, reason, when, now) {
                    self.fall_due(now + self.rules.wait);
                    let found = self.backends.get_mut(name).filter(|_| news.is_start);
                    found.into_iter().for_each(Backend::found_so);
                }
                if *shift == Shift::LastOut && *is_out {
                    let ripe = if self.is_known_to_flap(name) { now + GRACE } else { now };
                    self.lose_all(pool, Loss::new(Some(name), reason, when, ripe));
                }
            }
            What::NoneUp(pool, words) => self.lose_all(pool, Loss::new(None, words, when, now)),
            What::Others => {} // how all stand is looked at next
            What::Single(kind, words) => {
                if self.singles.hear(*kind, words, when, now, self.rules.repeat) {
                    let is_urgent = *kind == Occasion::Stuck;
                    self.fall_due(if is_urgent { now } else { now + self.rules.wait });
                }
            }
            What::Over(kind, words) => {
                if self.singles.end(*kind, words, when) {
                    self.fall_due(now + self.rules.wait);
                }
            }
        }
    }

    /// How all backends are, after a reload, or when so much was not heard: what was missed of them
    /// is made up for, and who is not among them is out no more.
    pub fn align(&mut self, missed: u64, all: &[Sight], when: SystemTime, now: Duration) {
        self.missed += missed;
        let since = |sight: &Sight| when.checked_sub(sight.stood_for).unwrap_or(when);
        for sight in all {
            let Sight { name, is_out, is_up, why, .. } = sight;
            if !is_out && !is_up {
                self.leave_out(name, when, now);
            } else if self.turn(name, *is_out, why, since(sight), now) {
                self.fall_due(now + self.rules.wait);
            }
        }
        let is_one = |name: &str| all.iter().any(|sight| sight.name == name);
        let gone: Vec<String> = self.backends.keys().filter(|it| !is_one(it)).cloned().collect();
        gone.iter().for_each(|name| self.leave_out(name, when, now));
        if self.losses.keep(all) {
            self.fall_due(now + self.rules.wait);
        }
        for pool in pools(all) {
            let own = || all.iter().filter(|sight| sight.pool == pool);
            if own().any(|sight| sight.is_up) || !own().any(|sight| sight.is_out) {
                self.regain(pool, now);
            } else if let Some(last) = own().min_by_key(|sight| sight.stood_for)
                && own().all(|sight| sight.is_out)
            {
                let loss = Loss::new(Some(&last.name), &last.why, since(last), now);
                self.lose_all(pool, loss);
            }
        }
    }

    /// When [`Book::tell`] has something to do, if nothing is heard before.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        let calm = self.backends.values().filter_map(Backend::calm_at).min();
        let loss = self.losses.ripens_at();
        let all = [self.due, calm, loss, self.repeats_at(), self.frees_at()];
        all.into_iter().flatten().min()
    }

    /// What is to be told now.
    pub fn tell(&mut self, now: Duration) -> Vec<Notice> {
        self.calm_down(now);
        let mut notices = Vec::new();
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            notices.extend(self.of_backends(now));
            notices.extend(self.of_singles());
        } else if self.repeats_at().is_some_and(|at| at <= now) {
            notices.extend(self.of_what_lasts());
            if let Some(outage) = &mut self.outage {
                outage.told = Some(now);
            }
        }
        if notices.is_empty() && self.frees_at().is_some_and(|at| at <= now) {
            notices.extend(self.of_what_was_held());
        }
        let told: Vec<Notice> = notices.into_iter().filter_map(|it| self.pass(it, now)).collect();
        self.close(now);
        told
    }

    /// An operator's doing is no news. What it takes out is out no more, so an incident may end.
    fn leave_out(&mut self, name: &str, when: SystemTime, now: Duration) {
        let Some(backend) = self.backends.get_mut(name) else { return };
        backend.leave(when);
        match backend.told {
            State::Well => drop(self.backends.remove(name)),
            _ => self.fall_due(now + self.rules.wait),
        }
    }

    /// Whoever is told by this knows that it comes and goes.
    fn is_known_to_flap(&self, name: &str) -> bool {
        let is_told = self.backends.get(name).is_some_and(|it| it.told == State::Flapping);
        is_told && self.rules.wants(Occasion::Flapping)
    }

    /// Some backend of the pool is up, or none is out any more.
    fn regain(&mut self, pool: &str, now: Duration) {
        // Before a reload it may have been the only one, which has no name.
        if self.losses.regain(pool) | self.losses.regain("") {
            self.fall_due(now + self.rules.wait);
        }
    }

    /// True if the backend stands elsewhere now.
    pub(super) fn turn(
        &mut self,
        name: &str,
        is_out: bool,
        reason: &str,
        when: SystemTime,
        now: Duration,
    ) -> bool {
        let is_known = self.backends.contains_key(name);
        if !is_known && (!is_out || self.backends.len() == BACKENDS_MAX) {
            self.missed += u64::from(is_out);
            return false;
        }
        let backend = self.backends.entry(name.to_owned()).or_default();
        if !backend.turn(is_out, reason, when, now) {
            return false;
        }
        if is_out {
            self.begin(when);
        }
        true
    }

    fn lose_all(&mut self, pool: &str, loss: Loss) {
        let when = loss.when;
        if self.losses.lose(pool, loss) {
            self.begin(when);
        }
    }

    pub(super) fn begin(&mut self, when: SystemTime) -> &mut Outage {
        let (incidents, last_began) = (&mut self.incidents, &mut self.last_began);
        self.outage.get_or_insert_with(|| {
            *incidents += 1;
            *last_began = Some(when);
            Outage { number: *incidents, began: when, told: None, key: None }
        })
    }

    /// What is due earlier stays so.
    pub(super) fn fall_due(&mut self, at: Duration) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    fn calm_down(&mut self, now: Duration) {
        let mut has_calmed = false;
        for backend in self.backends.values_mut() {
            has_calmed |= backend.calm_down(now);
        }
        if has_calmed {
            self.fall_due(now + self.rules.wait);
        }
        if self.losses.ripens_at().is_some_and(|at| at <= now) {
            self.fall_due(now);
        }
    }

    /// What is otherwise than it was told.
    fn of_backends(&mut self, now: Duration) -> Option<Notice> {
        let (lost, regained) = self.losses.tell(now);
        let changed = |(name, backend): (&String, &Backend)| {
            (backend.state() != backend.told).then(|| backend.item(name))
        };
        let mut items: Vec<Item> = self.backends.iter().filter_map(changed).collect();
        items.sort_by_key(|item| (std::cmp::Reverse(item.state), item.when));
        self.backends.values_mut().for_each(|backend| backend.told = backend.state());
        let has = |state| items.iter().any(|item| item.state == state);
        let is_over = self.backends.values().all(|it| it.told == State::Well);
        let is_none_out = self.backends.values().all(|it| it.told != State::Out);
        let is_better = regained || has(State::Well);
        // For who hears of no flapping, or of no other backend that is out.
        let is_served = regained && self.losses.is_empty();
        let is_enough = is_none_out || !self.rules.wants(Occasion::Down);
        let kinds = [
            (!lost.is_empty(), Occasion::AllDown),
            (has(State::Out), Occasion::Down),
            (has(State::Flapping), Occasion::Flapping),
            (is_better && is_over && self.losses.is_empty(), Occasion::Recovered),
            (is_better && !is_over, Occasion::Up),
            (is_served && is_enough, Occasion::Recovered),
        ];
        let is_told = self.outage.as_ref().is_some_and(|outage| outage.told.is_some());
        let is_end = |kind| matches!(kind, Occasion::Up | Occasion::Recovered);
        let wanted = |(holds, kind): &(bool, Occasion)| {
            *holds && self.rules.wants(*kind) && (is_told || !is_end(*kind))
        };
        let kind = kinds.iter().find(|it| wanted(it))?.1;
        for (_, loss) in &lost {
            let is_named = items.iter().any(|item| item.backend == loss.last);
            if !is_named && (loss.last.is_some() || items.is_empty()) {
                let Loss { last: backend, reason, when, .. } = loss.clone();
                items.push(Item { backend, state: State::Out, aside: Aside::None, reason, when });
            }
        }
        self.notice(kind, items, lost)
    }

    fn of_singles(&mut self) -> Vec<Notice> {
        let rules = self.rules.clone();
        let mut notices = self.singles.tell(|kind| rules.wants(kind), &mut self.incidents);
        for notice in &mut notices {
            notice.missed = std::mem::take(&mut self.missed);
        }
        notices
    }

    /// `lost` are the pools of which no backend is up since this was told last.
    pub(super) fn notice(
        &mut self,
        kind: Occasion,
        mut items: Vec<Item>,
        lost: Vec<(String, Loss)>,
    ) -> Option<Notice> {
        let outage = self.outage.as_ref()?;
        let more = items.len().saturating_sub(ITEMS_MAX);
        items.truncate(ITEMS_MAX);
        let missed = std::mem::take(&mut self.missed);
        let (key, began) = (outage.key.clone(), outage.began);
        let loss = lost.first().map(|(_, loss)| loss).or_else(|| self.losses.first());
        let loss = loss.filter(|_| kind == Occasion::AllDown);
        let (since, ends) = (loss.map_or(began, |loss| loss.when), self.rules.tells_ends());
        let lost = lost.into_iter().map(|(pool, _)| pool).collect();
        let notice = blank(kind, outage.number, began);
        Some(Notice { ends, key, since, lost, items, more, missed, ..notice })
    }

    /// Holds it back if enough was told within the hour.
    fn pass(&mut self, notice: Notice, now: Duration) -> Option<Notice> {
        // It may be told to be over before all are well. Who hears of one that flaps hears more.
        let is_last = notice.kind == Occasion::Recovered
            && !self.backends.keys().any(|name| self.is_known_to_flap(name));
        if let Some(outage) = self.outage.as_mut().filter(|it| it.number == notice.incident) {
            outage.told = (!is_last).then_some(now);
        }
        match self.cap.ask(notice.kind == Occasion::AllDown, now) {
            Leave::Held => {
                self.put_off(notice);
                None
            }
            Leave::Granted { held, last_for, is_kept } => {
                Some(Notice { held, last_for, is_kept, ..notice })
            }
        }
    }

    /// The incident is over once none is out, and whoever is to know was told.
    fn close(&mut self, now: Duration) {
        if self.due.is_some() {
            return;
        }
        if self.losses.is_empty() && self.backends.values().all(Backend::is_well) {
            self.outage = None;
        }
        self.backends.retain(|_, backend| !backend.is_forgotten(now));
    }
}
