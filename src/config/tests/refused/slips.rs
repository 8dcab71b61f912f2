//! Slips in the syntax: what is said of them never repeats a secret, names the place of the first
//! of two, and holds for whatever bytes stand there.

use super::*;

const EXAMPLE: &str = include_str!("../../../../applications.toml");

#[test]
fn no_slip_in_the_syntax_repeats_a_secret() {
    let cases = r#"
[health]
headers = [Authorization: Bearer hush]
    2:11: not valid TOML: texts stand in quotes; write headers = ["..."]
health.headers [Authorization: Bearer hush]
    1:1: not valid TOML: there is no = between key and value; write health.headers = ["..."]
health.headers = Authorization: Bearer hush
    1:18: not valid TOML: texts stand in quotes; write health.headers = "..."
health.headers = "Authorization: Bearer hush
    1:18: not valid TOML: the text has no quote at its end; write health.headers = "..."
health.headers = [
Authorization: Bearer hush
]
    2:1: not valid TOML: there is no = between key and value; write KEY = "..."
health.headers = [
"Authorization: Basic hush=" hush=
]
    2:28: not valid TOML: the text has no quote at its end; write KEY = "..."
health.headers = [
"Authorization: Basic hush", hush=
]
    2:35: not valid TOML: the key has no value; write one, or remove the line
[sticky]
secret = 0123456789012345
    2:10: not valid TOML: that is not how it is written; write secret = "..."
sticky . "secret" = 0123456789012345
    1:21: not valid TOML: that is not how it is written; write sticky . "secret" = "..."
[sticky]
secret: hush
    2:1: not valid TOML: there is no = between key and value; write secret = "..."
sticky.secret = 'hush
    1:17: not valid TOML: the text has no quote at its end; write sticky.secret = "..."
sticky.secrt = hush hush
    1:16: not valid TOML: texts stand in quotes; write KEY = "..."
limits.headers = 08
    1:18: not valid TOML: that is not how it is written; write limits.headers = 8
"#;
    each(cases, in_tables);
}

#[test]
fn no_other_refusal_repeats_a_secret() {
    for text in [
        "sticky = \"hush\"",
        "sticky.secret = [\"hush\"]",
        "sticky.secret = {hush = \"hush\"}",
        "sticky.secret = \"hush\"",
        "sticky.secrt = \"hush\"",
        "sticky.secret.x = \"hush\"",
        "sticky.secret = \"hush\"\nsticky.secret = \"hush\"",
        "sticky = {secret = 0hush}",
        "sticky = {secret = \"a\", secret = \"hush\"}",
        "health = [\"A: hush\"]",
        "health.headers = \"A: hush\"",
        "health.headers = [5, \"hush\"]",
        "health.headers = [[\"hush\"]]",
        "health.headers = [\"Bearer hush: Authorization\"]",
        "health.header = [\"A: hush\"]",
        "health.headers = \"\"\"\nhush\n",
        "health.headers = [\n[hush",
        "health.headers = [\n[hush\n",
        "[hush",
    ] {
        let said = in_tables(text).replace("sticky.secret.hush", "");
        assert!(!said.contains("hush"), "{text}: {said}");
    }
    for (key, value) in [
        ("sticky.secret", "hush"),
        ("sticky.secrt", "hush"),
        ("sticky", "hush"),
        ("health.headers", "hush"),
        ("health.headers", "[hush"),
        ("health.headers", "[\"A: 1\", [\"hush\"]]"),
        ("health.headers", "Authorization: Basic 1,hush hush: 2"),
        ("health.header", "A: hush"),
    ] {
        let mut flag = Overrides::default();
        flag.set(&format!("--set {key}"), key, value);
        let variable = format!("EVENLY_{}", key.replace('.', "_").to_ascii_uppercase());
        for overrides in [flag, variables(&[(&variable, value)])] {
            let said = with(&overrides).expect_err(key);
            assert!(!said.contains("hush"), "{key}: {said}");
        }
    }
}

#[test]
fn the_first_of_two_is_looked_for_in_the_same_table() {
    let cases = r#"
server.workers = 1
log.access = "json"
# two
applications = [{ip = "a", ip = "b"}]
    4:28: not valid TOML: ip is set at line 4 already; remove one of the two
health.timeout = "1s"
queue.timeout = "1s"
health.timeout = "2s"
    3:8: not valid TOML: timeout is set at line 1 already; remove one of the two
[health]
timeout = "1s"
[queue]
timeout = "1s"
length = 1
timeout = "2s"
    6:1: not valid TOML: timeout is set at line 4 already; remove one of the two
[log]
"access" = "json"
"access" = "off"
    3:1: not valid TOML: "access" is set at line 2 already; remove one of the two
queue = {length = 1}
applications = [
{ip = "a", port = 1},
{port = 2, ip = "b",
port = 3},
]
    5:1: not valid TOML: port is set at line 4 already; remove one of the two
[server]
listen = "127.0.0.1:1"
[[server]]
    3:3: not valid TOML: [server] stands at line 1 already; write its keys there
"#;
    each(cases, in_tables);
}

#[test]
fn a_word_that_belongs_elsewhere_is_sent_to_all_places_that_have_it() {
    let cases = r#"
retry.statuses = ["502"]
    1:7: retry.statuses: unknown key; statuses is a key of [scored] and [passive]
retry.timeout = "1s"
    1:7: retry.timeout: unknown key; timeout is a key of [health] and [queue]
queue.max_connections = 5
    1:7: queue.max_connections: unknown key; max_connections is a key of [[applications]],
        [[listeners]] and [server]
include = "more.toml"
    1:1: include: unknown table; there is one file, which holds all
timeouts.server = "30s"
    1:10: timeouts.server: unknown key; did you mean "response"?
timeouts.proxy_connect_timeout = "3s"
    1:10: timeouts.proxy_connect_timeout: unknown key; did you mean "connect"?
health.enabled = false
    1:8: health.enabled: unknown key; did you mean interval = "off", which ends all checks?
limits.rate = 100
    1:8: limits.rate: unknown key; there is no limit of a rate, only of what is under way:
        max_connections and [queue]
balance.eject = "5s"
    1:9: balance.eject: unknown key; did you mean eject in [passive]?
redirect.method = "GET"
    1:10: redirect.method: unknown key; did you mean "methods"?
"#;
    each(cases, in_tables);
}

#[test]
fn letters_of_more_than_one_byte_may_stand_anywhere() {
    let slips = [
        "[é",
        "[[é",
        "é",
        "é é",
        "é = é",
        "é =",
        "log.to = “é”",
        "log.to = \"é",
        "log.to = 'é",
        "é = 1\né = 2",
        "\"é\" = 1\n\"é\" = 2",
        "[\"é\"]\n[\"é\"]",
        "log = {\"é\" = 1, \"é\" = 2}",
        "a.\"é\".b = 1\na.\"é\".b = 2",
        "// é",
        "; é",
        "é: é",
        "x = [é, é]",
        "x = \"\\é\"",
        "\u{feff}",
        "x = 2026-01-0é",
        "x = 1é",
        "#é\u{7f}",
        "é{",
        "<é",
        "é;",
        "\u{202e} = 1",
    ];
    for slip in slips {
        for text in [slip.to_string(), format!("# é\n{slip}"), format!("log.to = \"é\" é\n{slip}")]
        {
            let said = refusal(&text);
            assert!(said.starts_with("applications.toml:"), "{text}: {said}");
            assert!(!said.contains('\u{202e}'), "{text}: {said}");
        }
    }
}

/// The sequence is Knuth's (The Art of Computer Programming, volume 2, table 3.3.4-1), and fixed.
#[test]
fn nothing_that_a_file_may_become_makes_reading_panic() {
    let shown = EXAMPLE.replace("\n# ", "\n");
    let mut state = 1_u64;
    let mut below = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % most
    };
    for round in 0..3000 {
        let from = [EXAMPLE, &shown, MINIMAL][round % 3].as_bytes();
        let start = below(from.len());
        let mut bytes = from[start..start + below((from.len() - start).min(600)).max(1)].to_vec();
        for _ in 0..below(6) {
            let at = below(bytes.len());
            match below(3) {
                0 => bytes[at] ^= 1 << below(8),
                1 => bytes.insert(at, b"\"'[]{}=.,#\n\\"[below(12)]),
                _ => drop(bytes.splice(at..at, "é“\u{202e}".bytes())),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let _ = Config::parse(&text, "applications.toml");
    }
}
