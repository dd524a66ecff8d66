//! `google-cloud-auth`: credentials of a user account, which renews by a refresh token; the endpoint by
//! `with_token_uri`, over the HTTP client of its own, asked by `access_token`.
//!
//! It renews in a task, 240 seconds before the end; a token that lives less than that is renewed 10 seconds after it
//! came, whether or not it is valid until then.

use std::time::Duration;

use google_cloud_auth::credentials::user_account::Builder;
use google_cloud_auth::credentials::{AccessToken, AccessTokenCredentials};
use serde_json::json;

use crate::endpoint::Endpoint;
use crate::peer::{Denied, Peer};

#[derive(Clone)]
pub(crate) struct Google(AccessTokenCredentials);

impl Peer for Google {
    const NAME: &'static str = "google";
    const PACKAGE: Option<&'static str> = Some("google-cloud-auth");
    const IN_WINDOW: Duration = Duration::from_secs(30);
    const WINDOW_OPENS_WITHIN: Duration = Duration::from_secs(11);
    type Token = AccessToken;

    async fn sign_in(endpoint: &Endpoint) -> Self {
        let account = json!({"client_id": "peer", "client_secret": "s", "refresh_token": "r-1",
            "type": "authorized_user"});
        let credentials = Builder::new(account).with_token_uri(endpoint.token_url()).build_access_token_credentials();
        let peer = Self(credentials.expect("a valid account"));
        assert!(peer.ask().await.is_ok(), "the endpoint grants");
        peer
    }

    async fn ask(&self) -> Result<AccessToken, Denied> {
        self.0.access_token().await.map_err(|_| Denied)
    }
}
