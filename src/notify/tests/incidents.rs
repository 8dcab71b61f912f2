//! When an incident begins and ends, and who hears of it how often.

use super::*;

#[test]
fn a_night_is_told_in_four_messages() {
    let events = [
        (0, moved("a", true, false)),
        (9, moved("b", true, false)),
        (10, moved("c", true, true)),
        (30, moved("a", false, false)),
        (40, moved("b", false, false)),
        (43, moved("c", false, false)),
    ];
    let said = ["5 down#1: a", "10 all-down#1: b c", "35 up#1: a", "45 recovered#1: b c"];
    assert_eq!(told(&alert(), &events, 3600), said);
}

#[test]
fn what_comes_and_goes_within_the_wait_is_told_by_nobody() {
    let events = [(0, moved("a", true, false)), (4, moved("a", false, false))];
    assert!(told(&alert(), &events, 3600).is_empty());
    let events = [events.as_slice(), &[(4, moved("b", true, false))]].concat();
    assert_eq!(told(&alert(), &events, 3600), ["5 down#1: b"]);
}

#[test]
fn all_that_happens_within_the_wait_is_one_digest_and_zero_waits_for_none() {
    let events = [0, 1, 2, 4].map(|at| (at, moved(&format!("b{at}"), true, false)));
    assert_eq!(told(&alert(), &events, 60), ["5 down#1: b0 b1 b2 b4"]);
    let hasty = Alert { wait: Duration::ZERO, ..alert() };
    assert_eq!(told(&hasty, &events, 60).len(), 4);
}

#[test]
fn no_backend_up_is_told_at_once_and_once() {
    let events =
        [(0, moved("a", true, true)), (1, moved("a", true, true)), (9, moved("b", true, true))];
    assert_eq!(told(&alert(), &events, 60), ["0 all-down#1: a", "14 down#1: b"]);
    let events = [
        (3, news(What::NoneUp(String::new(), "no name resolves".into()))),
        (20, moved("x", false, false)),
    ];
    assert_eq!(told(&alert(), &events, 60), ["3 all-down#1: -", "25 recovered#1: "]);
}

#[test]
fn what_an_operator_does_is_told_by_nobody_but_it_may_end_an_incident() {
    let events = [
        (0, wanted("a", false)),
        (1, wanted("b", true)),
        (20, wanted("a", false)),
        (30, moved("a", false, false)),
    ];
    assert!(told(&alert(), &events, 3600).is_empty());
    let left = News { when: SystemTime::UNIX_EPOCH + s(60), ..wanted("a", false) };
    let events = [(0, moved("a", true, false)), (60, left)];
    let after = play(&mut Book::new(&alert()), &events, 3600);
    assert_eq!(shown(&after), ["5 down#1: a", "65 recovered#1: a"]);
    let Item { aside, when, .. } = after[1].1.items[0];
    assert_eq!((aside, when), (Aside::Left, SystemTime::UNIX_EPOCH + s(60)), "at its own time");
    let events = [(0, moved("a", true, false)), (3, wanted("a", false))];
    assert!(told(&alert(), &events, 3600).is_empty());
}

#[test]
fn one_that_an_operator_wants_back_and_that_is_found_bad_is_told() {
    let found_bad = |is_last| {
        let (name, reason) = ("a".to_owned(), "check failed: status 503".to_owned());
        let (pool, shift) = (String::new(), gone(is_last));
        news(What::Backend { name, pool, is_out: true, shift, is_wanted: true, reason })
    };
    let events = [(0, wanted("a", false)), (20, found_bad(false)), (40, moved("a", false, false))];
    assert_eq!(told(&alert(), &events, 3600), ["25 down#1: a", "45 recovered#1: a"]);
    let events = [(0, wanted("a", true)), (20, found_bad(true))];
    assert_eq!(told(&alert(), &events, 60), ["20 all-down#1: a"]);
}

#[test]
fn what_lasts_is_told_again_and_what_is_over_is_not() {
    let often = Alert { repeat: Some(s(600)), ..alert() };
    let events = [(0, moved("a", true, false)), (1500, moved("a", false, false))];
    let said =
        ["5 down#1: a", "605 down#1 again: a", "1205 down#1 again: a", "1505 recovered#1: a"];
    assert_eq!(told(&often, &events, 9000), said);
    let never = Alert { repeat: None, ..alert() };
    assert_eq!(told(&never, &events[..1], 100_000), ["5 down#1: a"]);
    let unwanted = Alert { on: vec![Occasion::AllDown], ..often };
    assert!(told(&unwanted, &events[..1], 9000).is_empty());
}

#[test]
fn only_what_is_asked_for_is_told() {
    let events = [
        (0, moved("a", true, false)),
        (10, moved("b", true, true)),
        (30, moved("a", false, false)),
        (50, moved("b", false, false)),
    ];
    let on = |on: &[Occasion], resolved| Alert { on: on.to_vec(), resolved, ..alert() };
    let worst = [Occasion::AllDown, Occasion::Recovered];
    // That is over with the first that is back.
    let said = ["10 all-down#1: b", "35 recovered#1: a"];
    assert_eq!(told(&on(&worst, true), &events, 60), said);
    assert_eq!(told(&on(&worst, false), &events, 60), ["10 all-down#1: b"]);
    assert!(told(&on(&[Occasion::Recovered, Occasion::Up], true), &events, 60).is_empty());
    assert_eq!(told(&on(&[Occasion::Down], true), &events, 60), ["5 down#1: a", "10 down#1: b"]);
}

#[test]
fn the_same_words_are_told_once_and_a_reload_that_does_ends_them() {
    let single = |kind, words: &str| news(What::Single(kind, words.into()));
    let failed = |words| single(Occasion::ReloadFailed, words);
    let events = [
        (0, failed("line 1")),
        (60, failed("line 1")),
        (120, failed("line 2")),
        (180, news(What::Over(Occasion::ReloadFailed, "reloaded".into()))),
        (240, news(What::Over(Occasion::ReloadFailed, "reloaded".into()))),
        (300, single(Occasion::Certificate, "x expires")),
        (300, single(Occasion::Exhausted, "no descriptors")),
        (310, single(Occasion::Stuck, "thread worker 1")),
        (9000, single(Occasion::Certificate, "x expires")),
        (20_000, single(Occasion::Certificate, "x expires")),
    ];
    let said = [
        "5 reload-failed#1: -",
        "125 reload-failed#1: -",
        "185 recovered#1: -",
        "305 certificate#2: -",
        "305 exhausted#3: -",
        "310 stuck#4: -",
        "20005 certificate#5: -",
    ];
    assert_eq!(told(&alert(), &events, 30_000), said);
}

#[test]
fn what_has_no_backend_to_it_is_late_under_the_cap_and_never_lost() {
    let events = [
        (0, news(What::Single(Occasion::ReloadFailed, "line 1".into()))),
        (60, news(What::Over(Occasion::ReloadFailed, "reloaded".into()))),
        (120, moved("a", true, false)),
        (180, news(What::Single(Occasion::Certificate, "x expires".into()))),
    ];
    let mut book = Book::new(&Alert { hourly_max: 1, repeat: None, ..alert() });
    let told = play(&mut book, &events, 5 * 3600);
    let said = [
        "5 reload-failed#1: -",
        "3605 down#2 again: a",
        "7205 recovered#1: -",
        "10805 certificate#3: -",
    ];
    assert_eq!(shown(&told), said);
    assert_eq!(told.iter().map(|(_, notice)| notice.held).collect::<Vec<_>>(), [0, 1, 0, 0]);
    assert_eq!(book.held_back(), 3);
}

#[test]
fn a_thousand_changes_stay_under_the_cap_and_the_last_says_so() {
    let hasty = Alert { wait: Duration::ZERO, ..alert() };
    let names: Vec<String> = (0..500).map(|n| format!("b{n}")).collect();
    let mut events: Vec<(u64, News)> = (0..1000)
        .map(|n| (n as u64 * 60 / 1000, moved(&names[n / 2], n % 2 == 0, false)))
        .collect();
    events.push((61, moved("last", true, true)));
    events.push((63, moved("last", false, false)));
    let mut book = Book::new(&hasty);
    let told = play(&mut book, &events, 5000);
    let within_the_hour = told.iter().filter(|(at, _)| *at < 3600).count();
    assert_eq!(within_the_hour, 20);
    assert_eq!(told[..20].iter().filter(|(_, it)| it.last_for.is_some()).count(), 2);
    let [next_to_last, last] = [18, 19].map(|at| said(&told[at].1, &[], 61).text);
    let may_follow = "told in one message then.\nOnly that no backend is up would be told before";
    assert!(next_to_last.contains(may_follow) && !last.contains("Only that"), "{last}");
    assert!(told[18].1.last_for.is_some() && told[18].1.kind != Occasion::AllDown);
    assert_eq!((told[19].0, told[19].1.kind), (61, Occasion::AllDown), "its place was kept");
    let after = &told[20];
    assert_eq!(after.1.kind, Occasion::Recovered, "{after:?}");
    assert!((3600..3700).contains(&after.0) && after.1.held > 0, "{after:?}");
    assert!(book.held_back() >= after.1.held);
}

/// It was gone before the last one was, and that was told by another thread, which was slower.
#[test]
fn a_late_word_of_one_that_is_out_ends_no_loss() {
    let events = [
        (0, moved("b", true, true)),
        (1, moved("a", true, false)),
        (60, moved("b", false, false)),
        (61, moved("a", false, false)),
    ];
    let on = vec![Occasion::AllDown, Occasion::Recovered];
    let repeat = Some(s(30));
    let said = told(&Alert { on, repeat, ..alert() }, &events, 100);
    assert_eq!(said, ["0 all-down#1: b", "30 all-down#1 again: a b", "65 recovered#1: a b"]);
}

#[test]
fn an_incident_is_over_once_operators_have_taken_out_whoever_is_down() {
    let aside = |name: &str| Sight { is_up: false, ..sight(name, false) };
    for on in [Occasion::ALL.to_vec(), vec![Occasion::AllDown, Occasion::Recovered]] {
        let mut book = Book::new(&Alert { on, ..alert() });
        book.hear(&moved("a", true, false), s(0));
        book.hear(&moved("b", true, true), s(0));
        assert_eq!(book.tell(s(0))[0].kind, Occasion::AllDown);
        book.hear(&wanted("a", true), s(10));
        book.align(0, &[aside("a"), sight("b", true)], SystemTime::UNIX_EPOCH, s(10));
        let told = book.tell(s(15));
        assert!(told.iter().all(|notice| notice.kind == Occasion::Up), "{told:?}");
        book.hear(&wanted("b", true), s(20));
        book.align(0, &[aside("a"), aside("b")], SystemTime::UNIX_EPOCH, s(20));
        assert_eq!(book.tell(s(25))[0].kind, Occasion::Recovered);
        assert_eq!(book.next(), None);
    }
}

fn anything() -> impl Strategy<Value = Vec<(u64, u8, u8)>> {
    prop::collection::vec((0..400u64, 0..5u8, 0..10u8), 0..200)
}

proptest! {
    /// Whatever happens: the cap holds within every hour, no notice is empty-handed about a backend
    /// that stands as it was told, each incident is told before it is over, and in the end what was
    /// told last of each backend is how it stands, unless the cap held it back.
    #[test]
    fn what_is_told_last_is_how_it_stands(steps in anything(), max in 1..12u32, wait in 0..20u64) {
        let names = ["a", "b", "c", "d", "e"];
        let alert = Alert { hourly_max: max, wait: s(wait), repeat: None, ..alert() };
        let mut book = Book::new(&alert);
        let (mut out, mut at, mut events) = ([false; 5], 0, Vec::new());
        for (gap, who, what) in steps {
            at += gap;
            let who = usize::from(who);
            let is_last = |out: &[bool; 5]| out.iter().all(|it| *it);
            if what == 0 {
                out[who] = false;
                events.push((at, wanted(names[who], is_last(&out))));
            } else {
                out[who] = !out[who];
                events.push((at, moved(names[who], out[who], is_last(&out))));
            }
        }
        let told = play(&mut book, &events, at + 20_000);
        for (index, (from, _)) in told.iter().enumerate() {
            let within = told[index..].iter().take_while(|(at, _)| *at < from + 3600).count();
            prop_assert!(within <= max as usize, "{within} within the hour from {from}");
        }
        let mut open = std::collections::BTreeMap::new();
        for (at, notice) in &told {
            let is_end = matches!(notice.kind, Occasion::Recovered | Occasion::Up);
            let is_known = open.insert(notice.incident, *at).is_some();
            prop_assert!(!is_end || is_known || book.held_back() > 0, "{notice:?}");
        }
        if book.held_back() == 0 {
            for (who, name) in names.iter().enumerate() {
                let mut all = told.iter().flat_map(|(_, notice)| &notice.items);
                let last = all.rfind(|it| it.backend.as_deref() == Some(*name));
                let is_told_out = last.is_some_and(|item| item.state == State::Out);
                prop_assert_eq!(is_told_out, out[who], "{}: {:?}", name, told);
            }
        }
        prop_assert!(book.next().is_none_or(|next| next > s(at + 20_000)), "it rests");
    }
}
