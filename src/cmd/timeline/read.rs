//! What one balancer tells of its past, taken apart: its events, and the points of its history.
//! What a later version adds is passed over.

use serde_json::Value;

use crate::cmd::when::instant_ms;

/// What a balancer remembers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record {
    /// What it is called; empty where it is the only one.
    pub balancer: String,
    /// By its own clock; none if it does not say.
    pub now_ms: Option<u64>,
    /// In the order in which they were told.
    pub events: Vec<Event>,
    /// Events that it has forgotten.
    pub lost: u64,
    /// The points of its history, two seconds each.
    pub points: Vec<Counter>,
    /// When it began to remember, if that was after the time that is asked for.
    pub begins_ms: Option<u64>,
    /// Why there are no points, if that is so.
    pub no_points: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Event {
    /// Counted from 1 since the process began.
    pub number: u64,
    pub at_ms: u64,
    pub level: Level,
    pub kind: String,
    pub backend: Option<String>,
    pub pool: Option<String>,
    pub text: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    #[default]
    Info,
    Warn,
    Error,
}

/// What was counted in some time: a point of the history, or several of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counter {
    pub from_ms: u64,
    pub to_ms: u64,
    /// How much of it was counted, of all balancers together.
    pub covered_ms: u64,
    /// Balancers that counted.
    pub balancers: u64,
    pub requests: u64,
    /// Connections of TCP clients that ended.
    pub connections: u64,
    /// Of either.
    pub errors_ours: u64,
    pub errors_theirs: u64,
    /// The worst of all points.
    pub p99_ms: Option<f64>,
    pub in_flight: u64,
    pub queue: u64,
    /// Backends that were up, at the least.
    pub usable: u64,
}

impl Record {
    /// Reads the answers to GET /events and /history. None if the first is of no balancer; without
    /// the second there is no history, and it is said why.
    pub(super) fn read(
        balancer: String,
        events: &str,
        history: Result<&str, &String>,
    ) -> Option<Self> {
        let told: Value = serde_json::from_str(events).ok()?;
        let events = told["events"].as_array()?.iter().filter_map(Event::of).collect();
        let lost = count(&told["lost"]);
        let (history, no_points) = match history {
            Ok(body) => (serde_json::from_str(body).unwrap_or_default(), None),
            Err(why) => (Value::Null, Some(why.clone())),
        };
        let columns = &history["columns"];
        let many = columns["time_s"].as_array().map_or(0, Vec::len);
        let points = (0..many).filter_map(|at| point(columns, at)).collect();
        let now_ms = history["now_s"].as_f64().map(ms);
        Some(Self { balancer, now_ms, events, lost, points, begins_ms: None, no_points })
    }

    /// Leaves out what was over before. Nothing is left out that came after something that is
    /// not: what a clock that was set back called earlier was no less seen by it.
    pub(super) fn forget_before(&mut self, from_ms: u64) {
        let events = self.events.iter().position(|event| event.at_ms >= from_ms);
        let points = self.points.iter().position(|point| point.to_ms > from_ms);
        let events = events.unwrap_or(self.events.len());
        let points = points.unwrap_or(self.points.len());
        let firsts =
            [self.events.first().map(|it| it.at_ms), self.points.first().map(|it| it.from_ms)];
        let is_whole = (events, points, self.lost) == (0, 0, 0);
        self.begins_ms = if is_whole { firsts.into_iter().flatten().min() } else { None };
        self.events.drain(..events);
        self.points.drain(..points);
    }

    /// When each event is to stand in a list by time: none behind one that was told after it, as
    /// one from a clock that was ahead would for as long as it is remembered.
    pub(super) fn places(&self) -> Vec<u64> {
        let mut latest = u64::MAX;
        let place = |event: &Event| {
            latest = latest.min(event.at_ms);
            latest
        };
        let mut places: Vec<u64> = self.events.iter().rev().map(place).collect();
        places.reverse();
        places
    }
}

impl Event {
    fn of(told: &Value) -> Option<Self> {
        let level = match told["level"].as_str() {
            Some("error") => Level::Error,
            Some("warn") => Level::Warn,
            _ => Level::Info,
        };
        Some(Self {
            number: count(&told["number"]),
            at_ms: instant_ms(told["time"].as_str()?)?,
            level,
            kind: told["kind"].as_str().unwrap_or_default().to_owned(),
            backend: told["backend"].as_str().map(str::to_owned),
            pool: told["pool"].as_str().map(str::to_owned),
            text: told["text"].as_str()?.to_owned(),
        })
    }
}

/// The point that stands there in each of the columns.
fn point(columns: &Value, at: usize) -> Option<Counter> {
    let number = |name: &str| columns[name][at].as_f64();
    let count = |name: &str| count(&columns[name][at]);
    let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    let (to_ms, covered_ms) = (ms(number("time_s")?), number("length_s").map_or(0, ms));
    Some(Counter {
        from_ms: to_ms.saturating_sub(covered_ms),
        to_ms,
        covered_ms,
        balancers: 1,
        requests: classes.iter().map(|class| count(&format!("requests_{class}"))).sum(),
        connections: count("tcp_connections"),
        errors_ours: count("errors_ours"),
        errors_theirs: count("errors_theirs"),
        p99_ms: number("p99_ms"),
        in_flight: count("in_flight"),
        queue: count("queue"),
        usable: count("usable"),
    })
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

/// A float beyond u64 becomes the largest, and one that is no number 0.
fn ms(seconds: f64) -> u64 {
    (seconds * 1e3).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &str = r#"{"version":1,"lost":7,"events":[
        {"number":8,"time":"2026-11-27T04:10:37.057Z","level":"warn","kind":"out","backend":"A",
         "text":"backend A: x"},
        {"number":9,"time":"yesterday","text":"no time"}]}"#;

    #[test]
    fn what_is_understood_is_read_and_the_rest_passed_over() {
        let history = r#"{"now_s":5.5,"columns":{"time_s":[1.5,3.5],"length_s":[2,2],
            "requests_2xx":[4,0],"requests_5xx":[1,0],"errors_ours":[1,0],"p99_ms":[2.5,null],
            "usable":[3,3],"new":[9]}}"#;
        let record = Record::read("lb1".into(), EVENTS, Ok(history)).unwrap();
        assert_eq!((record.lost, record.now_ms, record.events.len()), (7, Some(5500), 1));
        let event = &record.events[0];
        assert_eq!((event.level, event.at_ms % 1_000_000), (Level::Warn, 637_057));
        let expected = Counter {
            from_ms: 0,
            to_ms: 1500,
            covered_ms: 2000,
            balancers: 1,
            requests: 5,
            errors_ours: 1,
            p99_ms: Some(2.5),
            usable: 3,
            ..Counter::default()
        };
        assert_eq!(record.points[0], expected);
        assert_eq!((record.points.len(), record.points[1].p99_ms), (2, None));
    }

    #[test]
    fn nothing_is_missed_for_a_clock_that_was_set_and_nothing_stands_behind_what_came_later() {
        let event = |at_ms| Event { at_ms, ..Event::default() };
        let events = [1000, 9000, 4000, 5000].map(event).into();
        let mut record = Record { events, ..Record::default() };
        assert_eq!(record.places(), [1000, 4000, 4000, 5000]);
        record.forget_before(8000);
        assert_eq!(record.events.len(), 3, "what was called 4000 was after 9000");
        assert_eq!(record.begins_ms, None);
        record.forget_before(100);
        assert_eq!(record.begins_ms, Some(9000));
        record.forget_before(10_000);
        assert_eq!((record.events.len(), record.begins_ms), (0, None));
    }

    #[test]
    fn a_balancer_without_a_history_still_tells_its_events() {
        let why = "there is no such path".to_owned();
        let record = Record::read(String::new(), EVENTS, Err(&why)).unwrap();
        assert_eq!((record.events.len(), record.no_points), (1, Some(why)));
        assert_eq!(Record::read(String::new(), "<html>", Ok("{}")), None);
        assert_eq!(Record::read(String::new(), "{}", Ok("{}")), None);
    }
}
