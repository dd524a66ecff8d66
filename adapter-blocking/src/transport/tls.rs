//! TLS by rustls, over ureq's sockets: with whose cryptography, and whom it trusts.

use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;

use perennial_core::TransportError;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use ureq::Error;
use ureq::unversioned::transport::time::{Duration, Instant};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, LazyBuffers, NextTimeout, Transport, TransportAdapter};

/// TLS, or why there is none.
#[derive(Clone)]
pub(super) struct Tls(Result<Arc<ClientConfig>, &'static str>);

const NO_PROVIDER: &str = "https needs the cargo feature `tls-aws-lc` or `tls-ring` of perennial-blocking, or a \
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
        Self(Ok(Arc::new(config)))
    }

    /// Fails where there is none, before anybody is contacted.
    pub(super) fn check(&self) -> Result<(), TransportError> {
        self.config().map(|_| ()).map_err(TransportError::not_sent)
    }

    /// The handshake, within what is left of the time to connect.
    pub(super) fn over(
        &self,
        socket: Box<dyn Transport>,
        details: &ConnectionDetails,
    ) -> Result<Box<dyn Transport>, Error> {
        let config = self.config().map_err(Error::Tls)?;
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|error| Error::Other(error.into()))?;
        let mut session =
            ClientConnection::new(Arc::clone(config), name).map_err(|error| Error::Other(error.into()))?;
        let mut socket = TransportAdapter::new(socket, Arc::clone(&details.current_time));
        socket.set_timeout(left(details));
        session.complete_io(&mut socket)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Box::new(Secured { buffers, stream: StreamOwned::new(session, socket) }))
    }

    fn config(&self) -> Result<&Arc<ClientConfig>, &'static str> {
        self.0.as_ref().map_err(|reason| *reason)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").finish_non_exhaustive()
    }
}

/// What is left of the time to connect, now that the socket is.
fn left(details: &ConnectionDetails) -> NextTimeout {
    let mut timeout = details.timeout;
    if let (Duration::Exact(limit), Instant::Exact(begun), Instant::Exact(now)) =
        (timeout.after, details.now, (details.current_time)())
    {
        timeout.after = Duration::Exact(limit.saturating_sub(now.saturating_duration_since(begun)));
    }
    timeout
}

/// A connection whose handshake is done.
struct Secured {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for Secured {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        Ok(self.stream.write_all(&self.buffers.output()[..amount])?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured").finish_non_exhaustive()
    }
}

/// What the process installed goes first: which cryptography it uses is its own business. Nothing is installed here,
/// and rustls is never asked to choose: it panics where it finds two.
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

#[cfg(all(test, feature = "tls-aws-lc"))]
mod tests {
    use rustls::NamedGroup;

    use super::*;

    #[test]
    fn aws_lc_goes_before_ring() {
        // ring has no post-quantum key exchange.
        let provider = built_in().unwrap();
        assert!(provider.kx_groups.iter().any(|group| group.name() == NamedGroup::X25519MLKEM768));
    }
}
