//! `[[applications]]`: from the tables as written to the pool's specs, each with a name and an
//! address of its own. Called by `raw` and `render`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::APPLICATIONS;
use super::form::{Choice, Flag, Form, Unset, found, text};
use super::grammar::{self, origin};
use super::keys::{CHECKING, RELAYING, count, port};
use super::message::Place;
#[cfg(feature = "client")]
use super::message::quote;
use super::needs::{Need, Needs, is, is_not, is_set};
use super::report::Report;
use super::table::{Field, Slot, Table, table};
use super::twins::Known;
use super::written::read_table;
use crate::pool::{Spec, Trust};
use crate::preface::Version;

/// A key about TLS that means nothing is a slip in another one: where `tls` was forgotten, what was
/// to be secret would go in the clear.
const SECURE: Need = is("applications.tls", "true").or_refused();
/// Clients are told where it is by redirects and look-ups alone.
const TOLD: Need = is("server.mode", "redirect").or(&is_not("lookup.path", "off"));
/// Nobody's certificate is held against anything without.
const VERIFYING: Need = is("applications.tls_verify", "true").or_refused();

table! {
    /// An application as written.
    pub(super) struct Application {
        /// Its name in logs, answers and commands.
        name: Option<String> = "ip:port", Unset(text("API01", grammar::name));
        /// Address or host name; needed.
        ip: Option<String> = "127.0.0.1", Unset(text("127.0.0.1", grammar::host));
        /// Port, in quotes or not; needed.
        port: Option<u16> = "8001", Unset(port());
        /// Whether it speaks TLS; may be spelled `tsl`.
        tls: bool = "false", Flag;
        /// Whether its certificate is verified; false takes any, and needs no proof of its key.
        tls_verify: bool = "true", Flag, when(SECURE);
        /// PEM file of those who may have signed it, or of itself: then that very certificate is
        /// believed, whatever names and dates stand in it. Not set, whom the system trusts.
        tls_ca: Option<String> = "system", Unset(text("./ca.pem", grammar::file)),
            when(SECURE, VERIFYING);
        /// The name that the certificate must be for; not set, `ip`.
        tls_name: Option<String> = "ip", Unset(text("api.example.org", grammar::host)),
            when(SECURE);
        /// PEM file of the certificate that Evenly shows it; not set, none.
        tls_certificate: Option<String> = "none", Unset(text("./client.pem", grammar::file)),
            when(SECURE);
        /// PEM file of that certificate's key; not set, the same file.
        tls_key: Option<String> = "tls_certificate", Unset(text("./client.key", grammar::file)),
            when(SECURE, is_set("applications.tls_certificate").or_refused());
        /// Whether it is up before the first check says so.
        alive: bool = "true", Flag;
        /// Its share, beside those of the others; `first-alive` goes by the order of the file.
        weight: u32 = "1", count(1..=1000),
            when(is_not("balance.policy", "first-alive"));
        /// Requests it gets at once; 0 is no limit.
        max_connections: u32 = "0", count(0..=1_000_000), when(RELAYING);
        /// Whether it is used only when no other is up.
        backup: bool = "false", Flag;
        /// Where clients reach it themselves; not set, at `ip:port`.
        public: Option<String> = "http(s)://ip:port", Unset(text(
            "https://a.example.org",
            origin::read,
        )), when(TOLD);
        /// The version of the PROXY protocol with which each connection to it begins, before TLS:
        /// it says who the client is. Checks at its own port begin so too.
        proxy_protocol: Option<Version> = "off", Choice {
            noun: "version",
            built: &[("off", None), ("v1", Some(Version::V1)), ("v2", Some(Version::V2))],
        };
        /// Port of its checks, in quotes or not; not set, that of `[health]`, or else its own.
        health_port: Option<u16> = "port", Unset(port()), when(CHECKING);
    }
}

/// Reads all applications of the file, or of a pool at its place, whose list messages call `name`;
/// whatever is wrong with one does not hide what is wrong with the next.
pub(super) fn read(
    (name, place): (&str, Place),
    table: &DeTable<'_>,
    known: &mut Known,
    report: &mut Report<'_>,
) -> Vec<Spec> {
    let written = table.get_key_value(APPLICATIONS);
    let (place, items) = match written.map(|(key, value)| (key.span().start, value.get_ref())) {
        None => (place, None),
        Some((start, DeValue::Array(items))) => (report.at(start), Some(items)),
        Some((start, other)) => {
            let what = format!(
                "found {}; write [[{name}]], in double brackets, above each application",
                found(other)
            );
            report.add(report.at(start), APPLICATIONS, what);
            return Vec::new();
        }
    };
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        let so = if report.is_empty() { ", the file says nothing" } else { "" };
        let what = format!("there are none{so}; write [[{name}]] and below it ip and port of each");
        report.add(place, APPLICATIONS, what);
        return Vec::new();
    };
    known.begin_pool();
    let mut specs = Vec::with_capacity(items.len());
    for item in items.iter() {
        report.settings.items.push(Vec::new());
        let place = report.at(item.span().start);
        if let Some(spec) = read_one(item.get_ref(), &place, report) {
            known.add(&spec, &place, report);
            specs.push(spec);
        }
    }
    specs
}

/// None where there was no address to read; a problem was reported then.
fn read_one(item: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Spec> {
    let DeValue::Table(table) = item else {
        let what = format!("found {}; expected a table with ip and port", found(item));
        report.add(place.clone(), APPLICATIONS, what);
        return None;
    };
    let table = with_tsl_as_tls(table.clone(), report);
    let mut written = Application::default();
    read_table(APPLICATIONS, &table, &mut written, report);
    // A URL, or an address with its port, was told already where the port belongs.
    let is_port_told = written.ip.is_none()
        && table.get("ip").and_then(|ip| ip.get_ref().as_str()).is_some_and(|ip| ip.contains(':'));
    for (key, example) in [("ip", "\"127.0.0.1\""), ("port", "8001")] {
        if table.contains_key(key) || key == "port" && is_port_told {
            continue;
        }
        let what = format!("missing; write for example {key} = {example}");
        report.add(place.clone(), &format!("{APPLICATIONS}.{key}"), what);
    }
    let mut spec = Spec {
        name: String::new(),
        host: written.ip?,
        port: written.port?,
        found: None,
        alive: written.alive,
        weight: written.weight,
        max_connections: written.max_connections,
        backup: written.backup,
        public: written.public,
        tls: written.tls.then_some(Trust {
            verify: written.tls_verify,
            ca: written.tls_ca,
            name: written.tls_name,
            certificate: written.tls_certificate,
            key: written.tls_key,
        }),
        health_port: written.health_port,
        preface: written.proxy_protocol,
    };
    spec.name = written.name.unwrap_or_else(|| spec.authority());
    Some(spec)
}

/// `tsl` is how files spelled it before there was an Evenly. Both spellings are one too many.
fn with_tsl_as_tls<'i>(mut table: DeTable<'i>, report: &mut Report<'_>) -> DeTable<'i> {
    if let Some((key, value)) = table.remove_entry("tsl") {
        if table.contains_key("tls") {
            let what = "the same as tls; remove one of the two";
            report.add(report.at(key.span().start), &format!("{APPLICATIONS}.tsl"), what);
        } else {
            table.insert(Spanned::new(key.span(), "tls".into()), value);
        }
    }
    table
}

/// A key's value as TOML, from bare text. Reading it says whether it will do, and whether there is
/// such a key.
#[cfg(feature = "client")]
pub(crate) fn spell(key: &str, text: &str) -> String {
    let key = if key == "tsl" { "tls" } else { key };
    let mut spelled = None;
    Application::default().each(&mut |name, field| {
        if name == key {
            spelled = Some(field.spell(text));
        }
    });
    spelled.unwrap_or_else(|| quote(text))
}

impl From<&Spec> for Application {
    fn from(spec: &Spec) -> Self {
        let trust = spec.tls.clone();
        Self {
            name: Some(spec.name.clone()),
            ip: Some(spec.host.clone()),
            port: Some(spec.port),
            tls: spec.tls.is_some(),
            tls_verify: trust.as_ref().is_none_or(|trust| trust.verify),
            tls_ca: trust.as_ref().and_then(|trust| trust.ca.clone()),
            tls_name: trust.as_ref().and_then(|trust| trust.name.clone()),
            tls_certificate: trust.as_ref().and_then(|trust| trust.certificate.clone()),
            tls_key: trust.and_then(|trust| trust.key),
            alive: spec.alive,
            weight: spec.weight,
            max_connections: spec.max_connections,
            backup: spec.backup,
            public: spec.public.clone(),
            health_port: spec.health_port,
            proxy_protocol: spec.preface,
        }
    }
}
