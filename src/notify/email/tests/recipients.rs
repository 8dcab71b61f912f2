//! Several recipients: one who is refused is told, and the others get it, once.

use super::*;

/// To three people, for as many tries as there are.
fn tries(script: Script, count: usize) -> (Vec<Result<String, Undelivered>>, Heard) {
    let (address, heard) = script.serve();
    let to = ["a", "b", "c"].map(|name| format!("{name}@mail.test")).to_vec();
    let mut email = Email::open(&Mail { to, ..mail(address, Security::None) }).unwrap();
    ((0..count).map(|_| email.deliver(&message(), AMPLE, &|| false)).collect(), heard)
}

fn asked_for(heard: &Heard) -> String {
    let asked = heard.all().into_iter().filter_map(|line| {
        let address = line.strip_prefix("RCPT TO:<")?.to_owned();
        Some(address.split('@').next().unwrap().to_owned())
    });
    asked.collect()
}

#[test]
fn one_who_is_unknown_is_told_and_the_others_get_it() {
    let script = Script::saying("RCPT TO:<b", "550 5.1.1 no such user");
    let (told, heard) = tries(script, 1);
    let (what, may_retry) = failure(told.into_iter().next().unwrap());
    assert_eq!(what, "2 of 3 have it, but <b@mail.test>: 550 5.1.1 no such user");
    assert!(!may_retry && heard.has("DATA"));
}

#[test]
fn one_who_is_to_be_tried_later_alone_is_tried_again_with_the_same_letter() {
    let script = Script::saying("RCPT TO:<b", "451 4.7.1 greylisted");
    let (told, heard) = tries(script, 2);
    let mut told = told.into_iter();
    let (what, may_retry) = failure(told.next().unwrap());
    assert_eq!(what, "2 of 3 have it, but <b@mail.test>: 451 4.7.1 greylisted");
    assert!(may_retry);
    assert_eq!(told.next().unwrap().as_deref(), Ok("250 2.0.0 taken"));
    assert_eq!(asked_for(&heard), "abcb");
    let mut names = heard.all();
    names.retain(|line| line.starts_with("Message-ID: "));
    assert_eq!((names.len(), &names[0]), (2, &names[1]));
}

#[test]
fn who_was_refused_for_good_is_told_to_the_end() {
    let mut script = Script::saying("RCPT TO:<a", "550 no");
    script.says.push(("RCPT TO:<b", "450 later".to_owned()));
    let (told, heard) = tries(script, 2);
    let mut told = told.into_iter().map(failure);
    let first = "1 of 3 have it, but <a@mail.test>: 550 no; <b@mail.test>: 450 later";
    assert_eq!(told.next().unwrap(), (first.to_owned(), true));
    let last = "2 of 3 have it, but <a@mail.test>: 550 no";
    assert_eq!(told.next().unwrap(), (last.to_owned(), false));
    assert_eq!(asked_for(&heard), "abcb");
}

#[test]
fn a_letter_that_nobody_may_have_is_not_sent() {
    let mut script = Script::default();
    for name in ["a", "b", "c"] {
        let start = ["RCPT TO:<a", "RCPT TO:<b", "RCPT TO:<c"];
        let start = start.into_iter().find(|it| it.ends_with(name)).unwrap();
        script.says.push((start, format!("550 no {name}")));
    }
    let (told, heard) = tries(script, 1);
    let (what, may_retry) = failure(told.into_iter().next().unwrap());
    let each = ["a", "b", "c"].map(|name| format!("<{name}@mail.test>: 550 no {name}"));
    assert_eq!(what, format!("0 of 3 have it, but {}", each.join("; ")));
    assert!(!may_retry && !heard.has("DATA") && heard.has("QUIT"));
}

#[test]
fn another_message_goes_to_all_whatever_was_left_of_the_one_before() {
    let (address, heard) = Script::saying("RCPT TO:<b", "451 later").serve();
    let to = ["a", "b"].map(|name| format!("{name}@mail.test")).to_vec();
    let mut email = Email::open(&Mail { to, ..mail(address, Security::None) }).unwrap();
    email.deliver(&message(), AMPLE, &|| false).unwrap_err();
    let other = Message { subject: "A is up".to_owned(), ..message() };
    email.deliver(&other, AMPLE, &|| false).unwrap();
    assert_eq!(asked_for(&heard), "abab");
}

#[test]
fn a_failure_later_on_says_who_has_it_already() {
    let mut script = Script::saying("RCPT TO:<a", "550 no");
    script.says.push(("RCPT TO:<b", "450 later".to_owned()));
    script.says.push(("RCPT TO:<b", "421 bye".to_owned()));
    script.says.push(("GREETING", "220 a".to_owned()));
    script.says.push(("GREETING", "220 a".to_owned()));
    script.says.push(("GREETING", "554 no".to_owned()));
    let (told, _) = tries(script, 3);
    let mut told = told.into_iter().skip(1).map(failure);
    let so_far = "; 1 of 3 have it; <a@mail.test>: 550 no";
    let second = format!("RCPT TO <b@mail.test>: it said 421 bye{so_far}");
    assert_eq!(told.next().unwrap(), (second, true));
    assert_eq!(told.next().unwrap(), (format!("the greeting: it said 554 no{so_far}"), false));
}
