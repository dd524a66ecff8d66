//! What a transport must make of a peer that misbehaves. Both HTTP adapters pass the same suite: include this file
//! with `#[path]`, beside `evil`.

use std::time::{Duration, Instant};

use perennial_core::{Request, Response, TransportError, TransportErrorKind};

use crate::evil::{Act, Authority, CAP, Certificate, Peer, Script, request};
use crate::oddities;

/// The deadline of requests that must run into it.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// The deadline of all others.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// What a transport must make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answer(u16, &'static str),
    /// A whole answer that a strict reader refuses: one library takes it, the other does not, and no harm is done.
    HelloOrMaybeSent,
    NotSent,
    MaybeSent,
    TimedOut,
    TooLarge,
}

/// What the peer does, how, what is right then, and how long the request may take.
#[derive(Clone)]
pub(crate) struct Case(pub(crate) &'static str, pub(crate) Script, pub(crate) Outcome, pub(crate) Duration);

/// The suite. Names say what the peer does.
fn table() -> Vec<Case> {
    use Act::*;
    use Certificate::*;
    use Script::*;
    let ok = || Outcome::Answer(200, "hello");
    let far = |name, script, outcome| Case(name, script, outcome, LONG);
    let near = |name, script| Case(name, script, Outcome::TimedOut, SHORT);
    let answer = |name, bytes, outcome| Case(name, Answer(Say(bytes)), outcome, LONG);
    vec![
        // Well-behaved, so that the rest means something.
        answer("answers with a length", SIZED, ok()),
        answer("answers in chunks", CHUNKED, ok()),
        answer("answers until it closes", UNSIZED, ok()),
        answer("answers in HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nhello", ok()),
        answer("answers with nothing", b"HTTP/1.1 204 No Content\r\n\r\n", Outcome::Answer(204, "")),
        answer(
            "answers with an error",
            b"HTTP/1.1 500 Oh\r\nContent-Length: 5\r\n\r\nhello",
            Outcome::Answer(500, "hello"),
        ),
        answer(
            "hints before it answers",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            ok(),
        ),
        answer(
            "says identity",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
            ok(),
        ),
        answer(
            "extends its chunks",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b;c=\"d\"\r\nhello\r\n0\r\n\r\n",
            ok(),
        ),
        far("answers and closes its half", Answer(SayAndShut(UNSIZED)), ok()),
        far("answers over TLS", Tls(Good, SayAndShut(SIZED)), ok()),
        far("answers and keeps the connection open", Answer(SayAndStall(SIZED)), ok()),
        // Nothing of the request was sent.
        far("refuses", Refuse, Outcome::NotSent),
        far("closes in the TLS handshake", CloseInHandshake, Outcome::NotSent),
        far("speaks no TLS", Tls(Good, Redirect), Outcome::NotSent),
        far("shows an untrusted certificate", Tls(Untrusted, Say(SIZED)), Outcome::NotSent),
        far("shows another's certificate", Tls(OtherName, Say(SIZED)), Outcome::NotSent),
        // Something may have been.
        answer("closes without an answer", b"", Outcome::MaybeSent),
        far("resets after the request", Answer(SayAndReset(b"")), Outcome::MaybeSent),
        far("closes its half without an answer", Answer(SayAndShut(b"")), Outcome::MaybeSent),
        far("closes TLS without an answer", Tls(Good, Say(b"")), Outcome::MaybeSent),
        answer("tears the head", b"HTTP/1.1 200 OK\r\nContent-Le", Outcome::MaybeSent),
        answer("tears the body", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", Outcome::MaybeSent),
        far(
            "resets within a body with a length",
            Answer(SayAndReset(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")),
            Outcome::MaybeSent,
        ),
        far("resets within a body without a length", Answer(SayAndReset(UNSIZED)), Outcome::MaybeSent),
        far("cuts TLS within a body without a length", Tls(Good, Say(UNSIZED)), Outcome::MaybeSent),
        answer(
            "tears a chunk",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhello",
            Outcome::MaybeSent,
        ),
        answer(
            "forgets the last chunk",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            Outcome::MaybeSent,
        ),
        answer(
            "miscounts a chunk",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
            Outcome::MaybeSent,
        ),
        answer(
            "counts chunks in words",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n0\r\n\r\n",
            Outcome::MaybeSent,
        ),
        answer("counts in words", b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello", Outcome::MaybeSent),
        answer(
            "counts twice",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nhello",
            Outcome::MaybeSent,
        ),
        answer(
            "compresses uninvited",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
            Outcome::MaybeSent,
        ),
        answer("speaks SMTP", b"220 mail.example ESMTP\r\n", Outcome::MaybeSent),
        answer("speaks noise", b"\x00\xff\x16\x03\x01\x00\r\n\r\n\x80", Outcome::MaybeSent),
        far(
            "extends a chunk for ever",
            Answer(Flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", A)),
            Outcome::MaybeSent,
        ),
        far("sends one header for ever", Answer(Flood(b"HTTP/1.1 200 OK\r\nX: ", A)), Outcome::MaybeSent),
        far(
            "sends headers for ever",
            Answer(Flood(b"HTTP/1.1 200 OK\r\n", b"X-Header: value\r\n")),
            Outcome::MaybeSent,
        ),
        far("hints for ever", Answer(Flood(b"", HINT)), Outcome::MaybeSent),
        far("says continue for ever", Answer(Flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n")), Outcome::MaybeSent),
        // More than its length, and a second answer: only what belongs to the answer is read.
        answer("says more than it announced", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, world", ok()),
        answer(
            "answers twice",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n",
            ok(),
        ),
        // The cap.
        answer(
            "announces what is just allowed, and tears it",
            b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n",
            Outcome::MaybeSent,
        ),
        answer(
            "announces what no number holds",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            Outcome::MaybeSent,
        ),
        answer("announces too much", b"HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", Outcome::TooLarge),
        answer(
            "announces the whole world",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
            Outcome::TooLarge,
        ),
        far("sends a body for ever", Answer(Flood(b"HTTP/1.1 200 OK\r\n\r\n", A)), Outcome::TooLarge),
        far("sends a body for ever over TLS", Tls(Good, Flood(b"HTTP/1.1 200 OK\r\n\r\n", A)), Outcome::TooLarge),
        far(
            "sends chunks for ever",
            Answer(Flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8\r\naaaaaaaa\r\n")),
            Outcome::TooLarge,
        ),
        // The deadline is a total one.
        near("never accepts", NeverAccept),
        near("stalls", Answer(SayAndStall(b""))),
        near("stalls in the TLS handshake", Stall),
        near("stalls after the TLS handshake", Tls(Good, SayAndStall(b""))),
        near("stalls within the head", Answer(SayAndStall(b"HTTP/1.1 200 OK\r\n"))),
        near("stalls within the body", Answer(SayAndStall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"))),
        near("drips a head", Answer(Drip(b"HTTP/1.1 200 OK\r\nX: ", A))),
        near("drips a body", Answer(Drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", A))),
        near("drips a body over TLS", Tls(Good, Drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", A))),
        near("hints slowly for ever", Answer(Drip(b"", HINT))),
    ]
}

const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
const UNSIZED: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nhello";
const HINT: &[u8] = b"HTTP/1.1 103 Early Hints\r\n\r\n";
const A: &[u8] = &[b'a'; 1024];

/// Runs the suite over a transport that trusts [`Authority::root`]; panics with all that went wrong.
pub(crate) fn run_table(authority: &Authority, send: impl Fn(Request) -> Result<Response, TransportError>) {
    let mut wrong = Vec::new();
    for Case(name, script, expected, timeout) in table().into_iter().chain(oddities::table()) {
        let peer = Peer::start(authority, script, None);
        let begun = Instant::now();
        let result = send(peer.request(timeout));
        let took = begun.elapsed();
        let seen = peer.finish();

        let got = Outcome::of(&result);
        let lenient = [Outcome::MaybeSent, Outcome::Answer(200, "hello")];
        let is_right = got == expected || expected == Outcome::HelloOrMaybeSent && lenient.contains(&got);
        if !is_right {
            wrong.push(format!("{name}: expected {expected:?}, got {got:?} ({})", told(&result)));
        }
        if timeout == SHORT && took > SHORT + Duration::from_secs(2) {
            wrong.push(format!("{name}: took {took:?}"));
        }
        if seen.requests > 1 || seen.connections > 1 {
            wrong.push(format!("{name}: repeated: {seen:?}"));
        }
        // What the sockets' buffers swallow beyond the cap is the kernel's.
        if seen.written > CAP + 16 * 1024 * 1024 {
            wrong.push(format!("{name}: took {} bytes", seen.written));
        }
        if told(&result).contains("canary") {
            wrong.push(format!("{name}: tells a secret: {}", told(&result)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Outcome {
    /// What became of a request.
    pub(crate) fn of(result: &Result<Response, TransportError>) -> Self {
        match result {
            Ok(answer) => {
                let body = match answer.body().as_ref() {
                    b"hello" => "hello",
                    b"" => "",
                    _ => "(another body)",
                };
                Self::Answer(answer.status().as_u16(), body)
            }
            Err(error) => match error.kind() {
                TransportErrorKind::NotSent => Self::NotSent,
                TransportErrorKind::MaybeSent => Self::MaybeSent,
                TransportErrorKind::TimedOut => Self::TimedOut,
                TransportErrorKind::TooLarge => Self::TooLarge,
            },
        }
    }
}

/// All that an error says, its sources included.
pub(crate) fn told(result: &Result<Response, TransportError>) -> String {
    let Err(error) = result else { return String::new() };
    let mut text = format!("{error} | {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(" | {error}");
        source = error.source();
    }
    text
}

/// RFC 9110, section 15.4: a redirect is for the one who asked. Here that is the provider.
pub(crate) fn a_redirect_is_an_answer(
    authority: &Authority,
    send: impl Fn(Request) -> Result<Response, TransportError>,
) {
    let elsewhere = Peer::start(authority, Script::Answer(Act::Say(SIZED)), None);
    let peer = Peer::start(authority, Script::Answer(Act::Redirect), Some(elsewhere.url()));
    let answer = send(peer.request(LONG)).unwrap();
    assert_eq!(answer.status(), 307);
    assert_eq!(answer.headers()["location"], elsewhere.url());
    assert_eq!(peer.finish().requests, 1);
    assert_eq!(elsewhere.finish().connections, 0);
}

/// A connection that was used before cannot prove that nothing was sent.
pub(crate) fn no_connection_is_used_twice(
    authority: &Authority,
    send: impl Fn(Request) -> Result<Response, TransportError>,
) {
    let keeps_open = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello";
    for script in
        [Script::Answer(Act::SayAndStall(keeps_open)), Script::Tls(Certificate::Good, Act::SayAndStall(keeps_open))]
    {
        let peer = Peer::start(authority, script, None);
        for _ in 0..3 {
            send(peer.request(LONG)).unwrap();
        }
        let seen = peer.finish();
        assert_eq!((seen.connections, seen.requests), (3, 3));
        assert!(seen.hung_up, "the connection outlives its request");
    }
}

/// Nothing is sent in the clear to another machine, nor looked up, nor connected to.
pub(crate) fn only_https_leaves_this_machine(send: impl Fn(Request) -> Result<Response, TransportError>) {
    for address in ["http://192.0.2.1", "http://a.example", "ftp://127.0.0.1"] {
        let begun = Instant::now();
        let result = send(request(address, LONG));
        assert_eq!(Outcome::of(&result), Outcome::NotSent, "{address}");
        assert!(told(&result).contains("only https"), "{}", told(&result));
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}

/// No resolver needs to be asked for a name with a label that is too long.
pub(crate) fn an_unknown_name_is_not_sent(send: impl Fn(Request) -> Result<Response, TransportError>) {
    let result = send(request(&format!("https://{}.example", "a".repeat(64)), LONG));
    assert_eq!(Outcome::of(&result), Outcome::NotSent, "{}", told(&result));
}

/// `impatient` connects for a shorter time than its requests may take.
pub(crate) fn a_connection_that_hangs_is_not_sent(
    authority: &Authority,
    impatient: impl Fn(Request) -> Result<Response, TransportError>,
) {
    for script in [Script::NeverAccept, Script::Stall] {
        let peer = Peer::start(authority, script, None);
        let result = impatient(peer.request(LONG));
        assert_eq!(Outcome::of(&result), Outcome::NotSent, "{script:?}: {}", told(&result));
        assert_eq!(peer.finish().requests, 0);
    }
}

/// The head of a request as it arrives.
pub(crate) fn a_request_is_sent_as_it_should_be(
    authority: &Authority,
    send: impl Fn(Request) -> Result<Response, TransportError>,
) {
    let peer = Peer::start(authority, Script::Answer(Act::Say(SIZED)), None);
    let host = peer.url().replace("http://", "");
    send(peer.request(LONG)).unwrap();
    let mut bare = peer.request(LONG);
    *bare.http.method_mut() = http::Method::GET;
    *bare.http.body_mut() = perennial_core::wire::Body::empty();
    bare.http.headers_mut().insert("user-agent", "mine".parse().unwrap());
    send(bare).unwrap();
    let mut empty = peer.request(LONG);
    *empty.http.body_mut() = perennial_core::wire::Body::empty();
    send(empty).unwrap();

    let heads: Vec<Vec<String>> = peer
        .finish()
        .heads
        .iter()
        .map(|head| {
            let mut lines: Vec<_> = head.trim().lines().map(str::to_lowercase).collect();
            lines[1..].sort();
            lines
        })
        .collect();
    let expected = |first: &str, length: Option<&str>, agent: &str| {
        let mut lines = vec![
            first.to_owned(),
            "accept-encoding: identity".to_owned(),
            "authorization: bearer canary".to_owned(),
            "connection: close".to_owned(),
        ];
        lines.extend(length.map(|length| format!("content-length: {length}")));
        lines.push(format!("host: {host}"));
        lines.push(format!("user-agent: {agent}"));
        lines
    };
    let ours = concat!("perennial/", env!("CARGO_PKG_VERSION"));
    assert_eq!(heads[0], expected("post /token?code=canary http/1.1", Some("15"), ours));
    assert_eq!(heads[1], expected("get /token?code=canary http/1.1", None, "mine"));
    assert_eq!(heads[2], expected("post /token?code=canary http/1.1", Some("0"), ours));
}
