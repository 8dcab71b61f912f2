//! `evenly serve`: balance, until told to stop.

use super::balancer::Balancer;
use super::signals::Signals;
use super::{Failure, Source};

/// Runs a balancer in the foreground. Fails if it cannot be started.
pub fn run(source: &Source) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let config = source.load()?;
    let warning = source.warning(&config);
    let balancer = Balancer::start(config, signals)?;
    warning.iter().for_each(|warning| balancer.warn(warning));
    balancer.run();
    Ok(())
}
