//! `[[alerts]]` and `[heartbeat]`, word for word.

use super::*;

#[test]
fn an_alert_lacks_nothing_that_its_kind_needs() {
    let cases = r#"
[alerts]
    1:2: alerts: found a table; write [[alerts]], in double brackets, above each alert
alerts = 5
    1:1: alerts: found 5; write [[alerts]], in double brackets, above each alert
alerts = [5]
    1:11: alerts: found 5; expected a table with kind
[[alerts]]
    1:1: alerts.kind: missing; write for example kind = "webhook"
[[alerts]]
kind = "webhook"
    1:1: alerts.url: missing; write for example url = "https://example.org/hook"
[[alerts]]
kind = "webhook"
url = "https://example.org/hook"
tls_ca = "./ca.pem"
    4:1: alerts.tls_ca: unknown key; did you mean "ca"?
[[alerts]]
kind = "webhook"
url = ""
    3:7: alerts.url: is empty; write for example "https://example.org/hook"
[[alerts]]
kind = "command"
    1:1: alerts.command: missing; write for example command = ["/usr/local/bin/page"]
[[alerts]]
kind = "command"
command = []
    3:11: alerts.command: is empty; write for example ["/usr/local/bin/page"]
[[alerts]]
kind = "command"
command = ["page", "me"]
    3:11: alerts.command: the first is no path from the root; write it as "/path/to/it"
[[alerts]]
kind = "command"
command = "/bin/page me"
    3:11: alerts.command: found "/bin/page me"; expected a list such as ["/usr/local/bin/page"]
[[alerts]]
kind = "command"
command = ["/bin/true"]
[[alerts]]
kind = "command"
command = ["/bin/false"]
    4:1: alerts.name: "command" is the name of another; give each one of its own
"#;
    each(cases, in_tables);
}

#[test]
fn what_an_alert_says_is_held_against_what_can_be_said() {
    let cases = r#"
[[alerts]]
kind = "webhok"
    2:8: alerts.kind: unknown kind "webhok"; did you mean "webhook"?
[[alerts]]
kind = "sms"
    2:8: alerts.kind: unknown kind "sms"; use "email", "webhook", "command"
[[alerts]]
kind = "webhook"
url = "example.org/secret"
    3:7: alerts.url: is no http URL; write for example "https://example.org/hook"
[[alerts]]
kind = "webhook"
url = "https://example.org/${file:"
    3:7: alerts.url: ${file: names nothing; write ${file:NAME}
[[alerts]]
kind = "webhook"
url = "http://a.test/"
template = "{{txt}}"
    4:12: alerts.template: unknown place "txt"; did you mean {{text}}?
[[alerts]]
kind = "webhook"
url = "http://a.test/"
template = "{{text}"
    4:12: alerts.template: {{ has no }} behind it; write for example {{text}}
[[alerts]]
kind = "webhook"
url = "https://a.test/"
template = '{"text": {{text}}, "at": "{{time}}"}'
    4:12: alerts.template: {{text}} stands outside of quotes; write "{{text}}"
[[alerts]]
kind = "webhook"
url = "http://a.test/"
headers = ["Content-Length: 5"]
    4:11: alerts.headers: "Content-Length" is about the connection, which Evenly decides; remove it
[[alerts]]
kind = "webhook"
url = "http://a.test/"
headers = ["Host: b.test"]
    4:11: alerts.headers: Host is what url names; remove it
[[alerts]]
kind = "webhook"
url = "http://a.test/"
headers = ["X-Key: ${file:}"]
    4:11: alerts.headers: ${file: names nothing; write ${file:NAME}
"#;
    each(cases, in_tables);
}

#[test]
fn places_for_secrets_are_refused_where_an_alert_has_none() {
    let cases = r#"
[[alerts]]
kind = "email"
to = ["ops@example.org"]
from = "evenly@example.org"
server = "mail.example.org"
user = "${env:MAIL_USER}"
password = "${env:MAIL_PASSWORD}"
    6:8: alerts.user: ${file:PATH} and ${env:NAME} are filled in url, headers, password and template
        of [[alerts]], and url of [heartbeat], alone; write it out
"#;
    if cfg!(feature = "email") {
        each(cases, in_tables);
    }
}

#[test]
fn whom_to_believe_is_said_of_who_speaks_tls() {
    let cases = r#"
[[alerts]]
kind = "command"
command = ["/bin/true"]
[[alerts]]
kind = "webhook"
url = "http://a.test/"
ca = "ca.pem"
    7:6: alerts.ca: means nothing where url is http; write https there, or remove this key
[heartbeat]
url = "http://a.test/"
ca = "ca.pem"
    3:6: heartbeat.ca: means nothing where url is http; write https there, or remove this key
"#;
    each(cases, in_tables);
    let cases = r#"
[[alerts]]
kind = "email"
to = ["ops@example.org"]
from = "evenly@example.org"
server = "mail.example.org"
security = "none"
ca = "ca.pem"
    7:6: alerts.ca: means nothing with security = "none"; change that, or remove this key
"#;
    if cfg!(feature = "email") {
        each(cases, in_tables);
    }
}

#[test]
fn no_log_goes_into_what_an_alert_names() {
    let cases = r#"
log.access = "common"
log.to = "/bin/page"
[[alerts]]
kind = "command"
command = ["/bin/page", "me"]
    2:10: log.to: "/bin/page" is alerts.command too; choose another
log.access = "common"
log.to = "./mail.pem"
[[alerts]]
kind = "webhook"
url = "https://a.test/"
ca = "mail.pem"
    2:10: log.to: "./mail.pem" is alerts.ca too; choose another
log.access = "common"
log.to = "./beat.pem"
[heartbeat]
url = "https://a.test/"
ca = "beat.pem"
    2:10: log.to: "./beat.pem" is heartbeat.ca too; choose another
"#;
    each(cases, in_tables);
}

#[test]
fn what_any_alert_says_is_held_against_its_kind() {
    let cases = r#"
[[alerts]]
kind = "command"
command = ["/bin/true"]
on = ["dwn"]
    4:6: alerts.on: "dwn" is nothing to be told of; did you mean "down"?
[[alerts]]
kind = "command"
command = ["/bin/true"]
on = []
    4:6: alerts.on: the list is empty; write for example ["down"]
[[alerts]]
kind = "command"
command = ["/bin/true"]
wait = 5
    4:8: alerts.wait: 5 has no unit; write for example "5s"
[[alerts]]
kind = "command"
command = ["/bin/true"]
hourly_max = 0
    4:14: alerts.hourly_max: 0 is out of range; use 1 to 1000
[[alerts]]
kind = "command"
command = ["/bin/true"]
url = "http://a.test/"
    4:7: alerts.url: means nothing without kind = "webhook"; set it, or remove this key
[[alerts]]
kind = "command"
command = ["/bin/true"]
ca = "./ca.pem"
    4:6: alerts.ca: means nothing without kind = "email" or kind = "webhook"; set one, or remove
        this key
[[alerts]]
kind = "command"
command = ["/bin/true"]
colour = "red"
    4:1: alerts.colour: unknown key; the keys here are name, kind, on, wait, repeat, resolved,
        hourly_max, timeout, to, from, server, security, user, password, url, template,
        content_type, headers, ca, command
[heartbeat]
url = "a.test"
    2:7: heartbeat.url: is no http URL; write for example "https://example.org/hook"
"#;
    each(cases, in_tables);
}

#[cfg(not(feature = "email"))]
#[test]
fn a_build_without_email_says_so() {
    let cases = r#"
[[alerts]]
kind = "email"
    2:8: alerts.kind: this build of evenly sends no email; use one with the feature email, or
        kind = "webhook" or "command"
"#;
    each(cases, in_tables);
}

#[cfg(feature = "email")]
#[test]
fn an_email_needs_somebody_to_be_for_and_a_server() {
    let cases = r#"
[[alerts]]
kind = "email"
    1:1: alerts.to: missing; write for example to = ["ops@example.org"]
    1:1: alerts.from: missing; write for example from = "evenly@example.org"
    1:1: alerts.server: missing; write for example server = "mail.example.org"
[[alerts]]
kind = "email"
to = ["Ops <ops@a.test>"]
from = "a@b@c"
server = "smtp://a.test"
    3:6: alerts.to: "Ops <ops@a.test>" is no address; write for example "ops@example.org"
    4:8: alerts.from: "a@b@c" is no address; write for example "ops@example.org"
    5:10: alerts.server: "smtp://a.test" is no host; write for example "api.example.org" or
        "[::1]:8080"
[[alerts]]
kind = "email"
to = ["a@b"]
from = "a@b"
server = "a.test"
security = "none"
user = "a"
password = "b"
    6:12: alerts.security: a password would go in the clear; write security = "starttls" or "tls"
[[alerts]]
kind = "email"
to = ["a@b"]
from = "a@b"
server = "a.test"
user = "a"
    1:1: alerts.password: missing beside user; write for example "${file:./password}"
"#;
    each(cases, in_tables);
}

#[test]
fn who_writes_another_word_is_told_ours() {
    let cases = r#"
[[alerts]]
kind = "command"
command = ["/bin/true"]
port = 587
    4:1: alerts.port: unknown key; did you mean "server", such as "mail.example.org:587"?
[[alerts]]
type = "command"
kind = "command"
command = ["/bin/true"]
    2:1: alerts.type: unknown key; did you mean "kind"?
"#;
    each(cases, in_tables);
}
