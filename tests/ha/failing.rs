//! The machine that has the address loses its Evenly, or its cable.

use crate::aware::Aware;
use crate::load::Load;
use crate::pair::{Balancers, FLOATING, PROGRAMS};
use crate::world::is_inside;

#[test]
fn a_killed_evenly_costs_the_requests_in_flight_and_its_address_moves() {
    if !is_inside(
        "failing::a_killed_evenly_costs_the_requests_in_flight_and_its_address_moves",
        &PROGRAMS,
    ) {
        return;
    }
    let mut pair = Balancers::floating();
    let (load, aware) = (Load::on(FLOATING), Aware::new());
    load.strike(|| pair.one.kill());
    pair.two.machine.awaits(FLOATING);
    load.moved();
    load.goes_on();
    assert!(!pair.one.machine.has(FLOATING));
    // It stays where it is when the first is well again: moving costs requests.
    pair.one.again();
    pair.one.keepalived.as_ref().unwrap().said.wait("Entering BACKUP STATE");
    load.goes_on();
    assert!(pair.two.machine.has(FLOATING) && !pair.one.machine.has(FLOATING));
    let toll = load.stop();
    toll.tell("Evenly killed");
    toll.lies_within_the_gap();
    toll.moved_in_time();
    aware.lost_nothing();
}

#[test]
fn a_cable_that_is_pulled_costs_the_requests_in_flight_and_the_address_moves() {
    if !is_inside(
        "failing::a_cable_that_is_pulled_costs_the_requests_in_flight_and_the_address_moves",
        &PROGRAMS,
    ) {
        return;
    }
    let pair = Balancers::floating();
    let (load, aware) = (Load::on(FLOATING), Aware::new());
    load.strike(|| pair.one.machine.cable("down"));
    pair.two.machine.awaits(FLOATING);
    load.moved();
    load.goes_on();
    let toll = load.stop();
    toll.tell("the cable pulled");
    toll.lies_within_the_gap();
    toll.moved_in_time();
    aware.lost_nothing();
}
