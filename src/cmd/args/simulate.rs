//! The options of `evenly simulate`. Called by `args`; opens no file.

use lexopt::prelude::*;
use lexopt::{Error, Parser};

use super::super::simulate::SimulateOptions;
use super::super::{Command, help};
use super::{everywhere, nearest, number, text};
use crate::lab::simulate::{INSTANCES_MAX, REQUESTS_MAX, SHIPPED};
use crate::pool::policy::Kind;

/// Every long option, for suggestions.
pub(super) const OPTIONS: [&str; 11] = [
    "--scenario",
    "--seed",
    "--seeds",
    "--instances",
    "--requests",
    "--policy",
    "--retry",
    "--json",
    "--html",
    "--config",
    "--pool",
];

/// Most seeds of one comparison.
const SEEDS_MAX: u64 = 100_000;

pub(super) fn parse(parser: &mut Parser) -> Result<Command, Error> {
    let mut options = SimulateOptions::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("scenario") => options.scenario = Some(text(parser)?),
            Long("seed") => options.seeds = vec![number(parser, "--seed", "a whole number")?],
            Long("seeds") => options.seeds = seeds(&text(parser)?)?,
            Long("instances") => {
                let count = within(parser, "--instances", "simulates nothing", INSTANCES_MAX)?;
                options.instances = Some(count as usize);
            }
            Long("requests") => {
                let count = within(parser, "--requests", "asks for nothing", REQUESTS_MAX)?;
                options.requests = Some(count);
            }
            Long("policy") => options.policies = policies(&text(parser)?)?,
            Long("pool") => options.pool = Some(text(parser)?),
            Long("retry") => options.retry = true,
            Long("json") => options.json = true,
            Long("html") => options.html = Some(parser.value()?.into()),
            Short('c') | Long("config") => options.config = Some(parser.value()?.into()),
            Short('h') | Long("help") => return Ok(Command::Tell(help::SIMULATE.to_string())),
            other => return everywhere(other),
        }
    }
    if options.scenario.is_none() && options.seeds.is_empty() {
        let names = SHIPPED.map(|(name, _)| name).join(", ");
        return Err(format!("name a --scenario ({names}) or a --seed to draw one from").into());
    }
    if options.seeds.is_empty() {
        options.seeds.push(1);
    }
    Ok(Command::Simulate(options))
}

/// `1..50`, both ends included, or one number.
fn seeds(text: &str) -> Result<Vec<u64>, Error> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (Ok(first), Ok(last)) = (first.parse::<u64>(), last.parse::<u64>()) else {
        return Err(format!("--seeds {text}: expected a range such as 1..50").into());
    };
    if first > last {
        return Err(format!("--seeds {text} runs backwards; write {last}..{first}").into());
    }
    if last - first >= SEEDS_MAX {
        return Err(format!("--seeds {text} are too many; use at most {SEEDS_MAX}").into());
    }
    Ok((first..=last).collect())
}

/// `all`, or names with commas between them; in the order of the documentation.
fn policies(text: &str) -> Result<Vec<Kind>, Error> {
    let names = Kind::ALL.map(|(name, _)| name);
    let asked: Vec<&str> = text.split(',').map(str::trim).collect();
    if let Some(unknown) = asked.iter().find(|name| !names.contains(name) && **name != "all") {
        return Err(match nearest(unknown, names) {
            Some(name) => format!("--policy {unknown}: did you mean {name}?"),
            None => format!("--policy {unknown}: use all, or some of {}", names.join(", ")),
        }
        .into());
    }
    let is_asked = |name: &str| asked.contains(&name) || asked.contains(&"all");
    Ok(Kind::ALL.into_iter().filter(|(name, _)| is_asked(name)).map(|(_, kind)| kind).collect())
}

fn within(parser: &mut Parser, option: &str, why_not_0: &str, most: u64) -> Result<u64, Error> {
    match number(parser, option, "a whole number")? {
        0 => Err(format!("{option} 0 {why_not_0}; give it at least 1").into()),
        count if count > most => Err(format!("{option} {count}: use at most {most}").into()),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<SimulateOptions, String> {
        match parse(&mut Parser::from_args(line.split_whitespace())) {
            Ok(Command::Simulate(options)) => Ok(options),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn every_option_finds_its_place() {
        let line = "--scenario one-slow --seeds 3..5 --instances 7 --requests 99 --retry --json \
            --policy two-choices,round-robin --html a.html -c b.toml --pool api";
        let expected = SimulateOptions {
            scenario: Some("one-slow".to_owned()),
            seeds: vec![3, 4, 5],
            instances: Some(7),
            requests: Some(99),
            policies: vec![Kind::RoundRobin, Kind::TwoChoices],
            retry: true,
            json: true,
            html: Some("a.html".into()),
            config: Some("b.toml".into()),
            pool: Some("api".to_owned()),
        };
        assert_eq!(parsed(line), Ok(expected));
    }

    #[test]
    fn help_names_every_option() {
        let told = parse(&mut Parser::from_args(["--help"])).unwrap();
        assert_eq!(told, Command::Tell(help::SIMULATE.to_string()));
        assert!(OPTIONS.iter().all(|option| help::SIMULATE.contains(option)));
    }

    #[test]
    fn a_scenario_alone_is_played_once_under_every_policy() {
        let options = parsed("--scenario x").unwrap();
        assert_eq!((options.seeds, options.policies.len()), (vec![1], Kind::ALL.len()));
        assert_eq!(parsed("--seed 9").unwrap().seeds, [9]);
        assert_eq!(parsed("--seed 9 --policy all").unwrap().policies.len(), Kind::ALL.len());
    }

    #[test]
    fn slips_are_refused_with_a_remedy() {
        let cases = "
            --seeds 50..1 -> --seeds 50..1 runs backwards; write 1..50
            --seeds x -> --seeds x: expected a range such as 1..50
            --seeds 1.. -> --seeds 1..: expected a range such as 1..50
            --seeds 0..100000 -> --seeds 0..100000 are too many; use at most 100000
            --instances 0 -> --instances 0 simulates nothing; give it at least 1
            --instances 1001 -> --instances 1001: use at most 1000
            --requests 0 -> --requests 0 asks for nothing; give it at least 1
            --policy two-choice -> --policy two-choice: did you mean two-choices?
        ";
        for (line, message) in cases.lines().filter_map(|line| line.trim().split_once(" -> ")) {
            assert_eq!(parsed(line), Err(message.to_owned()));
        }
        assert!(parsed("").unwrap_err().starts_with("name a --scenario (homogeneous, one-slow,"));
        let all = parsed("--policy colour").unwrap_err();
        assert!(all.starts_with("--policy colour: use all, or some of round-robin, "), "{all}");
    }
}
