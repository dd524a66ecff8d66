//! The requests, as pure functions of their parameters.

use http::{HeaderValue, Method, Uri, header};
use serde::Serialize;

use super::Login;
use super::login::timestamp;
use super::settings::Settrade;
use crate::credentials::{AccessToken, Secret, Timestamp};
use crate::exchange::Request;
use crate::wire::{Body, json_request};

/// The `params` of a sign-in, which the service does not use.
const PARAMS: &str = "";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignIn<'a> {
    api_key: &'a str,
    params: &'a str,
    signature: &'a str,
    /// A text, not a number.
    timestamp: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refresh<'a> {
    api_key: &'a str,
    refresh_token: &'a str,
}

impl Settrade {
    /// `POST …/login`, signed for `at`: now, or the time of the service's clock. Read the answer with
    /// [`parse_sign_in`](super::parse_sign_in).
    pub fn sign_in_request(&self, login: &Login, at: Timestamp) -> Request {
        let body = SignIn {
            api_key: login.app_id(),
            params: PARAMS,
            signature: &login.sign(PARAMS, at),
            timestamp: &timestamp(at),
        };
        json_request(self.app_uri("login"), &body)
    }

    /// `POST …/refresh-token`. Read the answer with [`parse_refresh`](super::parse_refresh).
    pub fn refresh_request(&self, app_id: &str, refresh_token: &Secret) -> Request {
        let body = Refresh { api_key: app_id, refresh_token: refresh_token.expose() };
        json_request(self.app_uri("refresh-token"), &body)
    }

    /// `GET …/token` of the dispatcher, for MQTT connect options. Read the answer with [`Settrade::parse_ticket`].
    pub fn ticket_request(&self, access: &AccessToken) -> Request {
        let mut http = http::Request::new(Body::empty());
        *http.method_mut() = Method::GET;
        *http.uri_mut() = self.uri(&format!("{}/token", self.dispatcher_path()));
        let headers = http.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::AUTHORIZATION, access.typed_header().clone());
        Request::new(http)
    }

    /// The path of the dispatcher and, below it, of the MQTT broker.
    pub(super) fn dispatcher_path(&self) -> String {
        format!("/api/dispatcher/v3/{}", self.broker_id)
    }

    fn app_uri(&self, what: &str) -> Uri {
        self.uri(&format!("/api/oam/v1/{}/broker-apps/{}/{what}", self.broker_id, self.app_code))
    }

    fn uri(&self, path: &str) -> Uri {
        // Every part was checked when the provider was made.
        Uri::try_from(format!("{}{path}", self.base.as_str())).unwrap_or_default()
    }
}
