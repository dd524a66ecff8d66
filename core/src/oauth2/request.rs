//! The requests to a token endpoint, as pure functions of their parameters.

use http::header;

use super::client::{self, ClientAuth};
use super::endpoint::Endpoint;
use super::pkce::Verifier;
use super::profile::{ParameterTarget, Profile};
use crate::credentials::{Now, Secret};
use crate::exchange::Request;
use crate::wire::form_request;

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// RFC 8628 §3.4.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

impl Profile {
    /// The request that refreshes with a refresh token (RFC 6749 §6). Read the answer with
    /// [`parse_token`](super::parse_token). `now` matters for `private_key_jwt` alone: the assertion is valid from
    /// then.
    pub fn refresh_request(&self, refresh_token: &Secret, now: Now) -> Request {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())];
        if self.anonymous_refresh && matches!(self.client_auth, ClientAuth::None) {
            let extra = self.extra(ParameterTarget::Token);
            return form_request(self.token_endpoint.uri().clone(), fields.into_iter().chain(extra));
        }
        self.token_request(&fields, now)
    }

    /// The request for tokens by client credentials (RFC 6749 §4.4).
    pub fn client_credentials_request<S: AsRef<str>>(&self, scopes: &[S], now: Now) -> Request {
        let scope = self.joined(scopes);
        let scope = scope.as_deref().map(|scope| ("scope", scope));
        let fields: Vec<_> = [("grant_type", "client_credentials")].into_iter().chain(scope).collect();
        self.token_request(&fields, now)
    }

    /// The request for tokens by a user's name and password (RFC 6749 §4.3). Legacy: RFC 9700 §2.4 forbids it, but some
    /// servers offer nothing else.
    pub fn legacy_password_request<S: AsRef<str>>(
        &self,
        username: &str,
        password: &Secret,
        scopes: &[S],
        now: Now,
    ) -> Request {
        let scope = self.joined(scopes);
        let scope = scope.as_deref().map(|scope| ("scope", scope));
        let login = [("grant_type", "password"), ("username", username), ("password", password.expose())];
        let fields: Vec<_> = login.into_iter().chain(scope).collect();
        self.token_request(&fields, now)
    }

    /// Asks for tokens with the code of a redirect (RFC 6749 §4.1.3, RFC 7636 §4.5).
    /// [`PendingAuthorization`](super::PendingAuthorization) makes sure that the code is the right one.
    pub fn code_request(&self, code: &Secret, verifier: &Verifier, redirect_uri: &str, now: Now) -> Request {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.expose()),
        ];
        self.token_request(&fields, now)
    }

    /// The request that polls a device authorization (RFC 8628 §3.4).
    pub fn device_token_request(&self, device_code: &Secret, now: Now) -> Request {
        self.token_request(&[("grant_type", DEVICE_GRANT), ("device_code", device_code.expose())], now)
    }

    fn token_request(&self, fields: &[(&str, &str)], now: Now) -> Request {
        let fields: Vec<_> = fields.iter().copied().chain(self.extra(ParameterTarget::Token)).collect();
        self.authenticated(&self.token_endpoint, &fields, now)
    }

    /// A form request with the client's authentication.
    pub(super) fn authenticated(&self, to: &Endpoint, fields: &[(&str, &str)], now: Now) -> Request {
        let id = ("client_id", &*self.client_id);
        let (uri, fields) = (to.uri().clone(), fields.iter().copied());
        match &self.client_auth {
            ClientAuth::None => form_request(uri, fields.chain([id])),
            ClientAuth::SecretPost(secret) => form_request(uri, fields.chain([id, ("client_secret", secret.expose())])),
            ClientAuth::SecretBasic(secret) => {
                let mut request = form_request(uri, fields);
                if let Some(value) = client::basic(&self.client_id, secret) {
                    request.http.headers_mut().insert(header::AUTHORIZATION, value);
                }
                request
            }
            ClientAuth::PrivateKeyJwt(assertions) => {
                let token_endpoint = self.token_endpoint.to_string();
                let audience = self.issuer.as_deref().unwrap_or(&token_endpoint);
                let assertion = assertions.sign(&self.client_id, audience, now);
                let proof = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.expose())];
                form_request(uri, fields.chain([id]).chain(proof))
            }
        }
    }
}
