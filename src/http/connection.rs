//! What a message says about its connection: Connection and Upgrade (RFC 9110 7.6.1 and 7.8).
//!
//! `request` and `response` read with it and `forward` asks it what to leave out. It must never
//! let a sender strip a field that the next hop needs to be safe.

use super::fields::{self, Name};
use super::{Broken, Repairs, Version};

/// Names beyond the known ones that a Connection field may nominate, so that the search for them
/// stays short: a head full of options and fields would otherwise cost their product.
const NOMINATED_MAX: usize = 8;

/// What the Connection fields of a message say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Connection<'b> {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
    nominated: [&'b [u8]; NOMINATED_MAX],
    count: usize,
}

impl<'b> Connection<'b> {
    /// Takes the value of an answer's Connection field. What is no option there ends with the
    /// connection, so it has no meaning that could be missed.
    pub(super) fn read_leniently(&mut self, value: &'b [u8]) -> Result<Repairs, Broken> {
        let mut repairs = Repairs::default();
        for option in fields::members(value) {
            if self.sets(option) {
                continue; // as it stands: nearly all that are ever sent
            }
            let name = without_parameters(option);
            if name.len() < option.len() || !fields::is_token(name) {
                repairs |= Repairs::OPTIONS;
            }
            if fields::is_token(name) {
                self.take(name)?;
            }
        }
        Ok(repairs)
    }

    /// Takes the value of a request's Connection field.
    ///
    /// Fields that are read or rewritten here anyway, and fields that steer the whole message,
    /// cannot be nominated away: otherwise a client could have a proxy strip what protects the
    /// next hop. Such an option is ignored rather than refused: `Transfer-Encoding` is seen in
    /// honest responses.
    pub(super) fn read(&mut self, value: &'b [u8]) -> Result<(), Broken> {
        for option in fields::members(value) {
            if self.sets(option) {
                continue;
            }
            let option = without_parameters(option);
            if !fields::is_token(option) {
                return Err("a Connection option is not a token");
            }
            self.take(option)?;
        }
        Ok(())
    }

    fn take(&mut self, option: &'b [u8]) -> Result<(), Broken> {
        if self.sets(option) { Ok(()) } else { self.nominate(option) }
    }

    /// Sets what the option stands for, if it is one of the known ones.
    fn sets(&mut self, option: &[u8]) -> bool {
        let known = [
            (&b"keep-alive"[..], &mut self.keep_alive),
            (b"close", &mut self.close),
            (b"upgrade", &mut self.upgrade),
        ];
        for (name, flag) in known {
            if option.eq_ignore_ascii_case(name) {
                *flag = true;
                return true;
            }
        }
        false
    }

    fn nominate(&mut self, option: &'b [u8]) -> Result<(), Broken> {
        if fields::classify(option) != Name::Other
            || fields::is_steering(option)
            || self.nominates(option)
        {
            return Ok(());
        }
        let slot = self.nominated.get_mut(self.count).ok_or("too many Connection options")?;
        *slot = option;
        self.count += 1;
        Ok(())
    }

    /// Whether this field ends here because Connection names it.
    pub(super) fn nominates(&self, name: &[u8]) -> bool {
        self.nominated[..self.count].iter().any(|option| option.eq_ignore_ascii_case(name))
    }

    /// Whether the sender means to keep the connection (RFC 9112 9.3).
    pub(super) fn persists(&self, version: Version) -> bool {
        !self.close && (self.keep_alive || version == Version::Http11)
    }
}

/// What the Keep-Alive fields of an answer say: `timeout=5, max=100`. RFC 2068 19.7.1 had them
/// without a meaning for either; what servers mean stands in draft-thomson-hybi-http-timeout. What
/// cannot be read says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Endurance {
    /// Seconds that the connection may be idle, the least where several are named.
    pub(super) timeout_s: Option<u32>,
    /// It carries no further request.
    pub(super) is_over: bool,
}

impl Endurance {
    /// Takes the value of a Keep-Alive field.
    pub(super) fn read(&mut self, value: &[u8]) {
        for parameter in value.split(|byte| matches!(byte, b',' | b';')) {
            let Some(equals) = parameter.iter().position(|byte| *byte == b'=') else { continue };
            let (name, value) = (parameter[..equals].trim_ascii(), &parameter[equals + 1..]);
            let Some(number) = number(value.trim_ascii()) else { continue };
            if name.eq_ignore_ascii_case(b"timeout") {
                self.timeout_s = Some(self.timeout_s.map_or(number, |least| least.min(number)));
            } else if name.eq_ignore_ascii_case(b"max") {
                // Whether the 1 counts this request or the next, servers do not agree.
                self.is_over |= number <= 1;
            }
        }
    }
}

/// Digits, quoted or not; a number that is too large is the largest.
fn number(text: &[u8]) -> Option<u32> {
    let inner = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
    let digits = inner.unwrap_or(text);
    let sound = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = || std::str::from_utf8(digits).ok()?.parse().ok();
    sound.then(|| number().unwrap_or(u32::MAX))
}

/// Options have no parameters, yet `keep-alive; timeout=5` is said, and meant as the option.
fn without_parameters(option: &[u8]) -> &[u8] {
    option.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end()
}

/// The protocol that an Upgrade field names, if it is a single one.
pub(super) fn protocol(value: &[u8]) -> Option<&str> {
    let mut parts = value.splitn(2, |byte| *byte == b'/');
    let sound =
        parts.next().is_some_and(fields::is_token) && parts.next().is_none_or(fields::is_token);
    if sound { std::str::from_utf8(value).ok() } else { None }
}

/// Whether that is a version of HTTP. Such a tunnel would carry requests past every rule of this
/// room.
pub(super) fn is_http(protocol: &str) -> bool {
    let name = protocol.split('/').next().unwrap_or_default();
    ["h2c", "h2", "http"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'b>(values: &[&'b str]) -> Result<Connection<'b>, Broken> {
        let mut connection = Connection::default();
        for value in values {
            connection.read(value.as_bytes())?;
        }
        Ok(connection)
    }

    #[test]
    fn options_are_read_in_any_case_and_from_every_line() {
        let seen = read(&["Keep-ALIVE , , X-Hop", "UPGRADE"]).unwrap();
        assert!(seen.keep_alive && seen.upgrade && !seen.close);
        assert!(seen.nominates(b"x-hop") && !seen.nominates(b"x-hope"));
        assert!(read(&["close\t"]).unwrap().close);
        assert!(!read(&["closed, not-close"]).unwrap().close);
    }

    #[test]
    fn what_the_next_hop_needs_cannot_be_nominated_away() {
        let options = "Host, Content-Length, Transfer-Encoding, Authorization, Cookie, \
                       Cache-Control, X-Forwarded-For, X-Request-Id, Content-Type, Via, X-A";
        let seen = read(&[options]).unwrap();
        for name in options.split(", ").filter(|name| *name != "X-A") {
            assert!(!seen.nominates(name.as_bytes()), "{name}");
        }
        assert!(seen.nominates(b"x-a"));
    }

    #[test]
    fn options_are_tokens_and_few() {
        assert!(read(&["a b"]).is_err());
        assert!(read(&["\"close\""]).is_err());
        assert!(read(&["a,b,c,d,e,f,g,h,a,b"]).is_ok());
        assert!(read(&["a,b,c,d", "e,f,g,h,i"]).is_err());
    }

    #[test]
    fn parameters_of_options_mean_nothing() {
        assert!(read(&["keep-alive; timeout=5"]).unwrap().persists(Version::Http10));
        assert!(!read(&["close;x"]).unwrap().persists(Version::Http11));
        assert!(read(&["; x"]).is_err());
    }

    #[test]
    fn in_an_answer_what_is_no_option_is_passed_over_and_said() {
        let read = |value: &'static str| {
            let mut connection = Connection::default();
            let repairs = connection.read_leniently(value.as_bytes()).unwrap();
            (connection.keep_alive, connection.nominates(b"x-hop"), repairs)
        };
        assert_eq!(read("keep-alive, X-Hop"), (true, true, Repairs::default()));
        assert_eq!(read("keep-alive; timeout=5, X-Hop"), (true, true, Repairs::OPTIONS));
        assert_eq!(read("\"keep-alive\", a b, X-Hop"), (false, true, Repairs::OPTIONS));
        assert_eq!(read("timeout=5, max 1, ;"), (false, false, Repairs::OPTIONS));
    }

    #[test]
    fn close_beats_keep_alive_and_the_version_decides_the_rest() {
        assert!(!read(&["close, keep-alive"]).unwrap().persists(Version::Http11));
        assert!(read(&[]).unwrap().persists(Version::Http11));
        assert!(!read(&[]).unwrap().persists(Version::Http10));
        assert!(read(&["keep-alive"]).unwrap().persists(Version::Http10));
    }

    #[test]
    fn how_long_a_connection_lasts_is_read_in_any_spelling() {
        let read = |value: &str| {
            let mut endurance = Endurance::default();
            endurance.read(value.as_bytes());
            (endurance.timeout_s, endurance.is_over)
        };
        for five in ["timeout=5", "Timeout=5, max=100", "max=2,TIMEOUT=5", " timeout = \"5\";max=9"]
        {
            assert_eq!(read(five), (Some(5), false), "{five}");
        }
        assert_eq!(read("timeout=15, timeout=5"), (Some(5), false));
        assert_eq!(read("timeout=99999999999"), (Some(u32::MAX), false));
        for over in ["max=1", "max=0, x"] {
            assert_eq!(read(over), (None, true), "{over}");
        }
        for nothing in ["", "timeout", "timeout=", "timeout=-1", "timeout=5s", "5", "=5", "max=\""]
        {
            assert_eq!(read(nothing), (None, false), "{nothing}");
        }
    }

    #[test]
    fn a_single_protocol_is_read_and_versions_of_http_are_known() {
        for good in ["websocket", "WebSocket", "TLS/1.0", "h2cx", "tcp"] {
            assert_eq!(protocol(good.as_bytes()).map(is_http), Some(false), "{good}");
        }
        for http in ["h2c", "H2C", "h2", "HTTP/2.0", "h2c/1"] {
            assert_eq!(protocol(http.as_bytes()).map(is_http), Some(true), "{http}");
        }
        for bad in ["websocket, h2c", "", "a/", "a/b/c", "a b"] {
            assert_eq!(protocol(bad.as_bytes()), None, "{bad}");
        }
    }
}
