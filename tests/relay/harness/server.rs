//! Servers that nobody here wrote, as programs of their own.

use super::{DEADLINE, Place, Process, Scratch, eventually, free_port};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

/// A running server and its port.
pub struct Server {
    _process: Process,
    port: u16,
}

/// Whether a program is there. Where a continuous integration runs this, it must be.
pub fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok()
        || Command::new(program).arg("-v").output().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing");
        let _ = writeln!(std::io::stderr(), "{program} is missing: its test is skipped");
    }
    found
}

impl Server {
    /// One that is about to listen there.
    pub fn listening(process: Process, port: u16) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        eventually("the server listens", || TcpStream::connect_timeout(&address, DEADLINE).is_ok());
        Self { _process: process, port }
    }

    /// HAProxy with these lines, in which `PORT` stands for its own port.
    pub fn haproxy(scratch: &Scratch, lines: &str) -> Self {
        let port = free_port();
        let limits = "defaults\n mode http\n timeout connect 5s\n timeout client 10s\n \
                      timeout server 10s\n";
        let text = format!("global\n maxconn 100\n{limits}{lines}\n");
        let file = scratch.write("haproxy.cfg", text.replace("PORT", &port.to_string()));
        let mut command = Command::new("haproxy");
        let command = command.args(["-db", "-f"]).arg(file);
        Self::listening(Process::start(command, scratch.path()), port)
    }

    /// nginx with a server of these directives; `how` follows its address: empty, or `ssl`.
    pub fn nginx(scratch: &Scratch, how: &str, directives: &str) -> Self {
        let port = free_port();
        let folder = scratch.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {folder}/tmp-{name};"))
            .concat();
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let text = format!(
            "{user} daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; {temporary} client_max_body_size 0;\n\
             server {{ listen 127.0.0.1:{port} {how}; {directives} }} }}\n"
        );
        let file = scratch.write("nginx.conf", text);
        let mut command = Command::new("nginx");
        let command = command.args(["-e", "stderr", "-c"]).arg(file);
        Self::listening(Process::start(command, scratch.path()), port)
    }

    /// `openssl s_server -www`, which answers each GET with what it knows of the connection, and
    /// closes.
    pub fn openssl(scratch: &Scratch, arguments: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-www"]).args(arguments);
        let process = Process::start(&mut command, scratch.path());
        let line = process.printed.wait("ACCEPT ");
        let port = line.rsplit(':').next().unwrap().trim().parse().unwrap();
        Self { _process: process, port }
    }
}

impl Place for Server {
    fn port(&self) -> u16 {
        self.port
    }
}
