//! Requests over std sockets and ureq: one fresh connection each, and an honest word on how far each got.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderValue, Method};
use log::{Level, log_enabled};
use perennial_adapter::http::{HEAD_CAP, hide_headers, prepare_headers, uninvited};
use perennial_core::wire::{Body, BodyBuffer};
use perennial_core::{Request, Response, TransportError, TransportErrorKind, TransportSecurity};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Timeout};

mod builder;
#[cfg_attr(not(feature = "tls"), path = "transport/no_tls.rs")]
mod tls;
mod watched;

pub use self::builder::{HttpTransportBuilder, InvalidRoots};
use self::tls::Tls;
use self::watched::WatchedConnector;

/// Sends requests and reads their answers. Implement it to use an HTTP client of your own, and give it to
/// [`Connector::over`](crate::Connector::over).
pub trait Transport: Send + Sync + 'static {
    /// Sends the request and reads its answer, within the limits of the [`Request`]. An answer of any status is `Ok`;
    /// an error means that there is no whole answer.
    ///
    /// A [`Connector`](crate::Connector) checks requests and answers by [`TransportSecurity`]: https, or plain http
    /// where that is allowed; no answer that is compressed or switches protocols. The rules that a transport has to
    /// keep itself are listed at [`Request`]: follow no redirect, use no proxy that was not given, repeat nothing.
    fn send(&self, request: Request) -> Result<Response, TransportError>;
}

/// HTTP/1.1 over std sockets, with TLS by rustls and no proxy. Cheap to clone; clones share their settings.
///
/// Every request gets a connection of its own, which is closed after it. A name look-up cannot be interrupted: if it
/// takes longer than the deadline, its thread ends by itself later.
///
/// You may send API calls with it, too, by [`Transport::send`]. Used so, it sends to https addresses, and over plain
/// http to this machine only. A [`Request`] has 30 s and its answer 256 KiB unless you change its fields. For many
/// calls an HTTP client that keeps its connections open is faster.
///
/// ureq writes the bytes it sends and receives to the `log` crate at trace level. While that is switched on for
/// `ureq` or `ureq_proto`, nothing is sent: every request fails as `NotSent`, because tokens would be logged.
#[derive(Clone)]
pub struct HttpTransport(Arc<Inner>);

struct Inner {
    tls: Tls,
    connect_timeout: Duration,
    user_agent: HeaderValue,
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("connect_timeout", &self.0.connect_timeout)
            .field("user_agent", &self.0.user_agent)
            .finish_non_exhaustive()
    }
}

impl Transport for HttpTransport {
    fn send(&self, mut request: Request) -> Result<Response, TransportError> {
        TransportSecurity::new().check_request(&mut request)?;
        if logs_bytes() {
            return Err(TransportError::not_sent(
                "trace logs of ureq and ureq_proto would show secrets: lower their level",
            ));
        }
        if request.http.uri().scheme_str() == Some("https") {
            self.0.tls.check()?;
        }
        // Set by the connection when the first byte of the request is about to leave.
        let sent = Arc::new(AtomicBool::new(false));
        let agent = self.0.agent(&request, Arc::clone(&sent));
        // ureq blames connecting for the time it took, whichever limit was the shorter.
        let is_early = self.0.connect_timeout < request.timeout;
        exchange(&agent, self.0.prepare(request.http), request.body_cap).map_err(|failure| match failure {
            Failure::Http(ureq::Error::Timeout(limit)) if limit == Timeout::Global || !is_early => {
                TransportError::new(TransportErrorKind::TimedOut)
            }
            failure => failure.after(sent.load(Ordering::Relaxed)),
        })
    }
}

impl Inner {
    /// An agent for one request: what it connects cannot be used by another.
    fn agent(&self, request: &Request, sent: Arc<AtomicBool>) -> Agent {
        let config = Agent::config_builder()
            .timeout_global(Some(request.timeout))
            .timeout_resolve(Some(self.connect_timeout))
            .timeout_connect(Some(self.connect_timeout))
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .max_response_header_size(HEAD_CAP)
            .accept("")
            .build();
        // Chunks of one byte are the longest way to say something.
        let most = request.body_cap.saturating_mul(8).saturating_add(2 * HEAD_CAP);
        let connector = WatchedConnector::new(self.tls.clone(), sent, most);
        Agent::with_parts(config, connector, DefaultResolver::default())
    }

    /// With the headers that are ours to set.
    fn prepare(&self, mut request: http::Request<Body>) -> http::Request<Body> {
        prepare_headers(request.headers_mut(), &self.user_agent);
        request
    }
}

/// The request out, the answer in.
fn exchange(agent: &Agent, request: http::Request<Body>, cap: usize) -> Result<Response, Failure> {
    let (head, body) = request.into_parts();
    // An empty body is announced where the method means one (RFC 9110, section 8.6).
    let is_bare = body.as_ref().is_empty() && !matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
    let answer = if is_bare {
        agent.run(http::Request::from_parts(head, ()))
    } else {
        agent.run(http::Request::from_parts(head, body.as_ref()))
    };
    let (mut head, body) = answer?.into_parts();
    if let Some(reason) = uninvited(head.status, &head.headers) {
        return Err(Failure::Uninvited(reason));
    }
    if body.content_length().is_some_and(|announced| announced > cap as u64) {
        return Err(Failure::TooLarge);
    }
    let mut buffer = BodyBuffer::new(cap);
    io::copy(&mut body.into_reader(), &mut buffer)?;
    hide_headers(&mut head.headers);
    Ok(Response::from_parts(head, buffer.finish()))
}

/// Whether ureq would log what it sends and receives.
fn logs_bytes() -> bool {
    log_enabled!(target: "ureq_proto::util", Level::Trace) || log_enabled!(target: "ureq::util", Level::Trace)
}

/// Why there is no answer.
enum Failure {
    Http(ureq::Error),
    Uninvited(&'static str),
    TooLarge,
}

impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Self {
        Self::Http(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.get_ref() {
            Some(inner) if inner.is::<TransportError>() => Self::TooLarge,
            // An error of ureq's in an error of std is unwrapped here.
            _ => Self::Http(error.into()),
        }
    }
}

impl Failure {
    /// The error, now that it is known whether any byte of the request was sent.
    fn after(self, sent: bool) -> TransportError {
        let error = match self {
            Self::TooLarge => return TransportError::new(TransportErrorKind::TooLarge),
            Self::Uninvited(reason) => return TransportError::maybe_sent(reason),
            Self::Http(error) => error,
        };
        let failed =
            TransportError::new(if sent { TransportErrorKind::MaybeSent } else { TransportErrorKind::NotSent });
        // Only what cannot quote the request or the answer is passed on.
        match error {
            ureq::Error::Io(error) => failed.with_source(error),
            ureq::Error::HostNotFound => failed.with_source("the name has no address"),
            ureq::Error::Timeout(_) => failed.with_source("connecting took too long"),
            ureq::Error::Tls(reason) => failed.with_source(reason),
            ureq::Error::LargeResponseHeader(..) => failed.with_source("the head of the answer is too large"),
            ureq::Error::Protocol(_) => failed.with_source("the answer is not valid HTTP"),
            ureq::Error::Other(error) => failed.with_source(error),
            _ => failed,
        }
    }
}
