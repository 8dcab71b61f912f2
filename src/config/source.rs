//! Where a configuration comes from: the file, and what beats it. Kept by whoever reads it again.

use std::path::PathBuf;

use super::exposed::exposed;
use super::{Config, Errors, Overrides};

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// What beats it.
    pub overrides: Overrides,
}

impl Source {
    /// Reads the configuration, and what should be known of it, a line each.
    pub fn load(&self) -> Result<(Config, Vec<String>), Errors> {
        self.load_onto(Config::default())
    }

    /// The same onto these values.
    pub fn load_onto(&self, config: Config) -> Result<(Config, Vec<String>), Errors> {
        let (mut config, mut warnings) = config.load_telling(&self.path, &self.overrides)?;
        warnings.extend(self.exposed(&mut config));
        Ok((config, warnings))
    }

    /// The same wherever the process goes from here.
    pub fn resolved(self) -> Self {
        let path = std::path::absolute(&self.path).unwrap_or(self.path);
        Self { path, ..self }
    }

    /// A sentence if secrets of the configuration are in the file, and others may read that: which
    /// they are, as each is to be looked after.
    fn exposed(&self, config: &mut Config) -> Option<String> {
        let mut written: Vec<String> = Vec::new();
        for key in config.secrets() {
            if !self.overrides.has(&key) && !written.contains(&key) {
                written.push(key);
            }
        }
        let (last, others) = written.split_last()?;
        match others {
            [] => exposed(&self.path, last),
            others => exposed(&self.path, &format!("{} and {last}", others.join(", "))),
        }
    }
}
