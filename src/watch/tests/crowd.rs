//! Many backends that are silent beside a good one: it is asked as if they were not there.

use super::*;

/// A listener whose kernel takes connections for it, and who never says a word.
struct Mute {
    address: SocketAddr,
    _listener: TcpListener,
}

fn mute() -> Mute {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 4096).unwrap();
    Mute { address: listener.local_addr().unwrap(), _listener: listener }
}

/// Far more than a good backend's ten checks or its end take, 1 s and 300 ms, and far less than
/// they would if it had to wait its turn among those that take 1 s each.
const IN_TIME: Duration = Duration::from_secs(5);

/// So many backends at `address`, with names of their own.
fn many(address: SocketAddr, count: usize) -> Vec<Spec> {
    let one = |index| Spec { port: address.port(), ..spec(&format!("{address}-{index}")) };
    (0..count).map(one).collect()
}

/// A good backend behind all `others`, with checks every 100 ms that may take 1 s.
struct Beside {
    watched: Bench,
    health: Arc<AtomicU16>,
    good: usize,
}

impl Beside {
    fn start(mut others: Vec<Spec>) -> Self {
        let health = Arc::new(AtomicU16::new(200));
        let now = Arc::clone(&health);
        let address = server(move |mut stream, _| {
            let head = format!("HTTP/1.1 {} Now\r\nContent-Length: 0\r\n\r\n", now.load(Relaxed));
            let _ = stream.write_all(head.as_bytes());
        });
        let good = others.len();
        others.push(Spec { port: address.port(), alive: false, ..spec("good") });
        let settings =
            Settings { interval: Some(ms(100)), timeout: ms(1000), ..Settings::default() };
        Self { watched: Bench::start(others, settings), health, good }
    }

    /// It has its first result within the first round, is asked in time, and its end is noticed.
    fn is_unharmed(&self) {
        let Self { watched, health, good } = self;
        let counts = || watched.pool.backends()[*good].counts();
        let made = || counts().checks_passed + counts().checks_failed;
        assert!(watched.watch.first_round(IN_TIME));
        assert_eq!(watched.standing(*good), Standing::Up, "its first result is there");
        let (before, began) = (made(), Instant::now());
        watched.await_checks(*good, before + 10);
        let took = began.elapsed();
        assert!(took < IN_TIME, "ten checks took {took:?}");
        health.store(503, Relaxed);
        let began = Instant::now();
        await_that("its end is noticed", || watched.standing(*good) == Standing::Down);
        let took = began.elapsed();
        assert!(took < IN_TIME, "noticed after {took:?}");
    }
}

#[test]
fn one_or_a_hundred_who_take_the_connection_and_say_nothing_harm_nobody() {
    for count in [1, 40, 100] {
        let mute = mute();
        Beside::start(many(mute.address, count)).is_unharmed();
    }
}

#[test]
fn a_thousand_who_are_silent_harm_nobody() {
    let mute = mute();
    Beside::start(many(mute.address, 1000)).is_unharmed();
}

#[test]
fn a_thousand_who_swallow_the_connect_harm_nobody() {
    let hole = black_hole();
    Beside::start(many(hole.address, 1000)).is_unharmed();
}

#[test]
fn a_mix_of_those_who_swallow_stay_silent_drip_refuse_and_fail_harms_nobody() {
    let (mute, hole) = (mute(), black_hole());
    let drip = server(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while stream.write_all(b".").is_ok() {
            thread::park_timeout(ms(20));
        }
    });
    let crowd = [(mute.address, 100), (hole.address, 100), (drip, 40), (nobody(), 40)];
    let mut others: Vec<Spec> =
        crowd.iter().flat_map(|(address, count)| many(*address, *count)).collect();
    others.extend(many(status(503), 20));
    Beside::start(others).is_unharmed();
}

#[test]
fn each_of_a_crowd_is_found_out_in_one_round() {
    let mute = mute();
    let watched = Bench::start(many(mute.address, 300), one_round(ms(400)));
    assert!(watched.watch.first_round(SOON));
    let down = |index: &usize| watched.standing(*index) == Standing::Down;
    assert_eq!((0..300).filter(down).count(), 300);
}

/// The end of a connection that was given up has come before the next one begins: both are of one
/// thread, over the loopback.
#[test]
fn no_backend_is_asked_twice_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (met, twice) = unbounded();
    thread::spawn(move || {
        let mut last: Option<TcpStream> = None;
        for stream in listener.incoming().flatten() {
            met.send(last.replace(stream).is_some_and(is_open)).unwrap();
        }
    });
    let watched = Bench::start(specs(&[address]), Settings { timeout: ms(60), ..quick() });
    (0..20).for_each(|_| watched.watch.hurry());
    watched.await_checks(0, 5);
    watched.watch.stop();
    let met = [(); 5].map(|()| twice.recv_timeout(SOON).expect("each check came there"));
    assert!(!met.contains(&true), "{met:?}");
}

/// Whether the other side still has the connection, behind what it has sent.
fn is_open(mut stream: TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut chunk = [0; 1024];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}
