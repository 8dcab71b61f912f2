//! Chromium as it is shipped, led by chromedriver over its HTTP interface (W3C WebDriver).

use crate::harness::{Process, Scratch, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// For one command: a browser takes its time to start on a machine that has other things to do.
const COMMAND: Duration = Duration::from_secs(60);
/// How WebDriver marks an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser of its own, with one window; dropping it ends it and its driver.
pub struct Chrome {
    agent: ureq::Agent,
    session: String,
    browser: Option<Pid>,
    _driver: Process,
    _scratch: Scratch,
}

impl Chrome {
    pub fn start() -> Self {
        Self::with(&[], &[])
    }

    /// With more arguments, and variables of its environment.
    pub fn with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new();
        let (driver, port) = start_driver(&scratch, variables);
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.timeout_global(Some(COMMAND)).proxy(None).build().new_agent();
        let mut own = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            "--window-size=1280,900",
        ];
        own.extend(arguments);
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": { "browser": "ALL" }, "goog:chromeOptions": { "args": own },
        } } });
        let session = format!("http://127.0.0.1:{port}/session");
        let mut own = Self { agent, session, browser: None, _driver: driver, _scratch: scratch };
        let begun = own.post("", &wanted);
        own.session = format!("{}/{}", own.session, begun["sessionId"].as_str().unwrap());
        let pid = begun["capabilities"]["goog:processID"].as_i64();
        own.browser = pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).unwrap()));
        own
    }

    /// What a command of the session comes to, or the error that it is refused with.
    fn ask(&self, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let answer = match body {
            Some(body) => {
                let asked = self.agent.post(&url).header("Content-Type", "application/json");
                asked.send(body.to_string())
            }
            None => self.agent.get(&url).call(),
        };
        let mut answer = answer.unwrap();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        let value = serde_json::from_str::<Value>(&text).unwrap()["value"].clone();
        if answer.status().is_success() { Ok(value) } else { Err(format!("{path}: {value}")) }
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask(path, Some(body)).unwrap()
    }

    pub fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// What a script with this body returns.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The text of the first element that matches, as it stands in the page.
    pub fn text(&self, css: &str) -> String {
        let found = self.run(&format!("return document.querySelector({css:?})?.textContent"));
        found.as_str().unwrap_or_default().to_owned()
    }

    /// How many elements match.
    pub fn count(&self, css: &str) -> u64 {
        self.run(&format!("return document.querySelectorAll({css:?}).length")).as_u64().unwrap()
    }

    fn element(&self, css: &str) -> Result<String, String> {
        let found =
            self.ask("/element", Some(&json!({ "using": "css selector", "value": css })))?;
        Ok(found[ELEMENT].as_str().unwrap().to_owned())
    }

    /// Asks of an element that may be replaced meanwhile, until that comes to something.
    fn of(&self, css: &str, ask: impl Fn(&str) -> Result<Value, String>) -> Value {
        let (mut came, mut why) = (None, String::new());
        eventually(&format!("{css} is there"), || {
            match self.element(css).and_then(|id| ask(&id)) {
                Ok(value) => came = Some(value),
                Err(error) => why = error,
            }
            came.is_some()
        });
        came.unwrap_or_else(|| panic!("{css}: {why}"))
    }

    /// Clicks as a person does: where the element is, and not if something is above it.
    pub fn click(&self, css: &str) {
        self.of(css, |id| self.ask(&format!("/element/{id}/click"), Some(&json!({}))));
    }

    /// Presses keys where the focus is; in an element's own input, if one is named.
    pub fn type_into(&self, css: &str, keys: &str) {
        let typed = json!({ "text": keys });
        self.of(css, |id| self.ask(&format!("/element/{id}/value"), Some(&typed)));
    }

    /// Presses one key, wherever the focus is.
    pub fn press(&self, key: char) {
        let down = |kind: &str| json!({ "type": kind, "value": key.to_string() });
        let keys = [down("keyDown"), down("keyUp")];
        let actions = json!({ "actions": [{ "type": "key", "id": "keys", "actions": keys }] });
        self.post("/actions", &actions);
    }

    /// The role and the name that a screen reader is told.
    pub fn heard(&self, css: &str) -> (String, String) {
        let [role, label] = ["role", "label"].map(|what| {
            let found = self.of(css, |id| self.ask(&format!("/element/{id}/computed{what}"), None));
            found.as_str().unwrap().to_owned()
        });
        (role, label)
    }

    /// What the browser has complained of since it was last asked.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let lines = log.as_array().unwrap().iter();
        lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }

    /// A command of the DevTools.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("/goog/cdp/execute", &body)
    }

    /// A window of this size in pixels of the page.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// What the reader's system asks for: `prefers-color-scheme`, `dark`.
    pub fn prefer(&self, features: &[(&str, &str)]) {
        let features: Value =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }
}

/// The driver, and the port that it has taken. It takes one that is free for IPv6, gives up where
/// somebody else has that for IPv4, and begins anew.
fn start_driver(scratch: &Scratch, variables: &[(&str, &str)]) -> (Process, u16) {
    const BEGUN: &str = "successfully on port ";
    loop {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("HOME", scratch.path()).env("TZ", "UTC");
        command.envs(variables.iter().copied());
        let driver = Process::start(&mut command, scratch.path());
        let mut line = None;
        eventually("chromedriver has begun, or given up", || {
            let all = driver.printed.all();
            line = all.into_iter().find(|it| it.contains(BEGUN) || it.contains("not available"));
            line.is_some()
        });
        if let Some((_, port)) = line.unwrap().split_once(BEGUN) {
            let port = port.trim_end_matches('.').parse().unwrap();
            return (driver, port);
        }
    }
}

impl Drop for Chrome {
    fn drop(&mut self) {
        // Waits until the browser has ended; whatever is in the way of that, its pid is known.
        let ended = self.agent.delete(&self.session).call();
        if let (false, Some(pid)) = (ended.is_ok_and(|it| it.status().is_success()), self.browser) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
