//! The command line of `evenly alert-test`.

use std::ffi::OsString;

use lexopt::Parser;
use lexopt::prelude::*;

use super::{everywhere, said_by, set, text};
use crate::cmd::{Command, Failure};
use crate::config::Source;

pub(super) fn parse(
    parser: &mut Parser,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, Failure> {
    let Source { mut path, mut overrides } = said_by(variables)?;
    let mut name = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Short('c') | Long("config") => path = parser.value()?.into(),
            Long("set") => set(&mut overrides, &text(parser)?)?,
            Value(word) if name.is_none() => name = Some(word.string()?),
            other => return Ok(everywhere(other)?),
        }
    }
    Ok(Command::AlertTest(Source { path, overrides }, name))
}
