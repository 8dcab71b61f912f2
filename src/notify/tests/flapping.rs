//! What comes and goes is told as that once, and how it stands when it is calm.

use super::*;

#[test]
fn four_changes_within_ten_minutes_are_one_flapping_and_what_follows_is_told_once_it_is_calm() {
    let changes = |count: u64| (0..count).map(|n| (n * 60, moved("a", n % 2 == 0, false)));
    let mut events: Vec<_> = changes(4).collect();
    let said = ["5 down#1: a", "65 recovered#1: a", "125 down#2: a", "185 flapping#2: a"];
    assert_eq!(told(&alert(), &events, 700), said);
    events = changes(40).collect();
    let mut said: Vec<String> = said.map(str::to_owned).to_vec();
    said.push(format!("{} recovered#2: a", 39 * 60 + CALM));
    assert_eq!(told(&alert(), &events, 3600), said);
    events = changes(41).collect();
    said.pop();
    said.push(format!("{} down#2: a", 40 * 60 + CALM));
    assert_eq!(told(&alert(), &events, 3600), said);
}

/// That clients are served again is no word about one that comes and goes.
#[test]
fn one_that_was_told_to_flap_is_told_to_be_calm_though_an_end_was_told_before() {
    use Occasion::{AllDown, Down, Flapping, Recovered};
    let mut events: Vec<_> = (0..4).map(|n| (n * 60, moved("a", n % 2 == 0, false))).collect();
    events.extend([
        (200, moved("a", true, false)),
        (210, moved("b", true, true)),
        (220, moved("b", false, false)),
        (230, moved("a", false, false)),
    ]);
    let on = vec![Down, AllDown, Flapping, Recovered];
    let said = told(&Alert { on, ..alert() }, &events, 3600);
    let end = ["210 all-down#2: b", "225 recovered#2: b", "835 recovered#2: a"];
    assert_eq!(said[4..], end, "{said:?}");
    let said = told(&Alert { on: vec![AllDown, Recovered], ..alert() }, &events, 3600);
    assert_eq!(said, ["210 all-down#2: b", "225 recovered#2: b"], "who hears of no flapping");
}

/// What happens within the wait is one message, here too.
#[test]
fn two_that_are_calm_within_the_wait_are_told_at_once() {
    let both = |at: u64| ["a", "b"].map(|name| (at, moved(name, at.is_multiple_of(120), false)));
    let mut events: Vec<_> = [0, 60, 120, 180].into_iter().flat_map(both).collect();
    events[7].0 += 1;
    let said = told(&alert(), &events, 3600);
    assert_eq!(said.last().unwrap(), &format!("{} recovered#2: a b", 180 + CALM), "{said:?}");
    assert!(!said.iter().any(|line| line.contains(" up#")), "{said:?}");
}

#[test]
fn the_only_one_that_flaps_is_told_as_that_and_not_each_time_as_all_down() {
    let events: Vec<_> = (0..40).map(|n| (n * 10, moved("a", n % 2 == 0, n % 2 == 0))).collect();
    let said = told(&alert(), &events, 500);
    assert_eq!(said[..2], ["0 all-down#1: a", "15 recovered#1: a"], "{said:?}");
    let flapping = said.iter().filter(|line| line.contains("flapping")).count();
    assert!(flapping == 1 && said.len() <= 5, "{said:?}");
    let events: Vec<_> = (0..5).map(|n| (n * 10, moved("a", n % 2 == 0, n % 2 == 0))).collect();
    let said = told(&alert(), &events, 500);
    assert!(said.last().unwrap().starts_with("100 all-down"), "it stays away: {said:?}");
}

#[test]
fn who_flaps_is_said_not_to_be_told_of_until_it_is_calm() {
    let turns = [0, 60, 120, 180].map(|at| (at, moved("a", at % 120 == 0, false)));
    let told = play(&mut Book::new(&alert()), &turns, 200);
    let message = said(&told.last().unwrap().1, &[sight("a", false), sight("b", false)], 200);
    let subject = "[evenly lb] a flapping, up now; 2 of 2 up; silent until calm for 10 min";
    assert_eq!(message.subject, subject);
    let words = "What flaps has changed 4 times within 10 min. Nothing more is told of it\n\
                 until it has been calm for 10 min; then you hear how it stands.\n";
    assert!(message.text.contains(words), "{}", message.text);
}

#[test]
fn the_end_of_flapping_says_that_it_is_calm() {
    let turns = [0, 60, 120, 180].map(|at| (at, moved("a", at % 120 == 0, false)));
    let told = play(&mut Book::new(&alert()), &turns, 1000);
    let message = said(&told.last().unwrap().1, &[sight("a", false), sight("b", false)], 780);
    let subject = "[evenly lb] recovered: a up again, calm for 10 min; 2 of 2 up";
    assert_eq!(message.subject, subject);
    let line = "  a up: status 503; it flapped, and is calm for 10 min\n";
    assert!(message.text.contains(line), "{}", message.text);
}

/// Nobody knows since when, and it is no change.
#[test]
fn one_that_is_down_at_the_start_is_said_to_have_been_so_before_and_does_not_flap_by_it() {
    let found = News { is_start: true, ..moved("a", true, false) };
    let events = [
        (0, found),
        (60, moved("a", false, false)),
        (120, moved("a", true, false)),
        (180, moved("a", false, false)),
    ];
    let told = play(&mut Book::new(&alert()), &events, 1000);
    let lines = ["5 down#1: a", "65 recovered#1: a", "125 down#2: a", "185 recovered#2: a"];
    assert_eq!(shown(&told), lines);
    let text = said(&told[0].1, &[sight("a", true), sight("b", false)], 1).text;
    for line in [
        "1970-01-01T00:00:00.000Z  a down at the start: status 503\n",
        "a (192.0.2.1:1): down since before this start, 1 s ago; last checks:\n",
        "Since: 1970-01-01T00:00:00.000Z (1 s ago), or earlier: evenly has seen it no other way \
         since it started\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let text = said(&told[2].1, &[sight("a", true), sight("b", false)], 1).text;
    assert!(!text.contains(" start") && text.contains("a (192.0.2.1:1): down for 1 s;"), "{text}");
}

#[test]
fn one_that_was_told_to_flap_by_another_process_is_told_when_it_is_calm() {
    let mut before = Book::new(&alert());
    let turns = [0, 60, 120, 180].map(|at| (at, moved("a", at % 120 == 0, false)));
    play(&mut before, &turns, 200);
    let open = before.hand_over("host-1").unwrap();
    assert!(open.out[0].is_flapping, "{open:?}");
    let mut after = Book::new(&alert());
    after.succeed(&open, &[], s(10));
    let turns = [(20, moved("a", true, false)), (30, moved("a", false, false))];
    let told = play(&mut after, &turns, 4000);
    assert_eq!(shown(&told), ["635 recovered#1: a"]);
    assert_eq!(told[0].1.key.as_deref(), Some("host-1-backends"));
    // The first checks of this process have found it down.
    let mut after = Book::new(&alert());
    after.hear(&News { is_start: true, ..moved("a", true, false) }, s(5));
    after.succeed(&open, &[], s(10));
    assert_eq!(shown(&play(&mut after, &[], 4000)), ["615 down#1: a"]);
}

/// Whoever hears of nothing else must not believe it for the ten minutes that it takes to be calm.
#[test]
fn the_end_of_all_down_is_told_to_who_hears_of_no_flapping() {
    let on = vec![Occasion::AllDown, Occasion::Recovered];
    let mut book = Book::new(&Alert { on, ..alert() });
    let events = [
        (0, moved("a", true, true)),
        (10, moved("a", false, false)),
        (20, moved("a", true, true)),
        (30, moved("a", false, false)),
        (40, moved("a", true, true)),
        (50, moved("a", false, false)),
    ];
    let told = play(&mut book, &events, 3600);
    let lines = [
        "0 all-down#1: a",
        "15 recovered#1: a",
        "20 all-down#2: a",
        "35 recovered#2: a",
        "40 all-down#2: a",
        "55 recovered#2: ",
    ];
    assert_eq!(shown(&told), lines);
}
