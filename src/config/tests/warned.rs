//! Keys that mean nothing where they stand, and what else is odd, word for word.

use super::*;

/// The warnings about this text in front of a good application, without the file's name.
fn warnings(text: &str) -> String {
    from(&format!("{text}\n{MINIMAL}"), &Overrides::default())
}

fn from(text: &str, overrides: &Overrides) -> String {
    let read = raw::read(Config::default(), text, "applications.toml", overrides);
    let (_, warnings) = read.unwrap_or_else(|errors| panic!("{errors}"));
    warnings.join("\n").replace("applications.toml:", "")
}

#[test]
fn keys_that_mean_nothing_where_they_stand_are_told() {
    let cases = r#"
balance.hash_by = "header X-User"
    1:19: balance.hash_by: means nothing without policy = "hash"; set it, or remove this key
balance.hash_by = "client"
    1:19: balance.hash_by: means nothing without policy = "hash"; set it, or remove this key
sticky.secret = "a real secret of ours"
sticky.max_age = "12h"
    1:17: sticky.secret: means nothing without cookie; set it, or remove this key
    2:18: sticky.max_age: means nothing without cookie; set it, or remove this key
scored.threshold = 100
    1:20: scored.threshold: means nothing without balance.policy = "scored-round-robin"; set it, or
        remove this key
redirect.status = 308
    1:19: redirect.status: means nothing without server.mode = "redirect"; set it, or remove this
        key
log.to = "./access.log"
    1:10: log.to: means nothing without access; set it, or remove this key
health.interval = "off"
health.rise = 3
    2:15: health.rise: means nothing with interval = "off"; change that, or remove this key
health.interval = "off"
health.drain = ["410"]
    2:16: health.drain: means nothing with interval = "off"; change that, or remove this key
limits.buffer_bytes = "1KiB"
    1:23: limits.buffer_bytes: means nothing without applications.max_connections; set it, or remove
        this key
passive.failures = 0
passive.eject = "20s"
    2:17: passive.eject: means nothing with failures = 0; change that, or remove this key
retry.attempts = 0
retry.budget_min = 3
    2:20: retry.budget_min: means nothing with attempts = 0; change that, or remove this key
server.mode = "redirect"
retry.attempts = 1
    2:18: retry.attempts: means nothing with server.mode = "redirect"; change that, or remove this
        key
timeouts.keep_alive = 0
limits.requests_per_connection = 10
    2:34: limits.requests_per_connection: means nothing with timeouts.keep_alive = 0; change that,
        or remove this key
"#;
    refused::each(cases, warnings);
}

#[test]
fn keys_of_one_application_are_held_against_its_own() {
    let text = "[[applications]]\nip = \"10.0.0.1\"\nport = 80\nweight = 2\nmax_connections = 9\n\
                [[applications]]\nip = \"10.0.0.2\"\nport = 80\ntls = true\ntls_verify = true\n";
    assert_eq!(from(&format!("limits.buffer_bytes = \"1KiB\"\n{text}"), &Overrides::default()), "");
    let first_alive = variables(&[("EVENLY_BALANCE_POLICY", "first-alive")]);
    let told = "4:10: applications.weight: means nothing with balance.policy = \"first-alive\"; \
        change that, or remove this key";
    assert_eq!(from(text, &first_alive), told);
    let default = format!("{MINIMAL}tls_verify = true\n");
    let told = "7:14: applications.tls_verify: means nothing without tls = true; set it, or remove \
        this key";
    assert_eq!(from(&default, &Overrides::default()), told, "a default does no harm");
}

#[test]
fn keys_that_only_a_relay_or_tls_or_points_would_use_are_told() {
    let cases = r#"
server.mode = "redirect"
server.abort_on_close = false
server.served_by = true
timeouts.connect = "1s"
timeouts.response = "1s"
timeouts.stream_idle = "1s"
timeouts.tunnel_idle = "1s"
timeouts.upstream_keep_alive = "1s"
    2:25: server.abort_on_close: means nothing with mode = "redirect"; change that, or remove this
        key
    3:20: server.served_by: means nothing with mode = "redirect"; change that, or remove this key
    4:20: timeouts.connect: means nothing with server.mode = "redirect"; change that, or remove this
        key
    5:21: timeouts.response: means nothing with server.mode = "redirect"; change that, or remove
        this key
    6:24: timeouts.stream_idle: means nothing with server.mode = "redirect"; change that, or remove
        this key
    7:24: timeouts.tunnel_idle: means nothing with server.mode = "redirect"; change that, or remove
        this key
    8:32: timeouts.upstream_keep_alive: means nothing with server.mode = "redirect"; change that, or
        remove this key
timeouts.handshake = "1s"
    1:22: timeouts.handshake: means nothing without server.proxy_protocol = "required" or
        listeners.proxy_protocol = "required" or listeners.sni = "required" or tls.certificates or
        applications.tls = true; set one, or remove this key
balance.policy = "scored-round-robin"
scored = {slow = 0, good = 0, slow_max = 900, run = 5}
    2:42: scored.slow_max: means nothing with slow = 0; change that, or remove this key
    2:53: scored.run: means nothing with good = 0; change that, or remove this key
"#;
    refused::each(cases, warnings);
}

#[test]
fn what_is_said_of_requests_is_told_where_there_are_none() {
    let cases = r#"
server.ready = "/ready"
sticky.cookie = "BACKEND"
limits.headers = 50
timeouts.request_head = "1s"
timeouts.keep_alive = "60s"
timeouts.tunnel_fin = "1s"
timeouts.handshake = "1s"
[[listeners]]
listen = "0.0.0.0:443"
mode = "tcp"
sni = "required"
    1:16: server.ready: means nothing where each listener is of mode "tcp"; remove this key
    2:17: sticky.cookie: means nothing where each listener is of mode "tcp"; remove this key
    3:18: limits.headers: means nothing where each listener is of mode "tcp"; remove this key
    4:25: timeouts.request_head: means nothing where each listener is of mode "tcp"; remove this key
balance.policy = "hash"
balance.hash_by = "cookie A"
server.ready = "/ready"
[[listeners]]
listen = "0.0.0.0:443"
mode = "tcp"
[[listeners]]
listen = "0.0.0.0:80"
    2:19: balance.hash_by: of a client at a listener of mode "tcp" there is its address alone to go
        by, and so it goes; write "client" to have it so for all
health.protocol = "tcp"
health.path = "/up"
    2:15: health.path: means nothing with protocol = "tcp"; change that, or remove this key
"#;
    refused::each(cases, warnings);
}

#[test]
fn what_is_said_of_requests_is_told_of_the_pool_that_gets_none() {
    let cases = r#"
[[listeners]]
listen = "0.0.0.0:443"
mode = "tcp"
pool = "db"
[[listeners]]
listen = "0.0.0.0:80"
[[pools]]
name = "web"
[pools.balance]
policy = "hash"
hash_by = "header X-User"
[[pools.applications]]
ip = "10.0.0.1"
port = 1
[[pools]]
name = "db"
[pools.balance]
policy = "hash"
hash_by = "header X-User"
[pools.timeouts]
response = "5s"
[[pools.applications]]
ip = "10.0.0.1"
port = 2
[[routes]]
path = "/api"
pool = "web"
    19:11: balance.hash_by: of a client at a listener of mode "tcp" there is its address alone to go
        by, and so it goes; write "client" to have it so for all
    21:12: timeouts.response: means nothing where each listener that leads to this pool is of mode
        "tcp"; remove this key
"#;
    refused::each(cases, |text| from(text, &Overrides::default()));
}

#[test]
fn what_leads_nobody_is_told() {
    let cases = r#"
[[listeners]]
listen = "0.0.0.0:443"
mode = "tcp"
[[routes]]
host = "A.test"
pool = "web"
[[routes]]
path = "/b"
pool = "api"
[[routes]]
pool = "api"
    5:8: routes.host: leads nobody: at listeners of mode "tcp" no name is read; set
        sni = "required" there, or remove this route
    8:8: routes.path: leads nobody: at listeners of mode "tcp" there are no paths; remove this route
[[listeners]]
name = "db"
listen = "0.0.0.0:80"
mode = "tcp"
[[routes]]
host = "A.test"
pool = "web"
[[routes]]
host = "b.test"
pool = "api"
    4:8: listeners.mode: "db" resets each connection, as no route can be for it; write its pool, or
        a route without host and path
    6:8: routes.host: leads nobody: at listeners of mode "tcp" no name is read; set
        sni = "required" there, or remove this route
    9:8: routes.host: leads nobody: at listeners of mode "tcp" no name is read; set
        sni = "required" there, or remove this route
[[listeners]]
listen = "0.0.0.0:443"
mode = "tcp"
sni = "required"
[[routes]]
host = "a.test"
path = "/a"
pool = "web"
[[routes]]
host = "b.test"
pool = "api"
    7:8: routes.path: leads nobody: at listeners of mode "tcp" there are no paths; remove this key
[[listeners]]
listen = "0.0.0.0:80"
pool = "web"
[[listeners]]
listen = "0.0.0.0:81"
pool = "api"
[[listeners]]
listen = "0.0.0.0:82"
mode = "redirect-to-https"
https_port = 443
[[routes]]
path = "/b"
pool = "api"
    11:3: routes: lead nobody, as each listener names its pool; remove that from one, or these
"#;
    let pools = pools(&[("web", ""), ("api", "")]);
    refused::each(cases, |text| from(&format!("{text}\n{pools}"), &Overrides::default()));
}

#[test]
fn what_no_listener_can_go_by_is_told() {
    let cases = r#"
server.max_connections = 500
[[listeners]]
listen = "0.0.0.0:80"
max_connections = 501
    4:19: listeners.max_connections: server.max_connections lets in 500 at all; lower this, or
        remove it
server.served_by = true
server.ready = "/ready"
sticky.cookie = "A"
timeouts.response = "1s"
timeouts.request_head = "1s"
[[listeners]]
listen = "0.0.0.0:443"
mode = "tcp"
[[listeners]]
listen = "0.0.0.0:80"
mode = "redirect-to-https"
https_port = 443
    1:20: server.served_by: means nothing where each listener that leads to applications is of mode
        "tcp"; remove this key
    3:17: sticky.cookie: means nothing where each listener that leads to applications is of mode
        "tcp"; remove this key
    4:21: timeouts.response: means nothing where each listener that leads to applications is of mode
        "tcp"; remove this key
[tls]
certificates = ["a.pem"]
keys = ["a.key"]
min_version = "1.3"
unknown_names = "first"
[[listeners]]
listen = "0.0.0.0:443"
mode = "tcp"
sni = "required"
    2:16: tls.certificates: means nothing where TLS is but passed on, as with sni; remove this key
    3:8: tls.keys: means nothing where TLS is but passed on, as with sni; remove this key
    4:15: tls.min_version: means nothing where TLS is but passed on, as with sni; remove this key
tls.certificates = ["a.pem"]
[[listeners]]
listen = "0.0.0.0:80"
tls = false
    1:20: tls.certificates: means nothing where no listener speaks TLS; write tls = true in one, or
        remove this key
"#;
    refused::each(cases, warnings);
}

#[test]
fn a_connection_is_asked_for_where_no_listener_takes_requests() {
    let asking = |text: &str| parse(&format!("{text}\n{MINIMAL}")).asking();
    let listener = |mode: &str| format!("[[listeners]]\nlisten = \"0.0.0.0:0\"\nmode = {mode:?}\n");
    let (tcp, http) = (listener("tcp"), format!("{}name = \"b\"\n", listener("http")));
    assert_eq!(asking(""), Asking::Http);
    assert_eq!(asking(&tcp), Asking::Tcp);
    assert_eq!(asking(&format!("{tcp}{http}")), Asking::Http, "the path is there then");
    let to_https = format!("{}name = \"c\"\n", listener("redirect-to-https"));
    assert_eq!(asking(&format!("{tcp}{to_https}")), Asking::Tcp, "nobody is asked by those");
    assert_eq!(asking(&format!("health.path = \"/up\"\n{tcp}")), Asking::Http);
    assert_eq!(asking(&format!("health.protocol = \"http\"\n{tcp}")), Asking::Http);
    assert_eq!(asking("health.protocol = \"tcp\""), Asking::Tcp);
}

#[test]
fn each_key_of_http_alone_is_one() {
    let mut all = Vec::new();
    each_key(&mut |table, key, _| all.push(format!("{table}.{key}")));
    for own in passing::OF_HTTP {
        assert!(all.iter().any(|key| key == own || key.starts_with(own)), "{own}");
    }
}

#[test]
fn either_of_two_keys_may_give_one_its_meaning() {
    let public = format!("{MINIMAL}public = \"http://a.test\"\n");
    let told = "7:10: applications.public: means nothing without server.mode = \"redirect\" or \
        lookup.path; set one, or remove this key";
    assert_eq!(from(&public, &Overrides::default()), told);
    for (name, value) in [("EVENLY_SERVER_MODE", "redirect"), ("EVENLY_LOOKUP_PATH", "/next")] {
        assert_eq!(from(&public, &variables(&[(name, value)])), "", "{name}");
    }
    let tls =
        format!("timeouts.handshake = \"1s\"\n{MINIMAL}").replace("tsl = false", "tls = true");
    assert_eq!(from(&tls, &Overrides::default()), "");
}

#[test]
fn backups_of_nobody_are_told() {
    let one = "[[applications]]\nip = \"10.0.0.1\"\nport = 80\nbackup = true\n";
    let told = "8:10: applications.backup: means nothing where each application is one; remove it \
        from one";
    let two = format!("{one}{}", one.replace(".1", ".2"));
    assert_eq!(from(&two, &Overrides::default()), told);
    assert_eq!(from(&format!("{one}{MINIMAL}"), &Overrides::default()), "");
}

#[test]
fn what_gives_a_key_its_meaning_may_stand_anywhere() {
    let text = "[balance]\nhash_by = \"client\"\npolicy = \"hash\"\n[log]\nto = \"stderr\"\n";
    let access = variables(&[("EVENLY_LOG_ACCESS", "json")]);
    assert_eq!(from(&format!("{text}{MINIMAL}"), &access), "");
    let mut flag = access.clone();
    flag.set("--set balance.policy", "balance.policy", "round-robin");
    let told = "2:11: balance.hash_by: means nothing without policy = \"hash\"; set it, or remove \
        this key";
    assert_eq!(from(&format!("{text}{MINIMAL}"), &flag), told, "the flag beats the file");
}

#[test]
fn a_variable_that_means_nothing_is_named_itself() {
    let variable = variables(&[("EVENLY_STICKY_MAX_AGE", "12h")]);
    let told = "EVENLY_STICKY_MAX_AGE: means nothing without cookie; set it, or remove this key";
    assert_eq!(from(MINIMAL, &variable), told);
}

#[test]
fn a_check_that_outlasts_its_interval_is_told() {
    let told = "health.timeout: \"5s\" is longer than interval \"1s\": a check that hangs keeps \
        the next ones waiting; lower it";
    let (timeout, interval) = ("health.timeout = \"5s\"", "health.interval = \"1s\"");
    assert_eq!(warnings(&format!("{interval}\n{timeout}")), format!("2:18: {told}"));
    assert_eq!(warnings(&format!("{timeout}\n{interval}")), format!("1:18: {told}"));
    let told = "1:19: health.interval: \"1s\" is shorter than timeout \"2s\", its default: \
        a check that hangs keeps the next ones waiting; write a shorter timeout, too";
    assert_eq!(warnings(interval), told, "of what is written, against a default, too");
    for fine in [timeout, "health.timeout = \"6s\"\nhealth.interval = \"off\""] {
        assert!(!warnings(fine).contains("is longer"), "{fine}");
    }
}

#[test]
fn a_client_with_its_own_default_is_not_told_of_it() {
    let text = format!("{MINIMAL}weight = 2\n");
    let read = raw::read(Config::for_client(), &text, "f", &Overrides::default());
    assert_eq!(read.unwrap().1, [""; 0]);
}

/// Two pools that differ in `keys` of the first and `more` of the second, below those of the file.
fn of_pools(file: &str, keys: &str, more: &str) -> String {
    let routes = "[[routes]]\npool = \"a\"\n[[routes]]\npath = \"/b\"\npool = \"b\"\n";
    let pools = pools(&[("a", keys), ("b", more)]);
    from(&format!("{file}{pools}{routes}"), &Overrides::default())
}

#[test]
fn what_the_file_says_for_all_pools_must_mean_something_to_one() {
    let by = "balance.hash_by = \"header X-User\"\n";
    let hash = "balance.policy = \"hash\"\n";
    assert_eq!(of_pools(by, hash, ""), "");
    assert_eq!(of_pools(hash, by, ""), "");
    let told =
        "balance.hash_by: means nothing without policy = \"hash\"; set it, or remove this key";
    assert_eq!(of_pools(by, "", ""), format!("1:19: {told}"));
    assert_eq!(of_pools("", hash, by), format!("9:19: {told}"));
    assert_eq!(of_pools(by, "balance.policy = \"first-alive\"\n", hash), "");
}

#[test]
fn a_pool_to_which_nothing_leads_is_told() {
    let text = format!("{}[[routes]]\npool = \"b\"\n", pools(&[("a", ""), ("b", "")]));
    let routes = text.find("[[routes]]").unwrap();
    let told = "2:8: pools: no route leads to \"a\"; write one";
    assert_eq!(from(&text, &Overrides::default()), told);
    let mut flags = Overrides::default();
    flags.set("--set server.workers", "server.workers", "2");
    assert_eq!(from(&text, &flags), told, "it is no matter of a flag");
    assert_eq!(from(&pools(&[("a", "")]), &Overrides::default()), "");
    let named = format!("[[listeners]]\nlisten = \"[::]:80\"\npool = \"b\"\n{}", &text[..routes]);
    let by_listener = "5:8: pools: no listener leads to \"a\"; write pool = \"a\" in one";
    assert_eq!(from(&named, &Overrides::default()), by_listener, "routes lead nobody there");
    let sent = "[[listeners]]\nlisten = \"[::]:80\"\nmode = \"redirect-to-https\"\npool = \"a\"\n\
                https_port = 443\n[[listeners]]\nlisten = \"[::]:81\"\n";
    let told = "4:8: listeners.pool: means nothing without mode = \"http\" or mode = \"tcp\"; set \
                one, or remove this key\n9:8: pools: no route leads to \"a\"; write one";
    assert_eq!(from(&format!("{sent}{text}"), &Overrides::default()), told);
}

#[test]
fn tls_inside_tls_is_told() {
    let about = |listeners: &str| {
        let text = format!("{listeners}{MINIMAL}").replace("tsl = false", "tls = true");
        from(&text, &Overrides::default())
    };
    let one = "[[listeners]]\nname = \"in\"\nlisten = \"[::]:443\"\nmode = \"tcp\"\n";
    assert_eq!(about(one), "", "clients speak without it");
    let told = "11:7: applications.tls: \"in\" passes on the TLS of its clients, which would be \
                inside this; remove this key, or lead it to another pool";
    assert_eq!(about(&format!("{one}sni = \"required\"\n")), told);
}

#[test]
fn pools_with_one_cookie_are_told() {
    let what = "sticky.cookie: the pools \"a\" and \"b\" have the same one: a client of both at \
                one host loses its application in one each time that it speaks to the other; \
                write another below [pools.sticky]";
    assert_eq!(of_pools("sticky.cookie = \"B\"\n", "", ""), format!("1:17: {what}"));
    let own = "sticky.cookie = \"C\"\n";
    assert_eq!(of_pools("sticky.cookie = \"B\"\n", own, ""), "");
    assert_eq!(of_pools("", own, own), format!("9:17: {what}"));
    let tcp = "[[listeners]]\nlisten = \"[::]:81\"\nmode = \"tcp\"\npool = \"b\"\n\
               [[listeners]]\nlisten = \"[::]:82\"\npool = \"a\"\n";
    let listened = of_pools(&format!("sticky.cookie = \"B\"\n{tcp}"), "", "");
    assert!(
        !listened.contains("cookie"),
        "where connections are passed on none is set: {listened}"
    );
}

#[test]
fn clients_who_are_sent_to_where_nobody_speaks_tls_are_told_of() {
    let listeners = |more: &str| {
        let sent = "name = \"plain\"\nlisten = \"0.0.0.0:80\"\nmode = \"redirect-to-https\"";
        let text =
            format!("[[listeners]]\n{sent}\n{more}\n[[listeners]]\nlisten = \"0.0.0.0:443\"");
        warnings(&text)
    };
    let told = "4:8: listeners.mode: \"plain\" sends clients to https at port 443, and no listener \
        here speaks TLS; give one certificates, or write https_port if another machine does";
    assert_eq!(listeners(""), told);
    assert_eq!(listeners("https_port = 443"), "", "somebody else speaks it");
    let other = "https_port = 443\n[[listeners]]\nname = \"b\"\nlisten = \"0.0.0.0:81\"\n\
                 mode = \"redirect-to-https\"";
    let of_other = told.replace("4:8", "9:8").replace("plain", "b");
    assert_eq!(listeners(other), of_other, "it is said of one alone");
    let secure = "[tls]\ncertificates = [\"a.pem\"]";
    assert_eq!(listeners(secure), "");
    let elsewhere = warnings(&format!(
        "{secure}\n[[listeners]]\nlisten = \"[::]:8443\"\n[[listeners]]\nname = \"plain\"\n\
         listen = \"[::]:80\"\nmode = \"redirect-to-https\"\n"
    ));
    let told = "8:8: listeners.mode: \"plain\" sends clients to https at port 443, where no \
        listener here is; write https_port = 8443, or 443 if it is reached there";
    assert_eq!(elsewhere, told);
}

#[cfg(feature = "alerts")]
#[test]
fn a_place_for_a_secret_in_a_command_is_told_and_what_a_shell_reads_is_not() {
    let about = |argument: &str| {
        let command = format!("command = [\"/bin/sh\", \"-c\", '{argument}']");
        warnings(&format!("[[alerts]]\nkind = \"command\"\n{command}"))
    };
    let told = "3:11: alerts.command: ${file:PATH} and ${env:NAME} are filled in url, headers, \
                password and template of [[alerts]], and url of [heartbeat], alone; have the \
                program read it";
    assert_eq!(about("page --token=${file:/etc/evenly/token}"), told);
    assert_eq!(about("page ${env:TOKEN}"), told);
    for of_shell in ["page ${file:-none} ${env:=a} ${file:0:3}", "page ${file} ${env#x}"] {
        assert_eq!(about(of_shell), "");
    }
}

#[cfg(feature = "alerts")]
#[test]
fn an_alert_that_tells_nothing_or_contradicts_itself_is_told() {
    let alert = "[[alerts]]\nkind = \"command\"\ncommand = [\"/bin/true\"]\n";
    let about = |keys: &str| warnings(&format!("{alert}{keys}"));
    let nothing = "4:6: alerts.on: begins nothing that it could tell the end of, so it tells \
                   nothing; add what begins it, such as \"all-down\"";
    assert_eq!(about("on = [\"recovered\"]"), nothing);
    assert_eq!(about("on = [\"up\", \"recovered\"]\nresolved = false"), nothing);
    assert_eq!(
        about("on = [\"down\", \"recovered\"]\nresolved = false"),
        "4:6: alerts.on: \"recovered\" is not told with resolved = false; remove one of them"
    );
    assert_eq!(
        about("wait = \"1h\"\nrepeat = \"5m\""),
        "5:10: alerts.repeat: \"5m\" is shorter than wait \"1h\": what is known is told again \
         before what is new; raise it"
    );
    for fine in ["resolved = false", "on = [\"all-down\", \"recovered\"]", "repeat = \"off\""] {
        assert_eq!(about(fine), "");
    }
}
