//! TLS settings that a caller brings: a service that wants to know its clients, and would rather speak HTTP/2.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use perennial_core::wire::Body;
use perennial_core::{Request, Response, TransportError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::client::WantsClientCert;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// The certificate and the root of the given settings are used; of their protocols the one that is spoken here.
pub(crate) fn a_tls_config_of_ones_own_is_taken(
    send: impl Fn(ClientConfig, Request) -> Result<Response, TransportError>,
) {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(authority.server());
    let service = thread::spawn(move || {
        for _ in 0..2 {
            answer(listener.accept().unwrap().0, Arc::clone(&config));
        }
    });
    let request = || Request::new(http::Request::get(format!("https://{address}/")).body(Body::empty()).unwrap());

    let answer = send(authority.known_client(), request()).expect("the service knows this client");
    assert_eq!(answer.into_body().as_ref(), b"http/1.1");
    assert!(send(authority.unknown_client(), request()).is_err(), "it knows no other");
    service.join().unwrap();
}

/// Says which protocol was agreed upon.
fn answer(stream: TcpStream, config: Arc<ServerConfig>) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let Ok(1) = stream.read(&mut byte) else { return };
        head.extend(byte);
    }
    let protocol = stream.conn.alpn_protocol().unwrap_or(b"none").to_vec();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", protocol.len()).unwrap();
    stream.write_all(&protocol).unwrap();
    stream.flush().unwrap();
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    fn leaf(&self, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (vec![leaf.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }

    fn server(&self) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots().into(), Arc::clone(&provider));
        let (chain, key) = self.leaf("127.0.0.1");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    fn known_client(&self) -> ClientConfig {
        let (chain, key) = self.leaf("client.example");
        offering_both(self.client().with_client_auth_cert(chain, key).unwrap())
    }

    fn unknown_client(&self) -> ClientConfig {
        offering_both(self.client().with_no_client_auth())
    }

    fn client(&self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots())
    }
}

fn offering_both(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
