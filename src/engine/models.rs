//! loom models of the Lot: every interleaving of a few threads over the slots, the ready queue and
//! the bell. Built and run by `make loom`; the laws' numbers are those of ARCHITECTURE.md.

use super::lot::ReadyQueue;
use super::room::{Cutoffs, Room};
use super::slots::{Key, Owner, Ready, Slots, Wait, Woken};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::time::Duration;

const READ: Ready = Ready { read: true, write: false, hangup: false, broken: false };

/// A task that steps like the real ones: learn the bits, use them up, park; until `wanted` events
/// have been seen. Returns how many it saw before it was left parked.
fn step(slots: &Slots<u32>, home: Key, socket: Key, seen: &AtomicUsize, mut task: u32) {
    loop {
        if slots.take_ready(socket).read {
            seen.fetch_add(1, Ordering::SeqCst);
        }
        match slots.park(home, task, Wait::FOR_EVER) {
            Some(rung) => task = rung,
            None => return,
        }
    }
}

/// Delivers an event as a worker does, and steps the task if it is handed over.
fn deliver(slots: &Slots<u32>, home: Key, socket: Key, seen: &AtomicUsize) {
    match slots.event(socket, READ) {
        Woken::Task(task) => step(slots, home, socket, seen, task),
        Woken::Idle(_) | Woken::Nothing => {}
    }
}

#[test]
fn an_event_while_the_task_parks_is_never_lost() {
    loom::model(|| {
        let slots = Arc::new(Slots::new());
        let home = slots.insert().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let (other, counted) = (Arc::clone(&slots), Arc::clone(&seen));
        let event = thread::spawn(move || deliver(&other, home, home, &counted));
        step(&slots, home, home, &seen, 7);
        event.join().unwrap();
        assert_eq!(seen.load(Ordering::SeqCst), 1, "law 1: the bits were seen by a step");
        assert_eq!(slots.ring(home), Some(7), "the task waits in its home, once");
    });
}

#[test]
fn two_sockets_wake_one_task_and_it_is_stepped_by_one_worker_at_a_time() {
    loom::model(|| {
        let slots = Arc::new(Slots::new());
        let (home, backend) = (slots.insert().unwrap(), slots.insert().unwrap());
        slots.bind(backend, Owner::Home(home));
        assert_eq!(slots.park(home, 7, Wait::FOR_EVER), None);
        let stepping = Arc::new(AtomicUsize::new(0));
        let events = [home, backend].map(|socket| {
            let (slots, stepping) = (Arc::clone(&slots), Arc::clone(&stepping));
            thread::spawn(move || {
                let Woken::Task(mut task) = slots.event(socket, READ) else { return };
                assert_eq!(stepping.fetch_add(1, Ordering::SeqCst), 0, "law 1: one step at a time");
                loop {
                    slots.take_ready(home);
                    slots.take_ready(backend);
                    stepping.fetch_sub(1, Ordering::SeqCst);
                    let Some(rung) = slots.park(home, task, Wait::FOR_EVER) else { return };
                    assert_eq!(
                        stepping.fetch_add(1, Ordering::SeqCst),
                        0,
                        "law 1: one step at a time"
                    );
                    task = rung;
                }
            })
        });
        for event in events {
            event.join().unwrap();
        }
        let left = [slots.take_ready(home), slots.take_ready(backend)];
        assert_eq!(left, [Ready::default(); 2], "each event's bits were taken by some step");
        assert_eq!(slots.ring(home), Some(7));
    });
}

#[test]
fn whoever_binds_a_connection_learns_of_its_end_or_is_rung() {
    loom::model(|| {
        let slots = Arc::new(Slots::<u32>::new());
        let (home, backend) = (slots.insert().unwrap(), slots.insert().unwrap());
        slots.bind(backend, Owner::Idle(3));
        let other = Arc::clone(&slots);
        let event = thread::spawn(move || other.event(backend, READ));
        let known = slots.bind(backend, Owner::Home(home)).read;
        let kept = slots.park(home, 7, Wait::FOR_EVER).is_none();
        match event.join().unwrap() {
            Woken::Idle(list) => {
                assert!(known && list == 3, "law 5: the bits were there to be taken")
            }
            Woken::Task(task) => assert!(kept && !known && task == 7),
            Woken::Nothing => assert!(!kept && !known, "the ring was noticed at the parking"),
        }
    });
}

#[test]
fn an_event_for_a_slot_that_lives_again_wakes_nobody() {
    loom::model(|| {
        let slots = Arc::new(Slots::new());
        let old = slots.insert().unwrap();
        let other = Arc::clone(&slots);
        let event = thread::spawn(move || other.event(old, READ));
        assert_eq!(slots.remove(old), None);
        let new = slots.insert().unwrap();
        assert_ne!(old, new, "law 8: another generation");
        assert_eq!(
            slots.park(new, 7, Wait::FOR_EVER),
            None,
            "the late event did not ring the new task"
        );
        assert_eq!(event.join().unwrap(), Woken::Nothing);
        assert_eq!(slots.take_ready(new), Ready::default());
    });
}

#[test]
fn the_timer_and_an_event_never_both_take_a_task() {
    loom::model(|| {
        let slots = Arc::new(Slots::new());
        let home = slots.insert().unwrap();
        assert_eq!(slots.park(home, 7, Wait::until(100)), None);
        let other = Arc::clone(&slots);
        let timer = thread::spawn(move || {
            let mut taken = 0;
            other.expire(100, &Cutoffs::default(), |_| taken += 1);
            taken
        });
        let event = usize::from(matches!(slots.event(home, READ), Woken::Task(7)));
        assert_eq!(event + timer.join().unwrap(), 1, "law 6: exactly one of the two");
    });
}

#[test]
fn a_deadline_set_anew_is_not_taken_for_the_old_one() {
    loom::model(|| {
        let slots = Arc::new(Slots::new());
        let home = slots.insert().unwrap();
        assert_eq!(slots.park(home, 7, Wait::until(100)), None);
        let other = Arc::clone(&slots);
        let worker = thread::spawn(move || {
            let task = other.ring(home)?;
            other.park(home, task, Wait::until(200))
        });
        let mut expired = 0;
        slots.expire(100, &Cutoffs::default(), |_| expired += 1);
        let rung = worker.join().unwrap().is_some();
        if expired == 0 {
            assert!(!rung);
            slots.expire(200, &Cutoffs::default(), |_| expired += 1);
        }
        assert_eq!(expired, 1, "law 6: the deadline in force was kept");
    });
}

#[test]
fn a_task_that_found_something_to_do_is_not_taken_for_idle() {
    loom::model(|| {
        let slots = Arc::new(Slots::new());
        let home = slots.insert().unwrap();
        let idle = Wait { deadline_us: 900, idle_since_us: 100, room: 1 };
        let mut cutoffs = Cutoffs::default();
        cutoffs.add(&Room::new(1, 1), Duration::from_micros(100));
        assert_eq!(slots.park(home, 7, idle), None);
        let other = Arc::clone(&slots);
        let worker = thread::spawn(move || {
            let Woken::Task(task) = other.event(home, READ) else { return false };
            other.take_ready(home);
            other.park(home, task, Wait::until(900)).is_none()
        });
        let mut dismissed = 0;
        slots.expire(100, &cutoffs, |_| dismissed += 1);
        let busy = worker.join().unwrap();
        assert!(busy || dismissed == 1, "law 6: either took it");
        slots.expire(100, &cutoffs, |_| dismissed += 1);
        assert!(dismissed == usize::from(!busy), "law 6: no more once it is busy");
    });
}

#[test]
fn a_queued_task_is_always_served_although_rings_are_saved() {
    loom::model(|| {
        let queue = Arc::new(ReadyQueue::new());
        // The eventfd: an edge a write. A worker wakes for each edge it has not seen.
        let edges = Arc::new(AtomicUsize::new(0));
        let pushers = [1, 2].map(|task| {
            let (queue, edges) = (Arc::clone(&queue), Arc::clone(&edges));
            thread::spawn(move || {
                queue.push(task);
                if queue.announce() {
                    edges.fetch_add(1, Ordering::SeqCst);
                }
            })
        });
        let mut seen = 0;
        let mut served = 0;
        let mut serve = |seen: &mut usize| {
            while *seen < edges.load(Ordering::SeqCst) {
                *seen += 1;
                queue.answer();
                while queue.pop().is_some() {
                    served += 1;
                }
            }
        };
        serve(&mut seen);
        for pusher in pushers {
            pusher.join().unwrap();
        }
        serve(&mut seen);
        assert_eq!(served, 2, "law 4: every push is followed by an edge that nobody has served");
    });
}
