//! Keeps a session over `reqwest`: a transport of somebody else's. It is shared with the sessions, and never closed
//! by them.
//!
//! ```sh
//! cargo run -p perennial-tests --example over_reqwest
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use perennial_core::providers::navien::{Login, Navien};
use perennial_core::{LeaseId, SignOut};
use perennial_emulator::{Emulator, NavienSettings};
use perennial_hyper::{Connector, SessionBuilder};
use rustls::{ClientConfig, RootCertStore};

#[path = "over_reqwest/transport.rs"]
mod transport;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = Emulator::builder().start()?;
    let login = Login::new(NavienSettings::EMAIL, NavienSettings::PASSWORD)?;

    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let http = transport::Reqwest::new(tls, Duration::from_secs(10))?;

    let setup =
        SessionBuilder::new(Navien::new(&service.navien_url())?).login(login).on_event(|event| println!("{event}"));
    let session = Connector::over(http).connect(setup).await?;

    println!("signed in as {}", session.account().unwrap_or_default().name);
    session.renew(LeaseId::Access).await?;
    session.sign_out(SignOut::ForgetLogin).await?;
    Ok(())
}
