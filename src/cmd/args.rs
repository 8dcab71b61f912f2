//! The command line as typed: words become a [`Command`]. Opens no file, and reads no variable but
//! those it is given; each slip becomes a sentence that ends the process with 2.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use lexopt::prelude::*;
use lexopt::{Error, Parser};

use super::help;
use super::{Command, Failure, Source};
use crate::config::{CONFIG_VARIABLE, Overrides, nearest};
use crate::lab::backend::Options;

/// The file that is read unless one is named.
const FILE: &str = "applications.toml";

/// Each command that can be typed.
const COMMANDS: [&str; 4] = ["serve", "check", "demo", "backend"];
/// Commands that are still to come.
const PLANNED: [&str; 8] = [
    "get", "bench", "simulate", "status", "drain", "ready", "maint", "reload",
];
/// Every long option, for suggestions.
const OPTIONS: [&str; 10] = [
    "--config",
    "--listen",
    "--workers",
    "--set",
    "--name",
    "--instances",
    "--seed",
    "--unhealthy",
    "--help",
    "--version",
];

/// The command that the arguments (without the program's own name) and variables ask for.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, Failure> {
    let mut args = args.into_iter().peekable();
    let command = args.next_if(|arg| !arg.to_string_lossy().starts_with('-'));
    let command = command.map_or("serve".to_string(), |arg| {
        arg.to_string_lossy().into_owned()
    });
    let mut parser = Parser::from_args(args);
    match command.as_str() {
        "serve" | "check" | "demo" => source(&command, &mut parser, variables),
        "backend" => Ok(backend(&mut parser)?),
        "help" => Ok(Command::Tell(help::GENERAL.to_string())),
        other => Err(Failure::Usage(unknown_command(other))),
    }
}

/// The commands that need a configuration.
fn source(
    command: &str,
    parser: &mut Parser,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, Failure> {
    let variables: Vec<_> = variables.into_iter().collect();
    let named = variables.iter().find(|(name, _)| name == CONFIG_VARIABLE);
    let mut path = PathBuf::from(named.map_or(FILE.into(), |(_, path)| path.clone()));
    let mut overrides = Overrides::from_variables(variables)?;
    while let Some(arg) = parser.next()? {
        match arg {
            Short('c') | Long("config") if command != "demo" => path = parser.value()?.into(),
            Long("listen") => overrides.set("--listen", "server.listen", &text(parser)?),
            Long("workers") => overrides.set("--workers", "server.workers", &text(parser)?),
            Long("set") => {
                let text = text(parser)?;
                let shape = "--set takes TABLE.KEY=VALUE, such as --set log.access=json";
                let (key, value) = text.split_once('=').ok_or(shape)?;
                overrides.set(&format!("--set {key}"), key, value);
            }
            other => return Ok(everywhere(other)?),
        }
    }
    Ok(match command {
        "demo" => Command::Demo(overrides),
        "check" => Command::Check(Source { path, overrides }),
        _ => Command::Serve(Source { path, overrides }),
    })
}

fn backend(parser: &mut Parser) -> Result<Command, Error> {
    let mut options = Options::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("listen") => {
                options.listen = number(parser, "--listen", "an address such as 127.0.0.1:9001")?;
            }
            Long("name") => options.name = text(parser)?,
            Long("instances") => {
                options.instances = number(parser, "--instances", "a number from 1 to 65535")?;
            }
            Long("seed") => options.seed = number(parser, "--seed", "a whole number")?,
            Long("unhealthy") => options.unhealthy = true,
            other => return everywhere(other),
        }
    }
    let Options {
        listen, instances, ..
    } = &options;
    if *instances == 0 {
        return Err("--instances 0 starts nothing; give it at least 1".into());
    }
    if listen.port() != 0 && listen.port().checked_add(instances - 1).is_none() {
        return Err(
            format!("--instances {instances} from {listen} on go beyond port 65535").into(),
        );
    }
    Ok(Command::Backend(options))
}

/// What every command knows, and what none does.
fn everywhere(arg: lexopt::Arg<'_>) -> Result<Command, Error> {
    match arg {
        Short('h') | Long("help") => Ok(Command::Tell(help::GENERAL.to_string())),
        Short('V') | Long("version") => Ok(Command::Tell(
            concat!("evenly ", env!("CARGO_PKG_VERSION"), "\n").to_string(),
        )),
        other => Err(other.unexpected()),
    }
}

fn text(parser: &mut Parser) -> Result<String, Error> {
    parser.value()?.string()
}

fn number<T: FromStr>(parser: &mut Parser, option: &str, expected: &str) -> Result<T, Error> {
    let text = text(parser)?;
    text.parse()
        .map_err(|_| format!("{option} {text}: expected {expected}").into())
}

fn unknown_command(word: &str) -> String {
    if PLANNED.contains(&word) {
        return format!("command \"{word}\" is not in this version");
    }
    match nearest(word, COMMANDS) {
        Some(name) => format!("unknown command \"{word}\"; did you mean \"{name}\"?"),
        None => format!(
            "unknown command \"{word}\"; the commands are {}",
            COMMANDS.join(", ")
        ),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Usage(match error {
            Error::UnexpectedOption(option) => match nearest(&option, OPTIONS) {
                Some(name) if name != option => {
                    format!("unknown option {option}; did you mean {name}?")
                }
                Some(_) => format!("option {option} is not for this command"),
                None => format!("unknown option {option}"),
            },
            Error::UnexpectedArgument(word) => match word.to_string_lossy() {
                word if COMMANDS.contains(&word.as_ref()) => {
                    format!("the command goes first: evenly {word}")
                }
                word => format!("did not expect \"{word}\""),
            },
            Error::MissingValue { option } => {
                format!(
                    "{} needs a value",
                    option.as_deref().unwrap_or("the last option")
                )
            }
            other => other.to_string(),
        })
    }
}

impl From<&str> for Failure {
    fn from(what: &str) -> Self {
        Self::Usage(what.to_string())
    }
}
