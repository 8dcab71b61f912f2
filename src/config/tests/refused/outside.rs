//! Refusals of what stands in no line of the file: variables, flags, the file itself.

use std::os::unix::ffi::OsStringExt;

use super::*;

#[test]
fn what_overrides_is_named_instead_of_a_place() {
    let variable = |pair: &str| {
        let pair = pair.split_once('=').unwrap();
        with(&variables(&[pair])).unwrap_err()
    };
    let cases = r#"
EVENLY_SERVER_WORKERS=many
    EVENLY_SERVER_WORKERS: found "many"; expected a whole number
EVENLY_SERVER_SERVED_BY=yes
    EVENLY_SERVER_SERVED_BY: found "yes"; expected true or false
EVENLY_TIMEOUTS_DRAIN=5
    EVENLY_TIMEOUTS_DRAIN: 5 has no unit; write for example "5s"
EVENLY_PASSIVE_EJECT=2m
    EVENLY_PASSIVE_EJECT: eject "2m" is longer than eject_max "1m"; raise eject_max
EVENLY_SERVER_LISTN=x
    EVENLY_SERVER_LISTN: unknown variable; did you mean EVENLY_SERVER_LISTEN?
EVENLY_CONFG=x
    EVENLY_CONFG: unknown variable; did you mean EVENLY_CONFIG?
EVENLY_COLOUR=x
    EVENLY_COLOUR: unknown variable; `evenly check --all` lists the keys
"#;
    each(cases, variable);
    let flag = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap();
        let mut overrides = Overrides::default();
        overrides.set(&format!("--set {key}"), key, value);
        with(&overrides).unwrap_err()
    };
    let cases = r#"
health.rise=0
    --set health.rise: 0 is out of range; use 1 to 1000
server.listn=x
    --set server.listn: unknown key; did you mean server.listen?
colour=x
    --set colour: unknown key; `evenly check --all` lists the keys
"#;
    each(cases, flag);
}

#[test]
fn a_file_that_cannot_be_read_is_refused_with_a_remedy() {
    let load = |path: &Path| Config::load(path, &Overrides::default()).unwrap_err().to_string();
    let folder = std::env::temp_dir().join(format!("evenly-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let latin = folder.join("latin.toml");
    std::fs::write(&latin, b"[log]\nto = \"\xe9\"\n").unwrap();
    let [wide, zeros] = ["wide.toml", "zeros.toml"].map(|name| folder.join(name));
    std::fs::write(&wide, b"\xff\xfe[\0l\0").unwrap();
    std::fs::write(&zeros, b"[\0l\0").unwrap();
    let cases = [
        (
            folder.join("none.toml"),
            "no such file; name it with -c FILE or EVENLY_CONFIG, or write one",
        ),
        (
            folder.clone(),
            "is a directory; name the file in it (or, in a container, mount one that is there)",
        ),
        (latin, "line 2 is not UTF-8 text; save the file as UTF-8"),
        (wide, "is UTF-16 text; save the file as UTF-8"),
        ("/dev/zero".into(), "is longer than 4 MiB, so it is no configuration; name another"),
        (
            "/dev/null".into(),
            "applications: there are none, the file says nothing; write [[applications]] and below \
             it ip and port of each",
        ),
        (
            std::env::current_exe().unwrap(),
            "is longer than 4 MiB, so it is no configuration; name another",
        ),
        (zeros, "holds zero bytes, so it is no UTF-8 text; name another, or save it as UTF-8"),
    ];
    for (path, message) in cases {
        assert_eq!(load(&path), format!("{}: {message}", path.display()));
    }
    let marked = folder.join("marked.toml");
    std::fs::write(&marked, format!("\u{feff}colour = 1\n{MINIMAL}")).unwrap();
    assert!(load(&marked).contains(":1:1: colour: unknown table"), "the mark is passed over");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn variables_that_come_with_the_name_alone_are_nobodys() {
    let others = [
        ("EVENLY_SERVICE_HOST", "10.0.0.9"),
        ("EVENLY_SERVICE_PORT", "80"),
        ("EVENLY_SERVICE_PORT_HTTP", "80"),
        ("EVENLY_PORT", "tcp://10.0.0.9:80"),
        ("EVENLY_PORT_80_TCP", "tcp://10.0.0.9:80"),
        ("EVENLY_PORT_80_TCP_PROTO", "tcp"),
        ("EVENLY_PORT_80_TCP_PORT", "80"),
        ("EVENLY_PORT_80_TCP_ADDR", "10.0.0.9"),
        ("EVENLY_PORT_53_UDP_ADDR", "10.0.0.9"),
        ("EVENLY_ADMIN_SERVICE_HOST", "10.0.0.9"),
        ("EVENLY_ADMIN_SERVICE_PORT_HTTPS_ADMIN", "9900"),
        ("EVENLY_ADMIN_PORT_9900_TCP_ADDR", "10.0.0.9"),
        ("EVENLY_ADMIN_PORT", "tcp://10.0.0.9:9900"),
        ("EVENLY_HEALTH_PORT", "tcp://10.0.0.9:80"),
        ("EVENLY_NAME", "/web/evenly"),
        ("EVENLY_ENV_PATH", "/bin"),
        ("EVENLY_VERSION", "0.1.0"),
    ];
    assert!(with(&variables(&others)).is_ok());
    let not_text = OsString::from_vec(b"\xff".to_vec());
    assert!(Overrides::from_variables([("EVENLY_ENV_LANG".into(), not_text)]).is_ok());
}

#[test]
fn a_near_miss_of_a_key_is_no_variable_of_others() {
    for (name, value) in [
        ("EVENLY_SERVER_LISTN", "0.0.0.0:80"),
        ("EVENLY_SERVER_PORT", "80"),
        ("EVENLY_PORT", "80"),
        ("EVENLY_NAME", "shop"),
        ("EVENLY_TLS_VERSION", "1.3"),
        ("EVENLY_SERVICE_LISTEN", "0.0.0.0:80"),
        ("EVENLY_LOG_PORT_X", "80"),
    ] {
        let said = with(&variables(&[(name, value)])).unwrap_err();
        assert!(said.starts_with(&format!("{name}: unknown variable; ")), "{said}");
    }
}
