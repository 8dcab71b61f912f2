//! `evenly alert-test`, and what `check` and a start say of alerts that cannot work.

use crate::harness::{Backend, Scratch};
use crate::{alert_test, hook, run};

#[test]
fn each_alert_is_tried_and_one_by_its_name() {
    let (told, scratch) = (Backend::plain(), Scratch::new());
    let alerts = format!(
        "{}, {{kind = \"command\", name = \"night\", command = [\"/bin/false\"]}}",
        hook(&told, ", name = \"day\"")
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
fn what_cannot_work_is_told_before_anything_is_started() {
    let scratch = Scratch::new();
    for (alert, words) in [
        (
            "{kind = \"command\", command = [\"/nowhere/page\"]}",
            "alert command: command: /nowhere/page: No such file",
        ),
        ("{kind = \"webhook\", url = \"http://a.test:99999/\"}", "alert webhook: url: port"),
        ("{kind = \"webhook\", url = \"${env:NO_SUCH}\"}", "the variable NO_SUCH is not set"),
        ("{kind = \"webhook\", url = \"http://a.test/${file:none}\"}", "none: No such file"),
        ("{kind = \"webhook\", url = \"https://a.test/\", ca = \"none.pem\"}", "none.pem"),
    ] {
        let (_, said, why) = alert_test(&scratch, alert, &[]);
        assert!(said.contains(words), "{said}{why}");
        let (code, _, why) = run(scratch.path(), &["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(code, Some(2), "{why}");
        assert!(why.contains(words) && !why.contains("listening"), "{why}");
        let (code, _, why) = run(scratch.path(), &["check", "--listen", "127.0.0.1:0"]);
        assert!(code == Some(1) && why.contains(words), "{code:?} {why}");
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
