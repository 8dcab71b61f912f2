//! What an operator may do with a backend: take it out for a while, and have it back.
//!
//! Called by the endpoint's thread, seldom, under the family's `turn`: so of two who take out the
//! last two backends at once, one is refused.

use std::fmt;
use std::time::Duration;

use super::{Backend, Change, Mode, Pool, Standing};

/// An operator would take out the last backend that takes requests. Displayed, it says so, and what
/// to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUsable {
    /// The backend's name.
    pub backend: String,
    /// That of its pool, where there are several.
    pub pool: Option<String>,
    /// What it was to be set to.
    pub mode: Mode,
    /// Backends there are.
    pub total: usize,
}

impl Pool {
    /// Does as an operator says with the backend at `index`. A mode that it has already is set
    /// again without a change. The last one that takes requests is taken out only by `force`.
    pub fn set_mode(
        &self,
        index: usize,
        mode: Mode,
        force: bool,
        now: Duration,
    ) -> Result<Option<Change>, LastUsable> {
        let mut refused = false;
        let change = self.change(index, now, |seat| {
            let overrules = mode == Mode::Ready && seat.backend.record.wish.can_be_overruled();
            if seat.backend.mode() == mode && !overrules {
                return None;
            }
            refused = mode != Mode::Ready && !force && is_last(seat.all, seat.backend, now);
            if refused {
                return None;
            }
            let record = &seat.backend.record;
            record.set_mode(mode, now, self.rules.drain);
            self.family.await_due(record);
            Some(format!("set to {mode} by an operator"))
        });
        match refused {
            true => Err(LastUsable {
                pool: self.rules.pool.clone(),
                backend: self.backends[index].name().to_owned(),
                mode,
                total: self.backends.len(),
            }),
            false => Ok(change),
        }
    }
}

impl Pool {
    /// Cuts off what is in flight at backends that have been in maintenance for long enough. True
    /// if there is anything: whoever has a lease of one is to look at [`Backend::is_cut`].
    pub fn cut_overdue(&self, now: Duration) -> bool {
        self.family.cut_overdue(now.as_millis() as u64)
    }
}

/// True if requests go to `backend` and would go to none without it. One that is ejected gets some
/// only while none is up, and one that is down is missed by nobody.
fn is_last(all: &[Backend], backend: &Backend, now: Duration) -> bool {
    let standing = backend.standing(now);
    let stand = |standing| all.iter().filter(|one| one.standing(now) == standing).count();
    match standing {
        Standing::Up => stand(Standing::Up) == 1,
        Standing::Ejected => stand(Standing::Up) == 0 && stand(Standing::Ejected) == 1,
        Standing::Down | Standing::Drain | Standing::Maint => false,
    }
}

impl fmt::Display for LastUsable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, pool, mode, total } = self;
        let of = pool.as_ref().map_or(String::new(), |pool| format!(" in pool {pool}"));
        write!(f, "backend {backend} is the last of {total}{of} that is usable: set to ")?;
        write!(f, "{mode}, ")?;
        f.write_str("nobody would be served. Bring another up first, or force it (--force)")
    }
}
