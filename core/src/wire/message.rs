//! HTTP messages as values: what a transport is to send, and what it brought back.

use std::fmt;
use std::time::Duration;

use super::body::Body;

/// How long a request may take in all by default: 30 seconds.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes of an answer's body that are read by default: 256 KiB. A grant has a few tokens of at most
/// [`MAX_TOKEN`](crate::credentials::MAX_TOKEN) bytes each.
pub const BODY_CAP: usize = 256 * 1024;

/// An HTTP response. Its body is wiped when dropped.
pub type Response = http::Response<Body>;

/// An HTTP request to send, with its timeout and the cap of its answer.
///
/// [`TransportSecurity`](crate::TransportSecurity) checks requests and answers in front of every transport. A transport
/// must keep these rules itself:
///
/// - **The right place.** Connect to the host and port of the address and nowhere else. Use no proxy that was not given
///   on purpose: HTTP clients take one from `HTTP_PROXY` by themselves, and would send it the password. Follow no
///   redirect, whatever its status: it is an answer, which the provider judges.
/// - **Once.** Repeat nothing, and use a fresh connection for each exchange: renewals are rare, and only on a fresh
///   connection is it certain that nothing was sent.
/// - **Unchanged.** Send method, path, query, every header and the body as they are.
/// - **In time.** `timeout` covers everything from now to the last byte of the answer, name look-up and TLS included.
///   Bytes that arrive do not extend it.
/// - **Within bounds.** Read at most `body_cap` bytes of the body, and cap the head as well. A truncated answer is an
///   error: a body shorter than its `Content-Length`, chunks without the last one, a TLS connection that ends without
///   `close_notify` where nothing else gives the length.
/// - **The whole answer.** Return the status, every header and the body: `Retry-After`, `Date` and cookies are read. An
///   answer that comes before the request was sent whole is an answer too.
/// - **Honest errors.** Report [`NotSent`](crate::TransportErrorKind::NotSent) only where nothing of the request can
///   have left: no such name, connection refused, certificate not trusted. The session repeats the request then,
///   password included.
/// - **No leaks.** Put no header, query or body into a log or into the source of an error.
///
/// `perennial_testing::conformance::transport` tests a transport for all of this.
pub struct Request {
    /// The request's number in its session, under which the answer is handed back. Zero outside a session.
    pub id: RequestId,
    /// What to send.
    pub http: http::Request<Body>,
    /// The time from now to the last byte of the answer, name look-up and TLS included.
    pub timeout: Duration,
    /// The most bytes of the answer's body to read.
    pub body_cap: usize,
}

/// The number of a request in its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

impl Request {
    /// A request with the default limits, [`REQUEST_TIMEOUT`] and [`BODY_CAP`].
    pub fn new(http: http::Request<Body>) -> Self {
        Self { id: RequestId::default(), http, timeout: REQUEST_TIMEOUT, body_cap: BODY_CAP }
    }
}

/// Method, host and path alone: query, headers and body may hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = self.http.uri();
        write!(f, "{} {}{}", self.http.method(), uri.host().unwrap_or_default(), uri.path())
    }
}
