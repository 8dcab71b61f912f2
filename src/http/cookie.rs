//! Cookies (RFC 6265): one found among those that a client sends, and the one that Evenly sets.
//!
//! `request` reads with it and `response` writes with it; the cookies of others pass by untouched.
//! What a client sends is never trusted to be well-formed: what is not, is no cookie.

use crate::text::decimal;

/// The cookie that keeps a client with its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetCookie<'a> {
    /// A token (RFC 6265 section 4.1.1).
    pub name: &'a str,
    /// Shown as 16 hexadecimal digits.
    pub token: u64,
    /// For how long the client keeps it, in seconds; none is until it is closed.
    pub max_age_s: Option<u64>,
    /// Whether clients keep it to TLS. Over plain HTTP they would drop such a one.
    pub secure: bool,
}

impl SetCookie<'_> {
    /// Appends the field. No script may read it (`HttpOnly`), other sites' pages send it only when
    /// a user follows a link from there (`SameSite=Lax`). With `Path=/` and no `Domain`, a secure
    /// one may have a name that starts with `__Host-` (RFC 6265bis section 4.1.3).
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Set-Cookie: ");
        out.extend_from_slice(self.name.as_bytes());
        out.push(b'=');
        out.extend(digits(self.token));
        out.extend_from_slice(b"; Path=/; HttpOnly; SameSite=Lax");
        if self.secure {
            out.extend_from_slice(b"; Secure");
        }
        if let Some(seconds) = self.max_age_s {
            out.extend_from_slice(b"; Max-Age=");
            decimal(out, seconds);
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// The token that a cookie's value shows, if it looks as [`SetCookie`] writes it: 16 digits, lower
/// case.
#[must_use]
pub fn token(value: &[u8]) -> Option<u64> {
    let mut token = 0;
    for byte in value.first_chunk::<16>().filter(|_| value.len() == 16)? {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        token = token << 4 | u64::from(digit);
    }
    Some(token)
}

fn digits(token: u64) -> [u8; 16] {
    std::array::from_fn(|place| b"0123456789abcdef"[(token >> (60 - 4 * place)) as usize & 15])
}

/// The values of the cookies of that name in the value of a Cookie field (RFC 6265 section 4.2.1),
/// without the quotes that may stand around one. Names differ by case (section 5.4).
pub(super) fn named<'b>(field: &'b [u8], name: &str) -> impl Iterator<Item = &'b [u8]> {
    let pairs = field.split(|byte| *byte == b';').filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some((pair[..at].trim_ascii(), pair[at + 1..].trim_ascii()))
    });
    let values = pairs.filter(move |(is, _)| *is == name.as_bytes()).map(|(_, value)| value);
    values.map(|value| match value {
        [b'"', inside @ .., b'"'] => inside,
        bare => bare,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeadLimits, Parsed, request, slots};

    fn cookies(fields: &str, name: &str) -> Vec<String> {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let mut slots = slots();
        match request::parse(head.as_bytes(), &HeadLimits::default(), &mut slots) {
            Ok(Parsed::Complete { head, .. }) => {
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                head.cookies(name).map(text).collect()
            }
            other => panic!("{fields:?}: {other:?}"),
        }
    }

    fn written(token: u64, max_age_s: Option<u64>) -> String {
        let mut out = Vec::new();
        SetCookie { name: "B", token, max_age_s, secure: false }.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_cookie_is_found_among_others_and_in_several_fields() {
        let cases = [
            ("Cookie: a=1\r\n", &["1"][..]),
            ("Cookie: x=0; a=1; y=2\r\n", &["1"]),
            ("cookie: x=0;a=1\r\nCOOKIE: a=2; z=3\r\n", &["1", "2"]),
            ("Cookie: a=1; a=2\r\n", &["1", "2"]),
            ("Cookie:  a = 1 ;\r\n", &["1"]),
            ("Cookie: a=b=c\r\n", &["b=c"]),
            ("Cookie: a=\"1\"\r\n", &["1"]),
            ("Cookie: a=\r\n", &[""]),
            ("Cookie: a=\"\r\n", &["\""]),
        ];
        for (fields, expected) in cases {
            assert_eq!(cookies(fields, "a"), expected, "{fields:?}");
        }
    }

    #[test]
    fn what_only_resembles_it_is_not_taken_for_it() {
        for fields in
            ["", "Cookie: a\r\n", "Cookie: A=1\r\n", "Cookie: aa=1; ;=1\r\n", "X-Cookie: a=1\r\n"]
        {
            assert_eq!(cookies(fields, "a"), [""; 0], "{fields:?}");
        }
    }

    #[test]
    fn the_field_names_path_and_who_may_see_it() {
        let session = "Set-Cookie: B=00000000000000ff; Path=/; HttpOnly; SameSite=Lax\r\n";
        assert_eq!(written(255, None), session);
        assert!(written(u64::MAX, Some(3600)).ends_with("; SameSite=Lax; Max-Age=3600\r\n"));
        let mut secure = Vec::new();
        let name = "__Host-B";
        SetCookie { name, token: 255, max_age_s: Some(60), secure: true }.write(&mut secure);
        let expected = "Set-Cookie: __Host-B=00000000000000ff; Path=/; HttpOnly; SameSite=Lax; \
            Secure; Max-Age=60\r\n";
        assert_eq!(String::from_utf8(secure).unwrap(), expected);
    }

    #[test]
    fn a_token_reads_back_from_the_field() {
        for number in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            let field = written(number, None);
            let value = field.split(['=', ';']).nth(1).unwrap();
            assert_eq!(token(value.as_bytes()), Some(number), "{field}");
        }
    }

    #[test]
    fn nothing_else_is_a_token() {
        let long = "0".repeat(4096);
        for value in [
            "",
            "1",
            "0123456789abcde",
            "0123456789abcdef0",
            "0123456789ABCDEF",
            "0123456789abcdeg",
            "+123456789abcdef",
            " 123456789abcdef",
            "0x23456789abcdef",
            &long,
        ] {
            assert_eq!(token(value.as_bytes()), None, "{value:?}");
        }
    }
}
