//! TLS to Redis by rustls: which cryptography it uses, and which root certificates it trusts.

use std::io;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, Error, RootCertStore};

use crate::invalid_settings::InvalidSettings;

/// The configuration that trusts these root certificates (X.509 in DER), or Mozilla's if none are given.
pub(crate) fn client_config(roots: &[Vec<u8>]) -> Result<Arc<ClientConfig>, InvalidSettings> {
    let mut trusted = RootCertStore::empty();
    for root in roots {
        trusted.add(CertificateDer::from(root.as_slice())).map_err(|_| InvalidSettings::Root)?;
    }
    if roots.is_empty() {
        trusted.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let config = ClientConfig::builder_with_provider(provider().ok_or(InvalidSettings::NoTls)?)
        .with_safe_default_protocol_versions()
        .map_err(|_| InvalidSettings::NoTls)?;
    Ok(Arc::new(config.with_root_certificates(trusted).with_no_client_auth()))
}

/// The process's default provider if it has installed one, else the one that the cargo features select. This crate
/// installs none, since that is for the program to decide; and it does not let rustls choose, which panics where two are
/// compiled in.
fn provider() -> Option<Arc<CryptoProvider>> {
    CryptoProvider::get_default().cloned().or_else(built_in)
}

#[cfg(feature = "tls-aws-lc")]
fn built_in() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
}

#[cfg(all(feature = "tls-ring", not(feature = "tls-aws-lc")))]
fn built_in() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(rustls::crypto::ring::default_provider()))
}

#[cfg(not(any(feature = "tls-aws-lc", feature = "tls-ring")))]
fn built_in() -> Option<Arc<CryptoProvider>> {
    None
}

/// Whether rustls refused the server's certificate.
pub(crate) fn is_certificate_error(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    matches!(cause, Some(Error::InvalidCertificate(_)))
}

#[cfg(all(test, feature = "tls-aws-lc"))]
mod tests {
    use rustls::NamedGroup;

    use super::*;

    #[test]
    fn aws_lc_goes_before_ring() {
        // Of the two only aws-lc-rs has this post-quantum key exchange.
        let provider = built_in().unwrap();
        assert!(provider.kx_groups.iter().any(|group| group.name() == NamedGroup::X25519MLKEM768));
    }
}
