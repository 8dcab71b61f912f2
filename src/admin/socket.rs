//! The Unix socket of the endpoint: where it is, and how it comes to be there and goes.
//!
//! The endpoint binds it, and the commands look for it. It must never take away what is not its
//! own: a file, the socket of a balancer that runs, or the one that has taken its place.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// What every user of a machine may look into, and Evenly makes if it may.
pub const SHARED_DIRECTORY: &str = "/run/evenly";
const TAKEN: &str = "a balancer that runs has it";
const CHOOSE: &str = "choose another with [admin] socket";
/// Clients that may wait in the kernel until somebody accepts, who may ask for more.
const BACKLOG: i32 = 16;
/// How long another balancer that is about to bind in the same directory is waited for.
const TURN_PATIENCE: Duration = Duration::from_secs(1);
const TURN_LOOK: Duration = Duration::from_millis(5);
/// How long whoever has the path is asked whether it lives.
const ANSWER_PATIENCE: Duration = Duration::from_millis(500);

/// A socket that listens; it is removed when this is dropped.
pub struct UnixSocket {
    path: PathBuf,
    listener: OwnedFd,
    /// Device and inode, by which it is known again.
    identity: (u64, u64),
}

/// Why there is no socket. Displayed, it says what to do.
#[derive(Debug)]
pub struct CannotBind {
    what: String,
    /// A balancer that runs has it.
    pub is_taken: bool,
}

/// The socket of a balancer that serves clients at `port` and whose configuration names none. None
/// if there is no directory for it; `/run/evenly` need not be there yet.
pub fn default_path(port: u16) -> Option<PathBuf> {
    directory().map(|directory| directory.join(file_name(port)))
}

/// What it is called in its directory.
pub fn file_name(port: u16) -> String {
    format!("evenly-{port}.sock")
}

/// Where a successor listens, in the same directory, until it takes this path.
pub fn aside(path: &Path) -> PathBuf {
    path.with_file_name(format!(".evenly-{}", std::process::id()))
}

/// True for a name that some balancer's socket has by default.
pub fn is_file_name(name: &str) -> bool {
    let port = name.strip_prefix("evenly-").and_then(|rest| rest.strip_suffix(".sock"));
    port.is_some_and(|port| port.parse::<u16>().is_ok())
}

/// The runtime directory: systemd's, else the user's, else everybody's.
pub fn directory() -> Option<PathBuf> {
    let named = |variable: &str| {
        let value = std::env::var_os(variable)?;
        // systemd separates several by colons.
        let first = value.to_str()?.split(':').next()?.to_owned();
        (!first.is_empty()).then(|| PathBuf::from(first))
    };
    let shared = Path::new(SHARED_DIRECTORY);
    let may_be_there = || shared.is_dir() || is_ours_to_make(shared);
    named("RUNTIME_DIRECTORY")
        .or_else(|| named("XDG_RUNTIME_DIR"))
        .or_else(|| may_be_there().then(|| shared.to_owned()))
}

/// Only root may write to /run.
fn is_ours_to_make(directory: &Path) -> bool {
    let above = directory.parent().is_some_and(Path::is_dir);
    above && rustix::process::geteuid().is_root()
}

impl UnixSocket {
    /// Listens at `path`, for the own user alone. A socket that nobody answers is replaced.
    ///
    /// # Errors
    /// What is in the way.
    pub fn bind(path: &Path) -> Result<Self, CannotBind> {
        let refused = |what: String| CannotBind::at(path, what);
        let address = address(path).map_err(refused)?;
        let _turn = take_turn(path).map_err(refused)?;
        let listener = Self::listen(path, &address).map_err(refused)?;
        let identity = fs::symlink_metadata(path).map(|metadata| identity(&metadata));
        let identity = identity.map_err(|error| refused(error.to_string()))?;
        Ok(Self { path: path.to_owned(), listener, identity })
    }

    /// What would be in the way of that, as far as it shows without a change.
    ///
    /// # Errors
    /// The same.
    pub fn try_bind(path: &Path) -> Result<(), CannotBind> {
        let refused = |what: String| CannotBind::at(path, what);
        address(path).map_err(refused)?;
        open_directory(path).map_err(refused)?;
        match fs::symlink_metadata(path) {
            Ok(_) => in_the_way(path).map_err(refused),
            Err(_) => Ok(()),
        }
    }

    /// The same at a default path, whose directory is made if it is not there.
    pub fn bind_default(path: &Path) -> Result<Self, CannotBind> {
        if let Some(directory) = path.parent().filter(|it| *it == Path::new(SHARED_DIRECTORY)) {
            // What stands in the way is said by the bind.
            let _ = fs::DirBuilder::new().mode(0o755).create(directory);
        }
        Self::bind(path)
    }

    fn listen(path: &Path, address: &SocketAddrUnix) -> Result<OwnedFd, String> {
        let said = |error: &dyn fmt::Display| error.to_string();
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None);
        let socket = socket.map_err(|error| said(&error))?;
        let mut bound = rustix::net::bind(&socket, address).map_err(io::Error::from);
        if matches!(&bound, Err(error) if error.kind() == ErrorKind::AddrInUse) {
            make_way(path)?;
            bound = rustix::net::bind(&socket, address).map_err(io::Error::from);
        }
        bound.map_err(|error| {
            let mount = match error.kind() {
                ErrorKind::ReadOnlyFilesystem => "mount a tmpfs at its directory, or ",
                _ => "",
            };
            format!("{error}; {mount}choose another with [admin] socket")
        })?;
        // Nobody can connect before it listens, so it is never open to others.
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(|error| said(&error))?;
        rustix::net::listen(&socket, BACKLOG).map_err(|error| said(&error))?;
        Ok(socket)
    }

    /// Goes to another path, in the place of whatever socket is there.
    pub fn move_to(&mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        path.clone_into(&mut self.path);
        Ok(())
    }

    /// Makes it that of another user, and the directory too if that is the one which Evenly makes:
    /// else the user could not remove it at the end.
    pub fn give_to(&self, (uid, gid): (u32, u32)) -> io::Result<()> {
        chown(&self.path, Some(uid), Some(gid))?;
        match self.path.parent() {
            Some(parent) if parent == Path::new(SHARED_DIRECTORY) => {
                chown(parent, Some(uid), Some(gid))
            }
            _ => Ok(()),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another descriptor of it, for whoever accepts there.
    pub fn listener(&self) -> io::Result<OwnedFd> {
        self.listener.try_clone()
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // A successor may have put its own in this place.
        if fs::symlink_metadata(&self.path).is_ok_and(|it| identity(&it) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl CannotBind {
    fn at(path: &Path, what: String) -> Self {
        let is_taken = what.starts_with(TAKEN);
        Self { what: format!("{}: {what}", path.display()), is_taken }
    }
}

impl fmt::Display for CannotBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn address(path: &Path) -> Result<SocketAddrUnix, String> {
    SocketAddrUnix::new(path).map_err(|_| {
        let bytes = path.as_os_str().len();
        format!("{bytes} bytes are too long a path for a socket; 107 are possible")
    })
}

/// Removes a socket that nobody listens at any more.
fn make_way(path: &Path) -> Result<(), String> {
    in_the_way(path)?;
    fs::remove_file(path).map_err(|error| format!("cannot be replaced: {error}; {CHOOSE}"))
}

/// Nothing, if what is there is a socket that nobody listens at any more.
fn in_the_way(path: &Path) -> Result<(), String> {
    let metadata = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if !metadata.file_type().is_socket() {
        return Err(format!("there is something else at this path; {CHOOSE}, or remove it"));
    }
    match connect(path, ANSWER_PATIENCE).map_err(|error| (error.kind(), error)) {
        Err((ErrorKind::ConnectionRefused, _)) => Ok(()),
        // More wait there already than fit.
        Ok(_) | Err((ErrorKind::WouldBlock, _)) => {
            Err(format!("{TAKEN}; end that one, or {CHOOSE}"))
        }
        Err((_, error)) => Err(format!("it is another's: {error}; {CHOOSE}")),
    }
}

/// A connection to whoever listens there. Where too many wait already, it waits as long as a write
/// may (socket(7), `SO_SNDTIMEO`; std has no timeout for it), and is then an error: would block.
///
/// # Errors
/// As the system says it.
pub fn connect(path: &Path, within: Duration) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(within))?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket)
}

/// Of two balancers that find the same dead socket, the slower one would remove what the faster one
/// has just bound. So they take turns, by a lock on the directory. A stranger who keeps it is not
/// waited for longer.
fn take_turn(path: &Path) -> Result<File, String> {
    let file = open_directory(path)?;
    let until = Instant::now() + TURN_PATIENCE;
    while file.try_lock().is_err() && Instant::now() < until {
        std::thread::park_timeout(TURN_LOOK);
    }
    Ok(file)
}

fn open_directory(path: &Path) -> Result<File, String> {
    let directory = match path.parent() {
        Some(directory) if directory.as_os_str() != OsStr::new("") => directory,
        _ => Path::new("."),
    };
    let file = File::open(directory)
        .and_then(|file| if file.metadata()?.is_dir() { Ok(file) } else { Err(not_a_directory()) });
    file.map_err(|error| format!("its directory: {error}; make it, or choose another"))
}

fn not_a_directory() -> io::Error {
    ErrorKind::NotADirectory.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    /// A directory of a test's own, gone with it.
    struct Scratch(PathBuf);

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// With a path in it for a socket.
    fn scratch(name: &str) -> (Scratch, PathBuf) {
        let name = format!("evenly-socket-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("a.sock");
        (Scratch(directory), path)
    }

    fn refusal(path: &Path) -> String {
        UnixSocket::bind(path).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn it_is_for_its_user_alone_and_gone_at_the_end() {
        let (_scratch, path) = scratch("own");
        let socket = UnixSocket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(UnixStream::connect(socket.path()).is_ok());
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_dead_one_is_replaced_and_a_live_one_refused() {
        let (_scratch, path) = scratch("dead");
        drop(UnixListener::bind(&path).unwrap()); // std leaves it behind
        let live = UnixSocket::bind(&path).unwrap();
        assert!(refusal(&path).contains("a balancer that runs has it; end that one"));
        assert!(UnixStream::connect(&path).is_ok(), "it is still there");
        drop(live);
    }

    #[test]
    fn one_that_is_too_busy_to_be_reached_is_live() {
        let (_scratch, path) = scratch("busy");
        let busy = UnixListener::bind(&path).unwrap();
        rustix::net::listen(&busy, 0).unwrap();
        let within = Duration::from_millis(10);
        let _callers: Vec<_> = (0..10).map_while(|_| connect(&path, within).ok()).collect();
        assert!(refusal(&path).contains("a balancer that runs has it"));
    }

    #[test]
    fn what_is_no_socket_is_never_removed() {
        let (Scratch(ref directory), _) = scratch("file");
        let (file, link) = (directory.join("a"), directory.join("link"));
        fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link, directory] {
            assert!(refusal(path).contains("something else at this path"), "{path:?}");
        }
        assert_eq!(fs::read_to_string(&link).unwrap(), "precious");
    }

    #[test]
    fn one_that_took_its_place_stays_when_it_ends() {
        let (_scratch, path) = scratch("successor");
        let old = UnixSocket::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let new = UnixSocket::bind(&path).unwrap();
        drop(old);
        assert!(UnixStream::connect(&path).is_ok());
        drop(new);
    }

    #[test]
    fn what_cannot_be_a_socket_is_said() {
        let (Scratch(ref directory), _) = scratch("odd");
        let long = directory.join("x".repeat(108));
        assert!(refusal(&long).contains("too long a path for a socket; 107 are possible"));
        let lost = directory.join("missing/a.sock");
        assert!(refusal(&lost).contains("its directory: No such file"), "{}", refusal(&lost));
    }

    #[test]
    fn of_many_that_find_a_dead_one_a_single_one_takes_its_place() {
        let (_scratch, path) = scratch("race");
        for _ in 0..20 {
            drop(UnixListener::bind(&path).unwrap());
            let all: Vec<_> = std::thread::scope(|scope| {
                let begun: Vec<_> =
                    (0..4).map(|_| scope.spawn(|| UnixSocket::bind(&path))).collect();
                begun.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let taken: Vec<_> = all.iter().flatten().collect();
            assert_eq!(taken.len(), 1, "the others are refused");
            assert!(UnixStream::connect(&path).is_ok());
        }
    }
}
