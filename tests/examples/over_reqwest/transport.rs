//! A transport over `reqwest`.

use std::pin::Pin;
use std::time::Duration;

use perennial_core::wire::BodyBuffer;
use perennial_core::{Request, Response, TransportError, TransportErrorKind};
use perennial_hyper::Transport;
use rustls::ClientConfig;

pub(crate) struct Reqwest(reqwest::Client);

impl Reqwest {
    pub(crate) fn new(tls: ClientConfig, connect_timeout: Duration) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            // `HTTP_PROXY` would be sent the password. Give the proxy that you mean, if you mean one.
            .no_proxy()
            // A password would follow a redirect.
            .redirect(reqwest::redirect::Policy::none())
            // Only a fresh connection can prove `NotSent`.
            .pool_max_idle_per_host(0)
            // Nothing is repeated.
            .retry(reqwest::retry::never())
            .connect_timeout(connect_timeout)
            .tls_backend_preconfigured(tls)
            .build()?;
        Ok(Self(http))
    }
}

impl Transport for Reqwest {
    fn send(&self, request: Request) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send>> {
        Box::pin(carry_out(self.0.clone(), request))
    }
}

async fn carry_out(http: reqwest::Client, request: Request) -> Result<Response, TransportError> {
    let (head, body) = request.http.into_parts();
    let call = http.request(head.method, head.uri.to_string()).headers(head.headers).body(body.bytes());
    let mut answer = call.timeout(request.timeout).send().await.map_err(failure)?;

    if answer.content_length().is_some_and(|announced| announced > request.body_cap as u64) {
        return Err(TransportErrorKind::TooLarge.into());
    }
    let mut buffer = BodyBuffer::new(request.body_cap);
    while let Some(chunk) = answer.chunk().await.map_err(failure)? {
        buffer.push(&chunk)?;
    }
    let mut response = Response::new(buffer.finish());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

/// `NotSent` only where it is sure: what fails to connect has sent nothing. URLs are left out: they may hold secrets.
fn failure(error: reqwest::Error) -> TransportError {
    let kind = match () {
        () if error.is_connect() => TransportErrorKind::NotSent,
        () if error.is_timeout() => TransportErrorKind::TimedOut,
        () => TransportErrorKind::MaybeSent,
    };
    TransportError::new(kind).with_source(error.without_url())
}
