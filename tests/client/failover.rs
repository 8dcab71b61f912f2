//! Who is asked, who is spared, and what is sent again.

use crate::harness::{Backend, Overrun, Place, Vacant, Wire, has_few_ports};
use crate::{CHECKED_ONCE, NO_CHECKS, asked, client};
use evenly::client::{Client, Error, GaveUp, Request, Step};
use evenly::config::Config;
use evenly::lab::backend::{Demo, DemoOptions};
use evenly::pool::policy::Kind;
use std::sync::Barrier;

/// Reads a request and closes without a word.
fn hang_up(wire: &mut Wire) {
    wire.request();
}

/// Answers 503 to everything, so that its checks fail.
fn ill(wire: &mut Wire) {
    while wire.request().is_some() {
        wire.offer("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    }
}

#[test]
fn a_dead_backend_is_skipped_and_the_next_one_answers() {
    let (dead, well) = (Vacant::new(), Backend::plain());
    let client = client(&[&dead, &well], &NO_CHECKS);
    let mut story = Vec::new();
    let request = Request::new("GET", "/x");
    let answer = client.send_told(&request, &mut |step| story.push(step)).unwrap();
    assert_eq!((answer.status(), answer.backend(), answer.tries()), (200, "B", 2));
    assert_eq!(answer.text(), "GET /x 0\n");
    let [Step::Using(first), Step::Failed(failed), Step::Using(second)] = &story[..] else {
        panic!("{story:?}");
    };
    assert_eq!((first.as_str(), failed.backend.as_str(), second.as_str()), ("A", "A", "B"));
    assert!(failed.why.starts_with("connect failed: Connection refused"), "{}", failed.why);
}

#[test]
fn one_that_its_check_calls_ill_is_never_asked() {
    let (sick, well) = (Backend::every(ill), Backend::plain());
    let client = client(&[&sick, &well], &CHECKED_ONCE);
    assert_eq!(client.usable(), ["B"]);
    (0..20).for_each(|_| assert_eq!(client.get("/").unwrap().backend(), "B"));
    assert_eq!((sick.visits(), asked(&sick).len()), (1, 0), "the check alone");
}

#[test]
fn what_calls_learn_is_remembered_between_them() {
    let (broken, well) = (Backend::every(hang_up), Backend::plain());
    let client = client(&[&broken, &well], &NO_CHECKS);
    (0..20).for_each(|_| assert_eq!(client.get("/").unwrap().backend(), "B"));
    assert_eq!(broken.visits(), 3, "[passive] failures take it out");
    assert_eq!((client.usable(), asked(&well).len()), (vec!["B".to_owned()], 20));
}

#[test]
fn a_post_is_never_sent_twice() {
    let (broken, well) = (Backend::every(hang_up), Backend::plain());
    let client = client(&[&broken, &well], &NO_CHECKS);
    let client = client.with_wait(std::time::Duration::from_secs(60));
    match client.request("POST", "/order", &[], b"7") {
        Err(Error::Failed { last, because: GaveUp::MayHaveActed }) => assert_eq!(last.backend, "A"),
        other => panic!("{other:?}"),
    }
    assert_eq!(broken.wait_requests(1).len(), 1);
    assert_eq!(well.requests().len(), 0);
}

#[test]
fn a_post_that_nobody_heard_of_goes_to_the_next() {
    let (dead, well) = (Vacant::new(), Backend::plain());
    let answer = client(&[&dead, &well], &NO_CHECKS).request("POST", "/order", &[], b"7").unwrap();
    assert_eq!((answer.backend(), answer.text().as_ref()), ("B", "POST /order 1\n"));
    assert_eq!(well.requests().len(), 1);
}

#[test]
fn where_no_port_is_left_to_one_backend_the_next_answers_and_nobody_is_blamed() {
    let name =
        "failover::where_no_port_is_left_to_one_backend_the_next_answers_and_nobody_is_blamed";
    if !has_few_ports(name) {
        return;
    }
    let (mut overrun, well) = (Overrun::new(), Backend::plain());
    overrun.take_all_ports();
    let port = overrun.address().port();
    let two = client(&[&port, &well], &NO_CHECKS);
    for _ in 0..10 {
        assert_eq!(two.request("POST", "/", &[], b"7").unwrap().backend(), "B");
    }
    assert_eq!(two.usable(), ["A", "B"]);
    let keys = [NO_CHECKS[0], ("retry.attempts", "0")];
    assert_eq!(client(&[&port, &well], &keys).get("/").unwrap().backend(), "B", "it is no try");
    let error = client(&[&port], &NO_CHECKS).get("/").unwrap_err().to_string();
    assert!(error.contains("A: no way there: Cannot assign requested address"), "{error}");
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again_and_arrives_whole() {
    let half = Backend::says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    let well = Backend::plain();
    let answer = client(&[&half, &well], &NO_CHECKS).get("/").unwrap();
    assert_eq!((answer.backend(), answer.text().as_ref()), ("B", "GET / 0\n"));
}

#[test]
fn what_is_no_http_is_a_failure_of_the_backend() {
    let (odd, well) = (Backend::says("SSH-2.0-x\r\n"), Backend::plain());
    assert_eq!(client(&[&odd, &well], &NO_CHECKS).get("/").unwrap().backend(), "B");
}

#[test]
fn an_answer_that_is_refused_is_the_applications_word_and_nobody_elses_turn() {
    let odd = Backend::every(|wire| {
        wire.request();
        wire.offer("HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n");
    });
    let well = Backend::plain();
    let patient = [0, 60].map(std::time::Duration::from_secs);
    for wait in patient {
        let client = client(&[&odd, &well], &NO_CHECKS).with_wait(wait);
        for _ in 0..5 {
            let error = client.get("/").unwrap_err();
            let because = match &error {
                Error::Failed { because, .. } => *because,
                other => panic!("{other}"),
            };
            assert_eq!(because, GaveUp::BadAnswer);
            assert!(error.to_string().starts_with("A: bad answer: "), "{error}");
        }
        assert_eq!(client.usable(), ["A", "B"]);
    }
    assert_eq!((odd.visits(), well.visits()), (10, 0));
}

#[test]
fn retries_end_with_their_attempts_and_say_so() {
    let broken = [0; 3].map(|_| Backend::every(hang_up));
    let keys = [NO_CHECKS[0], ("retry.attempts", "1")];
    match client(&[&broken[0], &broken[1], &broken[2]], &keys).get("/") {
        Err(Error::Failed { last, because: GaveUp::Attempts }) => assert_eq!(last.backend, "B"),
        other => panic!("{other:?}"),
    }
    assert_eq!(broken.map(|backend| backend.requests().len()), [1, 1, 0]);
}

#[test]
fn a_request_that_breaks_whoever_gets_it_reaches_two() {
    let broken = [0; 4].map(|_| Backend::every(hang_up));
    let places = [&broken[0] as &dyn Place, &broken[1], &broken[2], &broken[3]];
    match client(&places, &NO_CHECKS).get("/") {
        Err(Error::Failed { last, because: GaveUp::Attempts }) => assert_eq!(last.backend, "B"),
        other => panic!("{other:?}"),
    }
    assert_eq!(broken.map(|backend| backend.requests().len()), [1, 1, 0, 0]);
}

#[test]
fn a_status_that_is_named_is_asked_for_elsewhere_while_there_is_somebody() {
    let keys = [NO_CHECKS[0], ("retry.on", "503")];
    let (sick, well) = (Backend::every(ill), Backend::plain());
    let answer = client(&[&sick, &well], &keys).get("/").unwrap();
    assert_eq!((answer.status(), answer.backend(), answer.tries()), (200, "B", 2));
    let all = [0; 2].map(|_| Backend::every(ill));
    let answer = client(&[&all[0], &all[1]], &keys).get("/").unwrap();
    assert_eq!((answer.status(), answer.backend(), answer.tries()), (503, "B", 2));
    let dead = Vacant::new();
    let answer = client(&[&sick, &dead], &keys).get("/").unwrap();
    assert_eq!((answer.status(), answer.backend()), (503, "A"), "an answer is better than none");
}

#[test]
fn what_was_answered_to_a_post_is_its_answer() {
    let (sick, well) = (Backend::every(ill), Backend::plain());
    let client = client(&[&sick, &well], &[NO_CHECKS[0], ("retry.on", "503")]);
    assert_eq!(client.send(&Request::new("POST", "/")).unwrap().status(), 503);
    assert_eq!(asked(&well).len(), 0);
}

#[test]
fn with_nobody_left_each_is_named_with_its_reason() {
    let (sick, dead) = (Backend::every(ill), Vacant::new());
    let Err(Error::NoneLeft { skipped, .. }) = client(&[&sick, &dead], &CHECKED_ONCE).get("/")
    else {
        panic!("somebody answered");
    };
    let reasons = ["check failed: status 503 (", "check failed: Connection refused ("];
    assert_eq!(skipped.len(), 2);
    for ((one, reason), name) in skipped.iter().zip(reasons).zip(["A", "B"]) {
        assert!(one.backend == name && one.why.starts_with(reason), "{one}");
    }
}

#[test]
fn a_name_that_does_not_resolve_costs_only_its_backend() {
    let backend = Backend::plain();
    // One letter more than a label of a name has room for (RFC 1035 2.3.4).
    let text = format!(
        "[[applications]]\nname = \"lost\"\nip = \"a.test\"\nport = 80\n\
         [[applications]]\nname = \"well\"\nip = \"127.0.0.1\"\nport = {}\n\
         [health]\ninterval = \"off\"\n",
        backend.port()
    );
    let mut config = Config::parse(&text, "test").unwrap();
    config.balance.policy = Kind::FirstAlive;
    config.applications[0].host = "a".repeat(64);
    assert_eq!(Client::new(&config).unwrap().get("/").unwrap().backend(), "well");
    config.applications.truncate(1);
    let error = Client::new(&config).unwrap().get("/").unwrap_err().to_string();
    assert!(error.starts_with("no backend is left: lost: aaa"), "{error}");
    assert!(error.contains(" does not resolve: "), "{error}");
}

#[test]
fn threads_share_one_client_and_each_backend_gets_its_share() {
    let listen = ([127, 0, 0, 1], 0).into();
    let demo =
        Demo::start(&DemoOptions { listen, instances: 3, ..DemoOptions::default() }).unwrap();
    let ports: Vec<u16> = demo.addresses().iter().map(|address| address.port()).collect();
    let keys = [CHECKED_ONCE[0], ("balance.policy", "round-robin")];
    let client = client(&[&ports[0], &ports[1], &ports[2]], &keys);
    let start = Barrier::new(6);
    let asks = || {
        start.wait();
        (0..25).map(|_| client.get("/").unwrap().backend().to_owned()).collect::<Vec<_>>()
    };
    let mut names: Vec<String> = std::thread::scope(|scope| {
        let threads = [0; 6].map(|_| scope.spawn(asks));
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    names.sort();
    let share = |name: &str| names.iter().filter(|one| *one == name).count();
    assert_eq!([share("A"), share("B"), share("C")], [50; 3]);
}
