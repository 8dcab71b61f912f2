//! `[[alerts]]`: who is told what happens, and how; and `[heartbeat]`, by which somebody else
//! notices that nobody can tell any more. Called by `raw` and `render`; sends nothing.

pub(super) mod choices;
mod read;
mod template;

use std::time::Duration;

use super::Config;
use super::form::{Choice, Flag, Form, Hidden, List, OrOff, Unset, text};
use super::grammar::{self, alerts as grammars};
use super::keys::{DAY_MS, HOUR_MS, count, time, time_or_none};
use super::needs::{Need, Needs, is, is_not, is_set};
use super::report::Report;
use super::table::{Field, Slot, Table, table};

use choices::Way;
pub use choices::{ContentType, Occasion, Security};
pub(super) use read::read;

/// One that is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Its name in logs, answers and commands, unlike those of the others.
    pub name: String,
    /// How it is told.
    pub kind: AlertKind,
    /// What it is told of.
    pub on: Vec<Occasion>,
    /// What happens within this time becomes one message. What leaves nobody up does not wait.
    pub wait: Duration,
    /// How often it is told again of what lasts.
    pub repeat: Option<Duration>,
    /// Whether it is told that something is over.
    pub resolved: bool,
    /// The most messages within an hour.
    pub hourly_max: u32,
    /// How long one try to deliver a message may take.
    pub timeout: Duration,
}

/// How a message reaches somebody.
#[derive(Clone, Debug, PartialEq)]
pub enum AlertKind {
    /// By a mail server.
    Email(Mail),
    /// By a request of ours.
    Webhook(Hook),
    /// By a program: its path, then its arguments.
    Command(Vec<String>),
}

/// An email, and the server that takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// Whom it is for, at least one address.
    pub to: Vec<String>,
    /// Whom it is from.
    pub from: String,
    /// The server's name or address, an IPv6 address without brackets.
    pub host: String,
    /// The server's port: by [`Security`] if the file names none.
    pub port: u16,
    /// How the connection is kept from others.
    pub security: Security,
    /// Who logs in there, and with what; none does not. The password may have places in it that
    /// `notify::secret` fills.
    pub login: Option<(String, String)>,
    /// PEM file of those who may have signed the server's certificate; none is whom the system
    /// trusts.
    pub ca: Option<String>,
}

/// A POST, and what stands in it. URL and headers may have places in them that `notify::secret`
/// fills.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// Where to.
    pub url: String,
    /// The body, with places for what happened; none is a JSON object of all of it.
    pub template: Option<String>,
    /// What the body is, and so how what happened is written in it.
    pub content_type: ContentType,
    /// Further fields, as `Name: value`.
    pub headers: Vec<String>,
    /// PEM file of those who may have signed the server's certificate; none is whom the system
    /// trusts.
    pub ca: Option<String>,
}

const EMAIL: Need = is("alerts.kind", "email").or_refused();
const WEBHOOK: Need = is("alerts.kind", "webhook").or_refused();
const COMMAND: Need = is("alerts.kind", "command").or_refused();
/// Those that may speak TLS.
const REMOTE: Need = is("alerts.kind", "email").or(&WEBHOOK).or_refused();

table! {
    /// An alert as written.
    pub(super) struct Written {
        /// Its name in logs, answers and commands.
        name: Option<String> = "kind", Unset(text("night", grammar::name));
        /// How it is told; needed.
        kind: Option<Way> = "webhook", Unset(text("webhook", grammars::way));
        /// What it is told of.
        on: Vec<Occasion> = "down, up, all-down, recovered, flapping, reload-failed, certificate, \
            exhausted, stuck", List { item: text("down", grammars::occasion), empty: false };
        /// What happens within this time becomes one message; 0 is one for each thing.
        wait: Duration = "5s", time_or_none();
        /// How often what lasts is told again.
        repeat: Option<Duration> = "4h", OrOff(time(1000..=7 * DAY_MS));
        /// Whether it is told that something is over.
        resolved: bool = "true", Flag;
        /// The most messages within an hour.
        hourly_max: u32 = "20", count(1..=1000);
        /// How long one try to deliver a message may take.
        timeout: Duration = "10s", time(100..=HOUR_MS / 12);
        /// Whom an email is for; needed there.
        to: Vec<String> = "[]", List {
            item: text("ops@example.org", grammars::mailbox),
            empty: true,
        }, when(EMAIL);
        /// Whom an email is from; needed there.
        from: Option<String> = "needed", Unset(text("evenly@example.org", grammars::mailbox)),
            when(EMAIL);
        /// The mail server; needed there. Its port is that of `security`, unless one is named.
        server: Option<String> = "needed", Unset(text("mail.example.org", grammar::authority)),
            when(EMAIL);
        /// How the connection to it is kept from others.
        security: Security = "starttls", Choice {
            noun: "security",
            built: &[
                ("starttls", Security::StartTls),
                ("tls", Security::Tls),
                ("none", Security::None),
            ],
        }, when(EMAIL);
        /// Who logs in there; not set, nobody does.
        user: Option<String> = "none", Unset(text("evenly", grammars::login)), when(EMAIL);
        /// With what: `${file:PATH}` or `${env:NAME}` stands for what is there.
        password: String = "", Hidden(text("a password", grammars::password)),
            when(EMAIL, is_set("alerts.user").or_refused());
        /// Where a webhook goes; needed there.
        url: String = "", Hidden(text("https://example.org/hook", grammars::url)), when(WEBHOOK);
        /// Its body; not set, a JSON object of all that is known.
        template: Option<String> = "all as JSON", Unset(text(
            "{\"text\": \"{{text}}\"}",
            grammars::template,
        )), when(WEBHOOK);
        /// What that body is.
        content_type: ContentType = "json", Choice {
            noun: "content_type",
            built: &[
                ("json", ContentType::Json),
                ("form", ContentType::Form),
                ("text", ContentType::Text),
            ],
        }, when(WEBHOOK, is_set("alerts.template").or_refused());
        /// Further fields of its request.
        headers: Vec<String> = "[]", Hidden(List {
            item: text("Authorization: Bearer ${file:./token}", grammars::header),
            empty: true,
        }), when(WEBHOOK);
        /// PEM file of those who may have signed the server's certificate, or of itself; not set,
        /// whom the system trusts.
        ca: Option<String> = "system", Unset(text("./ca.pem", grammar::file)),
            when(REMOTE, is_not("alerts.security", "none").or_refused());
        /// The program to run, and its arguments; needed there.
        command: Vec<String> = "[]", List {
            item: text("/usr/local/bin/page", grammars::argument),
            empty: true,
        }, when(COMMAND);
    }
}

table! {
    /// `[heartbeat]`: a sign of life to somebody else, who raises the alarm when it stops.
    pub struct Heartbeat {
        /// Where it goes, by GET; if empty, nowhere.
        url: String = "", Hidden(text("https://example.org/ping", grammars::url));
        /// How often.
        interval: Duration = "1m", time(1000..=DAY_MS), when(is_not("heartbeat.url", ""));
        /// PEM file of those who may have signed the server's certificate; not set, whom the system
        /// trusts.
        ca: Option<String> = "system", Unset(text("./ca.pem", grammar::file)),
            when(is_not("heartbeat.url", ""));
    }
}

/// Refuses to be told whom to believe where no TLS is spoken: what was to be secret would go in the
/// clear. Called by `valid`.
pub(super) fn judge(config: &Config, report: &mut Report<'_>) {
    let is_in_vain = |url: &str, ca: &Option<String>| ca.is_some() && url.starts_with("http://");
    let what = "means nothing where url is http; write https there, or remove this key";
    for (at, alert) in config.alerts.iter().enumerate() {
        if let AlertKind::Webhook(Hook { url, ca, .. }) = &alert.kind
            && is_in_vain(url, ca)
        {
            report.add(report.place_at(at, "alerts.ca"), "alerts.ca", what);
        }
    }
    if is_in_vain(&config.heartbeat.url, &config.heartbeat.ca) {
        report.add(report.place("heartbeat.ca"), "heartbeat.ca", what);
    }
}

impl AlertKind {
    /// As in the file and in `/status`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.way().word()
    }

    fn way(&self) -> Way {
        match self {
            Self::Email(_) => Way::Email,
            Self::Webhook(_) => Way::Webhook,
            Self::Command(_) => Way::Command,
        }
    }
}

impl From<&Alert> for Written {
    fn from(alert: &Alert) -> Self {
        let written = Self {
            name: Some(alert.name.clone()),
            kind: Some(alert.kind.way()),
            on: alert.on.clone(),
            wait: alert.wait,
            repeat: alert.repeat,
            resolved: alert.resolved,
            hourly_max: alert.hourly_max,
            timeout: alert.timeout,
            ..Self::default()
        };
        match alert.kind.clone() {
            AlertKind::Email(mail) => {
                let (user, password) = mail.login.unzip();
                let host = match mail.host.contains(':') {
                    true => format!("[{}]", mail.host),
                    false => mail.host,
                };
                Self {
                    to: mail.to,
                    from: Some(mail.from),
                    server: Some(format!("{host}:{}", mail.port)),
                    security: mail.security,
                    user,
                    password: password.unwrap_or_default(),
                    ca: mail.ca,
                    ..written
                }
            }
            AlertKind::Webhook(hook) => Self {
                url: hook.url,
                template: hook.template,
                content_type: hook.content_type,
                headers: hook.headers,
                ca: hook.ca,
                ..written
            },
            AlertKind::Command(command) => Self { command, ..written },
        }
    }
}
