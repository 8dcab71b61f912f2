//! Writes the figures of docs/policies.md anew: its tables, and a plot for two of the scenarios.
//!
//!     cargo run --release --example policies
//!
//! All of it comes from the simulator, so the same version writes the same bytes anywhere. The
//! seeds are none of those that the score's defaults were found with (1 to 50).

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use evenly::config::Config;
use evenly::lab::simulate::{Comparison, Plan, SHIPPED, Scenario, Summary, Terms, latencies};
use evenly::pool::Rules;
use evenly::pool::policy::Kind;

const SEEDS: std::ops::RangeInclusive<u64> = 1001..=1050;
const DOCUMENT: &str = "docs/policies.md";
/// What is between these lines of the document is written by this program.
const BEGIN: &str = "<!-- figures: cargo run --release --example policies -->\n";
const END: &str = "<!-- end of figures -->\n";
/// Scenarios that get a plot.
const PLOTTED: [&str; 2] = ["one-slow", "brownout"];

fn main() -> io::Result<()> {
    let mut figures = String::new();
    for (name, _) in SHIPPED {
        let [without, with] = [false, true].map(|retry| play(name, retry));
        figures += &table(&without, &with);
        if PLOTTED.contains(&name) {
            let file = format!("policies-{name}.svg");
            let _ = write!(figures, "\n![Latency by policy in {name}]({file})\n");
            // Overloaded there, it would press all the others to the bottom.
            let mut drawn = without;
            drawn.policies.retain(|(kind, _)| *kind != Kind::FirstAlive);
            latencies(&drawn).write_svg(&mut File::create(Path::new("docs").join(file))?)?;
        }
    }
    let document = fs::read_to_string(DOCUMENT)?;
    let parts = document.split_once(BEGIN).and_then(|(before, rest)| {
        rest.split_once(END).map(|(_, after)| format!("{before}{BEGIN}{figures}\n{END}{after}"))
    });
    let whole = parts.ok_or_else(|| io::Error::other("docs/policies.md has lost its marks"))?;
    fs::write(DOCUMENT, whole)
}

fn play(scenario: &str, retry: bool) -> Comparison {
    let config = Config::default();
    let plan = Plan {
        scenario: Some(Scenario::load(scenario).expect("it is shipped")),
        seeds: SEEDS.collect(),
        instances: None,
        requests: None,
        policies: Kind::ALL.map(|(_, kind)| kind).to_vec(),
        terms: Terms::of(&config, Rules::default(), config.scored.clone(), retry),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    plan.play(&|| ()).expect("a shipped scenario is sound")
}

fn table(without: &Comparison, with: &Comparison) -> String {
    let mut text = format!("\n### {}\n\n{}.\n\n", without.scenario, without.about);
    text += "| policy | errors % | p50 ms | p90 ms | p99 ms | worst ms | shares % | \
             with retries: errors % | p99 ms |\n|---|--:|--:|--:|--:|--:|---|--:|--:|\n";
    for ((kind, runs), (_, retried)) in without.policies.iter().zip(&with.policies) {
        let (one, other) = (Summary::of(runs), Summary::of(retried));
        let shares: Vec<String> =
            one.shares.iter().map(|share| format!("{:.0}", share.middle * 100.0)).collect();
        let _ = writeln!(
            text,
            "| {} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} | {} | {:.2} | {:.0} |",
            kind.name(),
            one.error_rate.middle * 100.0,
            one.p50.middle,
            one.p90.middle,
            one.p99.middle,
            one.max.middle,
            shares.join(" "),
            other.error_rate.middle * 100.0,
            other.p99.middle,
        );
    }
    text
}
