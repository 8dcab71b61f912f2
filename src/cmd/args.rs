//! The command line as typed: words become a [`Command`]. Opens no file, and reads no variable but
//! those it is given; each slip becomes a sentence that ends the process with 2.

#[cfg(feature = "alerts")]
mod alert_test;
#[cfg(feature = "admin")]
mod ask;
#[cfg(feature = "lab")]
mod backend;
#[cfg(feature = "lab")]
mod bench;
#[cfg(feature = "client")]
mod get;
#[cfg(feature = "lab")]
mod simulate;

use std::ffi::OsString;
use std::path::PathBuf;
#[cfg(feature = "lab")]
use std::str::FromStr;

use lexopt::prelude::*;
use lexopt::{Error, Parser};

use super::help;
use super::{Command, Failure};
use crate::config::{CONFIG_VARIABLE, Extent, Overrides, Source, nearest};

/// The file that is read unless one is named.
const FILE: &str = "applications.toml";

/// Each command that can be typed.
const COMMANDS: [&str; 20] = [
    "serve",
    "check",
    "alert-test",
    "demo",
    "backend",
    "get",
    "bench",
    "simulate",
    "status",
    "why",
    "timeline",
    "drain",
    "ready",
    "maint",
    "pause",
    "resume",
    "reload",
    "diff",
    "upgrade",
    "healthcheck",
];
/// Every long option, for suggestions.
const OPTIONS: [&str; 8] =
    ["--config", "--listen", "--workers", "--set", "--all", "--route", "--help", "--version"];

/// The command that the arguments (without the program's own name) and variables ask for.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, Failure> {
    let mut args = args.into_iter().peekable();
    let command = args.next_if(|arg| !arg.to_string_lossy().starts_with('-'));
    let command = command.map_or("serve".to_string(), |arg| arg.to_string_lossy().into_owned());
    let mut parser = Parser::from_args(args);
    match command.as_str() {
        "serve" | "check" => source(&command, &mut parser, variables),
        #[cfg(feature = "alerts")]
        "alert-test" => alert_test::parse(&mut parser, variables),
        #[cfg(not(feature = "alerts"))]
        "alert-test" => Err(Failure::Usage(format!("{command} is not in this slim build"))),
        #[cfg(feature = "lab")]
        "demo" => source(&command, &mut parser, variables),
        #[cfg(feature = "lab")]
        "backend" => Ok(backend::parse(&mut parser)?),
        #[cfg(feature = "client")]
        "get" => get::parse(&mut parser, variables),
        #[cfg(not(feature = "client"))]
        "get" => Err(Failure::Usage(format!("{command} is not in this slim build"))),
        #[cfg(feature = "lab")]
        "bench" => Ok(bench::parse(&mut parser)?),
        #[cfg(feature = "lab")]
        "simulate" => Ok(simulate::parse(&mut parser)?),
        #[cfg(not(feature = "lab"))]
        "demo" | "backend" | "bench" | "simulate" => {
            Err(Failure::Usage(format!("{command} is not in this slim build")))
        }
        #[cfg(feature = "admin")]
        "status" | "why" | "timeline" | "drain" | "ready" | "maint" | "pause" | "resume"
        | "reload" | "diff" | "upgrade" | "healthcheck" => {
            ask::parse(&command, &mut parser, variables)
        }
        #[cfg(not(feature = "admin"))]
        "status" | "why" | "timeline" | "drain" | "ready" | "maint" | "pause" | "resume"
        | "reload" | "diff" | "upgrade" | "healthcheck" => {
            Err(Failure::Usage(format!("{command} is not in this slim build")))
        }
        "help" => Ok(Command::Tell(help::GENERAL.to_string())),
        other => Err(Failure::Usage(unknown_command(other))),
    }
}

/// The command that explains these arguments, of which the first has the command: it has a help of
/// its own, or stands in the general one.
pub fn help_for(args: &[OsString]) -> String {
    let command = args.first().and_then(|arg| arg.to_str()).unwrap_or_default();
    let has_own = match command {
        "serve" | "check" | "alert-test" | "demo" | "backend" => false,
        "get" => cfg!(feature = "client"),
        "bench" | "simulate" => cfg!(feature = "lab"),
        other => cfg!(feature = "admin") && COMMANDS.contains(&other),
    };
    if has_own { format!("evenly {command} --help") } else { "evenly --help".to_owned() }
}

/// The commands that need a configuration.
fn source(
    command: &str,
    parser: &mut Parser,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, Failure> {
    let Source { mut path, mut overrides } = said_by(variables)?;
    let (mut extent, mut urls) = (Extent::Changed, Vec::new());
    while let Some(arg) = parser.next()? {
        match arg {
            Long("all") if command == "check" => extent = Extent::All,
            Long("route") if command == "check" => urls.push(text(parser)?),
            Short('c') | Long("config") if command != "demo" => path = parser.value()?.into(),
            Long("listen") => overrides.set("--listen", "server.listen", &text(parser)?),
            Long("workers") => overrides.set("--workers", "server.workers", &text(parser)?),
            Long("set") => set(&mut overrides, &text(parser)?)?,
            other => return Ok(everywhere(other)?),
        }
    }
    Ok(match command {
        #[cfg(feature = "lab")]
        "demo" => Command::Demo(overrides),
        "check" if !urls.is_empty() && extent == Extent::All => {
            return Err("--route says where a URL goes and nothing else; remove --all".into());
        }
        "check" if !urls.is_empty() => Command::Route(Source { path, overrides }, urls),
        "check" => Command::Check(Source { path, overrides }, extent),
        _ => Command::Serve(Source { path, overrides }),
    })
}

/// The file and what beats it, as far as variables say.
fn said_by(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Source, Failure> {
    let variables: Vec<_> = variables.into_iter().collect();
    let named = variables.iter().find(|(name, _)| name == CONFIG_VARIABLE);
    let path = PathBuf::from(named.map_or(FILE.into(), |(_, path)| path.clone()));
    Ok(Source { path, overrides: Overrides::from_variables(variables)? })
}

/// `--set TABLE.KEY=VALUE`
fn set(overrides: &mut Overrides, text: &str) -> Result<(), Failure> {
    let shape = "--set takes TABLE.KEY=VALUE, such as --set log.access=json";
    let (key, value) = text.split_once('=').ok_or(shape)?;
    overrides.set(&format!("--set {key}"), key, value);
    Ok(())
}

/// What every command knows, and what none does.
fn everywhere(arg: lexopt::Arg<'_>) -> Result<Command, Error> {
    match arg {
        Short('h') | Long("help") => Ok(Command::Tell(help::GENERAL.to_string())),
        Short('V') | Long("version") => {
            Ok(Command::Tell(concat!("evenly ", env!("CARGO_PKG_VERSION"), "\n").to_string()))
        }
        other => Err(other.unexpected()),
    }
}

fn text(parser: &mut Parser) -> Result<String, Error> {
    parser.value()?.string()
}

#[cfg(feature = "lab")]
fn number<T: FromStr>(parser: &mut Parser, option: &str, expected: &str) -> Result<T, Error> {
    let text = text(parser)?;
    text.parse().map_err(|_| format!("{option} {text}: expected {expected}").into())
}

fn unknown_command(word: &str) -> String {
    if word.ends_with(".toml") {
        return format!("unknown command \"{word}\"; to name the file, write -c {word}");
    }
    if let Some(ours) = meant(word) {
        return format!("unknown command \"{word}\"; {ours}");
    }
    match nearest(word, COMMANDS) {
        Some(name) => format!("unknown command \"{word}\"; did you mean \"{name}\"?"),
        None => format!("unknown command \"{word}\"; the commands are {}", COMMANDS.join(", ")),
    }
}

/// What to do instead of a command or an option that others have.
fn meant(word: &str) -> Option<&'static str> {
    Some(match word {
        "start" | "run" => "did you mean \"serve\"?",
        "stop" | "quit" => {
            "kill -TERM PID lets a balancer finish and end, and pgrep -ax evenly shows the PID"
        }
        "restart" => {
            "\"reload\" takes a new file, \"upgrade\" a new program; kill -TERM PID ends it, and \
             pgrep -ax evenly shows the PID"
        }
        "-t" => "did you mean evenly check?",
        "version" | "-v" => "did you mean --version?",
        "--port" | "-p" => "did you mean --listen, such as --listen 0.0.0.0:80?",
        _ => return None,
    })
}

/// Every option of every command.
fn options() -> impl Iterator<Item = &'static str> {
    #[cfg(feature = "lab")]
    let lab = backend::OPTIONS.into_iter().chain(bench::OPTIONS).chain(simulate::OPTIONS);
    #[cfg(not(feature = "lab"))]
    let lab = [];
    #[cfg(feature = "client")]
    let client = get::OPTIONS;
    #[cfg(not(feature = "client"))]
    let client = [];
    #[cfg(feature = "admin")]
    let admin = ask::OPTIONS;
    #[cfg(not(feature = "admin"))]
    let admin = [];
    OPTIONS.into_iter().chain(lab).chain(client).chain(admin)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Usage(match error {
            Error::UnexpectedOption(option) => {
                match (meant(&option), nearest(&option, options())) {
                    (Some(ours), _) => format!("unknown option {option}; {ours}"),
                    (_, Some(name)) if name != option => {
                        format!("unknown option {option}; did you mean {name}?")
                    }
                    (_, Some(_)) => format!("option {option} is not for this command"),
                    (_, None) => format!("unknown option {option}"),
                }
            }
            Error::UnexpectedArgument(word) => match word.to_string_lossy() {
                word if COMMANDS.contains(&word.as_ref()) => {
                    format!("the command goes first: evenly {word}")
                }
                word if word.ends_with(".toml") => {
                    format!("did not expect \"{word}\"; to name the file, write -c {word}")
                }
                word => format!("did not expect \"{word}\""),
            },
            Error::MissingValue { option } => {
                format!("{} needs a value", option.as_deref().unwrap_or("the last option"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parsed(line: &str, variables: &[(&str, &str)]) -> Result<Command, String> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let result = parse(line.split_whitespace().map(OsString::from), variables);
        result.map_err(|failure| failure.to_string())
    }

    fn source(line: &str, variables: &[(&str, &str)]) -> Source {
        match parsed(line, variables) {
            Ok(Command::Serve(source) | Command::Check(source, _)) => source,
            other => panic!("{other:?}"),
        }
    }

    fn config(source: &Source) -> Config {
        let text = "[[applications]]\nip = \"::1\"\nport = 80";
        Config::read(text, "test", &source.overrides).unwrap()
    }

    #[test]
    fn evenly_alone_serves_the_file_in_the_working_directory() {
        let source = Source { path: FILE.into(), overrides: Overrides::default() };
        assert_eq!(parsed("", &[]), Ok(Command::Serve(source.clone())));
        assert_eq!(parsed("serve", &[]), Ok(Command::Serve(source.clone())));
        assert_eq!(parsed("check", &[]), Ok(Command::Check(source.clone(), Extent::Changed)));
        assert_eq!(parsed("check --all", &[]), Ok(Command::Check(source, Extent::All)));
    }

    #[test]
    #[cfg(feature = "lab")]
    fn the_demo_takes_no_file() {
        assert_eq!(parsed("demo", &[]), Ok(Command::Demo(Overrides::default())));
    }

    #[test]
    fn the_flag_names_the_file_before_the_variable_does() {
        let variables = [("EVENLY_CONFIG", "b.toml")];
        assert_eq!(source("", &variables).path, PathBuf::from("b.toml"));
        for line in ["-c a.toml", "check -ca.toml", "serve --config=a.toml"] {
            assert_eq!(source(line, &variables).path, PathBuf::from("a.toml"));
        }
    }

    #[test]
    fn flags_set_keys_and_beat_variables() {
        let line = "--listen 127.0.0.1:0 --workers=3 --set log.access=json --set health.path=/?a=b";
        let config = config(&source(line, &[("EVENLY_SERVER_WORKERS", "2")]));
        assert_eq!((config.server.listen.port(), config.server.workers), (0, 3));
        assert_eq!(config.log.access, crate::config::AccessLog::Json);
        assert_eq!(config.health.path(), "/?a=b");
    }

    #[test]
    #[cfg(feature = "lab")]
    fn the_backend_has_options_of_its_own() {
        let line = "backend --listen 127.0.0.1:9101 --name B --instances 3 --seed 42 --unhealthy";
        let options = match parsed(line, &[("EVENLY_SERVER_WORKERS", "ignored")]) {
            Ok(Command::Backend(options)) => options,
            other => panic!("{other:?}"),
        };
        assert_eq!((options.listen.port(), options.name.as_str()), (9101, "B"));
        assert_eq!((options.instances, options.seed, options.unhealthy), (3, 42, true));
    }

    #[test]
    fn help_names_every_command_and_option() {
        for line in ["-h", "serve --help", "check -h", "help"] {
            assert_eq!(parsed(line, &[]), Ok(Command::Tell(help::GENERAL.to_string())));
        }
        for option in OPTIONS {
            assert!(help::GENERAL.contains(option), "{option}");
        }
        for command in COMMANDS {
            assert!(help::GENERAL.contains(&format!("\n  {command:<12} ")), "{command}");
        }
        assert!(
            matches!(parsed("-V", &[]), Ok(Command::Tell(text)) if text.starts_with("evenly "))
        );
    }

    /// Each line is a slip, and what is said of it.
    fn refused(cases: &str) {
        for (line, message) in cases.lines().filter_map(|line| line.trim().split_once(" -> ")) {
            assert_eq!(parsed(line, &[]), Err(format!("evenly: {message}")));
        }
    }

    #[test]
    fn slips_are_refused_with_a_remedy() {
        let cases = r#"
            --lisen x -> unknown option --lisen; did you mean --listen?
            --colour -> unknown option --colour
            -x -> unknown option -x
            serve --all -> option --all is not for this command
            -c x check -> the command goes first: evenly check
            check twice -> did not expect "twice"
            --listen -> --listen needs a value
            --set log.access -> --set takes TABLE.KEY=VALUE, such as --set log.access=json
            check foo.toml -> did not expect "foo.toml"; to name the file, write -c foo.toml
            foo.toml -> unknown command "foo.toml"; to name the file, write -c foo.toml
            -t -> unknown option -t; did you mean evenly check?
            -v -> unknown option -v; did you mean --version?
            --port 80 -> unknown option --port; did you mean --listen, such as --listen 0.0.0.0:80?
            version -> unknown command "version"; did you mean --version?
            chek -> unknown command "chek"; did you mean "check"?
        "#;
        refused(cases);
        for word in ["stop", "restart"] {
            let said = parsed(word, &[]).unwrap_err();
            assert!(said.contains("kill -TERM PID") && said.contains("pgrep -ax evenly"), "{said}");
        }
        let none = parsed("colour", &[]).unwrap_err();
        assert!(none.contains(&format!("the commands are {}", COMMANDS.join(", "))), "{none}");
    }

    #[test]
    #[cfg(all(feature = "admin", feature = "client", feature = "lab"))]
    fn a_slip_is_explained_by_the_help_of_its_command() {
        for command in COMMANDS {
            let help = help_for(&[command.into(), "--colour".into()]);
            let words = help.split_whitespace().skip(1).map(OsString::from);
            let Ok(Command::Tell(text)) = parse(words, []) else { panic!("{help}") };
            assert!(text.contains(&format!("evenly {command}")) || text == help::GENERAL, "{help}");
            assert_eq!(text == help::GENERAL, help == "evenly --help", "{help}");
        }
        assert_eq!(help_for(&["--colour".into()]), "evenly --help");
    }

    #[test]
    #[cfg(feature = "lab")]
    fn slips_in_what_a_demo_is_told_are_refused_too() {
        refused(
            r#"
            --unhealthy -> option --unhealthy is not for this command
            demo --config x -> option --config is not for this command
            backend --listen x -> --listen x: expected an address such as 127.0.0.1:9001
            backend --seed -1 -> --seed -1: expected a whole number
            backend --instances 0 -> --instances 0 starts nothing; give it at least 1
        "#,
        );
        let many = parsed("backend --listen 127.0.0.1:65535 --instances 2", &[]).unwrap_err();
        let message = "--instances 2 from 127.0.0.1:65535 on go beyond port 65535";
        assert_eq!(many, format!("evenly: {message}"));
    }

    #[test]
    #[cfg(not(any(feature = "admin", feature = "client", feature = "lab")))]
    fn a_slim_build_says_which_commands_it_lacks() {
        for command in ["demo", "backend", "get", "bench", "simulate", "status", "reload"] {
            let said = parsed(command, &[]).unwrap_err();
            assert!(said.contains(&format!("{command} is not in this slim build")), "{said}");
        }
    }

    #[test]
    #[cfg(all(feature = "admin", feature = "client", feature = "lab"))]
    fn completions_and_the_manual_know_every_command_and_option() {
        let files = [
            ("bash", include_str!("../../share/completions/evenly.bash")),
            ("zsh", include_str!("../../share/completions/_evenly")),
            ("fish", include_str!("../../share/completions/evenly.fish")),
            ("man", include_str!("../../share/man/evenly.1")),
        ];
        for (name, text) in files {
            let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
            for command in COMMANDS {
                assert!(words.contains(&command), "{name}: {command}");
            }
            let scenarios = crate::lab::simulate::SHIPPED.map(|(scenario, _)| scenario);
            let policies = crate::pool::policy::Kind::ALL.map(|(policy, _)| policy);
            for value in scenarios.iter().chain(&policies) {
                let leaves_out = name == "man" || name == "zsh" && scenarios.contains(value);
                assert!(leaves_out || words.contains(value), "{name}: {value}");
            }
            for option in options() {
                let bare = option.trim_start_matches('-');
                // `--wait`, fish's `-l wait`, the manual's `.Fl -wait`.
                let spelled = match name {
                    "fish" => text.contains(&format!(" -l {bare} ")),
                    "man" => words.contains(&format!("-{bare}").as_str()),
                    _ => {
                        words.contains(&option)
                            || (name == "zsh" && words.contains(&&*format!("{option}-")))
                    }
                };
                assert!(spelled, "{name}: {option}");
            }
        }
    }
}
