//! What stands in a configuration for a secret that is elsewhere: `${file:PATH}` and `${env:NAME}`.
//! Read when a channel is made, before the process may become another user; a reload reads it anew.

use std::fs::File;
use std::io::Read;

/// The longest secret, in bytes: a signed token may have some KiB.
const SECRET_BYTES_MAX: usize = 16 * 1024;

/// The text with all its places filled. The error says what to do, and repeats no secret.
pub(crate) fn filled(text: &str) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let end = inside.find('}');
        let (place, behind) = end.map_or((inside, ""), |end| (&inside[..end], &inside[end + 1..]));
        match place.split_once(':') {
            Some(("file", path)) => out.push_str(&of_file(path)?),
            Some(("env", name)) => out.push_str(&of_environment(name)?),
            _ => {
                out.push_str("${");
                rest = inside;
                continue;
            }
        }
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

/// Without what editors and `echo` put behind it.
fn of_file(path: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let opened = File::open(path);
    let read =
        opened.and_then(|file| file.take(1 + SECRET_BYTES_MAX as u64).read_to_end(&mut bytes));
    read.map_err(|error| format!("{path}: {error}; it is to hold a secret"))?;
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(format!("{path}: is longer than {SECRET_BYTES_MAX} bytes; name another file"));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| format!("{path}: is not UTF-8 text; it is to hold a secret"))?;
    fit(path, text.trim_end_matches(['\r', '\n']))
}

fn of_environment(name: &str) -> Result<String, String> {
    match std::env::var(name) {
        Ok(text) => fit(&format!("${name}"), &text),
        Err(_) => Err(format!("the variable {name} is not set, or not as text; set it")),
    }
}

/// A line feed in it could begin a field of its own.
fn fit(from: &str, text: &str) -> Result<String, String> {
    match text {
        "" => Err(format!("{from}: is empty; it is to hold a secret")),
        text if text.contains(char::is_control) => {
            Err(format!("{from}: has a control character in it; it is to hold one line"))
        }
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of the text where PATH is that of a file with these bytes; and that path.
    fn filled_from(name: &str, bytes: &[u8], text: &str) -> (Result<String, String>, String) {
        let path = std::env::temp_dir().join(format!("evenly-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let shown = path.display().to_string();
        let filled = filled(&text.replace("PATH", &shown));
        std::fs::remove_file(path).unwrap();
        (filled, shown)
    }

    #[test]
    fn a_place_is_filled_with_what_is_in_a_file_or_a_variable() {
        let (said, _) = filled_from("token", b"s3cret\r\n", "Bearer ${file:PATH}!");
        assert_eq!(said, Ok("Bearer s3cret!".into()));
        let home = std::env::var("PATH").unwrap();
        assert_eq!(filled("${env:PATH}"), Ok(home));
        assert_eq!(filled("a ${b} $ { ${file} é"), Ok("a ${b} $ { ${file} é".into()));
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        for bytes in [&b""[..], b"\n", b"a\nb", b"a\0b", b"\xff", &[b'x'; 17 * 1024]] {
            let (said, path) = filled_from("odd", bytes, "${file:PATH}");
            let error = said.unwrap_err();
            assert!(error.starts_with(&path) && !error.contains("xxx"), "{error}");
        }
        assert!(filled("${env:EVENLY_NO_SUCH_VARIABLE}").unwrap_err().contains("not set"));
        assert!(filled("${file:/nowhere/at/all}").unwrap_err().contains("No such file"));
    }
}
