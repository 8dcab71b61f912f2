//! The contract of the file: what works as it stands, what is refused in which words, what beats
//! what.

use std::ffi::OsString;
use std::time::Duration;

use super::*;
use crate::http::HeadLimits;

mod changed;
mod refused;
mod roundtrip;
mod unasked;
mod warned;

/// What the project's first user wrote, string port and `tsl` spelling included.
const MINIMAL: &str = r#"
[[applications]]
alive = true
ip = "127.0.0.1"
port = "8001"
tsl = false
"#;

fn parse(text: &str) -> Config {
    Config::parse(text, "applications.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

fn refusal(text: &str) -> String {
    Config::parse(text, "applications.toml").expect_err(text).to_string()
}

fn variables(pairs: &[(&str, &str)]) -> Overrides {
    let pairs = pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Overrides::from_variables(pairs).unwrap()
}

fn with(overrides: &Overrides) -> Result<Config, String> {
    Config::read(MINIMAL, "applications.toml", overrides).map_err(|errors| errors.to_string())
}

/// Pools of these names, each with keys of its own and one application.
fn pools(all: &[(&str, &str)]) -> String {
    let pool = |(port, (name, keys)): (usize, &(&str, &str))| {
        let table = format!("[[pools.applications]]\nip = \"::1\"\nport = {}\n", port + 1);
        format!("[[pools]]\nname = \"{name}\"\n{keys}{table}")
    };
    all.iter().enumerate().map(pool).collect()
}

#[test]
fn a_file_of_applications_alone_works_as_it_stands() {
    let spec = Spec {
        name: "127.0.0.1:8001".to_string(),
        host: "127.0.0.1".to_string(),
        port: 8001,
        found: None,
        alive: true,
        weight: 1,
        max_connections: 0,
        backup: false,
        public: None,
        tls: None,
        health_port: None,
        preface: None,
    };
    assert_eq!(parse(MINIMAL), Config { applications: vec![spec], ..Config::default() });
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = Config::default();
    let seconds = Duration::from_secs;
    assert_eq!(config.server.listen, "0.0.0.0:8080".parse().unwrap());
    assert_eq!((config.health.path(), &config.health.path), ("/health", &None));
    assert_eq!(config.health.interval, Some(seconds(5)));
    assert_eq!(config.health.expect, [200..=299]);
    assert_eq!(config.passive.statuses, [502..=504]);
    assert_eq!(config.retry.body_bytes, 65_536);
    assert_eq!(
        config.limits.head(),
        HeadLimits { head_bytes: 16_384, headers: 100, target_bytes: 8_192 }
    );
    let timeouts = Timeouts {
        request: Duration::ZERO,
        connect: seconds(3),
        request_head: seconds(10),
        handshake: seconds(10),
        client_body: seconds(30),
        client_write: seconds(30),
        response: seconds(30),
        stream_idle: seconds(300),
        keep_alive: seconds(60),
        upstream_keep_alive: seconds(4),
        tunnel_idle: seconds(3600),
        tunnel_fin: seconds(30),
        linger: seconds(5),
        linger_total: seconds(60),
        slowest: 16,
        lame_duck: seconds(0),
        drain: seconds(15),
    };
    assert_eq!(config.timeouts, timeouts);
}

#[test]
fn bytes_are_worth_the_time_that_they_may_take() {
    let worth = |slowest, bytes| Timeouts { slowest, ..Timeouts::default() }.worth(bytes);
    assert_eq!(worth(16, 16), Duration::from_secs(1));
    assert_eq!(worth(1000, 1), Duration::from_millis(1));
    assert!(worth(1, u64::MAX) > Duration::from_secs(1 << 20));
    assert_eq!(worth(0, 1), Duration::MAX);
}

#[test]
fn the_defaults_of_the_score_are_those_that_the_policy_was_tuned_with() {
    let mut read = ScoredRules { threshold: 0, window: 0, ..ScoredRules::default() };
    read.each(&mut |_, field| {
        let text = field.default();
        field.read_text(text).unwrap();
    });
    assert_eq!(read, ScoredRules::default());
}

/// The file at the top of the repository, once with each commented key made real.
#[test]
fn the_example_file_shows_every_key_with_its_default() {
    let example = include_str!("../../applications.toml");
    let is_key = |line: &str| line.split_once(" = ").is_some_and(|(key, _)| is_word(key));
    let is_list = |line: &str| line.starts_with("  \"") || line == "]";
    let lines = example.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if is_key(rest) || is_list(rest) => rest,
        _ => line,
    });
    let shown = lines.collect::<Vec<_>>().join("\n");
    // Without this the keys that need it are refused.
    let shown = shown.replacen("\ntls = false", "\ntls = true", 1);

    let config = parse(example);
    let names: Vec<_> = config.applications.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["API01", "API02", "API03"]);
    assert_eq!(config, Config { applications: config.applications.clone(), ..Config::default() });

    // The keys that mean something by being there.
    let mut all = parse(&shown);
    assert_eq!(all.health.protocol.take(), Some(Asking::Http));
    assert_eq!(all.health.path.take().as_deref(), Some("/health"));
    assert_eq!(all.health.contains.take().as_deref(), Some("ok"));
    assert_eq!(all.health.host.take().as_deref(), Some("api.example.org"));
    assert_eq!(all.health.port.take(), Some(8001));
    #[cfg(feature = "alerts")]
    assert_eq!(all.heartbeat.ca.take().as_deref(), Some("./ca.pem"));
    let user = all.server.user.take().expect("every system has nobody");
    let group = all.server.group.take().expect("a number is one");
    assert_eq!((user.to_string(), group.id), ("nobody".to_owned(), 65534));
    assert_eq!(all.applications[0].public.take().as_deref(), Some("http://127.0.0.1:9001"));
    assert_eq!(all.applications[0].health_port.take(), Some(9001));
    let trust = all.applications[0].tls.take().expect("it speaks TLS");
    let set = [&trust.ca, &trust.name, &trust.certificate, &trust.key].map(Option::is_some);
    assert_eq!((trust.verify, set), (true, [true; 4]));
    assert_eq!(all, config);

    let root = toml::de::DeTable::parse(&shown).unwrap();
    let shows = |table: &str, key: &str| match root.get_ref().get(table).map(|t| t.get_ref()) {
        Some(toml::de::DeValue::Array(items)) => items[0].get_ref().get(key).is_some(),
        Some(table) => table.get(key).is_some(),
        None => false,
    };
    let mut application = applications::Application::default();
    let tables = Config::default();
    for (name, table) in [("applications", &mut application as &mut dyn Table)]
        .into_iter()
        .chain(tables.clone().tables())
    {
        table.each(&mut |key, _| assert!(shows(name, key), "[{name}] {key} is not shown"));
    }
}

/// Trailers never carry them, and there no configuration is at hand.
#[test]
fn the_fields_kept_to_trusted_peers_are_those_that_the_relay_knows() {
    let sorted = |names: Vec<String>| names.into_iter().collect::<std::collections::BTreeSet<_>>();
    let known = crate::http::claims::USUAL.map(str::to_owned).to_vec();
    assert_eq!(sorted(Config::default().server.untrusted_fields), sorted(known));
}

fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.bytes().all(plain)
}

#[test]
fn addresses_and_names_have_one_spelling_each() {
    let applications = |ip: &str| parse(&format!("[[applications]]\nip = \"{ip}\"\nport = 80\n"));
    let spec = |ip: &str| applications(ip).applications.remove(0);
    assert_eq!((spec("::1").host, spec("[::1]").name), ("::1".into(), "[::1]:80".into()));
    assert_eq!(spec("::ffff:10.0.0.1").name, "10.0.0.1:80");
    assert_eq!(spec("API.Example.org").name, "api.example.org:80");
    assert_eq!(spec("my_host-1").host, "my_host-1");
}

#[test]
fn values_are_read_in_all_their_forms() {
    let text = r#"
        [server]
        listen = "[::1]:0"
        trusted_proxies = ["10.0.0.0/8", "::1"]
        [health]
        interval = "off"
        path = "/health"
        expect = ["200-299", 404]
        [timeouts]
        upstream_keep_alive = "50ms"
        keep_alive = 0
        [limits]
        body_bytes = "1GiB"
        [log]
        access = "json"
        to = "/var/log/evenly.log"
    "#;
    let config = parse(&(text.to_string() + MINIMAL));
    assert_eq!(config.server.listen, "[::1]:0".parse().unwrap());
    assert!(config.server.trusted_proxies[0].contains("10.1.2.3".parse().unwrap()));
    assert_eq!((config.health.interval, config.health.path.as_deref()), (None, Some("/health")));
    assert_eq!(config.health.expect, [200..=299, 404..=404]);
    assert_eq!(config.timeouts.upstream_keep_alive, Duration::from_millis(50));
    assert_eq!(config.timeouts.keep_alive, Duration::ZERO);
    assert_eq!(config.limits.body_bytes, 1 << 30);
    assert_eq!(config.log.to, LogTarget::File("/var/log/evenly.log".into()));
}

#[test]
fn names_of_secure_cookies_will_do_where_the_listener_or_a_proxy_speaks_tls() {
    let own = "[tls]\ncertificates = [\"./site.pem\"]\n";
    let proxys = "[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n";
    for (name, tls) in
        [("__Host-BACKEND", own), ("__Secure-BACKEND", own), ("__Host-BACKEND", proxys)]
    {
        let config = parse(&format!("{tls}[sticky]\ncookie = \"{name}\"\n{MINIMAL}"));
        assert_eq!(config.sticky.cookie.as_deref(), Some(name));
    }
}

#[test]
fn flags_beat_variables_and_these_beat_the_file() {
    let text =
        format!("{MINIMAL}[server]\nworkers = 1\nlisten = \"127.0.0.1:1\"\nserved_by = true");
    let mut overrides = variables(&[
        ("EVENLY_SERVER_WORKERS", "2"),
        ("EVENLY_SERVER_LISTEN", "127.0.0.1:2"),
        ("EVENLY_CONFIG", "elsewhere.toml"),
        ("HOME", "/"),
    ]);
    overrides.set("--workers", "server.workers", "3");
    let server = Config::read(&text, "x", &overrides).unwrap().server;
    assert_eq!((server.workers, server.listen.port(), server.served_by), (3, 2, true));
}

#[test]
fn variables_are_read_as_bare_text() {
    let config = with(&variables(&[
        ("EVENLY_HEALTH_EXPECT", "200-299, 404"),
        ("EVENLY_HEALTH_INTERVAL", "off"),
        ("EVENLY_LOG_TO", "./access.log"),
        ("EVENLY_SERVER_FORWARDED", "true"),
        ("EVENLY_SERVER_TRUSTED_PROXIES", "[\"10.0.0.0/8\", \"::1\"]"),
        ("EVENLY_TIMEOUTS_DRAIN", "0"),
    ]));
    let config = config.unwrap();
    assert_eq!(config.health.expect, [200..=299, 404..=404]);
    assert_eq!(config.health.interval, None);
    assert_eq!(config.log.to, LogTarget::File("./access.log".into()));
    assert!(config.server.forwarded);
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.timeouts.drain, Duration::ZERO);
}

#[test]
fn a_pool_that_tcp_alone_leads_to_is_asked_for_a_connection() {
    let text = |more: &str| {
        format!(
            "[[listeners]]\nlisten = \"0.0.0.0:80\"\n\
             [[listeners]]\nlisten = \"0.0.0.0:6379\"\nmode = \"tcp\"\npool = \"redis\"\n\
             {}[[routes]]\npool = \"web\"\n",
            pools(&[("web", ""), ("redis", more)])
        )
    };
    let asked = |more: &str| {
        let config = parse(&text(more));
        config.pools.iter().map(Config::asking).collect::<Vec<_>>()
    };
    assert_eq!(asked(""), [Asking::Http, Asking::Tcp]);
    assert_eq!(asked("health.path = \"/up\"\nhealth.port = 8080\n"), [Asking::Http; 2]);
}
