//! A book that begins late, or after another process, and what has escaped it.

use super::*;

#[test]
fn a_book_that_begins_late_learns_that_none_is_up() {
    let mut book = Book::new(&Alert { on: vec![Occasion::AllDown], ..alert() });
    let all = ["a", "b"].map(|name| sight(name, true));
    book.align(0, &all, SystemTime::UNIX_EPOCH, s(10));
    assert_eq!(shown(&play(&mut book, &[], 60)), ["10 all-down#1: a b"]);
}

#[test]
fn what_was_missed_is_made_up_for_and_who_is_gone_is_out_no_more() {
    let mut book = Book::new(&alert());
    book.hear(&moved("a", true, false), s(0));
    book.hear(&moved("gone", true, false), s(0));
    assert_eq!(book.tell(s(5)).len(), 1);
    book.align(7, &[sight("a", false), sight("b", true)], SystemTime::UNIX_EPOCH, s(6));
    let told = book.tell(s(11));
    assert_eq!(shown(&[(11, told[0].clone())]), ["11 down#1: b a gone"]);
    assert_eq!(told[0].missed, 7);
    book.inherit("c", "told before", SystemTime::UNIX_EPOCH, s(12));
    assert!(book.tell(s(20)).is_empty());
}

/// After a restart whoever was told before hears of the end, and of what never ends each by itself.
#[test]
fn a_key_is_the_same_for_each_process_and_another_for_each_thing() {
    let process = |events: &[(u64, News)]| -> Vec<String> {
        let told = play(&mut Book::new(&alert()), events, 100);
        told.iter().map(|(_, notice)| said(notice, &[], 0).key).collect()
    };
    let at = |second| (second, moved("a", true, false));
    assert_eq!(process(&[at(0)]), process(&[at(50)]));
    let single = |kind, words: &str| news(What::Single(kind, words.into()));
    let events = [
        at(0),
        (1, single(Occasion::ReloadFailed, "line 3")),
        (2, single(Occasion::Certificate, "a.pem has expired")),
        (20, news(What::Over(Occasion::ReloadFailed, "reloaded".into()))),
    ];
    let keys = ["k-backends", "k-reload-failed", "k-certificate-0", "k-reload-failed"];
    assert_eq!(process(&events), keys);
    // Nobody would close it, and the next one would be taken for it.
    let endless = Alert { resolved: false, ..alert() };
    let told = play(&mut Book::new(&endless), &[at(0)], 100);
    assert_eq!(said(&told[0].1, &[], 0).key, "k-backends-0");
    assert_eq!(words::key_of("a.b\nc", "[::]:80"), "evenly-a-b-c-80");
    assert_eq!(words::key_of("", "0.0.0.0:80"), "evenly--0-0-0-0-80");
}

/// A certificate's words may be heard before or after it is known what another process has told.
#[test]
fn what_another_process_has_told_one_by_one_is_not_told_again_and_its_end_has_the_same_key() {
    let mut before = Book::new(&alert());
    let single = |kind, words: &str| news(What::Single(kind, words.into()));
    let events = [
        (0, single(Occasion::Certificate, "a.pem: expires in 5 days")),
        (10, single(Occasion::ReloadFailed, "line 3")),
    ];
    assert_eq!(play(&mut before, &events, 60).len(), 2);
    let handed = before.hand_over_singles("host-1");
    let mut after = Book::new(&alert());
    after.hear(&events[0].1, s(1));
    after.succeed_singles(&handed, SystemTime::UNIX_EPOCH, s(2));
    after.hear(&events[0].1, s(3));
    let told = play(&mut after, &[], 60);
    assert_eq!(shown(&told), ["6 recovered#1: -"]);
    assert_eq!(told[0].1.key.as_deref(), Some("host-1-reload-failed"));
    assert!(after.hand_over_singles("host-2").iter().all(|single| single.open.is_none()));
}
