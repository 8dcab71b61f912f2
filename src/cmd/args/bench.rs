//! The options of `evenly bench`. Called by `args`; what they mean together is for the plan.

use std::time::Duration;

use lexopt::prelude::*;
use lexopt::{Error, Parser};

use super::super::bench::{BenchOptions, Body};
use super::super::{Command, help};
use super::{everywhere, number, text};
use crate::config;
use crate::lab::bench::LoadPlan;
use crate::plain::url::Url;

/// Every long option, for suggestions.
pub(super) const OPTIONS: [&str; 13] = [
    "--requests",
    "--workers",
    "--rate",
    "--duration",
    "--timeout",
    "--method",
    "--header",
    "--body",
    "--no-keep-alive",
    "--cacert",
    "--insecure",
    "--json",
    "--html",
];

/// How long a run lasts that nobody gave an end.
const DURATION: Duration = Duration::from_secs(10);

/// Reads what follows `bench`.
pub(super) fn parse(parser: &mut Parser) -> Result<Command, Error> {
    let mut url: Option<Url> = None;
    let mut headers = Vec::new();
    let mut method = None;
    // The URL comes last as well as first, so a plan can only be made in the end.
    let mut plan = LoadPlan::to("http://localhost/".parse().expect("this URL obeys every rule"));
    let mut options =
        BenchOptions { body: Body::None, json: false, html: None, plan: plan.clone() };
    plan.duration = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Value(word) if url.is_none() => url = Some(word.string()?.parse()?),
            Long("requests") => plan.requests = Some(number(parser, "--requests", COUNT)?),
            Long("workers") => plan.workers = number(parser, "--workers", COUNT)?,
            Long("rate") => plan.rate = Some(number(parser, "--rate", "requests a second")?),
            Long("duration") => plan.duration = Some(duration(parser, "--duration")?),
            Long("timeout") => plan.timeout = duration(parser, "--timeout")?,
            Long("method") => method = Some(text(parser)?),
            Long("header") => headers.push(header(&text(parser)?)?),
            Long("body") => options.body = body(text(parser)?),
            Long("no-keep-alive") => plan.request.keep_alive = false,
            Long("cacert") => plan.trust.ca = Some(text(parser)?),
            Long("insecure") => plan.trust.verify = false,
            Long("json") => options.json = true,
            Long("html") => options.html = Some(parser.value()?.into()),
            Short('h') | Long("help") => return Ok(Command::Tell(help::BENCH.to_string())),
            other => return everywhere(other),
        }
    }
    plan.request.url = url.ok_or("bench needs a URL, such as http://127.0.0.1:8080/")?;
    plan.request.headers = headers;
    let usual = if options.body == Body::None { "GET" } else { "POST" };
    plan.request.method = method.unwrap_or_else(|| usual.to_owned());
    if plan.requests.is_none() && plan.duration.is_none() {
        plan.duration = Some(DURATION);
    }
    Ok(Command::Bench(Box::new(BenchOptions { plan, ..options })))
}

const COUNT: &str = "a whole number";

fn duration(parser: &mut Parser, option: &str) -> Result<Duration, Error> {
    config::duration(&text(parser)?).map_err(|what| format!("{option}: {what}").into())
}

fn header(text: &str) -> Result<(String, String), Error> {
    match text.split_once(':') {
        Some((name, value)) => Ok((name.to_owned(), value.trim().to_owned())),
        None => Err(format!("--header {text:?}: expected \"Name: value\"").into()),
    }
}

fn body(text: String) -> Body {
    match text.strip_prefix('@') {
        Some(path) => Body::File(path.into()),
        None => Body::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn parsed(words: &[&str]) -> Result<Command, String> {
        let words = [&["bench"], words].concat().into_iter().map(OsString::from);
        super::super::parse(words, []).map_err(|failure| failure.to_string())
    }

    fn options(words: &[&str]) -> BenchOptions {
        match parsed(words) {
            Ok(Command::Bench(options)) => *options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_url_alone_is_measured_for_ten_seconds() {
        let url: Url = "http://a.test:81/".parse().unwrap();
        let expected =
            BenchOptions { plan: LoadPlan::to(url), body: Body::None, json: false, html: None };
        assert_eq!(options(&["http://a.test:81/"]), expected);
    }

    #[test]
    fn options_stand_before_and_behind_the_url() {
        let line = "--requests 5 --workers=2 --rate 0.5 http://a.test/ --duration 1m --timeout 2s \
                    --method PUT --body @x.json --no-keep-alive --json --html r.html \
                    --cacert ca.pem --insecure";
        let mut words: Vec<_> = line.split_whitespace().collect();
        words.extend(["--header", "A: b:c ", "--header=D:e"]);
        let BenchOptions { plan, body, json, html } = options(&words);
        assert_eq!((plan.requests, plan.workers, plan.rate), (Some(5), 2, Some(0.5)));
        let seconds = Duration::from_secs;
        assert_eq!((plan.duration, plan.timeout), (Some(seconds(60)), seconds(2)));
        let pairs = [("A", "b:c"), ("D", "e")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(plan.request.headers, pairs);
        assert_eq!((plan.request.method.as_str(), plan.request.keep_alive), ("PUT", false));
        assert_eq!((plan.trust.ca.as_deref(), plan.trust.verify), (Some("ca.pem"), false));
        assert_eq!((body, json, html), (Body::File("x.json".into()), true, Some("r.html".into())));
    }

    #[test]
    fn a_body_is_posted_and_a_number_of_requests_needs_no_time() {
        let BenchOptions { plan, body, .. } =
            options(&["http://a/", "--body", "{}", "--requests=1"]);
        assert_eq!((plan.request.method.as_str(), body), ("POST", Body::Text("{}".into())));
        assert_eq!(plan.duration, None);
    }

    #[test]
    fn help_names_every_option() {
        assert_eq!(parsed(&["--help"]), Ok(Command::Tell(help::BENCH.to_string())));
        assert!(OPTIONS.iter().all(|option| help::BENCH.contains(option)));
    }

    #[test]
    fn slips_are_refused_with_a_remedy() {
        let cases = r#"
             -> bench needs a URL, such as http://127.0.0.1:8080/
            ftp://a/ -> URL "ftp://a/": unknown scheme "ftp"; use http:// or https://
            http://a/ http://b/ -> did not expect "http://b/"
            http://a/ --request 5 -> unknown option --request; did you mean --requests?
            http://a/ --listen 5 -> option --listen is not for this command
            http://a/ --requests x -> --requests x: expected a whole number
            http://a/ --rate fast -> --rate fast: expected requests a second
            http://a/ --duration 10 -> --duration: 10 has no unit; write for example "10s"
            http://a/ --header X -> --header "X": expected "Name: value"
        "#;
        for (line, message) in cases.lines().filter_map(|line| line.split_once(" -> ")) {
            let words: Vec<_> = line.split_whitespace().collect();
            assert_eq!(parsed(&words), Err(format!("evenly: {message}")));
        }
    }
}
