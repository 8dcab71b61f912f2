//! Files that hold a secret, and who may read them. Asked for the configuration itself and by `tls`
//! for the files of keys; what is wrong is a warning, since no server stands still for it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Characters in a row that nobody guesses: a token, an id.
const TOKEN_CHARACTERS_MIN: usize = 16;

/// Whether a secret value stands in the file itself, given as TOML. None does where `${file:PATH}`
/// or `${env:NAME}` stands for it, nor in a URL that anybody may know: those with a secret have
/// somebody who logs in, or a long token between the signs of their path and query.
pub(super) fn is_written(value: &str) -> bool {
    let is_plain = |item: &str| !item.contains("${file:") && !item.contains("${env:");
    let tells = |url: &str| {
        let mut parts = url.split(['/', '?', '&', '=']);
        let has_login = parts.next().is_some_and(|authority| authority.contains('@'));
        has_login || parts.any(|part| part.trim_matches('"').len() >= TOKEN_CHARACTERS_MIN)
    };
    value.split("\", \"").any(|item| match item.split_once("://") {
        Some(("\"http" | "\"https", url)) => is_plain(item) && tells(url),
        _ => is_plain(item),
    })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_elsewhere_and_a_url_that_anybody_may_know_are_not_written() {
        for (value, written) in [
            (r#""a password""#, true),
            (r#""${file:./password}""#, false),
            (r#"["Authorization: Bearer ${env:TOKEN}"]"#, false),
            (r#"["Authorization: Bearer ${env:TOKEN}", "X-Key: abc"]"#, true),
            (r#""https://hc.example/${file:./uuid}""#, false),
            (r#""http://127.0.0.1:18500/ops""#, false),
            (r#""https://a.example.org/hooks/alerts?channel=ops""#, false),
            (r#""https://name:word@a.example.org/""#, true),
            (r#""https://hc.example/5d5b8e2e-7b1c-4d7e-9a6b-0c1d2e3f4a5b""#, true),
            (r#""https://a.example.org/?token=0123456789abcdef""#, true),
        ] {
            assert_eq!(is_written(value), written, "{value}");
        }
    }
}
