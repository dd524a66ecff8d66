//! Requests over tokio and hyper: one fresh connection each, and an honest word on how far each got.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Uri};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use perennial_adapter::http::{HEAD_CAP, hide_headers, prepare_headers, uninvited};
use perennial_core::wire::{Body, BodyBuffer};
use perennial_core::{Request, Response, TransportError, TransportErrorKind, TransportSecurity};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

mod builder;
mod early;
#[cfg_attr(not(feature = "tls"), path = "transport/no_tls.rs")]
mod tls;

pub use self::builder::{HttpTransportBuilder, InvalidRoots};
use self::early::Early;
use self::tls::Tls;

/// Sends requests and reads their answers. Implement it to use an HTTP client of your own, and give it to
/// [`Connector::over`](crate::Connector::over).
pub trait Transport: Send + Sync + 'static {
    /// Sends the request and reads its answer, within the limits of the [`Request`]. An answer of any status is `Ok`;
    /// an error means that there is no whole answer.
    ///
    /// A [`Connector`](crate::Connector) checks requests and answers by [`TransportSecurity`]: https, or plain http
    /// where that is allowed; no answer that is compressed or switches protocols. The rules that a transport has to
    /// keep itself are listed at [`Request`]: follow no redirect, use no proxy that was not given, repeat nothing.
    /// Dropping the future closes the connection.
    fn send(&self, request: Request) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send>>;
}

/// HTTP/1.1 over tokio, with TLS by rustls and no proxy. Cheap to clone; clones share their settings.
///
/// Every request gets a connection of its own, which is closed after it. Futures must be polled inside a tokio runtime
/// that has I/O and time enabled: with one of them off tokio panics, and outside of any runtime a request fails as
/// `NotSent`.
///
/// You may send API calls with it, too, by [`Transport::send`]. Used so, it sends to https addresses, and over plain
/// http to this machine only. A [`Request`] has 30 s and its answer 256 KiB unless you change its fields. For many
/// calls an HTTP client that keeps its connections open is faster.
#[derive(Clone)]
pub struct HttpTransport(Arc<Inner>);

struct Inner {
    tls: Tls,
    connect_timeout: Duration,
    user_agent: HeaderValue,
}

/// How many interim answers (1xx) may come before the answer.
const MOST_INTERIM: usize = 100;

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("connect_timeout", &self.0.connect_timeout)
            .field("user_agent", &self.0.user_agent)
            .finish_non_exhaustive()
    }
}

impl Transport for HttpTransport {
    fn send(&self, mut request: Request) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            TransportSecurity::new().check_request(&mut request)?;
            if Handle::try_current().is_err() {
                return Err(TransportError::not_sent("there is no tokio runtime here"));
            }
            match timeout(request.timeout, inner.carry_out(request)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(TransportError::new(TransportErrorKind::TimedOut)),
            }
        })
    }
}

impl Inner {
    async fn carry_out(&self, request: Request) -> Result<Response, TransportError> {
        let uri = request.http.uri().clone();
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let head_and_body = self.prepare(request.http);
        let (limit, cap) = (request.timeout, request.body_cap);

        // Chunks of one byte are the longest way to say something.
        let most = cap.saturating_mul(8).saturating_add(2 * HEAD_CAP);
        if is_tls {
            self.tls.check()?;
            let stream = self.within_connect_timeout(limit, self.connect_tls(host, port, limit)).await?;
            exchange(Early::new(stream, most), head_and_body, cap).await
        } else {
            let stream = self.within_connect_timeout(limit, self.connect(host, port, limit)).await?;
            exchange(Early::new(stream, most), head_and_body, cap).await
        }
    }

    /// In the form that goes over a connection to its host: HTTP/1.1, and the path only.
    fn prepare(&self, request: http::Request<Body>) -> http::Request<Full<Bytes>> {
        let (mut parts, body) = request.into_parts();
        let uri = std::mem::take(&mut parts.uri);
        let host = match (uri.host().unwrap_or_default(), uri.port()) {
            (host, Some(port)) => HeaderValue::try_from(format!("{host}:{port}")),
            (host, None) => HeaderValue::try_from(host),
        };
        if let Ok(host) = host {
            parts.headers.insert(HOST, host);
        }
        if let Some(path) = uri.into_parts().path_and_query {
            parts.uri = Uri::from(path);
        }
        parts.version = http::Version::HTTP_11;
        prepare_headers(&mut parts.headers, &self.user_agent);
        http::Request::from_parts(parts, Full::new(body.bytes()))
    }

    /// Gives up on a connection early, while it is still certain that nothing was sent.
    async fn within_connect_timeout<S>(
        &self,
        limit: Duration,
        connecting: impl Future<Output = io::Result<S>>,
    ) -> Result<S, TransportError> {
        let connected = if self.connect_timeout < limit {
            timeout(self.connect_timeout, connecting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        } else {
            connecting.await
        };
        connected.map_err(TransportError::not_sent)
    }

    async fn connect_tls(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Unpin> {
        let stream = self.connect(host, port, limit).await?;
        self.tls.over(stream, host).await
    }

    /// Tries the addresses of a name in turn. One that stays silent leaves the others their share of the time.
    async fn connect(&self, host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
        let until = Instant::now() + limit.min(self.connect_timeout);
        let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for (address, left) in addresses.iter().zip((1..=addresses.len() as u32).rev()) {
            let connecting = TcpStream::connect(address);
            let connected = if left == 1 {
                connecting.await
            } else {
                let share = until.saturating_duration_since(Instant::now()) / left;
                timeout(share, connecting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            };
            match connected {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// The request out, the answer in. From here on only hyper knows whether bytes have left.
async fn exchange<S>(stream: S, mut request: http::Request<Full<Bytes>>, cap: usize) -> Result<Response, TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let interim = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&interim);
    hyper::ext::on_informational(&mut request, move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_CAP)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(TransportError::not_sent)?;
    let mut answer = pin!(async move {
        let (mut head, body) = sender.try_send_request(request).await.map_err(failed)?.into_parts();
        if let Some(reason) = uninvited(head.status, &head.headers) {
            return Err(TransportError::maybe_sent(reason));
        }
        hide_headers(&mut head.headers);
        Ok(Response::from_parts(head, read(body, cap).await?))
    });
    // The connection is polled here and not in a task of its own, so that nothing outlives this future.
    let mut connection = pin!(Some(connection));
    poll_fn(|cx| {
        if let Some(open) = connection.as_mut().as_pin_mut()
            && open.poll(cx).is_ready()
        {
            connection.set(None);
        }
        if interim.load(Ordering::Relaxed) > MOST_INTERIM {
            return Poll::Ready(Err(TransportError::maybe_sent("there are too many interim answers")));
        }
        answer.as_mut().poll(cx)
    })
    .await
}

/// hyper gives back what it has not begun to write.
fn failed<R>(mut failure: TrySendError<R>) -> TransportError {
    match failure.take_message() {
        Some(_) => TransportError::not_sent(failure.into_error()),
        None => TransportError::maybe_sent(failure.into_error()),
    }
}

/// Reads a body up to its cap. What is announced to be larger is not read at all.
async fn read(mut body: Incoming, cap: usize) -> Result<Body, TransportError> {
    let too_large = || TransportError::new(TransportErrorKind::TooLarge);
    if body.size_hint().lower() > cap as u64 {
        return Err(too_large());
    }
    let mut buffer = BodyBuffer::new(cap);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(piece) = frame.map_err(TransportError::maybe_sent)?.into_data() {
            buffer.push(&piece).map_err(|_| too_large())?;
        }
    }
    Ok(buffer.finish())
}
