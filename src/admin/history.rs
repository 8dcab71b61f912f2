//! The last hour in numbers: every two seconds, what the balancer has counted meanwhile becomes a
//! point. The endpoint starts the thread that does so, and shows the points.
//!
//! A point has the time at which it ended and how long it took, so that nobody takes a gap for
//! silence: while the machine sleeps there are none, and where the thread was late one covers more
//! than a period. The thread falls behind no clock: the next point is due at a multiple of the
//! period, whenever the last one came. A reload keeps all of it, an upgrade hands it on.

use std::collections::VecDeque;
use std::fmt::Write;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use serde_json::Value;

use super::Steered;
use super::status::VERSION;
use crate::pool::CLASSES;
use crate::pool::buckets::quantile;
use crate::relay::{Controls, Totals};
use crate::text::since_epoch;
use crate::thread;

/// What a point covers.
pub(super) const PERIOD: Duration = Duration::from_secs(2);
/// An hour of them, which take 200 KB.
pub(super) const POINTS_MAX: usize = 1800;

/// The points of the last hour.
#[derive(Default)]
pub(super) struct History(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Numbered without gaps; the last one has the number `last`.
    points: VecDeque<Point>,
    last: u64,
}

/// What was counted in one period, and what went on at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Point {
    /// Since 1970.
    ended_ms: u64,
    /// How long the period was in truth.
    length_ms: u64,
    /// Requests that ended, as clients were answered.
    classes: [u32; CLASSES],
    /// Connections of TCP clients that ended.
    connections: u32,
    /// Of either.
    errors_ours: u32,
    errors_theirs: u32,
    /// None where nobody was answered.
    p50_us: Option<u32>,
    p99_us: Option<u32>,
    in_flight: u32,
    queue: u32,
    usable: u32,
}

/// The balancer at one moment.
#[derive(Clone, Default)]
struct Look {
    totals: Totals,
    in_flight: usize,
    queue: usize,
    usable: usize,
}

/// Makes points of looks. Its clock is handed in.
struct Meter {
    before: Totals,
    /// When the last look was, since the beginning.
    looked: Duration,
}

/// The thread that fills a history, which ends when this is dropped.
pub(super) struct Sampler {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Begins to fill `history`.
    pub(super) fn start(history: Arc<History>, steered: Arc<dyn Steered>) -> io::Result<Self> {
        let ((stop, stopped), begun) = (bounded(0), Instant::now());
        let thread = thread::spawn("history", move || fill(&history, &*steered, begun, &stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop = None; // which it hears
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn fill(history: &History, steered: &dyn Steered, begun: Instant, stopped: &Receiver<()>) {
    // Nothing was counted before the process was: what came before this is in the first point.
    let mut meter = Meter { before: Totals::default(), looked: Duration::ZERO };
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_deadline(begun + meter.due()) {
        let look = Look::at(steered.controls());
        history.keep(meter.point(look, begun.elapsed(), SystemTime::now()));
    }
}

impl Look {
    fn at(controls: &Controls) -> Self {
        let pools = controls.pools();
        Self {
            totals: controls.totals(),
            in_flight: pools.in_flight(),
            queue: controls.waiting().0,
            usable: pools.usable(controls.now()),
        }
    }
}

impl Meter {
    /// When to look next: at a multiple of the period, so that lateness does not add up.
    fn due(&self) -> Duration {
        let periods = self.looked.as_millis() / PERIOD.as_millis() + 1;
        PERIOD * u32::try_from(periods).unwrap_or(u32::MAX)
    }

    /// What came of the time since the last look; `now` is since the beginning.
    fn point(&mut self, look: Look, now: Duration, wall: SystemTime) -> Point {
        let Look { totals, in_flight, queue, usable } = look;
        let before = &self.before;
        let waits = each(&totals.waits, &before.waits);
        let ours = |totals: &Totals| totals.errors_ours + totals.connection_errors();
        let us = |share| quantile(&waits, share).map(|time| narrow(time.as_micros() as u64));
        let point = Point {
            ended_ms: since_epoch(wall).as_millis() as u64,
            length_ms: now.saturating_sub(self.looked).as_millis() as u64,
            classes: each(&totals.classes, &before.classes).map(narrow),
            connections: narrow(totals.connections().saturating_sub(before.connections())),
            errors_ours: narrow(ours(&totals).saturating_sub(ours(before))),
            errors_theirs: narrow(totals.errors_theirs.saturating_sub(before.errors_theirs)),
            p50_us: us(0.5),
            p99_us: us(0.99),
            in_flight: narrow(in_flight as u64),
            queue: narrow(queue as u64),
            usable: narrow(usable as u64),
        };
        *self = Self { before: totals, looked: now };
        point
    }
}

/// What was added to each count.
fn each<const N: usize>(now: &[u64; N], before: &[u64; N]) -> [u64; N] {
    std::array::from_fn(|at| now[at].saturating_sub(before[at]))
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl History {
    fn keep(&self, point: Point) {
        let mut kept = self.lock();
        if kept.points.len() == POINTS_MAX {
            kept.points.pop_front();
        }
        kept.points.push_back(point);
        kept.last += 1;
    }

    /// Takes in the points of a process that this one succeeds, as that one tells them: they come
    /// before its own. What is not understood is left out.
    pub(super) fn follow(&self, told: &str) {
        let points = read(told);
        let mut kept = self.lock();
        kept.last += points.len() as u64;
        for point in points.into_iter().rev() {
            if kept.points.len() < POINTS_MAX {
                kept.points.push_front(point);
            }
        }
    }

    /// `GET /history`: the points after the one of this number. A number that was never given is
    /// from before a restart: then all are news.
    pub(super) fn since(&self, number: u64, now: SystemTime) -> String {
        let kept = self.lock();
        let number = if number > kept.last { 0 } else { number };
        let (after, held) = (kept.last - number, kept.points.len() as u64);
        let skipped = held.saturating_sub(after) as usize;
        let lost = after.saturating_sub(held);
        let points: Vec<Point> = kept.points.iter().skip(skipped).copied().collect();
        let last = kept.last;
        drop(kept);
        let (period_s, now_s) = (PERIOD.as_secs(), since_epoch(now).as_millis() as f64 / 1e3);
        let head = format!("\"version\":{VERSION},\"period_s\":{period_s},\"now_s\":{now_s}");
        let columns = columns(&points);
        format!("{{{head},\"last\":{last},\"lost\":{lost},\"columns\":{{{columns}}}}}")
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One value of a point as JSON shows it.
type Column = (&'static str, fn(&Point) -> Option<f64>);

const COLUMNS: [Column; 15] = [
    ("time_s", |it| Some(it.ended_ms as f64 / 1e3)),
    ("length_s", |it| Some(it.length_ms as f64 / 1e3)),
    ("requests_1xx", |it| Some(it.classes[0].into())),
    ("requests_2xx", |it| Some(it.classes[1].into())),
    ("requests_3xx", |it| Some(it.classes[2].into())),
    ("requests_4xx", |it| Some(it.classes[3].into())),
    ("requests_5xx", |it| Some(it.classes[4].into())),
    ("tcp_connections", |it| Some(it.connections.into())),
    ("errors_ours", |it| Some(it.errors_ours.into())),
    ("errors_theirs", |it| Some(it.errors_theirs.into())),
    ("p50_ms", |it| it.p50_us.map(|us| f64::from(us) / 1e3)),
    ("p99_ms", |it| it.p99_us.map(|us| f64::from(us) / 1e3)),
    ("in_flight", |it| Some(it.in_flight.into())),
    ("queue", |it| Some(it.queue.into())),
    ("usable", |it| Some(it.usable.into())),
];

/// Column by column, each value a number or null: an hour takes 100 KB.
fn columns(points: &[Point]) -> String {
    let mut out = String::new();
    for (index, (name, value)) in COLUMNS.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(out, "{comma}\"{name}\":["); // a String takes every text
        for (index, point) in points.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { "," });
            let _ = match value(point) {
                Some(value) => write!(out, "{value}"),
                None => write!(out, "null"),
            };
        }
        out.push(']');
    }
    out
}

/// The points of such an answer.
fn read(told: &str) -> Vec<Point> {
    let told: Value = serde_json::from_str(told).unwrap_or_default();
    let columns = &told["columns"];
    let number = |name: &str, at: usize| columns[name][at].as_f64();
    let count = |name: &str, at: usize| number(name, at).unwrap_or_default() as u32;
    let scaled = |name: &str, at: usize| number(name, at).map(|it| (it * 1e3).round());
    let point = |at: usize| {
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        Some(Point {
            ended_ms: scaled("time_s", at)? as u64,
            length_ms: scaled("length_s", at)? as u64,
            classes: classes.map(|class| count(&format!("requests_{class}"), at)),
            connections: count("tcp_connections", at),
            errors_ours: count("errors_ours", at),
            errors_theirs: count("errors_theirs", at),
            p50_us: scaled("p50_ms", at).map(|us| us as u32),
            p99_us: scaled("p99_ms", at).map(|us| us as u32),
            in_flight: count("in_flight", at),
            queue: count("queue", at),
            usable: count("usable", at),
        })
    };
    let many = columns["time_s"].as_array().map_or(0, Vec::len);
    (0..many.min(POINTS_MAX)).filter_map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Cause;
    use crate::pool::buckets::bucket;
    use std::time::UNIX_EPOCH;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn look(requests: u64, waited: Duration) -> Look {
        let mut totals = Totals::default();
        totals.classes[1] = requests;
        totals.waits[bucket(waited)] = requests;
        (totals.errors_ours, totals.errors_theirs) = (requests / 10, requests / 5);
        totals.passages[Cause::Done as usize] = requests;
        totals.passages[Cause::ConnectFailed as usize] = requests;
        Look { totals, in_flight: 3, queue: 2, usable: 1 }
    }

    fn meter() -> Meter {
        Meter { before: Totals::default(), looked: Duration::ZERO }
    }

    fn told(history: &History, number: u64) -> Value {
        serde_json::from_str(&history.since(number, UNIX_EPOCH + s(99))).unwrap()
    }

    fn filled(points: u64) -> History {
        let history = History::default();
        for second in 0..points {
            history.keep(Point { ended_ms: second * 2000, ..Point::default() });
        }
        history
    }

    #[test]
    fn a_point_has_what_was_counted_in_its_period_alone() {
        let (mut meter, at) = (meter(), |seconds: u64| UNIX_EPOCH + s(1000 + seconds));
        meter.point(look(100, s(0)), s(2), at(2));
        let point = meter.point(look(140, s(0)), s(4), at(4));
        assert_eq!(
            (point.classes, point.ended_ms, point.length_ms),
            ([0, 40, 0, 0, 0], 1_004_000, 2000)
        );
        assert_eq!((point.errors_ours, point.errors_theirs, point.connections), (4 + 40, 8, 80));
        assert_eq!((point.in_flight, point.queue, point.usable), (3, 2, 1));
        assert!(point.p50_us.is_some_and(|us| us < 1000), "{point:?}");
        let silent = meter.point(look(140, s(0)), s(6), at(6));
        assert_eq!((silent.p50_us, silent.p99_us, silent.classes[1]), (None, None, 0));
    }

    #[test]
    fn lateness_does_not_add_up_and_a_late_point_says_how_much_it_covers() {
        let mut meter = meter();
        let late = Duration::from_millis(300);
        for period in 1..=100 {
            assert_eq!(meter.due(), PERIOD * period);
            meter.point(Look::default(), PERIOD * period + late, UNIX_EPOCH);
        }
        let point = meter.point(Look::default(), s(209), UNIX_EPOCH);
        assert_eq!((point.length_ms, meter.due()), (8700, s(210)));
    }

    #[test]
    fn a_machine_that_slept_leaves_a_gap_in_the_times() {
        let (mut meter, history) = (meter(), History::default());
        // The wall's clock goes on meanwhile, the one that periods are measured by does not.
        for (now, wall) in [(2, 1002), (4, 1004), (6, 4606), (8, 4608)] {
            history.keep(meter.point(Look::default(), s(now), UNIX_EPOCH + s(wall)));
        }
        let columns = &told(&history, 0)["columns"];
        assert_eq!(columns["time_s"], serde_json::json!([1002, 1004, 4606, 4608]));
        assert_eq!(columns["length_s"], serde_json::json!([2, 2, 2, 2]));
    }

    #[test]
    fn a_clock_that_is_set_back_is_told_as_it_is() {
        let (mut meter, history) = (meter(), History::default());
        for (now, wall) in [(2, 9002), (4, 5404)] {
            history.keep(meter.point(Look::default(), s(now), UNIX_EPOCH + s(wall)));
        }
        assert_eq!(told(&history, 0)["columns"]["time_s"], serde_json::json!([9002, 5404]));
        let early = meter.point(Look::default(), s(6), UNIX_EPOCH - s(5));
        assert_eq!(early.ended_ms, 0);
    }

    #[test]
    fn an_hour_is_kept_and_who_asks_for_more_hears_how_much_is_lost() {
        let history = filled(POINTS_MAX as u64 + 200);
        let all = told(&history, 0);
        assert_eq!((&all["last"], &all["lost"]), (&2000.into(), &200.into()));
        assert_eq!(all["columns"]["time_s"].as_array().unwrap().len(), POINTS_MAX);
        assert_eq!(all["columns"]["time_s"][0], 400);
        let news = told(&history, 1998);
        assert_eq!(
            (&news["lost"], &news["columns"]["time_s"]),
            (&0.into(), &serde_json::json!([3996, 3998]))
        );
        let none = told(&history, 2000);
        assert_eq!(none["columns"]["p99_ms"], serde_json::json!([]));
        let from_before_a_restart = told(&history, 2001);
        assert_eq!(from_before_a_restart["columns"]["queue"].as_array().unwrap().len(), POINTS_MAX);
    }

    #[test]
    fn an_hour_takes_less_than_a_megabyte_here_and_as_an_answer() {
        assert!(size_of::<Point>() * POINTS_MAX.next_power_of_two() < 1 << 20);
        let history = History::default();
        for second in 0..POINTS_MAX as u64 {
            let most = Some(u32::MAX);
            let point = Point {
                ended_ms: 1_795_831_327_123 + second,
                p50_us: most,
                p99_us: most,
                classes: [u32::MAX; CLASSES],
                ..Point::default()
            };
            history.keep(point);
        }
        assert!(history.since(0, UNIX_EPOCH).len() < 1 << 20);
    }

    #[test]
    fn a_successor_goes_on_where_the_one_before_was() {
        let (mut meter, before) = (meter(), History::default());
        for second in 1..=5 {
            before.keep(meter.point(
                look(second * 7, s(second)),
                s(second * 2),
                UNIX_EPOCH + s(second * 2),
            ));
        }
        let own = filled(2);
        own.follow(&before.since(0, UNIX_EPOCH));
        let all = told(&own, 0);
        assert_eq!((&all["last"], &all["lost"]), (&7.into(), &0.into()));
        for (name, _) in COLUMNS {
            let theirs = &told(&before, 0)["columns"][name];
            assert_eq!(
                all["columns"][name].as_array().unwrap()[..5],
                theirs.as_array().unwrap()[..],
                "{name}"
            );
        }
        assert_eq!(all["columns"]["time_s"][5], 0);
        let full = filled(POINTS_MAX as u64 - 2);
        full.follow(&before.since(0, UNIX_EPOCH));
        assert_eq!(told(&full, 0)["columns"]["time_s"].as_array().unwrap().len(), POINTS_MAX);
        assert_eq!(told(&full, 0)["columns"]["time_s"][0], 8, "the latest of them");
        assert_eq!(told(&full, 0)["lost"], 3);
        for strange in ["", "[]", "{\"columns\":{\"time_s\":[null,\"x\",{}]}}", "<html>"] {
            let untouched = filled(1);
            untouched.follow(strange);
            assert_eq!(told(&untouched, 0)["last"], 1, "{strange}");
        }
    }
}
