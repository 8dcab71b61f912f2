//! What whoever connects can change where a certificate of the other side will not do: the words
//! that errors are told with. Known to whoever makes a connector, and to nobody below.

/// Where it is said whom to believe, and who is expected.
#[derive(Clone, Copy, Debug)]
pub struct Remedy {
    /// Names the authorities.
    pub ca: &'static str,
    /// Has the name.
    pub name: &'static str,
}

impl Remedy {
    /// For a backend.
    pub const APPLICATION: Self = Self { ca: "tls_ca", name: "tls_name" };
    /// For the mail server of an alert.
    pub const MAIL: Self = Self { ca: "ca of the alert", name: "server of the alert" };
    /// For whom an alert calls.
    pub const WEBHOOK: Self = Self { ca: "ca of the alert", name: "url of the alert" };
    /// For whoever is to notice that we are gone.
    pub const HEARTBEAT: Self = Self { ca: "heartbeat.ca", name: "heartbeat.url" };
    /// For what is measured.
    pub const BENCH: Self = Self { ca: "--cacert", name: "the URL" };
}
