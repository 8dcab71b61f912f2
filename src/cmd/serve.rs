//! `evenly serve`: balance, until told to stop.

use super::Failure;
use crate::balancer::{Balancer, Signals};
use crate::config::Source;

/// Runs a balancer in the foreground. Fails if it cannot be started.
pub fn run(source: &Source) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let (config, warnings) = source.load()?;
    let balancer = Balancer::start(config, Some(source.clone()), signals)?;
    warnings.iter().for_each(|warning| balancer.warn(warning));
    balancer.run();
    Ok(())
}
