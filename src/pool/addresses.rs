//! Where a backend is: the addresses of its name, the one to ask first in front.
//!
//! Owned by the backend. Read once a connection, from any thread; written when one of them fails
//! and when the name is looked up. Its lock is held for a look or a swap, with no other under it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// What a look-up of a name came to: its addresses, at least one; or a sentence that says why there
/// is none, such as `app.internal does not resolve: Name or service not known`.
pub type Found = Result<Vec<SocketAddr>, String>;

/// Most addresses of a name that are kept; a request that finds them all silent has its time for
/// the connect shared between them.
pub const ADDRESSES_MAX: usize = 8;

/// The addresses of one backend.
pub(super) struct Addresses {
    /// Never `Ok` of none.
    known: RwLock<Found>,
    /// They failed since the name was looked up.
    doubted: AtomicBool,
}

impl Addresses {
    pub(super) fn new(found: Found) -> Self {
        Self { known: RwLock::new(kept(found)), doubted: AtomicBool::new(false) }
    }

    pub(super) fn all(&self) -> Found {
        self.read().clone()
    }

    /// The one to ask next, and how many are left with it.
    pub(super) fn besides(&self, failed: &[SocketAddr]) -> Option<(SocketAddr, u32)> {
        let known = self.read();
        let mut left = known.iter().flatten().filter(|address| !failed.contains(address));
        let next = *left.next()?;
        Some((next, 1 + left.count() as u32))
    }

    /// The one in front failed: it goes to the back, so that only those who are asking it now have
    /// waited for it, and the one that works stays in front. Any other is there already.
    pub(super) fn avoid(&self, failed: SocketAddr) {
        self.doubt();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Ok(list) = &mut *known
            && list.first() == Some(&failed)
        {
            list.rotate_left(1);
        }
    }

    /// Takes in what the name came to; true if there is an address now. Those that are known keep
    /// their order, as resolvers shuffle theirs; where there is none now, what was known is better
    /// than nothing.
    pub(super) fn update(&self, found: Found) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        *known = match (&*known, found) {
            (Ok(_), Err(_)) => return true,
            (Ok(old), Ok(new)) => {
                let kept = old.iter().filter(|address| new.contains(address));
                let added = new.iter().filter(|address| !old.contains(address));
                // Of more than are kept, others have their turn: those that failed are at the end.
                let room = ADDRESSES_MAX - added.clone().count().min(ADDRESSES_MAX / 2);
                Ok(kept.take(room).chain(added).copied().take(ADDRESSES_MAX).collect())
            }
            (Err(_), found) => kept(found),
        };
        known.is_ok()
    }

    /// Forgets what was known: these are of another name.
    pub(super) fn replace(&self, found: Found) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = kept(found);
        self.doubted.store(false, Relaxed);
    }

    pub(super) fn doubt(&self) {
        self.doubted.store(true, Relaxed);
    }

    pub(super) fn take_doubt(&self) -> bool {
        self.doubted.load(Relaxed) && self.doubted.swap(false, Relaxed)
    }

    fn read(&self) -> RwLockReadGuard<'_, Found> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No more than are kept.
fn kept(found: Found) -> Found {
    found.map(|mut all| {
        all.truncate(ADDRESSES_MAX);
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> SocketAddr {
        ([127, 0, 0, last], 80).into()
    }

    fn known(lasts: &[u8]) -> Addresses {
        Addresses::new(Ok(lasts.iter().map(|last| at(*last)).collect()))
    }

    fn order(addresses: &Addresses) -> Vec<u8> {
        let octets = |address: SocketAddr| match address {
            SocketAddr::V4(four) => four.ip().octets()[3],
            SocketAddr::V6(_) => 0,
        };
        addresses.all().unwrap().into_iter().map(octets).collect()
    }

    #[test]
    fn one_that_failed_is_asked_last_and_one_that_worked_stays_in_front() {
        let addresses = known(&[1, 2, 3]);
        addresses.avoid(at(1));
        assert_eq!(order(&addresses), [2, 3, 1]);
        addresses.avoid(at(1));
        assert_eq!(order(&addresses), [2, 3, 1], "others had asked it, too");
        addresses.avoid(at(2));
        assert_eq!(order(&addresses), [3, 1, 2]);
    }

    #[test]
    fn each_is_asked_once() {
        let addresses = known(&[1, 2, 3]);
        assert_eq!(addresses.besides(&[]), Some((at(1), 3)));
        assert_eq!(addresses.besides(&[at(1)]), Some((at(2), 2)));
        assert_eq!(addresses.besides(&[at(3), at(1)]), Some((at(2), 1)));
        assert_eq!(addresses.besides(&[at(1), at(2), at(3)]), None);
    }

    #[test]
    fn a_look_up_keeps_the_order_of_those_that_are_still_there() {
        let addresses = known(&[3, 1, 2]);
        addresses.update(Ok([4, 2, 3].map(at).to_vec()));
        assert_eq!(order(&addresses), [3, 2, 4]);
        addresses.update(Ok((10..30).map(at).collect()));
        assert_eq!(order(&addresses), (10..18).collect::<Vec<_>>(), "no more than are kept");
    }

    #[test]
    fn what_is_known_outlives_a_look_up_that_failed_and_no_address_has_its_reason() {
        let addresses = known(&[1]);
        addresses.update(Err("gone".into()));
        assert_eq!(order(&addresses), [1]);
        let addresses = Addresses::new(Err("no such name".into()));
        assert!(addresses.besides(&[]).is_none());
        assert!(!addresses.update(Err("silence".into())));
        assert_eq!(addresses.all(), Err("silence".into()));
        assert!(addresses.update(Ok(vec![at(1)])) && addresses.update(Err("silence".into())));
    }

    #[test]
    fn of_another_name_nothing_that_was_known_is_kept() {
        let addresses = known(&[1, 2]);
        addresses.avoid(at(1));
        addresses.replace(Ok((2..30).map(at).collect()));
        assert_eq!(order(&addresses), (2..10).collect::<Vec<_>>());
        assert!(!addresses.take_doubt());
        addresses.replace(Err("no such name".into()));
        assert!(addresses.besides(&[]).is_none());
    }

    #[test]
    fn a_failure_is_cause_for_doubt_once() {
        let addresses = known(&[1, 2]);
        assert!(!addresses.take_doubt());
        addresses.avoid(at(2));
        assert!(addresses.take_doubt() && !addresses.take_doubt());
    }
}
