//! What is tested: a transport, how it has to be made, and what it cannot do.

use std::time::Duration;

use perennial_core::wire::TransportSecurity;
use perennial_core::{Request, Response, TransportError};

/// What the transport has to be made with.
#[derive(Clone, Debug)]
pub struct Setup {
    pub(super) connect_timeout: Duration,
    #[cfg(feature = "tls")]
    pub(super) root: Vec<u8>,
}

impl Setup {
    /// How long the transport may take to connect, TLS included.
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The only certificate that the transport may trust, in DER.
    #[cfg(feature = "tls")]
    pub fn root_certificate_der(&self) -> &[u8] {
        &self.root
    }
}

type Sender = dyn Fn(Request) -> Result<Response, TransportError> + Send + Sync;

pub(super) type Make = dyn Fn(&Setup) -> TransportUnderTest + Send + Sync;

/// A transport that is tested: what sends, and what it cannot do.
pub struct TransportUnderTest {
    send: Box<Sender>,
    checks: bool,
    pub(super) has_connect_timeout: bool,
    pub(super) is_a_client: bool,
    pub(super) patience: Duration,
}

impl TransportUnderTest {
    /// Sends over this, with [`TransportSecurity::guard`] in front.
    pub fn new(send: impl Fn(Request) -> Result<Response, TransportError> + Send + Sync + 'static) -> Self {
        Self {
            send: Box::new(send),
            checks: false,
            has_connect_timeout: true,
            is_a_client: false,
            patience: Duration::from_secs(60),
        }
    }

    /// Sends over this, with nothing in front: it checks requests and answers itself, as
    /// [`TransportSecurity`] would.
    pub fn that_checks(send: impl Fn(Request) -> Result<Response, TransportError> + Send + Sync + 'static) -> Self {
        Self { checks: true, ..Self::new(send) }
    }

    /// It is built on an HTTP client that has connections of its own. Such a client may refuse an answer that comes
    /// before its request was sent (RFC 9112 §9.2 has reasons where connections are shared), and may listen to interim
    /// answers for as long as the request has time.
    pub fn over_an_http_client(self) -> Self {
        Self { is_a_client: true, ..self }
    }

    /// It has no shorter timeout for connecting, so that a connection that hangs is `TimedOut`.
    pub fn without_connect_timeout(self) -> Self {
        Self { has_connect_timeout: false, ..self }
    }

    /// How long whatever has to happen may take: 60 s by default.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    pub(super) fn send(&self, request: Request) -> Result<Response, TransportError> {
        if self.checks {
            (self.send)(request)
        } else {
            TransportSecurity::new().guard(request, |request| (self.send)(request))
        }
    }
}
