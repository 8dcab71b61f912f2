//! The log through its handle, with sinks that can be read, filled up, renamed or broken.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process;

use super::access::tests::sample;
use super::*;

const LONG: Duration = Duration::from_secs(20);

/// A sink and the end that reads it.
fn pipe() -> (Sink, UnixStream) {
    let (write, read) = UnixStream::pair().unwrap();
    read.set_read_timeout(Some(LONG)).unwrap();
    (Sink::new(OwnedFd::from(write).into(), Destination::Stdout), read)
}

fn file_sink(path: &str) -> Sink {
    Sink::open(&Destination::File(path.into())).unwrap()
}

/// A path of its own for each test; what is there goes away first.
fn path(name: &str) -> String {
    let path = std::env::temp_dir().join(format!("evenly-log-{}-{name}", process::id()));
    let _ = fs::remove_file(&path);
    path.to_str().unwrap().into()
}

/// A log of events alone, and the end that reads them.
pub(crate) fn piped() -> (Log, UnixStream) {
    let (events, said) = pipe();
    (Log::start_with(None, events).unwrap(), said)
}

pub(crate) fn text_of(mut read: UnixStream) -> String {
    let mut text = String::new();
    read.read_to_string(&mut text).unwrap();
    text
}

/// The sum of the counts that stand before `what`: drops may be said in parts.
fn counts_said(said: &str, what: &str) -> u64 {
    let counts = said.lines().filter_map(|line| line.split_once(what)?.0.rsplit_once(' '));
    counts.map(|(_, count)| count.parse::<u64>().unwrap()).sum()
}

/// Logs the statuses from 200 to 299, each as a request and as an event, until all is written.
fn log_statuses(access: Sink, events: Sink) {
    let log = Log::start_with(Some((Format::Common, access)), events).unwrap();
    for status in 200..300 {
        log.access(&Access { status, ..sample() });
        log.event(SystemTime::now(), Level::Info, format_args!("status {status}"));
    }
    assert!(log.flush(LONG));
}

#[test]
fn access_lines_and_events_go_to_their_own_sinks_in_order() {
    let ((access, lines), (events, said)) = (pipe(), pipe());
    log_statuses(access, events);
    let lines = text_of(lines);
    assert_eq!(lines.lines().count(), 100);
    assert!(lines.lines().zip(200..).all(|(line, n)| line.contains(&format!("\" {n} 512 "))));
    let said = text_of(said);
    assert!(said.lines().zip(200..).all(|(line, n)| line.ends_with(&format!("INFO  status {n}"))));
    assert_eq!(said.lines().count(), 100);
}

#[test]
fn no_access_line_is_made_when_none_is_kept() {
    let (events, said) = pipe();
    let log = Log::start_with(None, events).unwrap();
    log.access(&sample());
    assert!(!log.keeps_access() && log.flush(LONG));
    drop(log);
    assert_eq!(text_of(said), "");
}

#[test]
fn a_sink_that_nobody_reads_blocks_no_caller_and_what_was_dropped_is_said() {
    let ((access, lines), (events, said)) = (pipe(), pipe());
    let log = Log::start_with(Some((Format::Json, access)), events).unwrap();
    const MADE: usize = 40_000; // of 400 bytes: far more than socket and lane hold
    for _ in 0..MADE {
        log.access(&sample());
    }
    assert!(log.dropped() > 0);
    assert!(!log.flush(Duration::from_millis(50)), "nothing reads, so nothing can be flushed");
    let mut said = BufReader::new(said);
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    assert!(first.contains(" lines dropped: "), "it is said while nothing reads: {first}");
    log.event(SystemTime::now(), Level::Warn, format_args!("there is room for events"));

    let dropped = log.dropped();
    let reader = std::thread::spawn(|| text_of(lines));
    assert!(log.flush(LONG));
    drop(log);
    let lines = reader.join().unwrap();
    assert_eq!(lines.lines().count() + dropped as usize, MADE);
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    let said = first + &rest;
    assert!(said.contains("WARN  there is room for events\n"), "{said}");
    assert_eq!(counts_said(&said, " lines dropped: "), dropped, "{said}");
}

#[test]
fn what_waits_is_bounded_in_bytes_too_and_events_have_their_share() {
    let (lane, outlet) = lane::Lane::new();
    let hostile = [0x9b; 16 * 1024];
    let record = Access { user_agent: &hostile, ..sample() };
    let mut line = Vec::new();
    record.write(Format::Combined, &mut line);
    let fitting = (0..).take_while(|_| lane.offer(line.clone(), Capacity::ACCESS)).count();
    assert!(fitting * line.len() <= Capacity::ACCESS.bytes && (fitting + 2) * line.len() > 3 << 20);
    assert!(lane.say(SystemTime::now(), Level::Warn, format_args!("there is room for an event")));
    while let Ok(lane::Message::Text(line)) = outlet.messages.try_recv() {
        outlet.give_back(line);
    }
    assert!(lane.has(Capacity::ACCESS) && lane.offer(line, Capacity::ACCESS), "room comes back");
}

#[test]
fn where_both_go_the_same_way_lines_stay_whole_and_in_order() {
    let (write, said) = UnixStream::pair().unwrap();
    let [access, events] = [write.try_clone().unwrap(), write]
        .map(|end| Sink::new(OwnedFd::from(end).into(), Destination::Stderr));
    log_statuses(access, events);
    let text = text_of(said);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 200);
    for (pair, status) in lines.chunks(2).zip(200..) {
        assert!(pair[0].contains(&format!("\" {status} 512 ")), "{pair:?}");
        assert!(pair[1].ends_with(&format!("INFO  status {status}")), "{pair:?}");
    }
}

#[test]
fn a_log_that_was_renamed_is_opened_anew() {
    let (old, new) = (path("renamed"), path("reopened"));
    let (events, said) = pipe();
    let log = Log::start_with(Some((Format::Common, file_sink(&new))), events).unwrap();
    log.access(&Access { status: 201, ..sample() });
    assert!(log.flush(LONG));
    fs::rename(&new, &old).unwrap();
    log.reopen();
    assert!(log.flush(LONG));
    log.access(&Access { status: 202, ..sample() });
    assert!(log.flush(LONG));
    drop(log);
    assert!(fs::read_to_string(&old).unwrap().contains("\" 201 "));
    assert!(fs::read_to_string(&new).unwrap().contains("\" 202 "));
    assert!(text_of(said).ends_with(&format!("INFO  {new}: reopened\n")));
    let _ = (fs::remove_file(old), fs::remove_file(new));
}

#[test]
fn a_log_that_cannot_be_opened_anew_goes_on_in_the_old_file() {
    let old = path("kept");
    let access = Sink::new(fs::File::create(&old).unwrap(), Destination::File("/no/where".into()));
    let (events, said) = pipe();
    let log = Log::start_with(Some((Format::Common, access)), events).unwrap();
    log.reopen();
    log.access(&sample());
    assert!(log.flush(LONG));
    drop(log);
    assert_eq!(fs::read_to_string(&old).unwrap().lines().count(), 1);
    assert!(text_of(said).contains("ERROR /no/where: not reopened, kept as is: No such"));
    let _ = fs::remove_file(old);
}

#[test]
fn a_full_disk_is_counted_and_said_and_ends_nothing() {
    let (events, said) = pipe();
    let log = Log::start_with(Some((Format::Common, file_sink("/dev/full"))), events).unwrap();
    for _ in 0..10 {
        log.access(&sample());
    }
    assert!(log.flush(LONG));
    assert_eq!(log.lost(), 10);
    log.event(SystemTime::now(), Level::Info, format_args!("still here"));
    assert!(log.flush(LONG));
    drop(log);
    let said = text_of(said);
    assert!(said.contains("lines lost: /dev/full: No space left on device"), "{said}");
    assert!(said.ends_with("INFO  still here\n"), "{said}");
}

#[test]
fn a_closed_pipe_is_counted_and_ends_nothing() {
    let ((access, lines), (events, said)) = (pipe(), pipe());
    drop((lines, said));
    let log = Log::start_with(Some((Format::Common, access)), events).unwrap();
    log.access(&sample());
    log.event(SystemTime::now(), Level::Info, format_args!("to nobody"));
    assert!(log.flush(LONG) && log.flush(LONG));
    assert_eq!(log.lost(), 2);
}
