//! `[[applications]]`: from the tables as written to the pool's specs, each with a name and an
//! address of its own. Called by `raw` and `render`.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::grammar::{self, origin};
use super::keys::count;
use super::kind::{Count, Flag, Kind, Only, Unset, found, text};
use super::message::{Place, Report};
use super::raw::read_table;
use super::table::{Field, Slot, Table, table};
use crate::pool::Spec;

/// The table's name, in the file and in messages.
const NAME: &str = "applications";

table! {
    /// An application as written.
    pub(super) struct Application {
        /// Its name in logs, answers and commands.
        name: Option<String> = "ip:port", Unset(text("API01", grammar::name));
        /// Address or host name; needed.
        ip: Option<String> = "127.0.0.1", Unset(text("127.0.0.1", grammar::host));
        /// Port, in quotes or not; needed.
        port: Option<u16> = "8001", Unset(Count { range: 1..=65535, quoted: true });
        /// Whether it speaks TLS; may be spelled `tsl`.
        tls: bool = "false", Only {
            kind: Flag,
            value: false,
            why: "TLS to applications is not in this version; write false or leave it out",
        };
        /// Whether it is up before the first check says so.
        alive: bool = "true", Flag;
        /// Its share, beside those of the others; `first-alive` goes by the order of the file.
        weight: u32 = "1", count(1..=1000);
        /// Requests it gets at once; 0 is no limit.
        max_connections: u32 = "0", count(0..=1_000_000);
        /// Whether it is used only when no other is up.
        backup: bool = "false", Flag;
        /// Where clients reach it themselves; not set, at `http://ip:port`.
        public: Option<String> = "http://ip:port", Unset(text(
            "https://a.example.org",
            origin::read,
        ));
    }
}

/// Reads all applications; whatever is wrong with one does not hide what is wrong with the next.
pub(super) fn read(
    written: Option<(&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)>,
    report: &mut Report<'_>,
) -> Vec<Spec> {
    let (place, items) = match written.map(|(key, value)| (key.span().start, value.get_ref())) {
        None => (Place::File, None),
        Some((start, DeValue::Array(items))) => (report.at(start), Some(items)),
        Some((start, other)) => {
            let what = format!(
                "found {}; write [[{NAME}]], in double brackets, above each application",
                found(other)
            );
            report.add(report.at(start), NAME, what);
            return Vec::new();
        }
    };
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        let what = "there are none; write [[applications]] and below it ip and port of each";
        report.add(place, NAME, what);
        return Vec::new();
    };
    let mut specs: Vec<(Spec, Place)> = Vec::new();
    for item in items.iter() {
        let place = report.at(item.span().start);
        if let Some(spec) = read_one(item.get_ref(), &place, report) {
            refuse_twins(&spec, &place, &specs, report);
            specs.push((spec, place));
        }
    }
    specs.into_iter().map(|(spec, _)| spec).collect()
}

/// None where there was no address to read; a problem was reported then.
fn read_one(item: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Spec> {
    let DeValue::Table(table) = item else {
        let what = format!("found {}; expected a table with ip and port", found(item));
        report.add(place.clone(), NAME, what);
        return None;
    };
    let table = with_tsl_as_tls(table.clone(), report);
    let mut written = Application::default();
    read_table(NAME, &table, &mut written, report);
    for (key, example) in [("ip", "\"127.0.0.1\""), ("port", "8001")] {
        if !table.contains_key(key) {
            let what = format!("missing; write for example {key} = {example}");
            report.add(place.clone(), &format!("{NAME}.{key}"), what);
        }
    }
    let (host, port) = (written.ip?, written.port?);
    Some(Spec {
        name: written.name.unwrap_or_else(|| address(&host, port)),
        host,
        port,
        alive: written.alive,
        weight: written.weight,
        max_connections: written.max_connections,
        backup: written.backup,
        public: written.public,
    })
}

/// `tsl` is how files spelled it before there was an Evenly. Both spellings are one too many.
fn with_tsl_as_tls<'i>(mut table: DeTable<'i>, report: &mut Report<'_>) -> DeTable<'i> {
    if let Some((key, value)) = table.remove_entry("tsl") {
        if table.contains_key("tls") {
            let what = "the same as tls; remove one of the two";
            report.add(report.at(key.span().start), &format!("{NAME}.tsl"), what);
        } else {
            table.insert(Spanned::new(key.span(), "tls".into()), value);
        }
    }
    table
}

fn refuse_twins(spec: &Spec, place: &Place, earlier: &[(Spec, Place)], report: &mut Report<'_>) {
    let twin = |same: &dyn Fn(&Spec) -> bool| earlier.iter().find(|(other, _)| same(other));
    let line = |place: &Place| match place {
        Place::At { line, .. } => *line,
        _ => 0,
    };
    if let Some((_, at)) = twin(&|other| (&other.host, other.port) == (&spec.host, spec.port)) {
        let (address, line) = (address(&spec.host, spec.port), line(at));
        let what = format!("{address} is listed at line {line} already; remove one of the two");
        report.add(place.clone(), &format!("{NAME}.ip"), what);
    } else if let Some((_, at)) = twin(&|other| other.name == spec.name) {
        let (name, line) = (&spec.name, line(at));
        let what = format!("\"{name}\" is the name of the one at line {line}; choose another");
        report.add(place.clone(), &format!("{NAME}.name"), what);
    }
}

/// `host:port`, with the brackets that IPv6 needs (RFC 3986 section 3.2.2).
fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl From<&Spec> for Application {
    fn from(spec: &Spec) -> Self {
        Self {
            name: Some(spec.name.clone()),
            ip: Some(spec.host.clone()),
            port: Some(spec.port),
            tls: false,
            alive: spec.alive,
            weight: spec.weight,
            max_connections: spec.max_connections,
            backup: spec.backup,
            public: spec.public.clone(),
        }
    }
}
