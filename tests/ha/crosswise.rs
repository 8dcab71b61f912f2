//! Two floating addresses, of which each machine has one and takes the other's over.

use crate::harness::eventually;
use crate::load::Load;
use crate::pair::{Balancers, FLOATING, PROGRAMS};
use crate::world::{is_inside, shipped};
use std::net::Ipv4Addr;

const SECOND: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);

#[test]
fn each_machine_has_one_address_and_takes_over_the_others() {
    if !is_inside("crosswise::each_machine_has_one_address_and_takes_over_the_others", &PROGRAMS) {
        return;
    }
    let mut pair = Balancers::new();
    let file = |name| shipped(name).replace("preempt_delay 60", "preempt_delay 2");
    let (first, second) =
        (file("crosswise/keepalived-one.conf"), file("crosswise/keepalived-two.conf"));
    pair.one.keepalived(&pair.scratch, &first);
    pair.two.keepalived(&pair.scratch, &second);
    are_at_home(&pair);
    let (at_one, at_two) = (Load::on(FLOATING), Load::on(SECOND));
    at_two.strike(|| pair.two.kill());
    pair.one.machine.awaits(SECOND);
    at_two.moved();
    at_two.goes_on();
    for address in [FLOATING, SECOND] {
        assert!(pair.one.machine.has(address) && !pair.two.machine.has(address), "{address}");
    }
    // Who has the other address notices nothing of it.
    at_one.stop().is_nothing();
    let toll = at_two.stop();
    toll.lies_within_the_gap();
    toll.moved_in_time();
    // Each goes home when its machine has been well for a while.
    pair.two.again();
    are_at_home(&pair);
    Load::on(SECOND).stop().is_nothing();
}

/// For a moment while one moves, both machines may have it.
fn are_at_home(pair: &Balancers) {
    let (one, two) = (&pair.one.machine, &pair.two.machine);
    eventually("each machine has its own address alone", || {
        one.has(FLOATING) && two.has(SECOND) && !one.has(SECOND) && !two.has(FLOATING)
    });
}
