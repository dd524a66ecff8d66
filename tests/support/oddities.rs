//! What a peer can answer that a tidy one does not: the rest of the table in `suite`. Include this file with
//! `#[path]`, beside `evil` and `suite`.
//!
//! Whatever is wrong with an answer, the request was sent, so that is all there is to say about it. What is right in
//! spite of looking odd is taken.

use crate::evil::Act::*;
use crate::evil::Certificate::*;
use crate::evil::Script::{self, *};
use crate::suite::{Case, LONG, Outcome, SHORT};

pub(crate) fn table() -> Vec<Case> {
    [handshakes(), endings(), heads(), framing(), chunks(), statuses(), moments()].concat()
}

fn ok() -> Outcome {
    Outcome::Answer(200, "hello")
}

fn far(name: &'static str, script: Script, outcome: Outcome) -> Case {
    Case(name, script, outcome, LONG)
}

fn say(name: &'static str, bytes: &'static [u8], outcome: Outcome) -> Case {
    far(name, Answer(Say(bytes)), outcome)
}

fn wrong(name: &'static str, bytes: &'static [u8]) -> Case {
    say(name, bytes, Outcome::MaybeSent)
}

/// An answer with this among its headers.
fn header(name: &'static str, line: &'static str, outcome: Outcome) -> Case {
    far(name, Answer(Say(leaked(&["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", line, "\r\n\r\nhello"]))), outcome)
}

/// An answer with this in place of its length.
fn framed(name: &'static str, lines: &'static str, outcome: Outcome) -> Case {
    far(name, Answer(Say(leaked(&["HTTP/1.1 200 OK\r\n", lines, "\r\n\r\nhello"]))), outcome)
}

/// An answer in chunks, of which these are the bytes.
fn chunked(name: &'static str, chunks: &'static str, outcome: Outcome) -> Case {
    far(name, Answer(Say(leaked(&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunks]))), outcome)
}

/// A test's bytes live as long as the test.
fn leaked(pieces: &[&str]) -> &'static [u8] {
    Vec::leak(pieces.concat().into_bytes())
}

/// Nothing of a request leaves before a handshake is over.
fn handshakes() -> Vec<Case> {
    vec![
        far("shows a certificate that signs itself", Tls(SelfSigned, Say(SIZED)), Outcome::NotSent),
        far("shows a certificate of the last century", Tls(Expired, Say(SIZED)), Outcome::NotSent),
        far("resets in the TLS handshake", ResetInHandshake, Outcome::NotSent),
        far("sends a TLS alert", NoHandshake(b"\x15\x03\x03\x00\x02\x02\x28"), Outcome::NotSent),
        far("sends noise for a handshake", NoHandshake(b"\x16\x03\x03\xff\xff\x00\x01\x02\x03"), Outcome::NotSent),
        far("sends an answer for a handshake", NoHandshake(SIZED), Outcome::NotSent),
        far("sends a record without an end", NoHandshake(b"\x16\x03\x03\x00\x40\x02"), Outcome::NotSent),
        Case("stops within the TLS handshake", HalfAHandshake, Outcome::TimedOut, SHORT),
    ]
}

fn endings() -> Vec<Case> {
    vec![
        far("ends TLS with a farewell", Tls(Good, SayAndBidFarewell(UNSIZED)), ok()),
        far("ends TLS without one, all said", Tls(Good, Say(SIZED)), ok()),
        far("cuts TLS within a body with a length", Tls(Good, Say(TORN)), Outcome::MaybeSent),
        far("bids farewell within a body with a length", Tls(Good, SayAndBidFarewell(TORN)), Outcome::MaybeSent),
        far("bids farewell within chunks", Tls(Good, SayAndBidFarewell(TORN_CHUNKS)), Outcome::MaybeSent),
        far("bids farewell within the head", Tls(Good, SayAndBidFarewell(b"HTTP/1.1 200")), Outcome::MaybeSent),
        far("resets TLS after the request", Tls(Good, SayAndReset(b"")), Outcome::MaybeSent),
        far("resets TLS within the body", Tls(Good, SayAndReset(TORN)), Outcome::MaybeSent),
        far("resets within the head", Answer(SayAndReset(b"HTTP/1.1 200 OK\r\nConte")), Outcome::MaybeSent),
        far("resets within chunks", Answer(SayAndReset(TORN_CHUNKS)), Outcome::MaybeSent),
        far("closes its half within the head", Answer(SayAndShut(b"HTTP/1.1 200 OK\r\nConte")), Outcome::MaybeSent),
        far("closes its half within the body", Answer(SayAndShut(TORN)), Outcome::MaybeSent),
        far("closes its half within chunks", Answer(SayAndShut(TORN_CHUNKS)), Outcome::MaybeSent),
        far("closes its half before the request", Answer(ShutFirst), Outcome::MaybeSent),
    ]
}

fn heads() -> Vec<Case> {
    let megabyte = "a".repeat(1024 * 1024);
    let huge = leaked(&["HTTP/1.1 200 OK\r\nX: ", &megabyte, "\r\nContent-Length: 5\r\n\r\nhello"]);
    let headers = |line: &str| leaked(&["HTTP/1.1 200 OK\r\n", &line.repeat(10_000), "Content-Length: 5\r\n\r\nhello"]);
    vec![
        wrong("sends a header of a megabyte", huge),
        wrong("sends ten thousand headers", headers("X-Header: value\r\n")),
        wrong("sends ten thousand tiny headers", headers("a:\r\n")),
        wrong("sends a status line of a megabyte", leaked(&["HTTP/1.1 200 ", &megabyte, "\r\n\r\nhello"])),
        header("says a NUL in a header", "X: a\0b", Outcome::MaybeSent),
        header("says a bare CR in a header", "X: a\rb", Outcome::MaybeSent),
        header("folds a header", "X: a\r\n b", Outcome::MaybeSent),
        header("names no header", ": a", Outcome::MaybeSent),
        header("blanks before a colon", "X : a", Outcome::MaybeSent),
        header("forgets a colon", "X", Outcome::MaybeSent),
        header("says bytes that are no text in a header", "X: \u{e9}", ok()),
        header("names its compression br", "Content-Encoding: br", Outcome::MaybeSent),
        header("compresses twice", "Content-Encoding: identity, gzip", Outcome::MaybeSent),
        header("offers another protocol", "Upgrade: h2c\r\nConnection: Upgrade", ok()),
        say("ends lines with LF alone", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", ok()),
    ]
}

fn framing() -> Vec<Case> {
    let maybe = || Outcome::MaybeSent;
    vec![
        framed("counts the same twice", "Content-Length: 5\r\nContent-Length: 5", ok()),
        framed("counts below zero", "Content-Length: -5", maybe()),
        framed("counts with a sign", "Content-Length: +5", maybe()),
        framed("counts in hexadecimal", "Content-Length: 0x5", maybe()),
        framed("counts nothing", "Content-Length: ", maybe()),
        framed("counts a list", "Content-Length: 5, 4", maybe()),
        framed("chunks last something else", "Transfer-Encoding: chunked, gzip", maybe()),
        framed("codes its transfer in gzip", "Transfer-Encoding: gzip", maybe()),
        say(
            "chunks in capitals",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            ok(),
        ),
        say(
            // RFC 9112, section 6.3: the chunks count.
            "counts and chunks",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            ok(),
        ),
        far("leaves something over on an open connection", Answer(SayAndStall(OVERLONG)), ok()),
        say("says nothing and then something", b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello", silent(204)),
        say("has not modified something", b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nhello", silent(304)),
        far("has not modified, and stays", Answer(SayAndStall(b"HTTP/1.1 304 No\r\n\r\n")), silent(304)),
    ]
}

fn silent(status: u16) -> Outcome {
    Outcome::Answer(status, "")
}

fn chunks() -> Vec<Case> {
    let maybe = || Outcome::MaybeSent;
    let long = Vec::leak(vec![b'x'; 128 * 1024]);
    let extended: &'static str = std::str::from_utf8(long).unwrap();
    let extended =
        leaked(&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", extended, "\r\nhello\r\n0\r\n\r\n"]);
    vec![
        chunked("chunks below zero", "-5\r\nhello\r\n0\r\n\r\n", maybe()),
        // `from_str_radix` takes the sign.
        chunked("chunks with a sign", "+5\r\nhello\r\n0\r\n\r\n", Outcome::HelloOrMaybeSent),
        chunked("chunks with a prefix", "0x5\r\nhello\r\n0\r\n\r\n", maybe()),
        chunked("chunks nothing", "\r\nhello\r\n0\r\n\r\n", maybe()),
        chunked("chunks beyond all numbers", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n", maybe()),
        chunked("chunks more than there is", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", maybe()),
        chunked("chunks with zeros in front", "0005\r\nhello\r\n0\r\n\r\n", ok()),
        chunked(
            "chunks in capitals and small letters",
            "00000a\r\nhellohello\r\n0A\r\nhellohello\r\n0\r\n\r\n",
            other(),
        ),
        chunked("ends in the middle of a number", "5\r\nhello\r\n", maybe()),
        // The body is whole; what is missing is the end of no trailers.
        chunked("ends in the middle of the end", "5\r\nhello\r\n0\r\n", Outcome::HelloOrMaybeSent),
        chunked("trails", "5\r\nhello\r\n0\r\nX-Trailer: a\r\n\r\n", ok()),
        chunked("trails what it must not", "5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n", ok()),
        chunked("trails garbage", "5\r\nhello\r\n0\r\n\0\0\0\0", maybe()),
        wrong("extends a chunk by far", extended),
        far("trails for ever", Answer(Flood(TRAILING, b"X-Trailer: value\r\n")), maybe()),
        far("trails one header for ever", Answer(Flood(TRAILING_ONE, &[b'a'; 1024])), maybe()),
        far("sends a chunk for ever", Answer(Flood(ENDLESS, &[b'a'; 1024])), Outcome::TooLarge),
    ]
}

fn other() -> Outcome {
    Outcome::Answer(200, "(another body)")
}

fn statuses() -> Vec<Case> {
    let only = |name, line: &str| wrong(name, leaked(&[line, "\r\nContent-Length: 5\r\n\r\nhello"]));
    vec![
        only("has a status of two digits", "HTTP/1.1 20 OK"),
        only("has a status of four digits", "HTTP/1.1 2000 OK"),
        only("has a status in words", "HTTP/1.1 two OK"),
        only("has no status", "HTTP/1.1"),
        only("speaks HTTP/2 in words", "HTTP/2.0 200 OK"),
        only("speaks HTTP/1.9", "HTTP/1.9 200 OK"),
        only("speaks HTTP in small letters", "http/1.1 200 OK"),
        only("begins with a blank", " HTTP/1.1 200 OK"),
        only("speaks ICY", "ICY 200 OK"),
        say("gives no reason", b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", ok()),
        say(
            "has a status that nobody knows",
            b"HTTP/1.1 799 ?\r\nContent-Length: 5\r\n\r\nhello",
            Outcome::Answer(799, "hello"),
        ),
        wrong("speaks HTTP/0.9", b"hello"),
        wrong("speaks HTTP/2", b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\x01\0\0\0\x02\0\0\0\0"),
        wrong("says the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        wrong("switches protocols uninvited", SWITCHING),
        far("switches protocols and stays", Answer(SayAndStall(SWITCHING)), Outcome::MaybeSent),
        say("hints with something in it", HINTING, ok()),
    ]
}

fn moments() -> Vec<Case> {
    vec![
        far("answers before it reads", Answer(SayFirst(SIZED)), Outcome::EarlyHello),
        far("answers before it reads, over TLS", Tls(Good, SayFirst(SIZED)), Outcome::EarlyHello),
        far("answers before it reads, and hangs up", Answer(SayFirstAndHangUp(SIZED)), Outcome::EarlyHello),
        far("answers once it has read the head", Answer(SayAfterTheHead(SIZED)), ok()),
    ]
}

const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const UNSIZED: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nhello";
const TORN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello";
const TORN_CHUNKS: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhello";
const OVERLONG: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello, world";
const TRAILING: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n";
const TRAILING_ONE: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: ";
const ENDLESS: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n";
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
const HINTING: &[u8] =
    b"HTTP/1.1 102 Processing\r\nX: a\r\n\r\nHTTP/1.1 103 Hints\r\nContent-Length: 3\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
