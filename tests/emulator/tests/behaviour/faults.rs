//! Each fault does what it says, and the service's state is as the fault says.

use crate::client::*;
use perennial_emulator::{Emulator, Endpoint, Fault, Gate, Recorded};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

/// Plays the fault on a sign-in and reads to the end.
fn play(fault: Fault) -> (Emulator, Reply) {
    let emulator = Emulator::builder().start().unwrap();
    emulator.fault(Endpoint::SignIn, fault);
    let reply = ask(&emulator, SIGN_IN, None, &login());
    (emulator, reply)
}

/// How long a silence is listened to.
const SILENCE: Duration = Duration::from_millis(50);

/// Plays a fault that goes silent, and reads what comes before that: all that is `expected`, however late it comes,
/// and nothing after it.
fn play_silent(fault: &Fault, expected: impl Fn(&Reply) -> bool) -> (Emulator, Reply) {
    let emulator = Emulator::builder().start().unwrap();
    emulator.fault(Endpoint::SignIn, fault.clone());
    let mut socket = connect(&emulator.http_url());
    socket.write_all(&request(SIGN_IN, None, true, &login())).unwrap();
    let mut reply = Reply { raw: Vec::new(), end: None };
    while !expected(&reply) {
        let more = read(&mut socket, 1);
        assert_eq!(more.end, None, "{reply:?}");
        reply.raw.extend(more.raw);
    }
    if !fault.strikes_before_reading() {
        assert!(emulator.wait_until(TIMEOUT, |requests| requests.iter().any(|request| request.fault.is_some())));
    }
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    let more = read(&mut socket, usize::MAX);
    assert_eq!((more.end, more.raw.len()), (Some(ErrorKind::WouldBlock), 0));
    (emulator, reply)
}

/// Nothing at all is said.
fn nothing(_: &Reply) -> bool {
    true
}

#[test]
fn every_fault_performs_the_request_or_not_as_it_says_and_ends_with_the_emulator() {
    for fault in Fault::all() {
        let emulator = Emulator::builder().start().unwrap();
        emulator.fault(Endpoint::SignIn, fault.clone());
        let mut socket = connect(&emulator.http_url());
        let _ = socket.write_all(&request(SIGN_IN, None, true, &login()));
        if !fault.strikes_before_reading() {
            let recorded = emulator.wait_for_requests(1, TIMEOUT);
            assert_eq!(recorded[0].fault, Some(fault.name()));
        }
        let end = Instant::now() + TIMEOUT;
        while emulator.faults_waiting() > 0 {
            assert!(Instant::now() < end, "{fault:?} is not played");
            thread::yield_now();
        }
        let navien = emulator.navien();
        let began = Instant::now();
        // The client is still there, and has not read what may be a great deal.
        drop(emulator);
        assert!(began.elapsed() < TIMEOUT / 2, "{fault:?}");
        assert_eq!(navien.sign_ins(), usize::from(fault.executes()), "{fault:?}");
    }
}

#[test]
fn the_table_has_every_name() {
    let names: HashSet<_> = Fault::all().iter().map(Fault::name).collect();
    assert_eq!(names.len(), 38);
}

#[test]
fn connections_break_before_anything_is_read() {
    for (fault, end) in [(Fault::CloseAtOnce, None), (Fault::ResetBeforeReading, Some(ErrorKind::ConnectionReset))] {
        let emulator = Emulator::builder().start().unwrap();
        emulator.fault(Endpoint::SignIn, fault);
        let reply = read(&mut connect(&emulator.http_url()), usize::MAX);
        assert_eq!((reply.end, reply.raw.len()), (end, 0));
        assert!(emulator.requests().is_empty());
        assert_eq!(emulator.connections(), 1);
        sign_in(&emulator);
    }
    let (emulator, _) = play_silent(&Fault::StallAtOnce, nothing);
    assert!(emulator.requests().is_empty());
}

#[test]
fn a_reset_comes_after_reading() {
    let (emulator, reply) = play(Fault::Reset);
    assert_eq!((reply.end, reply.raw.len()), (Some(ErrorKind::ConnectionReset), 0));
    let recorded = emulator.requests();
    assert_eq!(recorded[0].json(), Some(login()));
    assert_eq!(recorded[0].answered(), "reset");
}

#[test]
fn stalls_say_nothing_or_half() {
    play_silent(&Fault::Stall, nothing);
    // Half of it, wherever that is.
    let (emulator, reply) = play_silent(&Fault::StallInHead, |reply| reply.raw.starts_with(b"HTTP/1.1 200"));
    assert!(reply.body().is_empty());
    assert_eq!(emulator.navien().sign_ins(), 1);
    play_silent(&Fault::StallInBody, |reply| !reply.body().is_empty() && reply.body().len() == reply.length() / 2);
}

#[test]
fn a_lost_answer_changes_the_state() {
    let emulator = Emulator::builder().start().unwrap();
    let token = sign_in(&emulator);
    emulator.fault(Endpoint::Refresh, Fault::LostAnswer);
    let reply = refresh(&emulator, &token["refreshToken"]);
    assert!(reply.raw.is_empty() && reply.end.is_none());
    assert_eq!(emulator.requests()[1].status, None);
    assert_eq!(emulator.navien().refreshes(), 1);
    assert!(!emulator.navien().is_refresh_valid(text(&token, "refreshToken")));
    let newest = emulator.navien().newest_refresh("grower@example.com").unwrap();
    assert!(emulator.navien().is_refresh_valid(&newest));
}

#[test]
fn bodies_are_torn_and_overlong() {
    let (_, reply) = play(Fault::TornBody);
    assert!(reply.body().len() == reply.length() / 2 && reply.end.is_none());
    let (_, reply) = play(Fault::OverlongBody);
    assert!(reply.body().len() > reply.length());
    let (_, reply) = play(Fault::TornChunk);
    assert_eq!(reply.header("transfer-encoding").as_deref(), Some("chunked"));
    let (size, rest) = reply.body().split_at(reply.body().iter().position(|byte| *byte == b'\r').unwrap());
    let size = usize::from_str_radix(std::str::from_utf8(size).unwrap(), 16).unwrap();
    assert!(rest.len() < size);
}

#[test]
fn latency_performs_at_once_and_answers_late() {
    let began = Instant::now();
    let (_, reply) = play(Fault::Latency(Duration::from_millis(60)));
    assert!(reply.status() == 200 && began.elapsed() >= Duration::from_millis(60));

    let (emulator, _) = play_silent(&Fault::Latency(HOUR), nothing);
    let performed = |requests: &[Recorded]| requests[0].status == Some(200);
    assert!(emulator.wait_until(TIMEOUT, performed));
    assert_eq!(emulator.navien().sign_ins(), 1);
}

#[test]
fn a_gate_holds_answers_until_it_is_opened() {
    let (emulator, gate) = (Emulator::builder().start().unwrap(), Gate::closed());
    emulator.fault_always(Endpoint::SignIn, Fault::Hold(gate.clone()));
    let mut sockets = [connect(&emulator.http_url()), connect(&emulator.http_url())];
    for socket in &mut sockets {
        socket.write_all(&request(SIGN_IN, None, true, &login())).unwrap();
    }
    assert!(emulator.wait_until(TIMEOUT, |all| all.iter().filter(|one| one.status.is_some()).count() == 2));
    assert_eq!(emulator.navien().sign_ins(), 2);
    sockets[0].set_nonblocking(true).unwrap();
    assert_eq!(read(&mut sockets[0], 1).end, Some(ErrorKind::WouldBlock));
    sockets[0].set_nonblocking(false).unwrap();
    gate.open();
    assert!(sockets.iter_mut().all(|socket| read(socket, usize::MAX).status() == 200));

    // A gate that nobody opens does not keep the emulator from stopping.
    emulator.fault_always(Endpoint::SignIn, Fault::Hold(Gate::closed()));
    let mut socket = connect(&emulator.http_url());
    socket.write_all(&request(SIGN_IN, None, true, &login())).unwrap();
    assert_eq!(emulator.wait_for_requests(3, TIMEOUT).len(), 3);
    drop(emulator);
    assert!(read(&mut socket, usize::MAX).raw.is_empty());
}

#[test]
fn drips_come_byte_by_byte() {
    let emulator = Emulator::builder().start().unwrap();
    for fault in [Fault::DripHead(Duration::from_millis(1)), Fault::DripBody(Duration::from_millis(1))] {
        let dripped = |reply: &Reply| match fault {
            Fault::DripHead(_) => reply.raw.len(),
            _ => reply.body().len(),
        };
        emulator.fault(Endpoint::DeviceList, fault.clone());
        let began = Instant::now();
        let reply = ask(&emulator, DEVICE_LIST, None, &json!({}));
        assert_eq!((reply.status(), reply.length()), (401, reply.body().len()));
        assert!(began.elapsed() >= Duration::from_millis(dripped(&reply) as u64));
    }
    play_silent(&Fault::DripHead(HOUR), |reply| reply.raw == b"H");
    play_silent(&Fault::DripBody(HOUR), |reply| reply.body() == b"{");
}

#[test]
fn what_does_not_end_goes_on_until_the_peer_leaves() {
    let emulator = Emulator::builder().start().unwrap();
    emulator.fault(Endpoint::SignIn, Fault::EndlessHead);
    emulator.fault(Endpoint::SignIn, Fault::Huge(50_000_000));
    for _ in 0..2 {
        let mut socket = connect(&emulator.http_url());
        socket.write_all(&request(SIGN_IN, None, true, &login())).unwrap();
        let reply = read(&mut socket, 2_000_000);
        assert!(reply.raw.len() >= 2_000_000 && reply.end.is_none());
    }
    let (_, reply) = play(Fault::Huge(3_000_000));
    assert_eq!((reply.body().len(), reply.length()), (3_000_000, 3_000_000));
    assert_eq!(reply.json()["code"], 200);
}

#[test]
fn others_answer_in_the_services_place() {
    let (_, reply) = play(Fault::NotHttp);
    assert!(!reply.raw.starts_with(b"HTTP"));

    let (_, reply) = play(Fault::CaptivePortal);
    assert_eq!(reply.status(), 200);
    assert!(reply.header("content-type").unwrap().starts_with("text/html"));

    let (_, reply) = play(Fault::retry_after(429, "7"));
    assert_eq!((reply.status(), reply.header("retry-after").as_deref()), (429, Some("7")));
    assert_eq!(reply.json()["code"], 429);

    let (_, reply) = play(Fault::status(502));
    assert_eq!((reply.status(), reply.header("content-type").as_deref()), (502, Some("text/html")));

    let (_, reply) = play(Fault::CodeInEnvelope(401));
    assert_eq!((reply.status(), reply.json()["code"].clone()), (200, json!(401)));

    let (_, reply) = play(Fault::json(418, &json!([1])));
    assert_eq!((reply.status(), reply.json()), (418, json!([1])));
}

#[test]
fn a_redirect_leads_to_the_trap_and_the_trap_records() {
    let (emulator, reply) = play(Fault::Redirect(307));
    let location = reply.header("location").unwrap();
    assert_eq!((reply.status(), location.as_str()), (307, format!("{}{SIGN_IN}", emulator.trap_url()).as_str()));
    assert!(emulator.trap_requests().is_empty());

    let mut socket = connect(&emulator.trap_url());
    socket.write_all(&request(SIGN_IN, Some("secret"), true, &login())).unwrap();
    assert_eq!(read(&mut socket, usize::MAX).status(), 200);
    let mut socket = connect(&emulator.trap_url());
    socket.write_all(b"\x16\x03\x01\r\n\r\n").unwrap();
    read(&mut socket, usize::MAX);
    let trapped = emulator.trap_requests();
    assert_eq!((trapped[0].path.as_str(), trapped[0].header("Authorization")), (SIGN_IN, Some("secret")));
    assert_eq!((trapped[0].json(), trapped[1].method.as_str()), (Some(login()), ""));
    assert_eq!(emulator.requests().len(), 1);
}

#[test]
fn answers_are_emptied_and_fields_spoiled() {
    assert_eq!(play(Fault::EmptyBody).1.body(), b"");
    assert_eq!(play(Fault::NoData).1.json(), json!({"code": 200}));

    let token = |fault| play(fault).1.data()["token"].clone();
    let wrong = token(Fault::WrongTypes);
    assert!(wrong["accessToken"].is_number() && wrong["authenticationExpiresIn"].is_array());
    let missing = token(Fault::MissingField("accessToken".to_owned()));
    assert!(missing.get("accessToken").is_none() && missing["idToken"].is_string());
    let empty = token(Fault::EmptyTokens);
    assert!(empty["accessToken"] == "" && empty["secretKey"] == "" && empty["authorizationExpiresIn"] == 3600);
    let controls = token(Fault::ControlCharacters);
    assert!(text(&controls, "accessToken").contains("\r\nX-Injected: 1\0"));
}

#[test]
fn lifetimes_are_whatever_is_wanted() {
    let field = "authorizationExpiresIn".to_owned();
    let reply = play(Fault::Lifetime { field: field.clone(), json: json!(-1) }).1;
    assert_eq!(reply.data()["token"][&field], -1);
    for text in ["NaN", "1e400", "12345678901234567890123456789012345678901234567890"] {
        let reply = play(Fault::LifetimeText { field: field.clone(), text: text.to_owned() }).1;
        let body = String::from_utf8(reply.body().to_vec()).unwrap();
        assert!(body.contains(&format!("\"{field}\":{text}")));
    }
    // Where the field is absent, it is added beside the tokens.
    let emulator = Emulator::builder().start().unwrap();
    let token = sign_in(&emulator);
    emulator.fault(Endpoint::Refresh, Fault::Lifetime { field: field.clone(), json: json!("soon") });
    assert_eq!(refresh(&emulator, &token["refreshToken"]).data()[&field], "soon");
}

#[test]
fn text_is_broken_in_every_way() {
    let (_, reply) = play(Fault::DuplicateKeys);
    let body = String::from_utf8(reply.body().to_vec()).unwrap();
    assert_eq!(body.matches("\"accessToken\":").count(), 2);

    assert_eq!(play(Fault::DeepJson).1.body().len(), 100_000);

    let (_, reply) = play(Fault::Gzip);
    assert_eq!(reply.header("content-encoding").as_deref(), Some("gzip"));
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(reply.body()).read_to_string(&mut unpacked).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&unpacked).unwrap()["code"], 200);

    let (_, reply) = play(Fault::GzipGarbage);
    assert_eq!((reply.header("content-encoding").as_deref(), reply.body()[0]), (Some("gzip"), b'{'));

    assert!(play(Fault::Utf16).1.body().starts_with(&[0xFF, 0xFE, b'{', 0]));
    assert!(play(Fault::Bom).1.body().starts_with(&[0xEF, 0xBB, 0xBF, b'{']));
    assert!(std::str::from_utf8(play(Fault::InvalidUtf8).1.body()).is_err());

    assert_eq!(play(Fault::Date(String::new())).1.header("date"), None);
    assert_eq!(play(Fault::Date("yesterday".to_owned())).1.header("date").as_deref(), Some("yesterday"));
}

#[test]
fn the_script_is_kept_by_endpoint_and_in_order() {
    let emulator = Emulator::builder().start().unwrap();
    emulator.fault(Endpoint::SignIn, Fault::status(500));
    emulator.fault(Endpoint::SignIn, Fault::status(503));
    emulator.fault(Endpoint::Any, Fault::status(429));
    emulator.fault_always(Endpoint::Any, Fault::status(404));
    let statuses: Vec<_> = (0..5).map(|_| ask(&emulator, SIGN_IN, None, &login()).status()).collect();
    assert_eq!(statuses, [500, 503, 429, 404, 404]);
    emulator.fault(Endpoint::Refresh, Fault::status(500));
    emulator.clear_faults();
    assert_eq!(emulator.faults_waiting(), 0);
    sign_in(&emulator);
}
