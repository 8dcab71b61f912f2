//! What several balancers said to one question, asked all at once: one that does not answer must
//! not hold up the others. The commands that show something call it.

use std::io;
use std::thread::{self, ScopedJoinHandle};

use serde_json::{Map, Value, json};

use super::reach::Balancer;
use crate::admin::ask::Question;
use crate::text::json_printable;

/// What each balancer said: the body of its answer, or why there is none.
pub(super) type Said = Vec<(Balancer, Result<String, String>)>;

/// Asks all of them this.
pub(super) fn ask_all(balancers: &[Balancer], question: &Question<'_>) -> Said {
    if let [only] = balancers {
        return vec![(only.clone(), only.ask(question))];
    }
    let answers: Vec<_> = thread::scope(|scope| {
        let begin = |balancer: &'_ Balancer| {
            let (balancer, question) = (balancer.clone(), *question);
            thread::Builder::new().spawn_scoped(scope, move || balancer.ask(&question))
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

/// One balancer's answer as it comes; of several an object by their names.
pub(super) fn json(said: &Said) -> String {
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
