//! `perennial-hyper`, at any OAuth 2 server: the endpoint by its address, the client's own credentials as the login.
//! All by default, but that the session is lazy where a section needs a token that has run out: else it is renewed
//! ahead of time, and nobody ever finds it expired.

use std::time::Duration;

use perennial_adapter::CredentialsRef;
use perennial_core::oauth2::{ClientAuth, Profile};
use perennial_core::providers::oauth2::{Login, OAuth2};
use perennial_core::{Policy, Secret};
use perennial_hyper::{Connector, Session, SessionBuilder};

use crate::endpoint::Endpoint;
use crate::peer::{Denied, Peer};

#[derive(Clone)]
pub(crate) struct PerennialHyper(Session<OAuth2>);

impl PerennialHyper {
    async fn connect(setup: SessionBuilder<OAuth2>) -> Self {
        Self(Connector::new().connect(setup).await.expect("the endpoint grants"))
    }
}

/// A session at the endpoint.
pub(super) fn setup(endpoint: &Endpoint) -> SessionBuilder<OAuth2> {
    let profile = Profile::new(&endpoint.token_url(), "peer").expect("an address on loopback");
    let profile = profile.with_client_auth(ClientAuth::SecretPost(Secret::from("s")));
    SessionBuilder::new(OAuth2::new(profile)).login(Login::client_credentials())
}

impl Peer for PerennialHyper {
    const NAME: &'static str = "**perennial-hyper**";
    const PACKAGE: Option<&'static str> = Some("perennial-hyper");
    // The margin is at most a quarter of a lifetime.
    const IN_WINDOW: Duration = Duration::from_secs(8);
    const WINDOW_OPENS_WITHIN: Duration = Duration::from_secs(7);
    type Token = CredentialsRef;

    async fn sign_in(endpoint: &Endpoint) -> Self {
        Self::connect(setup(endpoint)).await
    }

    async fn sign_in_to_expire(endpoint: &Endpoint) -> Self {
        Self::connect(setup(endpoint).policy(Policy::default().on_demand())).await
    }

    async fn ask(&self) -> Result<CredentialsRef, Denied> {
        self.0.credentials().await.map_err(|_| Denied)
    }

    async fn sign_in_again(&self) -> Option<bool> {
        Some(self.0.sign_in(Login::client_credentials()).await.is_ok())
    }
}
