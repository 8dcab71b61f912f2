//! The files of TLS: what will not do is refused before anything listens, and what will not do much
//! longer is told.

use crate::harness::{Backend, Certs, Leaf, Pem, Process, Proxy, Scratch};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const APPLICATION: &str = "[[applications]]\nip = \"127.0.0.1\"\nport = \"9\"\n";
const LOCAL: &str = "server.listen = \"127.0.0.1:0\"\nhealth.interval = \"off\"\n";

/// A listener that is to show this certificate with this key.
fn listener(certificate: &Path, key: &Path) -> String {
    let keys = format!("tls.certificates = [{certificate:?}]\ntls.keys = [{key:?}]\n");
    format!("{LOCAL}{keys}{APPLICATION}")
}

/// An application that is reached with these keys.
fn application(keys: &str) -> String {
    format!("{LOCAL}{APPLICATION}tls = true\n{keys}")
}

fn run(command: &str, text: &str) -> (Option<i32>, String, String) {
    let scratch = Scratch::new();
    scratch.write("applications.toml", text);
    Process::evenly(&[command], scratch.path()).finish()
}

/// Where the text has this path behind this key.
fn place(text: &str, key: &str, path: &Path) -> String {
    let word = key.rsplit('.').next().unwrap();
    let at = text.find(&format!("{word} = ")).unwrap();
    let at = at + text[at..].find(&format!("{path:?}")).unwrap();
    let line = text[..at].matches('\n').count() + 1;
    let column = at - text[..at].rfind('\n').map_or(0, |newline| newline + 1) + 1;
    format!("applications.toml:{line}:{column}: {key}: {}: ", path.display())
}

/// Expects both commands to refuse this, naming the place, the file and the reason.
fn expect_refusal(text: &str, key: &str, path: &Path, reason: &str) {
    let place = place(text, key, path);
    for command in ["check", "serve"] {
        let (code, printed, said) = run(command, text);
        assert_eq!(code, Some(2), "{command}: {reason}: {said}");
        let verdict = "# applications.toml is well written, but one thing would fail here\n";
        assert!(printed.starts_with(verdict) == (command == "check"), "{printed}");
        let whole = said.starts_with(&place) && said.contains(reason);
        assert!(whole, "{place} and {reason:?} in {said}");
        assert!(!said.contains("panicked") && !said.contains("listening"), "{said}");
    }
}

/// Files that hold no certificate, each with what is said of it.
fn no_certificates(certs: &Certs) -> Vec<(PathBuf, &'static str)> {
    let leaf = certs.leaf("whole.test");
    let write = |name: &str, content: &[u8]| {
        let path = certs.dir().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let whole = fs::read(&leaf.0).unwrap();
    let torn = [&whole[..whole.len() / 2], b"\n"].concat();
    let broken = String::from_utf8(whole).unwrap().replace("\nMI", "\n!?");
    certs.openssl("x509 -in whole.test.pem -outform DER -out der");
    let pipe = certs.dir().join("pipe.pem");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    vec![
        (certs.dir().join("nowhere.pem"), "No such file"),
        (certs.dir().to_owned(), "directory"),
        (pipe, "it is a pipe, which can be read but once; name a PEM file"),
        ("/dev/zero".into(), "longer than 4 MiB"),
        (write("empty.pem", b""), "holds no certificate"),
        (write("words.pem", b"hello\n"), "holds no certificate"),
        (certs.dir().join("der"), "holds no certificate"),
        (leaf.1, "holds no certificate"),
        (write("torn.pem", &torn), "not valid PEM"),
        (write("broken.pem", broken.as_bytes()), "not valid PEM"),
        (write("nonsense.pem", NONSENSE), "is not valid"),
    ]
}

const NONSENSE: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

#[test]
fn a_certificate_that_cannot_be_read_is_refused_with_its_path() {
    let certs = Certs::make();
    let good = certs.leaf("localhost");
    for (path, reason) in no_certificates(&certs) {
        expect_refusal(&listener(&path, &good.1), "tls.certificates", &path, reason);
        let keys = format!("tls_certificate = {path:?}\ntls_key = {:?}", good.1);
        expect_refusal(&application(&keys), "applications.tls_certificate", &path, reason);
    }
}

#[test]
fn a_chain_of_which_a_part_cannot_be_read_is_refused() {
    let certs = Certs::make();
    let good = certs.leaf("localhost");
    let [leaf, authority] = [&good.0, &certs.ca].map(|path| fs::read(path).unwrap());
    let (root, _) = certs.first_version("root", "-newkey rsa:2048");
    let chain = certs.dir().join("chain.pem");
    fs::write(&chain, [&leaf, &authority, NONSENSE].concat()).unwrap();
    let reason = "its certificate number 3 is not valid: ";
    expect_refusal(&listener(&chain, &good.1), "tls.certificates", &chain, reason);
    fs::write(&chain, [leaf, authority, fs::read(root).unwrap()].concat()).unwrap();
    let (code, _, said) = run("check", &listener(&chain, &good.1));
    assert_eq!(code, Some(0), "an authority may be of X.509 v1: {said}");
}

#[test]
fn a_chain_of_others_or_of_the_past_is_warned_of() {
    let (certs, others) = (Certs::make(), Certs::make());
    let (good, key) = certs.leaf("localhost");
    let (old, _) = certs.expired("old");
    fs::write(certs.dir().join("names.txt"), "subjectAltName=DNS:localhost\n").unwrap();
    let by_old = "-CA old.pem -CAkey old.key -set_serial 7 -days 60 -extfile names.txt";
    certs.openssl(&format!("x509 -req -in localhost.csr -out late.pem {by_old}"));
    certs.openssl("req -x509 -key old.key -subj /CN=soon -days 5 -out soon.pem");
    let by_soon = by_old.replace("-CA old.pem", "-CA soon.pem");
    certs.openssl(&format!("x509 -req -in localhost.csr -out brief.pem {by_soon}"));
    let [late, brief, soon] =
        ["late", "brief", "soon"].map(|it| certs.dir().join(format!("{it}.pem")));
    let chain = certs.dir().join("chain.pem");
    let path = chain.display();
    let number = |said: &str| format!("warning: {path}: its certificate number {said}");
    for (files, told) in [
        (&[&good, &certs.ca][..], vec![]),
        (&[&good, &others.ca], vec![number("2 is of nobody who has signed the first; ")]),
        (&[&good, &others.ca, &certs.ca], vec![number("2 is of nobody who has signed ")]),
        (&[&late, &old], vec![number("2 expired on 20")]),
        (&[&brief, &soon], vec![number("2 expires on 20")]),
    ] {
        let all: Vec<_> = files.iter().map(|path| fs::read(path).unwrap()).collect();
        fs::write(&chain, all.concat()).unwrap();
        let (code, _, said) = run("check", &listener(&chain, &key));
        assert!(code == Some(0) && said.lines().count() == told.len(), "{said}");
        assert!(said.lines().zip(&told).all(|(line, told)| line.starts_with(told)), "{said}");
    }
}

#[test]
fn a_path_that_stands_twice_is_told_at_the_key_that_it_will_not_do_for() {
    let certs = Certs::make();
    let (certificate, key) = certs.leaf("localhost");
    for (path, said, reason) in [(&certificate, 1, "no private key"), (&key, 0, "no certificate")] {
        let told = ["tls.certificates", "tls.keys"][said];
        expect_refusal(&listener(path, path), told, path, reason);
        let keys = format!("tls_certificate = {path:?}\ntls_key = {path:?}");
        let told = ["applications.tls_certificate", "applications.tls_key"][said];
        expect_refusal(&application(&keys), told, path, reason);
    }
}

#[test]
fn all_files_that_will_not_do_are_told_at_once() {
    let none = |name: &str| format!("tls = true\ntls_ca = \"./{name}.ca\"\n");
    let text = format!(
        "server.listen = \"127.0.0.1:0\"\n{APPLICATION}{}tls_certificate = \"./1.pem\"\n\
         tls_key = \"./1.key\"\n{}{}[tls]\ncertificates = [\"./a.pem\", \"./b.pem\"]\n\
         keys = [\"./a.key\", \"./b.key\"]\n",
        none("1"),
        APPLICATION.replace('9', "10"),
        none("2"),
    );
    let places = [
        "15:17: tls.certificates: ./a.pem",
        "16:9: tls.keys: ./a.key",
        "15:28: tls.certificates: ./b.pem",
        "16:20: tls.keys: ./b.key",
        "6:10: applications.tls_ca: ./1.ca",
        "7:19: applications.tls_certificate: ./1.pem",
        "8:11: applications.tls_key: ./1.key",
        "13:10: applications.tls_ca: ./2.ca",
    ];
    for command in ["check", "serve"] {
        let (code, printed, said) = run(command, &text);
        assert!(code == Some(2) && said.lines().count() == places.len(), "{printed}{said}");
        for place in places {
            let told = format!("applications.toml:{place}: cannot be read: No such file");
            assert!(said.lines().any(|line| line.starts_with(&told)), "{told} in {said}");
        }
    }
}

#[test]
fn an_authority_that_cannot_be_read_is_refused_with_its_path() {
    let certs = Certs::make();
    for (path, reason) in no_certificates(&certs) {
        let reason = if reason == "is not valid" { "cannot be read" } else { reason };
        let text = application(&format!("tls_ca = {path:?}"));
        expect_refusal(&text, "applications.tls_ca", &path, reason);
    }
}

/// Files that hold no key for the certificate of `localhost`.
fn no_keys(certs: &Certs) -> Vec<(PathBuf, &'static str)> {
    certs.leaf("localhost");
    let write = |name: &str, content: &[u8]| {
        let path = certs.dir().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    certs.openssl("pkey -in localhost.key -aes128 -passout pass:secret -out locked.key");
    certs.openssl("ec -in localhost.key -aes128 -passout pass:secret -out older.key");
    certs.openssl("genpkey -algorithm ed448 -out ed448.key");
    let rsa = Leaf { key: "rsa:2048", ..Leaf::default() };
    vec![
        (certs.dir().join("nowhere.key"), "No such file"),
        (certs.dir().to_owned(), "directory"),
        (write("empty.key", b""), "holds no private key"),
        (certs.leaf("other.test").0, "holds no private key"),
        (certs.dir().join("locked.key"), "is encrypted; decrypt it with openssl pkey -in "),
        (certs.dir().join("older.key"), "is encrypted; decrypt it with openssl pkey -in "),
        (certs.dir().join("ed448.key"), "cannot be used"),
        (certs.leaf("other.test").1, "is not the key of"),
        (certs.leaf_of("rsa", &rsa).1, "is not the key of"),
    ]
}

#[test]
fn a_key_that_will_not_do_is_refused_with_its_path() {
    let certs = Certs::make();
    let good = certs.leaf("localhost");
    for (path, reason) in no_keys(&certs) {
        expect_refusal(&listener(&good.0, &path), "tls.keys", &path, reason);
        let keys = format!("tls_certificate = {:?}\ntls_key = {path:?}", good.0);
        expect_refusal(&application(&keys), "applications.tls_key", &path, reason);
    }
}

#[test]
fn a_file_that_may_not_be_read_is_refused_with_its_path() {
    if rustix::process::geteuid().is_root() {
        let _ = writeln!(std::io::stderr(), "root may read any file: a test is skipped");
        return;
    }
    let certs = Certs::make();
    let good = certs.leaf("localhost");
    for (key, path) in [("tls.keys", &good.1), ("tls.certificates", &good.0)] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
        expect_refusal(&listener(&good.0, &good.1), key, path, "let the user that runs");
    }
}

/// A certificate for this machine, valid at these times.
fn dated(certs: &Certs, file: &str, days: (i64, i64)) -> Pem {
    certs.leaf_of(file, &Leaf { names: "DNS:localhost,DNS:b.test", days, ..Leaf::default() })
}

#[test]
fn where_no_certificate_is_valid_now_that_is_refused() {
    let certs = Certs::make();
    let past = dated(&certs, "past", (-60, -30));
    let future = dated(&certs, "future", (30, 60));
    for (leaf, reason) in [(&past, "expired on 20"), (&future, "is not valid before 20")] {
        expect_refusal(&listener(&leaf.0, &leaf.1), "tls.certificates", &leaf.0, reason);
    }
    let keys = format!(
        "tls.certificates = [{:?}, {:?}]\ntls.keys = [{:?}, {:?}]\n",
        past.0, future.0, past.1, future.1
    );
    let text = format!("{keys}{APPLICATION}");
    expect_refusal(&text, "tls.certificates", &past.0, "expired on 20");
}

#[test]
fn the_second_of_several_is_told_at_its_own_line_and_a_variable_by_its_name() {
    let (certs, scratch) = (Certs::make(), Scratch::new());
    let [a, b] = ["a.test", "b.test"].map(|name| certs.leaf(name));
    let none = certs.dir().join("none.pem");
    let text = format!(
        "server.listen = \"127.0.0.1:0\"\n{APPLICATION}[tls]\ncertificates = [\n  {:?},\n  \
         {none:?},\n]\nkeys = [{:?}, {:?}]\n",
        a.0, a.1, b.1
    );
    expect_refusal(&text, "tls.certificates", &none, "No such file");
    scratch.write("applications.toml", APPLICATION);
    let arguments = ["check", "--set", "tls.certificates=./gone.pem"];
    let (code, _, said) = Process::evenly(&arguments, scratch.path()).finish();
    let told = "--set tls.certificates: ./gone.pem: cannot be read: ";
    assert!(code == Some(2) && said.starts_with(told), "{code:?} {said}");
}

#[test]
fn a_reload_says_where_the_file_stands_that_will_not_do() {
    let (certs, backend) = (Certs::make(), Backend::plain());
    let proxy = Proxy::secure(&certs, &[&backend], "");
    proxy.pardon("not reloaded");
    let line = proxy.reload(&[&backend], "tls.certificates = [\"./gone.pem\"]\n");
    let told = "tls.certificates: ./gone.pem: cannot be read: No such file";
    assert!(line.contains(".toml:") && line.contains(told), "{line}");
}

#[test]
fn one_that_is_not_valid_now_beside_others_is_warned_of() {
    let certs = Certs::make();
    let past = dated(&certs, "past", (-60, -30));
    let good = dated(&certs, "good", (-1, 60));
    let keys = format!(
        "tls.certificates = [{:?}, {:?}]\ntls.keys = [{:?}, {:?}]\n",
        past.0, good.0, past.1, good.1
    );
    let (code, printed, said) =
        run("check", &format!("server.listen = \"127.0.0.1:0\"\n{keys}{APPLICATION}"));
    assert_eq!(code, Some(0), "{said}");
    let start = format!("warning: {}: expired on 20", past.0.display());
    assert!(said.starts_with(&start) && said.ends_with("; renew it"), "{said}");
    assert!(printed.contains(&format!("# {}: for localhost", past.0.display())), "{printed}");
    // It is for the application to say what it thinks of it.
    let keys = format!("tls_certificate = {:?}\ntls_key = {:?}", past.0, past.1);
    let (code, _, said) = run("check", &application(&keys));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with(&start), "{said}");
}

#[test]
fn authorities_that_have_expired_are_warned_of_unless_another_is_there() {
    let certs = Certs::make();
    let (old, _) = certs.expired("old");
    let text = application(&format!("tls_ca = {old:?}"));
    let start = format!("{}: tls_ca: expired on 20", old.display());
    let (code, _, said) = run("check", &text);
    assert!(code == Some(0) && said.starts_with(&format!("warning: {start}")), "{said}");
    let scratch = Scratch::new();
    scratch.write("applications.toml", &text);
    Process::evenly(&["serve"], scratch.path()).said.wait(&format!(" WARN  {start}"));
    let both = [&old, &certs.ca].map(|path| fs::read(path).unwrap()).concat();
    fs::write(&old, both).unwrap();
    assert_eq!(run("check", &text).2, "");
}

#[cfg(feature = "alerts")]
#[test]
fn authorities_of_alerts_that_have_expired_are_warned_of() {
    let certs = Certs::make();
    let (old, _) = certs.expired("old");
    let alert = |ca: &Path| {
        let keys = format!("url = \"https://localhost:9/\", ca = {ca:?}");
        let hook = format!("alerts = [{{kind = \"webhook\", {keys}}}]\n");
        format!("{hook}heartbeat = {{{keys}}}\n{LOCAL}{APPLICATION}")
    };
    let (code, _, said) = run("check", &alert(&old));
    let told = |key: &str| format!("warning: {}: {key}: expired on 20", old.display());
    let lines: Vec<&str> = said.lines().collect();
    assert!(code == Some(0) && lines.len() == 2, "{said}");
    assert!(lines[0].starts_with(&told("alerts.ca")), "{said}");
    assert!(lines[1].starts_with(&told("heartbeat.ca")), "{said}");
    let scratch = Scratch::new();
    scratch.write("applications.toml", alert(&old));
    let serving = Process::evenly(&["serve"], scratch.path());
    serving.said.wait(&format!(" WARN  {}: alerts.ca: expired on 20", old.display()));
    assert_eq!(run("check", &alert(&certs.ca)).2, "");
}

#[test]
fn check_prints_the_names_and_when_they_expire() {
    let certs = Certs::make();
    let leaf = dated(&certs, "site", (-1, 1000));
    let (code, printed, said) = run("check", &listener(&leaf.0, &leaf.1));
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let path = leaf.0.display();
    let line = printed.lines().find(|line| line.starts_with(&format!("# {path}: "))).unwrap();
    assert!(line.contains("for localhost, b.test; expires on 20"), "{line}");
    assert!(line.ends_with(", in 999 days"), "{line}");
}

#[test]
fn a_certificate_that_expires_in_ten_days_is_told_and_one_of_twenty_is_not() {
    let certs = Certs::make();
    let backend = Backend::plain();
    for (days, warns) in [(10, true), (20, false)] {
        let leaf = dated(&certs, &format!("days-{days}"), (0, days));
        let (code, printed, said) = run("check", &listener(&leaf.0, &leaf.1));
        assert_eq!(code, Some(0), "{said}");
        assert!(printed.contains("expires on "), "{printed}");
        let warned = said.contains("warning: ") && said.contains(leaf.0.to_str().unwrap());
        assert_eq!(warned, warns, "{said}");
        assert_eq!(said.is_empty(), !warns, "{said}");
        let proxy = Proxy::showing(&certs, &[&leaf], &[&backend], "");
        assert_eq!(proxy.said(" WARN "), usize::from(warns));
        assert_eq!(proxy.said("renew it"), usize::from(warns));
    }
}

#[test]
fn a_key_that_others_may_read_is_told() {
    let certs = Certs::make();
    let (certificate, key) = certs.leaf("localhost");
    let backend = Backend::plain();
    for (mode, may) in
        [(0o600, None), (0o640, None), (0o604, Some("read")), (0o602, Some("change"))]
    {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let (code, _, said) = run("check", &listener(&certificate, &key));
        let start = format!("warning: {}: everybody may", key.display());
        assert_eq!((code, said.contains(&start)), (Some(0), may.is_some()), "{mode:o}: {said}");
        let Some(may) = may else { continue };
        assert!(said.contains(&format!("everybody may {may} it (mode 0{mode:o})")), "{said}");
        let proxy = Proxy::secure(&certs, &[&backend], "");
        proxy.process.said.wait(" WARN ");
    }
}
