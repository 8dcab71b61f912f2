//! `make screenshots`: the pictures of docs/dashboard.md and the README, of a balancer that works.

use super::Shown;
use crate::chrome::Chrome;
use crate::harness::{Process, Scratch, Wire};
use crate::panel::Panel;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/pictures");
/// How long there is traffic before the first picture: the charts show five minutes.
const WARM: Duration = Duration::from_secs(240);
/// Requests a second at the busiest and at the quietest moment.
const RATES: [f64; 2] = [120.0, 420.0];
const CLIENTS: u32 = 16;
/// On one connection; no server keeps them for ever.
const REQUESTS: u32 = 400;

/// An application with latencies and errors of its own, which can be told to be unwell.
struct Application {
    port: u16,
    _process: Process,
}

impl Application {
    fn start(seed: u32, scratch: &Scratch) -> Self {
        let seed = seed.to_string();
        let arguments = ["backend", "--listen", "127.0.0.1:0", "--seed", &seed];
        let process = Process::evenly(&arguments, scratch.path());
        let line = process.printed.wait("127.0.0.1:");
        let rest = line.split("127.0.0.1:").nth(1).unwrap();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Self { port: digits.parse().unwrap(), _process: process }
    }

    fn flip(&self) {
        let mut wire = Wire::connect(([127, 0, 0, 1], self.port).into());
        wire.ask("POST /health/flip HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    }
}

/// One of the clients: its requests come and go as a working day does, only faster.
fn browse(address: SocketAddr, number: u32, begun: Instant, is_over: &AtomicBool) {
    let mut wire = Wire::connect(address);
    let mut count = number;
    while !is_over.load(Ordering::Relaxed) {
        let time = begun.elapsed().as_secs_f64();
        let tide = 0.5 + 0.32 * (time / 41.0).sin() + 0.18 * (time / 11.0).sin();
        let rate = (RATES[0] + (RATES[1] - RATES[0]) * tide) / f64::from(CLIENTS);
        // A stranger now and then asks for what is not there.
        let target = if count.is_multiple_of(90) { "/favicon.ico" } else { "/" };
        wire.ask(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        count += 1;
        if count.is_multiple_of(REQUESTS) {
            wire = Wire::connect(address);
        }
        thread::park_timeout(Duration::from_secs_f64(1.0 / rate));
    }
}

fn shoot(shown: &Shown, name: &str, height: u32) {
    let clip = shown.chrome.run("return [innerWidth, document.documentElement.scrollHeight]");
    let height = f64::from(height).min(clip[1].as_f64().unwrap());
    let area = json!({ "x": 0, "y": 0, "width": clip[0], "height": height, "scale": 1 });
    let asked = json!({ "format": "png", "clip": area, "captureBeyondViewport": true });
    let picture = shown.chrome.devtools("Page.captureScreenshot", &asked);
    let bytes = base64(picture["data"].as_str().unwrap());
    std::fs::write(Path::new(FOLDER).join(name), bytes).unwrap();
}

/// RFC 4648, section 4.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |byte| DIGITS.iter().position(|one| *one == byte);
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0, 0_u32);
    for value in text.bytes().filter_map(digit) {
        held = (held << 6 | value as u32) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}

#[test]
fn base64_is_read() {
    assert_eq!(base64("RXZlbmx5"), b"Evenly");
    assert_eq!(base64("bGI="), b"lb");
}

fn pause(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}

fn take(shown: &Shown, sick: &Application) {
    let wide = || shown.chrome.resize(1280, 886);
    let scheme = |name| shown.chrome.prefer(&[("prefers-color-scheme", name)]);
    wide();
    scheme("light");
    pause(WARM / 2);
    for mode in ["drain", "ready"] {
        assert_eq!(shown.panel.post(&format!("/backends/API03/{mode}")).status(), 200);
        pause(WARM / 40);
    }
    pause(WARM * 9 / 20);
    shoot(shown, "light.png", 886);
    scheme("dark");
    shoot(shown, "dark.png", 886);
    sick.flip();
    shown.wait("#sentence", "3 of 4 up");
    pause(Duration::from_secs(25));
    shown.chrome.click(".name button");
    shown.wait(".detail", "Last checks");
    pause(Duration::from_secs(2));
    shoot(shown, "down-dark.png", 960);
    scheme("light");
    shoot(shown, "down.png", 960);
    shown.chrome.click(".name button");
    shown.chrome.resize(390, 844);
    pause(Duration::from_secs(2));
    shoot(shown, "phone.png", 1400);
    wide();
    sick.flip();
    shown.wait("#sentence", "All 4 backends are up");
    pause(Duration::from_secs(20));
    shown.chrome.click("[aria-label='Drain API04']");
    pause(Duration::from_secs(1));
    shoot(shown, "drain.png", 860);
    shown.chrome.click("#ask-no");
    shown.chrome.run(
        "[...document.querySelectorAll('#timeline button')]
        .find((one) => one.textContent.includes('up -> down')).click(); window.scrollTo(0, 0)",
    );
    pause(Duration::from_secs(2));
    shoot(shown, "timeline.png", 1340);
}

/// Sends the clients away at its end, whatever ends it.
struct Over<'o>(&'o AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Takes seven minutes, and a browser with a good font.
#[test]
#[ignore = "it writes the pictures of the documentation: make screenshots"]
fn pictures() {
    let scratch = Scratch::new();
    let fonts = scratch.write(
        "fonts.conf",
        "<?xml version=\"1.0\"?><!DOCTYPE fontconfig SYSTEM \"fonts.dtd\"><fontconfig>\
         <include>/etc/fonts/fonts.conf</include><match target=\"pattern\">\
         <edit name=\"family\" mode=\"prepend\" binding=\"strong\"><string>Inter</string></edit>\
         </match></fontconfig>",
    );
    let all = [196, 294, 235, 253].map(|seed| Application::start(seed, &scratch));
    let mut settings = "health.interval = \"1s\"\nhealth.timeout = \"500ms\"\n\
        health.path = \"/health\"\nbalance.policy = \"weighted-round-robin\"\n"
        .to_owned();
    for (index, one) in all.iter().enumerate() {
        let weight = if index == 0 { 2 } else { 1 };
        let (number, port) = (index + 1, one.port);
        settings += &format!(
            "[[applications]]\nname = \"API0{number}\"\nip = \"127.0.0.1\"\n\
             port = {port}\nweight = {weight}\n"
        );
    }
    let panel = Panel::with(&[], &settings);
    let chrome = Chrome::with(&[], &[("FONTCONFIG_FILE", fonts.to_str().unwrap())]);
    let shown = Shown { chrome, panel };
    shown.panel.proxy.no_farewell();
    let (is_over, begun) = (AtomicBool::new(false), Instant::now());
    thread::scope(|scope| {
        let (address, is_over) = (shown.panel.proxy.address, &is_over);
        let _over = Over(is_over);
        (0..CLIENTS)
            .for_each(|number| drop(scope.spawn(move || browse(address, number, begun, is_over))));
        shown.open();
        take(&shown, &all[1]);
    });
}
