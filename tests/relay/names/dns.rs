//! Names that a real dnsmasq answers for: their addresses come, go and change, it fails, is silent,
//! or says only a part. Where it cannot be had to answer so, a server of a few lines does.

use super::living;
use crate::harness::{
    Backend, DEADLINE, Gate, Hosted, Place, Proxy, Scratch, Wire, eventually, has_own_names, names,
    timed,
};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write as _;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Often enough for a test.
pub(super) const OFTEN: &str = "health.resolve_interval = \"200ms\"\nserver.served_by = true\n";

/// True on a machine of its own that has dnsmasq.
pub(super) fn has_dns(test: &str) -> bool {
    if Command::new("dnsmasq").arg("--version").output().is_err() {
        let _ = writeln!(std::io::stderr(), "{test} is skipped: dnsmasq is not to be had here");
        return false;
    }
    has_own_names(test)
}

/// dnsmasq at 127.0.0.1:53, which knows app.internal and nothing else.
pub(super) struct Dns {
    process: Child,
    scratch: Scratch,
}

impl Dns {
    pub(super) fn new(addresses: &[&str]) -> Self {
        names("");
        let scratch = Scratch::new();
        let hosts = scratch.write("hosts", lines(addresses));
        let process = Command::new("dnsmasq")
            .args(["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"])
            .args(["--user=root", "--group=root", "--pid-file=", "--local=/internal/"])
            .args(["--listen-address=127.0.0.1", "--bind-interfaces"])
            .arg(format!("--addn-hosts={}", hosts.display()))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let dns = Self { process, scratch };
        eventually("dnsmasq answers", || dns.knows(addresses.len()));
        dns
    }

    /// Answers with these from now on.
    pub(super) fn at(&self, addresses: &[&str]) {
        self.scratch.write("hosts", lines(addresses));
        self.signal(Signal::HUP);
        eventually("dnsmasq has read it", || self.knows(addresses.len()));
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    fn knows(&self, count: usize) -> bool {
        asked("127.0.0.1:53").is_some_and(|answers| answers == count)
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn lines(addresses: &[&str]) -> String {
    addresses.iter().map(|address| format!("{address} app.internal\n")).collect()
}

/// How many addresses of version 4 a server has for app.internal; none if it says nothing.
fn asked(server: &str) -> Option<usize> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let question =
        b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03app\x08internal\x00\x00\x01\x00\x01";
    socket.send_to(question, server).ok()?;
    let mut answer = [0; 4096];
    socket.recv(&mut answer).ok()?;
    Some(usize::from(answer[7]))
}

/// An operator's word about a backend.
#[cfg(feature = "admin")]
pub(super) fn set(backend: &str, mode: &str) {
    let request = format!(
        "POST /backends/{backend}/{mode} HTTP/1.1\r\nHost: 127.0.0.1:9900\r\nX-Evenly: 1\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let answer = Wire::connect("127.0.0.1:9900".parse().unwrap()).ask(request);
    assert_eq!(answer.status(), 200, "{}", answer.text());
}

/// Who answers: asked often enough that each that may has done so.
pub(super) fn served(proxy: &Proxy) -> Vec<String> {
    let mut all: Vec<String> =
        (0..6).filter_map(|_| proxy.get("/").field("x-served-by").map(str::to_owned)).collect();
    all.sort();
    all.dedup();
    all
}

/// Good servers at 127.0.0.`last` of each, at one port.
pub(super) fn at_one_port<const N: usize>(lasts: [u8; N]) -> ([Backend; N], u16) {
    let first = living(lasts[0]);
    let port = first.port();
    let mut first = Some(first);
    let rest = |last: u8| Backend::at(&format!("127.0.0.{last}:{port}")).unwrap();
    (lasts.map(|last| first.take().unwrap_or_else(|| rest(last))), port)
}

#[test]
fn an_address_that_comes_is_checked_and_used_and_one_that_goes_is_left() {
    if !has_dns("names::dns::an_address_that_comes_is_checked_and_used_and_one_that_goes_is_left") {
        return;
    }
    let dns = Dns::new(&["127.0.0.2"]);
    let ([two, three], _) = at_one_port([2, 3]);
    let settings = format!("{OFTEN}health.interval = \"1h\"");
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], &settings);
    assert_eq!(served(&proxy), ["A@127.0.0.2"]);
    dns.at(&["127.0.0.2", "127.0.0.3"]);
    eventually("both serve", || served(&proxy) == ["A@127.0.0.2", "A@127.0.0.3"]);
    assert_eq!(three.requests()[0].target(), "/health", "checked first");
    dns.at(&["127.0.0.3"]);
    eventually("one serves", || served(&proxy) == ["A@127.0.0.3"]);
    proxy.process.said.wait("backend A: app.internal leads to 127.0.0.2 no more");
}

#[test]
fn one_that_is_not_well_gets_nothing_though_its_name_leads_there() {
    if !has_dns("names::dns::one_that_is_not_well_gets_nothing_though_its_name_leads_there") {
        return;
    }
    let dns = Dns::new(&["127.0.0.2"]);
    let two = living(2);
    let settings = format!("{OFTEN}health.interval = \"50ms\"");
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], &settings);
    dns.at(&["127.0.0.2", "127.0.0.3"]);
    proxy.process.said.wait("backend A: app.internal leads to 127.0.0.3 now");
    proxy.process.said.wait("backend A@127.0.0.3: down until a check passes");
    assert_eq!(served(&proxy), ["A@127.0.0.2"]);
    let _well = Backend::at(&format!("127.0.0.3:{}", two.port())).unwrap();
    eventually("it serves", || served(&proxy) == ["A@127.0.0.2", "A@127.0.0.3"]);
}

#[test]
fn a_swap_under_load_loses_no_request() {
    if !has_dns("names::dns::a_swap_under_load_loses_no_request") {
        return;
    }
    let dns = Dns::new(&["127.0.0.2"]);
    let ([two, _three, _four], _) = at_one_port([2, 3, 4]);
    let settings = format!("{OFTEN}health.interval = \"100ms\"\nretry.attempts = 0");
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], &settings);
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let (address, asked, done) = (proxy.address, &asked, &done);
        let until = Instant::now() + 6 * DEADLINE;
        let ask = move || {
            let request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
            while !done.load(SeqCst) && Instant::now() < until {
                assert_eq!(Wire::connect(address).ask(request).status(), 200);
                asked.fetch_add(1, SeqCst);
            }
        };
        let clients = [(); 4].map(|()| scope.spawn(ask));
        for (now, last) in [("127.0.0.3", 3), ("127.0.0.4", 4), ("127.0.0.2", 2), ("127.0.0.3", 3)]
        {
            dns.at(&[now]);
            let one = format!("A@127.0.0.{last}");
            eventually("the new one alone serves", || served(&proxy) == [&*one]);
        }
        done.store(true, SeqCst);
        clients.into_iter().for_each(|client| client.join().expect("no request is lost"));
    });
    assert!(asked.load(SeqCst) > 100);
}

#[test]
fn no_answer_of_any_kind_takes_an_address_away() {
    if !has_dns("names::dns::no_answer_of_any_kind_takes_an_address_away") {
        return;
    }
    let dns = Dns::new(&["127.0.0.2", "127.0.0.3"]);
    let ([two, three], _) = at_one_port([2, 3]);
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], OFTEN);
    let both = || served(&proxy) == ["A@127.0.0.2", "A@127.0.0.3"];
    assert!(both());
    dns.at(&[]); // NXDOMAIN
    proxy.process.said.wait("backend A: app.internal does not resolve: ");
    assert!(both());
    dns.at(&["127.0.0.2", "127.0.0.3"]);
    proxy.process.said.wait("backend A: app.internal resolves again");
    drop(dns);
    for (kind, number) in [(Kind::ServFail, 2), (Kind::Empty, 3), (Kind::Refused, 4)] {
        let odd = Odd::new(kind.clone());
        proxy.process.said.wait_nth("backend A: app.internal does not resolve: ", number);
        assert!(both(), "{kind:?}");
        drop(odd);
        let dns = Dns::new(&["127.0.0.2", "127.0.0.3"]);
        proxy.process.said.wait_nth("backend A: app.internal resolves again", number);
        drop(dns);
    }
    let line = proxy.process.said.wait("its last 2 addresses are kept");
    assert!(line.contains(" WARN "), "{line}");
    drop(three);
}

/// The change of the one is carried out right behind the reload, before its thread has looked at
/// the file that has the other.
#[test]
fn a_name_that_a_reload_brings_stays_though_another_moves_meanwhile() {
    if !has_dns("names::dns::a_name_that_a_reload_brings_stays_though_another_moves_meanwhile") {
        return;
    }
    names("127.0.0.4 other.internal");
    let ([two, _three, four], _) = at_one_port([2, 3, 4]);
    let (gate, app) = (Gate::new(), Odd::new(Kind::Turns(vec![vec![2]])));
    let slow = Backend::holding(&gate);
    let settings = format!(
        "{OFTEN}health.interval = \"1h\"\nhealth.timeout = \"9s\"\nhealth.path = \"/held\""
    );
    let (a, b) = (Hosted(&two, "app.internal"), Hosted(&four, "other.internal"));
    let proxy = Proxy::with(&[&a], &settings);
    proxy.rewrite(&[&a, &b, &slow], &settings);
    proxy.process.signal(Signal::HUP);
    slow.wait_requests(1);
    drop(app);
    let app = Odd::new(Kind::Turns(vec![vec![3]]));
    eventually("the move is known", || app.asked() > 1);
    gate.open();
    proxy.process.said.wait("backend A: app.internal leads to 127.0.0.3 now");
    eventually("all serve", || served(&proxy) == ["A@127.0.0.3", "B@127.0.0.4", "C"]);
    assert_eq!(proxy.said("other.internal"), 0);
}

#[test]
fn a_server_that_is_silent_or_slow_holds_up_nobody() {
    if !has_dns("names::dns::a_server_that_is_silent_or_slow_holds_up_nobody") {
        return;
    }
    let dns = Dns::new(&["127.0.0.2"]);
    let ([two, three], _) = at_one_port([2, 3]);
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], OFTEN);
    dns.signal(Signal::STOP);
    let (_, took) = timed(|| {
        (0..50).for_each(|_| assert_eq!(proxy.get("/").status(), 200));
        let again =
            proxy.reload(&[&Hosted(&two, "app.internal")], &format!("{OFTEN}server.via = true"));
        assert!(again.contains("reloaded: server.via"), "{again}");
    });
    assert!(took < Duration::from_secs(4), "what is known is not asked anew: {took:?}");
    dns.signal(Signal::CONT);
    dns.at(&["127.0.0.3"]);
    eventually("it serves by the new answer", || served(&proxy) == ["A@127.0.0.3"]);
    drop(three);
    drop(dns);
    let three = Backend::at(&format!("127.0.0.4:{}", two.port())).unwrap();
    let _slow = Odd::new(Kind::Slow);
    eventually("a slow answer is one", || served(&proxy).contains(&"A@127.0.0.4".to_owned()));
    drop(three);
    proxy.no_farewell();
}

#[test]
fn a_server_that_tells_some_at_a_time_makes_none_come_and_go() {
    if !has_dns("names::dns::a_server_that_tells_some_at_a_time_makes_none_come_and_go") {
        return;
    }
    names("");
    let odd = Odd::new(Kind::Turns(vec![vec![2, 3], vec![3, 4], vec![4, 2]]));
    let ([two, _three, _four], _) = at_one_port([2, 3, 4]);
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], OFTEN);
    eventually("all serve", || served(&proxy).len() == 3);
    let seen = odd.asked();
    eventually("many answers came", || odd.asked() > seen + 20);
    assert_eq!(served(&proxy).len(), 3);
    assert_eq!(proxy.said(" no more"), 0);
}

#[test]
fn of_very_many_addresses_256_are_used_and_that_is_said_once() {
    if !has_dns("names::dns::of_very_many_addresses_256_are_used_and_that_is_said_once") {
        return;
    }
    // More than a datagram holds: the resolver asks again over TCP.
    let all: Vec<String> = (0..300).map(|it| format!("127.1.{}.{}", it / 250, it % 250)).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    names("");
    let _dns = Dns::new_knowing_many(&all);
    let proxy = Proxy::with(&[&Hosted(&1u16, "app.internal")], OFTEN);
    proxy.farewell(502);
    proxy.process.said.wait("app.internal has 300 addresses, and the first 256 are used");
    proxy.process.signal(Signal::USR2);
    proxy.process.said.wait("backend A@127.1.1.5: up, ");
    assert_eq!(proxy.said("300 addresses"), 1);
    assert_eq!(proxy.said("backend A@127.1.1.6: "), 0);
}

impl Dns {
    /// As many as no datagram holds.
    fn new_knowing_many(addresses: &[&str]) -> Self {
        let dns = Self::new(&["127.0.0.9"]);
        dns.scratch.write("hosts", lines(addresses));
        dns.signal(Signal::HUP);
        eventually("dnsmasq has read it", || asked("127.0.0.1:53") != Some(1));
        dns
    }
}

#[cfg(feature = "admin")]
#[test]
fn what_an_operator_wants_of_an_address_outlives_the_names_changes() {
    if !has_dns("names::dns::what_an_operator_wants_of_an_address_outlives_the_names_changes") {
        return;
    }
    let dns = Dns::new(&["127.0.0.2", "127.0.0.3"]);
    let ([two, _three, _four], _) = at_one_port([2, 3, 4]);
    let settings = format!("{OFTEN}admin.listen = \"127.0.0.1:9900\"");
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], &settings);
    set("A@127.0.0.2", "drain");
    assert_eq!(served(&proxy), ["A@127.0.0.3"]);
    dns.at(&["127.0.0.2", "127.0.0.3", "127.0.0.4"]);
    eventually("the new one serves", || served(&proxy) == ["A@127.0.0.3", "A@127.0.0.4"]);
    let again =
        proxy.reload(&[&Hosted(&two, "app.internal")], &format!("{settings}\nserver.via = true"));
    assert!(again.contains(": server.via: "), "{again}");
    assert_eq!(served(&proxy), ["A@127.0.0.3", "A@127.0.0.4"]);
    set("A@127.0.0.2", "ready");
    assert_eq!(served(&proxy).len(), 3);
}

#[cfg(feature = "admin")]
#[test]
fn a_name_in_maintenance_that_led_nowhere_stays_so_where_it_comes_to_lead() {
    if !has_dns(
        "names::dns::a_name_in_maintenance_that_led_nowhere_stays_so_where_it_comes_to_lead",
    ) {
        return;
    }
    let dns = Dns::new(&[]);
    let ([two, _three], _) = at_one_port([2, 3]);
    let other = living(9);
    let settings = format!("{OFTEN}admin.listen = \"127.0.0.1:9900\"");
    let proxy =
        Proxy::with(&[&Hosted(&two, "app.internal"), &Hosted(&other, "127.0.0.9")], &settings);
    set("A", "maint");
    dns.at(&["127.0.0.2", "127.0.0.3"]);
    proxy.process.said.wait("backend A: app.internal leads to 127.0.0.2, 127.0.0.3 now");
    assert_eq!(served(&proxy), ["B"]);
    set("A@127.0.0.3", "ready");
    assert_eq!(served(&proxy), ["A@127.0.0.3", "B"]);
}

/// What is out for want of an address, and what DNS takes away, is in no incident any more once the
/// name leads to somebody who is well.
#[cfg(feature = "alerts")]
#[test]
fn an_incident_ends_when_a_name_leads_somewhere() {
    if !has_dns("names::dns::an_incident_ends_when_a_name_leads_somewhere") {
        return;
    }
    let dns = Dns::new(&[]);
    let ([two, _three], _) = at_one_port([2, 3]);
    let told = Backend::plain();
    let alert = format!(
        "alerts = [{{kind = \"webhook\", url = \"http://127.0.0.1:{}/hook\", wait = \"100ms\", \
         template = '\"{{{{kind}}}}\"'}}]",
        told.port()
    );
    let settings = format!("{OFTEN}health.interval = \"50ms\"\n{alert}");
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], &settings);
    proxy.pardon("NO BACKEND IS FOUND");
    let kinds = |count: usize| -> Vec<String> {
        let all = told.wait_requests(count);
        all.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()).collect()
    };
    assert_eq!(kinds(1), ["\"all-down\""]);
    dns.at(&["127.0.0.2"]);
    assert_eq!(kinds(2), ["\"all-down\"", "\"recovered\""]);
}

#[cfg(feature = "client")]
#[test]
fn a_program_with_the_client_library_follows_too() {
    if !has_dns("names::dns::a_program_with_the_client_library_follows_too") {
        return;
    }
    let dns = Dns::new(&["127.0.0.2"]);
    let ([two, three], port) = at_one_port([2, 3]);
    let client = evenly::client::Client::builder()
        .backend("A", format!("app.internal:{port}"))
        .set("health.resolve_interval", "200ms")
        .build()
        .unwrap();
    let answered = || client.get("/").unwrap().backend().to_owned();
    assert_eq!(answered(), "A@127.0.0.2");
    dns.at(&["127.0.0.3"]);
    eventually("it follows", || client.usable() == ["A@127.0.0.3"] && answered() == "A@127.0.0.3");
    assert_eq!(three.requests()[0].target(), "/health", "checked first");
    dns.at(&[]);
    drop(two);
    (0..20).for_each(|_| assert_eq!(answered(), "A@127.0.0.3"));
}

/// A server that answers for app.internal as no dnsmasq can be told to.
pub(super) struct Odd {
    asked: Arc<AtomicUsize>,
    done: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    ServFail,
    Refused,
    /// There is such a name, and it has no address.
    Empty,
    /// 127.0.0.4, half a second late.
    Slow,
    /// 127.0.0.x of each, one list after the other.
    Turns(Vec<Vec<u8>>),
}

impl Odd {
    pub(super) fn new(kind: Kind) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (asked, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, is_over, kind) = (Arc::clone(&asked), Arc::clone(&done), Mutex::new(kind));
        let serve = move || {
            let mut question = [0; 512];
            while !is_over.load(SeqCst) {
                let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
                let answer = answer(&question[..length], &kind.lock().unwrap(), &count);
                let _ = socket.send_to(&answer, from);
            }
        };
        Self { asked, done, thread: Some(thread::spawn(serve)) }
    }

    /// Questions for addresses of version 4 so far.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        self.done.store(true, SeqCst);
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// By RFC 1035 4.1, for a question without a name besides ours.
fn answer(question: &[u8], kind: &Kind, count: &AtomicUsize) -> Vec<u8> {
    // The question ends with its type and class; what may follow it (EDNS) is left out.
    let name_end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let is_four = question[name_end..name_end + 2] == [0, 1];
    let turn = if is_four { count.fetch_add(1, SeqCst) } else { 0 };
    let (code, lasts) = match kind {
        Kind::ServFail => (2, Vec::new()),
        Kind::Refused => (5, Vec::new()),
        Kind::Empty => (0, Vec::new()),
        Kind::Slow => {
            thread::park_timeout(Duration::from_millis(500));
            (0, vec![4])
        }
        Kind::Turns(lists) => (0, lists[turn % lists.len()].clone()),
    };
    let lasts = if is_four { lasts } else { Vec::new() };
    let mut answer = question[..name_end + 4].to_vec();
    (answer[2], answer[3]) = (0x81, 0x80 | code);
    answer[4..12].copy_from_slice(&[0, 1, 0, lasts.len() as u8, 0, 0, 0, 0]);
    for last in lasts {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, last]);
    }
    answer
}
