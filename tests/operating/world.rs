//! The world of a recipe: three demo applications, a balancer over them, and a shell beside it.

use crate::harness::{Process, Scratch, eventually, free_port};
use crate::page::Recipe;
use evenly::lab::backend::{Demo, DemoOptions};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// How long a command may take.
const COMMAND_S: u32 = 60;
/// Where the page has the balancers, and the applications.
const BALANCERS: [u16; 2] = [8080, 8081];
const APPLICATIONS: u16 = 9001;
/// One more than the file has, to be added.
const APPLICATIONS_MAX: u16 = 4;

pub struct World {
    scratch: Scratch,
    balancers: Vec<Process>,
    /// Ports of the page, and those that stand for them here.
    ports: Vec<(String, String)>,
    _demo: Demo,
}

impl World {
    /// As many balancers as the recipe speaks of.
    pub fn begin(recipe: &Recipe) -> Self {
        let scratch = Scratch::new();
        let listen = ([127, 0, 0, 1], 0).into();
        let demo = Demo::start(&DemoOptions {
            listen,
            instances: APPLICATIONS_MAX,
            ..DemoOptions::default()
        });
        let demo = demo.unwrap();
        let mut ports: Vec<(String, String)> = Vec::new();
        for (number, address) in demo.addresses().iter().enumerate() {
            let usual = APPLICATIONS + u16::try_from(number).unwrap();
            ports.push((usual.to_string(), address.port().to_string()));
        }
        ports.extend(BALANCERS.map(|usual| (usual.to_string(), free_port().to_string())));
        fs::create_dir(scratch.path().join("run")).unwrap();
        let mut world = Self { scratch, balancers: Vec::new(), ports, _demo: demo };
        for (folder, port) in [(".", BALANCERS[0]), ("lb2", BALANCERS[1])] {
            let speaks_of = |step: &crate::page::Step| step.command.contains("lb2");
            if folder == "." || recipe.steps.iter().any(speaks_of) {
                world.start_balancer(folder, port);
            }
        }
        world
    }

    fn start_balancer(&mut self, folder: &str, port: u16) {
        let at = self.scratch.path().join(folder);
        fs::create_dir_all(&at).unwrap();
        let file = self.as_here(&configuration(port));
        fs::write(at.join("applications.toml"), file).unwrap();
        let script = "unset EVENLY_ADMIN_SOCKET; exec \"$0\" serve";
        let mut command = Command::new("env");
        let run = format!("XDG_RUNTIME_DIR={}", self.scratch.path().join("run").display());
        command.args([&run, "sh", "-c", script, env!("CARGO_BIN_EXE_evenly")]);
        let process = Process::start(&mut command, &at);
        process.said.wait("listening on ");
        self.balancers.push(process);
        let port = &self.as_here(&port.to_string());
        let socket = self.scratch.path().join(format!("run/evenly-{port}.sock"));
        eventually("the balancer is there", || socket.exists());
    }

    /// What a command ends with, and what it prints on either side.
    pub fn run(&mut self, command: &str) -> (Option<i32>, Vec<String>) {
        let binary = Path::new(env!("CARGO_BIN_EXE_evenly")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let run = self.scratch.path().join("run").display().to_string();
        let command = self.as_here(command).replace("/run/evenly/", &format!("{run}/"));
        let script = format!("exec 2>&1\n{command}");
        let out = Command::new("timeout")
            .args([&COMMAND_S.to_string(), "bash", "-c", &script])
            .current_dir(self.scratch.path())
            .env_clear()
            .env("PATH", format!("{}:{path}", binary.display()))
            .env("XDG_RUNTIME_DIR", self.scratch.path().join("run"))
            .env("PID", self.balancers[0].id().to_string())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect();
        (out.status.code(), printed)
    }

    /// With the ports of this world.
    fn as_here(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (page, here)| text.replace(page, here))
    }

    /// With those of the page.
    pub fn as_on_the_page(&self, lines: &[String]) -> Vec<String> {
        let run = self.scratch.path().join("run");
        let line = |line: &String| {
            let line = line.replace(&run.display().to_string(), "/run/evenly");
            self.ports.iter().fold(line, |line, (page, here)| line.replace(here, page))
        };
        lines.iter().map(line).collect()
    }

    /// What the first balancer has said so far.
    pub fn said(&self) -> String {
        self.balancers[0].said.all().join("\n")
    }
}

impl Drop for World {
    /// One that was upgraded is another process than the one that was started.
    fn drop(&mut self) {
        for folder in [".", "lb2"] {
            if self.scratch.path().join(folder).join("applications.toml").exists() {
                let end = "pid=$(evenly status --json 2>&- | tr ',{' '\\n\\n' | \
                     sed -n 's/^\"pid\":\\([0-9]*\\).*/\\1/p'); [ -z \"$pid\" ] || kill -KILL $pid";
                self.run(&format!("cd {folder} && {end}"));
            }
        }
    }
}

fn configuration(port: u16) -> String {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\nserved_by = true\nrequest_id = true\n\n\
         [health]\ninterval = \"1s\"\ntimeout = \"1s\"\n\n\
         [log]\naccess = \"json\"\nto = \"./access.log\"\n"
    );
    for number in 0..3 {
        let (name, port) = (format!("API0{}", number + 1), APPLICATIONS + number);
        write!(text, "\n[[applications]]\nname = \"{name}\"\nip = \"127.0.0.1\"\nport = {port}\n")
            .unwrap();
    }
    text
}
