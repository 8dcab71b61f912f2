//! A program that balances its own calls: no proxy stands between.
//!
//! `cargo run --example failover` starts two demo APIs, turns one ill, then both, and brings one
//! back. Your own would begin with `Client::from_file("applications.toml")`.

use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use evenly::client::{Client, Request, Step};
use evenly::lab::backend::{Demo, DemoOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let listen = ([127, 0, 0, 1], 0).into();
    let apis = Demo::start(&DemoOptions { listen, instances: 2, ..DemoOptions::default() })?;
    let [first, second] = apis.addresses()[..] else {
        return Err("two were asked for".into());
    };
    let client = Client::builder()
        .backend("first", first)
        .backend("second", second)
        .set("health.interval", "100ms")
        .build()?
        .with_wait(Duration::from_secs(10));
    let mut out = io::stdout().lock();
    writeln!(out, "Both are well: {}", client.get("/")?.text())?;

    apis.flip(0);
    await_usable(&client, &["second"]);
    writeln!(out, "The first is ill: {}", client.get("/")?.text())?;

    let body = br#"{"id": 7}"#;
    let echo = client.request("POST", "/orders", &[("Content-Type", "application/json")], body)?;
    writeln!(out, "A POST, sent once: {} from {}", echo.text(), echo.backend())?;

    apis.flip(1);
    await_usable(&client, &[]);
    let mut is_ill = true;
    let answer = client.send_told(&Request::new("GET", "/"), &mut |step| {
        // Nobody is left, and the call waits: the first recovers meanwhile.
        if is_ill && matches!(step, Step::Waiting(_)) {
            apis.flip(0);
            is_ill = false;
        }
    })?;
    writeln!(out, "Waited for the first: {}", answer.text())?;
    Ok(())
}

/// A backend is down when three checks in a row have failed.
fn await_usable(client: &Client, names: &[&str]) {
    while client.usable() != names {
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
