//! Which pool is lost, where there are several.

use super::*;

/// Two pools: `a`, `b` and `d` are the one, `c` is the other.
#[test]
fn a_pool_that_is_lost_is_told_at_once_and_until_it_is_served_whatever_others_do() {
    let mut book = Book::new(&alert());
    let events = [
        (0, moved_in("api", "c", true, true)),
        (10, moved_in("web", "d", true, false)),
        (20, moved_in("web", "d", false, false)),
        (40, moved_in("web", "b", true, false)),
        (41, News { when: SystemTime::UNIX_EPOCH + s(41), ..moved_in("web", "a", true, true) }),
        (60, moved_in("web", "a", false, false)),
        (80, moved_in("api", "c", false, false)),
        (81, moved_in("web", "b", false, false)),
    ];
    let told = play(&mut book, &events, 100);
    let kinds: Vec<_> = told.iter().map(|(at, notice)| (*at, notice.kind)).collect();
    assert_eq!(
        kinds,
        [
            (0, Occasion::AllDown),
            (15, Occasion::Down),
            (25, Occasion::Up),
            (41, Occasion::AllDown),
            (65, Occasion::Up),
            (85, Occasion::Recovered),
        ]
    );
    let of =
        |name: &str, pool: &str, is_out: bool| Sight { pool: pool.into(), ..sight(name, is_out) };
    let all = |web: bool| [of("a", "web", web), of("b", "web", false), of("c", "api", true)];
    let headline = |at: usize, all: &[Sight]| super::super::headline::headline(&told[at].1, all);
    assert_eq!(
        headline(0, &all(false)),
        "NO BACKEND IS UP in pool api: 1 of 1 out; the last: c, status 503"
    );
    assert_eq!(headline(1, &all(true)), "d down: status 503; NO BACKEND IS UP in pool api");
    let both = [of("a", "web", true), of("b", "web", true), of("c", "api", true)];
    assert_eq!(headline(3, &both), "NO BACKEND IS UP: 3 of 3 out; the last: a, status 503");
    let third = [of("c", "api", true), of("d", "next", true), of("a", "web", false)];
    assert_eq!(headline(3, &third), "NO BACKEND IS UP in the pools api, next: 2 of 2 out");
}

#[test]
fn a_book_that_begins_late_learns_which_pool_is_lost_and_a_pool_that_is_gone_is_lost_no_more() {
    let mut book = Book::new(&alert());
    let of =
        |name: &str, pool: &str, is_out: bool| Sight { pool: pool.into(), ..sight(name, is_out) };
    let all = [of("a", "web", false), of("c", "api", true)];
    book.align(0, &all, SystemTime::UNIX_EPOCH + s(100), s(0));
    assert_eq!(book.tell(s(5))[0].kind, Occasion::AllDown);
    book.align(0, &all[..1], SystemTime::UNIX_EPOCH + s(110), s(10));
    assert_eq!(book.tell(s(20))[0].kind, Occasion::Recovered);
}

#[test]
fn that_no_name_resolves_is_told_once_and_each_pool_is_lost_by_it() {
    let on = vec![Occasion::AllDown, Occasion::Recovered];
    let mut book = Book::new(&Alert { on, ..alert() });
    let of =
        |name: &str, pool: &str, is_out: bool| Sight { pool: pool.into(), ..sight(name, is_out) };
    let none = [of("a", "web", true), of("c", "api", true)];
    book.hear(&news(What::NoneUp(String::new(), "no name resolves".into())), s(0));
    assert_eq!(shown(&[(0, book.tell(s(0)).remove(0))]), ["0 all-down#1: -"]);
    book.align(0, &none, SystemTime::UNIX_EPOCH, s(5));
    assert!(book.tell(s(20)).is_empty());
    book.align(0, &[of("a", "web", false), of("c", "api", true)], SystemTime::UNIX_EPOCH, s(30));
    assert!(book.tell(s(40)).is_empty(), "the other is lost still");
    book.align(0, &[of("a", "web", false), of("c", "api", false)], SystemTime::UNIX_EPOCH, s(50));
    assert_eq!(shown(&[(60, book.tell(s(60)).remove(0))]), ["60 recovered#1: c"]);
}

/// The one that is lost now is named and dated, whatever was lost hours ago.
#[test]
fn of_several_pools_the_subject_names_the_one_that_is_lost_now() {
    let at =
        |second, news: News| (second, News { when: SystemTime::UNIX_EPOCH + s(second), ..news });
    let events = [
        at(0, moved_in("alpha", "a", true, true)),
        at(10, moved_in("beta", "b", true, true)),
        at(3600, moved_in("web", "w", true, true)),
    ];
    let told = play(&mut Book::new(&alert()), &events, 3600);
    let of = |name: &str, pool: &str, is_out: bool| Sight {
        pool: pool.into(),
        why: "status 503".into(),
        ..sight(name, is_out)
    };
    let all = [
        of("a", "alpha", true),
        of("b", "beta", true),
        of("c", "gamma", false),
        of("w", "web", true),
    ];
    let message = said(&told[2].1, &all, 3600);
    assert_eq!(
        message.subject,
        "[evenly lb] NO BACKEND IS UP in the pools web, alpha, beta: 3 of 3 out; the last: w, \
         status 503"
    );
    assert_eq!(message.fact("since"), Some("1970-01-01T01:00:00.000Z"));
}
