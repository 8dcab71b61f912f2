//! Programs that nobody here wrote, through a listener of mode "tcp". One that is missing fails its
//! test, which says what to install.

use super::{TCP, echo, passing, record, with};
use crate::harness::{
    Backend, Certs, Keyed, Place, Process, Proxy, Scratch, Server, Wire, eventually, free_port,
};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The program of this name, wherever it is.
fn program(name: &str, package: &str) -> PathBuf {
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    // Debian keeps each version of PostgreSQL apart, and servers where users do not look.
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders.push("/usr/sbin".into());
    let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is missing: apt-get install {package}"))
}

fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&stderr));
    text
}

fn redis(scratch: &Scratch) -> Server {
    let port = free_port();
    let mut command = Command::new(program("redis-server", "redis-server"));
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]);
    Server::listening(Process::start(command.arg(scratch.path()), scratch.path()), port)
}

#[test]
fn redis_is_served_over_many_connections_at_once() {
    let scratch = Scratch::new();
    let (one, two) = (redis(&scratch), redis(&scratch));
    // Each has data of its own: a client must not be sent from one to the other.
    let settings = "balance.policy = \"first-alive\"\nhealth.interval = \"100ms\"";
    let proxy = passing(&[&one, &two], settings);
    let port = proxy.address.port().to_string();
    let mut bench = Command::new(program("redis-benchmark", "redis-tools"));
    bench.args(["-p", &port, "-c", "40", "-n", "10000", "-t", "set,get,lpush", "-P", "8", "-q"]);
    let told = run(&mut bench);
    assert_eq!(told.matches("requests per second").count(), 3, "{told}");
    let ask = |port: u16, words: &[&str]| {
        let mut cli = Command::new(program("redis-cli", "redis-tools"));
        run(cli.args(["-p", &port.to_string()]).args(words)).trim().to_owned()
    };
    assert_eq!(ask(proxy.address.port(), &["set", "key", "value"]), "OK");
    assert_eq!(ask(one.port(), &["get", "key"]), "value");
    assert_eq!(ask(two.port(), &["dbsize"]), "0");
    // A subscriber hears what another client says.
    let mut command = Command::new(program("redis-cli", "redis-tools"));
    command.args(["-p", &port, "subscribe", "news"]);
    let subscriber = Process::start(&mut command, scratch.path());
    eventually("it has subscribed", || ask(one.port(), &["publish", "news", "today"]) == "1");
    subscriber.printed.wait("today");
}

/// A cluster of its own, as a user other than root, since the server refuses to be that one.
struct Postgres {
    server: Server,
    _scratch: Scratch,
}

impl Postgres {
    fn start() -> Self {
        let scratch = Scratch::new();
        let (data, port) = (scratch.path().join("data"), free_port());
        fs::create_dir(&data).unwrap();
        let mut owner = None;
        if rustix::process::geteuid().is_root() {
            run(Command::new("chown").arg("-R").arg("postgres").arg(scratch.path()));
            owner = Some(run(Command::new("id").args(["-u", "postgres"])).trim().parse().unwrap());
        }
        let own = |mut command: Command| {
            command.current_dir("/");
            owner.map(|id: u32| command.uid(id).gid(id));
            command
        };
        let mut init = own(Command::new(program("initdb", "postgresql")));
        run(init.args(["-A", "trust", "-N", "-U", "bench", "-D"]).arg(&data));
        let mut serve = own(Command::new(program("postgres", "postgresql")));
        serve.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        serve.arg("-k").arg(scratch.path()).args(["-c", "fsync=off", "-c", "max_connections=30"]);
        let process = Process::start(&mut serve, std::path::Path::new("/"));
        process.said.wait("ready to accept connections");
        Self { server: Server::listening(process, port), _scratch: scratch }
    }
}

fn psql(port: u16, ask: &str) -> String {
    let mut command = Command::new(program("psql", "postgresql-client"));
    command.args(["-h", "127.0.0.1", "-U", "bench", "-d", "postgres", "-Atq", "-c", ask, "-p"]);
    run(command.arg(port.to_string())).trim().to_owned()
}

#[test]
fn postgresql_is_served_and_a_query_may_take_its_time() {
    let postgres = Postgres::start();
    // Shorter than the query below: bytes are awaited of either side, not of one.
    let settings = "health.interval = \"200ms\"\ntimeouts.tunnel_fin = \"500ms\"\n\
                    timeouts.response = \"500ms\"\ntimeouts.keep_alive = \"500ms\"";
    let proxy = passing(&[&postgres.server], settings);
    let port = proxy.address.port();
    let bench = |words: &[&str]| {
        let mut command = Command::new(program("pgbench", "postgresql"));
        command.args(["-h", "127.0.0.1", "-U", "bench", "-p", &port.to_string()]);
        let out = command.args(words).arg("postgres").output().unwrap();
        let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(out.status.success(), "{text}");
        text
    };
    bench(&["-i", "-q", "-s", "1"]);
    let told = bench(&["-c", "8", "-j", "2", "-t", "50"]);
    assert!(told.contains("number of transactions actually processed: 400/400"), "{told}");
    // A connection for each transaction.
    let told = bench(&["-c", "4", "-t", "10", "-C", "-S"]);
    assert!(told.contains("40/40"), "{told}");
    assert_eq!(psql(port, "select pg_sleep(3), 'awake'"), "|awake");
    let big = psql(port, "select length(repeat('x', 8000000)), md5(repeat('x', 8000000))");
    assert!(big.starts_with("8000000|"), "{big}");
    assert_eq!(psql(port, "select repeat('y', 4000000)").len(), 4_000_000);
}

/// nghttpd, which speaks HTTP/2 alone, in the clear.
fn nghttpd(scratch: &Scratch, arguments: &[&str]) -> Server {
    let port = free_port();
    let mut command = Command::new(program("nghttpd", "nghttp2-server"));
    command.arg("-d").arg(scratch.path()).args(["-a", "127.0.0.1"]).arg(port.to_string());
    command.args(arguments);
    Server::listening(Process::start(&mut command, scratch.path()), port)
}

#[test]
fn http_2_goes_through_in_the_clear_and_under_tls() {
    let (scratch, certs) = (Scratch::new(), Certs::make());
    scratch.write("page.txt", "a page of its own");
    let plain = nghttpd(&scratch, &["--no-tls"]);
    let proxy = passing(&[&plain], "");
    let url = |scheme: &str, proxy: &Proxy| format!("{scheme}://{}/page.txt", proxy.address);
    let mut nghttp = Command::new(program("nghttp", "nghttp2-client"));
    assert_eq!(run(nghttp.arg(url("http", &proxy))), "a page of its own");
    let load = |url: &str| {
        let mut command = Command::new(program("h2load", "nghttp2-client"));
        run(command.args(["-n", "2000", "-c", "10", "-m", "20", url]))
    };
    let told = load(&url("http", &proxy));
    assert!(told.contains("2000 succeeded, 0 failed"), "{told}");

    let (certificate, key) = certs.leaf("localhost");
    let port = free_port();
    let mut command = Command::new(program("nghttpd", "nghttp2-server"));
    command.arg("-d").arg(scratch.path()).args(["-a", "127.0.0.1"]).arg(port.to_string());
    command.arg(&key).arg(&certificate);
    let secure = Server::listening(Process::start(&mut command, scratch.path()), port);
    let proxy =
        Proxy::with(&[&secure], &format!("log.access = \"json\"\n{TCP}sni = \"required\"\n"));
    proxy.no_farewell();
    let told = load(&format!("https://localhost:{}/page.txt", proxy.address.port()));
    assert!(told.contains("2000 succeeded, 0 failed"), "{told}");
    assert!(told.contains("Application protocol: h2"), "{told}");
    assert_eq!(record(&proxy)["host"], "localhost");
}

#[test]
fn haproxy_on_both_sides_tells_whose_a_connection_is_and_is_told() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    program("haproxy", "haproxy");
    let backend = Backend::every(|wire| {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let Ok(byte) = wire.exactly(1) else { return };
            line.extend(byte);
        }
        wire.offer(line);
        echo(wire);
    });
    let lines = format!(
        "listen behind\n mode tcp\n bind 127.0.0.1:PORT accept-proxy\n \
         server s 127.0.0.1:{} send-proxy",
        backend.port()
    );
    let behind = Server::haproxy(&scratch, &lines);
    let told = Keyed(&behind, "proxy_protocol = \"v2\"");
    let trusted = "server.trusted_proxies = [\"127.0.0.1\"]";
    let proxy = with(&[&told], trusted, "proxy_protocol = \"required\"");
    let lines = format!(
        "listen front\n mode tcp\n bind 127.0.0.1:PORT\n server s {} send-proxy-v2",
        proxy.address
    );
    let front = Server::haproxy(&other, &lines);
    let mut client = Wire::connect(([127, 0, 0, 1], front.port()).into());
    client.send("ping");
    let own = client.stream().local_addr().unwrap().port();
    client.expect(format!("PROXY TCP4 127.0.0.1 127.0.0.1 {own} {}\r\nping", front.port()));
    client.finish();
    client.expect_end();
}
