//! Nobody is left: a call that may wait hangs around until somebody is well again.

use crate::harness::{Backend, DEADLINE, Gate, Vacant, eventually, serve, timed};
use crate::{CHECKED_ONCE, NO_CHECKS, asked, client};
use evenly::client::{Client, Error, Request, Step};
use evenly::lab::backend::{Demo, DemoOptions};
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Duration;

/// Longer than any test needs.
const LONG: Duration = Duration::from_secs(30);

fn demo(instances: u16) -> (Demo, Vec<u16>) {
    let listen = ([127, 0, 0, 1], 0).into();
    let demo = Demo::start(&DemoOptions { listen, instances, ..DemoOptions::default() }).unwrap();
    let ports = demo.addresses().iter().map(|address| address.port()).collect();
    (demo, ports)
}

/// Calls, and acts once the call has begun to wait.
fn ask_and_while_waiting(client: &Client, act: impl FnOnce()) -> Result<String, Error> {
    let mut act = Some(act);
    let mut tell = |step| {
        if matches!(step, Step::Waiting(_))
            && let Some(act) = act.take()
        {
            act();
        }
    };
    client.send_told(&Request::new("GET", "/"), &mut tell).map(|answer| answer.backend().to_owned())
}

#[test]
fn a_call_that_waits_is_served_when_one_comes_back() {
    let (demo, ports) = demo(2);
    (0..2).for_each(|index| assert!(!demo.flip(index)));
    // The checks of the interval never come: those of the wait alone find out.
    let client = client(&[&ports[0], &ports[1]], &CHECKED_ONCE).with_wait(LONG);
    let served = ask_and_while_waiting(&client, || assert!(demo.flip(1)));
    assert_eq!(served.unwrap(), "B");
}

#[test]
fn without_checks_it_is_the_request_itself_that_finds_out() {
    let vacant = Mutex::new(Some(Vacant::new()));
    let opened = Mutex::new(None);
    let port = crate::Place::port(vacant.lock().unwrap().as_ref().unwrap());
    let client = client(&[&port], &NO_CHECKS).with_wait(LONG);
    let served = ask_and_while_waiting(&client, || {
        let vacant = vacant.lock().unwrap().take().unwrap();
        *opened.lock().unwrap() = Some(vacant.open(serve));
    });
    assert_eq!(served.unwrap(), "A");
    assert_eq!(asked(opened.lock().unwrap().as_ref().unwrap()).len(), 1);
}

#[test]
fn many_callers_wait_together_and_all_are_served() {
    let (demo, ports) = demo(1);
    demo.flip(0);
    let client = client(&[&ports[0]], &CHECKED_ONCE).with_wait(LONG);
    let wait = || ask_and_while_waiting(&client, || ());
    std::thread::scope(|scope| {
        let callers = [0; 8].map(|_| scope.spawn(wait));
        assert!(ask_and_while_waiting(&client, || assert!(demo.flip(0))).is_ok());
        callers.into_iter().for_each(|caller| assert!(caller.join().unwrap().is_ok()));
    });
}

#[test]
fn a_call_that_waits_leaves_pauses_between_its_tries() {
    let dead = Vacant::new();
    let wait = Duration::from_millis(500);
    let client = client(&[&dead], &NO_CHECKS).with_wait(wait);
    let mut tries = 0;
    let mut count = |step| tries += u32::from(matches!(step, Step::Using(_)));
    assert!(client.send_told(&Request::new("GET", "/"), &mut count).is_err());
    assert!((2..=5).contains(&tries), "pauses of 100 ms, 200 ms and so on: {tries} tries");
}

#[test]
fn a_wait_ends_and_says_how_long_it_was() {
    let dead = Vacant::new();
    let wait = Duration::from_millis(300);
    let client = client(&[&dead], &CHECKED_ONCE).with_wait(wait);
    let (result, took) = timed(|| client.get("/"));
    let Err(Error::NoneLeft { skipped, waited }) = result else {
        panic!("{result:?}");
    };
    assert!((wait..DEADLINE).contains(&waited) && waited <= took, "{waited:?} {took:?}");
    assert_eq!(skipped.len(), 1);
}

#[test]
fn a_call_that_finds_all_places_taken_waits_for_one() {
    let (entered, leave) = (Gate::new(), Gate::new());
    let gates = (entered.clone(), leave.clone());
    let busy = Backend::every(move |wire| {
        while let Some(request) = wire.request() {
            if request.target() == "/slow" {
                gates.0.open();
                gates.1.pass();
            }
            wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let text = format!(
        "[[applications]]\nname = \"A\"\nip = \"127.0.0.1\"\nport = {}\nmax_connections = 1\n\
         [health]\ninterval = \"off\"\n[queue]\ntimeout = \"60s\"\n",
        crate::Place::port(&busy)
    );
    let scratch = crate::harness::Scratch::new();
    let client = Client::from_file(scratch.write("a.toml", text)).unwrap();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| client.get("/slow").unwrap().status());
        entered.pass();
        let served = ask_and_while_waiting(&client, || leave.open());
        assert_eq!((served.unwrap().as_str(), slow.join().unwrap()), ("A", 200));
    });
}

/// They are checked side by side: a hundred that are silent for 1 s would take 12 s by eights.
#[test]
fn silent_backends_delay_no_news_of_a_good_one() {
    let (demo, ports) = demo(1);
    assert!(!demo.flip(0));
    let silent = TcpListener::bind("0.0.0.0:0").unwrap();
    rustix::net::listen(&silent, 4096).unwrap();
    let port = silent.local_addr().unwrap().port();
    let crowd = (0..100).map(|number| format!("127.0.1.{number}:{port}"));
    let places: Vec<String> = crowd.chain([format!("127.0.0.1:{}", ports[0])]).collect();
    let keys = [("health.interval", "100ms"), ("health.timeout", "1s")];
    // The first round ends by itself: at its end all that are silent are known to be down.
    let (client, took) = timed(|| numbered(&places, &keys));
    assert!(took < Duration::from_secs(1) * 8, "{took:?}");
    assert!(client.usable().is_empty(), "{:?}", client.usable());
    assert!(demo.flip(0));
    eventually("the good one is up", || client.usable() == ["100"]);
}

/// A client of these places, called 0, 1 and so on.
fn numbered(places: &[String], keys: &[(&str, &str)]) -> Client {
    let named = places
        .iter()
        .enumerate()
        .fold(Client::builder(), |all, (number, place)| all.backend(&number.to_string(), place));
    keys.iter().fold(named, |all, (key, value)| all.set(key, value)).build().unwrap()
}
