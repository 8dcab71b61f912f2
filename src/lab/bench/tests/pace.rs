//! How many requests are sent and when, by number, time and rate; and plans that measure nothing.

use super::*;
use crate::lab::backend::{Demo, DemoOptions};

#[test]
fn a_closed_loop_sends_exactly_as_many_as_asked() {
    let demo = demo(1);
    for workers in [1, 7] {
        let plan = LoadPlan { workers, requests: Some(500), ..plan(demo.addresses()[0]) };
        let tally = sound(&plan);
        assert_eq!(tally.statuses, [(200, 500)].into());
        assert!(tally.service.is_none() && tally.unsent == 0 && tally.bytes > 500 * 100);
    }
}

fn demo(instances: u16) -> Demo {
    let listen = ([127, 0, 0, 1], 0).into();
    Demo::start(&DemoOptions { listen, instances, ..DemoOptions::default() }).unwrap()
}

#[test]
fn a_duration_ends_either_loop() {
    let demo = demo(1);
    for rate in [None, Some(500.0)] {
        let duration = Some(Duration::from_millis(600));
        let plan =
            LoadPlan { requests: None, duration, rate, workers: 2, ..plan(demo.addresses()[0]) };
        let tally = run(&plan).unwrap();
        assert!(tally.ok() > 0 && tally.failures() == 0, "{tally:?}");
        if rate.is_some() {
            assert_eq!(tally.requests() + tally.unsent, 300);
        }
    }
}

#[test]
fn whoever_watches_may_end_a_run_early() {
    let demo = demo(1);
    let plan = LoadPlan { requests: None, rate: Some(0.01), ..plan(demo.addresses()[0]) };
    let plan = LoadPlan { duration: Some(100 * LONG), workers: 3, ..plan };
    let mut told = 0;
    let tally = run_watched(&plan, |progress| {
        told += 1;
        assert!(progress.requests <= 4);
        ControlFlow::Break(())
    });
    assert!(tally.unwrap().requests() <= 1 && told == 1);
}

/// A server that is slow, not a test that waits.
fn stall(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        thread::park_timeout(end.saturating_duration_since(Instant::now()));
    }
}

#[test]
fn a_stall_shows_in_the_latency_of_what_was_due_meanwhile() {
    let count = AtomicU64::new(0);
    let server = Scripted::start(move |peer| {
        while peer.request().is_some() {
            if count.fetch_add(1, Ordering::SeqCst) == 100 {
                stall(Duration::from_millis(400));
            }
            peer.say(OK);
        }
    });
    let plan = LoadPlan { requests: Some(1000), rate: Some(1000.0), ..server.plan() };
    let tally = sound(&plan);
    // One of 1000 was answered late, but some 400 were due by then.
    let service = tally.service.unwrap();
    assert!(service.value_at_quantile(0.9) * 10 < tally.latency.value_at_quantile(0.9));
    assert!(service.max() >= 400_000 && tally.latency.max() >= 400_000);
}

#[test]
fn a_server_too_slow_for_the_rate_leaves_requests_unsent() {
    let server = Scripted::start(|peer| {
        while peer.request().is_some() {
            stall(Duration::from_millis(50));
            peer.say(OK);
        }
    });
    let duration = Some(Duration::from_millis(300));
    let plan = LoadPlan { requests: None, duration, rate: Some(1000.0), ..server.plan() };
    let tally = run(&plan).unwrap();
    assert!(tally.unsent > 100, "{tally:?}");
    assert_eq!(tally.requests() + tally.unsent, 300);
}

#[test]
fn plans_that_measure_nothing_are_refused() {
    let good = plan(([127, 0, 0, 1], 9).into());
    for bad in [
        LoadPlan { workers: 0, ..good.clone() },
        LoadPlan { workers: WORKERS_MAX + 1, ..good.clone() },
        LoadPlan { requests: Some(0), ..good.clone() },
        LoadPlan { requests: None, ..good.clone() },
        LoadPlan { duration: Some(Duration::ZERO), ..good.clone() },
        LoadPlan { rate: Some(0.0), ..good.clone() },
        LoadPlan { rate: Some(f64::NAN), ..good.clone() },
        LoadPlan { timeout: Duration::ZERO, ..good.clone() },
    ] {
        assert!(matches!(run(&bad), Err(LoadRefusal::Plan(_))), "{bad:?}");
    }
    // A label has at most 63 letters: no resolver is asked.
    let host = "x".repeat(64);
    let url = format!("http://{host}/").parse().unwrap();
    let nowhere = LoadPlan { request: LoadRequest::get(url), ..good };
    let refusal = run(&nowhere).unwrap_err();
    assert!(matches!(&refusal, LoadRefusal::Machine(_)));
    assert!(refusal.to_string().starts_with(&format!("{host} has no address")), "{refusal}");
}
