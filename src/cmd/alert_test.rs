//! `evenly alert-test`: a message by each alert of the file now, without a balancer, and what the
//! other side says; and its end, where that closes what the message has opened there. The hour at
//! which an alert is first tried should not be that of the outage.

use std::io::{self, Write};

use super::{Failure, warn};
use crate::balancer::author;
use crate::config::{Alert, Source};
use crate::notify;
use crate::text::Escaped;

/// Sends by each alert, or by the one of this name, and prints a line for each message. It fails if
/// one does not arrive; there being none to send by is a mistake in the configuration.
pub fn run(source: &Source, name: Option<&str>) -> Result<(), Failure> {
    let (config, warnings) = source.load()?;
    warn(warnings);
    let meant = |alert: &&Alert| name.is_none_or(|name| alert.name == name);
    let alerts: Vec<&Alert> = config.alerts.iter().filter(meant).collect();
    if alerts.is_empty() {
        return Err(Failure::Usage(none(&config.alerts, name)));
    }
    let author = author(&config.address().to_string());
    let (mut out, mut has_failed) = (io::stdout().lock(), false);
    for alert in alerts {
        let (name, kind) = (&alert.name, alert.kind.word());
        for (what, told) in ["", "its end "].iter().zip(notify::test(alert, &author)) {
            has_failed |= told.is_err();
            let (result, words) = match told {
                Ok(words) => ("delivered", words),
                Err(why) => ("NOT DELIVERED", why),
            };
            writeln!(out, "{name} ({kind}): {what}{result}: {}", Escaped(&words))?;
        }
        out.flush()?;
    }
    if has_failed { Err(Failure::Told) } else { Ok(()) }
}

fn none(alerts: &[Alert], name: Option<&str>) -> String {
    let known: Vec<&str> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    match name {
        Some(name) if !known.is_empty() => {
            format!("no alert is called \"{name}\"; there are {}", known.join(", "))
        }
        _ => "there is no [[alerts]] in the file; docs/alerts.md says what to write".to_owned(),
    }
}
