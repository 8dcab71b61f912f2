//! What backends are called and say is a stranger's, whatever it is: it must stay in its place in
//! JSON, in a form, in variables. What they say comes in a unit test too, with any character.

use crate::harness::{Backend, Place, Process, Scratch, eventually};
use crate::{OFTEN, hook, json};
use std::fs;

/// A name is ASCII without control characters, which the file is held to.
const NAME: &str = r#"A"$(touch ran)`touch ran`;touch ran&a=b{{text}}<b>\"#;

#[test]
fn nothing_of_a_strangers_gets_out_of_its_place() {
    let (bad, good) = (Backend::answering(503), Backend::plain());
    let (as_json, as_form, as_text) = (Backend::plain(), Backend::plain(), Backend::plain());
    let form = ", name = \"form\", content_type = \"form\", \
        template = 'who={{backend}}&what={{text}}&to=me', wait = \"10ms\"";
    let text =
        ", name = \"text\", content_type = \"text\", template = '{{subject}}', wait = \"10ms\"";
    let alerts = format!(
        "{}, {}, {}, {{kind = \"command\", wait = \"10ms\", command = [\"/bin/sh\", \"-c\", \
         'printf %s \"$EVENLY_BACKEND\" > name; env > env']}}",
        hook(&as_json, ", wait = \"10ms\""),
        hook(&as_form, form),
        hook(&as_text, text),
    );
    let scratch = Scratch::new();
    let (bad, other) = (bad.port(), good.port());
    let file = scratch.write(
        "applications.toml",
        format!(
            "alerts = [{alerts}]\nserver.listen = \"127.0.0.1:0\"\n{OFTEN}\
             [[applications]]\nname = '{NAME}'\nip = \"127.0.0.1\"\nport = {bad}\n\
             [[applications]]\nip = \"127.0.0.1\"\nport = {other}\n"
        ),
    );
    let process = Process::evenly(&["serve", "-c", file.to_str().unwrap()], scratch.path());
    process.said.wait("listening on ");
    let message = json(&as_json.wait_requests(1)[0]);
    assert_eq!(message["backend"], NAME);
    let body = as_form.wait_requests(1)[0].text();
    assert_eq!(body.matches(['&', '=']).count(), 5, "{body}");
    assert!(body.starts_with("who=A%22%24%28touch%20ran%29%60"), "{body}");
    let subject = as_text.wait_requests(1)[0].text();
    assert!(subject.contains(NAME) && subject.lines().count() == 1, "{subject:?}");
    let path = scratch.path();
    eventually("the program was told", || path.join("env").exists());
    assert_eq!(fs::read_to_string(path.join("name")).unwrap(), NAME);
    assert!(!path.join("ran").exists());
}
