//! Every command of docs/operating.md, run as the page has it.
//!
//! Each recipe (a heading of the second level) has a world of its own: a folder with an
//! `applications.toml`, three demo applications, and a balancer that runs. In a block marked
//! `console`, a line that begins with `$ ` is a command, given to bash; what stands below it is
//! what it prints, where `...` is anything, also several lines. A command that fails fails the
//! test, unless the page says so: `# exit 1` behind it.

#![cfg(all(feature = "admin", feature = "lab"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, unused_imports, reason = "the relay's tests use the rest of it")]
#[path = "../relay/harness/mod.rs"]
mod harness;

mod page;
mod world;

use page::{Recipe, matches};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use world::World;

const PAGE: &str = include_str!("../../docs/operating.md");
/// Recipes that are tried at a time.
const HANDS: usize = 4;

#[test]
fn every_command_of_the_page_does_what_the_page_says() {
    let recipes = Recipe::all(PAGE);
    assert!(recipes.len() >= 12, "{} recipes", recipes.len());
    let next = AtomicUsize::new(0);
    let failed: Vec<String> = thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            while let Some(recipe) = recipes.get(next.fetch_add(1, Ordering::Relaxed)) {
                failed.extend(trial(recipe).err());
            }
            failed
        };
        let hands: Vec<_> = (0..HANDS).map(|_| scope.spawn(work)).collect();
        hands.into_iter().flat_map(|hand| hand.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Follows a recipe; what differs, if anything does.
fn trial(recipe: &Recipe) -> Result<(), String> {
    assert!(!recipe.steps.is_empty(), "{}: a recipe without a command", recipe.title);
    let mut world = World::begin(recipe);
    for step in &recipe.steps {
        let (code, printed) = world.run(&step.command);
        let printed = world.as_on_the_page(&printed);
        let is_as_said = code == Some(step.exit) && matches(&step.output, &printed);
        if !is_as_said {
            return Err(format!(
                "docs/operating.md, \"{}\":\n$ {}\nexpected (exit {}):\n{}\n\
                 printed (exit {code:?}):\n{}\nthe balancer said:\n{}",
                recipe.title,
                step.command,
                step.exit,
                step.output.join("\n"),
                printed.join("\n"),
                world.said(),
            ));
        }
    }
    Ok(())
}
