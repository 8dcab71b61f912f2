//! What stands for bytes, so that they need not be kept to be held against later ones.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::LazyLock;

/// Under a key that nobody outside knows, so that no file can be made to pass for another; never 0.
pub(super) fn hash_of(what: impl Hash) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(what).max(1)
}
