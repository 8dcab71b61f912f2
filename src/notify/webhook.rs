//! A webhook: one POST a message.

use std::fmt::Write;
use std::time::Duration;

use super::fault::Fault;
use super::remote::Remote;
use super::secret::filled;
use super::{Deliver, Message, Over, Undelivered, payload};
use crate::config::{ContentType, Hook};
use crate::tls::Remedy;

pub(super) struct Webhook {
    remote: Remote,
    template: Option<String>,
    content_type: ContentType,
    /// Each with its line end.
    fields: String,
}

impl Webhook {
    /// The errors are all that will not do.
    pub(super) fn open(hook: &Hook) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let remote = Remote::open(&hook.url, hook.ca.as_deref(), Remedy::WEBHOOK);
        let remote = remote.map_err(|all| faults.extend(all));
        let mut fields = String::new();
        for said in &hook.headers {
            match filled(said) {
                Ok(field) if field.is_ascii() => _ = write!(fields, "{field}\r\n"),
                Ok(_) => {
                    let why = "has a character outside ASCII; remove it";
                    faults.push(Fault::new("headers", said, why));
                }
                Err(why) => faults.push(Fault::new("headers", said, why)),
            }
        }
        let names = |name: &str| {
            let own = |field: &str| {
                field.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name))
            };
            hook.headers.iter().any(|field| own(field))
        };
        if !names("content-type:") {
            let _ = write!(fields, "Content-Type: {}\r\n", hook.content_type.value());
        }
        let fill = |said| filled(said).map_err(|why| Fault::new("template", said, why));
        let template = hook.template.as_deref().map(fill).transpose();
        let template = template.map_err(|fault| faults.push(fault));
        let content_type = hook.content_type;
        match (remote, template) {
            (Ok(remote), Ok(template)) if faults.is_empty() => {
                Ok(Self { remote, template, content_type, fields })
            }
            _ => Err(faults),
        }
    }
}

impl Deliver for Webhook {
    fn deliver(
        &mut self,
        message: &Message,
        within: Duration,
        _: Over<'_>,
    ) -> Result<String, Undelivered> {
        let body = match &self.template {
            Some(template) => payload::filled(template, self.content_type, message),
            None => payload::object(message),
        };
        let fields = format!("{}Content-Length: {}\r\n", self.fields, body.len());
        self.remote.ask("POST", &fields, &body, within)
    }
}
