//! A service with TLS on loopback, and Perennial's three ways to it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use perennial_core::store::Store;
use perennial_core::wire::Body;
use perennial_core::{Request, Response, TransportError};
use perennial_redis::RedisStore;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{CipherSuite, ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

const LONG: Duration = Duration::from_secs(60);

/// A certificate for 127.0.0.1, and the root that signed it.
pub struct Identity {
    pub root: CertificateDer<'static>,
    pub leaf: CertificateDer<'static>,
    key: KeyPair,
}

impl Identity {
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &root).unwrap();
        Self { root: root.der().clone(), leaf: leaf.der().clone(), key }
    }

    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        roots
    }
}

/// Answers HTTP and what Redis is asked, and tells the cipher suite of each connection.
pub struct Service {
    pub port: u16,
    suites: Receiver<CipherSuite>,
}

impl Service {
    pub fn start(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, suites) = channel();
        let config = Arc::new(config);
        thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), Arc::clone(&config), &tell);
            }
        });
        Self { port, suites }
    }

    /// Of the connections since it was asked last.
    pub fn suites(&self) -> Vec<CipherSuite> {
        self.suites.try_iter().collect()
    }
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>, tell: &Sender<CipherSuite>) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut heard = Vec::new();
    let mut piece = [0; 1024];
    while !heard.starts_with(b"*") && !heard.ends_with(b"\r\n\r\n") {
        let Ok(amount @ 1..) = stream.read(&mut piece) else { return };
        heard.extend_from_slice(&piece[..amount]);
    }
    tell.send(stream.conn.negotiated_cipher_suite().unwrap().suite()).unwrap();
    let words: &[u8] = match heard.starts_with(b"*") {
        true => b"-LOADING not yet\r\n",
        false => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
    };
    stream.write_all(words).unwrap();
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

/// The program's own client.
pub fn own_request(config: ClientConfig, service: &Service) {
    let connection = ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", service.port)).unwrap());
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert!(heard.ends_with("hi"), "{heard}");
}

/// Perennial's transports.
pub struct Transports {
    tasks: perennial_hyper::HttpTransport,
    threads: perennial_blocking::HttpTransport,
}

impl Transports {
    pub fn trusting(root: &CertificateDer<'_>) -> Self {
        Self {
            tasks: perennial_hyper::HttpTransport::builder().root_certificate_der(root.to_vec()).build().unwrap(),
            threads: perennial_blocking::HttpTransport::builder().root_certificate_der(root.to_vec()).build().unwrap(),
        }
    }

    /// What each of them gets from this port.
    pub fn get(&self, port: u16) -> [Result<Response, TransportError>; 2] {
        let request = || {
            let http = http::Request::get(format!("https://127.0.0.1:{port}/")).body(Body::empty()).unwrap();
            Request::new(http)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        [
            runtime.block_on(perennial_hyper::Transport::send(&self.tasks, request())),
            perennial_blocking::Transport::send(&self.threads, request()),
        ]
    }

    /// All three reach the service over TLS.
    pub fn reach(&self, service: &Service, root: &CertificateDer<'_>) {
        for answer in self.get(service.port) {
            assert_eq!(answer.expect("it answers").status(), 200);
        }
        let store = RedisStore::builder(&format!("rediss://127.0.0.1:{}", service.port), "key");
        let store = store.root_certificate_der(root.to_vec()).build().expect("rediss:// is possible");
        let refusal = shown(&store.read(LONG).expect_err("it is not ready"));
        assert!(refusal.contains("LOADING"), "{refusal}");
    }
}

/// An error with its sources.
pub fn shown(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}
