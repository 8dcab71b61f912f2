//! `evenly simulate`: compare policies on a virtual clock, and tell what came of it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, warn};
use crate::config::{Config, Overrides};
use crate::lab::simulate::{Comparison, Plan, Scenario, Terms, page, write_json, write_text};
use crate::pool::policy::Kind;

/// What to simulate, as typed.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulateOptions {
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
    /// Which of its pools, where it has several.
    pub pool: Option<String>,
}

impl Default for SimulateOptions {
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
            pool: None,
        }
    }
}

/// Plays and reports. Fails with a usage error if the scenario or the configuration is unsound.
pub fn run(options: &SimulateOptions) -> Result<(), Failure> {
    let plan = plan(options)?;
    let page = options.html.as_ref().map(|path| Sheet::open(path)).transpose()?;
    let bar = progress(plan.runs() * if page.is_some() { 2 } else { 1 });
    let play = |plan: &Plan| plan.play(&|| bar.inc(1)).map_err(Failure::Usage);
    let comparison = play(&plan)?;
    if let Some(page) = page {
        let opposite = SimulateOptions { retry: !options.retry, ..options.clone() };
        page.write(&comparison, &play(&self::plan(&opposite)?)?)?;
    }
    bar.finish_and_clear();
    let mut out = io::BufWriter::new(io::stdout().lock());
    match options.json {
        true => write_json(&mut out, &comparison)?,
        false => write_text(&mut out, &comparison)?,
    }
    Ok(out.flush()?)
}

/// Counts the runs that are over, on stderr; it draws nothing where that is no terminal.
fn progress(runs: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} runs, {eta} to go");
    ProgressBar::new(runs as u64).with_style(style.expect("the template names known fields"))
}

/// The page's file, opened before anything is played: a slip in its name costs no wait.
struct Sheet<'p> {
    path: &'p Path,
    file: File,
}

impl<'p> Sheet<'p> {
    fn open(path: &'p Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| unwritable(path, &error))?;
        Ok(Self { path, file })
    }

    /// The page shows both: without retries and with them.
    fn write(self, one: &Comparison, other: &Comparison) -> Result<(), Failure> {
        let (without, with) = if one.retry { (other, one) } else { (one, other) };
        let mut out = io::BufWriter::new(self.file);
        let written = page(without, with).write_html(&mut out).and_then(|()| out.flush());
        written.map_err(|error| unwritable(self.path, &error))
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Run(format!("--html {}: cannot be written: {error}", path.display()))
}

fn plan(options: &SimulateOptions) -> Result<Plan, Failure> {
    let config = match &options.config {
        Some(path) => {
            let read = Config::default().load_telling(path, &Overrides::default())?;
            warn(read.1);
            read.0.only(options.pool.as_deref())?
        }
        None => Config::default(),
    };
    let scenario = options.scenario.as_deref().map(Scenario::load).transpose()?;
    Ok(Plan {
        scenario,
        seeds: options.seeds.clone(),
        instances: options.instances,
        requests: options.requests,
        policies: options.policies.clone(),
        terms: Terms::of(&config, config.rules(), config.scored.clone(), options.retry),
        threads: available_parallelism().map_or(1, usize::from),
    })
}
