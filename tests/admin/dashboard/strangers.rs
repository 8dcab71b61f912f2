//! What has befallen the pages of others, tried on this one.

use super::Shown;
use crate::chrome::Chrome;
use crate::harness::{Backend, eventually, has};
use crate::panel::Panel;
use rustix::process::Signal;
use serde_json::json;

/// An hour of points by twos, without those of one minute, with one peak of a single point.
const HOUR: &str = "
    clearTimeout(polling);
    const end = Math.floor(now());
    const times = Array.from({ length: 1800 }, (_, index) => end - 3600 + 2 * index)
        .filter((time) => time < end - 1800 || time > end - 1740);
    points = { period: 2, last: 1800, columns: { time_s: times } };
    for (const name of COLUMNS.slice(1)) points.columns[name] = times.map(() => 2);
    points.columns.p99_ms[100] = 4321;
    points.columns.p50_ms = times.map(() => null);
    view.span = 3600;
    showCharts();";

#[test]
fn a_gap_stays_a_gap_and_a_peak_a_peak_in_an_hour_of_points() {
    let backend = Backend::plain();
    let Some(shown) = Shown::over(&[&backend], "") else { return };
    shown.wait("#sentence", "The one backend is up");
    shown.chrome.run(HOUR);
    let chart = |number: u32, what: &str| {
        shown.chrome.count(&format!(".chart:nth-child({number}) path{what}"))
    };
    assert_eq!(chart(3, ".line.p99:not(.chart .legend *)"), 2, "two stretches");
    assert_eq!(chart(3, ".line.p50:not(.chart .legend *)"), 0, "of nothing no line");
    let drawn = shown.chrome.run(
        "return [charts[2].top, charts[0].buckets.length,
        document.querySelector('#charts').innerHTML.includes('NaN'),
        Math.max(...charts[0].buckets.map(rateOf))]",
    );
    assert_eq!(drawn[0], 6000.0, "{drawn}");
    assert!(drawn[1].as_u64().unwrap() <= 451, "{drawn}");
    assert_eq!(drawn[2], false);
    assert_eq!(drawn[3], 6.0, "five classes and TCP, 2 in 2 s each");
}

#[test]
fn a_page_that_is_open_for_days_keeps_no_more_than_an_hour() {
    let backend = Backend::plain();
    let Some(shown) = Shown::over(&[&backend], "") else { return };
    shown.wait("#sentence", "The one backend is up");
    let kept = shown.chrome.run(
        "
        clearTimeout(polling);
        const news = (last) => ({ period_s: 2, last,
            columns: Object.fromEntries(COLUMNS.map((name) => [name, [last]])) });
        const before = document.querySelectorAll('*').length;
        for (let second = 1; second < 5000; second++) {
            const next = structuredClone(status);
            next.process.uptime_s += 1;
            arrive(next);
            keep(news(1e6 + second));
        }
        for (let round = 0; round < 20; round++) show();
        const most = Math.max(...[...looks.values()].map((it) => it.length));
        return [points.columns.time_s.length, most,
            document.querySelectorAll('*').length - before]",
    );
    assert_eq!((kept[0].as_u64(), kept[1].as_u64()), (Some(1800), Some(61)));
    assert!(kept[2].as_i64().unwrap() < 200, "elements: {kept}");
}

#[test]
fn questions_do_not_pile_up_while_nobody_answers() {
    let backend = Backend::plain();
    let Some(shown) = Shown::over(&[&backend], "") else { return };
    shown.wait("#sentence", "The one backend is up");
    shown.chrome.run(
        "
        const real = window.fetch;
        window.open_ = 0; window.most = 0;
        window.fetch = (...all) => {
            window.most = Math.max(window.most, ++window.open_);
            return real(...all).finally(() => window.open_--);
        };",
    );
    shown.panel.proxy.process.signal(Signal::STOP);
    eventually("it is grey", || shown.chrome.count("body.is-gone") == 1);
    (0..5).for_each(|_| {
        shown.chrome.run("document.dispatchEvent(new Event('visibilitychange'))");
    });
    let most = shown.chrome.run("return window.most").as_u64().unwrap();
    shown.panel.proxy.process.signal(Signal::CONT);
    eventually("it is back", || shown.chrome.count("body.is-gone") == 0);
    assert!(most <= 3, "{most} at once");
}

#[test]
fn a_proxy_in_front_whose_balancer_is_gone_is_no_balancer() {
    let backend = Backend::plain();
    let Some(shown) = Shown::over(&[&backend], "") else { return };
    shown.wait("#sentence", "The one backend is up");
    shown.chrome.run(
        "window.real = window.fetch; window.fetch = async () =>
        new Response('<html><h1>502 Bad Gateway</h1></html>', { status: 502 });",
    );
    eventually("it is grey", || shown.chrome.count("body.is-gone") == 1);
    shown.chrome.run("window.fetch = window.real");
    eventually("it is back", || shown.chrome.count("body.is-gone") == 0);
    shown.holds_to_the_policy();
}

#[test]
fn a_page_that_came_in_the_clear_misses_nothing() {
    if !(has("chromium") && has("chromedriver")) {
        return;
    }
    let backend = Backend::plain();
    let panel = Panel::with(&[&backend], "admin.hosts = [\"lb.test\"]");
    let chrome = Chrome::with(&["--host-resolver-rules=MAP lb.test 127.0.0.1"], &[]);
    let shown = Shown { chrome, panel };
    shown.chrome.open(&format!("http://lb.test:{}/", shown.panel.address.port()));
    assert_eq!(shown.chrome.run("return isSecureContext"), false);
    shown.wait("#sentence", "The one backend is up");
    shown.holds_to_the_policy();
}

#[test]
fn it_prints_without_what_can_only_be_pressed() {
    let backend = Backend::plain();
    let Some(shown) = Shown::over(&[&backend], "") else { return };
    shown.wait("#rows .name", "A");
    let printed = shown.chrome.devtools("Page.printToPDF", &json!({ "printBackground": true }));
    assert!(printed["data"].as_str().unwrap().starts_with("JVBERi0"), "a PDF");
    shown.chrome.devtools("Emulation.setEmulatedMedia", &json!({ "media": "print" }));
    let seen = "return ['.actions', '#spans', '#rows .state', '.chart']
        .map((css) => document.querySelector(css).checkVisibility())";
    assert_eq!(shown.chrome.run(seen), json!([false, false, true, true]));
}
