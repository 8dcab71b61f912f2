//! `evenly simulate`: compare policies on a virtual clock, and tell what came of it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::thread::available_parallelism;

use super::Failure;
use crate::config::{Config, Overrides};
use crate::lab::simulate::{Plan, Scenario, Terms, write_json, write_text};
use crate::pool::policy::{Kind, ScoredRules};

/// What to simulate, as typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// A shipped scenario or a file; `None`: each seed draws its own.
    pub scenario: Option<String>,
    /// At least one.
    pub seeds: Vec<u64>,
    /// In place of the scenario's own.
    pub instances: Option<usize>,
    /// In place of the scenario's own.
    pub requests: Option<u64>,
    /// In the order of the documentation.
    pub policies: Vec<Kind>,
    /// Failed requests may be tried again.
    pub retry: bool,
    /// Figures for programs instead of the table.
    pub json: bool,
    /// Where to write a page with plots.
    pub html: Option<PathBuf>,
    /// The configuration to take the pool's rules from.
    pub config: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            scenario: None,
            seeds: Vec::new(),
            instances: None,
            requests: None,
            policies: Kind::ALL.map(|(_, kind)| kind).to_vec(),
            retry: false,
            json: false,
            html: None,
            config: None,
        }
    }
}

/// Plays and reports. Fails with a usage error if the scenario or the configuration is unsound.
pub fn run(options: &Options) -> Result<(), Failure> {
    let plan = plan(options)?;
    let comparison = plan.play(&|| {}).map_err(Failure::Usage)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    match options.json {
        true => write_json(&mut out, &comparison)?,
        false => write_text(&mut out, &comparison, options.retry)?,
    }
    Ok(out.flush()?)
}

fn plan(options: &Options) -> Result<Plan, Failure> {
    let config = match &options.config {
        Some(path) => Config::load(path, &Overrides::default())?,
        None => Config::default(),
    };
    let scenario = options.scenario.as_deref().map(Scenario::load).transpose()?;
    Ok(Plan {
        scenario,
        seeds: options.seeds.clone(),
        instances: options.instances,
        requests: options.requests,
        policies: options.policies.clone(),
        terms: Terms::of(&config, config.rules(), ScoredRules::default(), options.retry),
        threads: available_parallelism().map_or(1, usize::from),
    })
}
