//! The options of the commands that ask a running balancer. Called by `args`; opens no file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use lexopt::{Error, Parser};

use super::super::reach::{Balancer, Reach, TOKEN_VARIABLE};
use super::super::status::Shape;
use super::super::steer::ModeWish;
use super::super::timeline::TimelineWish;
use super::super::when::Since;
use super::super::why::WhyWish;
use super::super::{Command, Failure, Wish, help};
use super::{everywhere, said_by, text};
use crate::admin::ask::{Endpoint, HELD_MAX};
use crate::config::{self, CONFIG_VARIABLE};
use crate::plain::url::Url;
use crate::pool::Mode;

/// Every long option, for suggestions.
pub(super) const OPTIONS: [&str; 12] = [
    "--socket", "--url", "--all", "--config", "--json", "--names", "--watch", "--since", "--wait",
    "--force", "--for", "--live",
];

/// How much of the past is shown, unless said otherwise: as much as balancers keep counters of.
const SINCE: Duration = Duration::from_secs(3600);
/// How often a status is shown anew, unless said otherwise.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// Faster than that nobody reads.
const WATCH_EVERY_MIN: Duration = Duration::from_millis(100);
/// The clock ends somewhere.
const TIME_MAX: Duration = Duration::from_secs(365 * 86_400);
/// The port of a balancer of which only the host is named: that of the examples.
const PORT: u16 = 9900;
/// Balancers that are asked at once, a thread for each.
const BALANCERS_MAX: usize = 64;

/// What was typed behind the command.
#[derive(Default)]
struct Typed {
    /// The name, the pool or the file.
    word: Option<OsString>,
    socket: Option<PathBuf>,
    url: Option<Url>,
    all: Vec<Balancer>,
    shape: Shape,
    json: bool,
    since: Option<Since>,
    watch: Option<Duration>,
    wait: Option<Duration>,
    force: bool,
    time: Option<Duration>,
    live: bool,
}

pub(super) fn parse(
    command: &str,
    parser: &mut Parser,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, Failure> {
    let variables: Vec<_> = variables.into_iter().collect();
    let named = |name: &str| variables.iter().find(|(variable, _)| variable == name);
    let token = named(TOKEN_VARIABLE).and_then(|(_, token)| token.to_str().map(str::to_owned));
    let mut is_file_named = named(CONFIG_VARIABLE).is_some();
    let mut source = said_by(variables)?;
    let mut typed = Typed::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Command::Tell(help::ASK.to_string())),
            Short('c') | Long("config") => {
                source.path = parser.value()?.into();
                is_file_named = true;
            }
            Long("socket") => typed.socket = Some(parser.value()?.into()),
            Long("url") => typed.url = Some(url(&text(parser)?)?),
            Long("all") if command != "healthcheck" => typed.all = all(&text(parser)?)?,
            Long("json") if command == "status" => typed.shape = Shape::Json,
            Long("json") if matches!(command, "why" | "timeline") => typed.json = true,
            Long("since") if command == "timeline" => typed.since = Some(since(parser)?),
            Long("names") if command == "status" => typed.shape = Shape::Names,
            Long("watch") if command == "status" => typed.watch = Some(every(parser)?),
            Long("wait") if is_mode(command) => typed.wait = Some(duration(parser, "--wait")?),
            Long("force") if matches!(command, "drain" | "maint") => typed.force = true,
            Long("for") if command == "pause" => typed.time = Some(held(parser)?),
            Long("live") if command == "healthcheck" => typed.live = true,
            Value(word) if typed.word.is_none() && takes_word(command) => typed.word = Some(word),
            Value(word) if command == "status" => {
                let name = word.string()?;
                return Err(Failure::Usage(format!(
                    "status shows every backend; write why {name} for the one"
                )));
            }
            other => return Ok(everywhere(other)?),
        }
    }
    let named = typed.balancers(token)?;
    Ok(Command::Ask(Reach { named, source, is_file_named }, typed.wish(command)?))
}

fn is_mode(command: &str) -> bool {
    command.parse::<Mode>().is_ok()
}

fn takes_word(command: &str) -> bool {
    is_mode(command) || matches!(command, "why" | "pause" | "resume" | "diff")
}

/// `--watch` alone, or with `=` and a number of seconds or a time.
fn every(parser: &mut Parser) -> Result<Duration, Error> {
    let Some(value) = parser.optional_value() else { return Ok(WATCH_EVERY) };
    let text = value.string()?;
    let every = match text.parse::<u32>() {
        Ok(seconds) => Ok(Duration::from_secs(seconds.into())),
        Err(_) => config::duration(&text),
    };
    match every {
        Ok(every) if every >= WATCH_EVERY_MIN => Ok(every.min(TIME_MAX)),
        Ok(_) => Err(format!("--watch={text} is faster than anybody reads; use 1").into()),
        Err(what) => Err(format!("--watch: {what}").into()),
    }
}

fn since(parser: &mut Parser) -> Result<Since, Error> {
    Since::read(&text(parser)?).map_err(|what| format!("--since: {what}").into())
}

/// A socket's path, a URL, or a host, each with a name before it or not.
fn all(list: &str) -> Result<Vec<Balancer>, Error> {
    let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let all = entries.map(one).collect::<Result<Vec<_>, _>>()?;
    if all.is_empty() || all.len() > BALANCERS_MAX {
        return Err(format!("--all takes 1 to {BALANCERS_MAX} balancers, such as lb1,lb2").into());
    }
    match (1..all.len()).find(|&at| all[..at].iter().any(|other| other.name == all[at].name)) {
        Some(at) => Err(format!("--all names {} twice", all[at].name).into()),
        None => Ok(all),
    }
}

fn one(entry: &str) -> Result<Balancer, Error> {
    let (name, place) = entry.split_once('=').unwrap_or((entry, entry));
    let endpoint = match place {
        _ if place.contains("://") => Endpoint::Url { url: url(place)?, token: None },
        _ if place.contains('/') => Endpoint::Socket(place.into()),
        _ => {
            let has_port = place.rsplit_once(':').is_some_and(|(host, _)| !host.ends_with(':'));
            let bare = place.ends_with(']') || !has_port;
            let port = if bare { format!(":{PORT}") } else { String::new() };
            Endpoint::Url { url: url(&format!("http://{place}{port}"))?, token: None }
        }
    };
    Ok(Balancer { name: name.to_owned(), endpoint })
}

/// The endpoint itself speaks no TLS; what would carry it there is a tunnel's affair.
fn url(text: &str) -> Result<Url, Error> {
    let url: Url = text.parse()?;
    match url.is_tls() {
        false => Ok(url),
        true => Err(format!(
            "{url}: the endpoint speaks http alone; reach it through ssh -L, or by its socket"
        )
        .into()),
    }
}

/// What no balancer does is bad usage.
fn held(parser: &mut Parser) -> Result<Duration, Error> {
    match duration(parser, "--for")? {
        time if !time.is_zero() && time <= HELD_MAX => Ok(time),
        _ => Err("--for: a pause lasts at least 1ms and at most 30s".into()),
    }
}

fn duration(parser: &mut Parser, option: &str) -> Result<Duration, Error> {
    let time = config::duration(&text(parser)?).map_err(|what| format!("{option}: {what}"))?;
    Ok(time.min(TIME_MAX))
}

impl Typed {
    /// Those that are named. A token that a variable holds is for each of them.
    fn balancers(&mut self, token: Option<String>) -> Result<Vec<Balancer>, Failure> {
        let mut named = std::mem::take(&mut self.all);
        let ways = usize::from(!named.is_empty())
            + usize::from(self.socket.is_some())
            + usize::from(self.url.is_some());
        if ways > 1 {
            return Err("--socket, --url and --all each say whom to ask; use one".into());
        }
        named.extend(self.socket.take().map(|path| Balancer::at(Endpoint::Socket(path))));
        let url = self.url.take();
        named.extend(url.map(|url| Balancer::at(Endpoint::Url { url, token: None })));
        for balancer in &mut named {
            if let Endpoint::Url { token: held, .. } = &mut balancer.endpoint {
                held.clone_from(&token);
            }
        }
        Ok(named)
    }

    fn wish(self, command: &str) -> Result<Wish, Failure> {
        let file = self.word.clone().map(PathBuf::from);
        let word = self.word.map(|word| word.string()).transpose()?;
        Ok(match command {
            "status" => Wish::Status(self.shape, self.watch),
            "why" => {
                let needs = "why needs a backend's name, or a request's id; evenly status shows \
                             the names";
                let of = word.filter(|of| !of.is_empty()).ok_or(Failure::from(needs))?;
                Wish::Why(WhyWish { of, is_json: self.json })
            }
            "timeline" => {
                let since = self.since.unwrap_or(Since::Ago(SINCE));
                Wish::Timeline(TimelineWish { since, is_json: self.json })
            }
            "pause" => Wish::Pause(word, self.time),
            "resume" => Wish::Resume(word),
            "reload" => Wish::Reload,
            "diff" => Wish::Diff(file),
            "upgrade" => Wish::Upgrade,
            "healthcheck" => Wish::Healthcheck { live: self.live },
            mode => {
                let needs = format!("{command} needs a backend's name; evenly status shows them");
                let name = word.filter(|name| !name.is_empty()).ok_or(Failure::Usage(needs))?;
                let mode = mode.parse().expect("the other commands are the modes' words");
                Wish::Mode(ModeWish { mode, name, force: self.force, wait: self.wait })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Overrides, Source};

    fn parsed(line: &str) -> Result<(Reach, Wish), String> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let variables = [(TOKEN_VARIABLE.into(), "secret".into())];
        match parse(command, &mut Parser::from_args(rest.split_whitespace()), variables) {
            Ok(Command::Ask(reach, wish)) => Ok((reach, wish)),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure.to_string()),
        }
    }

    fn wish(line: &str) -> Wish {
        parsed(line).unwrap().1
    }

    fn places(line: &str) -> Vec<(String, String)> {
        let named = parsed(line).unwrap().0.named;
        named.into_iter().map(|it| (it.name, it.endpoint.to_string())).collect()
    }

    #[test]
    fn each_command_says_what_is_wanted() {
        let seconds = Duration::from_secs;
        let mode = |mode, force, wait| Wish::Mode(ModeWish { mode, name: "A".into(), force, wait });
        let timeline = |since, is_json| Wish::Timeline(TimelineWish { since, is_json });
        let cases = [
            ("status", Wish::Status(Shape::Table, None)),
            ("status --json", Wish::Status(Shape::Json, None)),
            ("status --names", Wish::Status(Shape::Names, None)),
            ("status --watch", Wish::Status(Shape::Table, Some(seconds(2)))),
            ("status --watch=5", Wish::Status(Shape::Table, Some(seconds(5)))),
            ("status --watch=1m", Wish::Status(Shape::Table, Some(seconds(60)))),
            ("why A", Wish::Why(WhyWish { of: "A".into(), is_json: false })),
            ("why --json A", Wish::Why(WhyWish { of: "A".into(), is_json: true })),
            ("timeline", timeline(Since::Ago(seconds(3600)), false)),
            ("timeline --json --since 10m", timeline(Since::Ago(seconds(600)), true)),
            ("timeline --since=04:00", timeline(Since::TimeOfDay(seconds(14_400)), false)),
            ("drain A", mode(Mode::Drain, false, None)),
            ("maint --force A --wait 60s", mode(Mode::Maint, true, Some(seconds(60)))),
            ("ready A", mode(Mode::Ready, false, None)),
            ("pause", Wish::Pause(None, None)),
            ("pause p --for 20s", Wish::Pause(Some("p".into()), Some(seconds(20)))),
            ("resume p", Wish::Resume(Some("p".into()))),
            ("drain A --wait 5124095576030h", mode(Mode::Drain, false, Some(TIME_MAX))),
            ("reload", Wish::Reload),
            ("diff", Wish::Diff(None)),
            ("diff -", Wish::Diff(Some("-".into()))),
            ("upgrade", Wish::Upgrade),
            ("healthcheck", Wish::Healthcheck { live: false }),
            ("healthcheck --live", Wish::Healthcheck { live: true }),
        ];
        for (line, expected) in cases {
            assert_eq!(wish(line), expected, "{line}");
        }
    }

    #[test]
    fn whom_to_ask_is_a_path_a_url_or_a_host_with_a_name_or_without() {
        assert_eq!(places("status -c x.toml"), []);
        let pair = |name: &str, place: &str| (name.to_owned(), place.to_owned());
        assert_eq!(places("status --socket /s"), [pair("/s", "/s")]);
        let url = "http://[::1]:9900";
        assert_eq!(places(&format!("status --url {url}/x")), [pair(url, url)]);
        assert_eq!(
            places("drain A --all lb1,lb2:80,b=/run/b.sock,./c.sock,http://d:1,[::1],e=[::1]:2"),
            [
                pair("lb1", "http://lb1:9900"),
                pair("lb2:80", "http://lb2"),
                pair("b", "/run/b.sock"),
                pair("./c.sock", "./c.sock"),
                pair("http://d:1", "http://d:1"),
                pair("[::1]", "http://[::1]:9900"),
                pair("e", "http://[::1]:2"),
            ]
        );
    }

    #[test]
    fn a_token_goes_to_addresses_in_the_network_and_a_file_may_be_named() {
        let (reach, _) = parsed("status --all a,/b -c x.toml").unwrap();
        let source = Source { path: "x.toml".into(), overrides: reach.source.overrides.clone() };
        assert_eq!((reach.source, reach.is_file_named), (source, true));
        assert_ne!(parsed("status").unwrap().0.source.overrides, Overrides::default());
        let Endpoint::Url { token, .. } = &reach.named[0].endpoint else { panic!("a host") };
        assert_eq!(token.as_deref(), Some("secret"));
    }

    #[test]
    fn help_names_every_option_and_every_command() {
        let told = parse("drain", &mut Parser::from_args(["-h"]), []).unwrap();
        assert_eq!(told, Command::Tell(help::ASK.to_string()));
        assert!(OPTIONS.iter().all(|option| help::ASK.contains(option)));
        assert!(help::ASK.lines().all(|line| line.len() <= 88), "too wide");
    }

    #[test]
    fn slips_are_refused_with_a_remedy() {
        let cases = r#"
            drain -> drain needs a backend's name; evenly status shows them
            why -> why needs a backend's name, or a request's id; evenly status shows the names
            pause --for 0 -> --for: 0 has no unit; write for example "5s"
            pause --for 0s -> --for: a pause lasts at least 1ms and at most 30s
            pause --for 1h -> --for: a pause lasts at least 1ms and at most 30s
            timeline A -> did not expect "A"
            timeline --since 5 -> --since: 5 has no unit; write for example "5s", or a time of day
            timeline --since 25:00 -> --since: "25:00" is no time of day in UTC
            status --since 1h -> option --since is not for this command
            drain A B -> did not expect "B"
            status A -> status shows every backend; write why A for the one
            ready A --force -> option --force is not for this command
            status --watch=0 -> --watch=0 is faster than anybody reads; use 1
            status --watch=5x -> --watch: "5x" has an unknown unit
            status --wait 5s -> option --wait is not for this command
            drain A --wait 5 -> --wait: 5 has no unit; write for example "5s"
            healthcheck --all a,b -> option --all is not for this command
            status --socket /a --url http://b -> --socket, --url and --all each say whom to ask
            status --all , -> --all takes 1 to 64 balancers, such as lb1,lb2
            status --all a,b,a -> --all names a twice
            status --url https://a -> https://a/: the endpoint speaks http alone
            status --url a:1 -> URL "a:1": it does not begin with http://; write http://a:1
            drain A --forse -> unknown option --forse; did you mean --force?
        "#;
        for (line, message) in cases.lines().filter_map(|line| line.trim().split_once(" -> ")) {
            let said = parsed(line).unwrap_err();
            assert!(said.starts_with(&format!("evenly: {message}")), "{line}: {said}");
        }
        for command in ["why", "drain"] {
            let said = parse(command, &mut Parser::from_args([""]), []).unwrap_err().to_string();
            assert!(
                said.starts_with(&format!("evenly: {command} needs a backend's name")),
                "{said}"
            );
        }
    }
}
