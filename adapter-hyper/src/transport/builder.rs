//! The settings of an HTTP transport.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::{HttpTransport, Inner};

/// Settings of an [`HttpTransport`].
#[derive(Clone, Debug)]
pub struct HttpTransportBuilder {
    roots: Option<Vec<CertificateDer<'static>>>,
    connect_timeout: Duration,
    user_agent: HeaderValue,
}

/// A root certificate cannot be used, or the platform has none.
#[derive(Debug, thiserror::Error)]
#[error("there is no usable set of root certificates")]
pub struct InvalidRoots(#[source] Option<rustls::Error>);

impl HttpTransportBuilder {
    pub(super) fn new() -> Self {
        Self {
            roots: None,
            connect_timeout: Duration::from_secs(10),
            user_agent: HeaderValue::from_static(concat!("perennial/", env!("CARGO_PKG_VERSION"))),
        }
    }

    /// Trusts this root certificate (X.509, DER) **instead of** the built-in ones. Called again: both.
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

    /// How long name look-up, connecting and TLS may take together: 10 s by default. It ends in `NotSent`, which is
    /// safe to repeat; the deadline of the request itself, if it comes first, in `TimedOut`.
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
    pub fn build(mut self) -> Result<HttpTransport, InvalidRoots> {
        let Some(given) = self.roots.take() else {
            return Ok(self.trusting_mozilla());
        };
        let mut roots = RootCertStore::empty();
        for certificate in given {
            roots.add(certificate).map_err(|error| InvalidRoots(Some(error)))?;
        }
        if roots.is_empty() {
            return Err(InvalidRoots(None));
        }
        Ok(self.trusting(roots))
    }

    pub(super) fn trusting_mozilla(self) -> HttpTransport {
        self.trusting(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }

    fn trusting(self, roots: RootCertStore) -> HttpTransport {
        // Our own provider: the process's default is the application's business.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        HttpTransport(Arc::new(Inner {
            tls: TlsConnector::from(Arc::new(config)),
            connect_timeout: self.connect_timeout,
            user_agent: self.user_agent,
        }))
    }
}
