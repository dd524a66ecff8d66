//! The store over TLS.

use std::fs;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, RootCertStore};

use super::*;
use crate::server::{Port, own_directory};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL takes a certificate with the same name as its issuer for a self-signed one.
    params.distinguished_name.push(DnType::CommonName, "Perennial's tests");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate for 127.0.0.1, and its TLS port.
fn tls_server(authority: &Issuer) -> Option<(RedisServer, Port)> {
    tls_server_for(authority, Clients::All)
}

/// Which clients the server lets in.
#[derive(Clone, Copy)]
enum Clients {
    All,
    WithCertificate,
}

fn tls_server_for(authority: &Issuer, clients: Clients) -> Option<(RedisServer, Port)> {
    let directory = own_directory("perennial-redis-tls");
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let file = |name: &str, text: String| {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = file("certificate.pem", certificate.pem());
    let key = file("key.pem", key.serialize_pem());
    let root = file("root.pem", authority.pem());
    let port = Port::reserve();
    let server = RedisServer::for_test(&[
        "--tls-port",
        &port.number().to_string(),
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &root,
        "--tls-auth-clients",
        match clients {
            Clients::All => "no",
            Clients::WithCertificate => "yes",
        },
    ]);
    fs::remove_dir_all(&directory).unwrap();
    Some((server?, port))
}

fn tls_store(port: u16, authority: &Issuer) -> RedisStore {
    let builder = RedisStore::builder(&format!("rediss://127.0.0.1:{port}"), "navien:home");
    builder.root_certificate_der(authority.der().to_vec()).build().unwrap()
}

#[test]
fn reading_writing_and_watching_work_over_tls() {
    let authority = authority();
    let Some((server, port)) = tls_server(&authority) else { return };
    let store = tls_store(port.number(), &authority);
    let (sender, changes) = std::sync::mpsc::channel();
    let _watch = store.watch(Arc::new(move || {
        let _ = sender.send(());
    }));
    changes.recv_timeout(LONG).expect("it subscribes");
    let large = Body::from(vec![7; 1 << 20]);
    lock(&store).write(&large, LONG).unwrap();
    changes.recv_timeout(LONG).expect("it reports the write");
    assert!(store.read(LONG).unwrap().unwrap().as_ref() == large.as_ref());
    write(&self::store(&server), "without TLS");
    assert_eq!(saved(&store).as_deref(), Some("without TLS"));
    server.freeze();
    in_time(|| expect_error(store.read(SHORT), StoreErrorKind::Unavailable));
    server.thaw();
    assert_eq!(saved(&store).as_deref(), Some("without TLS"));
}

#[test]
fn a_server_with_an_untrusted_certificate_is_unusable() {
    let (ours, other) = (authority(), authority());
    let Some((_server, port)) = tls_server(&ours) else { return };
    let by_default = RedisStore::new(&format!("rediss://127.0.0.1:{}", port.number()), "navien:home").unwrap();
    for store in [tls_store(port.number(), &other), by_default] {
        let shown = in_time(|| expect_error(store.lock(LONG, TTL), StoreErrorKind::Unusable));
        assert!(shown.contains("invalid peer certificate"), "{shown}");
    }
}

#[test]
fn a_tls_config_of_ones_own_is_taken() {
    let authority = authority();
    let Some((_server, port)) = tls_server_for(&authority, Clients::WithCertificate) else { return };
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(["client.example".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let builder = RedisStore::builder(&format!("rediss://127.0.0.1:{}", port.number()), "navien:home");
    let certified = builder.tls_config(config).build().unwrap();
    write(&certified, "with a client certificate");
    assert_eq!(saved(&certified).as_deref(), Some("with a client certificate"));
    in_time(|| expect_error(tls_store(port.number(), &authority).read(SHORT), StoreErrorKind::Unavailable));
}

#[test]
fn plaintext_to_a_tls_port_and_tls_to_a_plaintext_port_fail() {
    let authority = authority();
    let Some((server, port)) = tls_server(&authority) else { return };
    in_time(|| expect_error(tls_store(server.port(), &authority).read(SHORT), StoreErrorKind::Unavailable));
    let clear = RedisStore::new(&format!("redis://127.0.0.1:{}", port.number()), "navien:home").unwrap();
    in_time(|| expect_error(clear.read(SHORT), StoreErrorKind::Unavailable));
}
