//! The dashboard as a person meets it: in Chromium, with a pointer, a keyboard or a screen reader.

mod acting;
mod pictures;
mod reading;
mod seeing;
mod served;
mod strangers;

use crate::chrome::Chrome;
use crate::harness::{Place, eventually, has};
use crate::panel::Panel;

/// Checks often enough for a test, as a page shows them.
const CHECKED: &str = "health.interval = \"200ms\"\nhealth.timeout = \"200ms\"";

/// A balancer with its page open in a browser.
struct Shown {
    chrome: Chrome,
    panel: Panel,
}

impl Shown {
    /// None if there is no browser here.
    fn over(backends: &[&dyn Place], settings: &str) -> Option<Self> {
        if !(has("chromium") && has("chromedriver")) {
            return None;
        }
        let panel = Panel::with(backends, settings);
        let shown = Self { chrome: Chrome::start(), panel };
        shown.open();
        Some(shown)
    }

    fn open(&self) {
        self.chrome.open(&format!("http://{}/", self.panel.address));
    }

    /// Waits until the text of an element has this in it.
    fn wait(&self, css: &str, part: &str) {
        let mut text = String::new();
        let what = format!("{css} says {part:?}");
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(&what, || {
                text = self.chrome.text(css);
                text.contains(part)
            });
        }));
        assert!(found.is_ok(), "{what}: {text:?}");
    }

    /// The element that has the focus, as `tag#id` or by its label or text.
    fn focus(&self) -> String {
        let script = "const at = document.activeElement; return at.getAttribute('aria-label')
            || at.id || at.textContent.trim() || at.tagName";
        self.chrome.run(script).as_str().unwrap().to_owned()
    }

    /// True if something is wider than the window.
    fn overflows(&self) -> bool {
        let script = "return document.documentElement.scrollWidth > innerWidth";
        self.chrome.run(script).as_bool().unwrap()
    }

    /// The browser has complained of nothing.
    fn holds_to_the_policy(&self) {
        let complaints = self.chrome.complaints();
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}
