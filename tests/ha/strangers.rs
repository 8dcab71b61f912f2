//! What others have met with floating addresses, on this pair.

use crate::harness::eventually;
use crate::load::{CLIENTS, Load};
use crate::pair::{Balancers, FLOATING, PROGRAMS};
use crate::world::{is_inside, shipped};
use rustix::process::{Signal, kill_process};

/// Only this machine of the pair has the address.
fn is_at_one_alone(pair: &Balancers) {
    eventually("the first has it, and it alone", || {
        pair.one.machine.has(FLOATING) && !pair.two.machine.has(FLOATING)
    });
}

/// After a split neither machine need have lost its address: clients must be led to the one that
/// keeps it all the same (acassen/keepalived issues 14, 20, 160, 166, 277, 2066).
#[test]
fn after_a_split_one_has_the_address_and_clients_find_it() {
    let programs = [&PROGRAMS[..], &["nft"]].concat();
    if !is_inside("strangers::after_a_split_one_has_the_address_and_clients_find_it", &programs) {
        return;
    }
    let pair = Balancers::floating();
    let load = Load::on(FLOATING);
    pair.one.machine.partition(true);
    pair.two.machine.awaits(FLOATING);
    load.strike(|| {});
    load.goes_on();
    assert!(pair.one.machine.has(FLOATING), "it was told of the split");
    load.strike(|| pair.one.machine.partition(false));
    is_at_one_alone(&pair);
    load.goes_on();
    // A machine that stood still for a while, as while it is moved, believes to have it still.
    let vrrp = pair.one.vrrp();
    kill_process(vrrp, Signal::STOP).unwrap();
    pair.two.machine.awaits(FLOATING);
    load.goes_on();
    load.strike(|| kill_process(vrrp, Signal::CONT).unwrap());
    is_at_one_alone(&pair);
    load.goes_on();
    // Where clients hear both machines, and these not each other, the newcomer serves; when they
    // do again, it may leave before the other has heard of it and has told the clients anew.
    let chain = |hook| {
        format!("chain {hook} {{ type filter hook {hook} priority 0; ip protocol vrrp drop; }}")
    };
    let (input, output) = (chain("input"), chain("output"));
    let deaf = format!("table inet deaf {{ {input}; {output}; }}");
    pair.two.machine.run(&format!("nft '{deaf}'"));
    pair.two.machine.awaits(FLOATING);
    load.goes_on();
    assert!(pair.one.machine.has(FLOATING), "it has heard of the other");
    load.strike(|| pair.two.machine.run("nft delete table inet deaf"));
    is_at_one_alone(&pair);
    load.goes_on();
    load.stop().found_in_time();
}

/// keepalived leaves the address where it was when it is killed (acassen/keepalived issue 2361),
/// and takes it from there when it starts anew.
#[test]
fn a_killed_keepalived_leaves_its_address_until_it_starts_again() {
    let test = "strangers::a_killed_keepalived_leaves_its_address_until_it_starts_again";
    if !is_inside(test, &PROGRAMS) {
        return;
    }
    let mut pair = Balancers::floating();
    let load = Load::on(FLOATING);
    let child = pair.one.vrrp();
    let mut keepalived = pair.one.keepalived.take().unwrap();
    // Held, as it would go when its parent does, and take the address along.
    kill_process(child, Signal::STOP).unwrap();
    keepalived.signal(Signal::KILL);
    keepalived.wait();
    kill_process(child, Signal::KILL).unwrap();
    pair.two.machine.awaits(FLOATING);
    assert!(pair.one.machine.has(FLOATING), "who has taken it away?");
    load.goes_on();
    pair.one.keepalived(&pair.scratch, &shipped("keepalived-one.conf"));
    eventually("the second alone has it", || !pair.one.machine.has(FLOATING));
    load.goes_on();
    assert!(pair.two.machine.has(FLOATING));
    let toll = load.stop();
    // Each connection to the one before ended once.
    assert!(toll.failures.len() <= CLIENTS, "{toll:?}");
}

/// Whatever is read anew (acassen/keepalived issues 366, 1555, 2037), the address stays.
#[test]
fn reloads_and_upgrades_move_no_address_and_lose_no_request() {
    let test = "strangers::reloads_and_upgrades_move_no_address_and_lose_no_request";
    if !is_inside(test, &PROGRAMS) {
        return;
    }
    let pair = Balancers::floating();
    let load = Load::on(FLOATING);
    for side in [&pair.one, &pair.two] {
        side.keepalived.as_ref().unwrap().signal(Signal::HUP);
        side.evenly.signal(Signal::HUP);
        side.evenly.said.wait(" reloaded");
    }
    for side in [&pair.one, &pair.two] {
        let upgrade = "evenly upgrade --socket /run/evenly/evenly-80.sock";
        side.machine.run(upgrade);
        load.goes_on();
    }
    // As long as keepalived would take to give it up.
    let checks = |side: &crate::pair::Side| side.told("VRRP_Script(evenly) failed");
    let until = load.answers() + 400 * CLIENTS;
    eventually("four seconds of answers", || load.answers() > until);
    assert_eq!([&pair.one, &pair.two].map(checks), [0, 0]);
    is_at_one_alone(&pair);
    load.stop().is_nothing();
}

/// An Evenly that hangs is found by the check's time limit (acassen/keepalived issue 1364), an
/// interface that is set down by keepalived itself, and comes back (kube-vip/kube-vip issue 173).
#[test]
fn a_hanging_evenly_and_an_interface_set_down_lose_the_address() {
    let test = "strangers::a_hanging_evenly_and_an_interface_set_down_lose_the_address";
    if !is_inside(test, &PROGRAMS) {
        return;
    }
    let pair = Balancers::floating();
    let load = Load::on(FLOATING);
    load.strike(|| pair.one.evenly.signal(Signal::STOP));
    load.goes_on();
    pair.one.evenly.signal(Signal::CONT);
    pair.one.keepalived.as_ref().unwrap().said.wait("Entering BACKUP STATE");
    load.strike(|| pair.two.machine.run("ip link set eth0 down"));
    load.goes_on();
    is_at_one_alone(&pair);
    pair.two.machine.run("ip link set eth0 up");
    load.strike(|| pair.one.machine.run("ip link set eth0 down && ip link set eth0 up"));
    load.goes_on();
    let holders = [&pair.one, &pair.two].map(|side| usize::from(side.machine.has(FLOATING)));
    assert_eq!(holders[0] + holders[1], 1, "{holders:?}");
    drop(load.stop());
}
