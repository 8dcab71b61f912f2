//! What goes over a connection, how long one is kept, and what is sent again when it is gone.

use std::sync::mpsc;

use super::*;

#[test]
fn the_request_is_sent_as_planned() {
    let (said, heard) = mpsc::channel();
    let server = Scripted::start(move |peer| {
        while let Some(request) = peer.request() {
            said.send(request).unwrap();
            peer.say(OK);
        }
    });
    let mut plan = server.plan();
    plan.request.method = "POST".into();
    plan.request.headers = vec![("X-A".into(), "b".into())];
    plan.request.body = b"{}".to_vec();
    sound(&plan);
    let request = heard.recv().unwrap();
    assert!(request.starts_with("POST / HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
    assert!(request.ends_with("\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{}"), "{request}");
    assert_eq!(heard.iter().take(2).filter(|again| *again == request).count(), 2);
}

#[test]
fn a_connection_is_used_again_unless_asked_otherwise() {
    let server = Scripted::saying(OK);
    sound(&LoadPlan { requests: Some(20), ..server.plan() });
    assert_eq!(server.connections(), 1);
    let mut plan = server.plan();
    plan.request.keep_alive = false;
    sound(&plan);
    assert_eq!(server.connections(), 4);
}

#[test]
fn a_kept_connection_that_was_closed_is_made_anew_for_what_may_be_sent_twice() {
    // Says nothing of the close: the client finds out with its second request.
    let server = Scripted::closing_after(OK);
    let tally = sound(&server.plan());
    assert_eq!((tally.resent, server.connections()), (2, 3));
}

#[test]
fn what_may_not_be_sent_twice_is_not() {
    let (told, heard) = mpsc::channel();
    let server = Scripted::start(move |peer| {
        if peer.request().is_some() {
            peer.say(OK);
            told.send(()).unwrap();
        }
    });
    let mut post = server.plan();
    post.request.method = "POST".into();
    let tally = run(&post).unwrap();
    drop(server);
    // Whether a close is seen before the next request is a race; a request never goes twice.
    assert_eq!((heard.iter().count() as u64, tally.requests()), (tally.ok(), 3), "{tally:?}");
    assert!(tally.failures() < 2 && tally.resent == 0, "{tally:?}");
}

#[test]
fn a_name_that_leads_to_several_addresses_is_tried_at_each() {
    let server = Scripted::saying(OK);
    let url = format!("http://localhost:{}/", server.address.port());
    let plan = LoadPlan { request: LoadRequest::get(url.parse().unwrap()), ..server.plan() };
    sound(&plan);
}
