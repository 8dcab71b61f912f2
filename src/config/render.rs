//! The effective configuration as TOML that reads back to the same. Called by `evenly check`.

use super::Config;
use super::applications::Application;
use super::message::quote;
use super::table::{Field, Table};

/// What stands for a secret. As one it is too short: whoever reads the file back is told so, and
/// has none that all the world knows.
const HIDDEN: &str = "(hidden)";

impl Config {
    /// Every key with its value; one that is not set is shown as a comment.
    pub fn render(&self) -> String {
        self.text(false)
    }

    /// The same for others to see: it does not read back where there is a secret.
    pub fn show(&self) -> String {
        self.text(true)
    }

    /// The keys whose values are secret, as `table.key`.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = Vec::new();
        for (name, table) in self.clone().tables() {
            table.each(&mut |key, field| {
                if holds_secret(field) {
                    secrets.push(format!("{name}.{key}"));
                }
            });
        }
        secrets
    }

    fn text(&self, hides: bool) -> String {
        let mut out = String::new();
        for spec in &self.applications {
            write(&mut out, "[[applications]]", &mut Application::from(spec), hides);
        }
        // Visiting takes a `&mut`, as reading does; a copy is cheaper than a second visitor.
        for (name, table) in self.clone().tables() {
            write(&mut out, &format!("[{name}]"), table, hides);
        }
        out
    }
}

/// An empty one is none.
fn holds_secret(field: &dyn Field) -> bool {
    let is_empty = |value: &str| [r#""""#, "[]"].contains(&value);
    field.is_secret() && field.write().is_some_and(|value| !is_empty(&value))
}

fn write(out: &mut String, heading: &str, table: &mut dyn Table, hides: bool) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!("{heading}\n"));
    table.each(&mut |key, field| {
        let value = match hides && holds_secret(field) {
            true => Some(quote(HIDDEN)),
            false => field.write(),
        };
        out.push_str(&match value {
            Some(value) => format!("{key} = {value}\n"),
            None => format!("# {key} = {}\n", quote(field.default())),
        });
    });
}
