//! BIRD on each balancer tells a router of the floating address, by deploy/ha/bird.conf, while
//! deploy/ha/evenly-route finds Evenly ready.

use crate::harness::{Process, eventually};
use crate::load::Load;
use crate::pair::{Balancers, ONE, Side, TWO};
use crate::world::{is_inside, run, shipped};
use rustix::process::Signal;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

const FLOATING: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);
const PROGRAMS: [&str; 5] = ["bird", "birdc", "nsenter", "ip", "timeout"];

/// The router, of which both machines are neighbours. It shares flows out over all that it is told.
const ROUTER: &str = "log stderr all;
router id 192.0.2.1;
protocol device { }
protocol kernel { ipv4 { import none; export all; }; merge paths yes; }
protocol bfd { interface \"lan\" { interval 200 ms; multiplier 3; }; }
template bgp balancer {
    local as 64513; direct; bfd; connect delay time 1; connect retry time 5; error wait time 1, 10;
    ipv4 { import all; export none; };
}
protocol bgp one from balancer { neighbor 192.0.2.11 as 64512; }
protocol bgp two from balancer { neighbor 192.0.2.12 as 64512; }
";

/// BIRD and evenly-route on a machine.
struct Announcer {
    bird: Process,
    route: Process,
}

impl Announcer {
    fn on(side: &Side, pair: &Balancers, own: Ipv4Addr) -> Self {
        let machine = &side.machine;
        machine.run(&format!("ip address add {FLOATING}/32 dev lo"));
        let text = shipped("bird.conf").replace("192.0.2.11", &own.to_string());
        let text = text.replace("log syslog", "log stderr");
        let file = pair.scratch.write(&format!("bird-{}.conf", machine.name), text);
        let bird = machine.start("bird", &["-f", "-c", file.to_str().unwrap()]);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/ha/evenly-route");
        Self { bird, route: machine.start(script, &[]) }
    }
}

/// By whom the router reaches the floating address: its kernel's table.
fn ways() -> Vec<Ipv4Addr> {
    let shown = run(Command::new("ip").args(["route", "show", &FLOATING.to_string()]));
    [ONE, TWO].into_iter().filter(|way| shown.contains(&format!("via {way} "))).collect()
}

fn are(expected: &[Ipv4Addr]) {
    eventually(&format!("the router's ways are {expected:?}"), || ways() == expected);
}

#[test]
fn a_route_is_there_while_evenly_is_ready_and_no_longer() {
    if !is_inside("routes::a_route_is_there_while_evenly_is_ready_and_no_longer", &PROGRAMS) {
        return;
    }
    let mut pair = Balancers::new();
    let file = pair.scratch.write("router.conf", ROUTER);
    let _router =
        Process::start(Command::new("bird").arg("-f").arg("-c").arg(file), Path::new("/"));
    let mut one = Announcer::on(&pair.one, &pair, ONE);
    let two = Announcer::on(&pair.two, &pair, TWO);
    are(&[ONE, TWO]);
    let load = Load::on(FLOATING);
    // It serves on when its route goes.
    pair.one.evenly.signal(Signal::TERM);
    are(&[TWO]);
    assert!(pair.one.evenly.is_running(), "it has ended before its route went");
    load.strike(|| {});
    load.goes_on();
    pair.one.kill();
    pair.one.again();
    are(&[ONE, TWO]);
    // Whoever reconfigures BIRD changes nothing of it.
    for _ in 0..3 {
        pair.one.machine.run("birdc configure");
        assert_eq!(ways(), [ONE, TWO]);
    }
    pair.one.kill();
    are(&[TWO]);
    pair.one.machine.run("birdc configure");
    pair.one.again();
    are(&[ONE, TWO]);
    // A BIRD that starts anew finds the route where it was.
    one.bird.signal(Signal::KILL);
    are(&[TWO]);
    one.bird.wait();
    one.bird = Announcer::bird_again(&pair);
    are(&[ONE, TWO]);
    // Nobody looks any more, so nothing is announced.
    one.route.signal(Signal::TERM);
    are(&[TWO]);
    // BFD notices what no interface tells.
    pair.two.machine.partition(true);
    are(&[]);
    drop((load.stop(), two));
}

impl Announcer {
    fn bird_again(pair: &Balancers) -> Process {
        let file = pair.scratch.path().join("bird-one.conf");
        pair.one.machine.start("bird", &["-f", "-c", file.to_str().unwrap()])
    }
}
