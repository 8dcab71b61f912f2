//! `evenly get`: one request to whichever application is well. The body goes to standard output,
//! the story to standard error.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;

use super::{Failure, warn};
use crate::client::{Client, Error, Request, Response, Step};
use crate::config::{Config, Source};
use crate::text::Escaped;
use crate::tls;

/// What to get, as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetOptions {
    /// Where the applications are.
    pub source: Source,
    /// The pool to ask, where the file has several.
    pub pool: Option<String>,
    /// The path, with its query.
    pub path: String,
    /// How long to keep checking while none is well.
    pub wait: Duration,
    /// The longest that the call may take once one is.
    pub timeout: Option<Duration>,
    /// Tell the story.
    pub verbose: bool,
}

/// Gets the path. Fails if no application is left, or if the one that answers says 400 and above.
pub fn run(options: &GetOptions) -> Result<(), Failure> {
    let (config, warnings) = options.source.load_onto(Config::for_client())?;
    let config = config.only(options.pool.as_deref())?;
    let mut story = Story(options.verbose);
    story.configured(&config);
    warn(warnings.into_iter().chain(tls::unverified(&config.applications)));
    let mut client = Client::new(&config).map_err(failed)?.with_wait(options.wait);
    if let Some(timeout) = options.timeout {
        client = client.with_timeout(timeout);
    }
    let request = Request::new("GET", &options.path);
    match client.send_told(&request, &mut |step| story.step(&step)) {
        Ok(response) => finish(&response, &mut story),
        Err(Error::NoneLeft { .. }) if options.verbose => {
            story.say("No endpoints to work with. Exiting.");
            Err(Failure::Told)
        }
        Err(error) => Err(failed(error)),
    }
}

fn finish(response: &Response, story: &mut Story) -> Result<(), Failure> {
    story.answered(response);
    let mut out = io::stdout().lock();
    out.write_all(response.body())?;
    out.flush()?;
    match response.status() {
        status @ 400.. => {
            Err(Failure::Run(format!("{} answered with status {status}", response.backend())))
        }
        _ => Ok(()),
    }
}

fn failed(error: Error) -> Failure {
    match error {
        Error::Config(errors) => Failure::Config(errors),
        Error::Request(what) => Failure::Usage(what),
        other => Failure::Run(other.to_string()),
    }
}

/// Tells the story on standard error, or keeps silent.
struct Story(bool);

impl Story {
    fn say(&mut self, line: &str) {
        if self.0 {
            // A closed stderr is no reason to get nothing. A line may quote a backend.
            let _ = writeln!(io::stderr(), "{}", Escaped(line));
        }
    }

    fn configured(&mut self, config: &Config) {
        self.say("Configuration loaded.");
        for one in &config.applications {
            let (host, port, name) = (&one.host, one.port, &one.name);
            self.say(&format!("Configured Endpoint: {host}, Port: {port}, Name: {name}"));
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Skipped(skipped) => self.say(&format!("Skipped endpoint: {skipped}")),
            Step::Using(backend) => self.say(&format!("Using endpoint: {backend}")),
            Step::Failed(failed) => self.say(&format!("Endpoint failed: {failed}")),
            Step::Waiting(left) => {
                let left = left.as_secs_f64();
                self.say(&format!("Waiting for an endpoint, {left:.1} s left."));
            }
        }
    }

    fn answered(&mut self, response: &Response) {
        if let Some((message, result)) = self.0.then(|| spoken(response.body())).flatten() {
            self.say(&format!("Response Message (Result): {message} ({result})"));
        }
    }
}

/// What an answer of the demo API's shape says: `{"Result":true,"Message":"This is API: API01"}`.
fn spoken(body: &[u8]) -> Option<(String, bool)> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    Some((answer["Message"].as_str()?.to_owned(), answer["Result"].as_bool()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_of_the_demos_shape_is_put_into_words() {
        let said = |body: &str| spoken(body.as_bytes());
        let demo = said(r#"{"Result":true,"Message":"This is API: API01"}"#);
        assert_eq!(demo, Some(("This is API: API01".to_owned(), true)));
        for other in ["", "[1]", "7", r#"{"Result":1,"Message":"x"}"#, r#"{"Message":"x"}"#] {
            assert_eq!(said(other), None, "{other}");
        }
    }
}
