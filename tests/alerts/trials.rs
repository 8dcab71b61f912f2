//! `evenly alert-test`, and what `check` and a start say of alerts that cannot work.

use crate::harness::{Backend, Scratch};
use crate::{alert_test, each, hook, run};
use std::net::TcpListener;

#[test]
fn each_alert_is_tried_and_one_by_its_name() {
    let (told, scratch) = (Backend::plain(), Scratch::new());
    let alerts = format!(
        "{}, {{kind = \"command\", name = \"night\", command = [\"/bin/false\"]}}",
        hook(&told, ", name = \"day\", resolved = false")
    );
    let (code, said, _) = alert_test(&scratch, &alerts, &[]);
    assert_eq!(code, Some(1));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[0].rsplit_once(' ').unwrap().0,
        "day (webhook): delivered: status 200: POST /hook"
    );
    assert_eq!(lines[1], "night (command): NOT DELIVERED: /bin/false: exit 1");
    assert_eq!(alert_test(&scratch, &alerts, &["day"]).0, Some(0));
    let (code, _, why) = alert_test(&scratch, &alerts, &["dusk"]);
    assert_eq!(code, Some(2));
    assert!(why.contains("no alert is called \"dusk\"; there are day, night"), "{why}");
    let (code, _, why) = alert_test(&scratch, "", &[]);
    assert!(code == Some(2) && why.contains("no [[alerts]] in the file"), "{why}");
    assert_eq!(alert_test(&scratch, &alerts, &["day", "night"]).0, Some(2));
}

#[test]
fn where_nobody_answers_is_said_once() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let alert = format!("{{kind = \"webhook\", url = \"http://{gone}/\"}}");
    let (code, said, _) = alert_test(&Scratch::new(), &alert, &[]);
    let told = format!("webhook (webhook): NOT DELIVERED: {gone}: cannot connect: ");
    assert!(code == Some(1) && said.starts_with(&told), "{said}");
    assert_eq!(said.matches(&gone.to_string()).count(), 1, "{said}");
}

#[test]
fn what_a_test_opens_it_closes_again() {
    let (told, scratch) = (Backend::plain(), Scratch::new());
    let template = |text: &str| hook(&told, &format!(", template = '{text}'"));
    let (code, said, _) = alert_test(&scratch, &hook(&told, ""), &[]);
    assert_eq!(code, Some(0), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("webhook (webhook): delivered: status 200"), "{said}");
    assert!(lines[1].starts_with("webhook (webhook): its end delivered: status 200"), "{said}");
    let messages = told.requests();
    assert_eq!(each(&messages, "action"), ["trigger", "resolve"]);
    assert_eq!(each(&messages, "kind"), ["test", "test"]);
    let keys = each(&messages, "key");
    assert!(keys[0] == keys[1] && keys[0].ends_with("-test"), "{keys:?}");
    for (alert, lines) in [
        (template(r#"{"event_action": "{{ action }}", "dedup_key": "{{key}}"}"#), 2),
        (template(r#"{"text": "{{text}}"}"#), 1),
        (hook(&told, ", resolved = false"), 1),
        ("{kind = \"command\", command = [\"/bin/true\"]}".to_owned(), 1),
    ] {
        let (code, said, _) = alert_test(&scratch, &alert, &[]);
        assert_eq!((code, said.lines().count()), (Some(0), lines), "{said}");
    }
}

#[test]
fn a_template_that_makes_no_json_is_refused_before_anything_is_started() {
    let scratch = Scratch::new();
    let alert = "{kind = \"webhook\", url = \"http://a.test/\", template = '{\"a\": {{text}}}'}";
    let (code, _, why) = alert_test(&scratch, alert, &[]);
    let expected = "applications.toml:1:65: alerts.template: {{text}} stands outside of quotes; \
                    write \"{{text}}\"";
    assert!(code == Some(2) && why.starts_with(expected), "{code:?} {why}");
    for command in ["serve", "check"] {
        let (code, _, why) = run(scratch.path(), &[command, "--listen", "127.0.0.1:0"]);
        assert!(code == Some(2) && why.starts_with(expected), "{command}: {code:?} {why}");
    }
}

#[test]
fn what_cannot_work_is_told_before_anything_is_started() {
    let scratch = Scratch::new();
    for (alert, words) in [
        (
            "{kind = \"command\", command = [\"/nowhere/page\"]}",
            "1:41: alerts.command: /nowhere/page: No such file",
        ),
        ("{kind = \"webhook\", url = \"http://a.test:99999/\"}", "1:36: alerts.url: port"),
        ("{kind = \"webhook\", url = \"${env:NO_SUCH}\"}", "the variable NO_SUCH is not set"),
        ("{kind = \"webhook\", url = \"http://a.test/${file:none}\"}", "none: No such file"),
        ("{kind = \"webhook\", url = \"https://a.test/\", ca = \"none.pem\"}", "none.pem"),
    ] {
        let (_, said, why) = alert_test(&scratch, alert, &[]);
        let own = words.split_once("alerts.").map_or(words, |(_, own)| own);
        assert!(said.contains(own) && !said.contains("alert "), "{said}{why}");
        let (code, _, why) = run(scratch.path(), &["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(code, Some(2), "{why}");
        assert!(why.contains(words) && !why.contains("listening"), "{why}");
        let (code, _, why) = run(scratch.path(), &["check", "--listen", "127.0.0.1:0"]);
        assert!(code == Some(2) && why.contains(words), "{code:?} {why}");
    }
}

#[test]
fn a_program_is_told_where_it_is_one_and_no_argument_of_another_alert() {
    let scratch = Scratch::new();
    let alert = |name: &str, command: &str| {
        format!("[[alerts]]\nname = \"{name}\"\nkind = \"command\"\ncommand = {command}\n")
    };
    let (a, b) = ("[\"/bin/true\", \"/nowhere/page\"]", "[\"/nowhere/page\"]");
    let text = [alert("a", a), alert("b", b)].concat();
    let text = format!("{text}[[applications]]\nip = \"192.0.2.1\"\nport = 80\n");
    scratch.write("applications.toml", text);
    let (_, _, why) = run(scratch.path(), &["check", "--listen", "127.0.0.1:0"]);
    assert!(why.starts_with("applications.toml:8:12: alerts.command: /nowhere/page: "), "{why}");
}

#[test]
fn all_that_alerts_lack_is_told_at_once_and_counted() {
    let scratch = Scratch::new();
    let text = "[[alerts]]\nname = \"c\"\nkind = \"command\"\ncommand = [\"/nowhere/page\"]\n\
                [[alerts]]\nname = \"h\"\nkind = \"webhook\"\nurl = \"https://${env:NO_URL}\"\n\
                ca = \"none.pem\"\nheaders = [\"X: ${env:NO_X}\", \"Y: ${file:./none}\"]\n\
                [heartbeat]\nurl = \"https://a.test/${env:NO_BEAT}\"\nca = \"no-ca.pem\"\n\
                [[applications]]\nip = \"192.0.2.1\"\nport = 80\n";
    scratch.write("applications.toml", text);
    let (code, said, why) = run(scratch.path(), &["check", "--listen", "127.0.0.1:0"]);
    assert!(code == Some(2) && said.contains("but 7 things would fail here"), "{said}");
    let lacks = [
        "4:12: alerts.command: /nowhere/page: No such file",
        "8:7: alerts.url: the variable NO_URL is not set",
        "10:12: alerts.headers: the variable NO_X is not set",
        "10:30: alerts.headers: ./none: No such file",
        "12:7: heartbeat.url: the variable NO_BEAT is not set",
        "9:6: alerts.ca: none.pem: cannot be read: No such file",
        "13:6: heartbeat.ca: no-ca.pem: cannot be read: No such file",
    ];
    let (code, _, of_start) = run(scratch.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(2));
    for lack in lacks.map(|lack| format!("applications.toml:{lack}")) {
        assert!(why.lines().any(|line| line.starts_with(&lack)), "{lack} in {why}");
        assert!(of_start.lines().any(|line| line.starts_with(&lack)), "{lack} in {of_start}");
    }
}

#[test]
fn each_example_of_the_page_is_a_configuration() {
    let page = include_str!("../../docs/alerts.md");
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut tried = 0;
    for block in blocks.filter(|it| cfg!(feature = "email") || !it.contains("\"email\"")) {
        let text = format!("{block}\n[[applications]]\nip = \"192.0.2.1\"\nport = 80\n");
        let read = evenly::config::Config::parse(&text, "page");
        assert!(read.is_ok(), "{}\n{block}", read.unwrap_err());
        tried += 1;
    }
    assert!(tried >= 8, "{tried}");
}
