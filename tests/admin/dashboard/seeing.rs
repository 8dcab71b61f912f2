//! That everybody can use the page: by night, on a phone, with a screen reader, without motion.

use super::{CHECKED, Shown};
use crate::harness::{Backend, eventually};
use serde_json::json;

#[test]
fn it_fits_a_phone_a_zoomed_window_and_a_wide_one() {
    let [one, two] = [Backend::plain(), Backend::plain()];
    let Some(shown) = Shown::over(&[&one, &two], CHECKED) else { return };
    shown.wait("#sentence", "All 2");
    shown.chrome.click(".name button");
    // 640 is a window of 1280 at 200 %.
    for width in [320, 360, 640, 768, 960, 1280, 2560] {
        shown.chrome.resize(width, 800);
        assert!(!shown.overflows(), "at {width} px");
    }
    shown.chrome.resize(360, 800);
    let small = shown.chrome.run(
        "return [...document.querySelectorAll('.actions button')]
        .filter((one) => one.getBoundingClientRect().height < 24).length",
    );
    assert_eq!(small, 0, "WCAG 2.2, 2.5.8: a finger meets 24 px");
    // As cards, rows are still rows of a table to whoever hears them.
    assert_eq!(shown.chrome.heard("#rows .row").0, "row");
    assert_eq!(shown.chrome.heard("#rows .row .name").0, "rowheader");
}

/// The least contrast between a text and what is behind it, by WCAG's formula, and whose it is.
const CONTRAST: &str = "
    const parts = (color) => {
        const canvas = document.createElement('canvas').getContext('2d');
        canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const bright = ([r, g, b]) => [r, g, b].map((one) => one / 255)
        .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
        .reduce((sum, one, index) => sum + one * [0.2126, 0.7152, 0.0722][index], 0);
    const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const color = parts(getComputedStyle(at).backgroundColor);
            if (color[3] === 255) return bright(color);
        }
        return 1;
    };
    let least = [21, ''];
    for (const node of document.querySelectorAll('body *')) {
        const own = [...node.childNodes].some((it) => it.nodeType === 3 && it.data.trim());
        if (!own || !node.checkVisibility() || node.closest('dialog, svg, .hidden')) continue;
        const [a, b] = [bright(parts(getComputedStyle(node).color)), behind(node)];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < least[0]) least = [ratio, node.className + ' ' + node.textContent];
    }
    return least";

#[test]
fn every_text_can_be_read_by_day_and_by_night() {
    let [one, two] = [Backend::plain(), Backend::plain()];
    let Some(shown) = Shown::over(&[&one, &two], CHECKED) else { return };
    let place = two.go_down();
    shown.wait("#sentence", "1 of 2 up");
    let paper = "return getComputedStyle(document.body).backgroundColor";
    let mut papers = Vec::new();
    for scheme in ["light", "dark"] {
        shown.chrome.prefer(&[("prefers-color-scheme", scheme)]);
        papers.push(shown.chrome.run(paper));
        let least = shown.chrome.run(CONTRAST);
        assert!(least[0].as_f64().unwrap() >= 4.5, "WCAG 1.4.3, {scheme}: {least}");
    }
    assert_ne!(papers[0], papers[1]);
    drop(place);
}

#[test]
fn nothing_moves_for_whoever_wants_no_motion() {
    let backend = Backend::plain();
    let Some(shown) = Shown::over(&[&backend], "") else { return };
    let moving = "return [...document.querySelectorAll('*')].filter((one) => {
        const style = getComputedStyle(one);
        return style.animationName !== 'none' || !/^(0s(, )?)+$/.test(style.transitionDuration);
    }).length";
    assert!(shown.chrome.run(moving).as_u64().unwrap() > 0);
    shown.chrome.prefer(&[("prefers-reduced-motion", "reduce")]);
    assert_eq!(shown.chrome.run(moving), 0);
}

#[test]
fn a_screen_reader_is_told_what_everything_is() {
    let [one, two] = [Backend::plain(), Backend::plain()];
    let Some(shown) = Shown::over(&[&one, &two], CHECKED) else { return };
    shown.wait("#sentence", "All 2");
    let table = [
        ("h1", "heading", "All 2 backends are up"),
        ("#heard", "status", ""),
        ("#history", "region", "Traffic"),
        ("#spans", "group", "How much is shown"),
        ("#spans button:last-child", "button", "1 hour"),
        (".chart:nth-child(1) .plot", "slider", "Requests a second"),
        (".chart:nth-child(4) .plot", "slider", "In flight"),
        ("#backends", "table", "Backends"),
        ("thead th:nth-child(3)", "columnheader", "Why, and since"),
        ("#rows .name", "rowheader", "A 127.0.0.1"),
        ("#rows .name button", "button", "A"),
        ("#rows .state", "cell", "Up"),
        ("[aria-label='Drain A']", "button", "Drain A"),
        ("#grave", "checkbox", "Warnings and errors only"),
        ("#timeline", "list", ""),
        ("#footer", "contentinfo", ""),
    ];
    for (css, role, label) in table {
        let (found, name) = shown.chrome.heard(css);
        assert_eq!(found, role, "{css}");
        assert!(name.starts_with(label), "{css} is called {name:?}");
    }
    shown.chrome.click("[aria-label='Drain A']");
    assert_eq!(shown.chrome.heard("#ask"), ("dialog".to_owned(), "Drain A?".to_owned()));
    shown.chrome.click("#ask-no");
    // Two in one line, and a level that is told to whoever does not see its shape.
    assert_eq!(shown.chrome.run("return document.documentElement.lang"), "en");
    assert_eq!(shown.chrome.count("main h1"), 1);
    assert_eq!(shown.chrome.count("main h2"), 3);
}

#[test]
fn times_are_of_the_readers_zone_and_durations_of_none() {
    let backend = Backend::plain();
    let Some(shown) = Shown::over(&[&backend], "") else { return };
    shown.wait("#timeline", "listening on");
    let read = "return [document.querySelector('#timeline time').textContent,
        document.querySelector('#timeline time').title, lasting(3 * 86400 + 4 * 3600 + 59),
        lasting(7384), lasting(40), lasting(185), count(0), count(1240), count(12345), count(4.5e6),
        count(1e19), count(NaN), count(null), millis(null), millis(12.34), millis(64000)]";
    let mut hours = Vec::new();
    for zone in ["UTC", "America/New_York"] {
        shown.chrome.devtools("Emulation.setTimezoneOverride", &json!({ "timezoneId": zone }));
        shown.open();
        shown.wait("#timeline", "listening on");
        let told = shown.chrome.run(read);
        let told: Vec<_> = told.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        assert_eq!(
            told[2..],
            [
                "3\u{a0}d 4\u{a0}h",
                "2\u{a0}h 3\u{a0}min",
                "40\u{a0}s",
                "3\u{a0}min 5\u{a0}s",
                "0",
                "1,240",
                "12.3k",
                "4.5M",
                "10E",
                "–",
                "–",
                "–",
                "12 ms",
                "64 s",
            ]
        );
        hours.push((told[0].to_owned(), told[1].to_owned()));
        shown.wait("#footer", zone);
    }
    assert_eq!(hours[0].1, hours[1].1, "the title is in UTC");
    assert_eq!(&hours[0].0[..8], &hours[0].1[11..19]);
    assert_ne!(hours[0].0, hours[1].0);
}

#[test]
fn a_page_that_slept_asks_at_once_and_does_not_cry_wolf() {
    let backend = Backend::plain();
    let Some(shown) = Shown::over(&[&backend], "") else { return };
    shown.wait("#sentence", "The one backend is up");
    // As after a night: no timer has run, and the last answer is long ago.
    shown.chrome.run("clearTimeout(polling); arrivedAt -= 3600e3; showPulse();");
    assert_eq!(shown.chrome.count("body.is-gone"), 0, "nobody was asked");
    let before = shown.chrome.run("return arrivedAt");
    shown.chrome.run("document.dispatchEvent(new Event('visibilitychange'))");
    eventually("it was asked", || shown.chrome.run("return arrivedAt") != before);
    assert_eq!(shown.chrome.count("body.is-gone"), 0);
}
