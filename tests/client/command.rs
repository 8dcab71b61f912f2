//! `evenly get`: what it prints and says, and how it ends.

use crate::harness::{Process, Scratch};
use evenly::lab::backend::{Demo, DemoOptions};

/// Two demo APIs, and a directory with a file that names them.
struct Apis {
    demo: Demo,
    ports: Vec<u16>,
    scratch: Scratch,
}

type Ended = (Option<i32>, String, String);

impl Apis {
    fn start() -> Self {
        let listen = ([127, 0, 0, 1], 0).into();
        let demo =
            Demo::start(&DemoOptions { listen, instances: 2, ..DemoOptions::default() }).unwrap();
        let ports: Vec<u16> = demo.addresses().iter().map(|address| address.port()).collect();
        let table = |(name, port): (&str, &u16)| {
            format!("[[applications]]\nname = \"{name}\"\nip = \"127.0.0.1\"\nport = {port}\n")
        };
        let names = ["Remote API 01", "Remote API 02"];
        let text: String = names.into_iter().zip(&ports).map(table).collect();
        let scratch = Scratch::new();
        scratch.write("applications.toml", text);
        Self { demo, ports, scratch }
    }

    fn begin(&self, line: &str) -> Process {
        let words: Vec<&str> = line.split_whitespace().collect();
        Process::evenly(&words, self.scratch.path())
    }

    fn run(&self, line: &str) -> Ended {
        self.begin(line).finish()
    }

    /// What the story begins with.
    fn configured(&self) -> String {
        let [one, two] = self.ports[..] else { panic!("two ports") };
        format!(
            "Configuration loaded.\n\
             Configured Endpoint: 127.0.0.1, Port: {one}, Name: Remote API 01\n\
             Configured Endpoint: 127.0.0.1, Port: {two}, Name: Remote API 02\n"
        )
    }
}

/// Times vary.
fn without_times(said: &str) -> String {
    let lines = said.lines().map(|line| match line.rsplit_once(" (") {
        Some((before, time)) if time.ends_with("ms)") => before,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_body_alone_is_printed() {
    let body = "{\"Result\":true,\"Message\":\"This is API: API01\"}";
    assert_eq!(Apis::start().run("get /"), (Some(0), body.to_owned(), String::new()));
}

#[test]
fn the_whole_session_in_these_words() {
    let apis = Apis::start();
    let (code, printed, said) = apis.run("get --verbose /");
    let used = "Using endpoint: Remote API 01\n\
        Response Message (Result): This is API: API01 (true)";
    assert_eq!((code, said), (Some(0), apis.configured() + used));
    assert_eq!(printed, "{\"Result\":true,\"Message\":\"This is API: API01\"}");

    apis.demo.flip(0);
    let (code, _, said) = apis.run("get --verbose /");
    let used = "Skipped endpoint: Remote API 01: check failed: status 503\n\
        Using endpoint: Remote API 02\n\
        Response Message (Result): This is API: API02 (true)";
    assert_eq!((code, without_times(&said)), (Some(0), apis.configured() + used));

    apis.demo.flip(1);
    let (code, printed, said) = apis.run("get --verbose /");
    let none = "Skipped endpoint: Remote API 01: check failed: status 503\n\
        Skipped endpoint: Remote API 02: check failed: status 503\n\
        No endpoints to work with. Exiting.";
    assert_eq!((code, without_times(&said)), (Some(1), apis.configured() + none));
    assert_eq!(printed, "");

    let waiting = apis.begin("get --wait 60s --verbose /");
    waiting.said.wait("Waiting for an endpoint, ");
    apis.demo.flip(1);
    let (code, printed, said) = waiting.finish();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("Response Message (Result): This is API: API02 (true)"), "{said}");
    assert_eq!(printed, "{\"Result\":true,\"Message\":\"This is API: API02\"}");
}

#[test]
fn with_none_left_one_sentence_names_each() {
    let apis = Apis::start();
    (0..2).for_each(|index| assert!(!apis.demo.flip(index)));
    let (code, printed, said) = apis.run("get /");
    assert_eq!((code, printed.as_str()), (Some(1), ""));
    let names = ["no backend is left: Remote API 01: check", "; Remote API 02: check failed: st"];
    assert!(names.iter().all(|part| said.contains(part)) && said.lines().count() == 1, "{said}");
    let (code, _, said) = apis.run("get --wait 100ms /");
    assert!(code == Some(1) && said.contains("no backend is left after a wait of 0."), "{said}");
}

#[test]
fn an_answer_of_400_and_above_is_printed_and_ends_with_one() {
    let (code, printed, said) = Apis::start().run("get /nothing");
    assert_eq!((code, printed.as_str()), (Some(1), "{\"Result\":false,\"Message\":\"Not found\"}"));
    assert_eq!(said, "evenly: Remote API 01 answered with status 404");
}

#[test]
fn the_file_may_name_another_policy() {
    let apis = Apis::start();
    for policy in ["round-robin", "two-choices", "hash", "scored-round-robin"] {
        let (code, printed, said) = apis.run(&format!("get --set balance.policy={policy} /"));
        assert!(code == Some(0) && printed.contains("This is API"), "{policy}: {said}");
    }
}

#[test]
fn what_makes_no_sense_ends_with_two_and_a_sentence() {
    let apis = Apis::start();
    for (line, sentence) in [
        ("get", "evenly: get needs a path, such as / (see evenly get --help)"),
        ("get x", "evenly: path \"x\" does not start with a slash; write \"/x\" (see"),
        ("get -c none.toml /", "none.toml: no such file"),
        ("get --set health.interval=5 /", "--set health.interval: 5"),
        ("get --wait 5 /", "evenly: --wait: 5 has no unit; write for example \"5s\""),
    ] {
        let (code, printed, said) = apis.run(line);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{line}: {said}");
        assert!(said.starts_with(sentence), "{line}: {said}");
    }
}
