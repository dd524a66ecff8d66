//! What the cases share: the transport with a peer to send to, and what has to come of it.

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Method};
use perennial_core::wire::{Body, TransportSecurity};
use perennial_core::{Request, Response, TransportError, TransportErrorKind};

use super::peer::{Act, Peer, Script, Seen};
use super::subject::{Make, Setup, TransportUnderTest};
#[cfg(feature = "tls")]
use super::tls::{Authority, Certificate};
use crate::conformance::case::does_not_apply;

/// The body cap of every request here.
pub(super) const CAP: usize = 64 * 1024;

/// The deadline of requests that run into it, and the time to connect of connections that hang.
pub(super) const SHORT: Duration = Duration::from_millis(300);

/// What stands in all places of a request and an answer in which secrets are.
pub(super) const SECRET: &str = "canary";

pub(super) const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
pub(super) const UNSIZED: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nhello";
pub(super) const TORN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello";
pub(super) const TORN_CHUNKS: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhello";
pub(super) const A: &[u8] = &[b'a'; 1024];

/// A transport, and all that a case needs around it.
pub(super) struct Rig<'a> {
    pub(super) make: &'a Make,
    pub(super) transport: TransportUnderTest,
    #[cfg(feature = "tls")]
    pub(super) authority: Authority,
    /// The test that this case is, by its path, where that is known.
    pub(super) test: Option<String>,
}

/// What has to come of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Answer(u16, Vec<u8>),
    NotSent,
    MaybeSent,
    TimedOut,
    TooLarge,
}

/// What a peer does, and what has to come of it: one of these.
pub(super) struct Cell {
    name: String,
    script: Script,
    expected: Vec<Outcome>,
    near: bool,
}

pub(super) fn hello() -> Outcome {
    Outcome::Answer(200, b"hello".to_vec())
}

/// A peer that does this with a request, and what has to come of it.
pub(super) fn cell(name: impl Into<String>, script: Script, expected: Outcome) -> Cell {
    Cell { name: name.into(), script, expected: vec![expected], near: false }
}

/// A peer that answers with these bytes and closes.
pub(super) fn said(name: impl Into<String>, bytes: impl Into<Vec<u8>>, expected: Outcome) -> Cell {
    cell(name, Script::Plain(Act::Say(bytes.into())), expected)
}

/// A peer that answers 200 with these header lines and `hello`.
pub(super) fn headed(name: impl Into<String>, lines: &str, expected: Outcome) -> Cell {
    // One byte for each character, so that bytes that are no text can be given.
    let lines: Vec<u8> = lines.chars().map(|letter| letter as u8).collect();
    said(name, [b"HTTP/1.1 200 OK\r\n", &lines[..], b"\r\n\r\nhello"].concat(), expected)
}

/// A peer that answers 200 in chunks, of which these are the bytes.
pub(super) fn chunked(name: impl Into<String>, chunks: &str, expected: Outcome) -> Cell {
    headed_raw(name, &format!("Transfer-Encoding: chunked\r\n\r\n{chunks}"), expected)
}

fn headed_raw(name: impl Into<String>, rest: &str, expected: Outcome) -> Cell {
    said(name, format!("HTTP/1.1 200 OK\r\n{rest}"), expected)
}

#[cfg(feature = "tls")]
pub(super) fn over_tls(name: impl Into<String>, act: Act, expected: Outcome) -> Cell {
    cell(name, Script::Tls(Certificate::Good, act), expected)
}

impl Cell {
    /// This outcome is as good.
    pub(super) fn or(mut self, other: Outcome) -> Self {
        self.expected.push(other);
        self
    }

    /// The request has a short deadline, which it runs into.
    pub(super) fn near(mut self) -> Self {
        self.near = true;
        self
    }
}

impl Outcome {
    pub(super) fn of(result: &Result<Response, TransportError>) -> Self {
        match result {
            Ok(answer) => Self::Answer(answer.status().as_u16(), answer.body().as_ref().to_vec()),
            Err(error) => match error.kind() {
                TransportErrorKind::NotSent => Self::NotSent,
                TransportErrorKind::MaybeSent => Self::MaybeSent,
                TransportErrorKind::TimedOut => Self::TimedOut,
                TransportErrorKind::TooLarge => Self::TooLarge,
                kind => panic!("{kind:?} is not known to this suite"),
            },
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(status, body) if body.len() > 40 => write!(f, "a {status} of {} bytes", body.len()),
            Self::Answer(status, body) => write!(f, "a {status} with {:?}", String::from_utf8_lossy(body)),
            error => write!(f, "`{error:?}`"),
        }
    }
}

/// A request with secrets in all the places in which secrets are.
pub(super) fn request(address: &str, timeout: Duration) -> Request {
    let mut http = http::Request::new(Body::from(format!("password={SECRET}").into_bytes()));
    *http.method_mut() = Method::POST;
    *http.uri_mut() = format!("{address}/token?code={SECRET}").parse().expect("an address");
    http.headers_mut().insert(
        HeaderName::from_static("authorization"),
        HeaderValue::from_str(&format!("Bearer {SECRET}")).expect("a value"),
    );
    let mut request = Request::new(http);
    request.timeout = timeout;
    request.body_cap = CAP;
    request
}

/// All that an error says, its sources included, in both forms in which a program may log them.
pub(super) fn told(result: &Result<Response, TransportError>) -> String {
    let Err(error) = result else { return String::new() };
    let mut text = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(cause) = next {
        text += &format!(": {cause} {cause:?}");
        next = cause.source();
    }
    text
}

/// Asserts that this came of it.
#[track_caller]
pub(super) fn expect_outcome(what: &str, result: &Result<Response, TransportError>, expected: &Outcome) {
    let got = Outcome::of(result);
    assert!(got == *expected, "{what}: {got}, and not {expected}{}", because(result));
}

/// What an error tells, to follow something else.
fn because(result: &Result<Response, TransportError>) -> String {
    if result.is_err() { format!("; the error: {}", told(result)) } else { String::new() }
}

impl Rig<'_> {
    pub(super) fn patience(&self) -> Duration {
        self.transport.patience
    }

    /// A peer that plays this script; `None`, with a word, where this machine cannot have one.
    pub(super) fn peer(&self, script: &Script) -> Option<Peer> {
        let peer = Peer::start(
            script,
            self.patience(),
            #[cfg(feature = "tls")]
            &self.authority,
        );
        if peer.is_none() {
            does_not_apply("no connection can be made to hang on this machine");
        }
        peer
    }

    /// A peer that answers with these bytes and closes.
    pub(super) fn saying(&self, bytes: &[u8]) -> Peer {
        self.peer(&Script::Plain(Act::Say(bytes.to_vec()))).expect("a peer that listens is to be had")
    }

    /// A patient request to this address.
    pub(super) fn request(&self, address: &str) -> Request {
        request(address, self.patience())
    }

    pub(super) fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.transport.send(request)
    }

    /// Sends to this peer, and expects an answer.
    #[track_caller]
    pub(super) fn answer(&self, request: Request) -> Response {
        let result = self.send(request);
        let told = told(&result);
        result.unwrap_or_else(|_| panic!("a good answer is an error: {told}"))
    }

    /// Plays all cells, and panics with those that had another outcome.
    #[track_caller]
    pub(super) fn expect(&self, cells: Vec<Cell>) {
        let (wrong, of) = self.wrong(cells);
        let few: Vec<_> = wrong.iter().take(12).cloned().collect();
        let more = if wrong.len() > few.len() { "\n…" } else { "" };
        assert!(wrong.is_empty(), "in {} of {of} tries:\n{}{more}", wrong.len(), few.join("\n"));
    }

    fn wrong(&self, cells: Vec<Cell>) -> (Vec<String>, usize) {
        let (mut wrong, of) = (Vec::new(), cells.len());
        for Cell { name, script, expected, near } in cells {
            let Some(peer) = self.peer(&script) else { continue };
            let begun = Instant::now();
            let timeout = if near { SHORT } else { self.patience() };
            let result = self.send(request(&peer.url(), timeout));
            let took = begun.elapsed();
            let seen = peer.finish();
            let got = Outcome::of(&result);
            if !expected.contains(&got) {
                let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
                wrong.push(format!("a peer that {name}: {got}, and not {}{}", expected.join(" or "), because(&result)));
            }
            if near && took > self.patience() / 2 {
                wrong.push(format!("a peer that {name}: took {took:?} with a timeout of {SHORT:?}"));
            }
            wrong.extend(excess(&seen).map(|what| format!("a peer that {name}: {what}")));
            if told(&result).contains(SECRET) {
                wrong.push(format!("a peer that {name}: the error tells a secret: {}", told(&result)));
            }
        }
        (wrong, of)
    }

    /// The same transport that gives up connecting early.
    pub(super) fn impatient(&self) -> TransportUnderTest {
        (self.make)(&self.setup(SHORT))
    }

    fn setup(&self, connect_timeout: Duration) -> Setup {
        Setup {
            connect_timeout,
            #[cfg(feature = "tls")]
            root: self.authority.root().to_vec(),
        }
    }

    /// Sends past the checks that stand in front of the transport, having passed them with an exception.
    pub(super) fn admitted(&self, address: &str, host: &str) -> Request {
        let security = TransportSecurity::new().plain_http_to(host).expect("a host");
        let mut request = self.request(address);
        security.check_request(&mut request).expect("it was named");
        request
    }
}

/// What a peer saw too much of.
fn excess(seen: &Seen) -> Option<String> {
    if seen.requests.len() > 1 || seen.connections > 1 {
        return Some(format!("{} requests came over {} connections", seen.requests.len(), seen.connections));
    }
    // What the sockets' buffers swallow beyond the cap is the kernel's.
    (seen.written > CAP + 16 * 1024 * 1024).then(|| format!("{} bytes of its answer were read", seen.written))
}
