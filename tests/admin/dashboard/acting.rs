//! What can be done in the page: steering with confirmation, by pointer and by keyboard alone.

use super::{CHECKED, Shown};
use crate::harness::{Backend, Gate, eventually};

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';
const ESCAPE: char = '\u{e00c}';
const LEFT: char = '\u{e012}';

#[test]
fn a_drain_is_confirmed_and_the_last_one_needs_a_second_word() {
    let [one, two] = [Backend::plain(), Backend::plain()];
    let Some(shown) = Shown::over(&[&one, &two], CHECKED) else { return };
    let mode = |index: usize| shown.panel.backend(index)["mode"].as_str().unwrap().to_owned();
    shown.chrome.click("[aria-label='Drain A']");
    assert_eq!(shown.chrome.text("#ask-title"), "Drain A?");
    shown.chrome.click("#ask-no");
    assert_eq!([mode(0), mode(1)], ["ready", "ready"], "cancelled is not done");
    shown.chrome.click("[aria-label='Drain A']");
    shown.chrome.click("#ask-yes");
    eventually("it is drained", || mode(0) == "drain");
    shown.wait("#said", "A");
    shown.wait("#sentence", "1 of 2 up; A draining for ");
    assert_eq!(shown.chrome.count("[aria-label='Drain A']"), 0, "it is already");

    shown.chrome.click("[aria-label='Maint B']");
    shown.chrome.click("#ask-yes");
    shown.wait("#ask-title", "B is the last one in use");
    assert!(shown.chrome.text("#ask-text").contains("every new request fails with 503"));
    assert_eq!(mode(1), "ready", "refused is not done");
    assert_eq!(shown.focus(), "ask-no", "whoever presses Enter again changes nothing");
    assert_eq!(shown.chrome.text("#ask-yes"), "Maint it all the same");
    shown.chrome.click("#ask-yes");
    eventually("it is in maintenance", || mode(1) == "maint");
    shown.wait("#sentence", "None of 2 up; ");
    shown.panel.proxy.pardon("NO BACKEND IS UP");

    for name in ["A", "B"] {
        shown.chrome.click(&format!("[aria-label='Ready {name}']"));
        shown.chrome.click("#ask-yes");
        eventually("the dialog closes", || shown.chrome.count("dialog[open]") == 0);
    }
    eventually("both are in use", || mode(0) == "ready" && mode(1) == "ready");
    shown.wait("#sentence", "All 2 backends are up");
    let refused = |line: &String| line.contains("409");
    let complaints = shown.chrome.complaints();
    assert_eq!(complaints.iter().filter(|line| refused(line)).count(), 1, "{complaints:?}");
}

#[test]
fn everything_can_be_done_by_keyboard() {
    let [one, two] = [Backend::plain(), Backend::plain()];
    let Some(shown) = Shown::over(&[&one, &two], CHECKED) else { return };
    shown.wait("#sentence", "All 2");
    shown.wait("#rows .share", "of 50 %");
    let mut order = Vec::new();
    for _ in 0..16 {
        shown.chrome.press(TAB);
        order.push(shown.focus());
    }
    let expected = [
        "Skip to the backends",
        "5 min",
        "15 min",
        "1 hour",
        "Requests a second",
        "Errors a second",
        "Time to answer, p99",
        "In flight",
        "A",
        "Drain A",
        "Maint A",
        "B",
        "Drain B",
        "Maint B",
        "grave",
    ];
    assert_eq!(order[..expected.len()], expected);
    assert!(order[expected.len()].contains("listening on"), "{order:?}");
    // An event is chosen, and left again.
    shown.chrome.press(ENTER);
    shown.wait("#when", "Around ");
    shown.chrome.press(ESCAPE);
    eventually("live again", || !shown.chrome.text("#when").contains("Around"));

    shown.chrome.run("document.querySelector('[role=slider]').focus()");
    eventually("there are points", || {
        drop(shown.panel.proxy.get("/"));
        shown.chrome.run("return charts[0].buckets.length").as_u64().unwrap() > 2
    });
    shown.chrome.press(LEFT);
    let said = "return document.querySelector('[role=slider]').getAttribute('aria-valuetext')";
    let said = shown.chrome.run(said);
    assert!(said.as_str().unwrap().contains("; 2xx "), "{said}");

    shown.chrome.run("document.querySelector('.name button').focus()");
    shown.chrome.press(ENTER);
    shown.wait(".detail", "Last checks");
    assert_eq!(shown.chrome.count(".name button[aria-expanded=true]"), 1);
    let ends = "return ['.row', '.detail'].map((css) => document.querySelector(css)
        .lastChild.getBoundingClientRect().right)";
    let ends = shown.chrome.run(ends);
    assert_eq!(ends[0], ends[1], "no column is wider than the table");
    shown.chrome.run("document.querySelector(\"[aria-label='Drain A']\").focus()");
    shown.chrome.press(ENTER);
    eventually("it is asked", || shown.chrome.count("#ask[open]") == 1);
    assert_eq!(shown.focus(), "ask-no");
    shown.chrome.press(ESCAPE);
    eventually("it is not asked any more", || shown.chrome.count("#ask[open]") == 0);
    assert_eq!(shown.focus(), "Drain A", "the focus is back where it was");
    shown.chrome.press(ENTER);
    eventually("it is asked again", || shown.focus() == "ask-no");
    shown.chrome.press(TAB);
    eventually("it is about to be done", || shown.focus() == "ask-yes");
    shown.chrome.press(ENTER);
    eventually("it is drained", || shown.panel.mode() == "drain");
    shown.panel.post("/backends/A/ready");
}

#[test]
fn what_is_pointed_at_stays_while_the_page_goes_on() {
    let [one, two] = [Backend::plain(), Backend::plain()];
    let Some(shown) = Shown::over(&[&one, &two], CHECKED) else { return };
    shown.chrome.run("const at = document.querySelector(\"[aria-label='Maint B']\");");
    eventually("the row is there", || shown.chrome.count("[aria-label='Maint B']") == 1);
    shown.chrome.run("document.querySelector(\"[aria-label='Maint B']\").focus()");
    let place = one.go_down();
    shown.wait("#sentence", "1 of 2 up; A out");
    assert_eq!(shown.focus(), "Maint B");
    drop(place);
    shown.panel.proxy.farewell(200);
}

#[test]
fn a_token_is_asked_for_and_a_wrong_one_told() {
    let backend = Backend::plain();
    let Some(shown) = Shown::over(&[&backend], "admin.token = \"a-token-of-ours-16\"") else {
        return;
    };
    let asked = || {
        shown.chrome.run(
            "return performance.getEntriesByType('resource')
        .filter((one) => one.name.endsWith('/status')).length",
        )
    };
    eventually("it is asked for", || shown.chrome.count("#door[open]") == 1);
    assert_eq!(shown.focus(), "Token");
    assert_eq!(asked(), 1);
    shown.chrome.type_into("#token", "another-token-16\u{e007}");
    shown.wait("#door-error", "That is not the token.");
    assert_eq!(asked(), 2, "nobody asks again and again with what was refused");
    shown.panel.proxy.process.said.wait("is refused with 401");
    shown.chrome.press(ESCAPE);
    assert_eq!(shown.chrome.count("#door[open]"), 1);
    shown.chrome.type_into("#token", "a-token-of-ours-16\u{e007}");
    shown.wait("#sentence", "The one backend is up");
    eventually("it is shown", || shown.chrome.count("#door[open]") == 0);
    shown.open();
    shown.wait("#sentence", "The one backend is up");
    assert_eq!(shown.chrome.count("#door[open]"), 0, "it is kept while the tab is open");
    let kept = shown.chrome.run("return [localStorage.length, document.cookie, location.href]");
    assert_eq!(kept[0], 0);
    assert_eq!(kept[1], "");
    assert!(!kept[2].as_str().unwrap().contains("token"));
}

#[test]
fn requests_in_flight_are_told_before_a_drain() {
    let gate = Gate::new();
    let [one, two] = [Backend::holding(&gate), Backend::plain()];
    let Some(shown) = Shown::over(&[&one, &two], "") else { return };
    let mut client = shown.panel.proxy.asking("/held");
    eventually("it is under way", || shown.panel.backend(0)["in_flight"] == 1);
    eventually("it is told", || {
        shown.chrome.click("[aria-label='Drain A']");
        let text = shown.chrome.text("#ask-text");
        shown.chrome.click("#ask-no");
        text.contains("It has 1 in flight now.")
    });
    gate.open();
    assert_eq!(client.answer().status(), 200);
}
