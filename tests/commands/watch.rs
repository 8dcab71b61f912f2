//! `evenly status --watch`: on paper and on a terminal, until it is interrupted.

use crate::House;
use crate::harness::{Backend, Process};
use rustix::process::Signal;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn it_says_that_the_balancer_is_gone_and_sees_it_come_back() {
    let house = House::new();
    let backend = Backend::plain();
    let first = house.balancer("s", &[&backend], "");
    let watching = format!("status --watch=100ms --socket {}", house.socket("s"));
    let mut watching = house.begin(&watching);
    watching.printed.wait_nth("1 of 1 up", 2);
    drop(first);
    // It may have gone in the middle of an answer: that is said first.
    let gone = watching.printed.wait("no balancer answers at");
    assert!(gone.contains("gone for "), "{gone}");
    watching.printed.wait("before that:");
    let second = house.balancer("s", &[&backend], "");
    watching.printed.wait(&format!("pid {}", second.process.id()));
    let all = watching.printed.all().join("\n");
    assert!(!all.contains('\u{1b}'), "a file is no terminal: {all:?}");
    watching.ends_at_once_on(Signal::INT);
}

#[test]
fn where_there_is_nothing_to_be_seen_it_does_not_begin() {
    let house = House::new();
    let (code, printed, said) = house.ask("none", "status --watch");
    assert_eq!((code, printed.as_str()), (Some(1), ""));
    assert!(said.starts_with("evenly: no balancer answers at"), "{said}");
}

#[test]
fn a_terminal_is_drawn_over_in_place_and_left_as_it_was() {
    let house = House::new();
    let backend = Backend::plain();
    let many: String = (1..60)
        .map(|n| format!("[[applications]]\nname = \"N{n}\"\nip = \"127.0.0.2\"\nport = {n}\n"))
        .collect();
    let proxy = house.balancer("s", &[&backend], &many);
    proxy.no_farewell(); // nobody is at most of the addresses
    let evenly = env!("CARGO_BIN_EXE_evenly");
    let run = format!(
        "stty rows 20 cols 80; TERM=xterm exec {evenly} status --watch=100ms --socket {}",
        house.socket("s")
    );
    let mut command = Command::new("script");
    command.args(["-qefc", &run, "/dev/null"]);
    let (reader, mut keyboard) = std::io::pipe().unwrap();
    let mut process =
        Process::between(&mut command, &house.runtime(), Stdio::from(reader), Stdio::piped());
    // The second frame begins where the first did, at the top, and wipes nothing before.
    process.printed.wait_nth("\u{1b}[H", 2);
    keyboard.write_all(b"\x03").unwrap();
    assert_eq!(process.wait().code(), Some(0));
    let all = process.printed.complete().join("\n");
    assert!(all.starts_with("\u{1b}[?1049h"), "{all:?}");
    let (drawn, after) = all.split_once("\u{1b}[?1049l").unwrap();
    assert!(!drawn.contains("\u{1b}[2J"), "{drawn:?}");
    for frame in drawn.split("\u{1b}[H").skip(1) {
        assert!(frame.split("\r\n").count() <= 20, "no taller than the terminal: {frame:?}");
    }
    assert!(after.contains("60 of 60 up"), "what was seen last stays: {after:?}");
}
