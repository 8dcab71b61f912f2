//! The image, as the Dockerfile and the Makefile have it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the repository is.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// What the Dockerfile says of the image, and its files.
pub struct Image {
    pub rootfs: PathBuf,
    lines: Vec<(String, String)>,
}

impl Image {
    /// Its files laid out below this folder.
    pub fn below(folder: &Path) -> Self {
        let image = folder.join("image");
        // The binary is there already.
        let mut make = Command::new("make");
        make.args(["-s", "-o", "static-all", "image-rootfs", "-C", HERE]);
        make.arg(format!("STATIC={}", binary().display()));
        let out = make.arg(format!("IMAGE={}", image.display())).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let file = fs::read_to_string(format!("{HERE}/Dockerfile")).unwrap();
        let (_, stage) = file.split_once("\nFROM scratch\n").unwrap();
        let line = |line: &str| line.split_once(' ').map(|(key, rest)| (key.into(), rest.into()));
        Self { rootfs: image.join("rootfs"), lines: stage.lines().filter_map(line).collect() }
    }

    /// What follows this instruction, which is there once.
    pub fn says(&self, instruction: &str) -> &str {
        let mut found = self.lines.iter().filter(|(key, _)| key == instruction);
        let (_, rest) =
            found.next().unwrap_or_else(|| panic!("no {instruction} in the Dockerfile"));
        assert!(found.next().is_none(), "{instruction} stands in the Dockerfile twice");
        rest
    }

    /// The words of an instruction in the exec form, which needs no shell.
    pub fn words(&self, instruction: &str) -> Vec<String> {
        let rest = self.says(instruction);
        let list = rest.find('[').map(|begin| &rest[begin..]).unwrap_or_default();
        serde_json::from_str(list).unwrap_or_else(|_| panic!("{instruction} needs a shell: {rest}"))
    }
}

/// The static binary if that is to be tried, else that of these tests.
pub fn binary() -> PathBuf {
    let named = std::env::var_os("EVENLY_TEST_STATIC").map(PathBuf::from);
    named.unwrap_or_else(|| env!("CARGO_BIN_EXE_evenly").into())
}

/// The shared libraries of a program; none if it is static.
pub fn libraries(program: &Path) -> Vec<PathBuf> {
    let out = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let paths =
        text.split_whitespace().filter(|word| word.starts_with('/') && !word.ends_with(':'));
    paths.map(PathBuf::from).filter(|path| path.is_file()).collect()
}
