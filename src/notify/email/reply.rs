//! A mail server's reply: a code of three digits and what it says to it (RFC 5321 section 4.2).
//!
//! Called by `smtp`. Pure: bytes in, a reply out. It must never hold more than a limit of what a
//! server sends, nor pass on what could steer a terminal or a log.

use std::fmt;

use crate::text::Escaped;

/// Most bytes of one reply, all of its lines together. That to EHLO is the longest, and 1 KiB
/// usually.
const REPLY_BYTES_MAX: usize = 16 * 1024;
/// Most characters of it that people are shown.
const SHOWN_CHARS_MAX: usize = 200;

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// 200 to 599.
    pub(super) code: u16,
    lines: Vec<String>,
}

impl Reply {
    /// Takes the first reply off the front of what was received; none while it is not whole.
    ///
    /// # Errors
    /// A sentence's end, for what is no reply: `says "...", which is no reply of a mail server`.
    pub(super) fn take(received: &mut Vec<u8>) -> Result<Option<Self>, String> {
        let (mut code, mut lines, mut rest) = (None, Vec::new(), &received[..]);
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            rest = &rest[end + 1..];
            let (number, is_last, text) = parse(line).ok_or_else(|| nonsense(line))?;
            if code.is_some_and(|before| before != number) {
                return Err(nonsense(line));
            }
            code = Some(number);
            lines.push(text);
            if is_last {
                let used = received.len() - rest.len();
                // A long last line may have come as a whole.
                if used > REPLY_BYTES_MAX {
                    return Err(endless());
                }
                received.drain(..used);
                return Ok(Some(Self { code: number, lines }));
            }
        }
        match received.len() > REPLY_BYTES_MAX {
            true => Err(endless()),
            // What begins otherwise never becomes one: a web server, say, that waits for more.
            false if !rest.iter().take(3).all(u8::is_ascii_digit) => Err(nonsense(rest)),
            false => Ok(None),
        }
    }

    /// Its lines without their codes.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// True where there is no use in asking again.
    pub(super) fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, shown(&self.lines.join(" ")))
    }
}

/// The code, whether the reply ends here, and the text. Some servers leave the space behind the
/// code out where there is no text.
fn parse(line: &[u8]) -> Option<(u16, bool, String)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (is_last, text) = match rest {
        [] => (true, rest),
        [b' ', text @ ..] => (true, text),
        [b'-', text @ ..] => (false, text),
        _ => return None,
    };
    (200..600).contains(&code).then(|| (code, is_last, String::from_utf8_lossy(text).into_owned()))
}

fn nonsense(line: &[u8]) -> String {
    let line = shown(&String::from_utf8_lossy(line));
    format!("says \"{line}\", which is no reply of a mail server")
}

fn endless() -> String {
    format!("sends a reply of more than {} KiB", REPLY_BYTES_MAX / 1024)
}

/// What a server said, as people may be shown it.
pub(super) fn shown(text: &str) -> String {
    let cut: String = text.trim().chars().take(SHOWN_CHARS_MAX).collect();
    let rest = if cut.len() < text.trim().len() { " ..." } else { "" };
    format!("{}{rest}", Escaped(&cut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take(text: &str) -> Result<Option<Reply>, String> {
        Reply::take(&mut text.as_bytes().to_vec())
    }

    fn whole(text: &str) -> Reply {
        take(text).unwrap().unwrap()
    }

    #[test]
    fn a_reply_of_several_lines_is_one_and_what_follows_stays() {
        let mut received = b"250-mail.test\r\n250-STARTTLS\r\n250 HELP\r\n354 go".to_vec();
        let reply = Reply::take(&mut received).unwrap().unwrap();
        assert_eq!(reply.code, 250);
        assert_eq!(reply.lines().collect::<Vec<_>>(), ["mail.test", "STARTTLS", "HELP"]);
        assert_eq!(received, b"354 go");
        assert_eq!(Reply::take(&mut received), Ok(None));
    }

    #[test]
    fn every_part_of_one_is_waited_for() {
        let text = "250-a\r\n250 b\r\n";
        for end in 0..text.len() {
            assert_eq!(take(&text[..end]), Ok(None), "{end}");
        }
        assert_eq!(whole(text).to_string(), "250 a b");
    }

    #[test]
    fn a_code_alone_and_a_bare_line_feed_will_do() {
        assert_eq!(whole("250\r\n").code, 250);
        assert_eq!(whole("250 fine\n").to_string(), "250 fine");
    }

    #[test]
    fn what_is_no_reply_is_said_at_once() {
        for text in [
            "HTTP/1.1 400 Bad Request\r\n",
            "SSH-2.0",
            "25",
            "250_x\r\n",
            "250-a\r\n251 b\r\n",
            "199 a\r\n",
            "600 a\r\n",
            "+50 a\r\n",
            "\r\n",
            "\u{16}\u{3}\u{1}",
        ] {
            match take(text) {
                Ok(None) if text == "25" => {}
                other => {
                    let what = other.unwrap_err();
                    assert!(what.ends_with("which is no reply of a mail server"), "{text}: {what}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn however_a_reply_is_cut_it_comes_to_the_same(
            text in "(25[01][- ][ -~]{0,9}\r\n){0,4}[ -~\r\n]{0,9}",
            cuts: [usize; 4],
        ) {
            let at_once = Reply::take(&mut text.clone().into_bytes());
            let mut cuts = cuts.map(|cut| cut % (text.len() + 1));
            cuts.sort_unstable();
            let (mut received, mut from, mut piecewise) = (Vec::new(), 0, Ok(None));
            for to in cuts.into_iter().chain([text.len()]) {
                received.extend_from_slice(&text.as_bytes()[from..to]);
                from = to;
                piecewise = Reply::take(&mut received);
                if piecewise != Ok(None) {
                    break;
                }
            }
            // Of what is no reply, less may be quoted.
            prop_assert_eq!(piecewise.map_err(drop), at_once.map_err(drop));
        }

        #[test]
        fn whatever_a_server_sends_is_a_reply_or_is_not(bytes: Vec<u8>) {
            let mut received = bytes.clone();
            if let Ok(Some(reply)) = Reply::take(&mut received) {
                prop_assert!(bytes.ends_with(&received) && received.len() < bytes.len());
                prop_assert!(!reply.to_string().contains(char::is_control));
            }
        }
    }

    #[test]
    fn a_refusal_of_many_lines_is_told_as_one() {
        let lines =
            "534-5.7.9 Please log in\r\n534-5.7.9 with your web browser\r\n534 5.7.9 - x\r\n";
        assert_eq!(
            whole(lines).to_string(),
            "534 5.7.9 Please log in 5.7.9 with your web browser 5.7.9 - x"
        );
    }

    #[test]
    fn an_endless_one_ends() {
        let lines = "250-x\r\n".repeat(REPLY_BYTES_MAX / 7 + 1);
        assert_eq!(take(&lines), Err("sends a reply of more than 16 KiB".to_owned()));
        let line = format!("250 {}", "x".repeat(REPLY_BYTES_MAX));
        assert_eq!(take(&line), Err("sends a reply of more than 16 KiB".to_owned()));
        assert_eq!(take(&(line + "\r\n")), Err("sends a reply of more than 16 KiB".to_owned()));
    }

    #[test]
    fn what_a_server_says_steers_no_terminal() {
        let reply = whole(&format!("550 \u{1b}[31mno\u{202e} {}\r\n", "x".repeat(300)));
        let shown = reply.to_string();
        assert!(shown.starts_with("550 \\u{1b}[31mno\\u{202e} xx"), "{shown}");
        assert!(shown.ends_with("x ..."), "{shown}");
        assert!(reply.is_permanent());
    }
}
