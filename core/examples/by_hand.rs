//! Drives the core by hand over bare sockets: no adapter, no runtime, no HTTP client.
//!
//! ```sh
//! cargo run -p perennial-core --example by_hand
//! ```
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the part that does the I/O")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use perennial_core::providers::navien::{Login, Navien};
use perennial_core::{Input, LeaseId, Now, Output, Policy, Session, Timestamp, TransportSecurity};
use perennial_emulator::{Emulator, NavienSettings};
use rustls::{ClientConfig, RootCertStore};

#[path = "by_hand/http.rs"]
mod http;

fn main() -> Result<(), Box<dyn Error>> {
    let service = Emulator::builder().start()?;
    let provider = Navien::new(&service.navien_url())?;
    let login = Login::new(NavienSettings::EMAIL, NavienSettings::PASSWORD)?;
    let start = Instant::now();
    let now = || Now::new(Timestamp::from(time::OffsetDateTime::from(SystemTime::now())), start.elapsed());

    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let http = http::Http::new(Arc::new(tls), Duration::from_secs(10));
    let security = TransportSecurity::new(); // the rules of sending, which stand in front of any transport

    let mut session = Session::new(provider, login, Policy::default(), 1);
    session.demand(LeaseId::Access, now());
    let wake = loop {
        match session.poll_output() {
            Output::Send(request) => {
                let id = request.id;
                match security.guard(request, |request| http.send(&request)) {
                    Ok(response) => session.handle_input(Input::Response(id, response), now()),
                    Err(failure) => session.handle_input(Input::Failed(id, failure), now()),
                }
            }
            Output::Cancel(_) => {} // `send` is over before anything could be cancelled
            Output::Store(op) => unreachable!("{op:?}: this session has no store"),
            Output::Event(event) => println!("{event}"),
            Output::Sleep(wake) => break wake,
        }
    };
    let credentials = session.credentials(LeaseId::Access, now()).ok_or("the service granted nothing")?;
    println!("signed in as {}; asleep until {wake:?}", credentials.account().name);
    Ok(())
}
