//! One backend as configured. Holds no state.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use crate::preface::Version;

/// Where a name leads; or a sentence that says why that is not known, such as
/// `app.internal does not resolve: Name or service not known`.
pub type Found = Result<SocketAddr, String>;

/// One backend as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Unique name.
    pub name: String,
    /// Address or host name, IPv6 without brackets.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// Which of the addresses of its name it is; none where `host` is an address itself.
    pub found: Option<Found>,
    /// What to believe before the first check.
    pub alive: bool,
    /// Share under a weighted policy, at least 1.
    pub weight: u32,
    /// Most requests at once; 0 is no limit.
    pub max_connections: u32,
    /// Used only when no other is usable.
    pub backup: bool,
    /// Where clients reach it themselves: scheme and authority, such as `https://a.example.org`.
    /// Without it that is `http://host:port`, or `https` where it speaks TLS.
    pub public: Option<String>,
    /// Set if it speaks TLS.
    pub tls: Option<Trust>,
    /// Where its checks go, if not to `port`.
    pub health_port: Option<u16>,
    /// How each connection to it begins, if with the PROXY protocol.
    pub preface: Option<Version>,
}

impl Spec {
    /// True if both are one place: the same address, by the same name if any.
    pub fn is_at(&self, other: &Self) -> bool {
        let where_found = |spec: &Self| spec.address().ok();
        (&self.host, self.port) == (&other.host, other.port)
            && where_found(self) == where_found(other)
    }

    /// True for what must be looked up.
    pub fn is_named(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    /// The same at one address of its name, which tells it from those at the others.
    #[must_use]
    pub fn found_at(&self, at: SocketAddr) -> Self {
        let name = format!("{}@{}", self.name, without_port(&at));
        Self { name, found: Some(Ok(at)), ..self.clone() }
    }

    /// The name of the application that it is one address of: without that, if it ends with it.
    pub fn application(&self) -> &str {
        let found = self.found.as_ref().and_then(|found| found.as_ref().ok());
        let without = |at| self.name.strip_suffix(&without_port(at))?.strip_suffix('@');
        found.and_then(without).unwrap_or(&self.name)
    }

    /// Where to connect.
    pub fn address(&self) -> Found {
        match (&self.found, self.host.parse()) {
            (Some(found), _) => found.clone(),
            (None, Ok(ip)) => Ok(SocketAddr::new(ip, self.port)),
            (None, Err(_)) => Err(format!("{} was not looked up", self.host)),
        }
    }

    /// Where it is, for people: its address, or its name and port where that leads nowhere.
    pub fn place(&self) -> String {
        self.address().map_or_else(|_| self.authority(), |address| address.to_string())
    }

    /// Its host and port, by its name if it has one: [`authority`].
    pub fn authority(&self) -> String {
        authority(&self.host, self.port)
    }
}

/// With the zone that it is in, if any: it may be another elsewhere.
fn without_port(at: &SocketAddr) -> String {
    match at {
        SocketAddr::V6(six) if six.scope_id() != 0 => format!("{}%{}", six.ip(), six.scope_id()),
        _ => at.ip().to_string(),
    }
}

/// `host:port` as URLs and the Host field want them (RFC 9110 section 7.2), with the brackets that
/// IPv6 needs (RFC 3986 section 3.2.2).
pub fn authority(host: &str, port: u16) -> String {
    format!("{}:{port}", bracketed(host))
}

/// The same where the port goes without saying.
pub fn bracketed(host: &str) -> Cow<'_, str> {
    if host.contains(':') { format!("[{host}]").into() } else { host.into() }
}

/// Whom a backend that speaks TLS must prove to be, and what we prove. Files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// False takes whatever certificate it shows.
    pub verify: bool,
    /// The file of those who may have signed its certificate; none is whom the system trusts.
    pub ca: Option<String>,
    /// The name that its certificate must be for; none is its host.
    pub name: Option<String>,
    /// The file of the certificate that it is shown, with the chain; none shows it none.
    pub certificate: Option<String>,
    /// The file of that certificate's key; none is the same file.
    pub key: Option<String>,
}

/// Names the host as the file does: a client resolves it for itself.
pub(super) fn origin(spec: &Spec) -> String {
    let scheme = if spec.tls.is_some() { "https" } else { "http" };
    let own = || format!("{scheme}://{}", spec.authority());
    spec.public.clone().unwrap_or_else(own)
}
