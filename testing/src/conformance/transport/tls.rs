//! TLS for the peer, with certificates of several kinds.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(super) use rustls::ServerConfig as Config;

/// What kind of certificate a peer shows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Certificate {
    /// One that the client trusts, for this host.
    Good,
    /// One that the client trusts, for another host.
    OtherName,
    /// One that nobody trusts.
    Untrusted,
    /// One that signs itself.
    SelfSigned,
    /// One that the client would have trusted until the year 2000.
    Expired,
}

/// Who signs the peers' certificates.
pub(super) struct Authority {
    trusted: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
    unknown: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let issuer = || {
            let mut params = rcgen::CertificateParams::default();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            rcgen::CertifiedIssuer::self_signed(params, key()).expect("a root is signed")
        };
        Self { trusted: issuer(), unknown: issuer() }
    }

    /// The certificate that clients are to trust, in DER.
    pub(super) fn root(&self) -> &[u8] {
        self.trusted.der()
    }

    pub(super) fn server(&self, certificate: Certificate) -> Arc<Config> {
        let (issuer, name) = match certificate {
            Certificate::OtherName => (&self.trusted, "other.example"),
            Certificate::Untrusted => (&self.unknown, "127.0.0.1"),
            _ => (&self.trusted, "127.0.0.1"),
        };
        let key = key();
        let mut params = rcgen::CertificateParams::new([name.to_owned()]).expect("a name is a name");
        if let Certificate::Expired = certificate {
            params.not_before = rcgen::date_time_ymd(1999, 1, 1);
            params.not_after = rcgen::date_time_ymd(2000, 1, 1);
        }
        let leaf = match certificate {
            Certificate::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, issuer),
        };
        let leaf = leaf.expect("a certificate is signed").der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![leaf], key));
        Arc::new(config.expect("TLS can be set up"))
    }
}

fn key() -> rcgen::KeyPair {
    rcgen::KeyPair::generate().expect("there is randomness")
}

pub(super) fn accept(config: &Arc<Config>, stream: TcpStream) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

/// The first half of what a server says in a handshake, once it has heard its client.
pub(super) fn half_a_handshake(config: &Arc<Config>, stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    while !connection.wants_write() {
        connection.read_tls(&mut &*stream)?;
        connection.process_new_packets().map_err(io::Error::other)?;
    }
    let mut part = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut part)?;
    }
    part.truncate(part.len() / 2);
    Ok(part)
}

/// Lets closing be a reset.
pub(super) fn reset(socket: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(socket).set_linger(Some(std::time::Duration::ZERO))
}
