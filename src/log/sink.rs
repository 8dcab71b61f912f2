//! Where lines end up: a file or a descriptor of ours, and the batch that waits to be written to
//! it. Only a writer's thread holds one; its writes may wait for as long as the disk or the
//! reader does.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use rustix::event::{PollFd, PollFlags, poll};

use super::Target;

pub(super) struct Sink {
    file: File,
    target: Target,
    /// Whole lines, to which the writer appends; `write` empties it.
    pub(super) batch: Vec<u8>,
}

impl Sink {
    pub(super) fn open(target: &Target) -> io::Result<Sink> {
        Ok(Sink::new(open(target)?, target.clone()))
    }

    pub(super) fn new(file: File, target: Target) -> Sink {
        Sink { file, target, batch: Vec::new() }
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
        self.file = open(&self.target)?;
        if self.batch.first() == Some(&b'\n') {
            self.batch.remove(0); // the torn line stays behind in the old file
        }
        Ok(())
    }

    pub(super) fn name(&self) -> String {
        match &self.target {
            Target::Stdout => "stdout".into(),
            Target::Stderr => "stderr".into(),
            Target::File(path) => path.display().to_string(),
        }
    }

    /// Writes the batch and empties it; or how many lines were lost and why.
    pub(super) fn write(&mut self) -> Result<(), (u64, io::Error)> {
        let mut written = 0;
        while written < self.batch.len() {
            match self.write_from(written) {
                Ok(bytes) => written += bytes,
                Err(error) => return Err((self.give_up(written), error)),
            }
        }
        self.batch.clear();
        Ok(())
    }

    fn write_from(&mut self, start: usize) -> io::Result<usize> {
        match self.file.write(&self.batch[start..]) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            // Whoever started us may have left its end of stdout in non-blocking mode.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll(&mut [PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::OUT)], None)?;
                Ok(0)
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

fn open(target: &Target) -> io::Result<File> {
    let path = match target {
        Target::Stdout => return Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
        Target::Stderr => return Ok(io::stderr().as_fd().try_clone_to_owned()?.into()),
        Target::File(path) => path,
    };
    // Not for everyone to read: client addresses are personal data.
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_short_is_ended_before_the_next() {
        let mut sink = Sink::open(&Target::File("/dev/full".into())).unwrap();
        sink.batch.extend_from_slice(b"one\ntwo\nthree\n");
        assert_eq!(sink.give_up(5), 2);
        assert_eq!(sink.batch, b"\n");
        sink.batch.extend_from_slice(b"four\n");
        assert_eq!(sink.write().unwrap_err().0, 1);
        assert_eq!(sink.batch, b"\n", "the torn line is still to be ended");
        sink.batch.extend_from_slice(b"five\n");
        assert_eq!(sink.give_up(1), 1);
        assert_eq!(sink.batch, b"");
    }

    #[test]
    fn lines_that_were_written_whole_are_not_lost() {
        let mut sink = Sink::open(&Target::File("/dev/full".into())).unwrap();
        sink.batch.extend_from_slice(b"one\ntwo\n");
        assert_eq!(sink.give_up(4), 1);
        assert_eq!(sink.batch, b"");
    }
}
