//! Where lines end up: a file or a descriptor of ours, and the batch that waits to be written to
//! it. Only a writer's thread holds one; its writes may wait for as long as the disk or the
//! reader does.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::Destination;

/// How often a writer that waits for a reader looks whether it is to open the file anew.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
/// Links that are followed to find that a path leads to a descriptor of ours.
const LINKS_MAX: usize = 8;

/// What was opened, and what is still to be written there.
pub struct Sink {
    file: File,
    to: Destination,
    /// Whole lines, to which the writer appends; `write` empties it.
    pub(super) batch: Vec<u8>,
}

impl Sink {
    /// An error is a whole sentence.
    pub(super) fn open(to: &Destination) -> io::Result<Sink> {
        let file = open(to, true).map_err(|error| unopened(to, error))?;
        Ok(Sink::new(file, to.clone()))
    }

    /// What opening it would come to, with nothing left behind: of a file that is not there,
    /// another one beside it tells.
    pub(super) fn probe(to: &Destination) -> io::Result<()> {
        let tried = match (open(to, false), to) {
            (Err(error), Destination::File(path)) if error.kind() == ErrorKind::NotFound => {
                probe_beside(&landing(path))
            }
            (opened, _) => opened.map(drop),
        };
        tried.map_err(|error| unopened(to, error))
    }

    pub(super) fn new(file: File, to: Destination) -> Sink {
        Sink { file, to, batch: Vec::new() }
    }

    /// True when both write into one pipe, socket or terminal. Files are appended to, a whole
    /// write at a time.
    pub(super) fn leads_where(&self, other: &Sink) -> bool {
        let (Ok(ours), Ok(theirs)) = (self.file.metadata(), other.file.metadata()) else {
            return false;
        };
        !ours.is_file() && (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())
    }

    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.file = open(&self.to, true)?;
        if self.batch.first() == Some(&b'\n') {
            self.batch.remove(0); // the torn line stays behind in the old file
        }
        Ok(())
    }

    pub(super) fn name(&self) -> String {
        self.to.name()
    }

    /// Writes the batch and empties it; or how many lines were lost and why. Waits for a reader who
    /// is slow, or not there yet, until `is_to_end`.
    pub(super) fn write(&mut self, is_to_end: &dyn Fn() -> bool) -> Result<(), (u64, io::Error)> {
        let mut written = 0;
        while written < self.batch.len() {
            match self.write_from(written, is_to_end) {
                Ok(bytes) => written += bytes,
                Err(error) => return Err((self.give_up(written), error)),
            }
        }
        self.batch.clear();
        Ok(())
    }

    fn write_from(&mut self, start: usize, is_to_end: &dyn Fn() -> bool) -> io::Result<usize> {
        match self.file.write(&self.batch[start..]) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            // A pipe without a reader; or whoever started us has left its end of stdout in
            // non-blocking mode.
            Err(error) if error.kind() == ErrorKind::WouldBlock && !is_to_end() => {
                let mut asked = [PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::OUT)];
                match poll(&mut asked, Some(&LOOK)) {
                    Ok(_) | Err(Errno::INTR) => Ok(0),
                    Err(error) => Err(error.into()),
                }
            }
            result => result,
        }
    }

    /// Forgets what was not written; returns how many lines that lost.
    fn give_up(&mut self, written: usize) -> u64 {
        let (written, rest) = self.batch.split_at(written);
        // No line is empty: a newline at the very start ends a line that was counted before.
        let lost = rest.iter().skip(1).filter(|&&byte| byte == b'\n').count();
        let torn = match written.last() {
            Some(last) => *last != b'\n',
            None => rest[0] == b'\n',
        };
        self.batch.clear();
        if torn {
            self.batch.push(b'\n'); // ends the torn line, lest it spoil the next one
        }
        lost as u64
    }
}

/// Makes another file beside this one, and removes it again.
fn probe_beside(path: &Path) -> io::Result<()> {
    // "logs/" names a folder, though not to `Path`.
    let name = path.file_name().unwrap_or_default().as_bytes();
    if name.is_empty() || !path.as_os_str().as_bytes().ends_with(name) {
        return Err(Errno::ISDIR.into());
    }
    let beside = path.with_file_name(format!(".evenly-check-{}", getpid().as_raw_nonzero()));
    let made = OpenOptions::new().write(true).create_new(true).open(&beside);
    made.and_then(|_| fs::remove_file(&beside))
}

/// Where a path leads through links: what is made there is made at their end.
fn landing(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        let Some(next) = linked(&path) else { break };
        path = next;
    }
    path
}

fn linked(path: &Path) -> Option<PathBuf> {
    Some(path.parent().unwrap_or(Path::new("")).join(fs::read_link(path).ok()?))
}

/// A whole sentence.
fn unopened(to: &Destination, error: io::Error) -> io::Error {
    let (name, remedy) = (to.name(), remedy(&error));
    let text = format!("cannot open the log {name}: {error}; {remedy}");
    io::Error::new(error.kind(), text)
}

/// `makes`: a file that is not there is made.
fn open(to: &Destination, makes: bool) -> io::Result<File> {
    let path = match to {
        Destination::Stdout => return own(1),
        Destination::Stderr => return own(2),
        Destination::File(path) => path,
    };
    let descriptor = descriptor_of(path.clone());
    // As "stdout" is: opened by its path, one that is a socket, or another user's, is refused.
    if let Some(number @ 1..=2) = descriptor {
        return own(number);
    }
    let is_pipe = fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo());
    // Whoever can read a pipe too need not wait for a reader to open it, and is never told that the
    // last one has left (fifo(7)): what is written stays there for the next.
    let mut options = OpenOptions::new();
    // The flag has one number for files and sockets (socket(2)).
    let unwaiting = SocketFlags::NONBLOCK.bits() as i32;
    options.append(true).read(is_pipe).create(makes && !is_pipe).custom_flags(unwaiting);
    // Not for everyone to read: client addresses are personal data.
    let opened = options.mode(0o640).open(path);
    let opened = match opened {
        // One that may be written alone does with a reader.
        Err(error) if is_pipe && error.kind() == ErrorKind::PermissionDenied => {
            options.read(false).open(path)
        }
        other => other,
    };
    opened.or_else(|error| match descriptor {
        Some(number) => own(number).map_err(|_| error),
        None => Err(error),
    })
}

/// A copy of a descriptor that the process was started with.
fn own(number: i32) -> io::Result<File> {
    Ok(match number {
        1 => io::stdout().as_fd().try_clone_to_owned()?.into(),
        2 => io::stderr().as_fd().try_clone_to_owned()?.into(),
        _ => {
            let us = pidfd_open(getpid(), PidfdFlags::empty())?;
            pidfd_getfd(us, number, PidfdGetfdFlags::empty())?.into()
        }
    })
}

/// Which of our descriptors a path stands for, also behind links: containers often link a log file
/// to `/dev/stdout`.
fn descriptor_of(mut path: PathBuf) -> Option<i32> {
    for _ in 0..LINKS_MAX {
        let number = ["/dev/fd/", "/proc/self/fd/"]
            .iter()
            .find_map(|folder| path.to_str()?.strip_prefix(folder)?.parse().ok());
        match path.to_str()? {
            "/dev/stdout" => return Some(1),
            "/dev/stderr" => return Some(2),
            _ if number.is_some() => return number,
            _ => path = linked(&path)?,
        }
    }
    None
}

/// What whoever reads that a log cannot be opened may do.
pub(super) fn remedy(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) => "create its folder, or name another",
        Some(Errno::ISDIR) => "that is a folder; name a file in it",
        Some(Errno::NOTDIR) => "a part of its path is a file; name another",
        Some(Errno::ACCESS | Errno::PERM) => "let the user that runs evenly write there",
        Some(Errno::ROFS) => "that is mounted to be read only; name another place",
        Some(Errno::NOSPC | Errno::DQUOT) => "make room there, or name another place",
        Some(Errno::NXIO) => "nobody serves that socket or device; name a file or a pipe",
        Some(Errno::MFILE | Errno::NFILE) => "raise the limit on open files",
        _ => "name a file, a pipe, \"stdout\" or \"stderr\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_short_is_ended_before_the_next() {
        let mut sink = Sink::open(&Destination::File("/dev/full".into())).unwrap();
        sink.batch.extend_from_slice(b"one\ntwo\nthree\n");
        assert_eq!(sink.give_up(5), 2);
        assert_eq!(sink.batch, b"\n");
        sink.batch.extend_from_slice(b"four\n");
        assert_eq!(sink.write(&|| false).unwrap_err().0, 1);
        assert_eq!(sink.batch, b"\n", "the torn line is still to be ended");
        sink.batch.extend_from_slice(b"five\n");
        assert_eq!(sink.give_up(1), 1);
        assert_eq!(sink.batch, b"");
    }

    #[test]
    fn lines_that_were_written_whole_are_not_lost() {
        let mut sink = Sink::open(&Destination::File("/dev/full".into())).unwrap();
        sink.batch.extend_from_slice(b"one\ntwo\n");
        assert_eq!(sink.give_up(4), 1);
        assert_eq!(sink.batch, b"");
    }
}
