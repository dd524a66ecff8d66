//! `yup-oauth2`: the authenticator for devices, whose endpoints can be set, over a plain hyper client of the kind that
//! it takes (`with_client`), without TLS and with a connection for each request as its own has; its storage in memory.
//! The sign-in on the device is answered at once, so that it holds a refresh token.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use yup_oauth2::authenticator::Authenticator;
use yup_oauth2::authenticator_delegate::{DeviceAuthResponse, DeviceFlowDelegate};
use yup_oauth2::{AccessToken, ApplicationSecret, CustomHyperClientBuilder, DeviceFlowAuthenticator};

use crate::endpoint::Endpoint;
use crate::peer::{Denied, Peer};

#[derive(Clone)]
pub(crate) struct Yup(Authenticator<HttpConnector>);

/// The person who would type the code in.
struct Person;

impl DeviceFlowDelegate for Person {
    fn present_user_code<'a>(&'a self, _: &'a DeviceAuthResponse) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async {})
    }
}

impl Peer for Yup {
    const NAME: &'static str = "yup";
    const PACKAGE: Option<&'static str> = Some("yup-oauth2");
    // Renewed 60 seconds before the end.
    const IN_WINDOW: Duration = Duration::from_secs(30);
    type Token = AccessToken;

    async fn sign_in(endpoint: &Endpoint) -> Self {
        let secret = ApplicationSecret {
            client_id: "peer".into(),
            client_secret: "s".into(),
            token_uri: endpoint.token_url(),
            ..ApplicationSecret::default()
        };
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(HttpConnector::new());
        let built = DeviceFlowAuthenticator::with_client(secret, CustomHyperClientBuilder::from(client))
            .device_code_url(endpoint.device_url())
            .flow_delegate(Box::new(Person))
            .build();
        let peer = Self(built.await.expect("a storage in memory"));
        assert!(peer.ask().await.is_ok(), "the endpoint grants");
        peer
    }

    async fn ask(&self) -> Result<AccessToken, Denied> {
        self.0.token(&["https://example.com/scope"]).await.map_err(|_| Denied)
    }
}
