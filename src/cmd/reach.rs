//! Which balancer a command is for: what was typed, the file, and the places where sockets lie
//! become endpoints. The commands that ask a running balancer call it; it changes nothing.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::status::view::View;
use super::{Failure, warn};
use crate::admin::ask::{Endpoint, unconnected};
use crate::admin::socket;
use crate::config::{AdminSocket, Config, Source};
use crate::plain::url::Url;

/// To see whether anybody listens, and who: several times at most in the 2 s of a healthcheck.
const GLANCE: Duration = Duration::from_millis(250);
/// The variable that holds what proves that one may ask.
pub(super) const TOKEN_VARIABLE: &str = "EVENLY_ADMIN_TOKEN";

/// Whom a command asks, as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// One by `--socket` or `--url`, each of `--all`; none of them: whoever the file is of.
    pub named: Vec<Balancer>,
    /// The file.
    pub source: Source,
    /// It was asked for by name, so that it must be there.
    pub is_file_named: bool,
}

/// A balancer to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancer {
    /// What it is called where several are asked.
    pub name: String,
    /// Where it answers.
    pub endpoint: Endpoint,
}

/// What a balancer is wanted for, which says what becomes of one that answers where the file's
/// would, and serves by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To ask whether it is well, whoever it is.
    Check,
    /// To show something of it. A warning tells whose it is.
    Show,
    /// To change something, or to hold its file against it. It is refused.
    Steer,
}

impl Reach {
    /// The balancers to ask, at least one. Says on stderr if it is one that nobody named.
    pub(super) fn find(&self, purpose: Purpose) -> Result<Vec<Balancer>, Failure> {
        match self.named.is_empty() {
            true => Ok(vec![Balancer::at(self.find_local(purpose)?)]),
            false => Ok(self.named.iter().map(|named| self.with_token(named)).collect()),
        }
    }

    /// A token that no variable names may stand in the file, if that can be read. It is for the
    /// balancer of this file alone: to others it would go in the clear, and open this one.
    fn with_token(&self, balancer: &Balancer) -> Balancer {
        let mut balancer = balancer.clone();
        if let Endpoint::Url { url, token: token @ None } = &mut balancer.endpoint
            && let Ok(config) = Config::load(&self.source.path, &self.source.overrides)
            && !config.admin.token.is_empty()
            && config.admin.listen.is_some_and(|own| is_at(url, own))
        {
            *token = Some(config.admin.token);
        }
        balancer
    }

    fn find_local(&self, purpose: Purpose) -> Result<Endpoint, Failure> {
        let (mut tried, mut stranger) = (Vec::new(), None);
        let file = fs::canonicalize(&self.source.path).ok();
        let is_said = file.is_some() || self.is_said_by_variables();
        for endpoint in self.expected()? {
            match endpoint.reach(GLANCE) {
                Ok(()) if is_said => match self.told_apart(&endpoint, purpose) {
                    None => return Ok(endpoint),
                    Some(words) => stranger = Some((endpoint, words)),
                },
                // Nobody has named it, so it is one among others.
                Ok(()) => {}
                Err(error) => tried.push(format!("{endpoint} ({})", unconnected(&error))),
            }
        }
        let mut others: Vec<_> = directories().iter().flat_map(|it| live_in(it)).collect();
        if is_said {
            others.retain(|endpoint| file.as_ref().is_some_and(|file| serves(endpoint, file)));
        }
        if others.len() > 1 {
            let names: Vec<_> = others.iter().map(Endpoint::to_string).collect();
            let names = names.join(", ");
            return Err(Failure::Run(format!("which of these? name one with --socket: {names}")));
        }
        let Some(other) = others.pop() else {
            if let Some((endpoint, words)) = stranger {
                if purpose == Purpose::Steer {
                    return Err(Failure::Run(words));
                }
                warn([words]);
                return Ok(endpoint);
            }
            if file.is_some() && tried.is_empty() {
                let file = self.source.path.display();
                return Err(Failure::Run(format!(
                    "{file} has mistakes (see evenly check) and names no socket, and no balancer \
                     at the usual places was started with it; name its socket with --socket"
                )));
            }
            let tried = tried.join(" or at ");
            let file = self.source.path.display();
            return Err(Failure::Run(match is_said {
                true => format!(
                    "no balancer answers at {tried}; start one with evenly serve, or name its \
                     socket with --socket"
                ),
                false => format!(
                    "no balancer answers at {tried}, and there is no {file} here; name the file \
                     of one with -c FILE, or its socket with --socket, or start one with evenly \
                     serve"
                ),
            }));
        };
        if file.is_none() {
            warn([format!("asking the balancer at {other}, the only one that runs here")]);
        }
        Ok(other)
    }

    /// Whose balancer it is that answers there, and what to do, if it serves by another file than
    /// ours. A variable that names the socket means whoever is there.
    fn told_apart(&self, endpoint: &Endpoint, purpose: Purpose) -> Option<String> {
        let Source { path, overrides } = &self.source;
        let socket = Config::glimpse(path, overrides).admin.socket;
        let is_meant = overrides.has("admin.socket") && socket != AdminSocket::Auto;
        if purpose == Purpose::Check || is_meant {
            return None;
        }
        let own = fs::canonicalize(path).ok()?;
        let (view, own) =
            (server_at(endpoint).filter(|it| it.is_of(&own) == Some(false))?, own.display());
        let key = match socket {
            AdminSocket::At(_) => "[admin] socket",
            AdminSocket::Auto => "[server] listen",
            AdminSocket::Off => "[admin] listen",
        };
        let remedy = match &view.file {
            Some(file) => format!("ask it with -c {file}"),
            None => "ask it with --socket".to_owned(),
        };
        Some(format!(
            "the balancer at {endpoint} is {}, not by {own}; {remedy}, or give {own} another {key}",
            view.called()
        ))
    }

    /// Where the file's balancer may answer. A running one is to be asked whatever has become of
    /// its file meanwhile, so mistakes in it are for the balancer to tell.
    fn expected(&self) -> Result<Vec<Endpoint>, Failure> {
        let Source { path, overrides } = &self.source;
        match Config::load(path, overrides) {
            Ok(config) => written(config, &path.display().to_string()),
            Err(errors) if self.is_file_named && !path.exists() => Err(errors.into()),
            // It does not say its port, and who is at the default one may be another's.
            Err(_) if path.exists() => Ok(match Config::glimpse(path, overrides).admin.socket {
                AdminSocket::At(path) => vec![Endpoint::Socket(path)],
                AdminSocket::Auto | AdminSocket::Off => Vec::new(),
            }),
            Err(_) => written(Config::glimpse(path, overrides), "the environment"),
        }
    }

    /// Variables beat the file, and count where there is none.
    fn is_said_by_variables(&self) -> bool {
        let Source { path, overrides } = &self.source;
        let socket = Config::glimpse(path, overrides).admin.socket;
        socket != AdminSocket::Auto || overrides.has("server.listen")
    }
}

impl Balancer {
    /// Called by where it answers.
    pub(super) fn at(endpoint: Endpoint) -> Self {
        Self { name: endpoint.to_string(), endpoint }
    }
}

/// True if this URL leads to the endpoint that listens at `own`, as far as that shows.
fn is_at(url: &Url, own: SocketAddr) -> bool {
    let ip = url.host().parse::<IpAddr>().ok();
    let is_here = url.host() == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
    url.port() == own.port() && (is_here || ip == Some(own.ip()))
}

/// The balancer that answers where that of this configuration does, if it serves at all of these
/// addresses.
pub(super) fn server_of(config: &Config, addresses: &[SocketAddr]) -> Option<View> {
    let endpoints = written(config.clone(), "").unwrap_or_default();
    let is_there =
        |view: &View| addresses.iter().all(|address| view.listeners.contains(&address.to_string()));
    endpoints.iter().filter_map(server_at).find(is_there)
}

fn server_at(endpoint: &Endpoint) -> Option<View> {
    View::read(&Balancer::at(endpoint.clone()).status(GLANCE).ok()?).ok()
}

impl View {
    /// Whether it serves by this file, by whatever path; `None` if that cannot be seen from here,
    /// as where it runs in a container and its path leads nowhere.
    pub(super) fn is_of(&self, file: &Path) -> Option<bool> {
        let Some(own) = &self.file else { return Some(false) };
        let place = |path: &Path| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
        Some(place(Path::new(own))? == place(file)?)
    }

    /// What it is called where it is not the one that was meant.
    pub(super) fn called(&self) -> String {
        let by = self.file.as_ref().map_or("no file, as evenly demo does", String::as_str);
        format!("process {}, which serves by {by}", self.pid)
    }
}

/// Where the balancer of this configuration answers: `file` is what messages call it.
fn written(config: Config, file: &str) -> Result<Vec<Endpoint>, Failure> {
    let port = config.address().port();
    match (config.admin.socket, config.admin.listen) {
        (AdminSocket::At(path), _) => Ok(vec![Endpoint::Socket(path)]),
        (AdminSocket::Auto, _) => Ok(by_port(port)),
        (AdminSocket::Off, Some(address)) => {
            let url = format!("http://{address}/").parse().map_err(Failure::Run)?;
            let token = Some(config.admin.token).filter(|token| !token.is_empty());
            Ok(vec![Endpoint::Url { url, token }])
        }
        (AdminSocket::Off, None) => Err(Failure::Run(format!(
            "{file} has [admin] socket = \"off\" and no listen, so nobody can ask its balancer"
        ))),
    }
}

fn by_port(port: u16) -> Vec<Endpoint> {
    let name = socket::file_name(port);
    directories().iter().map(|it| Endpoint::Socket(it.join(&name))).collect()
}

/// Where a balancer that was started like this command has its socket, and where one has it that
/// was started as a service.
fn directories() -> Vec<PathBuf> {
    let mut all: Vec<_> = socket::directory().into_iter().collect();
    all.push(socket::SHARED_DIRECTORY.into());
    all.dedup();
    all
}

/// Whether the balancer there was started with this file: its port may be another one by now, or
/// its mistakes too many to be read.
fn serves(endpoint: &Endpoint, file: &Path) -> bool {
    server_at(endpoint).and_then(|view| view.is_of(file)) == Some(true)
}

/// The sockets of a directory at which a balancer listens, and those at which we may not ask: they
/// are no less there for that.
fn live_in(directory: &Path) -> Vec<Endpoint> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| {
        path.file_name().is_some_and(|name| socket::is_file_name(&name.to_string_lossy()))
    });
    paths.sort();
    let endpoints = paths.into_iter().map(Endpoint::Socket);
    let is_there = |endpoint: &Endpoint| match endpoint.reach(GLANCE) {
        Ok(()) => true,
        Err(error) => error.kind() == ErrorKind::PermissionDenied,
    };
    endpoints.filter(is_there).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_file_it_is_shows_where_its_path_leads_somewhere() {
        let folder = std::env::temp_dir().join(format!("evenly-{}-whose", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let [own, other, link] = ["own", "other", "link"].map(|name| folder.join(name));
        fs::write(&own, "").unwrap();
        fs::write(&other, "").unwrap();
        std::os::unix::fs::symlink(&own, &link).unwrap();
        let by = |file: Option<&Path>| View {
            file: file.map(|file| file.display().to_string()),
            ..View::default()
        };
        assert_eq!(by(Some(&link)).is_of(&own), Some(true));
        assert_eq!(by(Some(&other)).is_of(&own), Some(false));
        assert_eq!(by(None).is_of(&own), Some(false), "a demo");
        assert_eq!(by(Some(&folder.join("in/its/container"))).is_of(&own), None);
        fs::remove_dir_all(&folder).unwrap();
    }
}
