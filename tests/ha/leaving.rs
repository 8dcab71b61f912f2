//! The machine that has the address gives it up because it is told to.

use crate::aware::Aware;
use crate::load::{CLIENTS, Load};
use crate::pair::{Balancers, FLOATING, PROGRAMS};
use crate::world::is_inside;
use rustix::process::Signal;

#[test]
fn told_to_stop_a_balancer_serves_until_its_address_has_moved() {
    if !is_inside("leaving::told_to_stop_a_balancer_serves_until_its_address_has_moved", &PROGRAMS)
    {
        return;
    }
    let mut pair = Balancers::floating();
    let (load, aware) = (Load::on(FLOATING), Aware::new());
    load.strike(|| pair.one.evenly.signal(Signal::TERM));
    pair.two.machine.awaits(FLOATING);
    assert!(pair.one.evenly.is_running(), "it has ended before its address moved");
    load.goes_on();
    let toll = load.stop();
    toll.tell("told to stop");
    // Whoever waits for an answer at that moment is cut off, and nobody else.
    assert!(toll.failures.len() <= CLIENTS, "{toll:?}");
    aware.lost_nothing();
}

#[test]
fn step_aside_moves_the_address_and_no_request_is_lost() {
    let programs = [&PROGRAMS[..], &["nft"]].concat();
    if !is_inside("leaving::step_aside_moves_the_address_and_no_request_is_lost", &programs) {
        return;
    }
    let mut pair = Balancers::floating();
    let (load, aware) = (Load::on(FLOATING), Aware::new());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/ha/step-aside");
    let id = pair.one.evenly.id().to_string();
    let words = [&FLOATING.to_string(), "kill", "-TERM", &id];
    let aside = pair.one.machine.start(script, &words);
    assert_eq!(load.strike(|| aside.finish()).0, Some(0));
    assert!(pair.one.evenly.is_running(), "it has ended before its address moved");
    load.goes_on();
    assert!(pair.two.machine.has(FLOATING));
    assert_eq!(pair.one.machine.run("nft list ruleset"), "", "what it held back goes on");
    let toll = load.stop();
    toll.tell("step-aside");
    toll.is_nothing();
    aware.lost_nothing();
}
