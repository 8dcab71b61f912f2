//! What an alert tells without news: what lasts, again, and how all stands once there is room for
//! what the hourly cap held back. Pure, as the rest of the book.

use std::time::Duration;

use super::incident::Book;
use super::known::Backend;
use super::notice::{Item, Notice, State, blank};
use crate::config::Occasion;

impl Book {
    /// All who are not well, as they are now.
    pub(super) fn of_what_lasts(&mut self) -> Option<Notice> {
        let not_well = |(_, backend): &(&String, &Backend)| backend.state() != State::Well;
        let all = self.backends.iter().filter(not_well);
        let items: Vec<Item> = all.map(|(name, backend)| backend.item(name)).collect();
        let is_flapping = items.iter().all(|item| item.state == State::Flapping);
        let kind = match (!self.losses.is_empty(), is_flapping) {
            (true, _) => Occasion::AllDown,
            (false, true) => Occasion::Flapping,
            (false, false) => Occasion::Down,
        };
        if items.is_empty() && self.losses.is_empty() || !self.rules.wants(kind) {
            return None;
        }
        Some(Notice { again: true, ..self.notice(kind, items, Vec::new())? })
    }

    /// A look at the backends makes up for what was held back of them; what has no backend to it
    /// is to follow as it is.
    pub(super) fn put_off(&mut self, notice: Notice) {
        if notice.single.is_some() {
            self.cap.put_off();
            self.singles.put_off(notice);
        }
    }

    /// When there is room for what was held back; none if nothing was.
    pub(super) fn frees_at(&self) -> Option<Duration> {
        let is_owed = self.cap.has_held() || self.singles.has_put_off();
        is_owed.then(|| self.cap.frees_at())
    }

    /// One notice once there is room again for what was held back: how all stands, or after that
    /// what has no backend to it.
    pub(super) fn of_what_was_held(&mut self) -> Option<Notice> {
        let all = self.cap.has_held().then(|| self.of_how_all_stands()).flatten();
        let notice = all.or_else(|| self.singles.next_put_off());
        if notice.is_none() {
            self.cap.forget();
        }
        notice
    }

    fn of_how_all_stands(&mut self) -> Option<Notice> {
        let lasts = self.of_what_lasts();
        lasts.or_else(|| {
            let (kind, began) = (Occasion::Recovered, self.last_began?);
            let is_well = self.losses.is_empty()
                && self.backends.values().all(|it| it.state() == State::Well);
            (is_well && self.rules.wants(kind)).then(|| blank(kind, self.incidents, began))
        })
    }

    /// When what lasts is told again.
    pub(super) fn repeats_at(&self) -> Option<Duration> {
        let told = self.outage.as_ref()?.told?;
        let lasts = !self.losses.is_empty()
            || self.backends.values().any(|backend| backend.state() != State::Well);
        lasts.then_some(told + self.rules.repeat?)
    }
}
