//! The lines that a process writes, gathered by a thread as they come.

use super::DEADLINE;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What has been written so far.
#[derive(Clone, Default)]
pub struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    text: Mutex<Text>,
    grown: Condvar,
}

#[derive(Default)]
struct Text {
    lines: Vec<String>,
    /// The writer has closed: no more will come.
    ended: bool,
}

impl Lines {
    /// Gathers what `source` says until it ends.
    pub fn of(source: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let shared = Arc::clone(&lines.0);
        thread::spawn(move || {
            let mut reader = BufReader::new(source);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                let said = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                shared.text.lock().unwrap().lines.push(said);
                shared.grown.notify_all();
                line.clear();
            }
            shared.text.lock().unwrap().ended = true;
            shared.grown.notify_all();
        });
        lines
    }

    pub fn all(&self) -> Vec<String> {
        self.0.text.lock().unwrap().lines.clone()
    }

    pub fn count(&self, part: &str) -> usize {
        self.0.text.lock().unwrap().lines.iter().filter(|line| line.contains(part)).count()
    }

    /// The first line that contains `part`; waits for it.
    pub fn wait(&self, part: &str) -> String {
        self.wait_nth(part, 1)
    }

    /// The `nth` line, from 1, that contains `part`; waits for it.
    pub fn wait_nth(&self, part: &str, nth: usize) -> String {
        let find = |text: &Text| {
            text.lines.iter().filter(|line| line.contains(part)).nth(nth - 1).cloned()
        };
        let text = self.0.text.lock().unwrap();
        let missing = |text: &mut Text| find(text).is_none() && !text.ended;
        let (text, _) = self.0.grown.wait_timeout_while(text, DEADLINE, missing).unwrap();
        let (found, lines) = (find(&text), text.lines.clone());
        drop(text);
        found.unwrap_or_else(|| panic!("no line {nth} with {part:?} in {lines:#?}"))
    }

    /// Everything, once the writer has closed.
    pub fn complete(&self) -> Vec<String> {
        let text = self.0.text.lock().unwrap();
        let open = |text: &mut Text| !text.ended;
        let text = self.0.grown.wait_timeout_while(text, DEADLINE, open).unwrap().0;
        let (ended, lines) = (text.ended, text.lines.clone());
        drop(text);
        assert!(ended, "the process still writes: {lines:#?}");
        lines
    }
}
