//! One request over hyper, for the peers that bring no HTTP client of their own. A connection for each, as they do.

use std::error::Error;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What a client says of itself.
pub(crate) const CLIENT_CREDENTIALS: &str = "grant_type=client_credentials&client_id=peer&client_secret=s";

/// Asks, and returns status and body.
pub(crate) async fn post(
    url: &str,
    body: impl Into<Bytes>,
) -> Result<http::Response<Bytes>, Box<dyn Error + Send + Sync>> {
    let uri: http::Uri = url.parse()?;
    let authority = uri.authority().ok_or("an address without a host")?.as_str();
    let request = http::Request::post(uri.path())
        .header(HOST, authority)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(body.into()))?;
    let (mut sender, connection) = handshake(TokioIo::new(TcpStream::connect(authority).await?)).await?;
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    Ok(http::Response::from_parts(parts, body.collect().await?.to_bytes()))
}

/// A token with its lifetime, as a client would take it out of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    /// The access token.
    pub(crate) token: String,
    /// How long it lives.
    pub(crate) lifetime: std::time::Duration,
}

/// Asks for a token. Everything but a token is an error.
pub(crate) async fn ask_for_token(url: &str) -> Result<Granted, Box<dyn Error + Send + Sync>> {
    let answer = post(url, CLIENT_CREDENTIALS).await?;
    if !answer.status().is_success() {
        return Err(answer.status().to_string().into());
    }
    let body: serde_json::Value = serde_json::from_slice(answer.body())?;
    let token = body["access_token"].as_str().ok_or("an answer without a token")?.to_owned();
    let lifetime = body["expires_in"].as_u64().ok_or("an answer without a lifetime")?;
    Ok(Granted { token, lifetime: std::time::Duration::from_secs(lifetime) })
}
