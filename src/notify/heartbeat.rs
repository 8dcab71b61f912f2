//! The heartbeat: a GET now and then to somebody who raises the alarm when none comes. What cannot
//! be told from here any more, as the process, its machine or its network is gone, is noticed so.
//! None goes out while a thread that clients depend on is stuck: that process lives, and serves
//! nobody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::Undelivered;
use super::fault::Fault;
use super::line::Tally;
use super::remote::Remote;
use super::scene::Scene;
use crate::config::Heartbeat;
use crate::event::{Event, Teller};
use crate::thread;
use crate::tls::Remedy;

/// How long one may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What events and `/status` call it.
pub(super) const NAME: &str = "heartbeat";

/// A heartbeat that the file asks for, with its secrets read.
pub struct Beat {
    remote: Remote,
    interval: Duration,
}

impl Beat {
    /// None where the file asks for none. The errors are all that will not do.
    pub(super) fn open(heartbeat: &Heartbeat) -> Result<Option<Self>, Vec<Fault>> {
        if heartbeat.url.is_empty() {
            return Ok(None);
        }
        let ca = heartbeat.ca.as_deref();
        let remote = Remote::open(&heartbeat.url, ca, Remedy::HEARTBEAT);
        Ok(Some(Self { remote: remote?, interval: heartbeat.interval }))
    }

    /// Beats until the other end of `stop` is gone.
    pub(super) fn start(
        mut self,
        tally: Arc<Mutex<Tally>>,
        teller: Teller,
        scene: Arc<dyn Scene>,
        stop: Receiver<()>,
    ) -> std::io::Result<()> {
        let work = move || {
            let mut is_told = false;
            loop {
                // The one that is stuck is told by itself.
                let outcome = scene.is_well().then(|| self.remote.ask("GET", "", b"", TIMEOUT));
                let failure = note(&mut lock(&tally), outcome);
                // Once is enough: the other side notices the rest.
                if let (false, Some(why)) = (is_told, &failure) {
                    teller.tell(Event::Undelivered { alert: NAME, why });
                }
                is_told = failure.is_some();
                if stop.recv_timeout(self.interval) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        };
        thread::start("heartbeat", Box::new(work)).map(drop)
    }
}

/// Counts what came of one; none where it was not sent. Why it has failed, if it has.
fn note(tally: &mut Tally, outcome: Option<Result<String, Undelivered>>) -> Option<String> {
    let (is_ok, words, failure) = match outcome {
        Some(Ok(words)) => (true, words, None),
        Some(Err(Undelivered { words, .. })) => (false, words.clone(), Some(words)),
        None => (false, "not sent: a thread of evenly is stuck".to_owned(), None),
    };
    tally.sent += u64::from(is_ok);
    tally.failed += u64::from(failure.is_some());
    tally.last = Some((SystemTime::now(), is_ok, words));
    failure
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::scene::Sight;
    use crossbeam_channel::bounded;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::time::Instant;

    const AMPLE: Duration = Duration::from_secs(20);

    struct Workers(AtomicBool);

    impl Scene for Workers {
        fn look(&self) -> Vec<Sight> {
            Vec::new()
        }

        fn is_well(&self) -> bool {
            self.0.load(SeqCst)
        }
    }

    /// Waits until what came of the last one begins so.
    fn wait_for(tally: &Mutex<Tally>, words: &str) {
        let until = Instant::now() + AMPLE;
        let is_so = |it: &Tally| it.last.as_ref().is_some_and(|last| last.2.starts_with(words));
        while !is_so(&lock(tally)) {
            assert!(Instant::now() < until, "{words}: {:?}", lock(tally));
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    #[test]
    fn none_goes_out_while_a_thread_is_stuck_and_they_go_on_when_it_moves() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        // Each request of which the server hears is answered, and counted.
        let (heard, hears) = bounded(1024);
        std::thread::spawn(move || {
            for client in server.incoming() {
                let mut client = client.unwrap();
                let _ = client.read(&mut [0; 1024]);
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                heard.send(()).unwrap();
            }
        });
        let remote = Remote::open(&format!("http://{address}/"), None, Remedy::HEARTBEAT);
        let remote = remote.unwrap_or_else(|why| panic!("{why:?}"));
        let beat = Beat { remote, interval: Duration::from_millis(20) };
        let (tally, workers) = (Arc::default(), Arc::new(Workers(AtomicBool::new(false))));
        let teller = Teller::new(crate::log::Log::start(None).unwrap());
        let (_beats, stop) = bounded(0);
        beat.start(Arc::clone(&tally), teller, Arc::clone(&workers) as _, stop).unwrap();
        wait_for(&tally, "not sent: a thread");
        assert!(hears.is_empty(), "one was sent");
        let Tally { sent, failed, .. } = lock(&tally).clone();
        assert_eq!((sent, failed), (0, 0));
        workers.0.store(true, SeqCst);
        hears.recv_timeout(AMPLE).unwrap();
        workers.0.store(false, SeqCst);
        wait_for(&tally, "not sent: a thread");
    }
}
