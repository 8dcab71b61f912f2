//! `evenly serve`: balance, until told to stop.

use super::Failure;
use super::balancer::Balancer;
use crate::config::Config;

/// Runs a balancer in the foreground. Fails if it cannot be started.
pub fn run(config: Config) -> Result<(), Failure> {
    Balancer::start(config)?.run();
    Ok(())
}
