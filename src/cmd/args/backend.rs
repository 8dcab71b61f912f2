//! The arguments of `evenly backend`.

use lexopt::prelude::*;
use lexopt::{Error, Parser};

use super::{everywhere, number, text};
use crate::cmd::Command;
use crate::lab::backend::DemoOptions;

/// Options that only it knows.
pub(super) const OPTIONS: [&str; 4] = ["--name", "--instances", "--seed", "--unhealthy"];

/// What follows the command's name.
pub(super) fn parse(parser: &mut Parser) -> Result<Command, Error> {
    let mut options = DemoOptions::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("listen") => {
                options.listen = number(parser, "--listen", "an address such as 127.0.0.1:9001")?;
            }
            Long("name") => options.name = text(parser)?,
            Long("instances") => {
                options.instances = number(parser, "--instances", "a number from 1 to 65535")?;
            }
            Long("seed") => options.seed = number(parser, "--seed", "a whole number")?,
            Long("unhealthy") => options.unhealthy = true,
            other => return everywhere(other),
        }
    }
    let DemoOptions { listen, instances, .. } = &options;
    if *instances == 0 {
        return Err("--instances 0 starts nothing; give it at least 1".into());
    }
    if listen.port() != 0 && listen.port().checked_add(instances - 1).is_none() {
        return Err(format!("--instances {instances} from {listen} on go beyond port 65535").into());
    }
    Ok(Command::Backend(options))
}
