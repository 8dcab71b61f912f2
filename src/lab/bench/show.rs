//! A tally for people, programs and browsers: text, JSON, a page. `evenly bench` prints it; a
//! comparison may take the parts. The keys of the JSON are a contract; `evenly bench --help` has
//! them. It must never leave out what went wrong.

use std::io::{self, Write};

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::{LoadFault, LoadPlan, LoadTally};
use crate::lab::report::{Axis, Page, Plot, Scale, Series, Table};

/// The percentiles that are shown, with the names they have in JSON; the longest comes last.
const PERCENTILES: [(&str, f64); 4] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)];

/// What the latencies are those of; they are what a reader compares.
const LATENCY: &str = "Of whole answers, whatever their status.";

/// A run to be shown.
#[derive(Clone, Copy, Debug)]
pub struct LoadReport<'r> {
    /// What was asked for.
    pub plan: &'r LoadPlan,
    /// What it came to.
    pub tally: &'r LoadTally,
}

impl LoadReport<'_> {
    /// Writes tables for a terminal. Errors are those of `out`.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", self.lead())?;
        for (_, table) in self.tables() {
            writeln!(out)?;
            table.write_text(out)?;
        }
        Ok(())
    }

    /// One object with keys that stay.
    #[must_use]
    pub fn json(&self) -> Value {
        let LoadReport { plan, tally } = self;
        let errors = LoadFault::ALL.iter().filter_map(|fault| tally.faults.get_key_value(fault));
        let errors: Map<_, _> =
            errors.map(|(fault, failed)| (fault.key().into(), failed.count.into())).collect();
        let statuses: Map<_, _> = tally
            .statuses
            .iter()
            .map(|(code, count)| (code.to_string(), (*count).into()))
            .collect();
        json!({
            "url": plan.request.url.to_string(),
            "method": plan.request.method,
            "workers": plan.workers,
            "rate_asked": plan.rate,
            "requests": tally.requests(),
            "ok": tally.ok(),
            "statuses": statuses,
            "errors": errors,
            "resent": tally.resent,
            "unsent": tally.unsent,
            "seconds": tally.seconds(),
            "rate": tally.rate(),
            "bytes": tally.bytes,
            "bytes_rate": tally.bytes as f64 / tally.seconds(),
            "latency_ms": latencies(&tally.latency),
            "service_ms": tally.service.as_ref().map(latencies),
            "served_by": tally.served_by,
        })
    }

    /// A page with the tables and the curve of latencies.
    #[must_use]
    pub fn page(&self) -> Page {
        let mut page = Page::new(format!("evenly bench {}", self.plan.request.url), self.lead());
        for (heading, table) in self.tables() {
            page.table(heading, if heading == "Latency" { LATENCY } else { "" }, table);
        }
        if !self.tally.latency.is_empty() {
            page.plot("Latency by percentile", "", self.curve());
        }
        page
    }

    /// What was done, in a sentence.
    fn lead(&self) -> String {
        let LoadPlan { request, workers, rate, .. } = self.plan;
        let people = if *workers == 1 { "worker" } else { "workers" };
        let how = match rate {
            Some(rate) => format!("open loop at {rate} requests a second"),
            None => "closed loop".to_owned(),
        };
        let kept = if request.keep_alive { "connections kept" } else { "no connection kept" };
        let (method, seconds) = (&request.method, self.tally.seconds());
        format!("{method} {}: {workers} {people}, {how}, {kept}, {seconds:.2} s", request.url)
    }

    fn tables(&self) -> Vec<(&'static str, Table)> {
        let tally = self.tally;
        let mut tables = vec![("Throughput", self.throughput())];
        if !tally.statuses.is_empty() {
            let statuses = tally.statuses.iter().map(|(code, count)| (code.to_string(), *count));
            tables.push(("Statuses", shares("status", statuses.collect())));
        }
        if !tally.faults.is_empty() {
            tables.push(("Errors", self.errors()));
        }
        if !tally.latency.is_empty() {
            tables.push(("Latency", self.latency()));
        }
        if !tally.served_by.is_empty() {
            let served = tally.served_by.iter().map(|(name, count)| (name.clone(), *count));
            tables.push(("Served by", shares("served by", served.collect())));
        }
        tables
    }

    fn throughput(&self) -> Table {
        let tally = self.tally;
        let mut table = Table::new(["", "count", "a second"]);
        let mut add = |name: &str, count: u64| {
            let rate = count as f64 / tally.seconds();
            table.row([name.to_owned(), count.to_string(), format!("{rate:.1}")]);
        };
        add("requests", tally.requests());
        add("answers", tally.answers());
        add("of them 200 to 399", tally.ok());
        for (name, count) in [
            ("errors", tally.failures()),
            ("sent again: a kept connection had closed", tally.resent),
            ("due and never sent: no worker was free", tally.unsent),
        ] {
            if count > 0 {
                add(name, count);
            }
        }
        let rate = tally.bytes as f64 / tally.seconds();
        table.row(["received".to_owned(), size(tally.bytes as f64), size(rate)]);
        table
    }

    fn errors(&self) -> Table {
        let mut table = Table::new(["error", "requests", "the first of them"]);
        for (fault, failures) in &self.tally.faults {
            let count = failures.count.to_string();
            table.row([fault.name(), &count, &failures.example]);
        }
        table
    }

    fn latency(&self) -> Table {
        let names = PERCENTILES.iter().map(|(name, _)| *name);
        let mut table = Table::new(["latency (ms)"].into_iter().chain(names).chain(["max"]));
        for (name, histogram) in self.histograms() {
            let cells = values(histogram).map(|(_, ms)| milliseconds(ms));
            table.row([name.to_owned()].into_iter().chain(cells));
        }
        table
    }

    fn curve(&self) -> Plot {
        let series = self
            .histograms()
            .into_iter()
            .map(|(name, histogram)| Series { name: name.to_owned(), points: points(histogram) });
        Plot {
            title: "Latency by percentile".into(),
            x: Axis { label: "percentile".into(), scale: Scale::Percentile },
            y: Axis { label: "latency (ms)".into(), scale: Scale::Log },
            series: series.collect(),
        }
    }

    fn histograms(&self) -> Vec<(&'static str, &Histogram<u64>)> {
        match &self.tally.service {
            Some(sent) => {
                vec![("since it was due", &self.tally.latency), ("since it was sent", sent)]
            }
            None => vec![("since it was sent", &self.tally.latency)],
        }
    }
}

/// Percent, and the latency that so many did not exceed: ten steps for each half of the rest.
fn points(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let steps = histogram.iter_quantiles(10);
    let point = |percent, micros| (percent, ms(micros));
    steps.map(|at| point(at.quantile_iterated_to() * 100.0, at.value_iterated_to())).collect()
}

fn shares(what: &str, counts: Vec<(String, u64)>) -> Table {
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let mut table = Table::new([what, "answers", "share"]);
    for (name, count) in counts {
        let percent = 100.0 * count as f64 / all.max(1) as f64;
        table.row([name, count.to_string(), format!("{percent:.2} %")]);
    }
    table
}

/// Null while nothing was answered.
fn latencies(histogram: &Histogram<u64>) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    values(histogram).map(|(name, ms)| (name.to_owned(), json!(ms))).collect()
}

/// Percentiles and the longest, in milliseconds.
fn values(histogram: &Histogram<u64>) -> impl Iterator<Item = (&'static str, f64)> + '_ {
    let percentiles = PERCENTILES.iter();
    let percentiles =
        percentiles.map(|(name, percent)| (*name, ms(histogram.value_at_percentile(*percent))));
    percentiles.chain([("max", ms(histogram.max()))])
}

fn ms(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// Three digits or more, as many as are known.
fn milliseconds(ms: f64) -> String {
    match ms {
        ..10.0 => format!("{ms:.3}"),
        ..100.0 => format!("{ms:.2}"),
        ..1000.0 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}

fn size(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = bytes;
    let mut unit = 0;
    while scaled >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0);
    format!("{scaled:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::super::fault::FailedExchange;
    use super::*;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    fn plan(rate: Option<f64>) -> LoadPlan {
        LoadPlan { rate, workers: 1, ..LoadPlan::to("http://a.test/".parse().unwrap()) }
    }

    fn tally(rate: Option<f64>) -> LoadTally {
        let mut tally = LoadTally::new(rate.is_some());
        for nth in 1..=8 {
            let status = if nth > 6 { 503 } else { 200 };
            tally.answered(status, ["a", "b"][nth % 2].as_bytes(), 20 * MS, 10 * MS);
        }
        tally.failed(FailedExchange::new(LoadFault::Timeout, "too late"));
        tally.failed(FailedExchange::new(LoadFault::Refused, "connect to x: refused"));
        (tally.bytes, tally.elapsed) = (4096, 2000 * MS);
        (tally.resent, tally.unsent) = (1, 3);
        tally
    }

    fn text(report: &LoadReport) -> String {
        let mut text = Vec::new();
        report.write_text(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_text_has_all_that_was_counted() {
        let (plan, tally) = (plan(None), tally(None));
        let expected = "\
GET http://a.test/: 1 worker, closed loop, connections kept, 2.00 s

                                            count  a second
requests                                       10       5.0
answers                                         8       4.0
of them 200 to 399                              6       3.0
errors                                          2       1.0
sent again: a kept connection had closed        1       0.5
due and never sent: no worker was free          3       1.5
received                                  4.0 KiB   2.0 KiB

status  answers    share
200           6  75.00 %
503           2  25.00 %

error               requests      the first of them
connection refused         1  connect to x: refused
timed out                  1               too late

latency (ms)         p50    p90    p99  p99.9    max
since it was sent  20.02  20.02  20.02  20.02  20.02

served by  answers    share
a                4  50.00 %
b                4  50.00 %
";
        // 20 ms show as the upper end of what three digits tell apart.
        assert_eq!(text(&LoadReport { plan: &plan, tally: &tally }), expected);
    }

    #[test]
    fn an_open_loop_shows_both_ways_to_count() {
        let rate = Some(50.0);
        let text = text(&LoadReport { plan: &plan(rate), tally: &tally(rate) });
        assert!(text.contains("open loop at 50 requests a second"), "{text}");
        let line = |name| text.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line("since it was due").contains("20.0"));
        assert!(line("since it was sent").contains("10.0"));
    }

    #[test]
    fn the_json_has_its_keys() {
        let rate = Some(50.0);
        let json = LoadReport { plan: &plan(rate), tally: &tally(rate) }.json();
        let expected = json!({
            "url": "http://a.test/", "method": "GET", "workers": 1, "rate_asked": 50.0,
            "requests": 10, "ok": 6, "statuses": {"200": 6, "503": 2},
            "errors": {"refused": 1, "timeout": 1}, "resent": 1, "unsent": 3,
            "seconds": 2.0, "rate": 4.0, "bytes": 4096, "bytes_rate": 2048.0,
            "latency_ms": json["latency_ms"], "service_ms": json["service_ms"],
            "served_by": {"a": 4, "b": 4},
        });
        assert_eq!(json, expected);
        for key in ["p50", "p90", "p99", "p99.9", "max"] {
            assert!(json["latency_ms"][key].as_f64() > json["service_ms"][key].as_f64(), "{key}");
        }
    }

    #[test]
    fn a_run_without_an_answer_has_no_latency() {
        let (plan, tally) = (plan(None), LoadTally::new(false));
        let report = LoadReport { plan: &plan, tally: &tally };
        assert_eq!(report.json()["latency_ms"], Value::Null);
        assert!(!text(&report).contains("latency"));
        let mut page = Vec::new();
        report.page().write_html(&mut page).unwrap();
        assert!(!String::from_utf8(page).unwrap().contains("<svg"));
    }

    #[test]
    fn the_page_has_the_curve() {
        let (plan, tally) = (plan(None), tally(None));
        let mut page = Vec::new();
        LoadReport { plan: &plan, tally: &tally }.page().write_html(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains("<svg") && page.contains("http://a.test/"));
        assert!(page.contains("Latency by percentile") && page.contains("too late"));
    }

    #[test]
    fn figures_have_as_many_digits_as_they_deserve() {
        let shown = [0.0154, 12.345, 123.45, 12345.6].map(milliseconds);
        assert_eq!(shown, ["0.015", "12.35", "123.5", "12346"]);
        assert_eq!(
            [0.0, 1023.0, 1536.0, 3e15].map(size),
            ["0 B", "1023 B", "1.5 KiB", "2728.5 TiB"]
        );
    }
}
