//! What a transport must make of a peer that misbehaves. Every transport here passes the same suite, and yours can: include
//! this file with `#[path]` and `#[macro_use]`, beside `evil` and `oddities`, and name what makes it.
//!
//! ```ignore
//! transport_suite!(over_my_sockets, Built::UponSockets, |root, connect_timeout| {
//!     let transport = MyTransport::new(root, connect_timeout);
//!     move |request| TransportSecurity::new().guard(request, |request| transport.send(request))
//! });
//! ```

use std::process::Command;
use std::time::{Duration, Instant};

use perennial_core::{Request, Response, TransportError, TransportErrorKind, TransportSecurity};

use crate::evil::{Act, Authority, CAP, Certificate, Peer, Script, request};
use crate::oddities;

/// The deadline of requests that must run into it.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// The deadline of all others.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// What a transport must make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answer(u16, &'static str),
    /// A whole answer that a strict reader refuses: one library takes it, the other does not, and no harm is done.
    HelloOrMaybeSent,
    /// An answer that came before the request was sent.
    EarlyHello,
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

/// What a transport is built upon. Some things are beyond those that are built upon an HTTP client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each who includes this has transports of some kind")]
pub(crate) enum Built {
    /// Sockets, or a library that leaves the connection to the transport.
    UponSockets,
    /// An HTTP client that has connections of its own. It may refuse an answer that comes before its request was sent
    /// (RFC 9112, section 9.2, has good reasons where connections are shared), and may listen to interim answers for as
    /// long as the request has time.
    UponAClient,
}

impl Built {
    /// Whether there is no use in asking such a transport.
    fn cannot(self, case: &str) -> bool {
        self == Self::UponAClient && ["hints for ever", "says continue for ever"].contains(&case)
    }

    /// Whether that is what it should make of it.
    fn is_right(self, got: &Outcome, expected: &Outcome) -> bool {
        let whole = Outcome::Answer(200, "hello");
        match (expected, self) {
            (Outcome::EarlyHello, Self::UponSockets) => *got == whole,
            (Outcome::HelloOrMaybeSent | Outcome::EarlyHello, _) => [Outcome::MaybeSent, whole].contains(got),
            _ => got == expected,
        }
    }
}

/// What carries out a request.
pub(crate) trait Send: Fn(Request) -> Result<Response, TransportError> {}

impl<S: Fn(Request) -> Result<Response, TransportError>> Send for S {}

/// The suite as tests in a module of this name. `$make` takes a root certificate in DER, which is the only one that the
/// transport is to trust, and how long it may connect; it gives what sends.
macro_rules! transport_suite {
    ($name:ident, $built:expr, $make:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "who names a function by its path needs none")]
            use super::*;

            #[test]
            fn every_fault_has_its_outcome() {
                crate::suite::every_fault_has_its_outcome($built, $make);
            }

            #[test]
            fn an_early_answer_is_heard() {
                crate::suite::an_early_answer_is_heard($built, $make);
            }

            transport_suite! { @tests $make;
                a_request_is_sent_as_it_should_be
                an_answer_comes_with_all_its_headers_and_shows_none
                a_redirect_is_an_answer
                no_connection_is_used_twice
                only_https_leaves_this_machine
                a_host_that_was_named_is_spoken_to_in_the_clear
                a_port_that_is_none_is_not_sent_to
                an_unknown_name_is_not_sent
                a_connection_that_hangs_is_not_sent
            }

            #[test]
            fn no_proxy_is_asked() {
                crate::suite::no_proxy_is_asked(concat!(stringify!($name), "::no_proxy_is_asked"), $make);
            }
        }
    };
    (@tests $make:expr; $($test:ident)+) => {
        $(
            #[test]
            fn $test() {
                crate::suite::$test($make);
            }
        )+
    };
}

/// A transport that trusts the authority of its peers and is patient.
fn patient<S: Send>(make: impl Fn(&[u8], Duration) -> S) -> (Authority, S) {
    let authority = Authority::new();
    let send = make(&authority.root(), LONG);
    (authority, send)
}

/// The table, and all that went wrong.
pub(crate) fn every_fault_has_its_outcome<S: Send>(built: Built, make: impl Fn(&[u8], Duration) -> S) {
    let (authority, send) = patient(make);
    let mut wrong = Vec::new();
    let cases = table().into_iter().chain(oddities::table());
    for Case(name, script, expected, timeout) in cases.filter(|Case(name, ..)| !built.cannot(name)) {
        let peer = Peer::start(&authority, script, None);
        let begun = Instant::now();
        let result = send(peer.request(timeout));
        let took = begun.elapsed();
        let seen = peer.finish();

        let got = Outcome::of(&result);
        if !built.is_right(&got, &expected) {
            wrong.push(format!("{name}: expected {expected:?}, got {got:?} ({})", told(&result)));
        }
        if timeout == SHORT && took > LONG / 2 {
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
    assert!(wrong.is_empty(), "{} of the cells:\n{}", wrong.len(), wrong.join("\n"));
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
                kind => panic!("{kind:?} is not known here"),
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
pub(crate) fn a_redirect_is_an_answer<S: Send>(make: impl Fn(&[u8], Duration) -> S) {
    let (authority, send) = patient(make);
    let elsewhere = Peer::start(&authority, Script::Answer(Act::Say(SIZED)), None);
    let peer = Peer::start(&authority, Script::Answer(Act::Redirect), Some(elsewhere.url()));
    let answer = send(peer.request(LONG)).unwrap();
    assert_eq!(answer.status(), 307);
    assert_eq!(answer.headers()["location"], elsewhere.url());
    assert_eq!(peer.finish().requests, 1);
    assert_eq!(elsewhere.finish().connections, 0);
}

/// A connection that was used before cannot prove that nothing was sent.
pub(crate) fn no_connection_is_used_twice<S: Send>(make: impl Fn(&[u8], Duration) -> S) {
    let (authority, send) = patient(make);
    let keeps_open = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello";
    for script in
        [Script::Answer(Act::SayAndStall(keeps_open)), Script::Tls(Certificate::Good, Act::SayAndStall(keeps_open))]
    {
        let peer = Peer::start(&authority, script, None);
        for _ in 0..3 {
            send(peer.request(LONG)).unwrap();
        }
        let seen = peer.finish();
        assert_eq!((seen.connections, seen.requests), (3, 3));
        assert!(seen.hung_up, "the connection outlives its request");
    }
}

/// Nothing is sent in the clear to another machine, nor looked up, nor connected to.
pub(crate) fn only_https_leaves_this_machine<S: Send>(make: impl Fn(&[u8], Duration) -> S) {
    let (_, send) = patient(make);
    for address in ["http://192.0.2.1", "http://a.example", "ftp://127.0.0.1"] {
        let begun = Instant::now();
        let result = send(request(address, LONG));
        assert_eq!(Outcome::of(&result), Outcome::NotSent, "{address}");
        assert!(told(&result).contains("plain_http_to"), "{}", told(&result));
        assert!(begun.elapsed() < LONG / 2);
    }
}

/// Somebody in front of the transport allowed it. The machine knows `127.1` for itself, the rules do not.
pub(crate) fn a_host_that_was_named_is_spoken_to_in_the_clear<S: Send>(make: impl Fn(&[u8], Duration) -> S) {
    let (authority, send) = patient(make);
    let peer = Peer::start(&authority, Script::Answer(Act::Say(SIZED)), None);
    let at = peer.url().replace("127.0.0.1", "127.1");
    assert_eq!(Outcome::of(&send(request(&at, LONG))), Outcome::NotSent);
    let mut allowed = request(&at, LONG);
    TransportSecurity::new().plain_http_to("127.1").unwrap().check_request(&mut allowed).unwrap();
    let result = send(allowed);
    assert_eq!(Outcome::of(&result), Outcome::Answer(200, "hello"), "{}", told(&result));
    assert_eq!(peer.finish().requests, 1);
}

/// What cannot be a port is not taken for the usual one, where somebody else listens.
pub(crate) fn a_port_that_is_none_is_not_sent_to<S: Send>(make: impl Fn(&[u8], Duration) -> S) {
    let (_, send) = patient(make);
    for address in ["http://127.0.0.1:80800", "https://127.0.0.1:80800", "http://127.0.0.1:0", "https://127.0.0.1:"] {
        let result = send(request(address, LONG));
        assert_eq!(Outcome::of(&result), Outcome::NotSent, "{address}");
        assert!(told(&result).contains("a port that is none"), "{}", told(&result));
    }
}

/// No resolver needs to be asked for a name with a label that is too long.
pub(crate) fn an_unknown_name_is_not_sent<S: Send>(make: impl Fn(&[u8], Duration) -> S) {
    let (_, send) = patient(make);
    let result = send(request(&format!("https://{}.example", "a".repeat(64)), LONG));
    assert_eq!(Outcome::of(&result), Outcome::NotSent, "{}", told(&result));
}

/// It connects for a shorter time than its requests may take.
pub(crate) fn a_connection_that_hangs_is_not_sent<S: Send>(make: impl Fn(&[u8], Duration) -> S) {
    let authority = Authority::new();
    let impatient = make(&authority.root(), SHORT);
    for script in [Script::NeverAccept, Script::Stall] {
        let peer = Peer::start(&authority, script, None);
        let result = impatient(peer.request(LONG));
        assert_eq!(Outcome::of(&result), Outcome::NotSent, "{script:?}: {}", told(&result));
        assert_eq!(peer.finish().requests, 0);
    }
}

/// A service that has too much to do says so before it reads. Many tries: which of the two comes first is chance.
pub(crate) fn an_early_answer_is_heard<S: Send>(built: Built, make: impl Fn(&[u8], Duration) -> S) {
    let (authority, send) = patient(make);
    let busy = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n";
    for command in [Act::SayFirst(busy), Act::SayFirstAndHangUp(busy)] {
        let peer = Peer::start(&authority, Script::Answer(command), None);
        for number in 0..300 {
            let result = send(peer.request(LONG));
            if built == Built::UponAClient && Outcome::of(&result) == Outcome::MaybeSent {
                continue;
            }
            assert_eq!(Outcome::of(&result), Outcome::Answer(429, ""), "try {number}: {}", told(&result));
            assert_eq!(result.unwrap().headers()["retry-after"], "30");
        }
        assert_eq!(peer.finish().connections, 300);
    }
}

/// Cookies, dates and places are looked at; what is logged shows none of them.
pub(crate) fn an_answer_comes_with_all_its_headers_and_shows_none<S: Send>(make: impl Fn(&[u8], Duration) -> S) {
    let (authority, send) = patient(make);
    let answer = b"HTTP/1.1 503 No\r\nSet-Cookie: a=canary\r\nRetry-After: 7\r\nset-cookie:b=\xe9canary \r\n\
        Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n";
    let peer = Peer::start(&authority, Script::Answer(Act::Say(answer)), None);
    let answer = send(peer.request(LONG)).unwrap();
    assert!(!format!("{answer:?}").contains("canary"), "{answer:?}");
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().map(http::HeaderValue::as_bytes).collect();
    assert_eq!(cookies, [&b"a=canary"[..], b"b=\xe9canary"]);
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(answer.headers()["date"], "Sun, 06 Nov 1994 08:49:37 GMT");
    peer.finish();
}

/// The head of a request as it arrives: all that it must have, nothing twice, and nothing that we did not say.
pub(crate) fn a_request_is_sent_as_it_should_be<S: Send>(make: impl Fn(&[u8], Duration) -> S) {
    let (authority, send) = patient(make);
    for (number, (host, head)) in heads(&authority, send).into_iter().enumerate() {
        let must = [vec![format!("host: {host}")], musts(number)].concat();
        for line in &must {
            assert_eq!(head.iter().filter(|known| *known == line).count(), 1, "{line} in {head:#?}");
        }
        let may = ["connection: close", "accept: */*", "user-agent: "];
        for line in head.iter().filter(|line| !must.contains(line)) {
            assert!(may.iter().any(|known| line.starts_with(known)), "{line} in {head:#?}");
        }
        assert!(head.iter().filter(|line| line.starts_with("user-agent: ")).count() <= 1, "{head:#?}");
    }
}

/// The same for a transport of ours, to the letter.
#[allow(dead_code, reason = "not all who include this are ours")]
pub(crate) fn it_says_who_sends_it_and_no_more(authority: &Authority, send: impl Send) {
    for (number, (host, head)) in heads(authority, send).into_iter().enumerate() {
        let mut expected = [vec![format!("host: {host}"), "connection: close".to_owned()], musts(number)].concat();
        if number != 1 {
            expected.push(concat!("user-agent: perennial/", env!("CARGO_PKG_VERSION")).to_owned());
        }
        expected.sort();
        let mut head = head;
        head.sort();
        assert_eq!(head, expected);
    }
}

/// The heads of three requests, in small letters and sorted but for the first line, with the host they went to.
fn heads(authority: &Authority, send: impl Send) -> Vec<(String, Vec<String>)> {
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
    let sorted = |head: &String| {
        let mut lines: Vec<_> = head.trim().lines().map(str::to_lowercase).collect();
        lines[1..].sort();
        (host.clone(), lines)
    };
    peer.finish().heads.iter().map(sorted).collect()
}

/// What the head of each of the three must have.
fn musts(number: usize) -> Vec<String> {
    let own: &[&str] = match number {
        0 => &["post /token?code=canary http/1.1", "content-length: 15"],
        1 => &["get /token?code=canary http/1.1", "user-agent: mine"],
        _ => &["post /token?code=canary http/1.1", "content-length: 0"],
    };
    let all = ["accept-encoding: identity", "authorization: bearer canary"];
    own.iter().chain(&all).map(|line| (*line).to_owned()).collect()
}

/// Whatever the environment says: a proxy that nobody gave would be sent the password.
///
/// In a process of its own, which runs the test of this name and none else: many HTTP clients read the environment, and
/// each for the whole process.
pub(crate) fn no_proxy_is_asked<S: Send>(test: &str, make: impl Fn(&[u8], Duration) -> S) {
    const BEHIND: &str = "PERENNIAL_BEHIND_A_PROXY";
    if std::env::var_os(BEHIND).is_some() {
        let (authority, send) = patient(make);
        for script in [Script::Answer(Act::Say(SIZED)), Script::Tls(Certificate::Good, Act::Say(SIZED))] {
            let peer = Peer::start(&authority, script, None);
            let result = send(peer.request(LONG));
            assert_eq!(Outcome::of(&result), Outcome::Answer(200, "hello"), "{script:?}: {}", told(&result));
            assert_eq!(peer.finish().requests, 1);
        }
        return;
    }
    let proxy = Peer::start(&Authority::new(), Script::Answer(Act::Say(SIZED)), None);
    let mut behind = Command::new(std::env::current_exe().unwrap());
    behind.args([test, "--exact", "--nocapture"]).env(BEHIND, "1").env_remove("REQUEST_METHOD");
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        behind.env(name, proxy.url()).env(name.to_uppercase(), proxy.url());
    }
    for name in ["no_proxy", "NO_PROXY"] {
        behind.env_remove(name);
    }
    let output = behind.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(proxy.finish().connections, 0);
}
