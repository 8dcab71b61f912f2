//! Files that hold a secret, and who may read them. Asked for the configuration itself and by `tls`
//! for the files of keys; what is wrong is a warning, since no server stands still for it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A sentence if others than the owner and the group of the file may read or change it. The group
/// is the operator's business: keys are commonly shared so.
pub(crate) fn exposed(path: &Path, secret: &str) -> Option<String> {
    let mode = fs::metadata(path).ok()?.mode();
    let may = match mode & 0o6 {
        0 => return None,
        0o2 => "change",
        _ => "read",
    };
    let (path, mode) = (path.display(), mode & 0o7777);
    Some(format!(
        "{path}: everybody may {may} it (mode {mode:04o}), and it holds {secret}; chmod o=, and \
         give it to a group that evenly is in"
    ))
}
