//! What shells and `man` read: completions in real shells, the manual page, and where
//! `make install` puts them.

use crate::harness::{Process, Scratch};
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn is_installed(program: &str) -> bool {
    let found = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&found).any(|directory| directory.join(program).exists())
}

/// A directory with an `evenly` that tells these names and nothing else.
fn telling(names: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("names", names);
    scratch.script("evenly", "#!/bin/sh\ncat \"$(dirname \"$0\")/names\"\n");
    scratch
}

/// What bash offers after these words, the last of which is being typed.
fn bash(scratch: &Scratch, words: &[&str]) -> Vec<String> {
    let file = root().join("share/completions/evenly.bash");
    let script = format!(
        "source {}; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _evenly
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    let evenly = scratch.path().join("evenly").display().to_string();
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", &script, "bash", &evenly]).args(words);
    let (code, printed, said) = Process::start(&mut command, scratch.path()).finish();
    assert_eq!((code, said.as_str()), (Some(0), ""));
    printed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_offers_commands_options_and_names() {
    let scratch = telling("API01\nAPI02\nother\n");
    assert_eq!(bash(&scratch, &["dr"]), ["drain"]);
    assert_eq!(bash(&scratch, &["re"]), ["ready", "resume", "reload"]);
    assert_eq!(bash(&scratch, &["drain", "API"]), ["API01", "API02"]);
    assert_eq!(bash(&scratch, &["drain", "API01", "--w"]), ["--wait"]);
    assert_eq!(bash(&scratch, &["status", "--n"]), ["--names"]);
    assert_eq!(bash(&scratch, &["why", "API"]), ["API01", "API02"]);
    assert_eq!(bash(&scratch, &["timeline", "--s"]), ["--since", "--socket"]);
    assert_eq!(bash(&scratch, &["--li"]), ["--listen"]);
    assert_eq!(bash(&scratch, &["drain", "API01", "--wait", ""]), Vec::<String>::new());
    assert_eq!(bash(&scratch, &["diff", "na"]), ["names"]);
    assert_eq!(bash(&scratch, &["ready", "API01", "--f"]), Vec::<String>::new());
    assert_eq!(bash(&scratch, &["simulate", "--scenario", "one-"]), ["one-slow", "one-flaky"]);
    assert_eq!(bash(&scratch, &["simulate", "--scenario", "na"]), ["names"]);
    assert_eq!(bash(&scratch, &["simulate", "--policy", "two"]), ["two-choices"]);
}

#[test]
fn a_name_is_offered_quoted_and_never_run() {
    let scratch = telling("$(touch ran)\n`touch ran`\na b\n*\n");
    let offered = bash(&scratch, &["maint", ""]);
    assert_eq!(offered, ["\\$\\(touch\\ ran\\)", "\\`touch\\ ran\\`", "a\\ b", "\\*"]);
    assert!(!scratch.path().join("ran").exists());
}

#[test]
fn zsh_and_fish_read_theirs() {
    for (shell, file) in [("zsh", "_evenly"), ("fish", "evenly.fish"), ("bash", "evenly.bash")] {
        if is_installed(shell) {
            let mut command = Command::new(shell);
            command.arg("-n").arg(root().join("share/completions").join(file));
            let (code, _, said) = Process::start(&mut command, root()).finish();
            assert_eq!((code, said.as_str()), (Some(0), ""), "{shell}");
        }
    }
    if is_installed("fish") {
        let scratch = telling("API01\n");
        let script = format!(
            "source {}; set -x PATH {} $PATH
             complete -C 'evenly drain A'; complete -C 'evenly status --j'
             complete -C 'evenly simulate --policy tw'; complete -C 'evenly ready A --f'
             complete -C 'evenly simulate --scenario one-s'",
            root().join("share/completions/evenly.fish").display(),
            scratch.path().display()
        );
        let mut command = Command::new("fish");
        command.args(["--no-config", "-c", &script]).env("HOME", scratch.path());
        let (code, printed, said) = Process::start(&mut command, scratch.path()).finish();
        let offered: Vec<_> = printed.lines().map(|line| line.replace('\t', " ")).collect();
        assert_eq!((code, said.as_str()), (Some(0), ""));
        let words = ["API01 backend", "--json for programs", "two-choices which"];
        assert_eq!(offered, [&words[..], &["one-slow a name or a file"]].concat());
    }
}

#[test]
fn the_manual_page_has_no_fault() {
    let page = root().join("share/man/evenly.1");
    for (program, arguments) in [("mandoc", &["-Tlint"][..]), ("man", &["--warnings", "-l"])] {
        if is_installed(program) {
            let mut command = Command::new(program);
            command.args(arguments).arg(&page).env("MANPAGER", "cat");
            let (code, printed, said) = Process::start(&mut command, root()).finish();
            assert_eq!((code, said.as_str()), (Some(0), ""), "{program}: {printed}");
        }
    }
}

#[test]
fn all_of_it_is_installed_where_it_is_looked_for() {
    let scratch = Scratch::new();
    let mut command = Command::new("make");
    command.arg("--no-print-directory").arg("install");
    command.arg(format!("DESTDIR={}", scratch.path().display())).arg("PREFIX=/usr");
    // Whatever was built stands for the release.
    command.arg(format!("EVENLY={}", env!("CARGO_BIN_EXE_evenly")));
    let (code, _, said) = Process::start(&mut command, root()).finish();
    assert_eq!((code, said.as_str()), (Some(0), ""));
    for file in [
        "bin/evenly",
        "share/evenly/applications.toml",
        "share/man/man1/evenly.1",
        "share/bash-completion/completions/evenly",
        "share/zsh/site-functions/_evenly",
        "share/fish/vendor_completions.d/evenly.fish",
    ] {
        assert!(scratch.path().join("usr").join(file).is_file(), "{file}");
    }
}

#[test]
fn what_was_built_is_looked_for_where_cargo_puts_it() {
    for (folder, found) in [("/elsewhere", "/elsewhere"), ("", "target")] {
        let mut command = Command::new("make");
        command.args(["--dry-run", "static", "static-all", "build", "run"]);
        let command = command.env("CARGO_TARGET_DIR", folder);
        let (code, printed, said) = Process::start(command, root()).finish();
        assert_eq!(code, Some(0), "{said}");
        let words = || printed.split(['"', ' ', '\n']).filter(|word| word.ends_with("/evenly"));
        let is_there = |word: &str| word.starts_with(&format!("{found}/"));
        assert!(words().count() >= 3 && words().all(is_there), "{found}: {printed}");
    }
}
