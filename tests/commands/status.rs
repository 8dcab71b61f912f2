//! `evenly status`: one balancer's table, figures and names.

use crate::harness::{Backend, Place, Process, Vacant, eventually};
use crate::{House, failed, fine};
use std::process::{Command, Stdio};

const CHECKED: &str = "health.interval = \"100ms\"\nhealth.fall = 1\nhealth.rise = 1";

#[test]
fn it_says_in_one_sentence_how_things_stand_and_shows_who_is_not_up_first() {
    let (up, other, down) = (Backend::plain(), Backend::plain(), Backend::answering(503));
    let house = House::new();
    let proxy = house.balancer("s", &[&up, &other, &down], CHECKED);
    let mut printed = String::new();
    eventually("the sentence names the one that is down", || {
        printed = fine(house.ask("s", "status"));
        printed.starts_with("2 of 3 up; C down for ")
    });
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].contains("503"), "{printed}");
    let at = lines.iter().position(|line| line.starts_with("backend ")).unwrap();
    assert!(lines[at + 1].starts_with("C ") && lines[at + 1].contains("down"), "{printed}");
    assert!(lines[at + 2].starts_with("  "), "why, below: {printed}");
    assert!(lines[at + 3].starts_with("A ") && lines[at + 4].starts_with("B "), "{printed}");
    assert!(printed.contains(&format!("pid {}", proxy.process.id())), "{printed}");
}

#[test]
fn whatever_is_shown_fits_a_terminal_and_is_whole_in_a_pipe() {
    let house = House::new();
    for count in [1, 3, 30] {
        let backends: Vec<Vacant> = (0..count).map(|_| Vacant::new()).collect();
        let places: Vec<&dyn Place> = backends.iter().map(|it| it as &dyn Place).collect();
        let long = "l".repeat(70);
        let more: String = (0..count)
            .map(|n| {
                format!(
                    "[[applications]]\nname = \"{long}-{n}\"\nip = \"127.0.0.2\"\nport = {}\n",
                    n + 1
                )
            })
            .collect();
        let settings = format!("{CHECKED}\n{more}");
        let proxy = house.balancer("s", &places, &settings);
        proxy.no_farewell();
        proxy.pardon("NO BACKEND IS UP");
        let mut printed = String::new();
        eventually("all are down", || {
            printed = fine(house.ask("s", "status"));
            printed.contains(&format!("NO BACKEND IS UP: 0 of {} up", 2 * count))
        });
        let rows = printed.lines().filter(|line| line.starts_with(&long));
        let whole: Vec<_> = rows.filter(|line| line.contains("  down  ")).collect();
        assert_eq!(whole.len(), count, "{printed}");
        let printed = house.on_terminal(80, "s", "status");
        let widest = printed.iter().map(|line| line.trim_end().chars().count()).max();
        assert!(widest <= Some(80), "{widest:?}\n{printed:#?}");
        let rows = printed.iter().skip_while(|line| !line.starts_with("backend"));
        assert_eq!(rows.filter(|line| line.starts_with(&long)).count(), count, "{printed:#?}");
        let mut narrow = Command::new(env!("CARGO_BIN_EXE_evenly"));
        narrow.args(["status", "--socket", &house.socket("s")]).env("COLUMNS", "80");
        let printed = fine(Process::start(&mut narrow, &house.runtime()).finish());
        let widest = printed.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{widest:?}\n{printed}");
    }
}

#[test]
fn the_first_figures_are_what_clients_saw_and_those_of_the_table_are_tries() {
    let (well, gone, ill) = (Backend::plain(), Backend::plain(), Backend::answering(500));
    let house = House::new();
    let proxy = house.balancer("s", &[&well, &gone], "passive.failures = 0");
    let vacant = gone.go_down();
    (0..4).for_each(|_| assert_eq!(proxy.get("/").status(), 200));
    // The last answer is with its client a moment before it is counted.
    let counted = |name: &str, class: &str, answered: u64| {
        let so_far = || house.status(name)["totals"]["answered"][class].clone();
        eventually("all is counted", || so_far() == answered);
        fine(house.ask(name, "status"))
    };
    let printed = counted("s", "2xx", 4);
    let row = |name: &str| {
        let row = printed.lines().find(|line| line.starts_with(name)).unwrap();
        row.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("backend ")[3..7], ["tries", "share", "busy", "failed"]);
    let failed = row("B ")[6].clone();
    assert_eq!([&row("A ")[3], &row("A ")[6], &row("B ")[3]], ["4", "0", &failed]);
    let said = format!(", answered 4, errors 0, retried {failed}\n");
    assert!(failed != "0" && printed.contains(&said), "{printed}");
    let why = fine(house.ask("s", "why B"));
    assert!(why.contains(&format!("; {failed} tr")) && why.contains(" since the start, "), "{why}");
    let other = house.balancer("t", &[&ill], "");
    other.farewell(500);
    (0..2).for_each(|_| assert_eq!(other.get("/").status(), 500));
    let printed = counted("t", "5xx", 2);
    assert!(printed.contains(", answered 2, errors 2 (2 the applications'), "), "{printed}");
    drop(vacant);
}

#[test]
fn check_knows_the_balancer_of_its_own_configuration_and_warns_of_any_other() {
    let backend = Backend::plain();
    let house = House::new();
    let proxy = house.balancer("s", &[&backend], "");
    let file = proxy.scratch.path().join("applications.toml").display().to_string();
    let check = |socket: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
        command.args(["check", "-c", &file, "--listen", &proxy.address.to_string()]);
        fine_or_warned(Process::start(command.env("EVENLY_ADMIN_SOCKET", socket), &house.runtime()))
    };
    let (printed, said) = check(&house.socket("s"));
    let served = format!(", where its balancer serves already (process {})\n", proxy.process.id());
    assert!(printed.contains(&served) && said.is_empty(), "{printed}{said}");
    let other = house.balancer("t", &[&backend], "");
    let warned = format!("warning: --listen: {} is in use; if not by", proxy.address);
    for socket in ["off".to_owned(), house.socket("none"), house.socket("t")] {
        let (printed, said) = check(&socket);
        assert!(said.contains(&warned) && !printed.contains(" serves already"), "{printed}{said}");
    }
    drop(other);
}

fn fine_or_warned(process: Process) -> (String, String) {
    let (code, printed, said) = process.finish();
    assert_eq!(code, Some(0), "{printed}\n{said}");
    (printed, said)
}

#[test]
fn json_is_what_the_balancer_tells_and_names_are_a_line_each() {
    let (one, other) = (Backend::plain(), Backend::plain());
    let house = House::new();
    let _proxy = house.balancer("s", &[&one, &other], "");
    let status = house.status("s");
    assert_eq!(status["version"], 1);
    assert_eq!(status["pools"][0]["backends"][1]["name"], "B");
    assert_eq!(fine(house.ask("s", "status --names")), "A\nB");
}

#[test]
fn whoever_reads_no_further_is_no_reason_to_panic() {
    let backend = Backend::plain();
    let house = House::new();
    let proxy = house.balancer("s", &[&backend], "");
    proxy.pardon("NO BACKEND IS UP");
    for line in ["status", "status --json", "timeline", "why A", "drain A --force", "ready A"] {
        // The reader is gone before anything is written.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
        command.args(line.split(' ')).arg("--socket").arg(house.socket("s"));
        let mut process =
            Process::between(&mut command, &house.runtime(), Stdio::null(), Stdio::from(writer));
        assert_eq!(process.wait().code(), Some(1), "{line}");
        assert_eq!(process.said.complete(), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn a_stranger_at_the_socket_is_said_to_be_one() {
    let backend = Backend::plain();
    let house = House::new();
    let url = format!("status --url http://127.0.0.1:{}", backend.port());
    let said = failed(house.run(&url));
    assert!(said.contains("the status is no JSON"), "{said}");
}
