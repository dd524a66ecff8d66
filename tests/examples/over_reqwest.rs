//! Keeps a session over `reqwest`: a transport of somebody else's. It is shared with the sessions, and never closed
//! by them.
//!
//! ```sh
//! cargo run -p perennial-tests --example over_reqwest
//! ```

use std::error::Error;
use std::pin::Pin;

use perennial_core::providers::navien::{Login, Navien};
use perennial_core::wire::{BodyBuffer, BodyTooLarge};
use perennial_core::{Need, Request, Response, TransportError, TransportErrorKind};
use perennial_emulator::{Emulator, NavienSettings};
use perennial_hyper::{Client, Setup, Transport};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = Emulator::builder().start()?;
    let login = Login::new(NavienSettings::EMAIL, NavienSettings::PASSWORD)?;

    // No redirects: a password would follow them. No idle connections: only a fresh one can prove `NotSent`.
    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0).build()?;
    let setup = Setup::new(Navien::new(&service.navien_url())?).login(login).on_event(|event| println!("{event}"));
    let session = Client::over(Reqwest(http)).connect(setup).await?;

    println!("signed in as {}", session.account().unwrap_or_default().full_name());
    session.renew(Need::Access).await?;
    session.sign_out().await?;
    Ok(())
}

struct Reqwest(reqwest::Client);

impl Transport for Reqwest {
    fn send(&self, request: Request) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send>> {
        Box::pin(carry_out(self.0.clone(), request))
    }
}

async fn carry_out(http: reqwest::Client, request: Request) -> Result<Response, TransportError> {
    let (head, body) = request.http.into_parts();
    let call = http.request(head.method, head.uri.to_string()).headers(head.headers).body(body.bytes());
    let mut answer = call.timeout(request.timeout).send().await.map_err(failure)?;

    let mut buffer = BodyBuffer::new(request.body_cap);
    let too_large = |_: BodyTooLarge| TransportError::new(TransportErrorKind::TooLarge);
    while let Some(chunk) = answer.chunk().await.map_err(failure)? {
        buffer.push(&chunk).map_err(too_large)?;
    }
    let mut response = Response::new(buffer.finish());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

/// `NotSent` only where it is sure: what fails to connect has sent nothing. URLs are left out: they may hold secrets.
fn failure(error: reqwest::Error) -> TransportError {
    let kind = match () {
        () if error.is_connect() => TransportErrorKind::NotSent,
        () if error.is_timeout() => TransportErrorKind::TimedOut,
        () => TransportErrorKind::MaybeSent,
    };
    TransportError::new(kind).with_source(error.without_url())
}
