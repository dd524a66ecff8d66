//! What it installs as the process's default is what Perennial takes, too.

use neighbours::{Identity, Service, Transports, own_request, shown};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, ClientConfig, ServerConfig};

const ONE: CipherSuite = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;

fn main() {
    let identity = Identity::new();
    for answer in Transports::trusting(&identity.root).get(1) {
        let refusal = shown(&answer.expect_err("there is no cryptography yet"));
        assert!(refusal.contains("`tls-ring`") && refusal.contains("CryptoProvider"), "{refusal}");
    }

    // Recognised by its only cipher suite: nobody's first choice.
    let mut own = ring::default_provider();
    own.cipher_suites.retain(|suite| suite.suite() == ONE);
    own.install_default().unwrap();
    // The service would take any.
    let server = ServerConfig::builder_with_provider(ring::default_provider().into());
    let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let server = server.with_single_cert(vec![identity.leaf.clone()], identity.key()).unwrap();
    let client = ClientConfig::builder().with_root_certificates(identity.roots()).with_no_client_auth();

    let service = Service::start(server);
    own_request(client, &service);
    Transports::trusting(&identity.root).reach(&service, &identity.root);
    assert_eq!(service.suites(), [ONE; 4]);
    assert_eq!(CryptoProvider::get_default().unwrap().cipher_suites.len(), 1);
}
