//! On the defaults of rustls, and of Perennial.

use neighbours::{Identity, Service, Transports, own_request};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ServerConfig};

fn main() {
    let identity = Identity::new();
    let transports = Transports::trusting(&identity.root);
    assert!(CryptoProvider::get_default().is_none(), "whose cryptography the process uses is its own business");

    // What the program does itself. rustls chooses here, and panics where it finds two providers.
    let server = ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(vec![identity.leaf.clone()], identity.key()).unwrap();
    let client = ClientConfig::builder().with_root_certificates(identity.roots()).with_no_client_auth();

    let service = Service::start(server);
    own_request(client, &service);
    transports.reach(&service, &identity.root);
}
