//! What the steps of the relay use beside the engine's desk: what all threads of a server share,
//! and what each worker has for itself.

use super::Shared;
use super::branch::Branch;
use super::site::Site;
use super::upstream::Destination;
use crate::engine::Desk;
use crate::pool::Look;
use crate::pool::chance::Dice;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A desk with this kit: what every step is given.
pub(crate) type Context = Desk<Kit>;

/// One worker's.
pub(crate) struct Kit {
    pub(crate) shared: Arc<Shared>,
    pub(crate) date: Date,
    pub(crate) ids: RequestIds,
    /// For policies that go by chance.
    pub(crate) dice: Dice,
    /// The configuration that is in force as this step begins. For whoever waits between requests;
    /// an exchange goes by the one that it began with.
    pub(crate) site: Arc<Site>,
    sites: Look<Site>,
}

impl Kit {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            date: Date::default(),
            ids: RequestIds::new(),
            dice: Dice::new(random_seed()),
            site: shared.site.current(),
            sites: shared.site.look(),
            shared: Arc::clone(shared),
        }
    }

    /// A step begins: the configuration in force is the one of now, and so is the date.
    pub(super) fn begin(&mut self, now: Duration) {
        self.date.refresh(now);
        if let Some(site) = self.sites.replaced() {
            self.site = Arc::clone(site);
        }
    }

    /// True if a connection there, which has carried a request of `branch`, may carry one of the
    /// configuration in force, be that newer than this step.
    pub(crate) fn leads_to(&self, to: &Destination, branch: &Arc<Branch>) -> bool {
        match self.sites.is_current() {
            true => self.site.has(branch) || self.site.leads_to(to),
            false => self.shared.site.current().leads_to(to),
        }
    }
}

/// The `Date` of answers, worded once a second.
#[derive(Default)]
pub(crate) struct Date {
    pub(crate) text: String,
    second: Option<u64>,
}

impl Date {
    pub(super) fn refresh(&mut self, now: Duration) {
        if self.second != Some(now.as_secs()) {
            self.second = Some(now.as_secs());
            self.text = httpdate::fmt_http_date(SystemTime::now());
        }
    }
}

/// Names for requests: 16 hex digits drawn for this worker, then a count.
pub(crate) struct RequestIds {
    text: [u8; 32],
    count: u64,
}

impl RequestIds {
    fn new() -> Self {
        let mut ids = Self { text: [b'0'; 32], count: 0 };
        write_hex(random_seed(), &mut ids.text[..16]);
        ids
    }

    /// The next name.
    pub(crate) fn next(&mut self) -> &str {
        self.count += 1;
        write_hex(self.count, &mut self.text[16..]);
        std::str::from_utf8(&self.text).expect("hex digits are ASCII")
    }
}

/// A number that differs from worker to worker and from start to start.
fn random_seed() -> u64 {
    RandomState::new().hash_one(0)
}

fn write_hex(mut number: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}
