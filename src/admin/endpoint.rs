//! The endpoint as a whole: its listeners with threads of their own, and the way of a request from
//! the guard to its answer.
//!
//! The balancer starts it first and ends it last. It must answer whatever the relay is at, so it
//! shares nothing with it but what is asked for, and it must not slow it (`pace`).

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use super::ask::{Endpoint as At, Question};
use super::bound::{Bound, listen_at};
use super::guard::{Guard, Refused};
use super::history::{History, Sampler};
use super::pace::{OF_STRANGERS, OF_THE_OWNER, Pace};
use super::process::thread_time;
use super::route::{Astray, Query, Route, paths, route};
use super::socket::UnixSocket;
use super::steer::Steering;
use super::{State, Steered, answer, metrics, page, status};
use crate::config::{Admin, Config};
use crate::event::{Event, Teller, Visit};
use crate::http::{HeadLimits, Refusal};
use crate::plain::handler::{Handled, Handler, ServerLimits, WholeRequest};
use crate::plain::server::PlainServer;

/// What a request costs besides its answer, which is measured, and a connection besides its
/// requests: system calls and a thread.
const REQUEST_COST: Duration = Duration::from_micros(100);
const CONNECTION_COST: Duration = Duration::from_micros(100);
/// How long a predecessor may take to tell its history, which it has in memory.
const HISTORY_WITHIN: Duration = Duration::from_secs(2);
/// How long a predecessor may take to let its address go.
const LETTING_GO: Duration = Duration::from_secs(5);
const LETTING_GO_LOOK: Duration = Duration::from_millis(20);
/// To read and to write a byte.
const BYTE_COST: Duration = Duration::from_nanos(5);

/// The endpoint, which answers until it is dropped.
pub struct Endpoint {
    core: Arc<Core>,
    /// Before the socket, whose path goes last.
    servers: Vec<PlainServer>,
    socket: Option<UnixSocket>,
    address: Option<SocketAddr>,
    sampler: Option<Sampler>,
}

/// What all listeners share.
struct Core {
    teller: Teller,
    /// The balancer, once it serves.
    steered: OnceLock<Arc<dyn Steered>>,
    history: Arc<History>,
}

/// Who answers at one listener.
struct Desk {
    core: Arc<Core>,
    guard: Guard,
    pace: Pace,
}

impl Bound {
    /// Begins to answer there.
    ///
    /// # Errors
    /// A sentence that says what the system does not give.
    pub fn serve(self, admin: &Admin, teller: &Teller) -> Result<Endpoint, String> {
        let (steered, history) = (OnceLock::new(), Arc::default());
        let core = Arc::new(Core { teller: teller.clone(), steered, history });
        self.warning.iter().for_each(|text| teller.tell(Event::Configuration(text)));
        let (socket, mut servers) = (self.socket, Vec::new());
        if let Some(socket) = &socket {
            let listener = socket.listener().map_err(|error| error.to_string())?;
            servers.push(serve(&core, listener, Guard::User, "admin socket")?);
        }
        let mut endpoint = Endpoint { core, servers, socket, address: None, sampler: None };
        if let Some(listener) = self.listener {
            endpoint.answer_at(listener, admin)?;
        }
        if !self.is_waiting {
            endpoint.tell_where();
        }
        Ok(endpoint)
    }
}

impl Endpoint {
    /// From now on there is something to look at and to steer.
    ///
    /// # Errors
    /// As the system says it, where it has no thread for the history.
    pub fn serve(&mut self, steered: Arc<dyn Steered>) -> io::Result<()> {
        let history = Arc::clone(&self.core.history);
        self.sampler = Some(Sampler::start(history, Arc::clone(&steered))?);
        let _ = self.core.steered.set(steered);
        Ok(())
    }

    /// Goes on with the history of the predecessor at this socket. One that tells none had none:
    /// then it begins here.
    pub fn take_history(&self, from: &Path) {
        let (method, path, within) = ("GET", "/history", HISTORY_WITHIN);
        let question = Question { method, path, body: b"", within };
        if let Ok(answer) = At::Socket(from.to_owned()).ask(&question) {
            self.core.history.follow(&answer.body);
        }
    }

    /// Takes the place of the predecessor's socket, which operators ask at.
    ///
    /// # Errors
    /// As the system says it; then it stays where it is.
    pub fn take_over(&mut self, path: &Path) -> io::Result<()> {
        self.socket.as_mut().map_or(Ok(()), |socket| socket.move_to(path))
    }

    /// Takes the predecessor's address, as soon as that has let it go.
    ///
    /// # Errors
    /// A sentence, if that takes too long.
    pub fn take_address(&mut self, config: &Config) -> Result<(), String> {
        let Some(listen) = config.admin.listen.filter(|_| self.address.is_none()) else {
            return Ok(());
        };
        let until = Instant::now() + LETTING_GO;
        let listener = loop {
            match listen_at(config, listen) {
                Err(_) if Instant::now() < until => std::thread::park_timeout(LETTING_GO_LOOK),
                bound => break bound?,
            }
        };
        self.answer_at(listener, &config.admin)
    }

    /// Lets its address go, for a successor; its socket has another place by then.
    pub fn leave_address(&mut self) {
        if self.address.take().is_some() {
            self.servers.pop();
        }
    }

    fn answer_at(&mut self, listener: TcpListener, admin: &Admin) -> Result<(), String> {
        self.address = listener.local_addr().ok();
        let guard = Guard::Network { token: admin.token.clone(), hosts: admin.hosts.clone() };
        self.servers.push(serve(&self.core, listener, guard, "admin")?);
        Ok(())
    }

    /// Its Unix socket, if it has one.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_ref().map(UnixSocket::path)
    }

    /// Its address, if it has one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Tells where operators may ask.
    pub fn tell_where(&self) {
        let socket = self.socket().map(|path| path.display().to_string());
        let address = self.address.map(|address| format!("http://{address}"));
        let places: Vec<String> = socket.into_iter().chain(address).collect();
        if !places.is_empty() {
            let words = format!("admin endpoint at {}", places.join(" and "));
            self.core.teller.tell(Event::Admin { visit: Visit::Open, words: &words });
        }
    }
}

fn serve(
    core: &Arc<Core>,
    listener: impl Into<std::os::fd::OwnedFd>,
    guard: Guard,
    name: &str,
) -> Result<PlainServer, String> {
    let share = match guard {
        Guard::User => OF_THE_OWNER,
        Guard::Network { .. } => OF_STRANGERS,
    };
    let pace = Pace::new(share, Instant::now());
    let desk = Desk { core: Arc::clone(core), guard, pace };
    let server = PlainServer::start(listener, name, limits(), Arc::new(desk));
    server.map_err(|error| format!("admin endpoint: {error}"))
}

/// Of each listener.
fn limits() -> ServerLimits {
    let head = HeadLimits { head_bytes: 8 * 1024, headers: 50, target_bytes: 2 * 1024 };
    ServerLimits {
        connections_max: 32,
        // What of a flood waits there when it is over is still to be let in, at the pace.
        backlog: 128,
        idle_give_way: true,
        spare_descriptors: 8,
        head,
        body_bytes_max: 1024 * 1024,
        idle: Duration::from_secs(30),
        request: Duration::from_secs(5),
        answer: Duration::from_secs(10),
    }
}

impl Handler for Desk {
    fn answer<'a>(&'a self, asked: &WholeRequest<'a>) -> Handled<'a> {
        let body_cost = BYTE_COST * asked.body.len() as u32;
        let rest = self.pace.spend(REQUEST_COST + body_cost, Instant::now());
        asked.wait(rest);
        // A scraper that has given up meanwhile asks again: who still waits would wait for both.
        if !rest.is_zero() && asked.has_ended() {
            return answer::error(503, "much is asked here, and you ended before your turn came");
        }
        let (answer, work) = match self.way(asked) {
            Ok((route, query)) => self.follow(asked, &route, &query),
            Err(refused) => (refused, Duration::ZERO),
        };
        let work = work + BYTE_COST * answer.body.len() as u32;
        self.pace.spend(work, Instant::now());
        answer
    }

    fn refuse(&self, refusal: Refusal) -> Handled<'_> {
        answer::error(refusal.status, refusal.reason)
    }

    fn pause(&self) -> Duration {
        self.pace.spend(CONNECTION_COST, Instant::now())
    }
}

impl Desk {
    /// Where a request leads, if it may go there.
    fn way(&self, asked: &WholeRequest) -> Result<(Route, Query), Handled<'static>> {
        let local = asked.socket.local_addr().ok();
        self.guard.check(asked.head, local).map_err(|refused| self.turn_away(asked, refused))?;
        route(asked.head.method, asked.head.target).map_err(|astray| match astray {
            Astray::NotFound => {
                answer::error(404, &format!("there is no such path; there are {}", paths()))
            }
            Astray::WrongMethod(allowed) => {
                let what = format!("{} is not for this path; use {allowed}", asked.head.method);
                Handled { allow: Some(allowed), ..answer::error(405, &what) }
            }
            Astray::Malformed(why) => answer::error(400, why),
        })
    }

    fn turn_away(&self, asked: &WholeRequest, refused: Refused) -> Handled<'static> {
        let Refused { status, why } = refused;
        let words = format!("{} is refused with {status}: {why}", self.who(asked.socket));
        self.core.teller.tell(Event::Admin { visit: Visit::Refused, words: &words });
        answer::error(status, why)
    }

    /// The answer, and the work that it was.
    fn follow(
        &self,
        asked: &WholeRequest,
        route: &Route,
        query: &Query,
    ) -> (Handled<'static>, Duration) {
        let before = thread_time();
        let state = self.core.steered.get().map(|steered| (steered, steered.life().state));
        let answer = match (route, state) {
            (Route::Page(part), _) => page::part(*part),
            (Route::Live, _) => answer::text(200, "live\n".to_owned()),
            (Route::Ready, state) => ready(state.map_or(State::Starting, |(_, state)| state)),
            (_, None) => answer::error(503, "starting: the first checks are under way; ask again"),
            (route, Some((steered, _))) => self.ask(asked, route, query, &**steered),
        };
        // Rare, and as dear as a file is long: they keep no question behind them waiting.
        let is_free =
            matches!(route, Route::Reload | Route::Upgrade | Route::Diff | Route::Succeeded);
        (answer, if is_free { REQUEST_COST } else { thread_time() - before })
    }

    fn ask(
        &self,
        asked: &WholeRequest,
        route: &Route,
        query: &Query,
        steered: &dyn Steered,
    ) -> Handled<'static> {
        let who = self.who(asked.socket);
        let steering = Steering { steered, query, who: &who };
        if let Some(refused) = route.queries().and_then(|known| steering.refuse_vain(known)) {
            return refused;
        }
        match route {
            Route::Status => answer::rendered(200, &status::status(steered)),
            Route::Metrics => answer::exposed(metrics::metrics(steered)),
            Route::Events => events(steered, query),
            Route::History => self.history(query),
            Route::Why => steering.why(),
            Route::Config => answer::text(200, steered.config()),
            Route::Diff if asked.head.method == "POST" => steering.diff(Some(asked.body)),
            Route::Diff => steering.diff(None),
            Route::Pause => steering.pause(),
            Route::Resume => steering.resume(),
            Route::Reload => steering.reload(),
            Route::Upgrade => steering.upgrade(),
            Route::Handover => steering.hand_over(self.own_process(asked.socket)),
            Route::Succeeded => steering.succeed(self.own_process(asked.socket), None),
            Route::NotSucceeded => {
                steering.succeed(self.own_process(asked.socket), Some(asked.body))
            }
            Route::Set(name, mode) => steering.set(name, *mode),
            // Answered before there is anything to steer.
            Route::Page(_) | Route::Live | Route::Ready => answer::text(200, String::new()),
        }
    }

    /// The process that asks, if it is one of our own user's on this machine; 0 is nobody's.
    fn own_process(&self, socket: &TcpStream) -> u32 {
        let (Guard::User, Ok(user)) = (&self.guard, socket_peercred(socket)) else { return 0 };
        match user.uid == geteuid() {
            true => user.pid.as_raw_nonzero().get().unsigned_abs(),
            false => 0,
        }
    }

    /// Who asks, for the log.
    fn who(&self, socket: &TcpStream) -> String {
        match (&self.guard, socket_peercred(socket), socket.peer_addr()) {
            (Guard::User, Ok(user), _) => {
                format!("uid {} (pid {})", user.uid.as_raw(), user.pid.as_raw_nonzero())
            }
            (Guard::Network { .. }, _, Ok(address)) => address.to_string(),
            _ => "somebody".to_owned(),
        }
    }
}

impl Desk {
    fn history(&self, query: &Query) -> Handled<'static> {
        match query.value("since").map_or(Ok(0), str::parse) {
            Ok(number) => {
                answer::rendered(200, &self.core.history.since(number, SystemTime::now()))
            }
            Err(_) => {
                answer::error(400, "since is no number of a point; write for example since=0")
            }
        }
    }
}

fn ready(state: State) -> Handled<'static> {
    match state {
        State::Serving => answer::text(200, "ready\n".to_owned()),
        other => answer::text(503, format!("{}\n", status::word(other))),
    }
}

fn events(steered: &dyn Steered, query: &Query) -> Handled<'static> {
    match query.value("since").map_or(Ok(0), str::parse) {
        Ok(number) => answer::json(200, &status::events(steered, number)),
        Err(_) => answer::error(400, "since is no number of an event; write for example since=0"),
    }
}
