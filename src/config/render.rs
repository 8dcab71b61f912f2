//! The effective configuration as TOML that reads back to the same. Called by `evenly check`.

use super::Config;
use super::applications::Application;
use super::message::quote;
use super::table::Table;

impl Config {
    /// Every key with its value; one that is not set is shown as a comment.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for spec in &self.applications {
            write(&mut out, "[[applications]]", &mut Application::from(spec));
        }
        // Visiting takes a `&mut`, as reading does; a copy is cheaper than a second visitor.
        for (name, table) in self.clone().tables() {
            write(&mut out, &format!("[{name}]"), table);
        }
        out
    }
}

fn write(out: &mut String, heading: &str, table: &mut dyn Table) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!("{heading}\n"));
    table.each(&mut |key, field| {
        out.push_str(&match field.write() {
            Some(value) => format!("{key} = {value}\n"),
            None => format!("# {key} = {}\n", quote(field.default())),
        });
    });
}
