//! `evenly bench`: send requests to a URL and count what comes back.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::SIGINT;

use super::Failure;
use crate::lab::bench::{LoadPlan, LoadProgress, LoadRefusal, LoadReport, LoadTally, run_watched};
use crate::text::json_printable;

/// What to run, and how to tell what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct BenchOptions {
    /// The run, but for its body.
    pub plan: LoadPlan,
    /// The body of each request.
    pub body: Body,
    /// Print one JSON object instead of tables.
    pub json: bool,
    /// Write a page as well.
    pub html: Option<PathBuf>,
}

/// Where a request's body comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// From the command line.
    Text(String),
    /// From a file, read once.
    File(PathBuf),
}

/// Runs the plan and prints what came of it. Fails if nothing succeeded.
pub fn run(options: BenchOptions) -> Result<(), Failure> {
    let BenchOptions { mut plan, body, json, html } = options;
    plan.request.body = body.read()?;
    // Before the run: nobody wants to lose its figures to a slip in a path.
    let page = html.map(|path| open(&path).map(|file| (path, file))).transpose()?;
    let tally = watched(&plan)?;
    let report = LoadReport { plan: &plan, tally: &tally };
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", json_printable(&report.json().to_string()))?;
    } else {
        report.write_text(&mut out)?;
    }
    out.flush()?;
    if let Some((path, file)) = page {
        write(&report, &file).map_err(|error| cannot_write(&path, &error))?;
    }
    if tally.ok() == 0 { Err(Failure::Run(nothing_succeeded(&plan, &tally))) } else { Ok(()) }
}

impl Body {
    fn read(self) -> Result<Vec<u8>, Failure> {
        match self {
            Body::None => Ok(Vec::new()),
            Body::Text(text) => Ok(text.into_bytes()),
            Body::File(path) => fs::read(&path).map_err(|error| {
                Failure::Usage(format!("--body @{}: cannot read it: {error}", path.display()))
            }),
        }
    }
}

/// Leaves what is in the file until there is something better.
fn open(path: &Path) -> Result<File, Failure> {
    let mut options = File::options();
    let file = options.create(true).write(true).truncate(false).open(path);
    file.map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::Run(format!("--html {}: cannot write it: {error}", path.display()))
}

fn write(report: &LoadReport, file: &File) -> io::Result<()> {
    file.set_len(0)?;
    let mut out = BufWriter::new(file);
    report.page().write_html(&mut out)?;
    out.flush()
}

/// Shows the progress on a terminal, and ends the run on the first Ctrl-C; a second one ends the
/// process.
fn watched(plan: &LoadPlan) -> Result<LoadTally, Failure> {
    // Until the run has begun, Ctrl-C ends the process: it may wait for a resolver.
    let (interrupted, mut begun) = (Arc::new(AtomicBool::new(true)), false);
    signal_hook::flag::register_conditional_default(SIGINT, Arc::clone(&interrupted))?;
    signal_hook::flag::register(SIGINT, Arc::clone(&interrupted))?;
    let bar = bar(plan);
    let tally = run_watched(plan, |progress| {
        if !std::mem::replace(&mut begun, true) {
            interrupted.store(false, Ordering::Relaxed);
        }
        bar.set_position(position(plan, progress));
        match interrupted.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    bar.finish_and_clear();
    tally.map_err(|refusal| match refusal {
        LoadRefusal::Plan(what) => Failure::Usage(what),
        LoadRefusal::Machine(what) => Failure::Run(what),
    })
}

/// On stderr, and hidden where that is no terminal. It counts requests where their number is known,
/// else milliseconds.
fn bar(plan: &LoadPlan) -> ProgressBar {
    let (length, template) = match (plan.requests, plan.duration) {
        (Some(requests), _) => (requests, "{wide_bar} {pos}/{len} requests, {eta} left"),
        (None, duration) => (millis(duration.unwrap_or_default()), "{wide_bar} {eta} left"),
    };
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    ProgressBar::new(length).with_style(style)
}

fn position(plan: &LoadPlan, progress: LoadProgress) -> u64 {
    if plan.requests.is_some() { progress.requests } else { millis(progress.elapsed) }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn nothing_succeeded(plan: &LoadPlan, tally: &LoadTally) -> String {
    let url = &plan.request.url;
    if tally.requests() == 0 {
        return format!("{url}: the run ended before a request was made");
    }
    let faults = tally.faults.iter().map(|(fault, failures)| {
        format!("{} {} ({})", failures.count, fault.name(), failures.example)
    });
    let statuses =
        tally.statuses.iter().map(|(status, count)| format!("{count} answered {status}"));
    let causes: Vec<_> = faults.chain(statuses).collect();
    format!("{url}: none of {} requests succeeded: {}", tally.requests(), causes.join(", "))
}
