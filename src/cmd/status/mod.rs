//! `evenly status`: how running balancers stand, for people with the problems first, for programs
//! as the balancer tells it.

mod merged;
mod report;
mod table;
pub(super) mod view;
mod watch;

use std::io::{self, Write};
use std::time::Duration;

use super::Failure;
use super::asked::{SOON, question};
use super::reach::{Balancer, Purpose, Reach};
use super::said::{Said, ask_all, json};
use super::terminal::columns;
use crate::text::Escaped;
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

/// Shows how it stands, once or anew each time that `every` is over. Fails if a balancer cannot be
/// asked.
pub(super) fn run(reach: &Reach, shape: Shape, every: Option<Duration>) -> Result<(), Failure> {
    let balancers = reach.find(Purpose::Show)?;
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
                ([(_, Ok(view))], _) => report::lines(view, columns()),
                ([(_, Err(_))], _) => Vec::new(),
                _ => merged::lines(&views, columns()),
            };
            Shown { text: lines.iter().map(|line| format!("{line}\n")).collect(), failed }
        }
    }
}

fn ask(balancers: &[Balancer], within: Duration) -> Said {
    ask_all(balancers, &question("/status", within))
}

fn first_failure(said: &Said) -> Option<String> {
    said.iter().find_map(|(_, body)| body.as_ref().err().cloned())
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
