//! What proves to an ACME server that a name is ours: files that an ACME client puts into a folder,
//! such as `certbot certonly --webroot` (RFC 8555 section 8.3).
//!
//! A step must not wait for a disk, which may be a network's. So one thread reads, and rings the
//! task that has asked. The lock of what waits for it is held for moments, and over no reading.

use crate::config::CHALLENGES;
use crate::engine::{Key, Registry};
use crate::thread;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Questions that wait for the thread; one more is answered that it is busy.
const WAITING_MAX: usize = 256;
/// The longest name of a file. A token is 22 characters and more; most are 43.
const TOKEN_BYTES_MAX: usize = 255;
/// The longest file. A token, a dot and a print are 87 bytes.
const FILE_BYTES_MAX: u64 = 4096;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where an ACME client puts its files.
#[derive(Debug)]
pub(super) struct Challenges {
    folder: PathBuf,
}

/// The thread that reads, begun with the first question; it ends when this is dropped.
#[derive(Default)]
pub(super) struct Reader(Arc<Desk>);

/// Where questions wait for it. A channel for them would be 8 KiB of code.
#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Question>,
    is_attended: bool,
    is_closed: bool,
}

struct Question {
    file: PathBuf,
    answer: Arc<OnceLock<Proof>>,
    home: Key,
}

/// What a file says; none if there is no such file.
pub(crate) type Proof = Option<String>;

/// A question that is under way.
pub(crate) struct Asked {
    answer: Arc<OnceLock<Proof>>,
    /// When it is late, on the server's clock.
    pub(crate) until: Duration,
}

impl Challenges {
    pub(super) fn of(webroot: &str) -> Self {
        Self { folder: Path::new(webroot).join(&CHALLENGES[1..]) }
    }

    /// The file that is asked for; none where another path is, and an error where no file can have
    /// such a name (RFC 8555 section 8.3 has base64url alone).
    pub(super) fn file(&self, target: &str) -> Option<Result<PathBuf, ()>> {
        let token = target.split('?').next()?.strip_prefix(CHALLENGES)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_token = (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(is_plain);
        Some(if is_token { Ok(self.folder.join(token)) } else { Err(()) })
    }
}

impl Reader {
    /// Has `file` read, and the task at `home` rung then. None where too many wait, or no thread
    /// can be had.
    pub(super) fn ask(
        &self,
        file: PathBuf,
        home: Key,
        lot: &Arc<dyn Registry>,
        now: Duration,
    ) -> Option<Asked> {
        let answer = Arc::<OnceLock<Proof>>::default();
        let asked = Asked { answer: Arc::clone(&answer), until: now + PATIENCE };
        let mut state = self.0.lock();
        if !state.is_attended {
            let (desk, lot) = (Arc::clone(&self.0), Arc::clone(lot));
            thread::spawn("challenges", move || desk.attend(lot.as_ref())).ok()?;
            state.is_attended = true;
        }
        if state.waiting.len() == WAITING_MAX {
            return None;
        }
        state.waiting.push_back(Question { file, answer, home });
        drop(state);
        self.0.changed.notify_one();
        Some(asked)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_one();
    }
}

impl Desk {
    fn attend(&self, lot: &dyn Registry) {
        while let Some(Question { file, answer, home }) = self.next() {
            let _ = answer.set(read(&file).ok());
            lot.ring(home);
        }
    }

    /// Waits for the next question; none when nobody can ask any more.
    fn next(&self) -> Option<Question> {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.is_closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pipe would hold up the others, and what is no text proves nothing.
fn read(file: &Path) -> io::Result<String> {
    if !file.metadata()?.is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut text = String::new();
    File::open(file)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

impl Asked {
    /// What the file says, once it is known.
    pub(crate) fn answer(&self) -> Option<&Proof> {
        self.answer.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_names_a_file_and_none_outside_the_folder() {
        let challenges = Challenges::of("/srv/acme");
        let file = |target: &str| challenges.file(target);
        let proof = PathBuf::from("/srv/acme/.well-known/acme-challenge/a-B_9");
        assert_eq!(file("/.well-known/acme-challenge/a-B_9"), Some(Ok(proof.clone())));
        assert_eq!(file("/.well-known/acme-challenge/a-B_9?x=../y"), Some(Ok(proof)));
        for name in ["", ".", "..", "../x", "a/b", "a%2fb", "a.b", "%2e%2e", &"a".repeat(256)] {
            let target = format!("/.well-known/acme-challenge/{name}");
            assert_eq!(file(&target), Some(Err(())), "{name}");
        }
        for target in ["/", "/.well-known/acme-challenge", "//.well-known/acme-challenge/a", "*"] {
            assert_eq!(file(target), None, "{target}");
        }
    }
}
