//! The grammars of `[admin]`, the endpoint for operators.

#[cfg(feature = "admin")]
use std::fmt;
#[cfg(feature = "admin")]
use std::net::{Ipv4Addr, SocketAddr};

#[cfg(feature = "admin")]
use super::SECRET_CHARACTERS_MIN;
#[cfg(feature = "admin")]
use super::address::listen_or;
#[cfg(feature = "admin")]
use crate::config::AdminSocket;
#[cfg(feature = "admin")]
use crate::config::message::quote;

/// Goes into a field of a request. The error repeats no more of it than a sticky secret's.
#[cfg(feature = "admin")]
pub(in crate::config) fn token(text: &str) -> Result<String, String> {
    let (count, least) = (text.chars().count(), SECRET_CHARACTERS_MIN);
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("no field can hold it; use letters, digits and signs of ASCII".to_string());
    }
    if count == 0 || count >= least {
        return Ok(text.to_string());
    }
    Err(format!("{count} characters can be guessed; use at least {least}, or \"\" for none"))
}

/// Where it may do without a token, if no address is said.
#[cfg(feature = "admin")]
pub(in crate::config) fn listen(text: &str) -> Result<SocketAddr, String> {
    listen_or((Ipv4Addr::LOCALHOST, 9900), text)
}

/// A path must show a slash, so that a slip in "off" makes no socket of that name.
#[cfg(feature = "admin")]
pub(in crate::config) fn socket(text: &str) -> Result<AdminSocket, String> {
    match text {
        "auto" => Ok(AdminSocket::Auto),
        "off" => Ok(AdminSocket::Off),
        path if path.contains('/') && !path.contains('\0') => Ok(AdminSocket::At(path.into())),
        other => {
            let said = quote(other);
            Err(format!(
                "{said} is no path; use \"auto\", \"off\" or one such as \"./evenly.sock\""
            ))
        }
    }
}

#[cfg(feature = "admin")]
impl fmt::Display for AdminSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::At(path) => path.display().fmt(f),
        }
    }
}

/// What asks for the endpoint in a build without it.
#[cfg(not(feature = "admin"))]
pub(in crate::config) fn absent(_text: &str) -> Result<String, String> {
    Err("this build of evenly has no admin endpoint; use one with the feature admin".to_string())
}
