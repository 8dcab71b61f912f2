//! What the page is made of, without a browser.

use crate::harness::Backend;
use crate::panel::Panel;

const PARTS: [(&str, &str); 3] = [
    ("/", "text/html; charset=utf-8"),
    ("/style.css", "text/css; charset=utf-8"),
    ("/script.js", "text/javascript; charset=utf-8"),
];

#[test]
fn the_page_is_small_and_may_load_nothing_from_elsewhere() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let mut bytes = 0;
    for (path, kind) in PARTS {
        let part = panel.get(path);
        assert_eq!((part.status(), part.field("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(part.field("cache-control"), Some("no-store"));
        assert_eq!(part.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(part.field("cross-origin-resource-policy"), Some("same-origin"));
        let policy = part.field("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        let text = part.text();
        // A namespace of SVG is a name, and is asked for by nobody.
        let linked = text.replace("http://www.w3.org/2000/svg", "").replace("http${", "");
        assert!(!linked.contains("http:") && !linked.contains("https:"), "{path}");
        assert!(!text.contains("innerHTML") && !text.contains("eval("), "{path}");
        bytes += text.len();
    }
    assert!(bytes <= 60_000, "{bytes} bytes");
}

#[test]
fn the_page_is_for_everybody_and_what_it_shows_for_whoever_has_the_token() {
    let backend = Backend::plain();
    let panel = Panel::with(&[&backend], "admin.token = \"a-token-of-ours-16\"");
    let get = |path: &str, host: &str| {
        panel.connect().ask(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    };
    let own = panel.address.to_string();
    for (path, _) in PARTS {
        assert_eq!(get(path, &own).status(), 200, "{path}");
        assert_eq!(get(path, "evil.test").status(), 421, "{path}");
    }
    for path in ["/status", "/events", "/config"] {
        assert_eq!(get(path, &own).status(), 401, "{path}");
    }
}
