//! Files that are read whole: configurations, certificates, keys. Each ends and comes in time, as a
//! reload that reads a pipe which nobody writes into would keep every other, and the end, waiting.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
#[cfg(feature = "tls")]
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SocketFlags;

/// How long a pipe may take to be written. Shorter than one reload waits for another.
const PIPE_PATIENCE: Duration = Duration::from_secs(20);
const UNWRITTEN: &str = "it is a pipe, and nobody writes into it";
#[cfg(feature = "tls")]
const READ_ONCE: &str = "it is a pipe, which can be read but once";

/// The bytes of a file, at most one more than `most`: then it is longer.
pub(crate) fn read_whole(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    read_within(path, most, PIPE_PATIENCE)
}

/// The same of a file that is read again and again, so that no pipe will do.
#[cfg(feature = "tls")]
pub(crate) fn read_again(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    if file.metadata()?.file_type().is_fifo() {
        return Err(io::Error::new(ErrorKind::InvalidInput, READ_ONCE));
    }
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Without waiting for whoever writes into a pipe.
fn open(path: &Path) -> io::Result<File> {
    // The flag has one number for files and sockets (socket(2)).
    let unwaiting = SocketFlags::NONBLOCK.bits() as i32;
    OpenOptions::new().read(true).custom_flags(unwaiting).open(path)
}

fn read_within(path: &Path, most: usize, patience: Duration) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let until = Instant::now() + patience;
    let mut bytes = Vec::new();
    let mut was_awaited = false;
    while bytes.len() <= most {
        let room = (most + 1 - bytes.len()) as u64;
        match (&file).take(room).read_to_end(&mut bytes) {
            // A pipe is at its end, too, before anybody has come to write.
            Ok(_) if !bytes.is_empty() || was_awaited => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(io::Error::new(ErrorKind::TimedOut, UNWRITTEN)),
            Ok(_) => was_awaited = true,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;
    use std::process::Command;
    use std::thread;

    const MOST: usize = 100_000;
    const SHORT: Duration = Duration::from_millis(10);

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("evenly-files-{}-{name}", std::process::id()))
    }

    fn pipe(name: &str) -> PathBuf {
        let path = scratch(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    #[test]
    fn a_file_is_read_to_its_end_or_a_byte_beyond_what_it_may_have() {
        let path = scratch("plain");
        for length in [0, 1, MOST] {
            fs::write(&path, vec![b'a'; length]).unwrap();
            assert_eq!(read_within(&path, MOST, SHORT).unwrap().len(), length);
        }
        assert_eq!(read_within(Path::new("/dev/zero"), MOST, SHORT).unwrap().len(), MOST + 1);
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_pipe_is_read_whole_however_its_writer_dawdles() {
        let path = pipe("written");
        let writer = {
            let path = path.clone();
            thread::spawn(move || {
                // Opens once somebody reads, and has more to write than a pipe holds.
                let mut pipe = File::options().write(true).open(path).unwrap();
                (0..MOST / 1000).for_each(|_| {
                    pipe.write_all(&[b'a'; 1000]).unwrap();
                    thread::yield_now();
                });
            })
        };
        assert_eq!(read_whole(&path, MOST).unwrap().len(), MOST);
        writer.join().unwrap();
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_pipe_that_nobody_writes_into_is_left_in_time() {
        let path = pipe("unwritten");
        let left = || read_within(&path, MOST, SHORT).unwrap_err();
        assert_eq!((left().kind(), left().to_string()), (ErrorKind::TimedOut, UNWRITTEN.into()));
        let _silent = File::options().read(true).write(true).open(&path).unwrap();
        assert_eq!(left().kind(), ErrorKind::TimedOut);
        fs::remove_file(path).unwrap();
    }
}
