//! The settings of an HTTP transport.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
#[cfg(feature = "tls")]
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};

use super::tls::Tls;
use super::{HttpTransport, Inner};

/// Settings of an [`HttpTransport`].
#[derive(Clone)]
pub struct HttpTransportBuilder {
    #[cfg(feature = "tls")]
    roots: Option<Vec<CertificateDer<'static>>>,
    #[cfg(feature = "tls")]
    tls_config: Option<ClientConfig>,
    connect_timeout: Duration,
    user_agent: HeaderValue,
}

/// A root certificate cannot be used, or the platform has none.
#[derive(Debug, thiserror::Error)]
#[error("there is no usable set of root certificates")]
pub struct InvalidRoots(#[source] Option<Box<dyn Error + Send + Sync>>);

impl HttpTransport {
    /// A transport that trusts Mozilla's root certificates.
    pub fn new() -> Self {
        HttpTransportBuilder::new().build_default()
    }

    /// A transport with other settings.
    pub fn builder() -> HttpTransportBuilder {
        HttpTransportBuilder::new()
    }
}

impl Default for HttpTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpTransportBuilder {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(feature = "tls")]
            roots: None,
            #[cfg(feature = "tls")]
            tls_config: None,
            connect_timeout: Duration::from_secs(10),
            user_agent: HeaderValue::from_static(concat!("perennial/", env!("CARGO_PKG_VERSION"))),
        }
    }

    /// Trusts this root certificate (X.509, DER) **instead of** the built-in ones. Called again: both.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn root_certificate_der(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        let certificate = CertificateDer::from(certificate.into());
        self.roots.get_or_insert_default().push(certificate);
        self
    }

    /// Trusts what the operating system trusts, **instead of** the built-in root certificates, and beside those
    /// given one by one. They are read here, once.
    #[cfg(feature = "platform-roots")]
    #[must_use]
    pub fn platform_roots(mut self) -> Self {
        // Platforms keep some that rustls cannot use. `build` refuses if none is left.
        let found = rustls_native_certs::load_native_certs().certs.into_iter();
        let usable = found.filter(|root| RootCertStore::empty().add(root.clone()).is_ok());
        self.roots.get_or_insert_default().extend(usable);
        self
    }

    /// TLS as this says, **instead of** all that is said of it here: for a certificate of the client's, a verifier or
    /// cryptography of your own. Root certificates that are given beside it have no effect.
    ///
    /// Of its ALPN protocols only `http/1.1` is offered: this transport speaks no other.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_config(mut self, config: ClientConfig) -> Self {
        self.tls_config = Some(config);
        self
    }

    /// How long the name look-up may take, and after it connecting with TLS: 10 s each by default. It ends in
    /// `NotSent`, which is safe to repeat; the deadline of the request itself, if it comes first, in `TimedOut`.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The `User-Agent` of requests that do not bring their own: `perennial/` and the version by default.
    #[must_use]
    pub fn user_agent(mut self, value: HeaderValue) -> Self {
        self.user_agent = value;
        self
    }

    /// The transport. Fails if a root certificate is none, or if there is none.
    ///
    /// Its cryptography is chosen here: what the process installed as rustls' default by now, else what the crate's
    /// features say. Where there is none, each https request fails as `NotSent`.
    pub fn build(self) -> Result<HttpTransport, InvalidRoots> {
        let tls = self.tls()?;
        Ok(self.over(tls))
    }

    /// The transport of one who changed nothing.
    pub(super) fn build_default(self) -> HttpTransport {
        self.over(Tls::trusting_mozilla())
    }

    fn over(self, tls: Tls) -> HttpTransport {
        let Self { connect_timeout, user_agent, .. } = self;
        HttpTransport(Arc::new(Inner { tls, connect_timeout, user_agent }))
    }

    #[cfg(feature = "tls")]
    fn tls(&self) -> Result<Tls, InvalidRoots> {
        if let Some(config) = &self.tls_config {
            return Ok(Tls::with(config.clone()));
        }
        let Some(given) = &self.roots else {
            return Ok(Tls::trusting_mozilla());
        };
        let mut roots = RootCertStore::empty();
        for certificate in given {
            roots.add(certificate.clone()).map_err(|error| InvalidRoots(Some(error.into())))?;
        }
        if roots.is_empty() {
            return Err(InvalidRoots(None));
        }
        Ok(Tls::trusting(roots))
    }

    #[cfg(not(feature = "tls"))]
    fn tls(&self) -> Result<Tls, InvalidRoots> {
        Ok(Tls::trusting_mozilla())
    }
}

impl fmt::Debug for HttpTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransportBuilder")
            .field("connect_timeout", &self.connect_timeout)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}
