//! Pages that attack the endpoint through the browser of somebody who may use it. The browser is
//! Chromium as it is shipped; that each attack is a real one is shown by the endpoint that has its
//! guard down.

use crate::harness::{Backend, Place, Process, Scratch, Wire, eventually, has};
use crate::panel::Panel;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

/// Serves a page, and hears what its script reports.
fn site(page: impl Fn() -> String + Send + Sync + 'static) -> Backend {
    Backend::every(move |wire| {
        while let Some(request) = wire.request() {
            let body = if request.target() == "/" { page() } else { String::new() };
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ";
            if !wire.offer(format!("{head}{}\r\n\r\n{body}", body.len())) {
                return;
            }
        }
    })
}

/// A script that runs these attempts, each an expression of a promise, and reports at `reports`
/// what came of them: `status 200`, `read`, `failed`.
fn page(attempts: &[String], reports: u16) -> String {
    let attempts = attempts.join(",\n");
    format!(
        "<!doctype html><body><script>
         const form = (url) => new Promise((done) => {{
             const frame = document.createElement('iframe');
             frame.name = 'f' + Math.random();
             const form = document.createElement('form');
             Object.assign(form, {{ action: url, method: 'POST', target: frame.name }});
             frame.onload = () => done({{ type: 'form' }});
             document.body.append(frame, form);
             form.submit();
             setTimeout(() => done({{ type: 'form' }}), 3000);
         }});
         const beacon = async (url) => ({{ type: 'beacon', ok: navigator.sendBeacon(url, 'x') }});
         const image = (url) => new Promise((done) => {{
             const image = new Image();
             image.onload = image.onerror = () => done({{ type: 'image' }});
             image.src = url;
         }});
         const attempts = [() => 0, {attempts}].slice(1);
         (async () => {{
             const came = [];
             for (const attempt of attempts) {{
                 try {{
                     const answer = await attempt();
                     came.push(answer.status !== undefined && answer.type !== 'opaque'
                         ? answer.type + ' ' + answer.status : answer.type);
                 }} catch (error) {{ came.push('failed'); }}
             }}
             await fetch('http://127.0.0.1:{reports}/report?' + came.join(','),
                 {{ mode: 'no-cors' }});
         }})();
         </script>"
    )
}

/// A browser at `url`, for which the name evil.test leads to `evil`.
fn browse(scratch: &Scratch, url: &str, evil: Ipv4Addr) -> Process {
    let folder = scratch.path().display();
    let mut command = Command::new("chromium");
    command.env("HOME", scratch.path()).args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--remote-debugging-port=0",
        &format!("--user-data-dir={folder}/profile"),
        &format!("--host-resolver-rules=MAP evil.test {evil}"),
        url,
    ]);
    Process::start(&mut command, scratch.path())
}

/// What the page at `url` reports.
fn reported(reports: &Backend, url: &str, evil: Ipv4Addr) -> Vec<String> {
    let scratch = Scratch::new();
    let _browser = browse(&scratch, url, evil);
    let mut report = None;
    for _ in 0..3 {
        // A browser takes its time to start, on a machine that has other things to do.
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("the page reports", || {
                let all = reports.requests();
                report = all.iter().find_map(|request| {
                    let target = request.target().strip_prefix("/report?")?;
                    Some(target.replace("%20", " "))
                });
                report.is_some()
            });
        }));
        if found.is_ok() {
            break;
        }
    }
    report.expect("the page reports").split(',').map(str::to_owned).collect()
}

/// All ways in which a page can send something elsewhere.
fn attempts(endpoint: SocketAddr) -> Vec<String> {
    let at = |path: &str| format!("'http://{endpoint}{path}'");
    let drain = at("/backends/A/drain?force=1");
    vec![
        format!("() => fetch({drain}, {{ method: 'POST' }})"),
        format!("() => fetch({drain}, {{ method: 'POST', mode: 'no-cors' }})"),
        format!("() => fetch({drain}, {{ method: 'POST', mode: 'no-cors', body: 'x=1' }})"),
        format!("() => fetch({drain}, {{ method: 'POST', headers: {{ 'X-Evenly': '1' }} }})"),
        format!("() => fetch({}, {{ credentials: 'include' }})", at("/status")),
        format!("() => beacon({drain})"),
        format!("() => form({drain})"),
        format!("() => image({drain})"),
        format!("() => image({})", at("/status")),
    ]
}

/// What a page can know of these: nothing was read. Not even that something was answered is shown
/// to a `no-cors` fetch, as the answer has a Cross-Origin-Resource-Policy.
fn knows_nothing(came: &[String]) {
    let fetched = ["failed"; 5];
    assert_eq!(came, [&fetched[..], &["beacon", "form", "image", "image"]].concat());
}

/// What a page at this host, that is not the endpoint's, tries in a browser comes to nothing.
fn tries_in_vain_from(host: &str) {
    if !has("chromium") {
        return;
    }
    let backends = [Backend::plain(), Backend::plain()];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    let (reports, endpoint) = (site(String::new), panel.address);
    let port = reports.port();
    let attacker = site(move || page(&attempts(endpoint), port));
    let url = format!("http://{host}:{}/", attacker.port());
    knows_nothing(&reported(&reports, &url, Ipv4Addr::LOCALHOST));
    panel.proxy.process.said.wait("is refused with 403");
    assert_eq!(panel.mode(), "ready");
}

#[test]
fn a_page_at_another_port_of_this_host_changes_and_reads_nothing() {
    tries_in_vain_from("127.0.0.1");
}

#[test]
fn a_page_of_another_site_changes_and_reads_nothing() {
    tries_in_vain_from("evil.test");
}

/// Where evil.test leads: to a page of its own at first, and to `endpoint` ever after. So it is
/// with a name whose address changes while its page is shown. The port is the same at both.
fn rebind(listener: TcpListener, endpoint: SocketAddr, page: String) {
    thread::spawn(move || {
        let mut wire = Wire::of(listener.accept().unwrap().0);
        while wire.request().is_none_or(|request| request.target() != "/") {
            wire = Wire::of(listener.accept().unwrap().0);
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
        wire.send(format!("{head}Content-Length: {}\r\n\r\n{page}", page.len()));
        drop(wire);
        while let Ok((client, _)) = listener.accept() {
            let server = TcpStream::connect(endpoint).unwrap();
            let [back, forth] = [(&server, &client), (&client, &server)]
                .map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()));
            for (mut from, mut to) in [back, forth] {
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        }
    });
}

/// What a page finds out and changes whose name leads to the endpoint.
fn rebound(settings: &str) -> (Vec<String>, String) {
    let backends = [Backend::plain(), Backend::plain()];
    let elsewhere = Ipv4Addr::new(127, 0, 0, 2);
    // The kernel chose the port for the endpoint, and somebody may have it elsewhere.
    let mut pairs = (0..20).filter_map(|_| {
        let panel = Panel::with(&[&backends[0], &backends[1]], settings);
        let listener = TcpListener::bind((elsewhere, panel.address.port())).ok()?;
        Some((panel, listener))
    });
    let (panel, listener) = pairs.next().unwrap();
    let reports = site(String::new);
    let own = "{ method: 'POST', headers: { 'X-Evenly': '1' } }";
    let attempts = [
        "() => fetch('/status')".to_owned(),
        format!("() => fetch('/backends/A/drain?force=1', {own})"),
    ];
    let page = page(&attempts, reports.port());
    rebind(listener, panel.address, page);
    let url = format!("http://evil.test:{}/", panel.address.port());
    let came = reported(&reports, &url, elsewhere);
    (came, panel.mode())
}

#[test]
fn a_name_that_comes_to_lead_to_the_endpoint_is_none_of_its_names() {
    if !has("chromium") {
        return;
    }
    let (came, mode) = rebound("");
    assert_eq!(came, ["basic 421", "basic 421"]);
    assert_eq!(mode, "ready");
    // Nothing else is in the way of such a page: not X-Evenly, and no word of the browser's.
    let (came, mode) = rebound("admin.hosts = [\"evil.test\"]");
    assert_eq!(came, ["basic 200", "basic 200"]);
    assert_eq!(mode, "drain");
}
