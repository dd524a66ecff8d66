//! `azure_identity`: a `ClientSecretCredential`, asked with one scope as the clients of the Azure SDK do.
//!
//! It insists on https and a host of Microsoft's: the request that it makes goes to the endpoint through a transport of
//! ours, which the SDK lets one set (`ClientOptions::transport`). Its retries are its own.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::{AccessToken, Secret, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, ClientOptions, HttpClient, Request, Transport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};

use crate::endpoint::Endpoint;
use crate::peer::{Denied, Peer};
use crate::post::post;

const TENANT: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Clone)]
pub(crate) struct Azure(Arc<ClientSecretCredential>);

#[derive(Debug)]
struct ToEndpoint {
    url: String,
}

#[async_trait::async_trait]
impl HttpClient for ToEndpoint {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let Body::Bytes(body) = request.body().clone() else {
            return Err(azure_core::Error::with_message(ErrorKind::Io, "a body that is a stream"));
        };
        let answer = post(&self.url, body).await.map_err(|error| azure_core::Error::new(ErrorKind::Io, error))?;
        let status = answer.status().as_u16().into();
        Ok(AsyncRawResponse::from_bytes(status, Headers::new(), answer.into_body()))
    }
}

impl Peer for Azure {
    const NAME: &'static str = "azure";
    const PACKAGE: Option<&'static str> = Some("azure_identity");
    // Renewed 300 seconds before the end.
    const IN_WINDOW: Duration = Duration::from_secs(120);
    type Token = AccessToken;

    async fn sign_in(endpoint: &Endpoint) -> Self {
        let transport = Transport::new(Arc::new(ToEndpoint { url: endpoint.token_url() }));
        let client_options = ClientOptions { transport: Some(transport), ..ClientOptions::default() };
        let options = ClientSecretCredentialOptions { client_options };
        let credential = ClientSecretCredential::new(TENANT, "peer".into(), Secret::new("s"), Some(options));
        let peer = Self(credential.expect("a valid client"));
        assert!(peer.ask().await.is_ok(), "the endpoint grants");
        peer
    }

    async fn ask(&self) -> Result<AccessToken, Denied> {
        self.0.get_token(&["https://example.com/.default"], None).await.map_err(|_| Denied)
    }
}
