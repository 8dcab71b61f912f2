//! Real mail servers: Debian's OpenSMTPD, which delivers into folders, and in front of it Dovecot's
//! submission service, which demands STARTTLS or TLS and a login.
//!
//! Two, for OpenSMTPD 6.8 of Debian 12 finds its private key no more since OpenSSL 3, so that every
//! handshake with it fails. Both need root, as their parts run as different users.

#![allow(dead_code)] // each user takes what it needs

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::free_port;

/// Who logs in at the submission service, and with what.
pub const LOGIN: (&str, &str) = ("evenly", "s3cret: é");

/// The user `nobody` of Debian, whose mail it is.
const NOBODY: u32 = 65_534;
const DEADLINE: Duration = Duration::from_secs(20);

/// Running servers, gone when dropped, with all that they delivered.
pub struct Mta {
    folder: PathBuf,
    servers: Vec<Child>,
    /// In the clear, for whoever is on this machine.
    pub port: u16,
    /// With STARTTLS and a login.
    pub submission: u16,
    /// With TLS from the start and a login.
    pub submissions: u16,
}

impl Mta {
    /// Servers that have mailboxes for `ops@mail.test` and `boss@mail.test` and prove to have this
    /// certificate and key. None where they cannot be had; where a continuous integration runs
    /// this, they must be.
    pub fn start((certificate, key): &(PathBuf, PathBuf)) -> Option<Self> {
        let programs = ["smtpd", "dovecot"].map(is_there);
        if !geteuid().is_root() || programs.contains(&false) {
            let why = "it needs root, and opensmtpd and dovecot-submissiond of Debian";
            assert!(std::env::var_os("CI").is_none(), "{why}");
            let _ = writeln!(std::io::stderr(), "a test of emails is skipped: {why}");
            return None;
        }
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("evenly-mta-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        for part in ["box", "home"] {
            fs::create_dir_all(folder.join(part)).unwrap();
            chown(folder.join(part), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let [port, submission, submissions] = [(); 3].map(|()| free_port());
        let mut mta = Self { folder, servers: Vec::new(), port, submission, submissions };
        mta.opensmtpd();
        mta.dovecot(certificate, key);
        Some(mta)
    }

    /// All that `user` has got, oldest first, once it is so many.
    pub fn delivered(&self, user: &str, count: usize) -> Vec<Letter> {
        let until = Instant::now() + DEADLINE;
        loop {
            let found = self.found(user);
            if found.len() >= count {
                assert_eq!(found.len(), count, "{found:?}");
                return found.iter().map(|path| Letter::read(path)).collect();
            }
            assert!(Instant::now() < until, "{user} has {} of {count} letters", found.len());
            thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// The first letter that `user` gets whose subject has this in it.
    pub fn letter(&self, user: &str, part: &str) -> Letter {
        let until = Instant::now() + DEADLINE;
        loop {
            let letters: Vec<Letter> =
                self.found(user).iter().map(|path| Letter::read(path)).collect();
            if let Some(found) = letters.iter().find(|it| it.header("Subject").contains(part)) {
                return found.clone();
            }
            assert!(Instant::now() < until, "no letter about {part}: {letters:#?}");
            thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn found(&self, user: &str) -> Vec<PathBuf> {
        let Ok(new) = fs::read_dir(self.folder.join("box").join(user).join("new")) else {
            return Vec::new();
        };
        let mut found: Vec<_> = new.map(|entry| entry.unwrap().path()).collect();
        found.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        found
    }

    /// Its control socket and its queue are at fixed places: in a mount namespace of its own they
    /// are its own, and several can stand side by side.
    fn opensmtpd(&mut self) {
        let (folder, port) = (self.folder.display(), self.port);
        let text = format!(
            "table users {{ nobody = \"{NOBODY}:{NOBODY}:{folder}/home\" }}\n\
             table boxes {{ \"ops@mail.test\" = nobody, \"boss@mail.test\" = nobody }}\n\
             listen on 127.0.0.1 port {port} hostname mail.test\n\
             action box maildir \"{folder}/box/%{{rcpt.user}}\" userbase <users> virtual <boxes>\n\
             match from any for domain mail.test action box\n"
        );
        let file = self.folder.join("smtpd.conf");
        fs::write(&file, text).unwrap();
        let script = "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/spool && \
                      exec smtpd -d -f \"$0\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script]).arg(file);
        self.begin(command, "opensmtpd", port);
    }

    fn dovecot(&mut self, certificate: &Path, key: &Path) {
        let (folder, port) = (self.folder.display(), self.port);
        let (starttls, tls) = (self.submission, self.submissions);
        let (certificate, key) = (certificate.display(), key.display());
        let (user, password) = LOGIN;
        // A colon ends the password in such a file, unless it is encoded.
        let password: String = password.bytes().map(|byte| format!("{byte:02x}")).collect();
        let users = self.folder.join("users");
        fs::write(&users, format!("{user}:{{PLAIN.HEX}}{password}\n")).unwrap();
        let users = users.display();
        let text = format!(
            "base_dir = {folder}/run\nstate_dir = {folder}/state\nlog_path = /dev/stderr\n\
             protocols = submission\nlisten = 127.0.0.1\nhostname = mail.test\n\
             ssl = required\nssl_cert = <{certificate}\nssl_key = <{key}\n\
             auth_mechanisms = plain login\nauth_failure_delay = 0\n\
             mail_location = maildir:{folder}/home/mail\nfirst_valid_uid = 1\n\
             submission_relay_host = 127.0.0.1\nsubmission_relay_port = {port}\n\
             passdb {{\n driver = passwd-file\n args = {users}\n}}\n\
             userdb {{\n driver = static\n\
               args = uid={NOBODY} gid={NOBODY} home={folder}/home\n}}\n\
             service anvil {{\n unix_listener anvil-auth-penalty {{\n mode = 0\n }}\n}}\n\
             service submission-login {{\n\
               inet_listener submission {{\n port = {starttls}\n }}\n\
               inet_listener submissions {{\n port = {tls}\n ssl = yes\n }}\n}}\n"
        );
        let file = self.folder.join("dovecot.conf");
        fs::write(&file, text).unwrap();
        let mut command = Command::new("dovecot");
        command.arg("-F").arg("-c").arg(file);
        self.begin(command, "dovecot", starttls);
    }

    /// Starts one and waits for its greeting.
    fn begin(&mut self, mut command: Command, name: &str, port: u16) {
        let log = self.folder.join(name).with_extension("log");
        let output = fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        self.servers.push(command.spawn().unwrap());
        let until = Instant::now() + DEADLINE;
        while !greets(port) {
            let said = fs::read_to_string(&log).unwrap();
            let status = self.servers.last_mut().unwrap().try_wait().unwrap();
            assert!(status.is_none() && Instant::now() < until, "{name}: {status:?}: {said}");
            thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Mta {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // So that its parts end too.
            let _ = kill_process(Pid::from_child(server), Signal::TERM);
            let until = Instant::now() + DEADLINE;
            while server.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < until {
                thread::park_timeout(Duration::from_millis(5));
            }
            let _ = server.kill();
            let _ = server.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A delivered letter, as Python's standard library reads it, whose authors we are not.
#[derive(Clone, Debug)]
pub struct Letter {
    headers: Vec<(String, String)>,
    pub text: String,
}

impl Letter {
    fn read(path: &Path) -> Self {
        let script = "
import email, email.policy, sys
letter = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)
assert not letter.defects and not letter.is_multipart(), letter.defects
parts = []
for name, value in letter.items():
    assert not value.defects, (name, value, value.defects)
    parts += [name, str(value)]
sys.stdout.buffer.write('\\0'.join(parts + [letter.get_content()]).encode())
";
        let made = Command::new("python3").args(["-c", script]).arg(path).output().unwrap();
        let said = String::from_utf8_lossy(&made.stderr);
        let raw = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        assert!(made.status.success(), "{said}\n{raw}");
        let text = String::from_utf8(made.stdout).unwrap();
        let mut parts: Vec<String> = text.split('\0').map(str::to_owned).collect();
        let text = parts.pop().unwrap();
        let pairs = parts.chunks_exact(2);
        let headers = pairs.map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        Self { headers, text }
    }

    /// The value of the only header of this name.
    pub fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let (_, value) = found.next().unwrap_or_else(|| panic!("no {name}: {self:?}"));
        assert!(found.next().is_none(), "several {name}: {self:?}");
        value
    }

    /// The names of the headers, but for those that servers add on top.
    pub fn names(&self) -> Vec<&str> {
        let added = ["Return-Path", "Delivered-To", "Received"];
        let names = self.headers.iter().map(|(name, _)| name.as_str());
        names.filter(|name| !added.contains(name)).collect()
    }
}

fn is_there(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut paths: Vec<PathBuf> = std::env::split_paths(&paths).collect();
    paths.push("/usr/sbin".into());
    paths.iter().any(|folder| folder.join(program).exists())
}

fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with("220 ")
}
