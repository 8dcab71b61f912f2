//! The options of `evenly get`. Called by `args`; opens no file.

use std::ffi::OsString;
use std::time::Duration;

use lexopt::prelude::*;
use lexopt::{Error, Parser};

use super::super::get::GetOptions;
use super::super::{Command, Failure, help};
use super::{everywhere, said_by, set, text};
use crate::config;

/// Every long option, for suggestions.
pub(super) const OPTIONS: [&str; 6] =
    ["--config", "--set", "--pool", "--wait", "--timeout", "--verbose"];

pub(super) fn parse(
    parser: &mut Parser,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, Failure> {
    let (mut source, mut pool) = (said_by(variables)?, None);
    let (mut path, mut wait, mut timeout, mut verbose) = (None, Duration::ZERO, None, false);
    while let Some(arg) = parser.next()? {
        match arg {
            Value(word) if path.is_none() => path = Some(word.string()?),
            Short('c') | Long("config") => source.path = parser.value()?.into(),
            Long("set") => set(&mut source.overrides, &text(parser)?)?,
            Long("pool") => pool = Some(text(parser)?),
            Long("wait") => wait = duration(parser, "--wait")?,
            Long("timeout") => timeout = Some(duration(parser, "--timeout")?),
            Long("verbose") => verbose = true,
            Short('h') | Long("help") => return Ok(Command::Tell(help::GET.to_string())),
            other => return Ok(everywhere(other)?),
        }
    }
    if timeout == Some(Duration::ZERO) {
        return Err("--timeout 0s leaves no time to answer; give it at least 1ms".into());
    }
    let path = path.ok_or("get needs a path, such as /")?;
    if let Some((_, rest)) = path.split_once("://") {
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        return Err(Failure::Usage(format!(
            "get takes a path, such as {path}; the addresses are in the file"
        )));
    }
    Ok(Command::Get(GetOptions { source, pool, path, wait, timeout, verbose }))
}

fn duration(parser: &mut Parser, option: &str) -> Result<Duration, Error> {
    config::duration(&text(parser)?).map_err(|what| format!("{option}: {what}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use crate::config::Source;

    fn parsed(line: &str, variables: &[(&str, &str)]) -> Result<GetOptions, String> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        match parse(&mut Parser::from_args(line.split_whitespace()), variables) {
            Ok(Command::Get(options)) => Ok(options),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure.to_string()),
        }
    }

    #[test]
    fn a_path_alone_is_got_once_from_the_applications_in_the_working_directory() {
        let source = Source { path: "applications.toml".into(), overrides: Overrides::default() };
        let (path, wait, timeout) = ("/x?y=1".to_owned(), Duration::ZERO, None);
        let expected = GetOptions { source, pool: None, path, wait, timeout, verbose: false };
        assert_eq!(parsed("/x?y=1", &[]), Ok(expected));
    }

    #[test]
    fn every_option_finds_its_place() {
        let line =
            "--wait 30s / --timeout=500ms --verbose -c a.toml --pool api --set health.path=/up";
        let options = parsed(line, &[("EVENLY_CONFIG", "b.toml")]).unwrap();
        let mut overrides = Overrides::default();
        overrides.set("--set health.path", "health.path", "/up");
        assert_eq!(options.source, Source { path: "a.toml".into(), overrides });
        let times = (options.wait.as_secs(), options.timeout.map(|time| time.as_millis()));
        assert_eq!((times, options.verbose), ((30, Some(500)), true));
        assert_eq!(options.pool.as_deref(), Some("api"));
        assert_eq!(parsed("/", &[("EVENLY_CONFIG", "b")]).unwrap().source.path.to_str(), Some("b"));
    }

    #[test]
    fn help_names_every_option() {
        let told = parse(&mut Parser::from_args(["-h"]), []).unwrap();
        assert_eq!(told, Command::Tell(help::GET.to_string()));
        assert!(OPTIONS.iter().all(|option| help::GET.contains(option)));
    }

    #[test]
    fn slips_are_refused_with_a_remedy() {
        let cases = r#"
             -> get needs a path, such as /
            http://a.test:80/x?y -> get takes a path, such as /x?y; the addresses are in the file
            https://a.test -> get takes a path, such as /; the addresses are in the file
            / /x -> did not expect "/x"
            / --wait 30 -> --wait: 30 has no unit; write for example "30s"
            / --timeout 0s -> --timeout 0s leaves no time to answer; give it at least 1ms
            / --verbos -> unknown option --verbos; did you mean --verbose?
            / --listen x -> option --listen is not for this command
            / --set x -> --set takes TABLE.KEY=VALUE, such as --set log.access=json
        "#;
        for (line, message) in cases.lines().filter_map(|line| line.split_once(" -> ")) {
            let expected = Err(format!("evenly: {message}"));
            assert_eq!(parsed(line, &[]), expected);
        }
    }
}
