//! Each way to fail has a name of its own.

use super::*;

#[test]
fn a_port_where_nobody_listens_refuses() {
    // Bound, not listening: it refuses, and nobody else can get it meanwhile.
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    let held = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&held, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = SocketAddr::try_from(getsockname(&held).unwrap()).unwrap();
    let (kind, example) = fault(&plan(address));
    assert_eq!(kind, LoadFault::Refused);
    assert!(example.starts_with(&format!("connect to {address}: Connection refused")), "{example}");
}

#[test]
fn a_close_before_the_head_is_whole_is_closed_early() {
    let silent = Scripted::closing_after("");
    assert_eq!(
        fault(&silent.plan()),
        (LoadFault::Closed, "the server closed before an answer".into())
    );
    let cut = Scripted::closing_after("HTTP/1.1 200 OK\r\nContent-Le");
    assert_eq!(fault(&cut.plan()), (LoadFault::Closed, "the server closed inside a head".into()));
}

#[test]
fn a_body_that_is_cut_off_is_short() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let server = Scripted::closing_after(answer);
        assert_eq!(fault(&server.plan()).0, LoadFault::ShortBody, "{answer:?}");
    }
}

#[test]
fn a_body_that_goes_on_is_long() {
    let server = Scripted::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay");
    let (kind, example) = fault(&server.plan());
    assert_eq!(
        (kind, example.as_str()),
        (LoadFault::LongBody, "at least 2 bytes behind the answer")
    );
    let mut head = Scripted::saying(OK).plan();
    let server = Scripted::saying(OK);
    head.request = LoadRequest { method: "HEAD".into(), ..server.plan().request };
    assert_eq!(fault(&head).0, LoadFault::LongBody);
}

#[test]
fn a_rest_that_comes_late_is_charged_to_the_body_it_belongs_to() {
    let server = Scripted::start(|peer| {
        peer.request();
        peer.say(OK);
        peer.request();
        peer.say(format!("ay{OK}"));
    });
    let tally = tally(&LoadPlan { requests: Some(2), ..server.plan() });
    assert_eq!((tally.ok(), tally.faults[&LoadFault::LongBody].count), (1, 1));
}

#[test]
fn what_is_no_http_is_malformed() {
    for answer in [
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0, 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ] {
        let server = Scripted::saying(answer);
        assert_eq!(fault(&server.plan()).0, LoadFault::Malformed, "{answer:?}");
    }
    let endless = Scripted::saying(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(20_000)));
    assert_eq!(fault(&endless.plan()).1, "the response head is longer than allowed");
}

#[test]
fn a_reset_has_a_name_of_its_own() {
    let server = Scripted::start(|peer| {
        // Closing with bytes unread makes a reset of the close.
        let mut first = [0];
        std::io::Read::read_exact(peer.0.get_mut(), &mut first).unwrap();
    });
    assert_eq!(fault(&server.plan()).0, LoadFault::Reset);
}

#[test]
fn silence_and_dribble_both_time_out() {
    let silent = Scripted::start(|peer| while peer.request().is_some() {});
    let dribbling = Scripted::start(|peer| {
        peer.request();
        // Until the client has gone.
        while peer.0.get_mut().write_all(b"HTTP/1.1 200 OK\r\n").is_ok() {
            peer.0.get_mut().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            let gone = std::io::Read::read(peer.0.get_mut(), &mut [0]);
            if matches!(gone, Ok(0)) {
                break;
            }
            peer.say("X: ");
        }
    });
    for server in [silent, dribbling] {
        let timeout = Duration::from_millis(200);
        let plan = LoadPlan { timeout, requests: Some(2), ..server.plan() };
        assert_eq!(fault(&plan).0, LoadFault::Timeout);
    }
}
