//! What a scenario's file may say, and what is said about what it may not.

use super::*;

fn read(text: &str) -> Result<Scenario, String> {
    read::read(text, "s.toml", "s").map_err(|errors| errors.to_string())
}

#[test]
fn every_shipped_scenario_is_sound_and_says_what_it_shows() {
    for (name, _) in SHIPPED {
        let scenario = Scenario::load(name).unwrap();
        assert_eq!(scenario.name, name);
        assert!(!scenario.about.is_empty() && scenario.load > 0.0, "{name}");
        assert!(scenario.with_instances(5).is_ok(), "{name}");
    }
}

#[test]
fn an_empty_file_is_five_plain_instances() {
    assert_eq!(read(""), Ok(Scenario { name: "s".to_owned(), ..Scenario::default() }));
}

#[test]
fn every_key_finds_its_place() {
    let text = r#"
        about = "a"
        instances = 4
        requests = 7
        load = 2
        clients = 3
        paths = 5
        bad_path = 0.3
        bad_path_clients = 1
        timeout = "2s"
        [instance]
        latency = "20ms"
        spread = "uniform"
        workers = 2
        backlog = 0
        errors = 0.1
        status = 503
        error_latency = "1ms"
        resets = 0.2
        bad_answers = 0.05
        weight = 5
        max_connections = 6
        [[group]]
        which = 0.5
        latency = "40ms"
        spread = "lognormal"
        variation = 0.5
        [[change]]
        from = 0.25
        until = 0.75
        which = "each in turn"
        slower = 2
        down = true
        crash = true
    "#;
    let scenario = read(text).unwrap();
    assert_eq!((scenario.instances, scenario.requests, scenario.load), (4, 7, 2.0));
    assert_eq!((scenario.clients, scenario.timeout), (3, Some(Duration::from_secs(2))));
    let asked = (scenario.paths, scenario.bad_path, scenario.bad_path_clients);
    assert_eq!(asked, (5, 0.3, 1));
    let plain = Traits {
        latency_ns: 20_000_000,
        spread: Spread::Uniform,
        workers: 2,
        backlog: 0,
        errors: 0.1,
        status: 503,
        error_latency_ns: Some(1_000_000),
        resets: 0.2,
        bad_answers: 0.05,
        down: false,
        crash: false,
        weight: 5,
        max_connections: 6,
    };
    let other = Traits { latency_ns: 40_000_000, spread: Spread::lognormal(0.5), ..plain.clone() };
    assert_eq!(scenario.well(), [other.clone(), other.clone(), plain.clone(), plain.clone()]);
    assert_eq!(scenario.capacity(), 2.0 * 100.0 + 2.0 * 50.0);
    let spells = scenario.spells();
    let times: Vec<_> = spells.iter().map(|one| (one.instance, one.from, one.until)).collect();
    let turns = [(0, 0.25, 0.375), (1, 0.375, 0.5), (2, 0.5, 0.625), (3, 0.625, 0.75)];
    assert_eq!(times, turns);
    let mut changed = plain.clone();
    changed.apply(&spells[0].patch);
    let error_latency_ns = Some(2_000_000);
    let (down, crash) = (true, true);
    assert_eq!(changed, Traits { latency_ns: 40_000_000, error_latency_ns, down, crash, ..plain });
}

#[test]
fn instances_are_chosen_by_word_number_or_share() {
    let members = |which: &str| {
        let scenario = read(&format!("[[change]]\nwhich = {which}\ndown = true")).unwrap();
        scenario.changes[0].which.members(5)
    };
    assert_eq!(members("\"first\""), [0]);
    assert_eq!(members("\"last\""), [4]);
    assert_eq!(members("\"all\""), [0, 1, 2, 3, 4]);
    assert_eq!(members("[5, 2]"), [4, 1]);
    assert_eq!([members("0.0").len(), members("0.4").len(), members("1.0").len()], [1, 2, 5]);
}

#[test]
fn slips_are_refused_with_their_place_and_a_remedy() {
    let cases = r#"
        lod = 1 -> 1:1: lod: unknown key; did you mean "load"?
        colour = 1 -> 1:1: colour: unknown key; the keys here are about, instances, requests, l ...
        instances = 0 -> 1:13: instances: 0 is out of range; use 1 to 1000
        instances = 2.5 -> 1:13: instances: found 2.5; expected a whole number
        requests = -1 -> 1:12: requests: -1 is out of range; use 1 to 100000000
        load = 0 -> 1:8: load: 0 is out of range; use 0.001 to 100
        load = nan -> 1:8: load: nan is out of range; use 0.001 to 100
        load = "x" -> 1:8: load: found "x"; expected a number
        timeout = 5 -> 1:11: timeout: found 5; expected a time such as "10ms"
        about = 5 -> 1:9: about: found 5; expected words in quotes
        instance.errors = 1.5 -> 1:19: instance.errors: 1.5 is out of range; use 0 to 1
        instance.latency = "5" -> 1:20: instance.latency: 5 has no unit; write for example "5s"
        instance.latency = "0ms" -> 1:20: instance.latency: "0ms" is out of range; use "1ms" to ...
        instance.spread = "normal" -> 1:19: instance.spread: unknown spread "normal"; use "cons ...
        instance.spread = "lognorm" -> 1:19: instance.spread: unknown spread "lognorm"; did you ...
        instance = { spread = "uniform", variation = 1 } -> 1:46: instance.variation: only "log ...
        instance = 5 -> 1:1: instance: found 5; write [instance] above its keys
        instance.down = true -> 1:10: instance.down: unknown key; the keys here are latency, sp ...
        change = { which = "all" } -> 1:1: change: found a table; write [[change]] above its keys
        change = [1] -> 1:11: change: found 1; expected a table
        change = [{ down = true }] -> 1:13: change.which: missing; write for example which = "f ...
        change = [{ which = "al" }] -> 1:21: change.which: unknown choice "al"; did you mean "a ...
        change = [{ which = [6] }] -> 1:21: change.which: 6 is out of range; use 1 to 5
        change = [{ which = 1.5 }] -> 1:21: change.which: 1.5 is out of range; use 0 to 1
        change = [{ which = 1 }] -> 1:21: change.which: found 1; use a word such as "first" or  ...
        change = [{ which = "all", down = 1 }] -> 1:35: change.down: found 1; expected true or  ...
        change = [{ which = "all", from = 0.5, until = 0.4 }] -> 1:48: change.until: it begins  ...
        change = [{ which = "all", workers = 1 }] -> 1:28: change.workers: unknown key; the key ...
        load = -> 1:7: not valid TOML: string values must be quoted, expected literal string
    "#;
    for (text, message) in cases.lines().filter_map(|line| line.trim().split_once(" -> ")) {
        let said = read(text).unwrap_err();
        let expected = format!("s.toml:{message}");
        match expected.strip_suffix(" ...") {
            Some(beginning) => assert!(said.starts_with(beginning), "{said}"),
            None => assert_eq!(said, expected),
        }
    }
}

#[test]
fn a_scenario_that_is_not_there_is_named_with_what_there_is() {
    let load = |name| Scenario::load(name).unwrap_err().to_string();
    assert_eq!(load("one-slo"), "one-slo: no such scenario or file; did you mean one-slow?");
    let all = load("colour");
    assert!(all.starts_with("colour: no such scenario or file; there are homogeneous, "), "{all}");
}

#[test]
fn what_is_drawn_depends_on_the_seed_alone_and_is_sound() {
    assert_eq!(Scenario::drawn(3), Scenario::drawn(3));
    assert_ne!(Scenario::drawn(3), Scenario::drawn(4));
    for seed in 0..500 {
        let scenario = Scenario::drawn(seed);
        assert!(!scenario.about.contains(&scenario.name), "it is said behind the name");
        for spell in scenario.spells() {
            assert!(spell.instance < scenario.instances, "{seed}");
            assert!(spell.from < spell.until && spell.until <= 1.0, "{seed}: {spell:?}");
        }
        assert!(scenario.capacity() > 0.0);
    }
}
