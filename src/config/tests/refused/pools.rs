//! `[[pools]]` and `[[routes]]`, word for word.

use super::*;

/// Refused as it is.
fn alone(text: &str) -> String {
    refusal(text).replace("applications.toml:", "")
}

#[test]
fn a_pool_has_a_name_and_applications_of_its_own() {
    let cases = r#"
[pools]
name = "a"
    1:2: pools: found a table; write [[pools]], in double brackets, above each pool
pools = []
    1:1: pools: there are none; write [[pools]], and below it its name
pools = [5]
    1:10: pools: found 5; expected a table with name
[[pools]]
[[pools.applications]]
ip = "::1"
port = 1
    1:1: pools.name: missing; write for example name = "api"
[[pools]]
name = "none"
[[pools.applications]]
ip = "::1"
port = 1
    1:1: pools.name: "none" stands for requests that no pool is for; choose another
[[pools]]
name = "a"
    1:1: applications: there are none; write [[pools.applications]] and below it ip
        and port of each
[[pools]]
name = "a"
[[pools.applications]]
ip = "::1"
port = 1
name = "one"
[[pools]]
name = "a"
[[pools.applications]]
ip = "::1"
port = 1
name = "two"
    7:1: pools.name: "a" is the name of another; give each its own
[[pools]]
name = "a"
[[pools.applications]]
ip = "::1"
port = 1
name = "one"
[[pools]]
name = "b"
[[pools.applications]]
ip = "::1"
port = 1
name = "one"
    9:1: applications.name: "one" is the name of the one at line 3; choose another
[[pools]]
name = "a"
[[pools.applications]]
ip = "::1"
port = 1
name = "one"
[[pools.applications]]
ip = "::1"
port = 1
name = "two"
    7:1: applications.ip: [::1]:1 is listed at line 3 already; remove one of the two
"#;
    each(cases, alone);
}

#[test]
fn a_pool_has_the_tables_that_are_about_it_and_no_others() {
    let cases = r#"
[[applications]]
ip = "::1"
port = 1
[[pools]]
name = "a"
    4:3: pools: a file has [[applications]] or [[pools]]; make those applications
        [[pools.applications]] of one pool
[[pools]]
name = "a"
policy = "hash"
[[pools.applications]]
ip = "::1"
port = 1
    3:1: pools.policy: unknown key; did you mean policy in [pools.balance]?
[[pools]]
name = "a"
server.workers = 1
timeouts.keep_alive = "1s"
balance.polcy = "hash"
balance.hash_by = 5
health = "off"
alerts = []
[[pools.applications]]
ip = "::1"
port = 1
    3:1: pools.server: unknown key; did you mean the table [server]?
    4:10: timeouts.keep_alive: counts before it is known which pool a request goes to; set it at the
        top of the file
    5:9: balance.polcy: unknown key; did you mean "policy"?
    6:19: balance.hash_by: found 5; expected a string such as "client"
    7:1: health: found no table; write [pools.health] and below it its keys
    8:1: pools.alerts: unknown key; did you mean [[alerts]], beside the pools: it hears of each?
"#;
    each(cases, alone);
}

/// Refused in front of two good pools.
fn above_pools(text: &str) -> String {
    alone(&format!("{text}\n{}", pools(&[("web", ""), ("api", "")])))
}

#[test]
fn a_routes_host_is_one_and_no_more() {
    let cases = r#"
[[routes]]
host = "a.test:80"
pool = "api"
    2:8: routes.host: "a.test:80" is more than a host: routes ask for no scheme and port; write
        "a.test"
[[routes]]
host = "https://*.a.test/x"
pool = "api"
    2:8: routes.host: "https://*.a.test/x" is more than a host: a path has a key of its own, and
        routes ask for no scheme and port; write "*.a.test", and path = "/x"
[[routes]]
host = "a.test/api/"
pool = "api"
    2:8: routes.host: "a.test/api/" is more than a host: a path has a key of its own, and routes ask
        for no scheme and port; write "a.test", and path = "/api"
[[routes]]
host = "http://a.test/"
pool = "api"
    2:8: routes.host: "http://a.test/" is more than a host: routes ask for no scheme and port; write
        "a.test"
[[routes]]
host = "a.*.test"
pool = "api"
    2:8: routes.host: "a.*.test" has a * elsewhere than in "*." in front; write "*.test"
[[routes]]
host = "*a.test"
pool = "api"
    2:8: routes.host: "*a.test" has a * elsewhere than in "*." in front; write "*.a.test"
[[routes]]
host = "a*"
pool = "api"
    2:8: routes.host: "a*" has a * elsewhere than in "*." in front; write for example
        "a.example.org" or "*.example.org"
[[routes]]
host = "*.127.0.0.1"
pool = "api"
    2:8: routes.host: "*.127.0.0.1" is an address, which has no names below it; write "127.0.0.1"
[[routes]]
host = "*."
pool = "api"
    2:8: routes.host: "*." is no address and no name of a host, which has letters, digits, - and _
        between dots; write for example "a.example.org" or "*.example.org"
[[routes]]
host = "exa mple"
pool = "api"
    2:8: routes.host: "exa mple" is no address and no name of a host, which has letters, digits, -
        and _ between dots; write for example "a.example.org" or "*.example.org"
[[routes]]
host = "*.bücher.test"
pool = "api"
    2:8: routes.host: "*.bücher.test" matches nothing: clients ask for such a name in its form in
        ASCII, which begins with xn--; write that, as idn2 prints it
[[routes]]
host = "*"
pool = "api"
    2:8: routes.host: "*" is any host, as it is without this key; remove it
"#;
    each(cases, above_pools);
}

/// Each of its ports was once looked at by itself, and by all in front of it.
#[test]
fn a_host_that_no_name_is_as_long_as_is_refused_at_once() {
    let long = format!("a{}", ":1".repeat(10_000));
    let what = "20001 bytes are too many for a host; it has up to 253";
    let route = above_pools(&format!("[[routes]]\nhost = \"{long}\"\npool = \"api\""));
    assert_eq!(route, format!("2:8: routes.host: {what}"));
    let application = alone(&format!("[[applications]]\nip = \"{long}\"\nport = 1"));
    assert_eq!(application, format!("2:6: applications.ip: {what}"));
}

#[test]
fn a_route_leads_from_whole_segments_to_a_pool_that_there_is() {
    let cases = r#"
[[routes]]
    1:1: routes.pool: missing; write for example pool = "api"
[[routes]]
pool = "ap"
    2:8: routes.pool: "ap" is no pool; did you mean "api"?
[[routes]]
pool = "backends"
    2:8: routes.pool: "backends" is no pool; there are web, api
[[routes]]
prefix = "/api"
backend = "api"
    1:1: routes.pool: missing; write for example pool = "api"
    2:1: routes.prefix: unknown key; did you mean "path"?
    3:1: routes.backend: unknown key; did you mean "pool"?
[[routes]]
path = "/u/{id}"
pool = "api"
    2:8: routes.path: "/u/{id}" will not do; write whole segments, such as "/api", without %, ;, ?,
        *, {}, // and ..
[[routes]]
path = "api/"
pool = "api"
    2:8: routes.path: "api/" will not do; write "/api"
[[routes]]
path = "/api/*"
pool = "api"
    2:8: routes.path: "/api/*" will not do; write "/api", which takes what is below it
[[routes]]
path = "/api/../x"
pool = "api"
    2:8: routes.path: "/api/../x" will not do; write whole segments, such as "/api", without %, ;,
        ?, *, {}, // and ..
[[routes]]
path = "/api"
pool = "api"
[[routes]]
path = "/api/"
pool = "web"
    4:1: routes: the 1st route has this host and path already, and leads to "api"; remove one
"#;
    each(cases, above_pools);
}

#[test]
fn a_route_whose_host_or_path_is_refused_is_no_twin_of_one_for_all() {
    let cases = r#"
[[routes]]
pool = "api"
[[routes]]
host = "*.bücher.test"
pool = "api"
    4:8: routes.host: "*.bücher.test" matches nothing: clients ask for such a name in its form in
        ASCII, which begins with xn--; write that, as idn2 prints it
[[routes]]
pool = "api"
[[routes]]
path = "x"
pool = "api"
    4:8: routes.path: "x" will not do; write "/x"
"#;
    each(cases, above_pools);
}

#[test]
fn a_listener_leads_to_a_pool_that_there_is() {
    let cases = r#"
[[listeners]]
listen = "0.0.0.0:80"
pool = "api"
[[listeners]]
listen = "0.0.0.0:81"
[[listeners]]
listen = "0.0.0.0:82"
pool = "apj"
[[routes]]
pool = "web"
    8:8: listeners.pool: "apj" is no pool; did you mean "api"?
"#;
    each(cases, above_pools);
}

#[test]
fn a_pool_that_is_none_is_answered_with_what_there_is_to_choose() {
    let said = |text: &str| {
        let config = Config::parse(text, "test").unwrap();
        config.only(Some("nope")).unwrap_err().to_string()
    };
    let one = "--pool: \"nope\" cannot be chosen, as the file has one pool, its [[applications]]; \
               leave --pool out, or make them [[pools.applications]], below [[pools]] and \
               name = \"nope\"";
    assert_eq!(said(MINIMAL), one);
    let web = pools(&[("web", "")]);
    assert_eq!(said(&web), "--pool: \"nope\" is no pool; there is web");
    let both = format!("{}[[routes]]\npool = \"web\"\n", pools(&[("web", ""), ("api", "")]));
    assert!(said(&both).ends_with("\"nope\" is no pool; there are web, api"), "{}", said(&both));
}

#[test]
fn several_pools_have_routes() {
    let what = "applications.toml: routes: which of several pools a request goes to is for \
                [[routes]] to say; write for example [[routes]] and below it path = \"/api\" and \
                pool = \"api\"";
    assert_eq!(refusal(&pools(&[("web", ""), ("api", "")])), what);
    let other = refusal(&pools(&[("shop", ""), ("mail", "")]));
    assert_eq!(other, what.replace("pool = \"api\"", "pool = \"mail\""), "a pool of the file");
    let tcp = "[[listeners]]\nname = \"redis\"\nlisten = \"[::]:6379\"\nmode = \"tcp\"\n";
    let passed = "applications.toml: routes: which of several pools gets what \"redis\" passes on \
                  is for itself to say; write for example pool = \"db\" in it, or sni = \
                  \"required\" and [[routes]] by host";
    assert_eq!(refusal(&format!("{tcp}{}", pools(&[("web", ""), ("db", "")]))), passed);
    let stray = format!("{MINIMAL}[[routes]]\npool = \"web\"\n");
    let what = "applications.toml:8:8: routes.pool: \"web\" cannot be chosen, as the file has one \
                pool, its [[applications]]; remove the route, or make them [[pools.applications]], \
                below [[pools]] and name = \"web\"";
    let made =
        stray.replace("[[applications]]", "[[pools]]\nname = \"web\"\n[[pools.applications]]");
    assert_eq!(parse(&made).routes.len(), 1, "as the remedy has it");
    assert_eq!(refusal(&stray), what);
    assert_eq!(refusal(&stray.replace("web", "default")), what.replace("web", "default"));
}
