//! The configuration through the program: a bad one starts nothing and says what to do.

use crate::harness::{Backend, Place, Process, Proxy, Scratch};
use rustix::process::geteuid;
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

/// Runs a command on this text and returns the exit code, stdout and stderr.
fn run(command: &str, text: &str) -> (Option<i32>, String, String) {
    run_with(&[command], text)
}

fn run_with(arguments: &[&str], text: &str) -> (Option<i32>, String, String) {
    let scratch = Scratch::new();
    scratch.write("applications.toml", text);
    Process::evenly(&[arguments, &["-c", "applications.toml"]].concat(), scratch.path()).finish()
}

const ONE: &str = "[[applications]]\nip = \"127.0.0.1\"\nport = \"8001\"\n";

#[test]
fn the_file_of_the_contract_is_enough() {
    let text = "[[applications]]\nalive = true\nip = \"127.0.0.1\"\nport = \"8001\"\n\
                tsl = false\n\n\
                [[applications]]\nalive = false\nip = \"127.0.0.1\"\nport = \"8002\"\n\
                tsl = false\n";
    let (code, printed, said) = run_with(&["check", "--all"], text);
    assert_eq!(code, Some(0), "{said}");
    for part in ["127.0.0.1:8001", "8002", "round-robin", "/health", "\"4s\"", "\"16KiB\""] {
        assert!(printed.contains(part), "{part} in {printed}");
    }
}

#[test]
fn what_check_prints_is_a_configuration_that_means_the_same() {
    let changed = format!("balance.policy = \"hash\"\nsticky.max_age = \"12h\"\n{ONE}weight = 3\n");
    for text in [ONE, &changed] {
        for arguments in [&["check"][..], &["check", "--all"]] {
            let (_, printed, told) = run_with(arguments, text);
            let (code, again, said) = run_with(arguments, &printed);
            assert_eq!((code, again.as_str()), (Some(0), printed.as_str()), "{said}");
            let count = |said: &str| said.matches("warning: ").count();
            assert_eq!(count(&said), count(&told), "defaults are not warned of: {said}");
        }
    }
}

#[test]
fn check_says_a_verdict_and_only_what_is_not_at_its_default() {
    let settings =
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 0\n[balance]\npolicy = \"hash\"\n";
    let (code, printed, said) = run("check", &format!("{settings}{ONE}"));
    let verdict = "# applications.toml is fine: 1 application, hash, on 127.0.0.1:0\n\n";
    let changed = format!(
        "{}\n[server]\nlisten = \"127.0.0.1:0\"\n\n[balance]\npolicy = \"hash\"\n\n{}",
        "[[applications]]\nname = \"127.0.0.1:8001\"\nip = \"127.0.0.1\"\nport = 8001\n",
        // The harness says so, by a variable.
        "[admin]\nsocket = \"off\"",
    );
    assert_eq!((code, printed), (Some(0), format!("{verdict}{changed}")), "{said}");
    assert_eq!(said, "");
}

#[test]
fn check_tells_what_would_fail_and_leaves_nothing_behind() {
    let scratch = Scratch::new();
    scratch.write("old.log", "a line\n");
    for (link, to) in [("new", "./made.log"), ("far", "./none/x.log"), ("folder", "./none/")] {
        symlink(to, scratch.path().join(link)).unwrap();
    }
    scratch.write("applications.toml", format!("server.listen = \"127.0.0.1:0\"\n{ONE}"));
    let check = |more: &[&str]| {
        let mut arguments = vec!["check"];
        more.iter().for_each(|set| arguments.extend(["--set", set]));
        let (code, printed, said) = Process::evenly(&arguments, scratch.path()).finish();
        assert!(printed.starts_with("# applications.toml is "), "{printed}");
        (code, said)
    };
    for (to, told) in [
        ("./old.log", ""),
        ("./new.log", ""),
        ("./new", ""),
        ("./far", "No such file or directory (os error 2); create its folder"),
        ("./folder", "Is a directory (os error 21); that is a folder"),
        ("none/", "Is a directory (os error 21); that is a folder"),
        ("none/.", "Is a directory (os error 21); that is a folder"),
        ("/dev/null", ""),
        ("./none/x.log", "No such file or directory (os error 2); create its folder"),
        ("./", "Is a directory (os error 21); that is a folder"),
        ("./old.log/x", "Not a directory (os error 20); a part of its path is a file"),
    ] {
        let (code, said) = check(&["log.access=json", &format!("log.to={to}")]);
        let sentence = format!("evenly: --set log.to: cannot open the log {to}: {told}");
        match told {
            "" => assert_eq!((code, said.as_str()), (Some(0), ""), "{to}"),
            _ => assert!(code == Some(1) && said.starts_with(&sentence), "{said}"),
        }
    }
    let listed = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(listed, 5, "nothing is made");
    assert_eq!(std::fs::read(scratch.path().join("old.log")).unwrap(), b"a line\n");
    let (code, said) = check(&["server.listen=192.0.2.1:80"]);
    let told = "evenly: --set server.listen: cannot listen on 192.0.2.1:80: ";
    assert!(code == Some(1) && said.starts_with(told), "{said}");
}

#[test]
fn no_log_goes_into_the_configuration() {
    let scratch = Scratch::new();
    let text = format!("log.access = \"json\"\nlog.to = \"./log\"\n{ONE}");
    let file = scratch.write("applications.toml", &text);
    symlink(&file, scratch.path().join("log")).unwrap();
    let told = "applications.toml:2:10: log.to: \"./log\" is the configuration too; choose another";
    for command in ["check", "serve"] {
        let (code, _, said) = Process::evenly(&[command], scratch.path()).finish();
        assert_eq!((code, said.as_str()), (Some(2), told), "{command}");
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
}

#[test]
fn check_says_once_what_several_listeners_do() {
    let listener = |more: &str| format!("[[listeners]]\nlisten = \"127.0.0.1:0\"\n{more}");
    let (one, two) = (listener("name = \"a\"\n"), listener("name = \"b\"\n"));
    let sent = "mode = \"redirect-to-https\"\nhttps_port = 443\n";
    let (code, printed, said) = run("check", &format!("{one}{two}{}{ONE}", listener(sent)));
    let verdict = "# applications.toml is fine: 1 application, round-robin, on 127.0.0.1:0, \
                   127.0.0.1:0; redirecting to https at port 443, on 127.0.0.1:0\n";
    assert!(code == Some(0) && printed.starts_with(verdict), "{printed}{said}");
    assert_eq!(said, "");
}

#[test]
fn a_folder_for_proofs_that_is_none_is_refused_with_its_place() {
    let listener = |name: &str, folder: &str| {
        let keys = format!("name = \"{name}\"\nacme_webroot = \"{folder}\"\n");
        format!("[[listeners]]\nlisten = \"127.0.0.1:0\"\n{keys}")
    };
    let text = listener("a", "/none/acme") + &listener("b", "./applications.toml");
    let told = "applications.toml:4:16: listeners.acme_webroot: /none/acme does not exist; make \
                the folder, or correct its path\n\
                applications.toml:8:16: listeners.acme_webroot: ./applications.toml is no folder; \
                name the one that the ACME client has as its webroot";
    for command in ["check", "serve"] {
        let (code, printed, said) = run(command, &format!("{text}{ONE}"));
        assert_eq!((code, said.as_str()), (Some(2), told), "{command}: {printed}");
    }
    let found = listener("a", ".");
    assert_eq!(run("check", &format!("{found}{ONE}")).0, Some(0));
}

/// Root may enter every folder, but not whom it becomes.
#[test]
fn a_folder_for_proofs_that_may_not_be_entered_is_refused_with_its_place() {
    let scratch = Scratch::new();
    let root = scratch.path().join("acme");
    std::fs::create_dir(&root).unwrap();
    let (mode, user, commands) = match geteuid().is_root() {
        true => (0o700, "nobody", &["serve"][..]),
        false => (0o600, "", &["check", "serve"][..]),
    };
    set_permissions(&root, Permissions::from_mode(mode)).unwrap();
    let user = if user.is_empty() { String::new() } else { format!("server.user = {user:?}\n") };
    let text = format!(
        "{user}health.interval = \"off\"\n\
         [[listeners]]\nlisten = \"127.0.0.1:0\"\nacme_webroot = {root:?}\n{ONE}"
    );
    for command in commands {
        let (code, _, said) = run(command, &text);
        let told = format!("listeners.acme_webroot: {} cannot be entered by user ", root.display());
        let is_placed = said.starts_with("applications.toml:") && said.contains(&told);
        assert!(code == Some(2) && is_placed, "{command}: {said}");
    }
}

#[test]
fn check_tells_of_all_that_would_fail_and_of_certificates_last() {
    let listen = "server.listen = \"192.0.2.1:80\"\n";
    let (code, printed, said) =
        run("check", &format!("tls.certificates = [\"./none.pem\"]\n{listen}{ONE}"));
    assert_eq!(code, Some(2), "{said}");
    assert!(printed.starts_with("# applications.toml is well written, but 2 things would fail"));
    let [first, last] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    let told = "evenly: applications.toml:2:17: server.listen: cannot listen on 192.0.2.1:80: ";
    assert!(first.starts_with(told), "{said}");
    let told = "applications.toml:1:21: tls.certificates: ./none.pem: cannot be read: ";
    assert!(last.starts_with(told), "{said}");
}

/// 64 letters in a row are one more than a label of a name has room for (RFC 1035 2.3.4): no
/// resolver need be asked.
#[test]
fn check_looks_names_up() {
    let name = "a".repeat(63) + "." + &"b".repeat(63) + ".invalid";
    let text = format!("[[applications]]\nname = \"A\"\nip = \"{name}\"\nport = 1\n{ONE}");
    let (code, _, said) = run("check", &text);
    assert_eq!(code, Some(1), "{said}");
    let told = format!("3:6: applications.ip: application A: {name} does not resolve: ");
    assert!(said.contains(&told), "{said}");
    assert!(!said.contains("127.0.0.1:8001"), "{said}");
}

#[test]
fn check_runs_beside_a_server() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let listen = format!("server.listen={}", proxy.address);
    let arguments = ["check", "--set", &listen];
    let (code, printed, said) = Process::evenly(&arguments, proxy.scratch.path()).finish();
    let noted = format!("warning: --set server.listen: {} is in use; ", proxy.address);
    assert!(code == Some(0) && said.starts_with(&noted), "{said}");
    assert!(printed.starts_with("# applications.toml is fine: 1 application, "), "{printed}");
}

#[test]
fn keys_that_mean_nothing_are_warned_of_wherever_the_file_is_read() {
    let idle = "balance.hash_by = \"header X-User\"\n";
    let told = "applications.toml:1:19: balance.hash_by: means nothing without policy = \"hash\"";
    let (code, _, said) = run("check", &format!("{idle}{ONE}"));
    assert!(code == Some(0) && said.starts_with(&format!("warning: {told}")), "{said}");
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], idle);
    let line = proxy.process.said.wait("means nothing");
    assert!(line.contains(" WARN ") && line.contains("balance.hash_by: "), "{line}");
    let get = ["get", "/", "-c", "applications.toml"];
    let (code, _, said) = Process::evenly(&get, proxy.scratch.path()).finish();
    assert!(code == Some(0) && said.contains("balance.hash_by: means nothing"), "{said}");
    let scratch = Scratch::new();
    let arguments = [
        "demo",
        "--listen",
        "127.0.0.1:0",
        "--set",
        "admin.listen=off",
        "--set",
        "limits.buffer_bytes=1KiB",
    ];
    let demo = Process::evenly(&arguments, scratch.path());
    let line = demo.said.wait("means nothing");
    assert!(line.contains("--set limits.buffer_bytes: means nothing without"), "{line}");
}

#[test]
fn variables_of_a_service_of_this_name_are_nobodys() {
    let scratch = Scratch::new();
    scratch.write("applications.toml", format!("server.listen = \"127.0.0.1:0\"\n{ONE}"));
    let check = |variables: &[(&str, &str)]| {
        let mut command = std::process::Command::new("env");
        command.args(variables.iter().map(|(name, value)| format!("{name}={value}")));
        command.args([env!("CARGO_BIN_EXE_evenly"), "check"]);
        Process::start(&mut command, scratch.path()).finish()
    };
    let (code, _, said) = check(&[
        ("EVENLY_SERVICE_HOST", "10.0.0.9"),
        ("EVENLY_SERVICE_PORT", "80"),
        ("EVENLY_SERVICE_PORT_HTTP", "80"),
        ("EVENLY_PORT", "tcp://10.0.0.9:80"),
        ("EVENLY_PORT_80_TCP", "tcp://10.0.0.9:80"),
        ("EVENLY_PORT_80_TCP_PROTO", "tcp"),
        ("EVENLY_PORT_80_TCP_PORT", "80"),
        ("EVENLY_PORT_80_TCP_ADDR", "10.0.0.9"),
        ("EVENLY_VERSION", "1.0"),
    ]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let (code, _, said) = check(&[("EVENLY_SERVER_LISTN", "0.0.0.0:80")]);
    let told = "EVENLY_SERVER_LISTN: unknown variable; did you mean EVENLY_SERVER_LISTEN?";
    assert_eq!((code, said.as_str()), (Some(2), told));
}

#[test]
fn a_file_of_another_program_is_called_by_its_name() {
    for (text, whose) in [
        ("global\n    daemon\n", "an HAProxy configuration"),
        ("http {\n  upstream a { server 10.0.0.1; }\n}\n", "an nginx configuration"),
        ("servers:\n  - 10.0.0.1\n", "YAML"),
    ] {
        let (code, _, said) = run("check", text);
        let told = format!("applications.toml:1:1: this looks like {whose}; Evenly's is TOML: ");
        assert!(code == Some(2) && said.starts_with(&told), "{said}");
    }
    let endless = Process::evenly(&["serve", "-c", "/dev/zero"], Scratch::new().path()).finish();
    let told = "/dev/zero: is longer than 4 MiB, so it is no configuration; name another";
    assert_eq!((endless.0, endless.2.as_str()), (Some(2), told));
}

#[test]
fn a_secret_is_not_shown_and_a_file_of_it_that_others_may_read_is_told() {
    const SECRET: &str = "sticky.cookie = \"BACKEND\"\nsticky.secret = \"nobody is to see this\"\n";
    let exposed = "everybody may read it (mode 0644), and it holds sticky.secret; chmod o=";
    let several = format!("{SECRET}health.headers = [\"X-Key: nobody is to see this\"]\n");
    let both = "and it holds sticky.secret and health.headers; chmod o=";
    for (secret, mode, warned, exposed) in [
        (SECRET, 0o644, true, exposed),
        (SECRET, 0o640, false, exposed),
        ("", 0o644, false, exposed),
        (&several, 0o644, true, both),
    ] {
        let scratch = Scratch::new();
        let file = scratch.write("applications.toml", format!("{secret}{ONE}"));
        set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let (code, printed, said) = Process::evenly(&["check"], scratch.path()).finish();
        assert_eq!((code, said.contains(exposed)), (Some(0), warned), "{said}");
        assert!(!printed.contains("nobody is to see") && !said.contains("nobody is to see"));
        assert_eq!(printed.contains("\nsecret = \"(hidden)\""), !secret.is_empty(), "{printed}");
    }
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], SECRET);
    let line = proxy.process.said.wait(" WARN ");
    assert!(line.contains("applications.toml: everybody may read it"), "{line}");
}

#[test]
fn each_mistake_is_refused_with_its_place_and_a_remedy() {
    let cases = [
        ("", "applications"),
        ("[server]\nlisen = \"127.0.0.1:0\"\n", "listen"),
        ("[sever]\n", "server"),
        ("[balance]\npolicy = \"round-robbin\"\n", "round-robin"),
        ("[timeouts]\nconnect = 3\n", "unit"),
        ("[timeouts]\nconnect = \"-3s\"\n", "connect"),
        ("[limits]\nhead_bytes = \"much\"\n", "head_bytes"),
        ("[server]\nworkers = \"two\"\n", "workers"),
        ("[server\n", ":1:"),
        ("[[applications]]\nip = \"127.0.0.1\"\nport = \"0\"\n", "port"),
        ("[[applications]]\nip = \"127.0.0.1\"\nport = \"80\"\ntls_ca = \"a.pem\"\n", "tls = true"),
        ("[[applications]]\nip = \"127.0.0.1\"\nport = \"8001\"\n", "8001"),
        ("[[applications]]\nip = \"127.0.0.1\"\n", "port"),
    ];
    for (text, part) in cases {
        let whole = if text.is_empty() { String::new() } else { format!("{text}{ONE}") };
        for command in ["check", "serve"] {
            let (code, printed, said) = run(command, &whole);
            assert_eq!((code, printed.as_str()), (Some(2), ""), "{text}: {said}");
            assert!(said.contains("applications.toml") && said.contains(part), "{text}: {said}");
            assert!(!said.contains("panicked") && !said.contains("listening"), "{text}: {said}");
        }
    }
}

#[test]
fn a_mistake_is_told_with_line_and_column() {
    let (_, _, said) = run("check", &format!("\n[server]\n  workerz = 2\n{ONE}"));
    assert!(said.starts_with("applications.toml:3:3: "), "{said}");
    assert!(said.contains("workers"), "{said}");
}

#[test]
fn a_missing_file_and_a_wrong_word_are_usage() {
    let scratch = Scratch::new();
    let lines: [&[&str]; 5] =
        [&[], &["serve"], &["check", "-c", "nowhere.toml"], &["sevre"], &["serve", "--colour"]];
    for arguments in lines {
        let (code, printed, said) = Process::evenly(arguments, scratch.path()).finish();
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{arguments:?}: {said}");
        assert!(!said.is_empty() && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn help_and_version_are_answered_on_stdout() {
    let scratch = Scratch::new();
    for (argument, part) in [("--help", "serve"), ("--version", "evenly ")] {
        let (code, printed, said) = Process::evenly(&[argument], scratch.path()).finish();
        assert_eq!((code, said.as_str()), (Some(0), ""));
        assert!(printed.contains(part), "{printed}");
    }
}

#[test]
fn evenly_alone_serves_the_file_in_the_working_directory_and_flags_beat_it() {
    let backend = Backend::plain();
    let scratch = Scratch::new();
    let port = backend.port();
    let application = format!("[[applications]]\nip = \"127.0.0.1\"\nport = {port}\n");
    scratch
        .write("applications.toml", format!("[server]\nlisten = \"192.0.2.1:1\"\n{application}"));
    let arguments = ["--listen", "127.0.0.1:0", "--set", "health.interval=off"];
    let process = Process::evenly(&arguments, scratch.path());
    let line = process.said.wait("listening on 127.0.0.1:");
    let address = line
        .split("listening on ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .trim_end_matches(':');
    let mut client = crate::harness::Wire::connect(address.parse().unwrap());
    assert_eq!(client.get("/").text(), "GET / 0\n");
}
