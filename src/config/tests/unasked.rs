//! What is said of requests where there are none, word for word.

use super::*;

const TCP: &str = "[[listeners]]\nlisten = \"0.0.0.0:443\"\nmode = \"tcp\"\n";

/// The warnings about this text in front of a listener that passes connections on.
fn warnings(text: &str) -> String {
    told(&format!("{text}\n{TCP}{MINIMAL}"))
}

fn told(text: &str) -> String {
    let read = raw::read(Config::default(), text, "f", &Overrides::default());
    read.unwrap_or_else(|errors| panic!("{errors}")).1.join("\n").replace("f:", "")
}

#[test]
fn what_only_requests_would_use_is_told_where_there_are_none() {
    let cases = r#"
server.trusted_proxies = ["10.0.0.1"]
    1:26: server.trusted_proxies: means nothing where each listener is of mode "tcp" and none has
        proxy_protocol = "required"; set that, or remove this key
server.trusted_proxies = ["10.0.0.1"]
server.proxy_protocol = "required"
passive.clients = 1
    3:19: passive.clients: means nothing where each listener is of mode "tcp"; remove this key
retry.on = ["connect", "503"]
    1:12: retry.on: only "connect" can be where each listener is of mode "tcp"; remove the others
retry.on = ["connect"]
retry.budget_min = 5
server.abort_on_close = false
balance.policy = "scored-round-robin"
scored.statuses = ["500"]
scored.error = 80
    5:19: scored.statuses: means nothing where each listener is of mode "tcp"; remove this key
limits.buffer_bytes = "1KiB"
    1:23: limits.buffer_bytes: means nothing where each listener is of mode "tcp"; remove this key
"#;
    refused::each(cases, warnings);
    let public = format!("{TCP}{MINIMAL}public = \"https://a.test\"\n");
    let expected = "10:10: applications.public: means nothing where each listener is of mode \
                    \"tcp\"; remove this key";
    assert_eq!(told(&public), expected, "and not that it lacks a look-up");
}

#[test]
fn what_requests_for_health_would_use_is_told_where_checks_are_none() {
    let cases = r#"
health.expect = ["204"]
health.drain = ["410"]
health.contains = "ok"
health.method = "OPTIONS"
health.host = "a.test"
health.headers = ["X-Check: 1"]
health.rise = 3
    1:17: health.expect: means nothing where checks are connections alone, as each listener is of
        mode "tcp"; set path, or remove this key
    2:16: health.drain: means nothing where checks are connections alone, as each listener is of
        mode "tcp"; set path, or remove this key
    3:19: health.contains: means nothing where checks are connections alone, as each listener is of
        mode "tcp"; set path, or remove this key
    4:17: health.method: means nothing where checks are connections alone, as each listener is of
        mode "tcp"; set path, or remove this key
    5:15: health.host: means nothing where checks are connections alone, as each listener is of mode
        "tcp"; set path, or remove this key
    6:18: health.headers: means nothing where checks are connections alone, as each listener is of
        mode "tcp"; set path, or remove this key
health.expect = ["204"]
health.protocol = "tcp"
    1:17: health.expect: means nothing with protocol = "tcp"; change that, or remove this key
"#;
    refused::each(cases, warnings);
    for fine in ["health.path = \"/up\"", "health.protocol = \"http\""] {
        assert_eq!(warnings(&format!("{fine}\nhealth.expect = [\"204\"]")), "");
    }
}

#[test]
fn the_checks_of_a_pool_are_held_against_what_leads_to_it() {
    let file = |health: &str, of_pool: &str| {
        let web = "[[listeners]]\nlisten = \"0.0.0.0:80\"\n";
        let pool = |name: &str, own: &str| {
            let application = format!("[[pools.applications]]\nip = \"{name}.test\"\nport = 1\n");
            format!("[[pools]]\nname = \"{name}\"\n{own}{application}")
        };
        let pools = pool("db", of_pool) + &pool("web", "");
        let routes = "[[routes]]\npool = \"web\"\n";
        told(&format!("{health}\n{web}{TCP}pool = \"db\"\n{pools}{routes}"))
    };
    assert_eq!(file("health.expect = [\"204\"]", ""), "", "the other pool is asked by HTTP");
    let told = file("", "health.expect = [\"204\"]\nretry.on = [\"reset\"]\n");
    let whose = "each listener that leads to this pool is of mode \"tcp\"";
    let expected = format!(
        "10:17: health.expect: means nothing where checks are connections alone, as {whose}; set \
         path, or remove this key\n\
         11:12: retry.on: only \"connect\" can be where {whose}; remove the others"
    );
    assert_eq!(told, expected);
}
