//! Asks a running balancer: one request, one answer, over the socket in the file system or over
//! TCP. The commands call it. It must never wait past the time it is given.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use super::socket;
use crate::http::HeadLimits;
use crate::plain::client::{Link, LinkError, Patience};
use crate::plain::url::Url;
pub use crate::relay::HELD_MAX;
use crate::text::Took;
use crate::thread;

/// The longest answer: ten thousand backends take 12 MB.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Where a balancer answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A socket in the file system.
    Socket(PathBuf),
    /// An address in the network, and what proves that one may ask there.
    Url {
        /// Its scheme, host and port; the path counts for nothing.
        url: Url,
        /// As `[admin] token` has it.
        token: Option<String>,
    },
}

/// What to ask.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// GET asks, POST changes.
    pub method: &'q str,
    /// The path with its query.
    pub path: &'q str,
    /// Of a POST.
    pub body: &'q [u8],
    /// The longest that all of it may take.
    pub within: Duration,
}

/// What was said to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 999.
    pub status: u16,
    /// What is no UTF-8 is replaced.
    pub body: String,
}

/// Why there is no answer, for whoever knows which endpoint it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nobody was reached, so nothing was done. The reason alone, such as "no such file".
    Unreached(String),
    /// Somebody was, and what became of the question is not known. It reads on from the one who was
    /// asked: "closed before it had answered".
    Broken(String),
}

impl Endpoint {
    /// Asks, and waits for the whole answer.
    pub fn ask(&self, question: &Question<'_>) -> Result<Answer, NoAnswer> {
        let within = question.within;
        let until = Instant::now() + within;
        let (connect, handshake, response, silence) = (within, within, within, within);
        let patience = Patience { until, connect, handshake, response, silence };
        let mut link = self.connect(patience)?;
        let answer = converse(&mut link, &self.head(question), question);
        answer.map_err(|error| NoAnswer::Broken(broken(&error, within)))
    }

    /// Whether anybody takes connections there; of an address in the network that is not known
    /// before one asks.
    pub fn reach(&self, within: Duration) -> io::Result<()> {
        match self {
            Self::Socket(path) => socket::connect(path, within).map(drop),
            Self::Url { .. } => Ok(()),
        }
    }

    fn connect(&self, patience: Patience) -> Result<Link, NoAnswer> {
        let within = patience.connect;
        let link = match self {
            Self::Socket(path) => {
                let link = socket::connect(path, within).and_then(|it| Link::over(it, patience));
                link.map_err(|error| unconnected(&error))
            }
            Self::Url { url, .. } => look_up(url, within).and_then(|addresses| {
                let link = Link::connect(&addresses, None, patience, &mut |_, _| true);
                link.map_err(|error| match error {
                    LinkError::Connect { error, .. } => unconnected(&error),
                    other => broken(&other, within),
                })
            }),
        };
        link.map_err(NoAnswer::Unreached)
    }

    /// The request's bytes. A header of our own is what no page of a browser can add to a POST
    /// unasked.
    fn head(&self, question: &Question<'_>) -> Vec<u8> {
        let Question { method, path, body, .. } = question;
        let (host, token) = match self {
            Self::Socket(_) => ("localhost", None),
            Self::Url { url, token } => (url.authority(), token.as_deref()),
        };
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nX-Evenly: 1\r\n");
        if let Some(token) = token {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        if *method != "GET" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        [head.as_bytes(), body].concat()
    }
}

/// As messages name it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Url { url, .. } => write!(f, "http://{}", url.authority()),
        }
    }
}

/// The system's resolver has no deadline of its own, so it has a thread, which may outlast us.
fn look_up(url: &Url, within: Duration) -> Result<Vec<SocketAddr>, String> {
    let (found, heard) = bounded(1);
    let (host, port) = (url.host().to_owned(), url.port());
    let duty = move || {
        let addresses = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        let _ = found.send(addresses); // fails when nobody waits any more
    };
    thread::spawn("lookup", duty).map_err(|error| error.to_string())?;
    let late = |_| format!("{} was not looked up in time", url.host());
    let addresses: io::Result<_> = heard.recv_timeout(within).map_err(late)?;
    addresses.map_err(|error| error.to_string())
}

fn converse(link: &mut Link, request: &[u8], question: &Question<'_>) -> Result<Answer, LinkError> {
    let head = link.ask(request, question.method, &HeadLimits::default(), &mut |_| ())?;
    let mut body = Vec::new();
    let whole = link.read_body(head.framing, &mut |data| {
        body.extend_from_slice(data);
        body.len() <= ANSWER_BYTES_MAX
    })?;
    if !whole {
        return Err(LinkError::BadBody("an answer longer than 64 MiB"));
    }
    Ok(Answer { status: head.status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Why a connect failed, and what to do where that is known.
pub fn unconnected(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied: ask as the user that it runs as, or as root".to_owned()
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no connection in time".to_owned(),
        _ => error.to_string(),
    }
}

/// What became of a connection that there was.
fn broken(error: &LinkError, within: Duration) -> String {
    match error {
        LinkError::Late(..) => format!("did not answer within {}", Took(within)),
        LinkError::Closed { .. } | LinkError::Cut(_) => "closed before it had answered".to_owned(),
        LinkError::BadHead(why) | LinkError::BadBody(why) => {
            format!("answered in no HTTP that is understood: {why}")
        }
        LinkError::Io(error) | LinkError::Handshake(error) => format!("broke off: {error}"),
        LinkError::Connect { error, .. } => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::thread::JoinHandle;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(100);

    /// A socket at which one client gets this answer; the thread returns what it was asked.
    fn answering(name: &str, answer: &'static str) -> (Endpoint, JoinHandle<String>) {
        let path = path(name);
        let listener = UnixListener::bind(&path).unwrap();
        let asked = std::thread::spawn(move || {
            let mut socket = listener.accept().unwrap().0;
            let mut asked = vec![0; 64 * 1024];
            let read = socket.read(&mut asked).unwrap();
            asked.truncate(read);
            socket.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (Endpoint::Socket(path), asked)
    }

    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("evenly-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    fn ask(endpoint: &Endpoint, within: Duration) -> Result<Answer, NoAnswer> {
        endpoint.ask(&Question { method: "POST", path: "/reload?a=b", body: b"x", within })
    }

    fn forget(endpoint: &Endpoint) {
        if let Endpoint::Socket(path) = endpoint {
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn what_is_asked_names_the_header_of_our_own_and_the_answer_comes_whole() {
        let (endpoint, asked) = answering("whole", "HTTP/1.1 409 C\r\nContent-Length: 2\r\n\r\n{}");
        let body = "{}".to_owned();
        assert_eq!(ask(&endpoint, LONG), Ok(Answer { status: 409, body }));
        let expected = "POST /reload?a=b HTTP/1.1\r\nHost: localhost\r\nX-Evenly: 1\r\n\
            Content-Length: 1\r\nConnection: close\r\n\r\nx";
        assert_eq!(asked.join().unwrap(), expected);
        forget(&endpoint);
    }

    #[test]
    fn each_way_to_get_no_answer_says_why() {
        let path = path("gone");
        let endpoint = Endpoint::Socket(path.clone());
        let unreached = |why: &str| Err(NoAnswer::Unreached(why.to_owned()));
        assert_eq!(ask(&endpoint, LONG), unreached("no such file"));
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(ask(&endpoint, LONG), unreached("nobody listens there"));
        std::fs::remove_file(&path).unwrap();
        let cases = [
            ("cut", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "closed before it had"),
            ("closed", "", "closed before it had answered"),
            ("odd", "220 mail.test ESMTP\r\n\r\n", "answered in no HTTP that is understood"),
        ];
        for (name, answer, why) in cases {
            let (endpoint, asked) = answering(name, answer);
            match ask(&endpoint, LONG) {
                Err(NoAnswer::Broken(what)) => assert!(what.starts_with(why), "{what}"),
                other => panic!("{name}: {other:?}"),
            }
            asked.join().unwrap();
            forget(&endpoint);
        }
    }

    #[test]
    fn one_that_takes_no_connection_or_says_nothing_is_left_in_time() {
        let path = path("silent");
        let listener = UnixListener::bind(&path).unwrap();
        let endpoint = Endpoint::Socket(path.clone());
        let late = "did not answer within 100.0 ms".to_owned();
        assert_eq!(ask(&endpoint, SHORT), Err(NoAnswer::Broken(late)));
        rustix::net::listen(&listener, 0).unwrap();
        let connected = std::iter::repeat_with(|| socket::connect(&path, SHORT));
        let _waiting: Vec<_> = connected.take_while(Result::is_ok).take(5000).collect();
        let full = "no connection in time".to_owned();
        assert_eq!(ask(&endpoint, SHORT), Err(NoAnswer::Unreached(full)));
        forget(&endpoint);
    }
}
