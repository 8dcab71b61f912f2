//! A running balancer as a command asks it: its answer, or a sentence why there is none. The
//! commands that steer call it; the words of what was done are the balancer's own.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;

use super::Failure;
use super::reach::{Balancer, Purpose, Reach, TOKEN_VARIABLE};
use crate::admin::ask::{Endpoint, NoAnswer, Question};
use crate::text::Escaped;

/// For a question that is answered from memory.
pub(super) const SOON: Duration = Duration::from_secs(5);
/// For what first looks names up, checks who is new, or starts a process.
pub(super) const LATE: Duration = Duration::from_secs(120);

impl Balancer {
    /// Asks how it stands: JSON.
    pub(super) fn status(&self, within: Duration) -> Result<String, String> {
        self.ask(&question("/status", within))
    }

    /// Asks what is answered in words, and returns those with what else is said.
    pub(super) fn tell(&self, question: &Question<'_>) -> Result<Value, String> {
        let said: Option<Value> = serde_json::from_str(&self.ask(question)?).ok();
        said.filter(|said| said["words"].is_string()).ok_or_else(|| self.is_stranger())
    }

    /// The body of what it answers, if it does what it is asked; else why not, in whole sentences.
    pub(super) fn ask(&self, question: &Question<'_>) -> Result<String, String> {
        let endpoint = &self.endpoint;
        let answer = endpoint.ask(question).map_err(|why| match why {
            NoAnswer::Unreached(why) => {
                format!("no balancer answers at {endpoint} ({why}); {}", remedy(endpoint))
            }
            NoAnswer::Broken(why) => format!("the balancer at {endpoint} {why}"),
        })?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        if answer.status == 401 {
            return Err(match endpoint {
                Endpoint::Url { token: Some(_), .. } => format!(
                    "{endpoint} was sent a token that is not its own; put that of its file, \
                     [admin] token, into {TOKEN_VARIABLE}"
                ),
                _ => format!("{endpoint} wants its token; put it into {TOKEN_VARIABLE}"),
            });
        }
        let said: Option<Value> = serde_json::from_str(&answer.body).ok();
        Err(match said.as_ref().and_then(|said| said["error"].as_str()) {
            Some(error) => error.to_owned(),
            None => format!("{endpoint} answered with status {}", answer.status),
        })
    }

    /// For an answer that no balancer gives.
    pub(super) fn is_stranger(&self) -> String {
        format!("{} answers, but not as a balancer's socket does", self.endpoint)
    }
}

fn remedy(endpoint: &Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Socket(_) => "start one with evenly serve, or name its socket with --socket",
        Endpoint::Url { .. } => "look whether it runs, and at [admin] listen in its file",
    }
}

/// What changes nothing.
pub(super) fn question(path: &str, within: Duration) -> Question<'_> {
    Question { method: "GET", path, body: b"", within }
}

/// What changes something.
pub(super) fn change(path: &str, within: Duration) -> Question<'_> {
    Question { method: "POST", path, body: b"", within }
}

/// Asks each balancer this, and prints its words.
pub(super) fn each(reach: &Reach, question: &Question<'_>) -> Result<(), Failure> {
    let balancers = reach.find(Purpose::Steer)?;
    let mut outcomes = Outcomes::of(&balancers);
    for balancer in &balancers {
        outcomes.heard(balancer, balancer.tell(question), in_words);
    }
    outcomes.end()
}

/// What an answer says to people.
pub(super) fn in_words(said: &Value) -> String {
    said["words"].as_str().unwrap_or_default().to_owned()
}

/// What became of a command, balancer by balancer. A reader that is gone keeps nobody from being
/// asked.
pub(super) struct Outcomes {
    /// They are named only where there are several.
    are_named: bool,
    has_failed: bool,
    unwritten: Option<io::Error>,
}

impl Outcomes {
    pub(super) fn of(balancers: &[Balancer]) -> Self {
        Self { are_named: balancers.len() > 1, has_failed: false, unwritten: None }
    }

    /// Prints what one did, or says why it did not; and returns what it did.
    pub(super) fn heard<T>(
        &mut self,
        balancer: &Balancer,
        said: Result<T, String>,
        words: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        let named = if self.are_named { format!("{}: ", balancer.name) } else { String::new() };
        match said {
            Ok(done) => {
                let printed = print(&lines(&named, &words(&done)));
                self.unwritten = self.unwritten.take().or(printed.err());
                Some(done)
            }
            Err(why) => {
                self.has_failed = true;
                // A closed stderr is no reason to hide the exit code.
                let _ = writeln!(io::stderr(), "{}", lines(&format!("evenly: {named}"), &why));
                None
            }
        }
    }

    /// Fails if any has.
    pub(super) fn end(self) -> Result<(), Failure> {
        match self.unwritten {
            _ if self.has_failed => Err(Failure::Told),
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

fn print(words: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{words}")?;
    out.flush()
}

/// Escaped, but for the ends of lines, as a balancer's words may have several; each behind `start`,
/// so that none is taken for another's.
fn lines(start: &str, words: &str) -> String {
    let line = |line| format!("{start}{}", Escaped(line));
    let lines: Vec<_> = words.trim_end().lines().map(line).collect();
    lines.join("\n")
}
