//! Encryption on the way to Redis.

use std::io;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, Error, RootCertStore};

use crate::InvalidSettings;

/// Trusts these root certificates; Mozilla's where there are none.
pub(crate) fn config(roots: &[Vec<u8>]) -> Result<Arc<ClientConfig>, InvalidSettings> {
    let mut trusted = RootCertStore::empty();
    for root in roots {
        trusted.add(CertificateDer::from(root.as_slice())).map_err(|_| InvalidSettings::Root)?;
    }
    if roots.is_empty() {
        trusted.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    // Our own provider: the process's default is the application's business.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| InvalidSettings::Root)?;
    Ok(Arc::new(config.with_root_certificates(trusted).with_no_client_auth()))
}

/// Whether the server's certificate was refused.
pub(crate) fn is_mistrust(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    matches!(cause, Some(Error::InvalidCertificate(_)))
}
