//! A person signs in: in a browser on this machine (RFC 8252), or elsewhere with a code to type (RFC 8628).

use std::error::Error;

use perennial_adapter::{Clock, SystemClock};
use perennial_core::oauth2::{AuthorizationRequest, ClientAuth, Discovery, Profile};
use perennial_core::providers::oauth2::OAuth2;
use perennial_core::{Grant, Now};
use perennial_hyper::{Connector, SessionBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::args::Args;
use crate::live;
use crate::screen::Screen;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

pub(crate) async fn run(args: Args) -> Outcome {
    let screen = Screen::new(args.json);
    let (issuer, client_id) = args.issuer.as_deref().zip(args.client_id.as_deref()).ok_or("no issuer")?;
    let client = Connector::new();
    let metadata = client.run(Discovery::new(issuer)?).await?;
    let profile = metadata.profile(client_id, ClientAuth::None)?;
    let grant = if args.device {
        by_device(&screen, &client, &profile, &args.scopes).await?
    } else {
        by_browser(&screen, &client, &profile, &args.scopes).await?
    };
    live::keep(screen, SessionBuilder::new(OAuth2::new(profile)), Some(grant), &args).await
}

async fn by_device(screen: &Screen, client: &Connector, profile: &Profile, scopes: &[String]) -> Outcome<Grant> {
    let request = profile.device(scopes).ok_or("this server has no device authorization")?;
    let device = client.run(request).await?;
    screen.say(&format!("open {} and type {}", device.verification_uri(), device.user_code()));
    Ok(client.poll(device.poll()).await?)
}

/// Listens on a free port of this machine, sends the person away and waits until the browser comes back.
async fn by_browser(screen: &Screen, client: &Connector, profile: &Profile, scopes: &[String]) -> Outcome<Grant> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let wanted = AuthorizationRequest::new(format!("http://127.0.0.1:{}/callback", listener.local_addr()?.port()))
        .scopes(scopes);
    let authorization = profile.authorize(entropy()?, &wanted, now())?;
    screen.say(&format!("open this address in a browser: {}", authorization.url()));
    let pending = authorization.into_pending();
    loop {
        let (mut browser, _) = listener.accept().await?;
        let mut head = vec![0; 16 * 1024];
        let length = browser.read(&mut head).await?;
        let target = std::str::from_utf8(&head[..length]).ok().and_then(|text| text.split(' ').nth(1));
        // Browsers ask for icons too, and anybody on this machine may knock.
        let Some(target) = target.filter(|target| pending.matches(target)) else {
            answer(&mut browser, "404 Not Found", "Nothing is here.").await;
            continue;
        };
        answer(&mut browser, "200 OK", "Signed in. You can close this page.").await;
        return Ok(client.run(pending.exchange_code(target, now())?).await?);
    }
}

/// The browser may be gone already: that is no reason to fail.
async fn answer(browser: &mut tokio::net::TcpStream, status: &str, text: &str) {
    let page = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    let _ = browser.write_all(page.as_bytes()).await;
}

pub(crate) fn now() -> Now {
    SystemClock.now()
}

pub(crate) fn entropy() -> Outcome<[u8; 96]> {
    let mut bytes = [0; 96];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
