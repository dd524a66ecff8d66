//! The settings of an HTTP transport.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

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
    pub fn build(mut self) -> Result<HttpTransport, InvalidRoots> {
        let Some(given) = self.roots.take() else {
            return Ok(self.trusting_mozilla());
        };
        // ureq leaves out in silence what it cannot read: look first.
        let mut roots = RootCertStore::empty();
        for certificate in &given {
            roots.add(certificate.clone()).map_err(|error| InvalidRoots(Some(error)))?;
        }
        if roots.is_empty() {
            return Err(InvalidRoots(None));
        }
        let given = given.iter().map(|root| Certificate::from_der(root).to_owned());
        Ok(self.trusting(RootCerts::Specific(Arc::new(given.collect()))))
    }

    pub(super) fn trusting_mozilla(self) -> HttpTransport {
        self.trusting(RootCerts::WebPki)
    }

    fn trusting(self, roots: RootCerts) -> HttpTransport {
        let tls = TlsConfig::builder()
            .root_certs(roots)
            // Our own provider: the process's default is the application's business.
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        HttpTransport(Arc::new(Inner {
            tls,
            connector: Arc::default(),
            connect_timeout: self.connect_timeout,
            user_agent: self.user_agent,
        }))
    }
}
