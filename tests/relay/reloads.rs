//! Many reloads under load: nobody notices but those who read the log.
//!
//! The load is `evenly bench` and curl, which nobody here wrote; a tunnel and a slow download are
//! open all the while. Retries are off, so that they hide nothing. `make reloads` does it for
//! longer, and holds the memory to be flat.

use crate::harness::{Backend, Gate, Keyed, Length, Place, Process, Proxy, Scratch, Wire};
use rustix::process::Signal;
use serde_json::Value;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Requests at a time that each application may get.
const PLACES: usize = 4;
/// How long an application thinks about each.
const THOUGHT: Duration = Duration::from_millis(1);
const CHECK_EVERY: Duration = Duration::from_millis(200);
/// How late a check may be where the machine has much else to do.
const LATE: Duration = Duration::from_secs(2);

/// A backend that counts.
struct Counting {
    backend: Backend,
    /// When it was checked.
    checks: Arc<Mutex<Vec<Instant>>>,
    /// Most requests that it had at a time.
    most: Arc<AtomicUsize>,
}

impl Counting {
    /// It goes on with `/slow` for as long as the gate is closed.
    fn new(gate: &Gate) -> Self {
        let (checks, most) = (Arc::<Mutex<Vec<Instant>>>::default(), Arc::<AtomicUsize>::default());
        let (gate, asked, peak) = (gate.clone(), Arc::clone(&checks), Arc::clone(&most));
        let busy = AtomicUsize::new(0);
        let backend = Backend::every(move |wire| {
            while let Some(request) = wire.request_head() {
                if request.target() == "/health" {
                    asked.lock().unwrap().push(Instant::now());
                    wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                    continue;
                }
                peak.fetch_max(busy.fetch_add(1, SeqCst) + 1, SeqCst);
                let goes_on = match request.target() {
                    "/tunnel" => echo(wire),
                    "/slow" => drip(wire, &gate),
                    _ => {
                        thread::park_timeout(THOUGHT);
                        // Before the answer: whoever has that may be asking again.
                        busy.fetch_sub(1, SeqCst);
                        wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                        continue;
                    }
                };
                busy.fetch_sub(1, SeqCst);
                if !goes_on {
                    return;
                }
            }
        });
        Self { backend, checks, most }
    }
}

fn echo(wire: &mut Wire) -> bool {
    wire.send("HTTP/1.1 101 Switching\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
    while let Ok(byte) = wire.exactly(1) {
        wire.send(byte);
    }
    false
}

fn drip(wire: &mut Wire, gate: &Gate) -> bool {
    wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while !gate.is_open() {
        wire.send("1\r\nx\r\n");
        thread::park_timeout(10 * THOUGHT);
    }
    wire.offer("0\r\n\r\n")
}

/// curl, again and again until it is told to stop; how often, and what went wrong.
fn curl(url: &str, done: &AtomicBool) -> (usize, Vec<String>) {
    let (mut runs, mut wrong) = (0, Vec::new());
    while !done.load(SeqCst) {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--fail", "--parallel", "--parallel-max", "4"]);
        let run = command.args(["--output", "/dev/null"]).arg(format!("{url}?[1-100]")).output();
        let run = run.unwrap();
        if !run.status.success() {
            wrong.push(String::from_utf8_lossy(&run.stderr).into_owned());
        }
        runs += 1;
    }
    (runs, wrong)
}

/// The four of them in turn: two stay, with other weights; of the others, one comes and one goes.
fn file<'b>(all: &'b [Counting; 4], keys: &'b [String; 3], number: usize) -> Vec<Keyed<'b>> {
    let coming = [2, 3][number % 2];
    let keyed = |index: usize| {
        Keyed(&all[index].backend as &dyn Place, keys[(number + index) % 3].as_str())
    };
    [0, 1, coming].map(keyed).into()
}

/// Reloads so often, not faster than one in `period`; `look` is called after each.
fn reload_under_load(reloads: usize, period: Duration, mut look: impl FnMut(usize, &Proxy)) {
    let (gate, scratch) = (Gate::new(), Scratch::new());
    let all = [(); 4].map(|()| Counting::new(&gate));
    let keys = [1, 2, 3].map(|weight| format!("weight = {weight}\nmax_connections = {PLACES}\n"));
    let settings = format!(
        "balance.policy = \"weighted-round-robin\"\nhealth.interval = \"{CHECK_EVERY:?}\"\n\
         health.timeout = \"150ms\"\nhealth.fall = 10\nretry.attempts = 0\n\
         queue.timeout = \"10s\"\n"
    );
    let first = [0, 1].map(|index| Keyed(&all[index].backend, &keys[0]));
    let proxy = Proxy::with(&[&first[0], &first[1]], &settings);
    let url = format!("http://{}/", proxy.address);
    let mut tunnel = proxy.connect();
    let upgrade = "Upgrade: echo\r\nConnection: Upgrade";
    tunnel.send(format!("GET /tunnel HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n\r\n"));
    assert_eq!(tunnel.head().unwrap().status(), 101);
    let mut slow = proxy.asking("/slow");
    assert_eq!(slow.head().unwrap().status(), 200);

    let arguments = ["bench", &url, "--workers", "8", "--rate", "300", "--json"];
    let bench = Process::evenly(&[&arguments[..], &["--duration", "30m"]].concat(), scratch.path());
    let (done, began) = (AtomicBool::new(false), Instant::now());
    let (runs, wrong) = thread::scope(|scope| {
        let curl = scope.spawn(|| curl(&url, &done));
        for number in 0..reloads {
            let next = began + period * number as u32;
            thread::park_timeout(next.saturating_duration_since(Instant::now()));
            let file = file(&all, &keys, number);
            let file: Vec<&dyn Place> = file.iter().map(|one| one as &dyn Place).collect();
            let line = proxy.reload(&file, &settings);
            assert!(line.contains(" reloaded: application "), "{line}");
            tunnel.send("x");
            tunnel.expect("x");
            look(number, &proxy);
        }
        done.store(true, SeqCst);
        curl.join().unwrap()
    });
    let took = began.elapsed();
    bench.signal(Signal::INT);
    let (_, printed, said) = bench.finish();
    let report: Value = serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{said}"));
    assert!(runs > 0 && wrong.is_empty(), "curl: {wrong:?}");
    assert!(report["requests"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["ok"], report["requests"], "{report}");
    gate.open();
    slow.body(Length::Chunked, &mut |_| {}).unwrap();
    drop((tunnel, slow));

    for staying in &all[..2] {
        let most = staying.most.load(SeqCst);
        assert!(most <= PLACES, "{most} requests at a time");
        let checks = staying.checks.lock().unwrap();
        let gaps = checks.windows(2).map(|two| two[1] - two[0]);
        let longest = gaps.max().unwrap_or_default();
        assert!(longest < CHECK_EVERY + LATE, "no check for {longest:?}");
        let at_most = took.as_millis() / (CHECK_EVERY.as_millis() * 9 / 10) + 3;
        assert!(checks.len() as u128 <= at_most, "{} checks in {took:?}", checks.len());
    }
}

#[test]
fn fifty_reloads_under_load_cost_no_request_and_no_check_and_exceed_no_limit() {
    reload_under_load(50, Duration::from_millis(60), |_, _| {});
}

/// The same for a minute.
#[test]
#[ignore = "takes a minute: make reloads"]
fn fifty_reloads_in_a_minute() {
    reload_under_load(50, Duration::from_millis(1200), |_, _| {});
}

#[test]
#[ignore = "takes a minute: make reloads"]
fn five_hundred_reloads_leave_the_memory_flat() {
    const KIB_MAX: usize = 2048;
    let mut after = [0; 2];
    reload_under_load(500, Duration::from_millis(100), |number, proxy| {
        if [99, 499].contains(&number) {
            after[number / 400] = proxy.process.memory_kib("VmRSS");
        }
    });
    let grown = after[1].saturating_sub(after[0]);
    assert!(grown <= KIB_MAX, "{} KiB after 100 reloads, {} after 500", after[0], after[1]);
}
