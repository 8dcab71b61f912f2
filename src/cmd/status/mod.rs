//! `evenly status`: how running balancers stand, for people in 80 columns with the problems first,
//! for programs as the balancer tells it.

mod merged;
mod report;
mod table;
pub(super) mod view;
mod watch;
mod words;

use std::io::{self, Write};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Failure;
use super::asked::SOON;
use super::reach::{Balancer, Reach};
use crate::text::{Escaped, json_printable};
use view::View;

/// How a status is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Tables.
    #[default]
    Table,
    /// As the balancer tells it.
    Json,
    /// The backends' names, a line each.
    Names,
}

/// What each balancer said: the body of its answer, or why there is none.
type Said = Vec<(Balancer, Result<String, String>)>;

/// Shows how it stands, once or anew each time that `every` is over. Fails if a balancer cannot be
/// asked.
pub(super) fn run(reach: &Reach, shape: Shape, every: Option<Duration>) -> Result<(), Failure> {
    let balancers = reach.find()?;
    if let Some(every) = every {
        return watch::watch(&balancers, shape, every);
    }
    let said = ask(&balancers, SOON);
    let shown = show(&said, shape);
    let mut out = io::stdout().lock();
    out.write_all(shown.text.as_bytes())?;
    out.flush()?;
    match shown.failed {
        None => Ok(()),
        Some(_) if balancers.len() > 1 && shape != Shape::Names => Err(Failure::Told),
        Some(why) => Err(Failure::Run(why)),
    }
}

/// A status as text, and why it is not whole, if so.
struct Shown {
    text: String,
    failed: Option<String>,
}

fn show(said: &Said, shape: Shape) -> Shown {
    match shape {
        Shape::Json => Shown { text: json(said), failed: first_failure(said) },
        Shape::Table | Shape::Names => {
            let views: Vec<_> = said
                .iter()
                .map(|(balancer, body)| {
                    let view = body.as_ref().map_err(Clone::clone);
                    (balancer.name.clone(), view.and_then(|body| View::read(body)))
                })
                .collect();
            let failed = views.iter().find_map(|(_, view)| view.as_ref().err().cloned());
            let lines = match (&views[..], shape) {
                (_, Shape::Names) => names(&views),
                ([(_, Ok(view))], _) => report::lines(view),
                ([(_, Err(_))], _) => Vec::new(),
                _ => merged::lines(&views),
            };
            Shown { text: lines.iter().map(|line| format!("{line}\n")).collect(), failed }
        }
    }
}

/// Asks all at once: one that does not answer must not hold up the others.
fn ask(balancers: &[Balancer], within: Duration) -> Said {
    if let [only] = balancers {
        return vec![(only.clone(), only.status(within))];
    }
    let answers: Vec<_> = thread::scope(|scope| {
        let begin = |balancer: &'_ Balancer| {
            let balancer = balancer.clone();
            thread::Builder::new().spawn_scoped(scope, move || balancer.status(within))
        };
        let asked: Vec<_> = balancers.iter().map(begin).collect();
        asked.into_iter().map(heard).collect()
    });
    balancers.iter().cloned().zip(answers).collect()
}

fn heard(
    asked: io::Result<ScopedJoinHandle<'_, Result<String, String>>>,
) -> Result<String, String> {
    let asked = asked.map_err(|error| format!("no thread to ask with: {error}"))?;
    asked.join().unwrap_or_else(|_| Err("it was not asked to the end".to_owned()))
}

fn first_failure(said: &Said) -> Option<String> {
    said.iter().find_map(|(_, body)| body.as_ref().err().cloned())
}

/// One balancer's status as it comes; of several an object by their names.
fn json(said: &Said) -> String {
    match &said[..] {
        [(_, Ok(body))] => format!("{}\n", json_printable(body.trim_end())),
        [(_, Err(_))] => String::new(),
        _ => {
            let one = |(balancer, body): &(Balancer, Result<String, String>)| {
                let value = match body {
                    Ok(body) => serde_json::from_str(body).unwrap_or(Value::Null),
                    Err(why) => json!({ "error": why }),
                };
                (balancer.name.clone(), value)
            };
            let all: Map<String, Value> = said.iter().map(one).collect();
            format!("{}\n", json_printable(&Value::Object(all).to_string()))
        }
    }
}

/// Each name once, in the order of the file.
fn names(views: &[(String, Result<View, String>)]) -> Vec<String> {
    let mut names = Vec::new();
    for view in views.iter().filter_map(|(_, view)| view.as_ref().ok()) {
        for backend in view.pools.iter().flat_map(|pool| &pool.backends) {
            let name = Escaped(&backend.name).to_string();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}
