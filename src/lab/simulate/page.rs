//! A comparison as a page: the table, latency curves, and who got how much when, without and with
//! retries. Called by `cmd/simulate`. Draws only what was counted.

use super::summary::Quartiles;
use super::tally::{PARTS, QUANTILES, Tally};
use super::text::{notes, played, table};
use super::{Comparison, name};
use crate::lab::report::{Axis, Page, Plot, Scale, Series};
use crate::pool::policy::Kind;

/// Most instances that get a line of their own.
const LINES_MAX: usize = 16;

/// The page. Both are of the same plan, but for retries.
pub fn page(without: &Comparison, with: &Comparison) -> Page {
    let title = format!("Policies in {}", without.scenario);
    let lead = format!(
        "The scenario: {}.\n\nPlayed by evenly simulate on a virtual clock: {}, and once more \
         with retries on. All policies of a seed meet the same arrivals, and each request the \
         same luck at each instance. What is tried again is a request whose connect failed, \
         whose connection was reset or that waited too long; a bad status is an answer, and is \
         not.",
        without.about,
        played(without),
    );
    let mut page = Page::new(title, lead);
    for (comparison, when) in [(without, "without retries"), (with, "with retries")] {
        page.table(format!("Figures {when}"), notes(comparison), table(comparison));
        let text = "The curve's height at 99 is the latency that 99 % of requests did not exceed; \
                    medians over the seeds.";
        page.plot(format!("Latency {when}"), text, latencies(comparison));
        let text = "Each instance's share of all tries, over the run; medians over the seeds.";
        let text = format!("{text}{}", left_out(comparison));
        page.plots(format!("Shares {when}"), text, shares(comparison));
        let scores = scores(comparison);
        if !scores.is_empty() {
            let text = "The score that the policy gives each instance, over the run; lower is \
                        better. Medians over the seeds.";
            let text = format!("{text}{}", left_out(comparison));
            for plot in scores {
                page.plot(format!("Scores {when}"), text.as_str(), plot);
            }
        }
    }
    page
}

/// Latency curves, a line a policy; medians over the seeds.
pub fn latencies(comparison: &Comparison) -> Plot {
    let curve = |(kind, runs): &(Kind, Vec<Tally>)| {
        let point = |(place, quantile): (usize, &f64)| {
            let us = median(runs.iter().map(|run| run.curve_us[place] as f64));
            (quantile * 100.0, us / 1000.0)
        };
        Series {
            name: kind.name().to_owned(),
            points: QUANTILES.iter().enumerate().map(point).collect(),
        }
    };
    Plot {
        title: "Latency by policy".to_owned(),
        x: axis("% of requests", Scale::Percentile),
        y: axis("ms", Scale::Log),
        series: comparison.policies.iter().map(curve).collect(),
    }
}

fn shares(comparison: &Comparison) -> Vec<Plot> {
    let share = |run: &Tally, instance: usize, part: usize| {
        let all: u32 = run.tries.iter().map(|parts| parts[part]).sum();
        let own = run.tries.get(instance)?[part];
        (all > 0).then(|| f64::from(own) * 100.0 / f64::from(all))
    };
    let plot = |(kind, runs): &(Kind, Vec<Tally>)| over_time(*kind, "% of tries", runs, 0.5, share);
    comparison.policies.iter().map(plot).collect()
}

fn scores(comparison: &Comparison) -> Vec<Plot> {
    let score = |run: &Tally, instance: usize, part: usize| run.scores.get(instance)?[part];
    let plot = |(kind, runs): &(Kind, Vec<Tally>)| over_time(*kind, "score", runs, 0.0, score);
    let plots = comparison.policies.iter().map(plot);
    plots.filter(|plot| plot.series.iter().any(|series| !series.points.is_empty())).collect()
}

/// A line for each instance, with the median over the runs for each part of the run. `place` is
/// where in its part a figure stands: in the middle if it is of the whole, 0 if of its beginning.
fn over_time(
    kind: Kind,
    what: &str,
    runs: &[Tally],
    place: f64,
    figure: impl Fn(&Tally, usize, usize) -> Option<f64>,
) -> Plot {
    let line = |instance: usize| {
        let point = |part: usize| {
            let mut figures = runs.iter().filter_map(|run| figure(run, instance, part)).peekable();
            figures.peek()?;
            Some(((part as f64 + place) * 100.0 / PARTS as f64, median(figures)))
        };
        Series { name: name(instance), points: (0..PARTS).filter_map(point).collect() }
    };
    Plot {
        title: kind.name().to_owned(),
        x: axis("% of the run", Scale::Linear),
        y: axis(what, Scale::Linear),
        series: (0..instances(runs).min(LINES_MAX)).map(line).collect(),
    }
}

fn left_out(comparison: &Comparison) -> String {
    let most = comparison.policies.iter().map(|(_, runs)| instances(runs)).max().unwrap_or(0);
    match most > LINES_MAX {
        true => format!(" The first {LINES_MAX} of {most} instances are drawn."),
        false => String::new(),
    }
}

fn instances(runs: &[Tally]) -> usize {
    runs.iter().map(|run| run.tries.len()).max().unwrap_or(0)
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    Quartiles::of(figures).middle
}

fn axis(label: &str, scale: Scale) -> Axis {
    Axis { label: label.to_owned(), scale }
}
