//! Each key changes what it says it changes, or is refused: nothing is passed over.

use super::*;

/// What holds until the restart. Whoever adds a key decides whether it stands here.
const FIXED: &[&str] = &[
    "server.workers",
    "server.user",
    "server.group",
    "log.access",
    "log.to",
    "admin.listen",
    "admin.socket",
    "admin.token",
    "admin.hosts",
];

/// What counts from the next head, pick, check, connection or look on: `relay/site.rs` has the
/// whole configuration, the pool is made anew, and the watch is told.
const LIVE: &[&str] = &[
    "server.listen",
    "server.mode",
    "server.max_connections",
    "server.ready",
    "server.abort_on_close",
    "server.trusted_proxies",
    "server.proxy_protocol",
    "server.untrusted_fields",
    "server.served_by",
    "server.request_id",
    "server.forwarded",
    "server.via",
    "server.upgrade_h2c",
    "balance.",
    "scored.",
    "sticky.",
    "redirect.",
    "lookup.",
    "health.",
    "passive.",
    "retry.",
    "queue.",
    "timeouts.",
    "limits.",
    "tls.",
    "applications.",
    "listeners.",
    "pools.",
    "routes.",
    "alerts.",
    "heartbeat.",
];

const APPLICATION: &str = "[[applications]]\nip = \"192.0.2.1\"\nport = 1\n";

/// Bare texts, one of which is another valid value for any key.
const OTHERS: &[&str] = &[
    "true",
    "false",
    "7",
    "1",
    "307",
    "308",
    "300",
    "7s",
    "7ms",
    "7KiB",
    "off",
    "redirect",
    "tcp",
    "required",
    "hash",
    "500-501",
    "HEAD",
    "1.3",
    "refuse",
    "connect",
    "/other",
    "127.0.0.1:7",
    "a-value-of-its-own",
    "192.0.2.0/24",
    "X-Any",
    "X-Any: 1",
    "http://a.test/",
    "./a.pem",
    "json",
    "stderr",
    "header X-Any",
];

fn config() -> Config {
    Config::parse(APPLICATION, "test").unwrap()
}

/// Gives the key another value than it has, whatever that comes to.
fn change(config: &mut Config, path: &str) -> bool {
    for (table, keys) in config.tables() {
        let mut done = None;
        keys.each(&mut |key, field| {
            if format!("{table}.{key}") == path {
                let before = field.write();
                let takes = |text: &&&str| field.read_text(text).is_ok() && field.write() != before;
                done = Some(OTHERS.iter().find(takes).is_some());
            }
        });
        if let Some(done) = done {
            return done;
        }
    }
    false
}

fn paths() -> Vec<String> {
    let mut paths = Vec::new();
    each_key(&mut |table, key, _| paths.push(format!("{table}.{key}")));
    paths
}

#[test]
fn each_key_takes_effect_or_is_refused_with_a_reason() {
    for path in paths() {
        let fixed = FIXED.contains(&path.as_str());
        let live =
            LIVE.iter().any(|own| *own == path || (own.ends_with('.') && path.starts_with(own)));
        assert!(fixed != live, "{path}: decide whether it can change while Evenly runs");
        let (mut old, mut new) = (config(), config());
        if LISTS.iter().any(|list| path.starts_with(&format!("{list}."))) {
            continue;
        }
        if !change(&mut new, &path) {
            assert_eq!(path, "admin.listen", "name another value for it");
            continue;
        }
        let Changes { lines, refused } = old.changes(&mut new, &[Some(0)]);
        let (said, silent) = if fixed { (&refused, &lines) } else { (&lines, &refused) };
        assert_eq!((said.len(), silent.len()), (1, 0), "{path}: {lines:?} {refused:?}");
        assert!(said[0].starts_with(&format!("{path}: ")), "{said:?}");
        assert!(said[0].contains(" -> ") && !said[0].contains('\n'), "{said:?}");
        assert!(!fixed || said[0].ends_with("; restart instead"), "{said:?}");
    }
}

fn changes(old: &str, new: &str, heirs: &[Option<usize>]) -> Vec<String> {
    let [mut old, mut new] = [old, new].map(|text| Config::parse(text, "test").unwrap());
    let changes = old.changes(&mut new, heirs);
    [changes.lines, changes.refused].concat()
}

fn named(name: &str, port: u16, keys: &str) -> String {
    format!("[[applications]]\nname = \"{name}\"\nip = \"192.0.2.1\"\nport = {port}\n{keys}")
}

#[test]
fn applications_come_go_move_and_are_renamed_and_reweighted() {
    let old = [named("a", 1, ""), named("b", 2, ""), named("c", 3, "")].concat();
    let new = [named("b", 4, ""), named("a", 1, "weight = 3\n"), named("d", 3, "")];
    let new = [new.concat(), named("e", 5, "")].concat();
    let said = changes(&old, &new, &[Some(1), Some(0), Some(2), None]);
    assert_eq!(
        said,
        [
            "application b: moves from 192.0.2.1:2 to 192.0.2.1:4",
            "application a: weight: 1 -> 3",
            "application c: called d now",
            "application e: new, at 192.0.2.1:5",
            "applications: in another order",
        ]
    );
    let said = changes(&old, &named("c", 3, ""), &[Some(2)]);
    let gone = |name| format!("application {name}: gone; what it has in flight is finished");
    assert_eq!(said, ["a", "b"].map(gone));
}

#[test]
fn the_same_says_nothing_and_secrets_are_not_shown() {
    assert!(changes(APPLICATION, APPLICATION, &[Some(0)]).is_empty());
    let with = |secret: &str, header: &str| {
        let sticky = format!("[sticky]\ncookie = \"B\"\nsecret = \"{secret}\"\n");
        format!("{sticky}[health]\nheaders = [\"X-Key: {header}\"]\n{APPLICATION}")
    };
    let (old, new) = (with("0123456789abcdef", "one"), with("fedcba9876543210", "two"));
    assert_eq!(
        changes(&old, &new, &[Some(0)]),
        ["sticky.secret: (hidden) -> (hidden)", "health.headers: (hidden) -> (hidden)"]
    );
    let said = changes(APPLICATION, &old, &[Some(0)]).join("\n");
    assert!(said.contains("sticky.secret: \"\" -> (hidden)") && !said.contains("0123"), "{said}");
}

#[test]
fn pools_and_routes_are_told_by_name() {
    let pool = |name: &str, keys: &str, port: u16| {
        let table = format!("[[pools.applications]]\nip = \"192.0.2.1\"\nport = {port}\n");
        format!("[[pools]]\nname = \"{name}\"\n{keys}{table}")
    };
    let route = |path: &str, pool: &str| format!("[[routes]]\npath = {path:?}\npool = {pool:?}\n");
    let old = [pool("a", "", 1), pool("b", "", 2), route("/", "a"), route("/b", "b")].concat();
    let keys = "timeouts.response = \"1s\"\n";
    let new = [pool("c", "", 3), pool("a", keys, 1), route("/", "a"), route("/c", "c")];
    let new = format!("retry.attempts = 1\n{}", new.concat());
    assert_eq!(
        changes(&old, &new, &[None, Some(0)]),
        [
            "application 192.0.2.1:3 in pool c: new, at 192.0.2.1:3",
            "application 192.0.2.1:2 in pool b: gone; what it has in flight is finished",
            "retry.attempts: 2 -> 1",
            "pool b: gone",
            "pool c: new",
            "pool a: timeouts.response: \"30s\" -> \"1s\"",
            "route */b to b: gone",
            "route */c to c: new",
        ]
    );
    assert!(changes(&old, &old, &[Some(0), Some(1)]).is_empty());
}

#[test]
fn where_there_are_several_pools_an_applications_own_is_named() {
    let one = |name: &str, port: u16, keys: &str| {
        let table = named(name, port, keys);
        table.replace("[[applications]]", "[[pools.applications]]")
    };
    let pool = |name: &str, tables: &[String]| {
        format!("[[pools]]\nname = \"{name}\"\n{}", tables.concat())
    };
    let route = "[[routes]]\npool = \"web\"\n";
    let web = pool("web", &[one("a", 1, ""), one("b", 2, "")]);
    let old = format!("{web}{}{route}", pool("api", &[one("c", 3, "")]));
    let new = pool("web", &[one("b", 2, ""), one("a", 1, "weight = 3\n")]);
    let new = format!("{new}{}{route}", pool("api", &[one("d", 4, ""), one("e", 5, "")]));
    assert_eq!(
        changes(&old, &new, &[Some(1), Some(0), Some(2), None]),
        [
            "application a in pool web: weight: 1 -> 3",
            "application c in pool api: called d now",
            "application d in pool api: moves from 192.0.2.1:3 to 192.0.2.1:4",
            "application e in pool api: new, at 192.0.2.1:5",
            "applications in pool web: in another order",
        ]
    );
    let gone = "application c in pool api: gone; what it has in flight is finished";
    let said = changes(&old, &format!("{web}{route}"), &[Some(0), Some(1)]);
    assert_eq!(said, [gone, "pool api: gone"]);
    let turned = format!("{}{web}{route}", pool("api", &[one("c", 3, "")]));
    let said = changes(&old, &turned, &[Some(2), Some(0), Some(1)]);
    assert_eq!(said, ["pools: in another order"]);
}

#[test]
fn from_one_pool_to_several_each_applications_own_is_named() {
    let one = |name: &str, port: u16| named(name, port, "");
    let pool = |pool: &str, table: &str| {
        let table = table.replace("[[applications]]", "[[pools.applications]]");
        format!("[[pools]]\nname = \"{pool}\"\n{table}")
    };
    let alone = one("a", 1) + &one("b", 2);
    let several = pool("default", &one("a", 1)) + &pool("api", &one("c", 3));
    let several = several + "[[routes]]\npool = \"default\"\n";
    let gone = |of: &str| format!("application {of}: gone; what it has in flight is finished");
    let said = changes(&alone, &several, &[Some(0), None]);
    let new = |of: &str, port: u16| format!("application {of}: new, at 192.0.2.1:{port}");
    assert_eq!(said[..2], [new("c in pool api", 3), gone("b in pool default")]);
    let said = changes(&several, &alone, &[Some(0), None]);
    assert_eq!(said[..2], [new("b in pool default", 2), gone("c in pool api")]);
}

/// A file without pools has one all the same, by the name that it is known by.
#[test]
fn the_only_pool_goes_on_in_a_file_that_names_it_and_back() {
    let keys = "timeouts.response = \"1s\"\n";
    let named = |keys: &str| {
        let table = "[[pools.applications]]\nip = \"192.0.2.1\"\nport = 1\n";
        format!("[[pools]]\nname = \"default\"\n{keys}{table}")
    };
    let said = |from: &str, to: &str| changes(from, to, &[Some(0)]);
    let (to, back) = ("\"30s\" -> \"1s\"", "\"1s\" -> \"30s\"");
    let of_it = |words: &str| [format!("pool default: timeouts.response: {words}")];
    assert_eq!(said(APPLICATION, &named(keys)), of_it(to));
    assert_eq!(said(&named(keys), APPLICATION), of_it(back));
    assert!(said(APPLICATION, &named("")).is_empty());
    let of_all = format!("{keys}{APPLICATION}");
    assert_eq!(said(APPLICATION, &of_all), [format!("timeouts.response: {to}")]);
}

#[test]
fn a_listener_is_told_by_its_name_and_without_one_by_where_it_is() {
    let at = |server: &str| format!("server.listen = \"{server}\"\n{APPLICATION}");
    let listed = |keys: &str| format!("{APPLICATION}[[listeners]]\n{keys}\n");
    let web = |port: u16| listed(&format!("name = \"web\"\nlisten = \"127.0.0.1:{port}\""));
    let named = "listener web: name: \"127.0.0.1:80\" -> \"web\"";
    let [new, gone] = ["listener web: new, at 127.0.0.1:81", "listener 127.0.0.1:80: gone"];
    let alone = "server.listen: \"127.0.0.1:80\" -> \"127.0.0.1:81\"";
    let moved = "listener web: listen: \"127.0.0.1:80\" -> \"127.0.0.1:81\"";
    for (old, new, expected) in [
        (at("127.0.0.1:80"), listed("listen = \"127.0.0.1:80\""), &[][..]),
        (at("127.0.0.1:80"), web(80), &[named]),
        (at("127.0.0.1:80"), web(81), &[new, gone]),
        (at("127.0.0.1:80"), at("127.0.0.1:81"), &[alone]),
        (APPLICATION.to_owned(), listed("listen = \"0.0.0.0:8080\""), &[]),
        (web(80), web(81), &[moved]),
    ] {
        assert_eq!(changes(&old, &new, &[Some(0)]), expected, "{old} -> {new}");
    }
}
