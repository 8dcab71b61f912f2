//! The words of what is told.

use super::*;

fn subject(kind: Occasion, items: &[(&str, State, &str)]) -> String {
    let author = words::Teller { host: "lb".into(), address: "a:1".into(), key: "k".into() };
    let item = |(name, state, reason): &(&str, State, &str)| Item {
        backend: Some((*name).to_owned()),
        state: *state,
        aside: if reason.starts_with("left") { Aside::Left } else { Aside::None },
        reason: (*reason).to_owned(),
        when: SystemTime::UNIX_EPOCH,
    };
    let items = items.iter().map(item).collect();
    let notice = Notice { items, ..blank(kind, 1, SystemTime::UNIX_EPOCH) };
    author.message(&notice, &[], SystemTime::UNIX_EPOCH).subject
}

#[test]
fn a_subject_calls_nobody_down_who_is_up() {
    let items = [("b", State::Out, "status 503"), ("a", State::Well, "status 200")];
    assert_eq!(subject(Occasion::Down, &items), "[evenly lb] b down: status 503");
    assert_eq!(subject(Occasion::Up, &items), "[evenly lb] a up again");
    let items = [("b", State::Out, "status 503"), ("a", State::Out, "refused")];
    assert_eq!(subject(Occasion::Down, &items), "[evenly lb] b, a down; b: status 503");
    let items = [("a", State::Well, "status 200"), ("b", State::Well, "left to an operator")];
    let said = "[evenly lb] recovered: a up again, b left to an operator";
    assert_eq!(subject(Occasion::Recovered, &items), said);
    assert_eq!(subject(Occasion::Recovered, &[]), "[evenly lb] recovered");
}

/// One that was ejected and is down by checks now, or that an operator has let go.
#[test]
fn the_reason_is_that_of_how_it_stands_when_it_is_told() {
    let told = play(&mut Book::new(&alert()), &[(0, moved("a", true, false))], 10);
    let why = "check failed: refused".to_owned();
    let now = Sight { why, stood_for: s(0), ..sight("a", true) };
    let message = said(&told[0].1, &[now, sight("b", false)], 3);
    assert_eq!(message.subject, "[evenly lb] a down: check failed: refused; 1 of 2 up");
    assert_eq!(message.fact("reason"), Some("check failed: refused"));
    assert!(message.text.contains("a (192.0.2.1:1): down for 0 s; last"), "{}", message.text);
    // Each reason has its own time.
    let lines = "1970-01-01T00:00:00.000Z  a down: status 503\n    \
                 since 1970-01-01T00:00:03.000Z: check failed: refused\n";
    assert!(message.text.contains(lines), "{}", message.text);
    // Of one that is up by now, what took it out is all that is known.
    let message = said(&told[0].1, &[sight("a", false), sight("b", false)], 3);
    assert_eq!(message.subject, "[evenly lb] a down: status 503; 2 of 2 up");
}

#[test]
fn that_none_is_up_is_told_since_the_last_one_went() {
    let at =
        |second, news: News| (second, News { when: SystemTime::UNIX_EPOCH + s(second), ..news });
    let events = [at(0, moved("a", true, false)), at(60, moved("b", true, true))];
    let mut book = Book::new(&alert());
    let told = play(&mut book, &events, 61);
    assert_eq!(shown(&told), ["5 down#1: a", "60 all-down#1: b"]);
    let since = |notice: &Notice| notice.since.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!((since(&told[0].1), since(&told[1].1)), (s(0), s(60)));
    let text = said(&told[1].1, &[sight("a", true), sight("b", true)], 60).text;
    let lines = "Since: 1970-01-01T00:01:00.000Z (0 s ago)\n\
                 Incident began: 1970-01-01T00:00:00.000Z (1 min ago)\n";
    assert!(text.contains(lines), "{text}");
    let mut after = Book::new(&alert());
    after.succeed(&book.hand_over("k").unwrap(), &[], s(0));
    let told = play(&mut after, &[], 4 * 3600);
    assert_eq!(shown(&told), ["14400 all-down#1 again: a b"]);
    assert_eq!(since(&told[0].1), s(60));
    // Nobody was there to hear it.
    let mut book = Book::new(&alert());
    let all = [Sight { stood_for: s(90), ..sight("a", true) }, sight("b", true)];
    book.align(0, &all, SystemTime::UNIX_EPOCH + s(100), s(100));
    let told = book.tell(s(100));
    assert_eq!((told[0].kind, since(&told[0])), (Occasion::AllDown, s(99)));
    assert_eq!(told[0].items[0].when, SystemTime::UNIX_EPOCH + s(10));
}

/// It was down, an operator took it out and lets it go again, and none has been up meanwhile.
#[test]
fn whatever_is_told_while_none_is_up_says_so_and_is_critical() {
    let found_bad = News { when: SystemTime::UNIX_EPOCH, ..moved("a", true, true) };
    let events = [
        (0, moved("a", true, false)),
        (1, moved("b", true, true)),
        (20, wanted("a", true)),
        (40, found_bad),
    ];
    let told = play(&mut Book::new(&alert()), &events, 60);
    assert_eq!(shown(&told), ["1 all-down#1: a b", "25 up#1: a", "45 down#1: a"]);
    let message = said(&told[2].1, &[sight("a", true), sight("b", true)], 45);
    assert_eq!(message.subject, "[evenly lb] a down: x; NO BACKEND IS UP");
    assert_eq!(message.fact("severity"), Some("critical"));
    let message = said(&told[2].1, &[sight("a", true), sight("b", false)], 45);
    assert_eq!(message.fact("severity"), Some("warning"));
}

proptest! {
    /// Whatever backends and the system say: one line a subject, plain lines in a text, and a key
    /// that can stand anywhere.
    #[test]
    fn words_of_strangers_begin_no_line(
        name in "\\PC{0,40}",
        reason in any::<String>(),
        seen in any::<String>(),
        host in any::<String>(),
    ) {
        let author = words::Teller {
            key: words::key_of(&host, "[::]:80"),
            host: "lb".into(),
            address: "192.0.2.1:80".into(),
        };
        let item = Item {
            backend: Some(name.clone()),
            state: State::Out,
            aside: Aside::None,
            reason,
            when: SystemTime::UNIX_EPOCH,
        };
        let checks = vec![SightCheck { ago: s(1), verdict: "failed", took: s(1), seen }];
        let sight = Sight {
            name,
            pool: String::new(),
            address: "192.0.2.2:80".into(),
            standing: "down".into(),
            is_up: false,
            is_out: true,
            stood_for: s(3),
            why: String::new(),
            checks,
        };
        let notice = blank(Occasion::Down, 7, SystemTime::UNIX_EPOCH);
        let notice = Notice { items: vec![item], ..notice };
        let message = author.message(&notice, &[sight], SystemTime::now());
        prop_assert!(!message.subject.contains(char::is_control), "{:?}", message.subject);
        prop_assert!(message.subject.chars().count() <= 123);
        prop_assert_eq!(message.text.lines().count(), 14, "{}", message.text);
        prop_assert!(!message.text.contains(|c: char| c.is_control() && c != '\n'));
        prop_assert!(message.key.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-'));
    }
}
