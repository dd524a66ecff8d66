//! TLS by rustls: with whose cryptography, and whom it trusts.

use std::io;
use std::sync::Arc;

use perennial_core::TransportError;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// TLS, or why there is none.
pub(super) struct Tls(Result<TlsConnector, &'static str>);

const NO_PROVIDER: &str = "https needs the cargo feature `tls-aws-lc` or `tls-ring` of perennial-hyper, or a \
    CryptoProvider that the process installed before this transport was built";
const NO_SUITES: &str = "the CryptoProvider that the process installed is not for TLS 1.2 and 1.3";

impl Tls {
    pub(super) fn trusting_mozilla() -> Self {
        Self::trusting(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }

    pub(super) fn trusting(roots: RootCertStore) -> Self {
        let Some(provider) = provider() else { return Self(Err(NO_PROVIDER)) };
        match ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions() {
            Ok(builder) => Self::with(builder.with_root_certificates(roots).with_no_client_auth()),
            Err(_) => Self(Err(NO_SUITES)),
        }
    }

    pub(super) fn with(mut config: ClientConfig) -> Self {
        config.alpn_protocols.retain(|protocol| protocol == b"http/1.1");
        Self(Ok(TlsConnector::from(Arc::new(config))))
    }

    /// Fails where there is none, before anybody is contacted.
    pub(super) fn check(&self) -> Result<(), TransportError> {
        self.connector().map(|_| ()).map_err(TransportError::not_sent)
    }

    pub(super) async fn over(&self, stream: TcpStream, host: &str) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        self.connector().map_err(io::Error::other)?.connect(name, stream).await
    }

    fn connector(&self) -> Result<&TlsConnector, &'static str> {
        self.0.as_ref().map_err(|reason| *reason)
    }
}

/// What the process installed goes first: which cryptography it uses is its own business. Nothing is installed here,
/// and rustls is never asked to choose: it panics where it finds two.
fn provider() -> Option<Arc<CryptoProvider>> {
    CryptoProvider::get_default().cloned().or_else(built_in)
}

#[cfg(feature = "tls-aws-lc")]
fn built_in() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider()))
}

#[cfg(all(feature = "tls-ring", not(feature = "tls-aws-lc")))]
fn built_in() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(tokio_rustls::rustls::crypto::ring::default_provider()))
}

#[cfg(not(any(feature = "tls-aws-lc", feature = "tls-ring")))]
fn built_in() -> Option<Arc<CryptoProvider>> {
    None
}

#[cfg(all(test, feature = "tls-aws-lc"))]
mod tests {
    use tokio_rustls::rustls::NamedGroup;

    use super::*;

    #[test]
    fn aws_lc_goes_before_ring() {
        // ring has no post-quantum key exchange.
        let provider = built_in().unwrap();
        assert!(provider.kx_groups.iter().any(|group| group.name() == NamedGroup::X25519MLKEM768));
    }
}
