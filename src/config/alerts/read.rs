//! From the tables as written to alerts, each with a name of its own and all that its kind needs.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::choices::{ContentType, Occasion, Security, Way};
use super::{Alert, AlertKind, Hook, Mail, Written, template};
use crate::config::ALERTS;
use crate::config::form::found;
use crate::config::message::{Place, quote};
use crate::config::report::Report;
use crate::config::units::TIME;
use crate::config::written::{items, read_table};

/// The most alerts: each has a thread.
const ALERTS_MAX: usize = 16;

/// Reads all alerts; whatever is wrong with one does not hide what is wrong with the next.
pub(in crate::config) fn read(
    written: (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>),
    report: &mut Report<'_>,
) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    for item in items((ALERTS, "alert", ALERTS_MAX), written, report) {
        report.settings.items.push(Vec::new());
        let place = report.at(item.span().start);
        if let Some(alert) = read_one(item.get_ref(), &place, report) {
            if alerts.iter().any(|other| other.name == alert.name) {
                let said = quote(&alert.name);
                let what = format!("{said} is the name of another; give each one of its own");
                report.add(place, &format!("{ALERTS}.name"), what);
            }
            alerts.push(alert);
        }
    }
    alerts
}

/// None where something that it needs is missing; a problem was reported then.
fn read_one(item: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Alert> {
    let DeValue::Table(table) = item else {
        let what = format!("found {}; expected a table with kind", found(item));
        report.add(place.clone(), ALERTS, what);
        return None;
    };
    let mut written = Written::default();
    let before = report.problems();
    read_table(ALERTS, table, &mut written, report);
    let mut is_whole = true;
    let mut needs = |key: &str, example: &str| {
        if !table.contains_key(key) {
            is_whole = false;
            let what = format!("missing; write for example {key} = {example}");
            report.add(place.clone(), &format!("{ALERTS}.{key}"), what);
        }
    };
    needs("kind", "\"webhook\"");
    match written.kind? {
        Way::Email => {
            needs("to", "[\"ops@example.org\"]");
            needs("from", "\"evenly@example.org\"");
            needs("server", "\"mail.example.org\"");
        }
        Way::Webhook => needs("url", "\"https://example.org/hook\""),
        Way::Command => needs("command", "[\"/usr/local/bin/page\"]"),
    }
    if !is_whole {
        return None;
    }
    if report.problems() == before {
        refuse_contradictions(&written, (table, place), report);
        refuse_no_json(&written, table, report);
        warn_of_silence(&written, table, report);
    }
    meant(written)
}

fn refuse_contradictions(
    written: &Written,
    (table, whole): (&DeTable<'_>, &Place),
    report: &mut Report<'_>,
) {
    let mut refuse = |key: &str, what: &str| {
        let place = table.get(key).map_or(whole.clone(), |it| report.at(it.span().start));
        report.add(place, &format!("{ALERTS}.{key}"), what);
    };
    match written.kind {
        Some(Way::Email) if written.to.is_empty() => {
            refuse("to", "is empty; write for example [\"ops@example.org\"]");
        }
        Some(Way::Webhook) if written.url.is_empty() => {
            refuse("url", "is empty; write for example \"https://example.org/hook\"");
        }
        Some(Way::Command) if written.command.is_empty() => {
            refuse("command", "is empty; write for example [\"/usr/local/bin/page\"]");
        }
        Some(Way::Command) if !written.command[0].starts_with('/') => {
            refuse("command", "the first is no path from the root; write it as \"/path/to/it\"");
        }
        _ => {}
    }
    if written.user.is_some() && written.security == Security::None {
        let what = "a password would go in the clear; write security = \"starttls\" or \"tls\"";
        refuse("security", what);
    }
    if written.user.is_some() && written.password.is_empty() {
        refuse("password", "missing beside user; write for example \"${file:./password}\"");
    }
}

fn refuse_no_json(written: &Written, table: &DeTable<'_>, report: &mut Report<'_>) {
    let text = written.template.as_deref().filter(|_| written.content_type == ContentType::Json);
    if let Some(what) = text.and_then(template::fault) {
        let place = table.get("template").map_or(Place::File, |it| report.at(it.span().start));
        report.add(place, &format!("{ALERTS}.template"), what);
    }
}

/// What can be meant by nobody, and harms nobody but in the night.
fn warn_of_silence(written: &Written, table: &DeTable<'_>, report: &mut Report<'_>) {
    let mut warn = |key: &str, what: String| {
        let place = table.get(key).map_or(Place::File, |it| report.at(it.span().start));
        report.warn(place, &format!("{ALERTS}.{key}"), what);
    };
    let ends = [Occasion::Up, Occasion::Recovered];
    let end = written.on.iter().find(|kind| ends.contains(kind));
    if written.on.iter().all(|kind| ends.contains(kind)) {
        let what = "begins nothing that it could tell the end of, so it tells nothing; add what \
                    begins it, such as \"all-down\"";
        warn("on", what.to_owned());
    } else if let Some(end) = end.filter(|_| !written.resolved && table.contains_key("on")) {
        let what =
            format!("{} is not told with resolved = false; remove one of them", quote(end.word()));
        warn("on", what);
    }
    if let Some(repeat) = written.repeat.filter(|repeat| *repeat < written.wait) {
        let [repeat, wait] =
            [repeat, written.wait].map(|it| quote(&TIME.write(it.as_millis() as u64)));
        let what = format!(
            "{repeat} is shorter than wait {wait}: what is known is told again before what is new; \
             raise it"
        );
        warn("repeat", what);
    }
}

/// None where a key was read wrong; a problem was reported then.
fn meant(written: Written) -> Option<Alert> {
    let kind = match written.kind? {
        Way::Email => {
            let (host, port) = host_and_port(&written.server?, written.security);
            AlertKind::Email(Mail {
                to: written.to,
                from: written.from?,
                host,
                port,
                security: written.security,
                login: written.user.map(|user| (user, written.password)),
                ca: written.ca,
            })
        }
        Way::Webhook => AlertKind::Webhook(Hook {
            url: written.url,
            template: written.template,
            content_type: written.content_type,
            headers: written.headers,
            ca: written.ca,
        }),
        Way::Command => AlertKind::Command(written.command),
    };
    Some(Alert {
        name: written.name.unwrap_or_else(|| kind.word().to_owned()),
        kind,
        on: written.on,
        wait: written.wait,
        repeat: written.repeat,
        resolved: written.resolved,
        hourly_max: written.hourly_max,
        timeout: written.timeout,
    })
}

/// Of an authority as its grammar leaves it.
fn host_and_port(authority: &str, security: Security) -> (String, u16) {
    let end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let colon = authority[end..].find(':').map(|at| end + at);
    let (host, port) = match colon {
        Some(at) => (&authority[..at], authority[at + 1..].parse().ok()),
        None => (authority, None),
    };
    (host.trim_matches(['[', ']']).to_owned(), port.unwrap_or_else(|| security.port()))
}
