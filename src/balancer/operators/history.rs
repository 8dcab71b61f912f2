//! How the configuration has fared since the start, for operators who ask.

use std::time::SystemTime;

/// How the configuration has fared.
pub(super) struct History {
    /// When all began.
    pub(super) started: SystemTime,
    /// Since when the one in force is so.
    pub(super) loaded: SystemTime,
    /// How often another took its place.
    pub(super) reloads: u64,
    /// When it was last tried, and what came of it.
    pub(super) last: Option<(SystemTime, Result<String, String>)>,
}

impl History {
    /// All begins now.
    pub(super) fn begin() -> Self {
        let started = SystemTime::now();
        Self { started, loaded: started, reloads: 0, last: None }
    }

    /// Another configuration is in force from now on.
    pub(super) fn replaced(&mut self) {
        self.loaded = SystemTime::now();
        self.reloads += 1;
    }

    /// An attempt to replace it is over.
    pub(super) fn note(&mut self, outcome: &Result<String, String>) {
        self.last = Some((SystemTime::now(), outcome.clone()));
    }
}
