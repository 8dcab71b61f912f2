//! The ways there are: an alert of the file becomes one that is open.

use std::time::SystemTime;

use super::Deliver;
use super::command::Program;
#[cfg(feature = "email")]
use super::email::Email;
use super::fault::Fault;
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
/// name each that will not do, and where it stands.
pub fn open(config: &Config) -> Result<Ways, Errors> {
    let (mut alerts, mut faults) = (Vec::new(), Vec::new());
    let mut note = |table: &str, who: &str, all: Vec<Fault>| {
        let told = |Fault { key, said, why }| {
            let keys = [&*format!("{table}.{key}")];
            let who = if config.is_placed(&keys, &said) { "" } else { who };
            config.wrong(&keys, &said, format!("{who}{why}"))
        };
        faults.extend(all.into_iter().map(told));
    };
    for alert in &config.alerts {
        match open_one(alert) {
            Ok(opened) => alerts.push(opened),
            Err(all) => note("alerts", &format!("alert {}: ", alert.name), all),
        }
    }
    let beat = Beat::open(&config.heartbeat).map_err(|all| note("heartbeat", "", all));
    match (beat, faults.into_iter().reduce(Errors::and)) {
        (Ok(beat), None) => Ok(Ways { alerts, beat }),
        (_, faults) => Err(faults.expect("a heartbeat that will not do has said why")),
    }
}

/// Delivers one message that says that it is a test, now, and, if that arrived and its end is told
/// as well, that it is over. Of each the other side's words, or why it was not delivered.
pub fn test(alert: &Alert, author: &words::Teller) -> Vec<Result<String, String>> {
    let Opened { alert, mut way } = match open_one(alert) {
        Ok(opened) => opened,
        Err(all) => {
            let all: Vec<String> = all.iter().map(Fault::to_string).collect();
            return vec![Err(all.join("; "))];
        }
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

/// The same for one of them: all that will not do.
fn open_one(alert: &Alert) -> Result<Opened, Vec<Fault>> {
    let way: Box<dyn Deliver> = match &alert.kind {
        AlertKind::Webhook(hook) => Box::new(Webhook::open(hook)?),
        AlertKind::Command(argv) => Box::new(Program::open(argv).map_err(|fault| vec![fault])?),
        #[cfg(feature = "email")]
        AlertKind::Email(mail) => Box::new(Email::open(mail)?),
        #[cfg(not(feature = "email"))]
        AlertKind::Email(_) => {
            let why = "this build of evenly sends no email";
            return Err(vec![Fault::new("kind", "email", why)]);
        }
    };
    Ok(Opened { alert: alert.clone(), way })
}
