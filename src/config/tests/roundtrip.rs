//! What `evenly check` prints reads back to the configuration that it was printed from.

use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::*;
use crate::config::UnknownNames;
use crate::config::keys::DAY_MS;
use crate::pool::{Statuses, Trust};
use crate::preface::Version;

fn reads_back(config: &Config) {
    let text = config.clone().render(Extent::All);
    assert_eq!(&parse(&text), config, "{text}");
}

#[test]
fn the_default_configuration_reads_back() {
    let config = parse(MINIMAL);
    reads_back(&config);
    let text = config.clone().render(Extent::All);
    let start = "[[applications]]\nname = \"127.0.0.1:8001\"\nip = \"127.0.0.1\"\nport = 8001\n";
    assert!(text.starts_with(start), "{text}");
    let health = "\n[health]\n# protocol = \"as the listeners\"\n# path = \"/health\"\ninterval = ";
    assert!(text.contains(health), "{text}");
    assert!(
        text.contains("\nlisten = \"0.0.0.0:8080\"\nmode = \"relay\"\nworkers = 0\n"),
        "{text}"
    );
}

#[test]
fn keys_of_tls_are_comments_where_they_are_not_set() {
    let text = parse(MINIMAL).render(Extent::All);
    let plain = "tls = false\n# tls_verify = true\n# tls_ca = \"system\"\n# tls_name = \"ip\"\n\
        # tls_certificate = \"none\"\n# tls_key = \"tls_certificate\"\n";
    assert!(text.contains(plain), "{text}");
    let table = "\n[tls]\ncertificates = []\n# keys = []\n# min_version = \"1.2\"\n\
        # unknown_names = \"first\"\n# watch = \"1m\"\n\n[log]\n";
    assert!(text.contains(table), "{text}");
    let config = parse(&MINIMAL.replace("tsl = false", "tsl = true\ntls_ca = \"./ca.pem\""));
    reads_back(&config);
    let secure = "tls = true\ntls_verify = true\ntls_ca = \"./ca.pem\"\n# tls_name = \"ip\"\n";
    assert!(
        config.clone().render(Extent::All).contains(secure),
        "{}",
        config.clone().render(Extent::All)
    );
}

#[test]
fn pools_and_routes_read_back_with_what_is_otherwise_for_each() {
    let text = r#"
        balance.policy = "hash"
        sticky = { cookie = "B", secret = "0123456789abcdef" }
        [[listeners]]
        listen = "127.0.0.1:80"
        [[pools]]
        name = "a b"
        balance.policy = "two-choices"
        sticky.cookie = "off"
        timeouts.response = "7s"
        applications = [{ ip = "::1", port = 1 }, { ip = "::1", port = 2 }]
        [[pools]]
        name = "b"
        applications = [{ name = "x", ip = "::1", port = 1 }]
        [[routes]]
        host = "*.A.test."
        path = "/x/"
        pool = "b"
        [[routes]]
        host = "::1"
        pool = "b"
        [[routes]]
        path = "/"
        pool = "a b"
    "#;
    let mut config = parse(text);
    reads_back(&config);
    let shown = config.show(Extent::Changed);
    for part in [
        "\n[[pools]]\nname = \"a b\"\n\n[pools.balance]\npolicy = \"two-choices\"\n",
        "\n[pools.sticky]\ncookie = \"off\"\n\n[pools.timeouts]\nresponse = \"7s\"\n",
        "\n[[routes]]\nhost = \"*.a.test\"\npath = \"/x\"\npool = \"b\"\n",
        "\n[[routes]]\nhost = \"[::1]\"\npool = \"b\"\n\n[[routes]]\npool = \"a b\"\n",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert_eq!(config.secrets(), ["sticky.secret"; 3]);
}

#[test]
fn names_with_signs_read_back() {
    let mut config = parse(MINIMAL);
    config.applications[0].name = r#"a"\b#'"#.to_string();
    config.log.to = LogTarget::File("/tmp/a \"b\"\n\t\\c é".into());
    reads_back(&config);
}

fn ms(range: RangeInclusive<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn statuses() -> impl Strategy<Value = Vec<RangeInclusive<u16>>> {
    let range = (100..=599u16, 100..=599u16).prop_map(|(a, b)| a.min(b)..=a.max(b));
    prop::collection::vec(range, 1..4)
}

fn token() -> impl Strategy<Value = String> {
    "[!#-'*+.^-z|~A-Z0-9-]{1,20}".prop_filter("no switch", |name| name != "off")
}

fn hash_by() -> impl Strategy<Value = HashBy> {
    prop_oneof![
        Just(HashBy::Client),
        token().prop_map(HashBy::Header),
        token().prop_map(HashBy::Cookie),
    ]
}

fn sticky() -> impl Strategy<Value = Sticky> {
    let secret = prop_oneof![Just(String::new()), "\\PC{16,40}"];
    let max_age = prop::option::of(ms(1000..=400 * DAY_MS));
    let sticky = (prop::option::of(token()), secret, max_age);
    sticky.prop_map(|(cookie, secret, max_age)| Sticky { cookie, secret, max_age })
}

fn redirect() -> impl Strategy<Value = Redirect> {
    let method = "[!#-'*+.^-`|~A-Z0-9-]{1,20}"
        .prop_filter("refused", |method| !["CONNECT", "TRACE", "TRACK"].contains(&method.as_str()));
    let redirect = (307..=308u16, prop::collection::vec(method, 1..4));
    redirect.prop_map(|(status, methods)| Redirect { status, methods })
}

#[test]
fn a_file_of_any_name_is_set() {
    let text = "[[applications]]\nip = \"::1\"\nport = 80\ntls = true\n\
                tls_certificate = \"[\"\ntls_key = \"]\"\n";
    let read = Config::parse(text, "test").unwrap();
    let key = read.applications[0].tls.as_ref().and_then(|trust| trust.key.as_deref());
    assert_eq!(key, Some("]"));
}

/// Paths with whatever may stand in a path.
fn path() -> impl Strategy<Value = String> {
    "[^\\x00]{1,20}"
}

fn trust() -> impl Strategy<Value = Option<Trust>> {
    let name = prop::option::of("[a-z][a-z0-9_]{0,9}(\\.[a-z]{1,9}){0,2}");
    let key = prop::option::of(path());
    let own = prop::option::of((path(), key)).prop_map(Option::unzip);
    let trust = (any::<bool>(), prop::option::of(path()), name, own);
    prop::option::of(trust.prop_map(|(verify, ca, name, (certificate, key))| Trust {
        verify,
        ca: ca.filter(|_| verify),
        name: name.filter(|_| verify),
        certificate,
        key: key.flatten(),
    }))
}

#[test]
fn what_others_see_has_no_secret_and_is_the_same_otherwise() {
    let config = parse(&format!("sticky.secret = \"a real secret of ours\"\n{MINIMAL}"));
    let hidden = config.clone().render(Extent::All).replace("a real secret of ours", "(hidden)");
    assert_eq!(config.clone().show(Extent::All), hidden);
    assert_eq!(config.clone().secrets(), ["sticky.secret"]);
    let text = format!("health.headers = [\"Authorization: Bearer 1234\"]\n{MINIMAL}");
    assert!(!parse(&text).show(Extent::All).contains("1234"), "{}", parse(&text).show(Extent::All));
    assert_eq!(parse(&text).secrets(), ["health.headers"]);
    let said = Config::parse(&hidden, "f").unwrap_err().to_string();
    assert!(said.contains("8 characters can be guessed"), "it cannot be taken for one: {said}");
    assert!(parse(MINIMAL).secrets().is_empty());
}

fn health() -> impl Strategy<Value = Health> {
    let method = prop::sample::select(vec!["GET", "HEAD", "OPTIONS"]);
    let host = prop::option::of(prop::sample::select(vec!["a.test", "[::1]:80", "10.0.0.1:1"]));
    let headers = prop::collection::vec("X-[A-Za-z]{1,9}: [!-~]{0,9}", 0..3);
    let all = (method, host, headers, prop::option::of("[a-z\"\\n é]{1,9}"), any::<Option<u16>>());
    all.prop_map(|(method, host, headers, contains, port)| Health {
        method,
        host: host.map(str::to_string),
        headers,
        contains: contains.filter(|_| method != "HEAD"),
        port: port.filter(|port| *port > 0),
        ..Health::default()
    })
}

fn tls() -> impl Strategy<Value = Tls> {
    let version = prop::sample::select(vec![TlsVersion::Tls12, TlsVersion::Tls13]);
    let pairs = prop::collection::vec((path(), path()), 1..4);
    let names = prop::sample::select(vec![UnknownNames::First, UnknownNames::Refuse]);
    let watch = prop::option::of((100..86_400_000_u64).prop_map(Duration::from_millis));
    let all = (pairs, any::<bool>(), version, names, watch);
    let tls = all.prop_map(|(pairs, apart, min_version, unknown_names, watch)| {
        let (certificates, keys) = pairs.into_iter().unzip();
        let keys = if apart { keys } else { Vec::new() };
        Tls { certificates, keys, min_version, unknown_names, watch }
    });
    prop_oneof![Just(Tls::default()), tls]
}

fn public() -> impl Strategy<Value = Option<String>> {
    prop::option::of("https?://([a-z][a-z0-9]{0,20}|\\[2001:db8::[1-9]\\])(:[1-9][0-9]{0,3})?")
}

fn requested() -> impl Strategy<Value = Option<String>> {
    prop::option::of("/[!-\"$->@-\\[\\]-~]{0,20}")
}

proptest! {
    #[test]
    fn any_configuration_reads_back(
        ports in prop::collection::btree_set(1..=65535u16, 1..5),
        (flag, weight, max) in (any::<bool>(), 1..=1000u32, 0..=1_000_000u32),
        interval in prop::option::of(ms(10..=DAY_MS)),
        path in prop::option::of("/[!$-;=?-_a-~]{0,20}"),
        (statuses, drain, connect) in (statuses(), ms(0..=DAY_MS), ms(1..=DAY_MS)),
        (head, body) in (1024..=131_072usize, 0..=1u64 << 50),
        access in prop::sample::select(vec![AccessLog::Off, AccessLog::Json, AccessLog::Combined]),
        hash_by in hash_by(),
        sticky in sticky(),
        (redirect, public) in (redirect(), public()),
        (lookup, ready) in (requested(), requested()),
        (trust, tls, health) in (trust(), tls(), health()),
    ) {
        let spec = |port: &u16| Spec {
            name: format!("app-{port}"),
            host: "192.0.2.1".to_string(),
            port: *port,
            found: None,
            alive: flag,
            weight,
            max_connections: max,
            backup: !flag,
            public: public.clone(),
            tls: trust.clone(),
            health_port: (!flag).then_some(*port),
            preface: flag.then_some(if *port < 1000 { Version::V1 } else { Version::V2 }),
        };
        reads_back(&Config {
            applications: ports.iter().map(spec).collect(),
            pool: None,
            pools: Vec::new(),
            routes: Vec::new(),
            listeners: Vec::new(),
            server: Server {
                served_by: flag,
                // One path for both is refused.
                ready: ready.filter(|path| Some(path) != lookup.as_ref()),
                ..Server::default()
            },
            balance: Balance { hash_by, ..Balance::default() },
            sticky,
            redirect,
            lookup: Lookup { path: lookup },
            scored: ScoredRules {
                threshold: weight,
                statuses: Statuses::new(statuses.clone()),
                ..ScoredRules::default()
            },
            health: Health { expect: statuses.clone(), interval, path, ..health },
            passive: Passive { statuses, ..Passive::default() },
            retry: Retry::default(),
            queue: Queue { timeout: connect, ..Queue::default() },
            timeouts: Timeouts { lame_duck: drain, drain, connect, ..Timeouts::default() },
            limits: Limits { head_bytes: head, body_bytes: body, ..Limits::default() },
            tls,
            log: Log { access, ..Log::default() },
            admin: Admin::default(),
            places: Places::default(),
            #[cfg(feature = "alerts")]
            alerts: Vec::new(),
            #[cfg(feature = "alerts")]
            heartbeat: crate::config::Heartbeat::default(),
        });
    }
}

#[cfg(feature = "alerts")]
mod alerts {
    use super::*;
    use crate::config::{Alert, AlertKind, ContentType, Heartbeat, Hook, Occasion};

    fn hook() -> impl Strategy<Value = AlertKind> {
        let types = vec![ContentType::Json, ContentType::Form, ContentType::Text];
        let body = prop::option::of(("[^{]{1,40}", prop::sample::select(types)));
        let headers = prop::collection::vec("X-[A-Za-z]{1,9}: [!-~]{0,9}", 0..3);
        let all = ("https://a\\.test/[!-#%-~]{0,20}", body, headers, prop::option::of(path()));
        all.prop_map(|(url, body, headers, ca)| {
            let (template, content_type) = body.unzip();
            let content_type = content_type.unwrap_or(ContentType::Json);
            let template = match content_type {
                ContentType::Json => template.map(|text| serde_json::Value::from(text).to_string()),
                _ => template,
            };
            AlertKind::Webhook(Hook { url, template, content_type, headers, ca })
        })
    }

    fn alert() -> impl Strategy<Value = Alert> {
        let command = prop::collection::vec("[^\\x00]{0,9}", 0..4).prop_map(|mut arguments| {
            arguments.insert(0, "/bin/true".to_owned());
            AlertKind::Command(arguments)
        });
        let kind = prop_oneof![hook(), command];
        let on = prop::sample::subsequence(Occasion::ALL.to_vec(), 1..=9);
        let times = (ms(0..=DAY_MS), prop::option::of(ms(1000..=DAY_MS)), ms(100..=300_000));
        let all = (kind, on, times, any::<bool>(), 1..=1000u32);
        all.prop_map(|(kind, on, (wait, repeat, timeout), resolved, hourly_max)| {
            let name = "night".to_owned();
            Alert { name, kind, on, wait, repeat, resolved, hourly_max, timeout }
        })
    }

    proptest! {
        #[test]
        fn any_alert_reads_back(alert in alert(), beats in any::<bool>()) {
            let mut config = parse(MINIMAL);
            let other = Alert { name: "other".to_owned(), ..alert.clone() };
            config.alerts = vec![alert, other];
            if beats {
                config.heartbeat = Heartbeat {
                    url: "https://a.test/ping".to_owned(),
                    interval: Duration::from_secs(7),
                    ca: Some("./ca.pem".to_owned()),
                };
            }
            reads_back(&config);
        }
    }

    #[test]
    fn secrets_of_alerts_are_not_shown() {
        let text = "[[alerts]]\nkind = \"webhook\"\nurl = \"https://a.test/s3cret-of-16-sig\"\n\
            headers = [\"Authorization: s3cret\"]\n\
            [heartbeat]\nurl = \"http://s3cret@a.test/\"\n";
        let mut config = parse(&format!("{MINIMAL}{text}"));
        assert!(!config.show(Extent::All).contains("s3cret"), "{}", config.show(Extent::All));
        assert_eq!(config.secrets(), ["heartbeat.url", "alerts.url", "alerts.headers"]);
        let mut next = config.clone();
        next.alerts[0].kind = AlertKind::Command(vec!["/bin/s3cret".replace("s3cret", "true")]);
        let said = config.changes(&mut next, &[Some(0)]).lines.join("\n");
        assert!(said.contains("alert webhook: kind: \"webhook\" -> \"command\""), "{said}");
        assert!(said.contains("alert webhook: url: (hidden) -> \"\"") && !said.contains("s3"));
        next.alerts.clear();
        assert_eq!(config.changes(&mut next, &[Some(0)]).lines, ["alert webhook: gone"]);
        let said = next.changes(&mut config, &[Some(0)]).lines;
        assert_eq!(said, ["alert webhook: new, by webhook"]);
    }
}
