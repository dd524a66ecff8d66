//! Keeps a session over `reqwest`: a transport of somebody else's. It is shared with the sessions, and never closed
//! by them.
//!
//! ```sh
//! cargo run -p perennial-tests --example over_reqwest
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use perennial_core::providers::navien::{Login, Navien};
use perennial_core::{Judgement, LeaseId, SignOut};
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
    let http = transport::Reqwest::new(tls.clone(), Duration::from_secs(10))?;

    let setup =
        SessionBuilder::new(Navien::new(&service.navien_url())?).login(login).on_event(|event| println!("{event}"));
    let session = Connector::over(http).connect(setup).await?;

    println!("signed in as {}", session.account().unwrap_or_default().name);

    // Calls of the service's API by another client, whose requests are its own: it takes the headers.
    let api = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls).build()?;
    let uri: Uri = format!("{}/device/list", service.navien_url()).parse()?;
    let call = async |headers| {
        let query = serde_json::json!({ "offset": 0, "count": 20, "userId": NavienSettings::EMAIL });
        api.post(uri.to_string()).headers(headers).body(query.to_string()).send().await
    };
    let mut headers = HeaderMap::new();
    let credentials = session.authorize(&Method::POST, &uri, &mut headers).await?;
    let mut answer = call(headers.clone()).await?;
    if session.judge(&Method::POST, &uri, answer.status(), answer.headers()) == Judgement::Rejected {
        session.rejected(LeaseId::Access, &credentials);
        session.authorize(&Method::POST, &uri, &mut headers).await?;
        answer = call(headers).await?;
    }
    println!("the API answers {}", answer.status());

    session.renew(LeaseId::Access).await?;
    session.sign_out(SignOut::ForgetLogin).await?;
    Ok(())
}
