//! `evenly simulate` as a user runs it: the binary's output, files and exit codes.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn evenly(line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
    command.arg("simulate").args(line.split_whitespace()).output().unwrap()
}

/// Stdout of a run that went well and had nothing to say on stderr: no progress bar in a pipe.
fn told(line: &str) -> String {
    let output = evenly(line);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.is_empty(), "{line}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The words on stderr of a run that was refused with exit code 2.
fn refused(line: &str) -> String {
    let output = evenly(line);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{line}");
    String::from_utf8(output.stderr).unwrap()
}

/// A path of this test's own.
fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn the_table_has_a_row_for_each_policy() {
    let text = told("--scenario one-slow --seeds 1..3 --instances 5 --requests 500 --policy all");
    assert!(text.starts_with("one-slow: "), "{text}");
    assert!(text.contains("seeds 1..3, 500 requests a run, retries off"), "{text}");
    let names = [
        "round-robin",
        "weighted-round-robin",
        "least-connections",
        "two-choices",
        "hash",
        "first-alive",
        "scored-round-robin",
    ];
    let rows = text.lines().skip_while(|line| !line.starts_with("policy ")).skip(1);
    let first_words: Vec<&str> = rows.map_while(|row| row.split_whitespace().next()).collect();
    assert_eq!(first_words, names);
}

#[test]
fn json_has_the_documented_shape() {
    let line = "--scenario brownout --seeds 1..2 --requests 400 --policy hash,round-robin --json";
    let json: Value = serde_json::from_str(&told(line)).unwrap();
    assert_eq!(json["scenario"], "brownout");
    assert_eq!(json["seeds"], serde_json::json!([1, 2]));
    let policies = json["policies"].as_array().unwrap();
    let names: Vec<&str> =
        policies.iter().map(|policy| policy["policy"].as_str().unwrap()).collect();
    assert_eq!(names, ["round-robin", "hash"], "in the order of the documentation");
    for policy in policies {
        assert_eq!(policy["requests"], 800);
        assert!(policy["errors"].is_u64() && policy["retries"].is_u64());
        let latency = |name: &str| policy["latency_ms"][name].as_f64().unwrap();
        let figures = ["p50", "p90", "p99", "max"].map(latency);
        assert!(figures[0] > 0.0 && figures.is_sorted(), "{figures:?}");
        let shares = policy["shares"].as_object().unwrap();
        assert_eq!(
            shares.keys().collect::<Vec<_>>(),
            ["API01", "API02", "API03", "API04", "API05"]
        );
        let sum: f64 = shares.values().map(|share| share.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 0.1, "medians of shares, so only about 1: {sum}");
    }
}

#[test]
fn the_same_seed_says_the_same_twice() {
    for line in ["--seeds 1..4 --requests 300 --json", "--scenario flapping --seed 9 --retry"] {
        assert_eq!(told(line), told(line));
    }
}

#[test]
fn a_page_needs_nothing_but_itself_and_shows_both_without_and_with_retries() {
    let path = scratch("simulate-page.html");
    let page = path.display();
    told(&format!("--scenario flapping --seeds 1..2 --requests 500 --html {page}"));
    let html = fs::read_to_string(&path).unwrap();
    // A namespace is a name, not a link.
    let html = html.replace("http://www.w3.org/2000/svg", "");
    for link in ["http:", "https:", "src=", "@import", "url(", "<script", "<link"] {
        assert!(!html.contains(link), "{link}");
    }
    for words in ["retries off", "Latency without retries", "Shares with retries", "API05"] {
        assert!(html.contains(words), "{words}");
    }
    let again = scratch("simulate-page-again.html");
    let line =
        format!("--scenario flapping --seeds 1..2 --requests 500 --html {}", again.display());
    told(&line);
    assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
}

#[test]
fn a_page_that_cannot_be_written_is_exit_1_with_a_sentence() {
    let output = evenly("--scenario flapping --requests 10 --html /no/such/folder/a.html");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with("evenly: --html /no/such/folder/a.html: cannot be "), "{stderr}");
}

#[test]
fn a_scenario_and_the_pools_rules_come_from_files() {
    let (scenario, rules) = (scratch("mine.toml"), scratch("rules.toml"));
    let text = "instances = 2\n[[change]]\nwhich = \"first\"\ndown = true\n";
    fs::write(&scenario, text).unwrap();
    let text = "[health]\ninterval = \"off\"\n[passive]\nfailures = 0\n\
                [[applications]]\nip = \"127.0.0.1\"\nport = 1\n";
    fs::write(&rules, text).unwrap();
    let line = format!(
        "--scenario {} -c {} --requests 1000 --policy round-robin --json",
        scenario.display(),
        rules.display()
    );
    let json: Value = serde_json::from_str(&told(&line)).unwrap();
    assert_eq!((&json["scenario"], &json["policies"][0]["errors"]), (&"mine".into(), &500.into()));
}

#[test]
fn slips_are_exit_2_with_a_sentence_and_files_with_their_place() {
    let path = scratch("slips.toml");
    fs::write(&path, "instances = 0\n\n[[change]]\nwhich = \"first\"\nlatencyy = \"1ms\"\n")
        .unwrap();
    let place = path.display();
    let said = refused(&format!("--scenario {place}"));
    let expected = format!(
        "{place}:1:13: instances: 0 is out of range; use 1 to 1000\n\
         {place}:5:1: change.latencyy: unknown key; did you mean \"latency\"?\n"
    );
    assert_eq!(said, expected);
    let slips = [
        ("--scenario one-slow --seeds 50..1", "--seeds 50..1 runs backwards; write 1..50"),
        ("--scenario one-slow --instances 0", "--instances 0 simulates nothing"),
        ("--scenario brownout --instances 1", "brownout names instance 2"),
        ("--scenario one-slo", "no such scenario or file; did you mean one-slow?"),
        ("--scenario one-slow -c /no/such.toml", "/no/such.toml: no such file"),
        ("--seed 1 --policy x", "--policy x: use all, or some of round-robin"),
        ("", "name a --scenario (homogeneous, "),
    ];
    for (line, words) in slips {
        let said = refused(line);
        assert!(said.contains(words), "{line}: {said}");
    }
}
