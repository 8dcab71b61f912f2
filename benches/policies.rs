//! The policies side by side on real sockets: demo backends with seeds, the balancer with each
//! policy in front of them, the load generator in front of that, and a page with what came of it.
//!
//! `make bench-policies`, or `cargo bench --bench policies -- [FILE]`. It takes about a minute.
//! Retries are off, so that policies are compared by their picks. Nothing is asserted: what is
//! claimed of policies is claimed by the simulator, where one run is like the other.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use evenly::lab::backend::{Demo, DemoOptions};
use evenly::lab::bench::{self, LoadPlan, LoadTally};
use evenly::lab::report::{Axis, Page, Plot, Scale, Series, Table};
use evenly::pool::policy::Kind;

/// The backends' patterns: each seed makes five of them.
const SEEDS: [u64; 2] = [1, 2];
const BACKENDS: u16 = 5;
const WORKERS: usize = 16;
/// Before the measurement: connections are opened, scores are formed.
const WARM_UP: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(3);
/// How long a balancer may take to listen.
const START_MAX: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds `--bench`.
    let named = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let path = PathBuf::from(named.unwrap_or_else(|| "target/policies.html".into()));
    let mut page = Page::new("Policies compared on real sockets", lead());
    let mut out = io::stdout().lock();
    for seed in SEEDS {
        let runs = runs(seed)?;
        writeln!(out, "seed {seed}")?;
        table(&runs).write_text(&mut out)?;
        writeln!(out)?;
        page.table(format!("Seed {seed}"), "", table(&runs));
        page.plot(format!("Seed {seed}: latency"), "", latencies(&runs, seed));
    }
    let mut file = BufWriter::new(create(&path)?);
    page.write_html(&mut file)?;
    file.flush()?;
    writeln!(out, "{}", path.display())?;
    Ok(())
}

fn lead() -> String {
    format!(
        "{BACKENDS} demo backends whose latencies and errors a seed decides, the balancer with \
         retries off and its other settings as they come, and {WORKERS} connections that ask \
         again as soon as they have their answer, for {} s a policy.\n\n\
         Errors are answers with a status of 400 and above, and answers that never came whole. \
         There is one client: hash sends it where it belongs, as first-alive sends everybody, and \
         so both show one backend.",
        MEASURED.as_secs()
    )
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// What came of a policy.
struct Run {
    policy: &'static str,
    tally: LoadTally,
}

/// Each policy over backends of its own: what one did to them is no start for the next.
fn runs(seed: u64) -> Result<Vec<Run>, Box<dyn Error>> {
    let run = |(policy, _): (&'static str, Kind)| {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = DemoOptions { listen, instances: BACKENDS, seed, ..DemoOptions::default() };
        let demo = Demo::start(&options)?;
        let balancer = Balancer::start(policy, &demo)?;
        let mut plan = LoadPlan::to(format!("http://{}/", balancer.address).parse()?);
        plan.workers = WORKERS;
        plan.duration = Some(WARM_UP);
        bench::run(&plan).map_err(|refusal| refusal.to_string())?;
        plan.duration = Some(MEASURED);
        let tally = bench::run(&plan).map_err(|refusal| refusal.to_string())?;
        Ok(Run { policy, tally })
    };
    Kind::ALL.into_iter().map(run).collect()
}

/// The program itself, as a process that ends when this is dropped.
struct Balancer {
    child: Child,
    address: SocketAddr,
}

impl Balancer {
    fn start(policy: &str, demo: &Demo) -> Result<Balancer, Box<dyn Error>> {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("policies.toml");
        fs::write(&file, applications(demo))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
        command.env_clear().args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file);
        let policy = format!("balance.policy={policy}");
        for setting in [policy.as_str(), "server.served_by=true", "retry.attempts=0"] {
            command.args(["--set", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn()?;
        // From here on, a failure ends the process as well.
        let mut balancer = Balancer { child, address: SocketAddr::from(([0, 0, 0, 0], 0)) };
        balancer.address = listening(&lines(&mut balancer.child))?;
        fs::remove_file(&file)?;
        Ok(balancer)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // It fails only where the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn applications(demo: &Demo) -> String {
    let tables = demo.names().zip(demo.addresses()).map(|(name, address)| {
        let (ip, port) = (address.ip(), address.port());
        format!("[[applications]]\nname = \"{name}\"\nip = \"{ip}\"\nport = {port}\n")
    });
    tables.collect()
}

/// What the process says, read to its end, so that it never finds the pipe full.
fn lines(child: &mut Child) -> Receiver<String> {
    let (said, lines) = mpsc::channel();
    if let Some(stderr) = child.stderr.take() {
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Nobody listens once the address is known.
                let _ = said.send(line);
            }
        });
    }
    lines
}

fn listening(lines: &Receiver<String>) -> Result<SocketAddr, Box<dyn Error>> {
    let mut said = String::new();
    while let Ok(line) = lines.recv_timeout(START_MAX) {
        if let Some((_, rest)) = line.split_once("listening on ") {
            let address = rest.split([' ', ',']).next().unwrap_or(rest);
            return Ok(address.trim_end_matches(':').parse()?);
        }
        said += &line;
        said.push('\n');
    }
    Err(format!("the balancer does not listen; it said:\n{said}").into())
}

fn table(runs: &[Run]) -> Table {
    let mut names: Vec<&str> =
        runs.iter().flat_map(|run| run.tally.served_by.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let fixed = ["policy", "requests/s", "errors %", "p50 ms", "p90 ms", "p99 ms", "max ms"];
    let shares = names.iter().map(|name| format!("{name} %"));
    let mut table = Table::new(fixed.map(String::from).into_iter().chain(shares));
    for Run { policy, tally } in runs {
        let part = |count: u64| 100.0 * count as f64 / tally.requests().max(1) as f64;
        let mut cells = vec![policy.to_string(), format!("{:.0}", tally.rate())];
        cells.push(format!("{:.2}", part(tally.requests() - tally.ok())));
        for quantile in [0.5, 0.9, 0.99, 1.0] {
            cells.push(format!("{:.1}", ms(tally.latency.value_at_quantile(quantile))));
        }
        for name in &names {
            let count = tally.served_by.get(*name).copied().unwrap_or(0);
            cells.push(format!("{:.1}", part(count)));
        }
        table.row(cells);
    }
    table
}

fn latencies(runs: &[Run], seed: u64) -> Plot {
    let axis = |label: &str, scale| Axis { label: label.into(), scale };
    let series = |run: &Run| {
        let steps = run.tally.latency.iter_quantiles(10);
        let points =
            steps.map(|step| (100.0 * step.quantile_iterated_to(), ms(step.value_iterated_to())));
        Series { name: run.policy.into(), points: points.collect() }
    };
    Plot {
        title: format!("Seed {seed}: latency"),
        x: axis("percentile (%)", Scale::Percentile),
        y: axis("latency (ms)", Scale::Log),
        series: runs.iter().map(series).collect(),
    }
}

fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}
