//! `evenly reload`, `diff` and `upgrade`: a running balancer reads its file anew, says what that
//! would change, or has a new program take over. What is wrong with the file is said by the
//! balancer, whose answer ends the command with 1.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::asked::{LATE, Outcomes, change, each, in_words};
use super::reach::{Purpose, Reach};
use super::{Failure, failed};
use crate::admin::ask::Question;

/// What a reload would change of the file.
const DIFF: Question<'_> = Question { method: "GET", path: "/diff", body: b"", within: LATE };
/// What a balancer calls a file that it was sent.
const GIVEN: &str = "(given)";
/// As much as the endpoint takes.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Has the file read anew.
pub(super) fn reload(reach: &Reach) -> Result<(), Failure> {
    each(reach, &change("/reload", LATE))
}

/// Has a new process of the program take over.
pub(super) fn upgrade(reach: &Reach) -> Result<(), Failure> {
    each(reach, &change("/upgrade", LATE))
}

/// Asks what a reload would change: of the balancer's file, or of this one in its place.
pub(super) fn diff(reach: &Reach, file: Option<&Path>) -> Result<(), Failure> {
    let Some(file) = file else { return each(reach, &DIFF) };
    let question = Question { method: "POST", body: &text(file)?, ..DIFF };
    let balancers = reach.find(Purpose::Steer)?;
    let mut outcomes = Outcomes::of(&balancers);
    for balancer in &balancers {
        let said = balancer.tell(&question);
        // It was sent a text, and knows no name for it.
        let said = said.map_err(|why| why.replace(GIVEN, &file.display().to_string()));
        outcomes.heard(balancer, said, in_words);
    }
    outcomes.end()
}

/// The text of a file, or of standard input, which is called `-`.
fn text(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let source: io::Result<Box<dyn Read>> = match file.to_str() {
        Some("-") => Ok(Box::new(io::stdin())),
        _ => File::open(file).map(|file| Box::new(file) as Box<dyn Read>),
    };
    let name = file.display();
    let read = source.and_then(|source| source.take(TEXT_BYTES_MAX + 1).read_to_end(&mut text));
    read.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::Run(format!("{name} is not there; name a file, or - for standard input"))
        }
        _ => failed(&format!("{name} cannot be read"))(error),
    })?;
    match text.len() as u64 {
        0 => Err(Failure::Run(format!("{name} is empty"))),
        length if length > TEXT_BYTES_MAX => {
            Err(Failure::Run(format!("{name} is longer than 1 MiB, so it is no configuration")))
        }
        _ => Ok(text),
    }
}
