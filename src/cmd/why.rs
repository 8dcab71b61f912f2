//! `evenly why`: why a backend is as it is and what befell it, or why a request went as it did, as
//! the balancer tells it.

use std::io::{self, Write};

use serde_json::Value;

use super::Failure;
use super::asked::{Outcomes, SOON, question};
use super::reach::{Balancer, Purpose, Reach};
use super::said::{Said, ask_all, json};
use super::steer::{corrected, encoded};
use super::terminal::columns;
use super::words::hanging;

/// Whose story is wanted, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyWish {
    /// A backend's name, or a request's id.
    pub of: String,
    /// As the balancer tells it, for programs.
    pub is_json: bool,
}

/// Has each balancer tell it.
pub(super) fn run(reach: &Reach, wish: &WhyWish) -> Result<(), Failure> {
    let balancers = reach.find(Purpose::Show)?;
    let path = format!("/why?of={}", encoded(&wish.of));
    let mut said = ask_all(&balancers, &question(&path, SOON));
    if wish.is_json {
        return print_json(&said);
    }
    let mut outcomes = Outcomes::of(&balancers);
    let columns = columns();
    for (balancer, told) in said.drain(..) {
        let told = told.map_err(|why| corrected(&balancer, &wish.of, &why));
        let lines = told.and_then(|body| lines(&balancer, &body));
        let room = match balancers.len() {
            1 => columns,
            _ => columns.saturating_sub(balancer.name.chars().count() + 2),
        };
        outcomes.heard(&balancer, lines, |lines| shown(lines, room).join("\n"));
    }
    outcomes.end()
}

fn print_json(said: &Said) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(json(said).as_bytes())?;
    out.flush()?;
    let failed = said.iter().find_map(|(_, body)| body.as_ref().err());
    failed.map_or(Ok(()), |why| Err(Failure::Run(why.clone())))
}

/// The lines of an answer.
fn lines(balancer: &Balancer, body: &str) -> Result<Vec<String>, String> {
    let told: Value = serde_json::from_str(body).unwrap_or_default();
    let lines = told["lines"].as_array().filter(|lines| !lines.is_empty());
    let lines = lines.ok_or_else(|| balancer.is_stranger())?;
    Ok(lines.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The first is what the others are about, so they stand further in.
fn shown(lines: &[String], columns: usize) -> Vec<String> {
    let (first, others) = lines.split_at(lines.len().min(1));
    let mut shown: Vec<_> =
        first.iter().flat_map(|line| hanging(line, "", "    ", columns)).collect();
    shown.extend(others.iter().flat_map(|line| hanging(line, "  ", "      ", columns)));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_stands_below_what_it_is_about_and_long_lines_hang() {
        let lines = ["API02 is up since 14:02:07 UTC (12 min)", "13:57:27 down: check failed"];
        let lines = lines.map(str::to_owned);
        assert_eq!(shown(&lines, usize::MAX), [lines[0].clone(), format!("  {}", lines[1])]);
        let narrow = shown(&lines, 26);
        let expected = [
            "API02 is up since",
            "    14:02:07 UTC (12 min)",
            "  13:57:27 down: check",
            "      failed",
        ];
        assert_eq!(narrow, expected);
        let hostile = shown(&["a\u{1b}[2J".to_owned(), "\u{202e}".to_owned()], 80);
        assert_eq!(hostile, ["a\\u{1b}[2J", "  \\u{202e}"]);
    }
}
