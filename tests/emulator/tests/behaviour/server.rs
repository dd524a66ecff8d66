//! Connections, TLS, recordings, the control endpoint, and the end of it all.

use crate::client::*;
use perennial_emulator::{Emulator, Endpoint, Fault};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn a_connection_is_kept_for_more_requests() {
    let emulator = Emulator::builder().start().unwrap();
    let mut socket = connect(&emulator.url());
    for close in [false, false, true] {
        socket.write_all(&request(SIGN_IN, None, close, &login())).unwrap();
        if close {
            assert_eq!(read(&mut socket, usize::MAX).header("connection").as_deref(), Some("close"));
        } else {
            let mut reply = read(&mut socket, 1);
            while reply.body().len() < reply.length() {
                reply.raw.extend(read(&mut socket, 1).raw);
            }
            assert_eq!(reply.status(), 200);
        }
    }
    let recorded = emulator.requests();
    assert!(recorded.iter().all(|request| request.connection == 1));
    assert_eq!(recorded.iter().map(|request| request.number).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn chunked_requests_and_expectations_are_understood() {
    let emulator = Emulator::builder().start().unwrap();
    let mut socket = connect(&emulator.url());
    let body = login().to_string();
    let head = format!(
        "POST {SIGN_IN}?query=1 HTTP/1.1\r\nHost: e\r\nConnection: close\r\nExpect: 100-continue\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 25];
    socket.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    let (one, two) = body.split_at(10);
    let chunks = format!("{:x}\r\n{one}\r\n{:x};extension\r\n{two}\r\n0\r\nTrailer: 1\r\n\r\n", one.len(), two.len());
    socket.write_all(chunks.as_bytes()).unwrap();
    assert_eq!(read(&mut socket, usize::MAX).status(), 200);
    let recorded = emulator.requests().remove(0);
    assert_eq!((recorded.json(), recorded.route()), (Some(login()), SIGN_IN));
}

#[test]
fn what_is_no_http_gets_a_400() {
    let emulator = Emulator::builder().start().unwrap();
    let mut socket = connect(&emulator.url());
    socket.write_all(b"\x16\x03\x01 hello\r\n\r\n").unwrap();
    assert_eq!(read(&mut socket, usize::MAX).status(), 400);
}

#[test]
fn https_shows_a_certificate_that_its_root_has_signed() {
    let emulator = Emulator::builder().https().start().unwrap();
    assert!(emulator.url().starts_with("https://") && emulator.navien_url().ends_with("/api/v2.1"));
    assert!(emulator.root_certificate_pem().starts_with("-----BEGIN CERTIFICATE-----"));
    for name in ["127.0.0.1", "localhost"] {
        let mut stream = tls(&emulator, emulator.root_certificate(), name);
        stream.write_all(&request(SIGN_IN, None, true, &login())).unwrap();
        let reply = read(&mut stream, usize::MAX);
        // An orderly end: rustls would say UnexpectedEof without the peer's goodbye.
        assert_eq!((reply.status(), reply.end), (200, None));
    }
    assert!(emulator.requests().iter().all(|request| request.tls));

    emulator.fault(Endpoint::SignIn, Fault::TornBody);
    let mut stream = tls(&emulator, emulator.root_certificate(), "localhost");
    stream.write_all(&request(SIGN_IN, None, true, &login())).unwrap();
    assert!(read(&mut stream, usize::MAX).end.is_some());

    let stranger = Emulator::builder().https().start().unwrap();
    let mut stream = tls(&emulator, stranger.root_certificate(), "localhost");
    assert!(stream.write_all(b"x").is_err());
    let mut stream = tls(&emulator, emulator.root_certificate(), "example.com");
    assert!(stream.write_all(b"x").is_err());
}

fn tls(emulator: &Emulator, root: &[u8], name: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(root.to_vec())).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(session, connect(&emulator.https_url().unwrap()))
}

#[test]
fn waiting_ends_with_the_event_or_the_time() {
    let emulator = Emulator::builder().start().unwrap();
    assert!(emulator.wait_for_requests(1, Duration::from_millis(1)).is_empty());
    thread::scope(|scope| {
        scope.spawn(|| sign_in(&emulator));
        assert_eq!(emulator.wait_for_requests(1, TIMEOUT).len(), 1);
        assert!(emulator.wait_until(TIMEOUT, |requests| requests[0].status == Some(200)));
    });
    assert_eq!(emulator.requests_to(Endpoint::SignIn).len(), 1);
    assert!(emulator.requests_to(Endpoint::Refresh).is_empty());
}

#[test]
fn many_clients_at_once_are_served_and_counted() {
    let emulator = Emulator::builder().start().unwrap();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| (0..5).for_each(|_| drop(sign_in(&emulator))));
        }
    });
    assert_eq!((emulator.navien().sign_ins(), emulator.connections()), (100, 100));
}

#[test]
fn dropping_ends_idle_connections_and_those_that_do_not_read() {
    let emulator = Emulator::builder().https().start().unwrap();
    let idle: Vec<_> = (0..5).map(|_| connect(&emulator.http_url())).collect();
    let half_a_handshake = connect(&emulator.https_url().unwrap());
    let mut half_a_request = connect(&emulator.http_url());
    half_a_request.write_all(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab").unwrap();
    let began = Instant::now();
    drop(emulator);
    assert!(began.elapsed() < TIMEOUT / 2);
    for mut socket in idle.into_iter().chain([half_a_handshake, half_a_request]) {
        assert!(read(&mut socket, usize::MAX).raw.is_empty());
    }
}

#[test]
fn the_control_endpoint_turns_the_knobs_and_is_not_recorded() {
    let emulator = Emulator::builder().control().start().unwrap();
    let tell = |name: &str| -> Value {
        let mut socket = connect(&emulator.url());
        let head = format!("GET /_control/{name} HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        read(&mut socket, usize::MAX).json()
    };
    let command = |name: &str, body: Value| ask(&emulator, &format!("/_control/{name}"), None, &body).status();
    let token = sign_in(&emulator);
    let email = json!({"email": "grower@example.com"});

    assert_eq!(command("advance", json!({"seconds": 3600})), 200);
    assert_eq!(call(&emulator, text(&token, "accessToken")), 401);
    assert_eq!(command("fault", json!({"endpoint": "sign_in", "fault": "captive portal"})), 200);
    assert_eq!(ask(&emulator, SIGN_IN, None, &login()).header("content-type").unwrap(), "text/html; charset=utf-8");
    assert_eq!(command("settings", json!({"access_lifetime": 5, "aws_lifetime": null, "endpoint_set": "old"})), 200);
    let token = sign_in(&emulator);
    assert_eq!((&token["authenticationExpiresIn"], token.get("authorizationExpiresIn")), (&json!(5), None));
    assert_eq!(command("revoke_session", email), 200);
    assert!(!emulator.navien().is_access_valid(text(&token, "accessToken")));
    for (name, body) in [
        ("advance", json!({"seconds": "x"})),
        ("settings", json!({"unknown": 1})),
        ("lock", json!({})),
        ("no-such-knob", json!({})),
    ] {
        assert_eq!(command(name, body), 400, "{name}");
    }

    assert_eq!(tell("counters")["sign_ins"], 2);
    let requests = tell("requests");
    assert_eq!(requests.as_array().map(Vec::len), Some(4));
    assert_eq!((&requests[2]["fault"], &requests[2]["path"]), (&json!("captive portal"), &json!(SIGN_IN)));
    assert_eq!(tell("trap_requests"), json!([]));
}

#[test]
fn without_being_asked_for_there_is_no_control_endpoint() {
    let emulator = Emulator::builder().start().unwrap();
    assert_eq!(ask(&emulator, "/_control/advance", None, &json!({"seconds": 1})).status(), 404);
    assert_eq!(emulator.requests().len(), 1);
}
