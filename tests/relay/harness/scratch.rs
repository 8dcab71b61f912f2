//! A directory of a test's own, gone with it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A fresh directory; dropping it removes it with all that is in it.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("evenly-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Puts a program here, like this one, also where one runs. Another process copies it: what
    /// this one has open to be written, a child that is just starting has open too, and nobody can
    /// run it (execve(2), ETXTBSY).
    pub fn install(&self, name: &str, model: impl AsRef<Path>) -> PathBuf {
        let (path, fresh) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let copied = Command::new("cp").arg(model.as_ref()).arg(&fresh).status().unwrap();
        assert!(copied.success(), "{copied}");
        fs::rename(&fresh, &path).unwrap();
        path
    }

    /// The same with a script.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let model = self.write(&format!("{name}.text"), text);
        fs::set_permissions(&model, fs::Permissions::from_mode(0o755)).unwrap();
        self.install(name, model)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
