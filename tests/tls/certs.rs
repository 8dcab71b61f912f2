//! Certificates for the tests, made by the `openssl` command: an authority, and what it signs.

#![allow(dead_code)] // each user takes what it needs

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory with an authority of its own, gone when dropped.
pub struct Certs {
    dir: PathBuf,
    /// The authority's certificate.
    pub ca: PathBuf,
}

/// A certificate to be made: P-256 and valid from now for 60 days, unless told otherwise.
pub struct Leaf<'l> {
    /// As openssl has them, such as `DNS:localhost,IP:127.0.0.1`.
    pub names: &'l str,
    /// What `openssl req -newkey` wants.
    pub key: &'l str,
    /// From when and until when, in days from now.
    pub days: (i64, i64),
    /// How many seconds later than that it begins.
    pub later_s: i64,
}

impl Default for Leaf<'_> {
    fn default() -> Self {
        Self { names: "DNS:localhost,IP:127.0.0.1", key: "P-256", days: (0, 60), later_s: 0 }
    }
}

impl Certs {
    pub fn make() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("evenly-certs-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let certs = Self { ca: dir.join("ca.pem"), dir };
        certs.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 60 \
             -subj /CN=Authority-{number} -keyout ca.key -out ca.pem",
        ));
        certs
    }

    /// Where it all is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A certificate for this name, and its key.
    pub fn leaf(&self, name: &str) -> (PathBuf, PathBuf) {
        let names = format!("DNS:{name},IP:127.0.0.1");
        self.leaf_of(name, &Leaf { names: &names, ..Leaf::default() })
    }

    /// A certificate with this name in it and in its files, and its key.
    pub fn leaf_of(&self, file: &str, leaf: &Leaf) -> (PathBuf, PathBuf) {
        let Leaf { names, key, days: (from, until), later_s } = leaf;
        let key = match *key {
            curve if curve.starts_with("P-") => format!("ec -pkeyopt ec_paramgen_curve:{curve}"),
            other => other.to_owned(),
        };
        self.openssl(&format!(
            "req -newkey {key} -nodes -subj /CN={file} -keyout {file}.key -out {file}.csr"
        ));
        std::fs::write(self.dir.join("ca.txt"), AUTHORITY).unwrap();
        std::fs::write(self.dir.join("index.txt"), "").unwrap();
        std::fs::write(self.dir.join("ext.txt"), format!("subjectAltName={names}\n")).unwrap();
        let (from, until) = (date(*from, *later_s), date(*until, 0));
        self.openssl(&format!(
            "ca -batch -notext -config ca.txt -startdate {from} -enddate {until} \
             -extfile ext.txt -in {file}.csr -out {file}.pem"
        ));
        self.pair(file)
    }

    /// A certificate that its own key has signed, as `openssl req -x509` makes it with these
    /// arguments, and that key.
    pub fn alone(&self, file: &str, how: &str) -> (PathBuf, PathBuf) {
        self.openssl(&format!(
            "req -x509 -nodes -days 60 -subj /CN={file} -keyout {file}.key -out {file}.pem {how}"
        ));
        self.pair(file)
    }

    /// The same in X.509 v1, which knows no names but the subject's.
    pub fn first_version(&self, file: &str, key: &str) -> (PathBuf, PathBuf) {
        self.openssl(&format!("req -new -nodes -subj /CN={file} -keyout {file}.key {key} -out v1"));
        self.openssl(&format!("x509 -req -days 60 -in v1 -signkey {file}.key -out {file}.pem"));
        self.pair(file)
    }

    /// One that its own key has signed, an authority's, whose time is over.
    pub fn expired(&self, file: &str) -> (PathBuf, PathBuf) {
        self.leaf_of(file, &Leaf { days: (-60, -30), ..Leaf::default() });
        std::fs::write(self.dir.join("ext.txt"), "basicConstraints=CA:TRUE\n").unwrap();
        let (from, until) = (date(-60, 0), date(-30, 0));
        self.openssl(&format!(
            "ca -batch -notext -config ca.txt -startdate {from} -enddate {until} -selfsign \
             -keyfile {file}.key -extfile ext.txt -in {file}.csr -out {file}.pem"
        ));
        self.pair(file)
    }

    fn pair(&self, file: &str) -> (PathBuf, PathBuf) {
        (self.dir.join(format!("{file}.pem")), self.dir.join(format!("{file}.key")))
    }

    /// Runs `openssl` there.
    pub fn openssl(&self, arguments: &str) {
        let arguments = arguments.split_whitespace();
        let mut command = Command::new("openssl");
        let made = command.args(arguments).current_dir(&self.dir).output();
        let made = made.expect("apt-get install openssl");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

impl Drop for Certs {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Only `openssl ca` can date a certificate back.
const AUTHORITY: &str = "
[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
policy = anything
unique_subject = no
rand_serial = yes
[anything]
commonName = supplied
";

/// As openssl has it (ASN.1 GeneralizedTime), so many days and seconds from now.
fn date(days: i64, seconds: i64) -> String {
    let date = Command::new("date");
    let made = { date }
        .args(["-u", "-d", &format!("{days} days {seconds} seconds"), "+%Y%m%d%H%M%SZ"])
        .output()
        .expect("date is there");
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}
