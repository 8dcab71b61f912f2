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

/// Delivers one message that says that it is a test, now, and, if that arrived and its end is told
/// as well, that it is over. Of each the other side's words, or why it was not delivered.
pub fn test(alert: &Alert, author: &words::Teller) -> Vec<Result<String, String>> {
    let Opened { alert, mut way } = match open_one(alert) {
        Ok(opened) => opened,
        Err(errors) => return vec![Err(errors.to_string())],
    };
    let mut told = Vec::new();
    for is_over in [false, true] {
        if is_over && !(closes(&alert) && told.iter().all(Result::is_ok)) {
            break;
        }
        let message = author.test(&alert.name, is_over, SystemTime::now());
        let words = way.deliver(&message, alert.timeout, &|| false);
        told.push(words.map_err(|undelivered| undelivered.words));
    }
    told
}

/// True if whoever hears of an incident by this opens one of their own, and closes it by a message
/// of the same key: nobody else would close that of a test.
fn closes(alert: &Alert) -> bool {
    let AlertKind::Webhook(hook) = &alert.kind else { return false };
    let says_action = hook.template.as_ref().is_none_or(|template| {
        let places = template.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
        places.into_iter().any(|(place, _)| place.trim() == "action")
    });
    alert.resolved && says_action
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
