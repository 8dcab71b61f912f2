//! The ways there are: an alert of the file becomes one that is open.

use std::time::SystemTime;

use super::Deliver;
use super::command::Program;
#[cfg(feature = "email")]
use super::email::Email;
use super::heartbeat::Beat;
use super::webhook::Webhook;
use super::words;
use crate::config::{Alert, AlertKind, Config, Errors};

/// An alert and the way to whom it is for.
pub struct Opened {
    pub(super) alert: Alert,
    pub(super) way: Box<dyn Deliver>,
}

/// All that the file asks for.
pub struct Ways {
    pub(super) alerts: Vec<Opened>,
    pub(super) beat: Option<Beat>,
}

/// Opens all alerts of the file: reads their secrets and authorities, and sends nothing. The errors
/// name each that will not do.
pub fn open(config: &Config) -> Result<Ways, Errors> {
    let alerts = config.alerts.iter().map(open_one).collect::<Result<_, _>>()?;
    Ok(Ways { alerts, beat: Beat::open(&config.heartbeat)? })
}

/// Delivers one message that says that it is a test, now: the other side's words, or why not.
pub fn test(alert: &Alert, author: &words::Teller) -> Result<String, String> {
    let Opened { alert, mut way } = open_one(alert).map_err(|errors| errors.to_string())?;
    let message = author.test(&alert.name, SystemTime::now());
    way.deliver(&message, alert.timeout).map_err(|undelivered| undelivered.words)
}

/// The same for one of them.
fn open_one(alert: &Alert) -> Result<Opened, Errors> {
    let way: Result<Box<dyn Deliver>, String> = match &alert.kind {
        AlertKind::Webhook(hook) => Webhook::open(hook).map(|way| Box::new(way) as _),
        AlertKind::Command(argv) => Program::open(argv).map(|way| Box::new(way) as _),
        #[cfg(feature = "email")]
        AlertKind::Email(mail) => Email::open(mail).map(|way| Box::new(way) as _),
        #[cfg(not(feature = "email"))]
        AlertKind::Email(_) => Err("this build of evenly sends no email".to_owned()),
    };
    let refused = |what| Errors::of(&format!("alert {}", alert.name), what);
    Ok(Opened { alert: alert.clone(), way: way.map_err(refused)? })
}
