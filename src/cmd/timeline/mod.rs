//! `evenly timeline`: what happened, and what was counted meanwhile, as one list with the newest
//! last. It is read by somebody who was woken: quiet stretches take one line, so do floods of one
//! complaint, and what is wrong has a mark before it.
//!
//! Reading order: `read` (what balancers tell), `counters` (ten seconds together), `floods`,
//! `stretch` (what is alike and follows on), `lines`, `json`.

mod counters;
mod floods;
mod json;
mod lines;
mod read;
mod stretch;

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Failure;
use super::asked::{SOON, question};
use super::reach::{Purpose, Reach};
use super::said::ask_all;
use super::terminal::columns;
use super::when::Since;
use crate::text::{day, time_of_day};
use read::Record;

/// By so much a time may be ahead of a balancer's clock: it is told rounded.
const AHEAD_MS: u64 = 1000;
/// The last time that can be written as a date of four, two and two digits.
const LAST_MS: u64 = 253_402_300_799_000;

/// What of it is wanted, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimelineWish {
    /// Nothing from before.
    pub since: Since,
    /// For programs: nothing is folded.
    pub is_json: bool,
}

/// All that several balancers tell, from one moment on.
struct Story {
    /// In ms since 1970, as the others are.
    from_ms: u64,
    now_ms: u64,
    records: Vec<Record>,
    /// Why there is no record of somebody.
    failed: Vec<String>,
}

/// Shows it. Fails if a balancer cannot be asked, after the others were shown, and before that if
/// the time that is asked for is still to come.
pub(super) fn run(reach: &Reach, wish: TimelineWish) -> Result<(), Failure> {
    let balancers = reach.find(Purpose::Show)?;
    let events = ask_all(&balancers, &question("/events", SOON));
    let history = ask_all(&balancers, &question("/history", SOON));
    let told = events.into_iter().zip(history).map(|((balancer, events), (_, history))| {
        let name = if balancers.len() > 1 { balancer.name.clone() } else { String::new() };
        let record = events.and_then(|events| {
            Record::read(name, &events, history.as_deref()).ok_or_else(|| balancer.is_stranger())
        });
        record.map_err(|why| match balancers.len() {
            1 => why,
            _ => format!("{}: {why}", balancer.name),
        })
    });
    let (records, failed): (Vec<_>, Vec<_>) = told.partition(Result::is_ok);
    let failed: Vec<String> = failed.into_iter().filter_map(Result::err).collect();
    if let (true, Some(why)) = (records.is_empty(), failed.first()) {
        return Err(Failure::Run(why.clone()));
    }
    let records = records.into_iter().flatten().collect();
    let story = Story::of(records, failed, wish.since, clock_ms());
    if story.from_ms > story.now_ms + AHEAD_MS {
        let (from, now) = (moment(story.from_ms), moment(story.now_ms));
        let what = "is still to come, as it is";
        let write = "write an earlier time, or so long ago: 1h";
        return Err(Failure::Usage(format!("--since: {from} {what} {now} UTC; {write}")));
    }
    let mut out = io::stdout().lock();
    match wish.is_json {
        true => writeln!(out, "{}", json::shown(&story))?,
        false => lines::lines(&story, columns()).iter().try_for_each(|it| writeln!(out, "{it}"))?,
    }
    out.flush()?;
    if story.failed.is_empty() { Ok(()) } else { Err(Failure::Told) }
}

/// `2026-11-27 14:02:07`, in UTC; the last moment of the year 9999 for whatever comes after it.
fn moment(ms: u64) -> String {
    let at = UNIX_EPOCH + Duration::from_millis(ms.min(LAST_MS));
    format!("{} {}", day(at), time_of_day(at))
}

fn clock_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

impl Story {
    /// What was told, without what is from before. "Now" is by the balancers' clocks, which all
    /// times are of; `here_ms` is what this machine's shows.
    fn of(mut records: Vec<Record>, failed: Vec<String>, since: Since, here_ms: u64) -> Self {
        let now_ms = records.iter().filter_map(|it| it.now_ms).max().unwrap_or(here_ms);
        let from_ms = since.start_ms(now_ms);
        for record in &mut records {
            record.forget_before(from_ms);
        }
        Self { from_ms, now_ms, records, failed }
    }
}
