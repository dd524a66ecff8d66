//! The settings of an HTTP transport.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
#[cfg(feature = "tls")]
use tokio_rustls::rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};

use super::tls::Tls;
use super::{HttpTransport, Inner};

/// Settings of an [`HttpTransport`]. Begins with [`HttpTransport::builder`] and ends with [`build`](Self::build); give
/// the transport to [`Connector::over`](crate::Connector::over).
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

    /// Trusts this root certificate (X.509 in DER) **instead of** Mozilla's, which are built in. May be called several
    /// times.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn root_certificate_der(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        let certificate = CertificateDer::from(certificate.into());
        self.roots.get_or_insert_default().push(certificate);
        self
    }

    /// Trusts the root certificates of the operating system **instead of** Mozilla's, which are built in, and in
    /// addition to those given by [`root_certificate_der`](Self::root_certificate_der). They are read once, by this
    /// call.
    #[cfg(feature = "platform-roots")]
    #[must_use]
    pub fn platform_roots(mut self) -> Self {
        // Platforms keep some that rustls cannot use. `build` refuses if none is left.
        let found = rustls_native_certs::load_native_certs().certs.into_iter();
        let usable = found.filter(|root| RootCertStore::empty().add(root.clone()).is_ok());
        self.roots.get_or_insert_default().extend(usable);
        self
    }

    /// Uses this TLS configuration **instead of** one made of root certificates: for a client certificate, a
    /// certificate verifier, or cryptography of your own. Root certificates that are given to this builder then have no
    /// effect.
    ///
    /// Of its ALPN protocols all but `http/1.1` are removed: this transport speaks no other.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_config(mut self, config: ClientConfig) -> Self {
        self.tls_config = Some(config);
        self
    }

    /// How long name look-up, connecting and TLS may take together: 10 s by default. After that the request fails as
    /// `NotSent`, which is safe to repeat. If the request's own timeout ends first, it fails as `TimedOut`.
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

    /// Builds the transport. An error if a root certificate cannot be parsed, or if the operating system was asked for
    /// its root certificates and has none that can be used.
    ///
    /// The cryptography is chosen here: the process's default `CryptoProvider` of rustls if one is installed by now,
    /// else the one of this crate's features. If there is neither, each https request fails as `NotSent`.
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
