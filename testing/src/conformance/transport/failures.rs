//! Connections that fail, and how far the request got.

use super::peer::{Act, Script};
#[cfg(feature = "tls")]
use super::rig::over_tls;
use super::rig::{
    A, Cell, Outcome, Rig, SECRET, SHORT, SIZED, TORN, TORN_CHUNKS, UNSIZED, cell, chunked, expect_outcome, headed,
};
use super::rig::{request, said, told};
#[cfg(feature = "tls")]
use super::tls::Certificate;
use crate::conformance::case::does_not_apply;

fn maybe(name: &str, act: Act) -> Cell {
    cell(name, Script::Plain(act), Outcome::MaybeSent)
}

pub(super) fn a_torn_answer_is_maybe_sent(rig: &Rig<'_>) {
    let torn = |name: &str, bytes: &'static [u8]| said(name, bytes, Outcome::MaybeSent);
    let chunks = |name: &str, chunks: &str| chunked(name, chunks, Outcome::MaybeSent);
    rig.expect(vec![
        torn("tears the status line", b"HTTP/1.1 20"),
        torn("tears the head", b"HTTP/1.1 200 OK\r\nContent-Le"),
        torn("tears the end of the head", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"),
        torn("tears the body", TORN),
        headed("announces what is just allowed, and tears it", "Content-Length: 65536", Outcome::MaybeSent),
        torn("tears a chunk", TORN_CHUNKS),
        chunks("forgets the last chunk", "5\r\nhello\r\n"),
        chunks("chunks more than there is", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        torn("tears what comes after a hint", b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200"),
        torn("hints and goes", b"HTTP/1.1 100 Continue\r\n\r\n"),
        maybe("closes its half within the head", Act::SayAndShut(b"HTTP/1.1 200 OK\r\nConte")),
        maybe("closes its half within the body", Act::SayAndShut(TORN)),
        maybe("closes its half within chunks", Act::SayAndShut(TORN_CHUNKS)),
        maybe("resets within the head", Act::SayAndReset(b"HTTP/1.1 200 OK\r\nConte")),
        maybe("resets within a body with a length", Act::SayAndReset(TORN)),
        maybe("resets within a body without a length", Act::SayAndReset(UNSIZED)),
        maybe("resets within chunks", Act::SayAndReset(TORN_CHUNKS)),
    ]);
    #[cfg(feature = "tls")]
    {
        let over_tls = |name: &str, act| over_tls(name, act, Outcome::MaybeSent);
        rig.expect(vec![
            // RFC 8446 §6.1: without `close_notify` nobody knows whether that was all.
            over_tls("cuts TLS within a body without a length", Act::Say(UNSIZED.to_vec())),
            over_tls("cuts TLS within a body with a length", Act::Say(TORN.to_vec())),
            over_tls("ends TLS within a body with a length", Act::SayAndNotify(TORN)),
            over_tls("ends TLS within chunks", Act::SayAndNotify(TORN_CHUNKS)),
            over_tls("ends TLS within the head", Act::SayAndNotify(b"HTTP/1.1 200")),
            over_tls("resets TLS within the body", Act::SayAndReset(TORN)),
        ]);
    }
}

pub(super) fn what_never_connected_is_not_sent(rig: &Rig<'_>) {
    rig.expect(vec![cell("refuses", Script::Refuse, Outcome::NotSent)]);
    // No resolver needs to be asked for a name with a label that is too long.
    let result = rig.send(rig.request(&format!("https://{}.example", "a".repeat(64))));
    expect_outcome("a name that nobody has", &result, &Outcome::NotSent);
}

pub(super) fn a_handshake_that_fails_is_not_sent(rig: &Rig<'_>) {
    let none = |name: &str, bytes| cell(name, Script::NoHandshake(bytes), Outcome::NotSent);
    rig.expect(vec![
        cell("closes in the TLS handshake", Script::CloseInHandshake, Outcome::NotSent),
        cell("resets in the TLS handshake", Script::ResetInHandshake, Outcome::NotSent),
        none("speaks no TLS", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        none("sends an answer for a handshake", SIZED),
        none("sends a TLS alert", b"\x15\x03\x03\x00\x02\x02\x28"),
        none("sends noise for a handshake", b"\x16\x03\x03\xff\xff\x00\x01\x02\x03"),
        none("sends a record without an end", b"\x16\x03\x03\x00\x40\x02"),
    ]);
    #[cfg(feature = "tls")]
    {
        let shows =
            |name: &str, certificate| cell(name, Script::Tls(certificate, Act::Say(SIZED.to_vec())), Outcome::NotSent);
        rig.expect(vec![
            shows("shows an untrusted certificate", Certificate::Untrusted),
            shows("shows another's certificate", Certificate::OtherName),
            shows("shows a certificate that signs itself", Certificate::SelfSigned),
            shows("shows a certificate of the last century", Certificate::Expired),
        ]);
    }
}

pub(super) fn a_connection_that_closes_after_the_request_is_maybe_sent(rig: &Rig<'_>) {
    rig.expect(vec![
        maybe("closes without an answer", Act::Say(Vec::new())),
        maybe("resets after the request", Act::SayAndReset(b"")),
        maybe("closes its half without an answer", Act::SayAndShut(b"")),
        maybe("closes its half before the request", Act::ShutFirst),
    ]);
    #[cfg(feature = "tls")]
    rig.expect(vec![
        over_tls("closes TLS without an answer", Act::Say(Vec::new()), Outcome::MaybeSent),
        over_tls("ends TLS without an answer", Act::SayAndNotify(b""), Outcome::MaybeSent),
        over_tls("resets TLS after the request", Act::SayAndReset(b""), Outcome::MaybeSent),
    ]);
}

/// It connects for a shorter time than its requests may take.
pub(super) fn a_connection_that_hangs_is_not_sent(rig: &Rig<'_>) {
    if !rig.transport.has_connect_timeout {
        return does_not_apply("it has no timeout for connecting");
    }
    let impatient = rig.impatient();
    for (what, script) in
        [("a peer that never accepts", Script::NeverAccept), ("a peer that stalls in the TLS handshake", Script::Stall)]
    {
        let Some(peer) = rig.peer(&script) else { continue };
        let result = impatient.send(rig.request(&peer.url()));
        let requests = peer.finish().requests.len();
        expect_outcome(what, &result, &Outcome::NotSent);
        assert_eq!(requests, 0);
    }
}

pub(super) fn the_deadline_is_for_the_whole_request(rig: &Rig<'_>) {
    let near = |name: &str, script| cell(name, script, Outcome::TimedOut).near();
    let plain = |name: &str, act| near(name, Script::Plain(act));
    let long = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n";
    rig.expect(vec![
        near("never accepts", Script::NeverAccept),
        near("stalls in the TLS handshake", Script::Stall),
        plain("stalls", Act::SayAndStall(b"")),
        plain("stalls within the head", Act::SayAndStall(b"HTTP/1.1 200 OK\r\n")),
        plain("stalls within the body", Act::SayAndStall(TORN)),
        plain("stalls after a hint", Act::SayAndStall(b"HTTP/1.1 103 Early Hints\r\n\r\n")),
        plain("drips a head", Act::Drip(b"HTTP/1.1 200 OK\r\nX: ", A)),
        plain("drips a body", Act::Drip(long, A)),
        plain("drips hints", Act::Drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    ]);
    #[cfg(feature = "tls")]
    {
        let over_tls = |name: &str, act| over_tls(name, act, Outcome::TimedOut).near();
        rig.expect(vec![
            near("stops within the TLS handshake", Script::HalfAHandshake),
            over_tls("stalls after the TLS handshake", Act::SayAndStall(b"")),
            over_tls("drips a body over TLS", Act::Drip(long, A)),
        ]);
    }
}

pub(super) fn no_error_shows_a_secret(rig: &Rig<'_>) {
    let echo = b"HTTP/1.1 200 canary\r\nSet-Cookie: canary\r\nContent-Length: 100\r\n\r\ncanary";
    let odd = b"HTTP/1.1 canary\r\n\r\n";
    let header = b"HTTP/1.1 200 OK\r\ncanary canary\r\n\r\n";
    let length = b"HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n";
    let coded = b"HTTP/1.1 200 OK\r\nContent-Encoding: canary\r\nContent-Length: 6\r\n\r\ncanary";
    let large = [b"HTTP/1.1 200 OK\r\n\r\n", SECRET.repeat(20_000).as_bytes()].concat();
    let scripts = [
        Script::Refuse,
        Script::CloseInHandshake,
        Script::NoHandshake(b"canary canary canary"),
        Script::Plain(Act::Say(Vec::new())),
        Script::Plain(Act::Say(echo.to_vec())),
        Script::Plain(Act::Say(odd.to_vec())),
        Script::Plain(Act::Say(header.to_vec())),
        Script::Plain(Act::Say(length.to_vec())),
        Script::Plain(Act::Say(coded.to_vec())),
        Script::Plain(Act::Say(large)),
    ];
    for script in scripts {
        let Some(peer) = rig.peer(&script) else { continue };
        let result = rig.send(rig.request(&peer.url()));
        peer.finish();
        assert!(result.is_err(), "{script:?} is answered");
        assert!(!told(&result).contains(SECRET), "the error is {}", told(&result));
    }
    let Some(peer) = rig.peer(&Script::Plain(Act::SayAndStall(b""))) else { return };
    let result = rig.send(request(&peer.url(), SHORT));
    peer.finish();
    assert!(!told(&result).contains(SECRET), "the error is {}", told(&result));
}
