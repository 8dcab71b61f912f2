//! `evenly serve`: balance, until told to stop.

use super::Failure;
#[cfg(feature = "admin")]
use crate::balancer::tell_predecessor;
use crate::balancer::{Balancer, Signals};
use crate::config::Source;

/// Runs a balancer in the foreground. Fails if it cannot be started.
pub fn run(source: &Source) -> Result<(), Failure> {
    let balancer = start(source);
    #[cfg(feature = "admin")]
    balancer.as_ref().err().iter().for_each(|why| tell_predecessor(&why.to_string()));
    balancer?.run();
    Ok(())
}

fn start(source: &Source) -> Result<Balancer, Failure> {
    let signals = Signals::listen()?;
    let (config, warnings) = source.load()?;
    let balancer = Balancer::start(config, Some(source.clone()), signals)?;
    warnings.iter().for_each(|warning| balancer.warn(warning));
    Ok(balancer)
}
