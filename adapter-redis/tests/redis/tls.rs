//! On an encrypted way.

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
    // OpenSSL takes a certificate that is called like its issuer for one that signs itself.
    params.distinguished_name.push(DnType::CommonName, "Perennial's tests");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate for 127.0.0.1, and its encrypted port.
fn encrypted(authority: &Issuer) -> Option<(RedisServer, Port)> {
    encrypted_for(authority, Clients::All)
}

/// Whom an encrypted server lets in.
#[derive(Clone, Copy)]
enum Clients {
    All,
    Certified,
}

fn encrypted_for(authority: &Issuer, clients: Clients) -> Option<(RedisServer, Port)> {
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
    let port = Port::of_ours();
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
            Clients::Certified => "yes",
        },
    ]);
    fs::remove_dir_all(&directory).unwrap();
    Some((server?, port))
}

fn trusting(port: u16, authority: &Issuer) -> RedisStore {
    let builder = RedisStore::builder(&format!("rediss://127.0.0.1:{port}"), "navien:home");
    builder.root_certificate_der(authority.der().to_vec()).build().unwrap()
}

#[test]
fn all_works_as_in_the_clear() {
    let authority = authority();
    let Some((server, port)) = encrypted(&authority) else { return };
    let store = trusting(port.number(), &authority);
    let (told, heard) = std::sync::mpsc::channel();
    let _watch = store.watch(Arc::new(move || {
        let _ = told.send(());
    }));
    heard.recv_timeout(LONG).expect("it listens");
    let large = Body::from(vec![7; 1 << 20]);
    lock(&store).write(&large, LONG).unwrap();
    heard.recv_timeout(LONG).expect("it hears");
    assert!(store.read(LONG).unwrap().unwrap().as_ref() == large.as_ref());
    write(&self::store(&server), "from the other side");
    assert_eq!(saved(&store).as_deref(), Some("from the other side"));
    server.freeze();
    soon(|| fails(store.read(SHORT), StoreErrorKind::Unavailable));
    server.thaw();
    assert_eq!(saved(&store).as_deref(), Some("from the other side"));
}

#[test]
fn a_server_that_is_not_trusted_is_told_nothing() {
    let (ours, other) = (authority(), authority());
    let Some((_server, port)) = encrypted(&ours) else { return };
    let by_default = RedisStore::new(&format!("rediss://127.0.0.1:{}", port.number()), "navien:home").unwrap();
    for store in [trusting(port.number(), &other), by_default] {
        let shown = soon(|| fails(store.lock(LONG, LEASE), StoreErrorKind::Unusable));
        assert!(shown.contains("invalid peer certificate"), "{shown}");
    }
}

#[test]
fn a_tls_config_of_ones_own_is_taken() {
    let authority = authority();
    let Some((_server, port)) = encrypted_for(&authority, Clients::Certified) else { return };
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
    write(&certified, "from one that is known");
    assert_eq!(saved(&certified).as_deref(), Some("from one that is known"));
    soon(|| fails(trusting(port.number(), &authority).read(SHORT), StoreErrorKind::Unavailable));
}

#[test]
fn both_sides_have_to_encrypt() {
    let authority = authority();
    let Some((server, port)) = encrypted(&authority) else { return };
    soon(|| fails(trusting(server.port(), &authority).read(SHORT), StoreErrorKind::Unavailable));
    let clear = RedisStore::new(&format!("redis://127.0.0.1:{}", port.number()), "navien:home").unwrap();
    soon(|| fails(clear.read(SHORT), StoreErrorKind::Unavailable));
}
