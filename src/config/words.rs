//! What others call our things: words of HAProxy, nginx, Apache, Traefik, Envoy and Caddy, and
//! what comes to mind. They are not taken, for a file is read by people too, and each thing has one
//! name; but who writes one is told ours. Called where a word is not known.

/// What to write instead of `word`, which stands in this table ("" is the top of the file), or is
/// of this noun.
pub(super) fn ours(at: &str, word: &str) -> Option<&'static str> {
    // HAProxy's "random(2)" too.
    let word = word.split('(').next().unwrap_or_default();
    let word = word.trim().to_ascii_lowercase().replace(['-', ' '], "_");
    let means = |words: &str| words.split(' ').any(|other| other == word);
    let found = WORDS.iter().find(|(place, words, _)| *place == at && means(words));
    found.map(|(_, _, ours)| *ours)
}

/// In small letters, with `_` for `-` and spaces. What we have nothing for begins with "there is".
const WORDS: &[(&str, &str, &str)] = &[
    (
        "",
        "servers backend backends upstream upstreams application app apps instance instances node \
         nodes target targets member members host hosts service services endpoint endpoints",
        "[[applications]]",
    ),
    ("mode", "tcp stream", "[[listeners]] with mode = \"tcp\""),
    ("", "listener frontend frontends bind", "[[listeners]], or [server] listen for one alone"),
    ("", "pool", "[[pools]]"),
    ("", "route routing rule rules location locations router routers", "[[routes]]"),
    ("", "global", "[server]"),
    ("", "check checks healthcheck healthchecks health_check health_checks", "[health]"),
    ("", "balancer balancing loadbalancer load_balancer load_balancing lb", "[balance]"),
    ("", "ssl https certificate certificates", "[tls]"),
    ("", "logs logging access_log accesslog", "[log]"),
    ("", "retries", "[retry]"),
    ("", "outlier_detection circuit_breaker", "[passive]"),
    ("", "session sessions stickiness cookie", "[sticky]"),
    ("", "include includes", "there is one file, which holds all"),
    ("applications", "host hostname address addr server target", "\"ip\""),
    ("applications", "url uri", "\"ip\" and \"port\""),
    ("applications", "id label", "\"name\""),
    ("applications", "ssl https secure", "\"tls\""),
    ("applications", "ca cafile ca_file tls_cafile", "\"tls_ca\""),
    ("applications", "sni servername server_name verifyhost", "\"tls_name\""),
    ("applications", "maxconn max_conn max_conns", "\"max_connections\""),
    ("applications", "health_path check_path", "[health] path, for all of them"),
    ("applications", "enabled disabled up down healthy", "\"alive\""),
    ("routes", "prefix uri url location", "\"path\""),
    ("routes", "domain hostname server_name authority", "\"host\""),
    ("routes", "backend upstream target service use_backend proxy_pass", "\"pool\""),
    ("pools", "alert alerts", "[[alerts]], beside the pools: it hears of each"),
    ("server", "bind address addr host ip port", "\"listen\", such as \"0.0.0.0:8080\""),
    ("listeners", "bind address addr host ip port", "\"listen\", such as \"0.0.0.0:8080\""),
    ("admin", "bind address addr host ip port", "\"listen\", such as \"127.0.0.1:9900\""),
    ("server", "threads nbthread worker_processes", "\"workers\""),
    ("server", "maxconn max_conn max_conns worker_connections", "\"max_connections\""),
    ("balance", "algorithm method strategy lb_policy type", "\"policy\""),
    ("balance", "hash hash_key key", "\"hash_by\""),
    ("health", "uri url endpoint", "\"path\""),
    ("health", "every period inter delay", "\"interval\""),
    ("health", "passes successes healthy_threshold", "\"rise\""),
    ("health", "fails failures retries unhealthy_threshold max_fails", "\"fall\""),
    ("health", "status statuses code codes", "\"expect\""),
    ("health", "enabled disabled enable", "interval = \"off\", which ends all checks"),
    ("passive", "max_fails fails", "\"failures\""),
    ("passive", "fail_timeout", "\"eject\""),
    ("retry", "retries max tries", "\"attempts\""),
    ("log", "file path output", "\"to\""),
    ("log", "format", "\"access\""),
    ("log", "level", "there is no choice of levels; each line names its own"),
    ("timeouts", "server backend upstream read proxy_read_timeout", "\"response\""),
    ("timeouts", "proxy_connect_timeout", "\"connect\""),
    ("timeouts", "client", "\"client_body\" and \"client_write\""),
    ("timeouts", "idle", "\"keep_alive\", between requests, or \"stream_idle\", inside an answer"),
    (
        "limits",
        "rate rate_limit requests_per_second rps limit_req",
        "there is no limit of a rate, only of what is under way: max_connections and [queue]",
    ),
    ("tls", "cert certs certificate crt certificate_file ssl_certificate", "\"certificates\""),
    ("tls", "key key_file private_key ssl_certificate_key", "\"keys\""),
    ("alerts", "type", "\"kind\""),
    ("alerts", "tls_ca cafile ca_file", "\"ca\""),
    ("heartbeat", "tls_ca cafile ca_file", "\"ca\""),
    ("alerts", "port host smtp", "\"server\", such as \"mail.example.org:587\""),
    ("alerts", "email recipient recipients", "\"to\""),
    ("sticky", "name", "\"cookie\""),
    ("sticky", "expires ttl maxage", "\"max_age\""),
    (
        "policy",
        "leastconn least_conn leastconnections least_connection least_request leastrequest lc wlc",
        "\"least-connections\"",
    ),
    (
        "policy",
        "random random_two random_two_least_conn p2c power_of_two power_of_two_choices rand",
        "\"two-choices\"",
    ),
    (
        "policy",
        "first failover fallback priority ordered active_passive backup pick_first",
        "\"first-alive\"",
    ),
    ("policy", "roundrobin rr static_rr", "\"round-robin\""),
    ("policy", "wrr swrr weighted weighted_roundrobin weighted_rr", "\"weighted-round-robin\""),
    (
        "policy",
        "ip_hash iphash source source_hash source_ip client_ip client_ip_hash",
        "\"hash\", which goes by the client's address unless hash_by says otherwise",
    ),
    (
        "policy",
        "hdr header consistent consistent_hash ring_hash maglev rdp_cookie generic_hash",
        "\"hash\" with hash_by = \"header NAME\" or \"cookie NAME\"",
    ),
    (
        "policy",
        "uri uri_hash url path path_hash url_param query",
        "\"hash\" at best: by hash_by it goes by an address, a header or a cookie, not by the path",
    ),
    (
        "policy",
        "sticky cookie session sticky_session sticky_sessions stickiness",
        "any policy together with [sticky] cookie = \"BACKEND\"",
    ),
    (
        "policy",
        "least_time leasttime ewma peak_ewma latency fastest response_time",
        "\"scored-round-robin\"",
    ),
    ("format", "clf ncsa", "\"common\""),
    ("format", "apache nginx on", "\"combined\""),
    ("mode", "http proxy", "\"relay\""),
    ("mode of a listener", "https ssl tls", "\"http\", with certificates in [tls]"),
];
