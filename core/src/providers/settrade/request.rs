//! The requests: pure functions of what goes into them.

use http::{HeaderValue, Method, Uri, header};
use serde::Serialize;

use super::login::timestamp;
use super::{Login, Settrade};
use crate::credentials::{AccessToken, Secret, Timestamp};
use crate::exchange::Request;
use crate::wire::{Body, json_request};

/// What else a sign-in may say: nothing that this service knows of.
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
    /// `POST …/login`, signed for this moment: now, or what the service's clock says. Read the answer with
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

    /// `GET …/token` of the dispatcher. Read the answer with [`Settrade::parse_ticket`].
    pub fn ticket_request(&self, access: &AccessToken) -> Request {
        let mut http = http::Request::new(Body::empty());
        *http.method_mut() = Method::GET;
        *http.uri_mut() = self.uri(&format!("{}/token", self.dispatcher_path()));
        let headers = http.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::AUTHORIZATION, access.typed_header().clone());
        Request::new(http)
    }

    /// Where the dispatcher is, and under it the MQTT broker.
    pub(super) fn dispatcher_path(&self) -> String {
        format!("/api/dispatcher/v3/{}", self.broker_id)
    }

    fn app_uri(&self, what: &str) -> Uri {
        self.uri(&format!("/api/oam/v1/{}/broker-apps/{}/{what}", self.broker_id, self.app_code))
    }

    fn uri(&self, path: &str) -> Uri {
        // Every part was checked when it was given.
        Uri::try_from(format!("{}{path}", self.base.as_str())).unwrap_or_default()
    }
}
