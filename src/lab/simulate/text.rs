//! A comparison as text: the table for people, and JSON for programs.
//!
//! Called by `cmd/simulate`. Figures are written with a fixed number of digits, so that the same
//! runs give the same bytes.

use std::io::{self, Write};

use super::summary::{Quartiles, Summary};
use super::{Comparison, name};
use crate::lab::report::Table;
use crate::pool::policy::Kind;
use crate::text::{Escaped, json_printable};

/// The table, with a line above that says what it is and some below that say how to read it.
pub fn write_text(out: &mut impl Write, comparison: &Comparison) -> io::Result<()> {
    let [scenario, about] = [&comparison.scenario, &comparison.about].map(|text| Escaped(text));
    writeln!(out, "{scenario}: {about}\n{}\n", played(comparison))?;
    table(comparison).write_text(out)?;
    writeln!(out, "\n{}", notes(comparison))
}

/// What was played: `seeds 1..50, 20000 requests a run, retries off`.
pub(super) fn played(comparison: &Comparison) -> String {
    let Comparison { seeds, policies, .. } = comparison;
    let seeds = match seeds.as_slice() {
        [one] => format!("seed {one}"),
        [first, .., last] => format!("seeds {first}..{last}"),
        [] => String::new(),
    };
    let per_run = policies.first().and_then(|(_, runs)| runs.first()).map_or(0, |run| run.requests);
    let retries = if comparison.retry { "retries on" } else { "retries off" };
    format!("{seeds}, {per_run} requests a run, {retries}")
}

/// A row for each policy.
pub(super) fn table(comparison: &Comparison) -> Table {
    let mut table = Table::new(HEAD);
    for (kind, summary) in summaries(comparison) {
        table.row(cells(kind, &summary, comparison.seeds.len()));
    }
    table
}

/// How to read the table.
pub(super) fn notes(comparison: &Comparison) -> String {
    match comparison.seeds.len() {
        1 => NOTES.to_owned(),
        _ => format!("{SPREAD}\n{NOTES}"),
    }
}

const HEAD: [&str; 8] =
    ["policy", "errors %", "p50 ms", "p90 ms", "p99 ms", "worst ms", "share %", "retries"];

const NOTES: &str = "\
Errors: requests whose client got a 5xx. Latency: of all that a backend answered, well or not, and
of those that waited in vain; not of those that were turned away at once. Share: of all tries, from
the instance with the fewest to the one with the most. Retries: of all runs together.";

const SPREAD: &str = "\
Medians over the seeds; in brackets the quarters around the median.";

/// `{"scenario":..,"seeds":[..],"policies":[..]}` in one line; see docs/laboratory.md.
pub fn write_json(out: &mut impl Write, comparison: &Comparison) -> io::Result<()> {
    let scenario = json_printable(&serde_json::to_string(&comparison.scenario)?);
    let seeds: Vec<String> = comparison.seeds.iter().map(u64::to_string).collect();
    write!(out, "{{\"scenario\":{scenario},\"seeds\":[{}],\"policies\":[", seeds.join(","))?;
    for (place, (kind, summary)) in summaries(comparison).iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(out, "{comma}")?;
        write_policy(out, *kind, summary)?;
    }
    writeln!(out, "]}}")
}

fn write_policy(out: &mut impl Write, kind: Kind, summary: &Summary) -> io::Result<()> {
    let Summary { requests, errors, retries, ejections, shares, .. } = summary;
    let Summary { error_rate, p50, p90, p99, max, .. } = summary;
    let names = [("p50", p50), ("p90", p90), ("p99", p99), ("max", max)];
    let latencies = |pick: fn(&Quartiles) -> f64| {
        names.map(|(name, figure)| format!("\"{name}\":{:.3}", pick(figure))).join(",")
    };
    let share =
        |(index, share): (usize, &Quartiles)| format!("\"{}\":{:.5}", name(index), share.middle);
    let shares: Vec<String> = shares.iter().enumerate().map(share).collect();
    write!(
        out,
        "{{\"policy\":\"{}\",\"requests\":{requests},\"errors\":{errors},\
         \"latency_ms\":{{{}}},\"shares\":{{{}}},\"retries\":{retries},\"ejections\":{ejections},\
         \"error_rate\":{:.6},\"error_rate_quartiles\":[{:.6},{:.6}],\
         \"latency_ms_lower\":{{{}}},\"latency_ms_upper\":{{{}}}}}",
        kind.name(),
        latencies(|figure| figure.middle),
        shares.join(","),
        error_rate.middle,
        error_rate.low,
        error_rate.high,
        latencies(|figure| figure.low),
        latencies(|figure| figure.high),
    )
}

fn summaries(comparison: &Comparison) -> Vec<(Kind, Summary)> {
    comparison.policies.iter().map(|(kind, runs)| (*kind, Summary::of(runs))).collect()
}

fn cells(kind: Kind, summary: &Summary, seeds: usize) -> Vec<String> {
    let told = |figure: &Quartiles, scale: f64, digits: usize| {
        let Quartiles { low, middle, high } = *figure;
        let [low, middle, high] = [low, middle, high].map(|figure| figure * scale);
        match seeds {
            1 => format!("{middle:.digits$}"),
            _ => format!("{middle:.digits$} ({low:.digits$}-{high:.digits$})"),
        }
    };
    let shares = summary.shares.iter().map(|share| share.middle * 100.0);
    let least = shares.clone().fold(f64::INFINITY, f64::min);
    let most = shares.fold(0.0, f64::max);
    vec![
        kind.name().to_owned(),
        told(&summary.error_rate, 100.0, 2),
        format!("{:.1}", summary.p50.middle),
        format!("{:.1}", summary.p90.middle),
        told(&summary.p99, 1.0, 1),
        format!("{:.0}", summary.max.middle),
        format!("{least:.1}..{most:.1}"),
        summary.retries.to_string(),
    ]
}
