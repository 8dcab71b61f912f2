//! How busy a backend is for its size, so that any two can be compared.
//!
//! Looked up for each pick by the policies that go by it. A snapshot: it may be out of date before
//! it is compared.

use std::cmp::Ordering;

use super::Facts;

/// Requests for each unit of weight, compared without division: at weights 3 and 1, the first is as
/// busy with 6 requests as the second with 2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    in_use: u32,
    weight: u32,
}

impl Load {
    /// Of this backend, now.
    pub(super) fn of(Facts { in_use, weight, .. }: Facts) -> Self {
        Self { in_use, weight }
    }
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        let cross = |a: &Self, b: &Self| u64::from(a.in_use) * u64::from(b.weight);
        cross(self, other).cmp(&cross(other, self))
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Load {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_for_each_unit_of_weight() {
        let load = |in_use, weight| Load { in_use, weight };
        assert_eq!(load(6, 3), load(2, 1));
        assert!(load(5, 3) < load(2, 1) && load(7, 3) > load(2, 1));
        assert_eq!(load(0, 1), load(0, 1000), "idle is idle");
        assert!(load(u32::MAX, 1) > load(u32::MAX, u32::MAX), "nothing overflows");
    }
}
